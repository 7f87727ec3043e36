"""Where we differ from the reference on purpose, each with its reason. Any other difference is a fault."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from signalbox.patterns import PatternError, check, leaves
from signalbox.patterns._complexity import MAX_COMPLEXITY
from tests.conformance.reference import Answer

# In text as `_escaped` gives it.
_EMPTY_EXCLUSION = re.compile(r'"anything-but"\s*:\s*\{[^{}]*\[\s*\]')
_HALF = re.compile(r"\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]")
# What Unicode 14 to 16 made pairs: https://www.unicode.org/Public/UNIDATA/DerivedAge.txt
_NEW_LETTERS = (
    "\u2c2f\u2c5f\ua7c0\ua7c1\ua7d0\ua7d1\ua7d6\ua7d7\ua7d8\ua7d9" + "\ua7cb\u0264\ua7cc\ua7cd\ua7da\ua7db\ua7dc\u019b"
)


class Quirk(NamedTuple):
    """A kind of difference: `name` is what cases are marked with."""

    name: str
    what: str
    why: str


SHARED_CONDITIONS = Quirk(
    "shared-conditions",
    "Several conditions on one field disturb each other: one is lost, or one matches that should not.",
    "The reference puts them into one byte automaton. Some pairs (a string beside a numeric range across 0; a suffix"
    " beside a wildcard) corrupt it, in part depending on the order of a hash set, so that the same question gets both"
    " answers. The documented meaning is 'any of them', and that is what the reference says with each condition alone.",
)
SHARED_BRANCHES = Quirk(
    "shared-branches",
    "Of two branches of `$or` with overlapping lists, such as a in [1, 2] and a in [2, 3], the second is lost.",
    "The reference takes the second for a rule that it already has. The documented meaning is 'any of them', and that"
    " is what the reference says with each branch in a machine of its own.",
)
TEXT_AFTER_END = Quirk(
    "text-after-end",
    "Text after the end of the pattern or of the event is refused; the reference does not look at it.",
    "It is not JSON, and in a pattern a misplaced brace would silently drop conditions.",
)
EMPTY_EXCLUSION = Quirk(
    "empty-exclusion",
    '`{"anything-but": {"prefix": []}}` is refused.',
    "The reference's check takes it. Alone in its list its machine then fails with a NullPointerException; beside"
    " others it matches nothing. Nobody means that.",
)
RANGE_END = Quirk(
    "range-end",
    "A numeric range that ends at the largest double is taken.",
    "The reference's check takes it and its machine then fails with an ArrayIndexOutOfBoundsException. It is a valid"
    " range, and nobody's in practice.",
)
DOUBLE_TEXT = Quirk(
    "double-text",
    "Numbers such as 2e23, 8.41e21 and 5e-324 are compared as numbers.",
    "The reference compares only numbers that Java writes back unchanged, and Java before 19 writes these with other"
    " digits (JDK-4511638; 5e-324 becomes 4.9E-324 in all). Which Java EventBridge runs on is not known.",
)
TWO_ROUTES = Quirk(
    "two-routes",
    "An event has a field by two routes (`a.b` as one name and as `b` in `a`, or `a` twice), one of them in an array.",
    "The reference then looks only at the values in one of the arrays that it has chosen an element of; which one"
    " depends on the order of a hash map, and its older finder (ACFinder) looks at all. We do what it mostly does.",
)
LIMITS = Quirk(
    "limits",
    "Refused here: more than 1,000 combinations of `$or`, more than 256 fields in one, wildcards too complex.",
    "EventBridge refuses these when the rule is put; the reference's check leaves it to the service.",
)
NOT_JSON = Quirk(
    "not-json",
    "The reason for text that is not JSON is in our words, and comes before any other.",
    "EventBridge's is the message of its JSON parser, Jackson. Where text is broken there is no pattern to judge.",
)

ANY_OF_A_LIST = Quirk(
    "any-of-a-list",
    "Of several faulty wildcards in the list of one `anything-but` the first is told.",
    "The reference keeps the list as a hash set, and tells the one that comes first there. Both refuse the pattern.",
)
HALVES = Quirk(
    "halves",
    'Half a surrogate pair (`"\\ud800"` alone) is itself, and equal to nothing else.',
    "The reference matches the bytes of UTF-8, where Java writes a question mark for each half, so that all halves and"
    ' "?" are equal; but not where a field has one plain text only, which it compares as a whole. No event in UTF-8'
    " holds half a character, and definitions with one are refused.",
)
NEW_LETTERS = Quirk(
    "new-letters",
    "Ⱟ and ⱟ are equal in any case, and so are other letters that came with Unicode 14 or later.",
    "Which letters are a pair is told by the tables of the language: Java 17 has those of Unicode 13, Python 3.11 those"
    " of 14. Which Java EventBridge runs on is not known.",
)
QUOTES = Quirk(
    "quotes",
    "Wildcards with quotes inside, in the list of one `anything-but`, may count as less or more complex by one or two.",
    "The reference shares states between a text that ends there and one that goes on with a quote, depending on which"
    " of them its hash set gives first.",
)

COPIES = Quirk(
    "copies",
    "Several wildcards in one list count once, however many alternatives of `$or` part behind their field.",
    "The reference adds the list once for each of these alternatives, and shares a part of the states between copies"
    " that depends on the order of its hash sets. A wildcard that is alone in its list is counted as there.",
)

ALL = (
    COPIES,
    SHARED_CONDITIONS,
    SHARED_BRANCHES,
    TEXT_AFTER_END,
    EMPTY_EXCLUSION,
    RANGE_END,
    DOUBLE_TEXT,
    TWO_ROUTES,
    LIMITS,
    NOT_JSON,
    ANY_OF_A_LIST,
    HALVES,
    NEW_LETTERS,
    QUOTES,
)


def of_check(pattern: str, faults: Sequence[PatternError], answer: Answer) -> Quirk | None:
    """The quirk for which our `faults` of a pattern differ from the reference's check; None when it is none."""
    reason = faults[0].reason if faults else ""
    if reason.startswith(("Consecutive", "Invalid escape")) and answer.refusal and _HALF.search(_escaped(pattern)):
        return HALVES  # the place is counted in bytes
    if reason and answer.refusal and any({reason, answer.reason} <= reasons for reasons in _of_lists(pattern)):
        return ANY_OF_A_LIST
    if reason == "Not JSON: text after the end of the object" and not answer.refusal:
        return TEXT_AFTER_END
    if reason.startswith(("Not JSON", "Number value length", "Document nesting")) and answer.refusal:
        return NOT_JSON
    if reason == "Empty arrays are not allowed" and (not answer.refusal or _EMPTY_EXCLUSION.search(pattern)):
        return EMPTY_EXCLUSION  # where it is refused, that is for another fault, which comes later
    too_complex = reason.startswith("Rule is too complex")
    if too_complex and not answer.refusal and answer.complexity > MAX_COMPLEXITY:
        return LIMITS
    if (too_complex or not (faults or answer.refusal)) and too_complex != (answer.complexity > MAX_COMPLEXITY):
        if '\\"' in pattern:
            return QUOTES
        return COPIES if not too_complex and '"$or"' in pattern else None
    if reason.startswith(("Event pattern contains more", "Size of rule")):
        return LIMITS
    if answer.reason.startswith("Cannot compare number : ") and not faults:
        number = abs(float(answer.reason.rpartition(" ")[2]))
        return DOUBLE_TEXT if number > 1e17 or number < 1e-10 else None
    if not answer.refusal and not faults and "ArrayIndexOutOfBounds" in (answer.broken or ""):
        return RANGE_END
    return None


def _of_lists(pattern: str) -> Iterator[set[str]]:
    """For each list of wildcards in an `anything-but`, why we refuse its members one by one."""
    try:
        # As pairs: of a field that is there twice the first list is refused, too.
        waiting: list[Any] = [json.loads(pattern, object_pairs_hook=tuple)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, tuple) and len(value) == 2 and value[0] == "anything-but":
            texts = dict(value[1]).get("wildcard") if isinstance(value[1], tuple) else None
            if isinstance(texts, list):
                alone = [check(json.dumps({"a": [{"anything-but": {"wildcard": text}}]})) for text in texts]
                yield {fault.reason for faults in alone for fault in faults[:1]}
        waiting += value if isinstance(value, tuple | list) else ()


def of_match(pattern: str, event: str, ours: bool, index: int, answer: Answer) -> Quirk | None:
    """The quirk for which `ours` differs from what `Ruler.matchesRule` says about `event`, the answer's `index`."""
    if answer.whole[index] != ours == answer.isolated[index]:
        return SHARED_BRANCHES
    if answer.split and answer.split[index] == ours:
        return SHARED_CONDITIONS
    if any(len(routes) > 1 for routes in _routes(pattern, event).values()):
        return TWO_ROUTES
    said = _escaped(pattern + event)
    if _HALF.search(said):
        return HALVES
    return NEW_LETTERS if any(_escaped(letter) in said for letter in _NEW_LETTERS) else None


def _escaped(text: str) -> str:
    """JSON text in ASCII, whether it has its characters as they are or escaped."""
    return ascii(text)[1:-1].replace("\\\\", "\\").lower()


def _routes(pattern: str, event: str) -> dict[str, set[tuple[str, ...]]]:
    """By which names in a row the event leads to each field of the pattern; a repeated name has its number."""
    fields = {leaf.field for leaf in leaves(pattern)}
    routes: dict[str, set[tuple[str, ...]]] = {}

    def walk(value: object, names: tuple[str, ...], route: tuple[str, ...]) -> None:
        if isinstance(value, _Members):
            seen: Counter[str] = Counter()
            for name, member in value.members:
                walk(member, (*names, name), (*route, name if not seen[name] else f"{name} {seen[name]}"))
                seen[name] += 1
        elif isinstance(value, list):
            for element in value:
                walk(element, names, route)
        elif ".".join(names) in fields:
            routes.setdefault(".".join(names), set()).add(route)

    walk(json.JSONDecoder(object_pairs_hook=_Members).decode(event), (), ())
    return routes


class _Members:
    def __init__(self, members: list[tuple[str, object]]) -> None:
        self.members = members
