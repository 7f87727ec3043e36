import pulumi_aws as aws

from components.feeds import Feeds, FeedsArgs
from signalbox.classic import feed_name
from tests.unit.components.engine import SCOPE, Declared, declare, policy

RULE = "arn:aws:events:eu-central-1:123456789012:rule/"


def declared(**patterns: str) -> Declared:
    def make() -> None:
        bus = aws.cloudwatch.EventBus("bus", name="park-dev")
        Feeds("feeds", FeedsArgs(SCOPE, patterns, bus, "arn:aws:sqs:eu-central-1:123456789012:park-dev-undelivered"))

    return declare(make)


def test_each_foreign_bus_gets_one_rule_that_brings_its_events_to_ours():
    found = declared(default='{"source":["aws.ec2"]}', theirs='{"source":["shop"]}')
    rules = {each.inputs["eventBusName"]: each.inputs["eventPattern"] for each in found.of("EventRule")}
    assert rules == {"default": '{"source":["aws.ec2"]}', "theirs": '{"source":["shop"]}'}
    assert {each.inputs["eventBusName"] for each in found.of("EventTarget")} == {"default", "theirs"}


def test_only_feed_rules_of_the_stack_may_use_the_role_however_many_buses_there_are():
    found = declared(**dict.fromkeys(("default", "theirs", "others"), "{}"))
    (trust,) = policy(found.the("Role"), "assumeRolePolicy")
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"ArnLike": {"aws:SourceArn": [f"{RULE}park-dev.feed.*", f"{RULE}*/park-dev.feed.*"]}}
    assert all(each.inputs["name"].startswith("park-dev.feed.") for each in found.of("EventRule"))
    assert feed_name("park-dev", None) == "park-dev.feed.*"
