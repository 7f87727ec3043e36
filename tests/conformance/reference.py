"""The reference, AWS's event-ruler, as a process that answers questions. Needs Java 17 and Maven."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
OUT = HERE.parents[1] / ".build" / "conformance"


class Question(NamedTuple):
    """A pattern and the events to match it with, all as text; `split` asks for that answer too."""

    pattern: str
    events: tuple[str, ...] = ()
    split: bool = False


class Answer(NamedTuple):
    """What the reference says: why it refuses the pattern, or for each event true, false or an error's text.

    `whole`: as `Ruler.matchesRule` says. Its machine sometimes lets what it shares between rules, alternatives or
    conditions disturb the outcome, so: `isolated`, each alternative in a machine of its own; `split`, each choice of
    one condition per field. `broken`: an error of the reference when the rule is added, though `check` took it.
    `complexity` stops at 11.
    """

    refusal: str | None
    broken: str | None = None
    complexity: int = 0
    isolated: tuple[bool | str, ...] = ()
    whole: tuple[bool | str, ...] = ()
    split: tuple[bool | str, ...] = ()

    @property
    def reason(self) -> str:
        """The refusal without the copy of the source that follows it."""
        return (self.refusal or "").split("\n at [Source")[0]


def fetch() -> None:
    """Fetches the reference from Maven Central. Raises CalledProcessError when Maven fails."""
    pom = HERE / "runner" / "pom.xml"
    subprocess.run(["mvn", "-q", "-B", "-f", str(pom), f"-Dout={OUT}", "dependency:copy-dependencies"], check=True)


def ask(questions: Iterable[Question]) -> Iterator[Answer]:
    """The answers to `questions`, in order."""
    command = [
        "java",
        "-Xss16m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{OUT / 'dependency'}/*",
        str(HERE / "runner" / "Runner.java"),
    ]
    lines = "".join(json.dumps(q._asdict()) + "\n" for q in questions)
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, encoding="utf-8", check=True, timeout=900
    )
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield Answer(
            answer["refusal"],
            answer.get("broken"),
            answer.get("complexity", 0),
            tuple(answer.get("isolated", ())),
            tuple(answer.get("whole", ())),
            tuple(answer.get("split", ())),
        )
