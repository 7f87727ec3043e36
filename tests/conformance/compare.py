"""Our answers beside the reference's."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from signalbox.patterns import EventError, RuleSet, check, compile
from signalbox.patterns._complexity import MAX_COMPLEXITY
from tests.conformance import quirks, reference
from tests.conformance.quirks import Quirk
from tests.conformance.reference import Answer, Question


class Difference(NamedTuple):
    """A question to which our answer is another than the reference's; `quirk` says why, None: nobody knows."""

    question: Question
    event: str
    ours: str
    theirs: str
    quirk: Quirk | None

    def __str__(self) -> str:
        name = self.quirk.name if self.quirk else "UNEXPLAINED"
        return f"{name}: {self.question.pattern}\n  {self.event}\n  ours: {self.ours}; reference: {self.theirs}"


def resolve(found: Sequence[Difference]) -> list[Difference]:
    """`found`, with those of no known quirk asked again with each condition in a machine of its own."""
    again = [Question(d.question.pattern, (d.event,), split=True) for d in found if not d.quirk and d.event]
    answers = iter(list(reference.ask(again)) if again else [])
    resolved = []
    for difference in found:
        if difference.quirk is None and difference.event:
            ours = difference.ours == "True"
            difference = difference._replace(
                quirk=quirks.of_match(difference.question.pattern, difference.event, ours, 0, next(answers))
            )
        resolved.append(difference)
    return resolved


def compare(question: Question, answer: Answer) -> Iterator[Difference]:
    """Every way in which we answer `question` otherwise than `answer`."""
    faults = check(question.pattern)
    ours = faults[0].reason if faults else "accepted"
    theirs = answer.reason if answer.refusal else answer.broken or "accepted"
    if ours == theirs == "accepted" and answer.complexity > MAX_COMPLEXITY:
        theirs = "too complex"
    if ours != theirs:
        yield Difference(question, "", ours, theirs, quirks.of_check(question.pattern, faults, answer))
    if faults or answer.refusal or answer.broken:
        return
    pattern = compile(question.pattern)
    rules = RuleSet({"rule": pattern})
    for i, event in enumerate(question.events):
        try:
            matched = pattern.matches(event)
            if (rules.match(event) == {"rule"}) != matched or pattern.explain(event).matched != matched:
                yield Difference(question, event, f"{matched}, but RuleSet or explain says otherwise", "", None)
        except EventError as error:
            if not isinstance(answer.whole[i], str):
                quirk = quirks.TEXT_AFTER_END if "Extra data" in str(error) else None
                yield Difference(question, event, str(error), str(answer.whole[i]), quirk)
            continue
        if matched != answer.whole[i]:
            quirk = quirks.of_match(question.pattern, event, matched, i, answer)
            yield Difference(question, event, str(matched), str(answer.whole[i]), quirk)
