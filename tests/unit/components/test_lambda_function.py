from pathlib import Path

import pytest

from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.processing_functions import ProcessingFunctions, ProcessingFunctionsArgs
from components.router import Router, RouterArgs
from components.triggers import Triggers
from signalbox.model import Function, Statement
from tests.unit.components.engine import SCOPE, declare, policy

PLACEHOLDERS = {"bus.arn": "arn:bus", "bus.name": "park-dev", "undelivered.url": "https://undelivered"}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "code.zip"
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    return path


def settings() -> LambdaSettings:
    return LambdaSettings(SCOPE, "python3.13", "arm64", 14, "arn:layer", PLACEHOLDERS)


def function(**changes) -> Function:
    return Function(
        **{
            "name": "metrics",
            "environment": {"BUS": "${bus.name}", "PLAIN": "x"},
            "statements": (Statement(("events:PutEvents",), ("${bus.arn}",)),),
            **changes,
        }
    )


def declared(code, of=None, failures: str | None = "arn:undelivered", statements=()):
    args = LambdaFunctionArgs(settings(), of or function(), code, failures, statements)
    return declare(lambda: LambdaFunction("f", args))


def test_a_function_may_do_what_its_yaml_says_and_log_and_report_failures_and_nothing_else(code):
    logs, own, failures = policy(declared(code).the("RolePolicy"))
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert logs["Resource"] == ["arn:aws:cloudwatch:eu-central-1:123456789012:LogGroup//aws/lambda/park-dev-metrics:*"]
    assert own == {"Effect": "Allow", "Action": ["events:PutEvents"], "Resource": ["arn:bus"]}
    assert failures == {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["arn:undelivered"]}


def test_what_a_function_fails_on_for_good_goes_to_the_failure_queue(code):
    config = declared(code).the("FunctionEventInvokeConfig").inputs
    assert config["destinationConfig"] == {"onFailure": {"destination": "arn:undelivered"}}
    assert config["maximumRetryAttempts"] == 2


def test_a_function_that_is_only_called_synchronously_has_no_failure_queue(code):
    found = declared(code, failures=None)
    assert found.of("FunctionEventInvokeConfig") == []
    assert len(policy(found.the("RolePolicy"))) == 2


def test_logs_and_permissions_exist_before_the_function(code):
    found = declared(code)
    assert {"f-logs", "f-policy"} <= set(found.the("Function").depends_on)
    assert found.the("LogGroup").inputs["retentionInDays"] == 14


def test_placeholders_are_filled_in_and_the_rest_is_kept(code):
    inputs = declared(code).the("Function").inputs
    assert inputs["environment"] == {"variables": {"BUS": "park-dev", "PLAIN": "x"}}
    assert inputs["architectures"] == ["arm64"]
    assert inputs["layers"] == ["arn:layer"]


def test_placeholders_in_conditions_are_filled_in(code):
    conditions = {"ArnEquals": {"aws:SourceArn": ["${bus.arn}", "arn:x"]}, "Bool": {"aws:SecureTransport": True}}
    statement = Statement(("sqs:SendMessage",), ("*",), conditions)
    _, own, _ = policy(declared(code, function(statements=(statement,))).the("RolePolicy"))
    assert own["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ["arn:bus", "arn:x"]},
        "Bool": {"aws:SecureTransport": True},
    }


def started(code, name, triggers, topics=None):
    """What is declared for a function with `triggers`."""
    import pulumi_aws as aws

    def program():
        made = {name: function(name=name, triggers=triggers)}
        wiring = Triggers(SCOPE, topics or {}, {}, {}, aws.sqs.Queue("undelivered", name="park-dev-undelivered"))
        ProcessingFunctions("functions", ProcessingFunctionsArgs(settings(), made, {name: code}, wiring))

    return declare(program)


def test_each_schedule_has_a_rule_of_its_own_and_the_first_is_called_as_if_it_were_the_only_one(code):
    one = started(code, "tick", ({"schedule": "rate(5 minutes)"},))
    two = started(code, "tick", ({"schedule": "rate(5 minutes)"}, {"schedule": "rate(1 hour)"}))
    rules = {each.name: each.inputs["scheduleExpression"] for each in two.of("EventRule")}
    assert rules == {
        "functions-tick-schedule": "rate(5 minutes)",
        "functions-tick-schedule-2": "rate(1 hour)",
    }
    assert [each.name for each in one.of("EventRule")] == ["functions-tick-schedule"]
    for kind in ("EventRule", "EventTarget", "Permission"):
        assert len({each.name for each in two.of(kind)}) == len(two.of(kind)) == 2
    assert len({each.inputs["statementId"] for each in two.of("Permission")}) == 2
    assert len({each.inputs["name"] for each in two.of("EventRule")}) == 2


def test_the_id_of_a_permission_is_one_that_lambda_takes_however_long_the_names_are(code):
    topics = {"t" * 64: "arn:t", "t" * 63: "arn:u"}
    found = started(code, "f" * 60, tuple({"topic": name} for name in topics), topics)
    ids = {each.inputs["statementId"] for each in found.of("Permission")}
    assert len(ids) == 2
    assert all(len(each) <= 100 for each in ids)
    short = started(code, "tick", ({"topic": "t"},), {"t": "arn:t"})
    assert short.the("Permission").inputs["statementId"] == "tick-t"


def test_a_trigger_makes_permission_and_subscription_and_what_sns_cannot_hand_over_is_kept(code):
    import pulumi_aws as aws

    def program():
        ProcessingFunctions(
            "functions",
            ProcessingFunctionsArgs(
                settings(),
                {"publisher": function(name="publisher", triggers=({"topic": "ride-times"},))},
                {"publisher": code},
                Triggers(
                    SCOPE,
                    {"ride-times": "arn:ride-times"},
                    {},
                    {},
                    aws.sqs.Queue("undelivered", name="park-dev-undelivered"),
                ),
            ),
        )

    found = declare(program)
    permission = found.the("Permission").inputs
    assert (permission["principal"], permission["sourceArn"]) == ("sns.amazonaws.com", "arn:ride-times")
    subscription = found.the("TopicSubscription")
    assert subscription.inputs["topic"] == "arn:ride-times"
    assert "park-dev-undelivered" in subscription.inputs["redrivePolicy"]
    assert found.the("Permission").name in subscription.depends_on


def test_a_trigger_whose_topic_is_not_configured_is_said_and_not_made(code):
    import pulumi_aws as aws

    def program():
        ProcessingFunctions(
            "functions",
            ProcessingFunctionsArgs(
                settings(),
                {"publisher": function(name="publisher", triggers=({"topic": "ride-times"},))},
                {"publisher": code},
                Triggers(SCOPE, {}, {}, {}, aws.sqs.Queue("undelivered")),
            ),
        )

    found = declare(program)
    assert found.of("TopicSubscription") == []
    assert any("pulumi config set --path 'signalbox:topics.ride-times'" in each for each in found.said)


@pytest.mark.parametrize("targets", [1, 40])
def test_the_routers_permission_is_one_statement_for_all_rules(code, targets):
    import pulumi_aws as aws

    def program():
        Router(
            "router",
            RouterArgs(
                settings(),
                function(name="router", triggers=({"queue": "retry"},)),
                code,
                [function(name=f"f{index}") for index in range(targets)],
                Triggers(SCOPE, {}, {"retry": "arn:retry"}, {}, aws.sqs.Queue("undelivered")),
            ),
        )

    found = declare(program)
    permission = found.the("Permission").inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"] == SCOPE.rules_arn
    mapping = found.the("EventSourceMapping").inputs
    assert mapping["eventSourceArn"] == "arn:retry"
    assert mapping["functionResponseTypes"] == ["ReportBatchItemFailures"]
    invoke = [
        each for each in policy(found.the("RolePolicy", "router-lambda-policy")) if "lambda:" in each["Action"][0]
    ]
    assert invoke[0]["Resource"][0] == "arn:aws:lambda:eu-central-1:123456789012:function:park-dev-f0"
    assert len(invoke[0]["Resource"]) == targets
