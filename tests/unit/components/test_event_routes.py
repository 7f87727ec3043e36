import json

import pulumi_aws as aws

from components.destinations import Address
from components.event_routes import EventRoutes, EventRoutesArgs
from signalbox.classic import rule_of
from signalbox.model import Event, route_from_config
from tests.unit.components.engine import Declared, declare

ADDRESSES = {
    "router": Address("arn:router"),
    "mail": Address("arn:mail"),
    "orders.fifo": Address("arn:orders"),
    "flow-of-events": Address("arn:stream", "arn:role"),
}


def event(**routes):
    configs = {name.replace("_", "-"): config for name, config in routes.items()}
    return Event(
        "outage",
        ("park.rides",),
        ("outage",),
        {"type": "object"},
        {name: route_from_config("outage", name, config) for name, config in configs.items()},
    )


def declared(of: Event | None, routes=None, **rest) -> Declared:
    def program():
        EventRoutes(
            of.id if of else "outage",
            EventRoutesArgs(
                stack="park-dev",
                event=of,
                routes=routes if routes is not None else of.routes if of else {},
                bus=aws.cloudwatch.EventBus("bus", name="park-dev"),
                table=aws.dynamodb.Table("table", name="park-dev-store"),
                addresses=ADDRESSES,
                undelivered="arn:undelivered",
                registry=[aws.sns.Topic("registered")],
                **rest,
            ),
        )

    return declare(program)


def test_a_route_is_one_rule_and_its_targets_and_nothing_else():
    one = declared(event(a={"targets": [{"topic": "mail"}]}))
    two = declared(event(a={"targets": [{"topic": "mail"}]}, b={"targets": [{"function": "f"}, {"topic": "mail"}]}))
    more = [(each.type.rpartition(":")[2], each.name) for each in two.resources if each not in one.resources]
    assert sorted(more) == [
        ("EventRule", "outage/b"),
        ("EventTarget", "outage/b/mail"),
        ("EventTarget", "outage/b/router"),
        ("TableItem", "outage-item"),
    ]


def test_the_rule_is_what_rule_of_says_field_by_field():
    of = event(a={"pattern": {"type": [{"prefix": "E"}]}, "targets": [{"topic": "mail"}], "enabled": False})
    rule = rule_of(of, of.routes["a"], "park-dev")
    inputs = declared(of).the("EventRule").inputs
    assert inputs == {
        "name": rule.name,
        "eventBusName": "park-dev",
        "eventPattern": rule.pattern,
        "description": "[signalbox park-dev outage/a]",
        "state": "DISABLED",
    }


def test_every_target_has_a_retry_policy_and_the_dead_letter_queue():
    of = event(a={"targets": [{"topic": "mail"}, {"function": "f"}], "retry": {"attempts": 3, "max-age-seconds": 600}})
    targets = declared(of).of("EventTarget")
    assert len(targets) == 2
    for target in targets:
        assert target.inputs["deadLetterConfig"] == {"arn": "arn:undelivered"}
        assert target.inputs["retryPolicy"] == {"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 600}


def test_functions_and_flows_share_the_router_which_gets_names_schema_and_event():
    of = event(a={"targets": [{"function": "f"}, {"flow": "g"}, {"function": "h"}]})
    target = declared(of).the("EventTarget")
    assert (target.inputs["targetId"], target.inputs["arn"]) == ("router", "arn:router")
    template = target.inputs["inputTransformer"]["inputTemplate"]
    told = json.loads(template.replace("<aws.events.event.json>", '{"id":"1"}'))
    assert told["event"] == {"id": "1"}
    assert told["route"] == "outage/a"
    assert told["targets"] == [{"function": "f"}, {"flow": "g"}, {"function": "h"}]
    assert len(told["schema"]) == 16


def test_targets_say_what_their_kind_needs():
    of = event(
        a={
            "targets": [
                {"queue": "orders.fifo", "message-group": "rides"},
                {"stream": "flow-of-events", "partition-key": "$.detail.rideId"},
                {"topic": "mail", "input": {"paths": {"ride": "$.detail.rideId"}, "template": '"at <ride>"'}},
            ]
        }
    )
    found = declared(of)
    assert found.the("EventTarget", "outage/a/orders.fifo").inputs["sqsTarget"] == {"messageGroupId": "rides"}
    stream = found.the("EventTarget", "outage/a/flow-of-events").inputs
    assert stream["kinesisTarget"] == {"partitionKeyPath": "$.detail.rideId"}
    assert stream["roleArn"] == "arn:role"
    assert found.the("EventTarget", "outage/a/mail").inputs["inputTransformer"] == {
        "inputPaths": {"ride": "$.detail.rideId"},
        "inputTemplate": '"at <ride>"',
    }


def test_the_store_is_written_before_the_rules_and_after_the_registry():
    found = declared(event(a={"targets": [{"topic": "mail"}]}))
    assert "registered" in found.the("TableItem", "outage-item").depends_on
    assert "outage-item" in found.the("EventRule").depends_on


def test_rules_wait_until_those_that_are_not_there_are_restored():
    seen = []
    found = declared(event(a={"targets": [{"topic": "mail"}]}), restore=lambda: seen.append("restored"))
    assert seen == ["restored"]
    assert "outage-item" in found.the("EventRule").depends_on


def test_of_an_event_that_is_gone_stays_an_item_of_the_same_name_that_says_so():
    found = declared(None)
    assert [each.name for each in found.of("EventRule")] == []
    item = found.the("TableItem", "outage-item").inputs["item"]
    assert json.loads(item) == {"PK": {"S": "events"}, "SK": {"S": "outage"}, "Gone": {"BOOL": True}}


def test_rules_are_the_effective_routes_and_the_item_the_declared_ones():
    of = event(a={"targets": [{"topic": "mail"}]})
    live = {"b": route_from_config("outage", "b", {"targets": [{"function": "f"}]})}
    found = declared(of, routes=live)
    assert [rule.name for rule in found.of("EventRule")] == ["outage/b"]
    stored = json.loads(found.the("TableItem").inputs["item"])
    assert json.loads(stored["RoutingConfig"]["S"]) == {"a": {"targets": [{"topic": "mail"}]}}


def test_events_and_routes_whose_names_join_to_the_same_text_get_different_resources():
    route = {"targets": [{"topic": "mail"}]}
    one = Event("a-b", ("s",), ("d",), {}, {"c": route_from_config("a-b", "c", route)})
    other = Event("a", ("s",), ("d",), {}, {"b-c": route_from_config("a", "b-c", route)})
    assert declared(one).the("EventRule").name != declared(other).the("EventRule").name
