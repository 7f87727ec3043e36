"""What may be wrong with definitions as a whole: names that meet, events that overlap, limits of the bus and store."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from signalbox import classic, store
from signalbox.canonical import canonical
from signalbox.definitions.aws_names import aws_name_problems
from signalbox.definitions.context import Sources, Stack
from signalbox.definitions.overlaps import overlap
from signalbox.definitions.places import Document
from signalbox.definitions.reach import reach_problems
from signalbox.flows.model import Emit, flow_of
from signalbox.model import Definitions, Event, Json, JsonObject
from signalbox.names import rule_name
from signalbox.patterns import check, has_wildcard, matches
from signalbox.problems import Problem, Severity, did_you_mean

_PARTNER = '"aws.partner/'


def check_whole(definitions: Definitions, sources: Sources, stack: Stack) -> list[Problem]:
    """What is wrong between the parts of `definitions`."""
    return [
        *_name_problems(definitions, sources),
        *aws_name_problems(definitions, sources, stack),
        *_allowed_event_problems(definitions, sources),
        *reach_problems(definitions, sources, stack),
        *_overlap_problems(definitions.events.values(), sources),
        *_rule_name_problems(definitions, sources),
        *_bus_limits(definitions, sources, stack),
        *_feed_problems(definitions, sources),
        *_flow_problems(definitions, sources),
        *_item_limits(definitions, sources),
    ]


def _name_problems(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    targets = sorted(name for name, function in definitions.functions.items() if function.target)
    named = [(name, "function", sources.functions[name]) for name in targets]
    named += [(name, "flow", document) for name, document in sources.flows.items()]
    named += [
        (name, "destination", sources.destinations.part(name))
        for name in definitions.destinations
        if name in sources.destinations.value
    ]
    taken: dict[str, str] = dict.fromkeys(definitions.functions, "function")
    for name, what, document in named:
        if name == classic.ROUTER:
            yield document.problem(
                "name-reserved",
                f"the name {classic.ROUTER} is reserved: the target of every function and flow is called so",
                fix="remove `target: true`" if what == "function" else f"rename the {what}",
            )
        elif what != "function" and name in taken:
            suffix = definitions.destinations[name].kind if what == "destination" else "flow"
            yield document.problem(
                "name-taken",
                f"there is a {taken[name]} {name} already: functions, flows and destinations share their names",
                fix=f"rename the {what}, for example {name}-{suffix}",
            )
        taken.setdefault(name, what)


def _allowed_event_problems(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    if not sources.complete:
        return  # it is not known which events there are
    # A folder of functions may serve more than these definitions, so what it knows besides is worth a warning only.
    lists: list[tuple[Document, tuple[str, ...] | None, Severity]] = []
    for name, destination in definitions.destinations.items():
        lists.append((sources.destinations.part(name), destination.events, "error"))
    for name, function in definitions.functions.items():
        lists.append((sources.functions[name], function.events, "warning"))
    for document, events, severity in lists:
        for index, event in enumerate(events or ()):
            if event not in sources.events:
                yield document.problem(
                    "event-unknown",
                    f"there is no event {event}",
                    ("events", index),
                    allowed=", ".join(list(sources.events)[:20]) or "no event is defined",
                    fix=did_you_mean(str(event), sources.events),
                    severity=severity,
                )


def _overlap_problems(events: Iterable[Event], sources: Sources) -> Iterator[Problem]:
    kinds: dict[str, Event] = {}
    before: list[Event] = []
    for event in events:
        key = canonical([_sorted(event.source), _sorted(event.detail_type)])
        document = sources.events[event.id]
        if (same := kinds.setdefault(key, event)) is not event:
            yield document.problem(
                "event-same",
                f"the event {same.id} has this source and detail-type already",
                ("source",),
                got=_kind_text(event),
                fix="make one event of both, with the routes of both",
            )
        else:
            for other in before:
                answers = {overlap(event.source, other.source)}
                if "no" not in answers:
                    answers.add(overlap(event.detail_type, other.detail_type))
                if "no" not in answers:
                    yield document.problem(
                        "event-overlap",
                        f"events of this kind can be {other.id} too: they take the routes of both"
                        if answers == {"yes"}
                        else f"events of this kind may be {other.id} too, and would then take the routes of both",
                        ("source",),
                        got=f"{_kind_text(event)}, and {other.id}: {_kind_text(other)}",
                        fix="narrow the source or detail-type of one",
                        severity="warning",
                    )
        before.append(event)


def _sorted(values: Iterable[Json] | None) -> Json:
    return None if values is None else sorted({canonical(value) for value in values})


def _kind_text(event: Event) -> str:
    kinds = [list(event.source), list(event.detail_type) if event.detail_type is not None else ["any"]]
    return " · ".join(
        values[0] if len(values) == 1 and isinstance(values[0], str) else json.dumps(values) for values in kinds
    )


def _rule_name_problems(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    names: dict[str, str] = {}
    for route in definitions.routes():
        name = rule_name(route.event_id, route.name)
        if (other := names.setdefault(name, route.id)) != route.id:
            yield sources.events[route.event_id].problem(
                "rule-name-taken",
                f"the rule of this route would have the name of that of {other}",
                ("routes", route.name),
                got=name,
                fix="rename the route",
            )


def _bus_limits(definitions: Definitions, sources: Sources, stack: Stack) -> Iterator[Problem]:
    routes = definitions.routes()
    if problem := classic.too_many_rules(len(routes), stack.rules_quota):
        yield replace(problem, file=sources.root)
    wildcards = [
        route for route in routes if uses_wildcard(classic.pattern_of(definitions.events[route.event_id], route))
    ]
    if len(wildcards) > classic.WILDCARD_RULES_PER_BUS:
        first = wildcards[classic.WILDCARD_RULES_PER_BUS]
        yield sources.events[first.event_id].problem(
            "bus-wildcards",
            "there are more rules with wildcards than the bus may have",
            ("routes", first.name),
            got=str(len(wildcards)),
            allowed=str(classic.WILDCARD_RULES_PER_BUS),
            fix="use prefix and suffix where they say the same",
        )


def uses_wildcard(pattern: JsonObject) -> bool:
    """Does a rule of this pattern count against the quota of rules with wildcards? False for one that is refused."""
    return _mentions(pattern, "wildcard") and not check(pattern) and has_wildcard(pattern)


def _mentions(value: Json, key: str) -> bool:
    """Is there a key `key` anywhere in `value`? Most patterns need not be read to know that they have no wildcard."""
    if isinstance(value, Mapping):
        return key in value or any(_mentions(inner, key) for inner in value.values())
    return isinstance(value, list) and any(_mentions(inner, key) for inner in value)


def _takes_aws(source: Json) -> bool:
    """Does a matcher of `source` take one of some AWS services that send to every account?"""
    pattern = {"source": [source]}
    return not check(pattern) and any(
        matches(pattern, {"source": name}) for name in ("aws.ec2", "aws.health", "aws.s3")
    )


def _feed_problems(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    for event in definitions.events.values():
        partner = [source for source in event.source if _PARTNER in canonical(source)]
        if partner and event.from_bus is None:
            yield sources.events[event.id].problem(
                "event-partner",
                "events of partners arrive on a bus of their own, and none of them would come to ours",
                ("source",),
                got=canonical(partner[0]),
                fix="add `from: <name of the partner's event bus>`",
                severity="warning",
            )
        for source in event.source:
            if event.from_bus is None and not classic.of_aws(source) and _takes_aws(source):
                yield sources.events[event.id].problem(
                    "event-aws",
                    "it takes events of AWS services, too, but they are on the account's default bus and do not come",
                    ("source",),
                    got=canonical(source),
                    fix="name those that are wanted (aws.…), or all that is on that bus by `from: default`; to have "
                    'none, add {"anything-but": {"prefix": "aws."}}',
                    severity="warning",
                )
    for bus, pattern in classic.feeds(definitions.events.values()).items():
        if len(pattern.encode()) > classic.PATTERN_LENGTH:
            first = next(
                each
                for each in definitions.events.values()
                if not each.from_bus or classic.bus_name(each.from_bus) == bus
            )
            yield sources.events[first.id].problem(
                "feed-pattern-length",
                f"the rule on {bus} that brings events to our bus would have too long a pattern",
                ("source",),
                got=f"{len(pattern.encode())} bytes of sources",
                allowed=f"at most {classic.PATTERN_LENGTH}",
                fix="match sources by prefix",
            )


def _flow_problems(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    """Flows that nothing starts, and flows that start each other for ever."""
    starts = _starts(definitions)
    all_read = sources.complete and definitions.events.keys() == sources.events.keys()
    for flow_id in definitions.flows:
        if all_read and flow_id not in starts:
            yield sources.flows[flow_id].problem(
                "flow-unused",
                f"no route sends events to the flow {flow_id}",
                fix=f"name it in a route, `targets: [{{flow: {flow_id}}}]`, or remove it",
                severity="warning",
            )
    for circle in _circles(definitions, starts):
        yield sources.flows[circle[0]].problem(
            "flow-circle",
            "what this flow emits can start it again",
            got=" → ".join((*circle, circle[0])),
            fix="see that each round has an end: a filter, or a pattern on the route, that at last does not match",
            severity="warning",
        )


def _starts(definitions: Definitions) -> dict[str, set[str]]:
    """The events whose routes start a flow, by flow."""
    starts: dict[str, set[str]] = {}
    for route in definitions.routes():
        for target in route.targets:
            if target.kind == "flow":
                starts.setdefault(target.name, set()).add(route.event_id)
    return starts


def _circles(definitions: Definitions, starts: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Flows each of which emits an event that starts the next, the last one the first: each flow in one at most."""
    emits = {
        flow_id: {step.event for step in flow_of(flow_id, value).walk() if isinstance(step, Emit)}
        for flow_id, value in definitions.flows.items()
    }
    after = {
        flow: [other for other, events in starts.items() if other in emits and emits[flow] & events] for flow in emits
    }
    done: set[str] = set()
    for first in after:
        path, waiting = [first], [iter(after[first])] if first not in done else []
        while waiting:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                done.add(path.pop())
            elif following in path:
                yield tuple(path[path.index(following) :])
                done.update(path)
                break
            elif following not in done:
                path.append(following)
                waiting.append(iter(after[following]))


def _item_limits(definitions: Definitions, sources: Sources) -> Iterator[Problem]:
    for flow_id, value in definitions.flows.items():
        size = store.item_bytes(store.flow_item(flow_id, value, store.ORIGIN_DEFINITIONS))
        if size > classic.ITEM_BYTES:
            yield sources.flows[flow_id].problem(
                "item-too-large",
                "the flow's item in the store is too big",
                got=f"{size} bytes",
                allowed=f"{classic.ITEM_BYTES} bytes",
                fix="make two flows of it, one emitting an event for the other",
            )
    for event in definitions.events.values():
        size = store.item_bytes(store.event_item(event))
        if size > classic.ITEM_BYTES:
            yield sources.events[event.id].problem(
                "item-too-large",
                "the event's item in the store is too big",
                got=f"{size} bytes of schema and routes",
                allowed=f"{classic.ITEM_BYTES} bytes",
                fix="make the schema smaller, or divide the event",
            )
