"""What is fetched from foreign buses: each event once, and only what our events name."""

import json
from typing import Any

import pytest

from signalbox.classic import feed_name, feeds
from signalbox.model import Event

ARN = "arn:aws:events:eu-central-1:123456789012:event-bus/"


def event(id_: str, source: Any, from_bus: str | None = None) -> Event:
    return Event(id=id_, source=(source,), detail_type=("d",), schema={}, from_bus=from_bus)


def sources(*events: Event) -> dict[str, list[Any]]:
    return {bus: json.loads(pattern)["source"] for bus, pattern in feeds(events).items()}


@pytest.mark.parametrize("bus", ["partner", "default", "aws.partner/example.com/x"])
def test_a_bus_said_by_name_and_by_arn_is_one_bus_with_one_rule(bus: str) -> None:
    assert sources(event("a", "acme", bus), event("b", "acme", ARN + bus)) == {bus: ["acme"]}
    assert feed_name("park", bus) == f"park.feed.{feed_name('park', bus)[-8:]}"


@pytest.mark.parametrize(
    "source",
    [
        "aws.ec2",
        {"prefix": "aws."},
        {"exactly": "aws.ec2"},
        {"wildcard": "aws.*"},
        {"equals-ignore-case": "AWS.ec2"},
        {"prefix": {"equals-ignore-case": "Aws.e"}},
    ],
)
def test_sources_of_aws_services_come_from_the_default_bus(source: Any) -> None:
    assert sources(event("a", source)) == {"default": [source]}


@pytest.mark.parametrize(
    "source",
    ["acme", {"prefix": "aws"}, {"anything-but": "aws.ec2"}, {"anything-but": {"prefix": "aws."}}, {"suffix": "aws."}],
)
def test_nothing_else_of_an_account_is_forwarded_without_being_asked_for(source: Any) -> None:
    assert sources(event("a", source)) == {}
    assert sources(event("a", source, "default")) == {"default": [source]}
