import json

from components.bus import Bus, BusArgs
from tests.unit.components.engine import SCOPE, declare, policy


def bus(**changes):
    args = {"archive_days": 30, "router_timeout": 60, **changes}
    return declare(lambda: Bus("bus", BusArgs(SCOPE, **args)))


def test_only_rules_of_this_bus_may_write_to_undelivered():
    (statement,) = policy(bus().the("QueuePolicy"))
    assert statement["Principal"] == {"Service": ["events.amazonaws.com"]}
    assert statement["Action"] == ["sqs:SendMessage"]
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": ["arn:aws:events:eu-central-1:123456789012:rule/park-dev/*"]}
    }


def test_a_feed_rule_on_another_bus_may_write_to_undelivered_too():
    feed = "arn:aws:events:eu-central-1:123456789012:rule/park-dev.feed.12345678"
    (statement,) = policy(bus(foreign_rules=(feed,)).the("QueuePolicy"))
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"][1:] == [feed]


def test_a_topic_that_starts_a_function_may_write_to_undelivered_what_it_cannot_hand_over():
    topic = "arn:aws:sns:eu-central-1:123456789012:ride-times"
    _, statement = policy(bus(topics=(topic,)).the("QueuePolicy"))
    assert statement["Principal"] == {"Service": ["sns.amazonaws.com"]}
    assert statement["Action"] == ["sqs:SendMessage"]
    assert statement["Condition"] == {"ArnLike": {"aws:SourceArn": [topic]}}


def test_queues_keep_messages_as_long_as_sqs_can_and_are_encrypted():
    queues = bus().of("Queue")
    assert len(queues) == 2
    for queue in queues:
        assert queue.inputs["messageRetentionSeconds"] == 14 * 86_400
        assert queue.inputs["sqsManagedSseEnabled"] is True


def test_queues_take_the_largest_events_of_the_bus():
    # Where nothing is said the AWS provider makes queues that take a quarter of it, and the rest would be lost.
    assert {queue.inputs["maxMessageSize"] for queue in bus().of("Queue")} == {1024 * 1024}


def test_what_the_router_cannot_retry_ends_in_undelivered():
    retry = bus().the("Queue", "bus-retry")
    assert json.loads(retry.inputs["redrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:eu-central-1:123456789012:Queue/park-dev-undelivered",
        "maxReceiveCount": 5,
    }
    assert retry.inputs["visibilityTimeoutSeconds"] == 6 * 60


def test_the_archive_keeps_every_event_of_the_bus():
    archive = bus(archive_days=7).the("EventArchive")
    assert archive.inputs["retentionDays"] == 7
    assert "eventPattern" not in archive.inputs
