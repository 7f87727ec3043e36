"""Two things that the stack would make under one name on AWS, where the second fails or overwrites the first."""

from collections.abc import Iterator
from dataclasses import replace

from signalbox.definitions.context import Sources, Stack
from signalbox.flows import EXAMPLE
from signalbox.model import Definitions, Destination, Json
from signalbox.physical_names import Made, made
from signalbox.problems import Problem


def aws_name_problems(definitions: Definitions, sources: Sources, stack: Stack) -> Iterator[Problem]:
    """A problem of each part of `definitions` that would get a name which the stack has given away already.

    Where the stack's name is not known, that of the example counts: most names begin with it, and meet under any.
    """
    written = {
        name: each
        for name, each in definitions.destinations.items()
        if _read_in_full(each, sources.destinations.value.get(name))
    }
    first: dict[tuple[str, str], Made] = {}
    for each in made(stack.own_bus or EXAMPLE.stack, replace(definitions, destinations=written)):
        other = first.setdefault(each.key, each)
        if other is not each:
            yield _problem(each, other, written.get(each.owner), sources)


def _read_in_full(destination: Destination, value: Json) -> bool:
    """Of one that has faults of its own only the kind may be known, which says nothing of its names."""
    known = {"arn": destination.arn, "name": destination.physical_name, "role": destination.role}
    return isinstance(value, dict) and all(value.get(key) == each for key, each in known.items())


def _problem(each: Made, other: Made, destination: Destination | None, sources: Sources) -> Problem:
    what = f"{other} has this name on AWS already"
    if each.name != other.name:
        what += f" ({other.name}: names of {each.what}s do not differ by case)"
    match each.part:
        case "function":
            document, path, fix = sources.functions[each.owner], (), "rename the function"
        case "flow":
            document, path, fix = sources.flows[each.owner], (), "rename the flow"
        case _:
            document, path, fix = sources.destinations, (each.owner,), "rename the destination, or give it a `name`"
            if each.what == "role":
                fix = "rename the destination, or say a `role` that exists"
            elif destination is not None and destination.physical_name is not None:
                path, fix = (each.owner, "name"), "choose another name"
                if other.part == "destination":
                    fix += ", or route to that destination"
    return document.problem("aws-name-taken", what, path, got=each.name, fix=fix)
