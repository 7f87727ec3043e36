"""Diff: what is a change, what of it replaces, and in which order a replacement goes."""

import json
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.provider.schema import (
    Prop,
    array,
    block,
    boolean,
    imported,
    integer,
    mapping,
    normal_json,
    normal_policy,
    refreshed,
    settled,
    text,
)
from sandbox.provider.schema import diff as changes
from sandbox.provider.server import Provider
from sandbox.provider.wire import UNKNOWN, Props, to_struct

Kind = provider_pb2.PropertyDiff


class Call:
    pass


def diff(kind: str, olds: Props, news: Props, ignore: tuple[str, ...] = ()) -> Any:
    request = provider_pb2.DiffRequest(
        id="i",
        urn=f"urn:pulumi:dev::p::aws:{kind}::name",
        olds=to_struct(olds),
        news=to_struct({"__defaults": [], **news}),
        ignoreChanges=ignore,
    )
    return Provider().Diff(request, Call())  # type: ignore[arg-type]


def kinds(answer: Any) -> dict[str, int]:
    return {path: change.kind for path, change in answer.detailedDiff.items()}


RULE = "cloudwatch/eventRule:EventRule"
TARGET = "cloudwatch/eventTarget:EventTarget"
FUNCTION = "lambda/function:Function"
PERMISSION = "lambda/permission:Permission"
ROLE_POLICY = "iam/rolePolicy:RolePolicy"

RULE_NOW = {
    "arn": "arn:aws:events:eu-west-1:123456789012:rule/b/r",
    "name": "r",
    "eventBusName": "b",
    "eventPattern": '{"detail":{"n":[1]},"source":["x"]}',
    "state": "ENABLED",
    "isEnabled": True,
    "forceDestroy": False,
    "region": "eu-west-1",
}
RULE_INPUTS = {"name": "r", "eventBusName": "b", "eventPattern": RULE_NOW["eventPattern"], "state": "ENABLED"}


def test_the_same_is_no_change() -> None:
    answer = diff(RULE, RULE_NOW, RULE_INPUTS)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert kinds(answer) == {}


def test_a_pattern_of_the_same_value_in_another_form_is_no_change() -> None:
    assert (
        kinds(diff(RULE, RULE_NOW, {**RULE_INPUTS, "eventPattern": '{"source": ["x"], "detail": {"n": [1.0]}}'})) == {}
    )


def test_a_state_that_the_program_does_not_give_is_no_change() -> None:
    without = {key: value for key, value in RULE_INPUTS.items() if key != "state"}
    assert kinds(diff(RULE, {**RULE_NOW, "state": "DISABLED", "isEnabled": False}, without)) == {}


def test_a_changed_pattern_is_an_update() -> None:
    answer = diff(RULE, RULE_NOW, {**RULE_INPUTS, "eventPattern": '{"source":["y"]}'})
    assert kinds(answer) == {"eventPattern": Kind.UPDATE}
    assert list(answer.replaces) == []
    assert answer.deleteBeforeReplace is False


@pytest.mark.parametrize(
    ("kind", "olds", "news", "replaces", "first"),
    [
        (RULE, RULE_NOW, {**RULE_INPUTS, "name": "s"}, ["name"], False),
        # The same name on another bus: the bridge knows only that the name is the same.
        (RULE, RULE_NOW, {**RULE_INPUTS, "eventBusName": "c"}, ["eventBusName"], True),
        (
            TARGET,
            {"rule": "r", "targetId": "t", "arn": "a"},
            {"rule": "s", "targetId": "t", "arn": "a"},
            ["rule"],
            True,
        ),
        (
            TARGET,
            {"rule": "r", "targetId": "t", "arn": "a"},
            {"rule": "r", "targetId": "u", "arn": "a"},
            ["targetId"],
            False,
        ),
        (
            PERMISSION,
            {"statementId": "s", "function": "f", "action": "a", "principal": "p", "sourceArn": "x"},
            {"statementId": "s", "function": "f", "action": "a", "principal": "p", "sourceArn": "y"},
            ["sourceArn"],
            True,
        ),
        (
            ROLE_POLICY,
            {"name": "p", "role": "r", "policy": "{}"},
            {"name": "p", "role": "s", "policy": "{}"},
            ["role"],
            True,
        ),
        (
            "dynamodb/table:Table",
            {"name": "t", "hashKey": "PK"},
            {"name": "t", "hashKey": "ID"},
            ["hashKey"],
            True,
        ),
        (
            "dynamodb/tableItem:TableItem",
            {"tableName": "t", "hashKey": "PK", "item": "{}"},
            {"tableName": "u", "hashKey": "PK", "item": "{}"},
            ["tableName"],
            False,
        ),
    ],
)
def test_what_replaces_and_whether_the_old_one_goes_first(
    kind: str, olds: Props, news: Props, replaces: list[str], first: bool
) -> None:
    answer = diff(kind, olds, news)
    assert list(answer.replaces) == replaces
    assert answer.deleteBeforeReplace is first


def test_with_an_automatic_name_the_new_one_comes_first() -> None:
    olds = {"name": "q-1234567", "fifoQueue": False}
    answer = diff("sqs/queue:Queue", olds, {"name": "q-1234567", "fifoQueue": True, "__defaults": ["name"]})
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["fifoQueue"], False)


def test_any_change_of_a_layer_replaces_it_save_whether_it_is_kept() -> None:
    mark = {"4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7"}
    olds = {"layerName": "l", "code": {**mark, "hash": "a"}, "description": "x", "sourceCodeHash": "a"}
    layer = "lambda/layerVersion:LayerVersion"
    news = {"layerName": "l", "code": {**mark, "hash": "a", "path": "elsewhere"}, "description": "x"}
    assert kinds(diff(layer, olds, news)) == {}
    assert kinds(diff(layer, olds, {**news, "code": {**mark, "hash": "b"}})) == {"code": Kind.UPDATE_REPLACE}
    assert kinds(diff(layer, olds, {**news, "description": "y"})) == {"description": Kind.UPDATE_REPLACE}
    assert kinds(diff(layer, olds, {**news, "skipDestroy": True})) == {"skipDestroy": Kind.ADD}


def test_what_only_the_real_up_will_know_is_a_change() -> None:
    answer = diff(RULE, RULE_NOW, {**RULE_INPUTS, "name": UNKNOWN})
    assert kinds(answer) == {"name": Kind.UPDATE_REPLACE}
    assert answer.deleteBeforeReplace is False


def test_ignored_changes_are_none() -> None:
    olds = {"rule": "r", "arn": "a", "targetId": "t", "retryPolicy": {"maximumRetryAttempts": 1}}
    news = {"rule": "r", "arn": "b", "targetId": "t", "retryPolicy": {"maximumRetryAttempts": 2}}
    assert kinds(diff(TARGET, olds, news, ("retryPolicy",))) == {"arn": Kind.UPDATE}
    assert kinds(diff(TARGET, olds, news, ("retryPolicy.maximumRetryAttempts", "arn"))) == {}


def test_nought_is_a_setting_where_nothing_was_and_no_change_where_it_was() -> None:
    target = {"rule": "r", "arn": "a", "targetId": "t"}
    with_nought = {**target, "retryPolicy": {"maximumRetryAttempts": 0}}
    assert kinds(diff(TARGET, {**target, "retryPolicy": {}}, with_nought)) == {
        "retryPolicy.maximumRetryAttempts": Kind.ADD
    }
    assert kinds(diff(TARGET, with_nought, with_nought)) == {}


def test_what_aws_fills_in_stays_and_what_the_program_no_longer_gives_goes() -> None:
    olds = {
        "name": "f",
        "architectures": ["x86_64"],
        "description": "d",
        "environment": {"variables": {"A": "1", "B": "2"}},
    }
    answer = diff(FUNCTION, olds, {"name": "f", "environment": {"variables": {"A": "1", "C-D": "3"}}})
    assert kinds(answer) == {
        "description": Kind.DELETE,
        "environment.variables.B": Kind.DELETE,
        'environment.variables["C-D"]': Kind.ADD,
    }


def test_sets_have_no_order() -> None:
    prop = array(block({"a": text(), "b": text()}), unordered=True)
    one, two = {"a": "1", "b": "x"}, {"a": "2", "b": "y"}
    fields = {"p": prop}
    assert changes(fields, {"p": [one, two]}, {"p": [two, one]}) == {}
    assert set(changes(fields, {"p": [one, two]}, {"p": [two, {"a": "3"}]})) == {"p[1]"}
    assert set(changes(fields, {"p": [one, two]}, {"p": [two]})) == {"p"}
    assert set(changes({"p": array(text())}, {"p": ["a", "b"]}, {"p": ["b", "a"]})) == {"p[0]", "p[1]"}


POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["a:b", "a:c"], "Resource": "r", "Principal": {"AWS": ["x"]}},
        {"Effect": "Deny", "Action": "a:d", "Resource": "*", "Condition": {"Bool": {"k": "true"}}},
    ],
}


def changed(**first: Any) -> str:
    statement = {**POLICY["Statement"][0], **first}
    return json.dumps({**POLICY, "Statement": [statement, POLICY["Statement"][1]]})


@pytest.mark.parametrize(
    "other",
    [
        json.dumps(POLICY, indent=2),
        json.dumps({**POLICY, "Statement": POLICY["Statement"][::-1]}),
        changed(Action=["a:c", "a:b"]),
        changed(Resource=["r"]),
        changed(Principal={"AWS": "x"}),
        json.dumps(POLICY).replace('"true"', "true"),
    ],
)
def test_policies_of_one_meaning_are_equal(other: str) -> None:
    assert normal_policy(other) == normal_policy(json.dumps(POLICY))


@pytest.mark.parametrize(
    "other", [changed(Action="a:b"), changed(Effect="Deny"), changed(Principal="*"), "no json", "[]"]
)
def test_policies_of_another_meaning_are_not(other: str) -> None:
    assert normal_policy(other) != normal_policy(json.dumps(POLICY))


FIELDS: dict[str, Prop] = {
    "name": text(),
    "pattern": text(normal=normal_json, keeps_normal=True),
    "policy": text(normal=normal_policy),
    "kept": text(),
    "map": mapping(),
}


def test_a_refresh_gives_the_inputs_that_would_make_what_was_found() -> None:
    inputs = {"name": "a", "policy": json.dumps(POLICY), "map": {"k": "v"}}
    state = {"name": "b", "policy": changed(Resource=["r"]), "kept": "by AWS"}
    assert refreshed(FIELDS, inputs, state) == {"name": "b", "policy": json.dumps(POLICY)}


def test_an_import_takes_what_is_set_and_a_nought_where_the_default_is_another() -> None:
    fields = {
        "name": text(auto_name=9),
        "retries": integer(default=2),
        "age": integer(default=3),
        "old": boolean(deprecated=True),
        "empty": text(),
        "set": array(text(), computed=True),
    }
    state = {"name": "n", "retries": 0, "age": 3, "old": True, "empty": "", "set": ["a"], "arn": "a"}
    assert imported(fields, state) == {"name": "n", "retries": 0, "age": 3, "set": ["a"], "__defaults": ["age"]}


def test_a_state_keeps_the_form_of_what_means_the_same_and_forgets_what_is_gone() -> None:
    before = {"policy": json.dumps(POLICY), "pattern": '{"b": 1.0, "a": 2}', "kept": "k", "map": {"k": "v"}}
    found = {"policy": changed(Resource=["r"]), "pattern": '{"a":2,"b":1}', "map": None, "name": "n"}
    assert settled(FIELDS, before, found) == {
        "policy": json.dumps(POLICY),
        "pattern": '{"a":2,"b":1}',
        "kept": "k",
        "name": "n",
    }
