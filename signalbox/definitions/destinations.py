"""destinations.yaml: the named native AWS targets."""

from collections.abc import Iterable

from signalbox.definitions.arns import REACHED, UNKNOWN, why_no_target
from signalbox.definitions.meta import form_problems
from signalbox.definitions.places import Document
from signalbox.model import DESTINATION_KINDS, Destination, JsonObject
from signalbox.problems import Problem

NEW_API_DESTINATION = ("endpoint", "method", "connection")
"""What an API destination needs to be created."""
_ONLY_WHERE_CREATED = ("name", "fifo", "retention-days", *NEW_API_DESTINATION, "rate-limit")


def read_destinations(document: Document) -> tuple[dict[str, Destination], list[Problem]]:
    """The destinations that `document` defines, as far as their form can be used, and what is wrong with them."""
    found = form_problems(document, "destinations")
    problems = [problem for _, problem in found]
    if not isinstance(document.value, dict):
        return {}, problems
    bad = {path[0] for path, _ in found if path}
    destinations = {}
    for name, value in document.value.items():
        if name not in bad:
            destinations[name] = _destination(name, value)
            problems += _problems(document.part(name))
        elif isinstance(value, dict) and value.get("kind") in DESTINATION_KINDS:
            # Enough to know for the routes to it, whose faults are told in the same run.
            fifo = value.get("fifo") is True or str(value.get("arn")).endswith(".fifo")
            destinations[name] = Destination(name, value["kind"], fifo=fifo)
    return destinations, problems


def _destination(name: str, value: JsonObject) -> Destination:
    events = value.get("events")
    return Destination(
        name=name,
        kind=value["kind"],
        arn=value.get("arn"),
        physical_name=value.get("name"),
        events=None if events is None else tuple(events),
        runtime=value.get("runtime", True),
        role=value.get("role"),
        fifo=value.get("fifo", False),
        retention_days=value.get("retention-days"),
        endpoint=value.get("endpoint"),
        method=value.get("method"),
        rate_limit=value.get("rate-limit"),
        connection=value.get("connection"),
    )


def _problems(document: Document) -> Iterable[Problem]:
    value: JsonObject = document.value
    kind = value["kind"]
    if "arn" in value:
        for key in _ONLY_WHERE_CREATED:
            if key in value:
                yield document.problem(
                    "destination-exists",
                    f"with `arn:` the {kind} exists already: `{key}` is not ours to say",
                    (key,),
                    fix=f"remove `{key}`, or remove `arn` so that the {kind} is created",
                )
        why, fix = why_no_target(value["arn"]) if kind == "arn" else ("", "")
        if why:
            yield document.problem(
                "destination-target",
                why,
                ("arn",),
                got=value["arn"],
                allowed=REACHED,
                fix=fix,
                severity="warning" if why == UNKNOWN else "error",
            )
        return
    if kind == "api-destination":
        for key in NEW_API_DESTINATION:
            if key not in value:
                yield document.problem(
                    "destination-incomplete",
                    f"an API destination that is created needs `{key}`",
                    allowed=f"{', '.join(NEW_API_DESTINATION)}; or `arn` of one that exists",
                )
        if "role" in value:
            return
    if kind == "queue" and "name" in value:
        fifo, name = value.get("fifo", False), value["name"]
        if fifo != name.endswith(".fifo"):
            yield document.problem(
                "destination-fifo",
                "the names of FIFO queues, and only theirs, end with .fifo",
                ("name",),
                got=name,
                fix=f"name it {name}.fifo" if fifo else "say `fifo: true`, or take .fifo off the name",
            )
