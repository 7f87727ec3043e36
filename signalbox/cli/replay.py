"""`replay`: the events of a time window once more, from the bus's archive to one route."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from signalbox.cli.stack import Stack, read_stack, stack_options, talking
from signalbox.missed import StaysError
from signalbox.physical_names import archive
from signalbox.redrive import LiveRoutes
from signalbox.runtime.text import printable

ARCHIVE_DELAY = timedelta(minutes=10)
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html: an event may be in the archive
# only some time after it came; AWS advises to wait ten minutes.
POLL_SECONDS = 2
UNDER_WAY = ("STARTING", "RUNNING")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class _Moment(click.ParamType):
    """A moment in ISO 8601, in UTC where it names no offset; or `10m`, `2h`, `3d`: so long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        number, unit = value[:-1], _UNITS.get(value[-1:])
        try:
            if unit and number.isdecimal():
                return datetime.now(UTC) - timedelta(**{unit: int(number)})
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"got: {value!r}; allowed: 2026-11-28T10:00Z, or 10m, 2h, 3d for so long ago", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("route", metavar="EVENT/ROUTE")
@stack_options
@click.option("--from", "start", type=_Moment(), required=True, help="Events whose `time` is this or later.")
@click.option("--to", "end", type=_Moment(), help="Events whose `time` is before.  [default: now]")
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of the replay.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(
    route: str,
    stack_name: str | None,
    config_file: Path | None,
    start: datetime,
    end: datetime | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Send the events of a time window once more to one route, from the bus's archive.

    All targets of the route get every event of the window that the route takes now, whether they had it before or not:
    for what has missed just some, see `redrive`. Events keep their id, time and account, and have a `replay-name`;
    flows run anew.

    Exit code: 0 replayed, or started with --no-wait; 1 not.
    """
    end = end or datetime.now(UTC)
    if start >= end:
        raise click.UsageError(f"--from must be before --to; got: {start.isoformat()} and {end.isoformat()}")
    stack = read_stack(stack_name, config_file)
    if end > datetime.now(UTC) - ARCHIVE_DELAY:
        click.echo("events of the last ten minutes may not be in the archive yet", err=True)
    with talking():
        answer = _start(stack, route, start, end)
        click.echo(f"replay {answer['ReplayName']} is under way, whether this waits for it or not", err=True)
        events = stack.session().client("events")
        while not no_wait and answer["State"] in UNDER_WAY:
            time.sleep(POLL_SECONDS)
            answer = events.describe_replay(ReplayName=answer["ReplayName"])
            _progress(answer)
    report = {"replay": answer["ReplayName"], "state": answer["State"], "reason": answer.get("StateReason", "")}
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        because = f": {printable(report['reason'], 500)}" if report["reason"] else ""
        click.echo(f"replay {report['replay']} to {route}: {report['state'].lower()}{because}")
    sys.exit(0 if answer["State"] in ("COMPLETED", *UNDER_WAY) else 1)


def _start(stack: Stack, route: str, start: datetime, end: datetime) -> dict[str, Any]:
    from signalbox.aws.store import read_store

    session = stack.session()
    names = stack.names(session)
    try:
        rule = LiveRoutes(read_store(session.client("dynamodb"), stack.store), names).rule(route)
    except StaysError as error:
        raise click.ClickException(f"{error}; fix: {error.fix}") from error
    name = f"{stack.name[:32]}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    started = session.client("events").start_replay(
        ReplayName=name,
        Description=f"{route}, by python -m signalbox replay",
        EventSourceArn=names.archive_arn(archive(stack.name)),
        EventStartTime=start,
        EventEndTime=end,
        Destination={"Arn": names.bus_arn, "FilterArns": [names.rule_arn(rule)]},
    )
    return {"ReplayName": name, **started}


def _progress(answer: dict[str, Any]) -> None:
    """How far the replay is, for whoever looks on."""
    if sys.stderr.isatty() and (last := answer.get("EventLastReplayedTime")):
        click.echo(f"{answer['State'].lower()}, at {last:%Y-%m-%d %H:%M:%S}", err=True)
