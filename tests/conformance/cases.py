"""Cases of our own, with what the reference answered when it was last asked.

`cases/*.json` are lists of `{"pattern", "events"}`, both text, with the answers: `refusal`, `broken`, `complexity`, and
in `matches` what `Ruler.matchesRule` said; `isolated` and `split` only where they differ from that. `record` keeps
pattern and events and writes the rest; to add a case, write these two.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conformance.reference import Answer, Question

FOLDER = Path(__file__).parent / "cases"


def files() -> list[Path]:
    """The files of cases."""
    return sorted(FOLDER.glob("*.json"))


def load(path: Path) -> list[tuple[Question, Answer]]:
    """The cases of a file with their recorded answers."""
    return [(_question(case), _answer(case)) for case in json.loads(path.read_text("utf-8"))]


def record(path: Path, answers: Iterable[Answer]) -> None:
    """Writes `answers`, one for each case of the file, beside the cases."""
    recorded = []
    for (question, _), answer in zip(load(path), answers, strict=True):
        case: dict[str, Any] = {"pattern": question.pattern, "events": list(question.events)}
        if answer.refusal:
            case["refusal"] = answer.reason
        if answer.broken:
            case["broken"] = answer.broken
        if answer.complexity:
            case["complexity"] = answer.complexity
        if answer.whole:
            case["matches"] = list(answer.whole)
        if answer.isolated != answer.whole:
            case["isolated"] = list(answer.isolated)
        if answer.split and answer.split != answer.whole:
            case["split"] = list(answer.split)
        recorded.append(case)
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in recorded)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")


def _question(case: dict[str, Any]) -> Question:
    return Question(case["pattern"], tuple(case["events"]), split=True)


def _answer(case: dict[str, Any]) -> Answer:
    whole = tuple(case.get("matches", ()))
    return Answer(
        case.get("refusal"),
        case.get("broken"),
        case.get("complexity", 0),
        tuple(case.get("isolated", whole)),
        whole,
        tuple(case.get("split", whole)),
    )
