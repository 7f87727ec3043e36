"""IAM policy documents, and the few statements that several components need."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

PLACEHOLDER = re.compile(r"\$\{([a-z.]+)\}")


def document(*statements: Mapping[str, Any]) -> pulumi.Output[str]:
    """A policy document as JSON text; outputs inside the statements are waited for."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def allow(
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    *,
    services: Sequence[str] = (),
    conditions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An Allow statement; with `services` it is one of a resource policy, for those AWS services."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if services:
        statement["Principal"] = {"Service": list(services)}
    if conditions:
        statement["Condition"] = conditions
    return statement


def from_source(arn: pulumi.Input[str] | Sequence[str]) -> dict[str, Any]:
    """The condition that a service acts for a resource of ours: `arn`, or one of several; they may hold wildcards."""
    return {"ArnLike": {"aws:SourceArn": arn}}


def assumed_by(service: str, source: str | Sequence[str] = ()) -> pulumi.Output[str]:
    """The trust policy of a role that an AWS service assumes; with `source` (ARNs, which may hold wildcards) only for
    such a resource."""
    condition = {"Condition": from_source(source)} if source else {}
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}, **condition})


def fill_all(value: Any, values: Mapping[str, pulumi.Input[str]]) -> Any:
    """`value` with all texts in it filled as by `fill`; keys stay as they are."""
    match value:
        case str():
            return fill(value, values)
        case Mapping():
            return {key: fill_all(inner, values) for key, inner in value.items()}
        case list():
            return [fill_all(inner, values) for inner in value]
    return value


def fill(text: str, values: Mapping[str, pulumi.Input[str]]) -> pulumi.Input[str]:
    """`text` with each `${placeholder}` replaced by its value; the definitions' checks have refused unknown ones."""
    used = {key: values[key] for key in PLACEHOLDER.findall(text)}
    if not used:
        return text
    return pulumi.Output.all(**used).apply(lambda known: PLACEHOLDER.sub(lambda found: known[found[1]], text))
