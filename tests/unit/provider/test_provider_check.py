"""Check: what the stand-in takes as a resource's inputs, what it refuses and in which words, what it fills in."""

import json
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.provider.server import Provider
from sandbox.provider.wire import UNKNOWN, Props, from_struct, to_struct

ARN = "arn:aws:sqs:eu-west-1:123456789012:q"
ROLE = "arn:aws:iam::123456789012:role/r"
CODE = {"4dabf18193072939515e22adb298388d": "0def7320c3a5731c473e5ecbe6d01bc7", "path": "./x", "hash": "aa"}


class Refusal(Exception):
    """What a gRPC call was aborted with."""


class Call:
    def abort(self, code: Any, message: str) -> None:
        raise Refusal(message)


def check(kind: str, news: Props, olds: Props | None = None) -> tuple[Props, dict[str, str]]:
    """Checked inputs, and faults by property."""
    request = provider_pb2.CheckRequest(
        urn=f"urn:pulumi:dev::p::my:component$aws:{kind}::name",
        news=to_struct(news),
        olds=to_struct(olds or {}),
        randomSeed=b"seed",
    )
    answer = Provider().Check(request, Call())  # type: ignore[arg-type]
    return from_struct(answer.inputs), {failure.property: failure.reason for failure in answer.failures}


RULE = "cloudwatch/eventRule:EventRule"
TARGET = "cloudwatch/eventTarget:EventTarget"
TABLE = "dynamodb/table:Table"
ITEM = "dynamodb/tableItem:TableItem"
FUNCTION = "lambda/function:Function"
QUEUE = "sqs/queue:Queue"
TOPIC = "sns/topic:Topic"


def rule(**changes: Any) -> Props:
    return {"name": "r", "eventPattern": '{"source":["x"]}', "state": "ENABLED", **changes}


def function(**changes: Any) -> Props:
    return {"name": "f", "role": ROLE, "handler": "h.h", "runtime": "python3.13", "code": CODE, **changes}


def table(**changes: Any) -> Props:
    key = {"name": "PK", "type": "S"}
    return {"name": "tab", "hashKey": "PK", "attributes": [key], "billingMode": "PAY_PER_REQUEST", **changes}


def test_good_inputs_pass_and_get_the_defaults_of_upstream() -> None:
    assert check(RULE, rule()) == (
        {
            **rule(),
            "eventBusName": "default",
            "forceDestroy": False,
            "__defaults": ["eventBusName", "forceDestroy"],
        },
        {},
    )
    inputs, faults = check(FUNCTION, function())
    assert faults == {}
    defaults = {"memorySize": 128, "timeout": 3, "publish": False, "reservedConcurrentExecutions": -1}
    assert {key: inputs[key] for key in defaults} == defaults


@pytest.mark.parametrize(
    ("kind", "inputs", "where", "words"),
    [
        (RULE, rule(pattern="x"), "pattern", "unknown property 'pattern'; did you mean 'eventPattern'?"),
        (RULE, rule(zzz="x"), "zzz", "unknown property 'zzz'; allowed: description, eventBusName"),
        (RULE, rule(name="a b"), "name", "'a b' does not match"),
        (RULE, rule(name="a" * 65), "name", "at most 64 characters; got 65"),
        (RULE, rule(state="ON"), "state", "expected one of ENABLED, DISABLED"),
        (RULE, rule(eventPattern="{"), "eventPattern", "not valid JSON"),
        (RULE, rule(eventPattern='{"a":[1e999]}'), "eventPattern", "not a JSON number"),
        (RULE, rule(eventPattern=json.dumps({"a": ["x" * 4096]})), "eventPattern", "at most 4096 bytes"),
        (RULE, rule(isEnabled=True), "isEnabled", "'isEnabled' conflicts with 'state'"),
        (RULE, {"name": "r"}, "eventPattern", "one of 'eventPattern', 'scheduleExpression' must be given"),
        (RULE, rule(roleArn="r"), "roleArn", "is no ARN"),
        (RULE, rule(state=["ENABLED"]), "state", "expected a string; got a list"),
        (TARGET, {"arn": ARN}, "rule", "missing required property 'rule'"),
        (TARGET, {"rule": "r"}, "arn", "missing required property 'arn'"),
        (TARGET, {"arn": ARN, "rule": "r", "ecsTarget": {}}, "ecsTarget", "stand-in for it does not"),
        (
            TARGET,
            {"arn": ARN, "rule": "r", "retryPolicy": {"maximumRetryAttempts": 186}},
            "retryPolicy.maximumRetryAttempts",
            "a number from 0 to 185; got 186",
        ),
        (
            TARGET,
            {"arn": ARN, "rule": "r", "retryPolicy": {"attempts": 1}},
            "retryPolicy.attempts",
            "unknown property 'attempts'",
        ),
        (
            TARGET,
            {"arn": ARN, "rule": "r", "inputTransformer": {"inputPaths": {"a": "$.x"}}},
            "inputTransformer.inputTemplate",
            "missing required property 'inputTemplate'",
        ),
        (
            TARGET,
            {"arn": ARN, "rule": "r", "inputTransformer": {"inputPaths": {"AWSa": "$.x"}, "inputTemplate": "<AWSa>"}},
            "inputTransformer.inputPaths",
            'must not start with "AWS"',
        ),
        (
            TARGET,
            {"arn": ARN, "rule": "r", "input": "{}", "inputPath": "$.detail"},
            "input",
            "'input' conflicts with 'inputPath'",
        ),
        (TABLE, table(attributes=[]), "attributes", "missing: PK"),
        (
            TABLE,
            table(attributes=[{"name": "PK", "type": "S"}, {"name": "X", "type": "S"}]),
            "attributes",
            "unused: X",
        ),
        (TABLE, table(attributes=[{"name": "PK", "type": "T"}]), "attributes[0].type", "expected one of S, N, B"),
        (TABLE, table(billingMode="PROVISIONED", writeCapacity=1), "readCapacity", "at least 1"),
        (TABLE, table(streamEnabled=True), "streamViewType", "must be given"),
        (ITEM, {"tableName": "t", "hashKey": "PK", "item": "[]"}, "item", "expected a JSON object"),
        (ITEM, {"tableName": "t", "hashKey": "PK", "item": '{"PK": "x"}'}, "item", "attribute 'PK' must be"),
        (ITEM, {"tableName": "t", "hashKey": "PK", "item": '{"PK": {"X": "x"}}'}, "item", "attribute 'PK' must be"),
        (FUNCTION, function(environment={"variables": {"1": "x"}}), "environment.variables", "bad name '1'"),
        (FUNCTION, function(code="x.zip"), "code", "expected an archive"),
        (FUNCTION, function(code={"path": "x"}), "code", "expected an archive"),
        (FUNCTION, function(memorySize=1), "memorySize", "from 128 to 32768; got 1"),
        (FUNCTION, function(memorySize="much"), "memorySize", "expected a whole number; got the string 'much'"),
        (FUNCTION, function(memorySize=1.5), "memorySize", "expected a whole number; got the number 1.5"),
        (FUNCTION, function(memorySize=True), "memorySize", "expected a whole number; got the boolean True"),
        (QUEUE, {"name": "q", "fifoQueue": True}, "name", "ends in .fifo"),
        (QUEUE, {"name": "q.fifo"}, "name", "ends in .fifo|does not match"),
        (QUEUE, {"redrivePolicy": "{"}, "redrivePolicy", "not valid JSON"),
        (TOPIC, {"name": "t", "contentBasedDeduplication": True}, "contentBasedDeduplication", "FIFO topics only"),
        (TOPIC, {"name": "t", "tags": {"aws:x": "y"}}, "tags", "do not start with aws:"),
        ("iam/role:Role", {"assumeRolePolicy": "[]"}, "assumeRolePolicy", "expected a JSON object"),
        ("cloudwatch/logGroup:LogGroup", {"retentionInDays": 2}, "retentionInDays", "expected one of 0, 1, 3, 5"),
        ("cloudwatch/eventBus:EventBus", {"name": "default"}, "name", "does not match"),
    ],
)
def test_bad_inputs_are_refused_where_and_as_they_are_bad(kind: str, inputs: Props, where: str, words: str) -> None:
    _, faults = check(kind, inputs)
    assert list(faults) == [where]
    assert any(part in faults[where] for part in words.split("|")), faults


def test_all_faults_are_told_at_once() -> None:
    _, faults = check(TARGET, {"x": 1, "retryPolicy": {"maximumRetryAttempts": -1}, "targetId": "a b"})
    assert set(faults) == {"x", "retryPolicy.maximumRetryAttempts", "targetId", "arn", "rule"}


def test_what_is_unknown_in_a_preview_is_no_fault() -> None:
    inputs, faults = check(TARGET, {"arn": UNKNOWN, "rule": UNKNOWN, "deadLetterConfig": {"arn": UNKNOWN}})
    assert faults == {}
    assert inputs["deadLetterConfig"] == {"arn": UNKNOWN}
    assert check(ITEM, {"tableName": UNKNOWN, "hashKey": "PK", "item": UNKNOWN})[1] == {}
    assert check(TABLE, table(attributes=UNKNOWN))[1] == {}
    assert check("iam/role:Role", {"assumeRolePolicy": {"Statement": [{"Resource": UNKNOWN}]}}) == (
        {
            "assumeRolePolicy": UNKNOWN,
            "name": "name-19b2585",
            "forceDetachPolicies": False,
            "maxSessionDuration": 3600,
            "path": "/",
            "__defaults": ["forceDetachPolicies", "maxSessionDuration", "name", "path"],
        },
        {},
    )


def test_values_of_a_clear_type_are_coerced_as_the_bridge_does() -> None:
    inputs, faults = check(
        FUNCTION, function(timeout="30", publish="true", environment={"variables": {"NN": 1, "BB": True}})
    )
    assert faults == {}
    assert (inputs["timeout"], inputs["publish"]) == (30, True)
    assert inputs["environment"] == {"variables": {"NN": "1", "BB": "true"}}


def test_secrets_and_outputs_are_taken_for_what_they_hold() -> None:
    mark = "4dabf18193072939515e22adb298388d"
    secret = {mark: "1b47061264138c4ac30d75fd1eb44270", "value": "text"}
    output = {mark: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": "other"}
    unknown = {mark: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    inputs, faults = check(RULE, rule(description=secret, name=output, roleArn=unknown))
    assert faults == {}
    assert (inputs["description"], inputs["name"], inputs["roleArn"]) == ("text", "other", UNKNOWN)


def test_an_automatic_name_is_made_once_and_kept() -> None:
    made, _ = check(QUEUE, {})
    assert made["name"] == "name-19b2585"
    assert "name" in made["__defaults"]
    assert check(QUEUE, {}, {**made, "name": "name-1234567"})[0]["name"] == "name-1234567"
    # One that the program gave and gives no more is not kept: without it the resource is another.
    assert check(QUEUE, {}, {"name": "given", "__defaults": []})[0]["name"] == "name-19b2585"
    assert check(QUEUE, {"fifoQueue": True})[0]["name"] == "name-19b2585.fifo"
    assert "name" not in check(QUEUE, {"namePrefix": "p-"})[0]


def test_a_type_or_function_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="no resource type aws:s3/bucket:Bucket"):
        check("s3/bucket:Bucket", {})
    with pytest.raises(Refusal, match="no function aws:ec2/getAmi:getAmi"):
        Provider().Invoke(provider_pb2.InvokeRequest(tok="aws:ec2/getAmi:getAmi"), Call())  # type: ignore[arg-type]


def test_unknown_configuration_is_refused() -> None:
    request = provider_pb2.CheckRequest(urn="urn", news=to_struct({"region": "eu-west-1", "regoin": "x"}))
    failures = Provider().CheckConfig(request, Call()).failures  # type: ignore[arg-type]
    assert [failure.property for failure in failures] == ["regoin"]


def test_without_an_endpoint_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten variable must not make the stand-in change a real account."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    request = provider_pb2.ConfigureRequest(args=to_struct({"region": "eu-west-1"}))
    with pytest.raises(Refusal, match="needs AWS_ENDPOINT_URL"):
        Provider().Configure(request, Call())  # type: ignore[arg-type]
