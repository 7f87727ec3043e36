"""`plan`: what a deploy would change for routing, whole and in words."""

import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import click

from signalbox.changes import Change, changes, planned_events, stored_events, summary
from signalbox.cli.console import counted, show_problems
from signalbox.cli.stack import Stack, read_stack, stack_options
from signalbox.conflicts import policy_of
from signalbox.definitions import read
from signalbox.model import Definitions, Event
from signalbox.plan import plan as make_plan
from signalbox.problems import Problem, errors
from signalbox.registry import taken_names, targets_of
from signalbox.runtime.text import printable
from signalbox.store import StoreSnapshot

MARKER = "<!-- signalbox plan -->"
"""The first line of the Markdown, which GitHub does not show: by it a workflow finds its comment again."""
COMMENT = 65_536
"""Characters that GitHub takes as a comment: https://github.com/orgs/community/discussions/27190"""
_TAIL = 400
_CODE = 2_000
_BROKEN = "the definitions of {} have errors, so they cannot be compared"


@click.command()
@stack_options
@click.option("--base", metavar="REV", help="Compare with the definitions of a git revision, not with the store.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
def plan(stack_name: str | None, config_file: Path | None, base: str | None, as_json: bool, markdown: bool) -> None:
    """What a deploy would change for routing: routes that come, go and send elsewhere, and the samples that take
    another way from now on.

    Compares the definitions here with what the event store says is live (needs AWS credentials), or with --base with
    those of a git revision (needs none).
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown: say one of them")
    try:
        before, after, notes = _compared(read_stack(stack_name, config_file), base)
    except _StopError as stop:
        show_problems(stop.problems, as_json=as_json)
        raise click.ClickException(stop.why) from stop
    found = changes(before, after, buses=base is not None)
    if as_json:
        report = {"summary": summary(found), "changes": [change.as_dict() for change in found], "notes": notes}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif markdown:
        click.echo(as_markdown(found, notes))
    else:
        for line in [summary(found), *(line for change in found for line in change.all_lines()), *notes]:
            click.echo(line)


class _StopError(Exception):
    """There is nothing to compare: `problems` say why."""

    def __init__(self, problems: Sequence[Problem], why: str) -> None:
        super().__init__(why)
        self.problems = errors(problems)
        self.why = why


_Compared = tuple[Mapping[str, Event], Mapping[str, Event], list[str]]
"""The events before and after, and what else there is to say."""


def _compared(stack: Stack, base: str | None) -> _Compared:
    definitions = _definitions(stack, stack.mappings, stack.functions, "this folder")
    if base is None:
        return _against_store(stack, definitions)
    with tempfile.TemporaryDirectory() as folder:
        mappings, functions, left_out = _checkout(stack, base, Path(folder))
        notes = [f"{name} leads out of the project, and of {base} it was left out" for name in left_out]
        try:
            return _definitions(stack, mappings, functions, base).events, definitions.events, notes
        except _StopError as stop:
            said = [replace(each, file=_at_revision(each.file, base, functions.parent)) for each in stop.problems]
            raise _StopError(said, "; ".join([stop.why, *notes])) from stop


def _at_revision(file: str, revision: str, folder: Path) -> str:
    """How git names a file of a revision."""
    return f"{revision}:{file.removeprefix(f'{folder}/')}" if file else file


def _definitions(stack: Stack, mappings: Path, functions: Path, where: str) -> Definitions:
    definitions, problems = read(
        mappings,
        functions,
        own_bus=stack.name,
        rules_quota=stack.rules_quota,
        source=stack.get("source"),
    )
    if definitions is None:
        raise _StopError(problems, _BROKEN.format(where))
    return definitions


def _checkout(stack: Stack, revision: str, folder: Path) -> tuple[Path, Path, list[str]]:
    """The mappings and the functions of a git revision of the project, of which all is written below `folder`: a
    Python file may read what is beside it. And the names of what was left out of it."""
    for path in (stack.mappings, stack.functions):
        if not path.resolve().is_relative_to(stack.root.resolve()):
            raise click.ClickException(
                f"{path} is outside {stack.root.resolve()}, whose revisions --base compares; fix: leave --base away to "
                "compare with the event store, or bring it into this project"
            )
    parts = [str(path.resolve().relative_to(stack.root.resolve())) for path in (stack.mappings, stack.functions)]
    # A revision is what somebody else may have named: nothing in it must be taken for an option.
    commit = _git(stack.root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if commit.returncode != 0:
        raise click.ClickException(f"git has no revision {revision}: {commit.stderr.decode().strip()}")
    listed = _git(stack.root, "ls-tree", "-r", commit.stdout.decode().strip(), "--", *parts).stdout.decode()
    if modules := [line.partition("\t")[2] for line in listed.splitlines() if line.startswith(_SUBMODULE)]:
        raise click.ClickException(
            f"{', '.join(modules)} is a git submodule, of which {revision} holds no files; fix: leave --base away to "
            "compare with the event store"
        )
    left_out: list[str] = []

    def kept(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        # A link that leads out of it may be anywhere in a project.
        try:
            return tarfile.data_filter(member, folder)
        except tarfile.FilterError:
            if any(Path(member.name).is_relative_to(part) for part in parts):
                left_out.append(member.name)
            return None

    packed, whole = folder / "revision.tar", folder / "revision"
    done = _git(stack.root, "archive", "--format=tar", f"--output={packed}", commit.stdout.decode().strip())
    if done.returncode != 0:
        raise click.ClickException(f"git cannot archive {revision}: {done.stderr.decode().strip()}")
    with tarfile.open(packed) as archive:
        archive.extractall(whole, filter=kept)
    if not (whole / parts[0]).exists():
        raise click.ClickException(f"git has no {parts[0]} at {revision}")
    return whole / parts[0], whole / parts[1], left_out


_SUBMODULE = "160000 "
"""How `git ls-tree` begins the line of a submodule."""


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise click.ClickException(f"git cannot be called, which --base needs: {error.strerror}") from error


def _against_store(stack: Stack, definitions: Definitions) -> _Compared:
    from botocore.exceptions import BotoCoreError, ClientError

    from signalbox.aws.store import StoreError, read_store

    try:
        store: StoreSnapshot = read_store(stack.session().client("dynamodb"), stack.store)
    except (BotoCoreError, ClientError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    policy, faults = policy_of(stack.get("conflicts"))
    _stop_on(faults)
    _stop_on(taken_names(definitions, store.flows))
    targets = targets_of(definitions, store.flows)
    made = make_plan(definitions.events, store, policy, targets=targets, rules_quota=stack.rules_quota)
    _stop_on(made.problems)
    return stored_events(store), planned_events(made), [str(note) for note in made.notes]


def _stop_on(problems: Sequence[Problem]) -> None:
    if errors(problems):
        raise _StopError(problems, "a deploy would stop here")


def as_markdown(found: Sequence[Change], notes: Sequence[str]) -> str:
    """The changes as Markdown: MARKER, a headline, the notes, and a list with patterns and samples below their route.

    What does not fit a comment is counted.
    """
    head = [MARKER, f"### Routing: {summary(found)}", "", *(f"> {_code(note)}" for note in notes)]
    heads = [f"- **{_code(change.route)}** {_escaped('; '.join(change.what))}" for change in found]
    below = [[f"  - {_code(each)}" for each in (*change.shown_patterns(), *change.samples)] for change in found]
    lines = [
        *head,
        *([""] if notes else []),
        *(line for one, more in zip(heads, below, strict=True) for line in (one, *more)),
    ]
    text = "\n".join(lines)
    if len(text) < COMMENT:  # one is left for the end of the last line
        return text
    kept = _fitting(lines, COMMENT - _TAIL)
    left = len(found) - sum(line.startswith("- ") for line in kept)
    tail = (
        f"{counted(len(lines) - len(kept), 'line')} of {counted(len(found), 'change')} left out here, and with them "
        f"{counted(left, 'whole change')}: `python -m signalbox plan` without `--markdown` says all"
    )
    return "\n".join([*kept, "", tail])


def _fitting(lines: Sequence[str], characters: int) -> list[str]:
    """As many of the first `lines` as have `characters` together."""
    ends = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= characters]


def _code(text: str) -> str:
    """`text` as Markdown shows it letter by letter: code, in which GitHub makes neither links nor mentions."""
    text = printable(text, _CODE)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _escaped(text: str) -> str:
    """`text` of ours with names in it, of which none must become formatting."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+-.!|@~&" else char for char in printable(text, _CODE))
