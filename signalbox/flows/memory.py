"""The states of steps that remember: count, aggregate, and the claim of a run. All state is in the table `state`.

Everything here must hold when Step Functions or its caller does a thing twice, and when any number of runs do it at
once. So each change is one conditional write that says the same when it is repeated: an event is an *element of a set*,
which it joins only once; and who may go on is decided by one write, on condition that nobody else was first.

    PK                              SK                what
    flow#<flow>                     run#<event id>    the claim: one run at a time, and none once one is Done
    flow#<flow>#<step>#<key>        count             Seen: set of <time>#<event>; QuietUntil, PassedBy
    flow#<flow>#<step>#<key>        open              Items: set of <time>|<event>|<JSON>;
                                                      Opener, Due, ChangedAt, Closer, ClosedAt
    flow#<flow>#<step>#<key>        closed#<event>    what the run of that event took, should it have to run again
"""

from collections.abc import Mapping
from typing import Any

from signalbox.flows.conditions import text
from signalbox.flows.model import Aggregate, Count, Flow
from signalbox.flows.names import Names
from signalbox.flows.states import (
    CONDITION_FAILED,
    DAY,
    EVENT,
    INPUT,
    RUN,
    State,
    author,
    caught,
    goes,
    in_seconds,
    jsonata,
    number,
    service_retry,
    size_of,
    unwrapped,
)
from signalbox.store import PK, SK, TTL

KEY_LENGTH = 256
"""Characters of a key: DynamoDB takes 2,048 bytes, with what stands before it."""
REMEMBERED = 14 * DAY
"""Seconds for which a run's event is known: as long as messages wait in `undelivered`."""
ITEM_BYTES = 120_000
"""Bytes of all that one aggregate collects: the list must fit into a state, and its quotes are escaped on the way."""
POLLS = 1_000
"""How often a run may look whether another has ended, before its history is full."""
STALE = 300_000
"""Milliseconds after which a list that is full or closed, and not taken away, is taken by another run: its run died."""

_RETRY = service_retry(CONDITION_FAILED)
CLAIM, HELD, DECIDE, PAUSE, REPEAT, DONE, RELEASE = (
    *("(claim)", "(held by another run)", "(has it run?)", "(wait for it)", "(repeat)", "(done)", "(release)"),
)


def partition(flow: Flow) -> str:
    """What the partition keys of all items of `flow` begin with."""
    return f"flow#{flow.id}"


def claim(flow: Flow, names: Names, then: str, catch: State) -> dict[str, State]:
    """The states that make one run of the event go on to `then`, and another wait for how that one ends.

    A run that dies without a word holds its claim until its time would be over.
    """
    return {
        CLAIM: _task(
            names,
            "updateItem",
            {
                "Key": _run(flow),
                "UpdateExpression": f"SET #run = :run, HeldUntil = :until, {TTL} = :expires",
                "ConditionExpression": (
                    "attribute_not_exists(PK) OR #run = :run OR (attribute_not_exists(Done) AND HeldUntil < :now)"
                ),
                "ExpressionAttributeNames": {"#run": "Run"},
                "ExpressionAttributeValues": {
                    ":run": {"S": jsonata(RUN)},
                    ":now": number("$millis()"),
                    ":until": number(f"$millis() + {flow.timeout * 1000}"),
                    ":expires": in_seconds(flow.timeout + REMEMBERED),
                },
            },
            catch=[{"ErrorEquals": [CONDITION_FAILED], "Output": jsonata(INPUT), "Next": HELD}, catch],
            output=jsonata(INPUT),
            then=then,
        ),
        HELD: _task(
            names,
            "getItem",
            {"Key": _run(flow), "ConsistentRead": True},
            catch=[catch],
            output={"done": jsonata("$exists($states.result.Item.Done)")},
            then=DECIDE,
        ),
        DECIDE: {
            "Type": "Choice",
            "Choices": [{"Condition": jsonata("$states.input.done"), "Next": REPEAT}],
            "Default": PAUSE,
        },
        PAUSE: {
            "Type": "Wait",
            "Seconds": max(5, flow.timeout // POLLS),
            "Output": jsonata(EVENT),
            "Next": CLAIM,
        },
        REPEAT: {"Type": "Pass", "Output": {"repeat": jsonata(f"{EVENT}.id")}, "End": True},
    }


def done(flow: Flow, names: Names, catch: list[State]) -> State:
    """The state after the last step: from here on the event has been done. Its input is a list of one, the result."""
    arguments = {
        "Key": _run(flow),
        "UpdateExpression": f"SET Done = :done, {TTL} = :expires",
        "ExpressionAttributeValues": {":done": {"BOOL": True}, ":expires": in_seconds(REMEMBERED)},
    }
    return _task(names, "updateItem", arguments, catch=catch, output=jsonata("$states.input[0]"), then=None)


def release(flow: Flow, names: Names, then: str) -> State:
    """The state after a failure: the event may run again. Where this fails, the claim ends by itself."""
    arguments = {
        "Key": _run(flow),
        "ConditionExpression": "#run = :run",
        "ExpressionAttributeNames": {"#run": "Run"},
        "ExpressionAttributeValues": {":run": {"S": jsonata(RUN)}},
    }
    catch = [{"ErrorEquals": ["States.ALL"], "Output": jsonata(INPUT), "Next": then}]
    return _task(names, "deleteItem", arguments, catch=catch, output=jsonata(INPUT), then=then)


def _run(flow: Flow) -> State:
    return {PK: {"S": partition(flow)}, SK: {"S": jsonata(f'"run#" & {EVENT}.id')}}


def occurrence(depth: int) -> str:
    """What tells this pass through a step from all others: the event, and the items of the splits around the step."""
    return " & ".join([f"{EVENT}.id", *(f'"#" & ${index_variable(level)}' for level in range(1, depth + 1))])


def index_variable(depth: int) -> str:
    """The variable that holds the number of the item in the `depth`-th split around a step."""
    return f"item{depth}"


def counting(flow: Flow, names: Names, step: Count, depth: int, then: str, ended: str, failed: str) -> dict[str, State]:
    """Count by the events' own times, in any order: an event goes on when it completes `threshold` within `window`.

    It then is quiet for `window`: only the same event, running again after a failure, may go on once more.
    """
    enough, forget, passing = (f"{step.name} ({word})" for word in ("enough?", "forget", "pass"))
    kept = step.threshold + 10
    window = step.window * 1000
    held = _held(step)
    key = _key(flow, step.name, step.key, "count")
    key_again = _key(flow, step.name, step.key, "count", f"${held}")
    time = f"$toMillis({EVENT}.time)"
    last = step.threshold - 1
    return {
        step.name: _task(
            names,
            "updateItem",
            {
                "Key": key,
                "UpdateExpression": f"ADD Seen :seen SET {TTL} = :expires",
                "ExpressionAttributeValues": {
                    ":seen": {"SS": [jsonata(f'$string({time}) & "#" & {occurrence(depth)}')]},
                    ":expires": in_seconds(2 * step.window + DAY),
                },
                "ReturnValues": "ALL_NEW",
            },
            catch=[caught(step.name, failed)],
            output={"seen": jsonata("[$states.result.Attributes.Seen.SS]")},
            assign={held: jsonata(INPUT)},
            then=enough,
        ),
        enough: {
            "Type": "Choice",
            "Choices": [
                {"Condition": jsonata(f"$count($states.input.seen) > {2 * kept}"), "Next": forget},
                {
                    "Condition": jsonata(
                        f"($time := {time}; "
                        '$times := $sort([$states.input.seen.$number($substringBefore($, "#"))]); '
                        f"$exists($filter($times, function($to, $i, $all) {{ $i >= {last} and $to >= $time and "
                        f"$all[$i - {last}] <= $time and $to - $all[$i - {last}] < {window} }})))"
                    ),
                    "Next": passing,
                },
            ],
            "Default": ended,
        },
        forget: _task(
            names,
            "updateItem",
            {
                "Key": key_again,
                "UpdateExpression": "DELETE Seen :old",
                "ExpressionAttributeValues": {":old": {"SS": jsonata(_oldest("<", kept))}},
            },
            catch=[caught(step.name, failed)],
            output={"seen": jsonata(_oldest(">=", kept))},
            then=enough,
        ),
        passing: _task(
            names,
            "updateItem",
            {
                "Key": key_again,
                "UpdateExpression": f"SET PassedBy = :me, QuietUntil = :until, {TTL} = :expires",
                "ConditionExpression": "attribute_not_exists(QuietUntil) OR QuietUntil <= :time OR PassedBy = :me",
                "ExpressionAttributeValues": {
                    ":me": {"S": jsonata(occurrence(depth))},
                    ":time": number(time),
                    ":until": number(
                        # From the newest of them on, and not from this one, which may have been late.
                        f"($to := {time} + {window}; "
                        '$max([$states.input.seen.$number($substringBefore($, "#"))][$ < $to]) + '
                        f"{window})"
                    ),
                    ":expires": in_seconds(2 * step.window + DAY),
                },
            },
            catch=[
                {"ErrorEquals": [CONDITION_FAILED], "Output": jsonata(INPUT), "Next": ended},
                caught(step.name, failed),
            ],
            output=jsonata(f"${held}"),
            then=then,
        ),
    }


def _oldest(comparison: str, kept: int) -> str:
    return (
        "($all := $sort($states.input.seen); "
        f"[$filter($all, function($one, $i) {{ $i {comparison} $count($all) - {kept} }})])"
    )


def aggregating(
    flow: Flow, names: Names, step: Aggregate, depth: int, then: str, ended: str, failed: str
) -> dict[str, State]:
    """Collect into one open list per key. Whoever completes it closes it, copies it under its own name, takes it away.

    The run that opened a list waits for the end of the window, to close it if nobody did. A closed list takes nothing
    more until it is taken away; a run that comes meanwhile waits. The copy is for that very event running again.
    """
    names_of = ("taken?", "collect", "busy", "complete?", "wait", "close", "keep", "clear", "list")
    taken, collect, busy, complete, wait, close, keep, clear, listed = (f"{step.name} ({word})" for word in names_of)
    me = occurrence(depth)
    held = _held(step)
    own_input = f"${held}"
    closed_key = _key(flow, step.name, step.key, f'"closed#" & {me}', computed=True)
    kept_key = _key(flow, step.name, step.key, f'"closed#" & {me}', own_input, computed=True)
    open_key = _key(flow, step.name, step.key, "open", own_input)
    to_failed = caught(step.name, failed)
    return {
        step.name: _task(
            names,
            "getItem",
            {"Key": closed_key, "ConsistentRead": True},
            catch=[to_failed],
            output={"items": jsonata("[$states.result.Item.Items.SS]")},
            assign={held: jsonata(INPUT)},
            then=taken,
        ),
        taken: {
            "Type": "Choice",
            "Choices": [{"Condition": jsonata("$count($states.input.items) > 0"), "Next": listed}],
            "Default": collect,
        },
        collect: _task(
            names,
            "updateItem",
            {
                "Key": open_key,
                "UpdateExpression": (
                    "ADD #items :items SET Opener = if_not_exists(Opener, :me), Due = if_not_exists(Due, :due), "
                    f"ChangedAt = :now, {TTL} = :expires"
                ),
                "ConditionExpression": (
                    "((attribute_not_exists(Closer) OR Closer = :me) AND "
                    "(attribute_not_exists(#items) OR size(#items) < :count OR contains(#items, :item))) "
                    "OR ChangedAt < :stale"
                ),
                "ExpressionAttributeNames": {"#items": "Items"},
                "ExpressionAttributeValues": {
                    ":items": {"SS": [jsonata(_element(step, me, own_input))]},
                    ":item": {"S": jsonata(_element(step, me, own_input))},
                    ":me": {"S": jsonata(me)},
                    ":due": number(f"$millis() + {step.window * 1000}"),
                    ":now": number("$millis()"),
                    ":stale": number(f"$millis() - {STALE}"),
                    ":count": {"N": str(step.count)},
                    ":expires": in_seconds(step.window + REMEMBERED),
                },
                "ReturnValues": "ALL_NEW",
            },
            catch=[{"ErrorEquals": [CONDITION_FAILED], "Output": jsonata(INPUT), "Next": busy}, to_failed],
            output={
                "opener": jsonata("$states.result.Attributes.Opener.S"),
                "due": jsonata("$number($states.result.Attributes.Due.N)"),
                "size": jsonata("$count($states.result.Attributes.Items.SS)"),
            },
            then=complete,
        ),
        busy: {"Type": "Wait", "Seconds": 1, "Next": collect},
        complete: {
            "Type": "Choice",
            "Choices": [
                {
                    # The second: whoever opened the list is gone, and nobody closed it when it was due.
                    "Condition": jsonata(
                        f"$states.input.size >= {step.count} or $states.input.due + {STALE} < $millis()"
                    ),
                    "Next": close,
                },
                {"Condition": jsonata(f"$states.input.opener = {me}"), "Next": wait},
            ],
            "Default": ended,
        },
        wait: {
            "Type": "Wait",
            "Timestamp": jsonata("$fromMillis($states.input.due)"),
            "Next": close,
        },
        close: _task(
            names,
            "updateItem",
            {
                "Key": open_key,
                "UpdateExpression": "SET Closer = :me, ClosedAt = :now",
                "ConditionExpression": (
                    "Opener = :opener AND (attribute_not_exists(Closer) OR Closer = :me OR ClosedAt < :stale)"
                ),
                "ExpressionAttributeValues": {
                    ":me": {"S": jsonata(me)},
                    ":opener": {"S": jsonata("$states.input.opener")},
                    ":now": number("$millis()"),
                    ":stale": number(f"$millis() - {STALE}"),
                },
                "ReturnValues": "ALL_NEW",
            },
            catch=[{"ErrorEquals": [CONDITION_FAILED], "Output": jsonata(INPUT), "Next": ended}, to_failed],
            output={"items": jsonata("[$states.result.Attributes.Items.SS]")},
            then=keep,
        ),
        keep: _task(
            names,
            "putItem",
            {
                "Item": {
                    **kept_key,
                    "Items": {"SS": jsonata("$states.input.items")},
                    TTL: in_seconds(REMEMBERED),
                }
            },
            catch=[to_failed],
            output=jsonata(INPUT),
            then=clear,
        ),
        clear: _task(
            names,
            "deleteItem",
            {
                "Key": open_key,
                "ConditionExpression": "Closer = :me",
                "ExpressionAttributeValues": {":me": {"S": jsonata(me)}},
            },
            catch=[{"ErrorEquals": [CONDITION_FAILED], "Output": jsonata(INPUT), "Next": listed}, to_failed],
            output=jsonata(INPUT),
            then=listed,
        ),
        listed: {
            "Type": "Pass",
            "Output": jsonata(
                unwrapped(
                    "$map($sort($states.input.items), function($item) "
                    '{ $parse($substringAfter($substringAfter($item, "|"), "|")) })'
                )
            ),
            **goes(then),
        },
    }


def _held(step: Count | Aggregate) -> str:
    """The variable that holds the step's input while its own states work: beside it in their inputs it might not fit.

    Named by the step's place, because a list of steps inside another may not assign the other's variables.
    """
    return "_".join(("held", *map(str, step.path)))


def _element(step: Aggregate, me: str, subject: str) -> str:
    """An event as an element of the list: its time first, by which the list is sorted in the end."""
    most = ITEM_BYTES // step.count
    item = author(step.item, subject)
    return (
        f'($json := $string({{"value": {item}}}); '
        f"{size_of('$json')} <= {most} ? "
        f'$string($toMillis({EVENT}.time)) & "|" & {me} & "|" & $json : '
        f'$error("an item of {step.name} has more than {most} bytes: {ITEM_BYTES} for all {step.count}"))'
    )


def _key(
    flow: Flow, step: str, key: str, sort_key: str, subject: str = INPUT, *, computed: bool = False
) -> Mapping[str, Any]:
    """The key of an item; `computed`: the sort key is an expression."""
    fault = f"the key of {step} must be text, a number, true or false, of at most {KEY_LENGTH} characters"
    of_key = (
        f"($key := {author(key, subject)}; "
        f'$type($key) in ["string", "number", "boolean"] and $length($string($key)) <= {KEY_LENGTH} ? '
        f"{text(f'{partition(flow)}#{step}#')} & $key : $error({text(fault)}))"
    )
    return {PK: {"S": jsonata(of_key)}, SK: {"S": jsonata(sort_key) if computed else sort_key}}


def _task(
    names: Names,
    action: str,
    arguments: Mapping[str, Any],
    *,
    output: Any,
    then: str | None,
    catch: list[State] | None = None,
    assign: Mapping[str, Any] | None = None,
) -> State:
    return {
        "Type": "Task",
        "Resource": names.resource(f"dynamodb:{action}"),
        "Arguments": {"TableName": names.state, **arguments},
        "TimeoutSeconds": 30,
        "Retry": _RETRY,
        **({"Catch": catch} if catch else {}),
        **({"Assign": assign} if assign else {}),
        "Output": output,
        **goes(then),
    }
