"""The stand-in's property tables are those of pulumi-aws: nothing missing, nothing invented, the same ones required."""

import importlib
import inspect
import types
import typing
from collections import abc
from typing import Any

import pulumi
import pytest

from sandbox.provider.config import CONFIG
from sandbox.provider.schema import Prop
from sandbox.provider.services import TYPES

_KINDS = {str: "text", int: "integer", float: "number", bool: "boolean", pulumi.Archive: "archive"}


def _module(token: str) -> Any:
    name = token.split(":")[1].split("/")[0]
    return importlib.import_module(f"pulumi_aws.{'lambda_' if name == 'lambda' else name}")


def _named(cls: type) -> dict[str, str]:
    """Python names to Pulumi names of an args or resource class."""
    return {
        key: getattr(value.fget, "_pulumi_name", key)
        for key, value in vars(cls).items()
        if isinstance(value, property) and value.fget
    }


def _arguments(cls: type) -> dict[str, tuple[bool, Any]]:
    """Pulumi name to (required, type) of an args class."""
    module = importlib.import_module(cls.__module__)
    scope = {**vars(pulumi), **vars(module), "Awaitable": abc.Awaitable, "T": Any}
    init: Any = cls.__init__
    hints = typing.get_type_hints(init, scope)
    names = _named(cls)
    return {
        names.get(key, key): (parameter.default is inspect.Parameter.empty, _plain(hints[key]))
        for key, parameter in inspect.signature(init).parameters.items()
        if key not in ("self", "__self__")
    }


def _plain(hint: Any) -> Any:
    """The type that a value has, out of an `Input[...]`."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    members = [
        member
        for member in typing.get_args(hint)
        if member is not type(None)
        and typing.get_origin(member) not in (abc.Awaitable, pulumi.Output)
        and not typing.is_typeddict(member)
    ]
    if str in members:  # An enum or a policy document may stand for the text.
        return str
    return _plain(next((m for m in members if inspect.isclass(m) and m.__name__.endswith("Args")), members[0]))


def _differences(fields: typing.Mapping[str, Prop], cls: type, path: str) -> list[str]:
    found = []
    arguments = _arguments(cls)
    found += [f"{path}.{name}: not in pulumi-aws" for name in fields if name not in arguments]
    for name, (required, hint) in arguments.items():
        prop = fields.get(name)
        where = f"{path}.{name}"
        if prop is None:
            found.append(f"{where}: missing")
            continue
        if prop.unsupported:
            continue
        if required != prop.required:
            found.append(f"{where}: required is {required} in pulumi-aws")
        found += _kind_differences(prop, hint, where)
    return found


def _kind_differences(prop: Prop, hint: Any, where: str) -> list[str]:
    origin = typing.get_origin(hint)
    if origin is abc.Sequence and prop.kind == "array" and prop.item:
        return _kind_differences(prop.item, _plain(typing.get_args(hint)[0]), f"{where}[]")
    if origin is abc.Mapping and prop.kind == "mapping":
        return []
    if inspect.isclass(hint) and hint.__name__.endswith("Args") and prop.kind == "block":
        return _differences(prop.fields, hint, where)
    expected = _KINDS.get(hint, str(hint))
    return [] if prop.kind == expected else [f"{where}: is {expected} in pulumi-aws, {prop.kind} here"]


@pytest.mark.parametrize("token", sorted(TYPES))
def test_inputs_are_those_of_pulumi_aws(token: str) -> None:
    cls = getattr(_module(token), f"{token.rpartition(':')[2]}Args")
    assert _differences(TYPES[token].fields, cls, token.rpartition(":")[2]) == []


@pytest.mark.parametrize("token", sorted(TYPES))
def test_outputs_are_those_of_pulumi_aws(token: str) -> None:
    kind = TYPES[token]
    outputs = set(_named(getattr(_module(token), token.rpartition(":")[2])).values())
    ours = {*kind.fields, *kind.outputs, *(["tagsAll"] if kind.tags else [])}
    assert ours - outputs == set()
    # Outputs of features that the stand-in does not have.
    absent = {"signingJobArn", "signingProfileVersionArn"}
    assert outputs - ours - absent == set()


def test_the_types_that_the_program_declares_are_there() -> None:
    wanted = """
        aws:cloudwatch/eventBus:EventBus aws:cloudwatch/eventArchive:EventArchive aws:cloudwatch/eventRule:EventRule
        aws:cloudwatch/eventTarget:EventTarget aws:cloudwatch/logGroup:LogGroup aws:cloudwatch/dashboard:Dashboard
        aws:cloudwatch/logResourcePolicy:LogResourcePolicy aws:cloudwatch/metricAlarm:MetricAlarm
        aws:cloudwatch/eventApiDestination:EventApiDestination aws:dynamodb/table:Table
        aws:dynamodb/tableItem:TableItem aws:lambda/function:Function aws:lambda/layerVersion:LayerVersion
        aws:lambda/permission:Permission aws:lambda/eventSourceMapping:EventSourceMapping
        aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig aws:iam/role:Role
        aws:iam/rolePolicy:RolePolicy aws:iam/policy:Policy aws:sqs/queue:Queue aws:sqs/queuePolicy:QueuePolicy
        aws:sns/topic:Topic aws:sns/topicPolicy:TopicPolicy aws:sns/topicSubscription:TopicSubscription
        aws:apigatewayv2/api:Api aws:apigatewayv2/integration:Integration aws:apigatewayv2/route:Route
        aws:apigatewayv2/stage:Stage aws:apigatewayv2/authorizer:Authorizer aws:sfn/stateMachine:StateMachine
        aws:scheduler/schedule:Schedule
    """
    assert set(TYPES) == set(wanted.split())


def test_the_provider_takes_the_configuration_of_pulumi_aws() -> None:
    from pulumi_aws.provider import ProviderArgs

    assert set(_named(ProviderArgs).values()) == set(CONFIG)
