"""Resources whose settings AWS keeps as strings by name: SQS queues, SNS topics and subscriptions."""

import json
from collections.abc import Mapping

from sandbox.provider.schema import Prop
from sandbox.provider.wire import Props


def written(prop: Prop, value: object) -> str:
    """A setting as the API wants it; absent is the empty or default one."""
    if prop.kind == "boolean":
        return "true" if value else "false"
    return "" if value is None else str(value)


def parsed(prop: Prop, value: str | None) -> object:
    """The other way round."""
    if not value:
        return None
    if prop.kind == "boolean":
        return value == "true"
    if prop.kind in ("integer", "number"):
        return int(value)
    # JSON that the API reformats compares by meaning; here it only must not be empty.
    return None if prop.normal and json.loads(value) == {} else value


def to_api(names: Mapping[str, str], fields: Mapping[str, Prop], props: Props) -> dict[str, str]:
    """The settings among `props` that are given, by the API's names."""
    return {theirs: written(fields[ours], props[ours]) for ours, theirs in names.items() if props.get(ours) is not None}


def from_api(names: Mapping[str, str], fields: Mapping[str, Prop], attributes: Mapping[str, str]) -> Props:
    """All settings from AWS's attributes; None for those that are not set."""
    return {ours: parsed(fields[ours], attributes.get(theirs)) for ours, theirs in names.items()}
