"""What was received, as tables for people."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.received import Received, Record

_SERVICES = {"sns": "topic", "sqs": "queue", "logs": "log group", "states": "state machine", "kinesis": "stream"}
_NUMBERS = ("events", "calls", "runs", "failed", "data", "messages")
_WIDTH = 90
_LEAST = 45


def show(received: Received, console: Console) -> None:
    """Print everything that is not empty: routes first, what is wrong last and in red."""
    tables = [
        _table("Routes", ("route", "target", "events", "last"), list(_routes(received))),
        _table("Functions", ("function", "calls", "failed", "last result"), list(_functions(received))),
        _table("State machines", ("state machine", "runs", "failed", "last result"), list(_machines(received))),
        _table("Mail and SMS", ("to", "from topic", "text"), list(_messages(received))),
        _table("Metrics", ("namespace", "metric", "dimensions", "data", "last"), list(_metrics(received))),
        _table("Log groups", ("log group", "events", "last"), list(_log_groups(received))),
        _table("Messages in queues", ("queue", "messages", "why", "last"), list(_queues(received))),
        _table("Lost and denied", ("what", "who", "why"), list(_wrong(received)), style="red"),
    ]
    shown = [table for table in tables if table is not None]
    for table in shown:
        console.print(table)
    if not shown:
        console.print("Nothing was received.")


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]], style: str = "") -> Table | None:
    if not rows:
        return None
    table = Table(
        title=f"\n{title}", title_justify="left", title_style="bold", style=style, box=SIMPLE_HEAD, pad_edge=False
    )
    for position, column in enumerate(columns):
        # Only the last column gives way where the terminal is narrow.
        cells = [column, *(str(row[position]) for row in rows)]
        least = max(map(len, cells)) if position < len(columns) - 1 else 0
        justify = "right" if column in _NUMBERS else "left"
        table.add_column(column, overflow="ellipsis", no_wrap=True, justify=justify, min_width=min(least, _LEAST))
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _routes(received: Received) -> Iterator[tuple[Any, ...]]:
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    for delivery in received.of("delivery"):
        if delivery["status"] not in ("delivered", "recorded"):
            continue
        for target, given in _targets(delivery, received):
            key = delivery["rule"].replace(".", "/"), target
            counts[key] += 1
            last[key] = given
    for (rule, target), number in sorted(counts.items()):
        yield rule, target, number, _short(last[rule, target])


def _targets(delivery: Record, received: Received) -> Iterator[tuple[str, str]]:
    """A target of our own Router stands for the functions and flows that it names."""
    service = delivery["arn"].split(":")[2]
    kind = _SERVICES.get(service, delivery["arn"].split(":")[5].split("/")[0])
    try:
        given = json.loads(delivery["input"])
    except ValueError:
        given = None
    if service == "lambda" and isinstance(given, dict) and "targets" in given:
        for target in given["targets"]:
            ((what, name),) = target.items()
            yield f"{what} {name}", _outcome(received, what, name, delivery["event"])
    else:
        yield f"{kind} {delivery['target']}", _essence(delivery["input"])


def _outcome(received: Received, what: str, name: str, event: str) -> str:
    """What came of the last start of a function or flow for the event of an id, as JSON text."""
    if what == "flow":
        runs = [each for each in received.of("run") if each["machine"].endswith(f"-{name}") and _id(each) == event]
        return _essence(_result(runs[-1])) if runs else "no run has ended"
    calls = [each for each in received.of("function") if each["function"].endswith(f"-{name}") and _id(each) == event]
    return json.dumps(_result_of_call(calls[-1])) if calls else "not called"


def _result_of_call(call: Record) -> Any:
    return call.get("result", call.get("error"))


def _result(run: Record) -> str:
    """The output of a run, or why it has none."""
    return (
        run["output"]
        if "output" in run
        else ": ".join(filter(None, (run.get("error"), run.get("cause")))) or run["status"]
    )


def _essence(text: str) -> str:
    """Of a whole event its detail: the rest is the same for every event of a route."""
    try:
        given = json.loads(text)
    except ValueError:
        return text
    return json.dumps(given["detail"]) if isinstance(given, dict) and "detail-type" in given else text


def _id(started: Record) -> str | None:
    """The id of the event that a function or state machine was started with."""
    given = started.get("event", started.get("input"))
    return given.get("id") if isinstance(given, dict) else None


def _functions(received: Received) -> Iterator[tuple[Any, ...]]:
    calls: defaultdict[str, list[Record]] = defaultdict(list)
    for call in received.of("function"):
        calls[call["function"]].append(call)
    for name, each in sorted(calls.items()):
        failed = sum("error" in call for call in each)
        yield name, len(each), failed, _short(json.dumps(_result_of_call(each[-1])))


def _machines(received: Received) -> Iterator[tuple[Any, ...]]:
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for run in received.of("run"):
        runs[run["machine"]].append(run)
    for name, each in sorted(runs.items()):
        yield name, len(each), sum(run["status"] != "SUCCEEDED" for run in each), _short(_essence(_result(each[-1])))


def _messages(received: Received) -> Iterator[tuple[Any, ...]]:
    for kind in ("mail", "sms"):
        for each in received.of(kind):
            yield each["to"], each["topic"], _short(_essence(each["message"]))


def _metrics(received: Received) -> Iterator[tuple[Any, ...]]:
    data: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for each in received.of("metric"):
        names = ", ".join(sorted(each["dimensions"]))
        data[each["namespace"], each["name"], names].append(each)
    for (namespace, name, names), each in sorted(data.items()):
        values = ", ".join(f"{key}={value}" for key, value in each[-1]["dimensions"].items())
        yield namespace, name, names, len(each), f"{each[-1]['value']} {each[-1]['unit']} ({values})"


def _log_groups(received: Received) -> Iterator[tuple[Any, ...]]:
    for group, events in sorted(received.log_events.items()):
        if events:
            last = events[-1]
            yield group, len(events), _short(last if isinstance(last, str) else _essence(json.dumps(last)))


def _queues(received: Received) -> Iterator[tuple[Any, ...]]:
    for name, messages in sorted(received.queues.items()):
        if messages:
            reasons = Counter(_reason(message) for message in messages)
            why = ", ".join(f"{number}× {reason}" for reason, number in reasons.items() if reason)
            yield name, len(messages), why, _short(json.dumps(messages[-1]["body"]))


def _reason(message: Record) -> str:
    """Why a message is where it is, in the words of who put it there."""
    attributes = message["attributes"]
    if "ERROR_CODE" in attributes:
        return f"{attributes['ERROR_CODE']} ({attributes['TARGET_ARN']})"
    body = message["body"]
    context = body.get("requestContext") if isinstance(body, Mapping) else None
    if isinstance(context, Mapping) and "condition" in context:
        return f"{context['condition']} ({context['functionArn'].split(':')[6]})"
    if isinstance(body, Mapping) and body.get("source") == "aws.states":
        return f"{body['detail']['status']} ({body['detail']['stateMachineArn'].split(':')[6]})"
    return attributes.get("reason") or ""


def _wrong(received: Received) -> Iterator[tuple[Any, ...]]:
    for each in received.of("delivery", status="lost"):
        yield "lost", f"{each['rule']} → {each['target']}", each["error"]
    for each in received.of("lost"):
        yield "lost", each.get("function") or each.get("topic", ""), _short(json.dumps(each.get("error", "")))
    for each, number in Counter((e["who"], e["action"], e["resource"]) for e in received.of("denied")).items():
        yield f"denied {number}×", each[0], f"{each[1]} on {each[2]}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
