import pytest

from components.destinations import Destinations, DestinationsArgs
from signalbox.model import Destination
from tests.unit.components.engine import SCOPE, Declared, declare, policy

RULES = "arn:aws:events:eu-central-1:123456789012:rule/park-dev/*"


def declared(*destinations: Destination, **subscriptions: list[str]) -> Declared:
    named = {each.name: each for each in destinations}
    who = {name.replace("_", "-"): addresses for name, addresses in subscriptions.items()}
    return declare(lambda: Destinations("to", DestinationsArgs(SCOPE, named, who, 30)))


@pytest.mark.parametrize(
    ("destination", "type_", "key", "action"),
    [
        (Destination("mail", "topic"), "TopicPolicy", "policy", "sns:Publish"),
        (Destination("jobs", "queue"), "QueuePolicy", "policy", "sqs:SendMessage"),
    ],
)
def test_what_the_program_makes_lets_in_rules_of_this_bus_only(destination, type_, key, action):
    (statement,) = policy(declared(destination).the(type_), key)
    assert statement["Action"] == [action]
    assert statement["Principal"] == {"Service": ["events.amazonaws.com"]}
    assert statement["Condition"] == {"ArnLike": {"aws:SourceArn": RULES}}


def test_one_policy_lets_rules_write_to_all_log_groups_and_to_no_others():
    found = declared(
        Destination("a", "log-group", physical_name="/aws/events/a"),
        Destination("b", "log-group", retention_days=5),
        Destination("theirs", "log-group", arn="arn:aws:logs:eu-central-1:123456789012:log-group:theirs"),
    )
    create, put = policy(found.the("LogResourcePolicy"), "policyDocument")
    assert create["Action"] == ["logs:CreateLogStream"]
    assert put["Action"] == ["logs:PutLogEvents"]
    assert put["Condition"] == {"ArnLike": {"aws:SourceArn": RULES}}
    assert create["Resource"] == put["Resource"]
    assert [each.rpartition("LogGroup/")[2] for each in put["Resource"]] == [
        "/aws/events/a:*",
        "/aws/events/park-dev-b:*",
    ]
    assert {each.name: each.inputs["retentionInDays"] for each in found.of("LogGroup")} == {"to-a": 30, "to-b": 5}


def test_destinations_of_others_get_no_resource():
    found = declared(Destination("mail", "topic", arn="arn:aws:sns:eu-central-1:123456789012:theirs"))
    assert found.custom() == []


@pytest.mark.parametrize(
    ("kind", "actions"),
    [
        ("bus", ["events:PutEvents"]),
        ("state-machine", ["states:StartExecution"]),
        ("stream", ["kinesis:PutRecord", "kinesis:PutRecords"]),
        ("api-destination", ["events:InvokeApiDestination"]),
    ],
)
def test_kinds_that_need_a_role_get_one_that_reaches_only_them(kind, actions):
    found = declared(Destination("there", kind, arn="arn:aws:x:::there"))
    (statement,) = policy(found.the("RolePolicy"))
    assert statement == {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:x:::there"]}
    (trust,) = policy(found.the("Role"), "assumeRolePolicy")
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"ArnLike": {"aws:SourceArn": RULES}}


def test_a_role_that_is_given_is_used():
    assert declared(Destination("there", "bus", arn="arn:aws:x:::there", role="arn:role")).custom() == []


def test_an_api_destination_keeps_its_secret_in_the_connection():
    found = declared(
        Destination(
            "hook", "api-destination", endpoint="https://x.example", method="POST", rate_limit=5, connection="arn:c"
        )
    )
    assert found.the("EventApiDestination").inputs == {
        "name": "park-dev-hook",
        "invocationEndpoint": "https://x.example",
        "httpMethod": "POST",
        "invocationRateLimitPerSecond": 5,
        "connectionArn": "arn:c",
    }


def test_who_is_told_comes_from_configuration_and_shows_in_no_resource_name():
    found = declared(Destination("staff-mail", "topic"), staff_mail=["a@b.example", "+491701234567"])
    assert {(each.inputs["protocol"], each.inputs["endpoint"]) for each in found.of("TopicSubscription")} == {
        ("email", "a@b.example"),
        ("sms", "+491701234567"),
    }
    assert not any("@" in each.name or "491" in each.name for each in found.of("TopicSubscription"))


def test_a_queue_takes_the_largest_events_of_the_bus():
    assert declared(Destination("jobs", "queue")).the("Queue").inputs["maxMessageSize"] == 1024 * 1024


def test_a_fifo_queue_is_named_as_sqs_demands():
    found = declared(Destination("jobs", "queue", fifo=True))
    assert found.the("Queue").inputs["name"] == "park-dev-jobs.fifo"
