"""`redrive`: what lies in `undelivered`, and sending it again to just what has missed it."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signalbox.cli.console import Progress, counted, show_table
from signalbox.cli.stack import Stack, read_stack, stack_options, talking
from signalbox.missed import Missed, StaysError, read_message
from signalbox.physical_names import RETRY, UNDELIVERED, queue
from signalbox.redrive import Left, LiveRoutes, Plan
from signalbox.runtime.errors import CallError
from signalbox.runtime.text import printable

if TYPE_CHECKING:
    from signalbox.aws.sending import Sender
    from signalbox.aws.undelivered import Letter, Undelivered

LIMIT = 1_000


@dataclass
class Case:
    """One message, and what is or was done about it. `stays` and `fix`: why something of it stays, and what helps."""

    letter: "Letter"
    missed: Missed | None = None
    route: str = ""
    plan: Plan = field(default_factory=lambda: Plan(()))
    stays: dict[str, str] = field(default_factory=dict)
    """Why something of it stays, each with what helps."""
    sent: bool = False

    @property
    def routes(self) -> list[str]:
        """The routes by which it goes, or by which it did not come."""
        known = [each.route for each in (*self.plan.sendings, *self.plan.left)]
        return list(dict.fromkeys(known)) or [each for each in (self.route,) if each]

    @property
    def to(self) -> list[str]:
        """The targets that have missed it."""
        left = [f"{name} (stays)" for each in self.plan.left for name in each.names]
        return [name for each in self.plan.sendings for name in each.names] + left

    def stay(self, why: StaysError) -> None:
        """Something of it stays."""
        self.stays[str(why)] = why.fix

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        event = self.missed.event if self.missed else {}
        return {
            "message": self.letter.id,
            "since": self.letter.sent.isoformat(timespec="seconds"),
            "reason": self.missed.reason if self.missed else "",
            "event": event.get("id", ""),
            "routes": self.routes,
            "targets": self.to,
            "sent": self.sent,
            "stays": [{"why": why, "fix": fix} for why, fix in self.stays.items()],
        }


@click.command()
@stack_options
@click.option("--send", is_flag=True, help="Send them, and take what was sent off the queue.")
@click.option(
    "--route", "only", multiple=True, metavar="EVENT[/ROUTE]", help="Only messages that go by this route or event."
)
@click.option("--limit", default=LIMIT, show_default=True, type=click.IntRange(1), help="Messages to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def redrive(
    stack_name: str | None, config_file: Path | None, send: bool, only: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """What lies in the queue `undelivered`, and, with --send, send it again.

    Each event goes by its route as it is now, and only to the targets that have missed it: functions and flows by the
    Router, which checks the event first; others by a call of their own service, with your credentials. What only
    EventBridge can reach stays (`replay` brings it). Mend first what was in the way: what fails again comes back.

    Exit code: 0 everything can be sent, or was; 1 something stays.
    """
    stack = read_stack(stack_name, config_file)
    with talking():
        undelivered, sender, routes = _open(stack)
        with _read(undelivered, limit) as cases:
            for case in cases:
                _plan(case, routes)
            chosen = [case for case in cases if not only or _is_of(case, only)]
            if send:
                _send(chosen, undelivered, sender)
    if as_json:
        # Half of a surrogate pair would be no text for a pipe: everything beyond ASCII is escaped.
        click.echo(json.dumps({"messages": [case.as_json() for case in chosen]}, indent=2))
    else:
        if chosen or not cases:
            _show(chosen, send)
        if others := len(cases) - len(chosen):
            click.echo(f"{counted(others, 'message')} of other routes, or of none that is known")
        if not undelivered.emptied:
            click.echo(f"there may be more than these {len(cases)}: --limit, or once more")
    sys.exit(1 if any(case.stays for case in chosen) else 0)


def _open(stack: Stack) -> tuple["Undelivered", "Sender", LiveRoutes]:
    from signalbox.aws.sending import Sender
    from signalbox.aws.store import read_store
    from signalbox.aws.undelivered import Undelivered

    session = stack.session()
    sqs = session.client("sqs")
    url, retry = (sqs.get_queue_url(QueueName=queue(stack.name, part))["QueueUrl"] for part in (UNDELIVERED, RETRY))
    routes = LiveRoutes(read_store(session.client("dynamodb"), stack.store), stack.names(session))
    return Undelivered(sqs, url), Sender(session, retry=retry, undelivered=url), routes


@contextmanager
def _read(undelivered: "Undelivered", limit: int) -> Iterator[list[Case]]:
    """The messages, given back at the end, whatever happens; those that were sent are gone by then."""
    from signalbox.aws.undelivered import VISIBILITY_SECONDS

    cases: list[Case] = []
    try:
        cases.extend(map(Case, undelivered.read(limit)))
        cases.sort(key=lambda case: case.letter.sent)
        yield cases
    finally:
        try:
            undelivered.release(case.letter for case in cases if not case.sent)
        except CallError as error:
            click.echo(f"what stays is seen again only in {VISIBILITY_SECONDS // 60} minutes: {error}", err=True)


def _plan(case: Case, routes: LiveRoutes) -> None:
    try:
        case.missed = read_message(case.letter.body, case.letter.attributes, routes.stack)
        case.route = routes.route(case.missed)
        case.plan = routes.plan(case.missed)
    except StaysError as why:
        case.stay(why)
    except (ValueError, TypeError) as error:  # whatever an event holds, the others are sent
        case.stay(StaysError(f"the event cannot be written: {error}", "delete the message"))
    for left in case.plan.left:
        case.stay(left.why)


def _is_of(case: Case, only: Sequence[str]) -> bool:
    return any(route in only or route.partition("/")[0] in only for route in case.routes)


def _send(cases: Sequence[Case], undelivered: "Undelivered", sender: "Sender") -> None:
    progress = Progress("sent")
    ready = [case for case in cases if case.plan.sendings]
    for number, case in enumerate(ready):
        progress(number, len(ready))
        if time.monotonic() > undelivered.until:
            case.stay(StaysError("there was no time for it", "python -m signalbox redrive --send, once more"))
            continue
        _send_one(case, undelivered, sender)
    progress.clear()


def _send_one(case: Case, undelivered: "Undelivered", sender: "Sender") -> None:
    """Each target by itself: what one refuses keeps nothing from another, and is left alone in `undelivered`."""
    left = list(case.plan.left)
    for sending in case.plan.sendings:
        try:
            sender.send(sending, case.letter.id)
        except (CallError, ValueError, TypeError) as error:  # an event may hold what a client cannot write
            why = StaysError(f"{', '.join(sending.names)}: {error}", "mend it and redrive again, or delete the message")
            case.stay(why)
            left.append(Left(sending.route, sending.targets, sending.missed, why))
    if len(left) == len(case.plan.left) + len(case.plan.sendings):
        return  # nobody has got it: the message stays as it is
    try:
        for each in left:
            sender.leave(each)
        undelivered.delete(case.letter)
    except (CallError, ValueError, TypeError) as error:
        what = f"{', '.join(case.to)}: sent, but the message is still there: {error}"
        case.stay(StaysError(what, "delete it, or what it says is sent twice"))
    else:
        case.sent = True


def _show(cases: Sequence[Case], send: bool) -> None:
    if not cases:
        click.echo("nothing is undelivered, unless somebody else looks at it just now")
        return
    rows = [
        (
            f"{case.letter.sent:%Y-%m-%d %H:%M}",
            case.missed.reason if case.missed else "",
            ", ".join(case.routes),
            ", ".join(case.to),
            _state(case),
        )
        for case in cases
    ]
    show_table(("since", "reason", "route", "to", ""), rows)
    for what in dict.fromkeys(pair for case in cases for pair in case.stays.items()):
        said, fix = (printable(text, 1_000) for text in what)
        click.echo(f"{click.style('stays', fg='yellow')}: {said}{f'; fix: {fix}' if fix else ''}")
    if send:
        click.echo(f"{sum(case.sent for case in cases)} of {counted(len(cases), 'message')} sent")
        return
    ready = sum(bool(case.plan.sendings) for case in cases)
    hint = ": python -m signalbox redrive --send" if ready else ""
    click.echo(f"{ready} of {counted(len(cases), 'message')} can be sent{hint}")


def _state(case: Case) -> str:
    if case.sent:
        return "sent in part" if case.stays else "sent"
    return "stays" if case.stays and not case.plan.sendings else ""
