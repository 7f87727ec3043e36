"""When a deploy looks at the bus itself: in an `up` only, around what the engine does, and loudly."""

from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components import settle
from signalbox.aws.store import DynamoStore
from signalbox.conflicts import Policy
from signalbox.effective import RouteEdit, config_hash
from signalbox.plan import Plan, plan
from signalbox.store import event_item
from tests.simulation.cloud import error
from tests.unit.components.engine import SCOPE, Declared, declare
from tests.unit.sync.account import AT, DLQ, Stack, event, to

NEW = event("outage", {"a": to("t1"), "b": to("t2", "t3")})


class Session:
    """boto3's session of an account that behaves."""

    def __init__(self, stack: Stack) -> None:
        self._clients = {"dynamodb": stack.dynamo, "events": stack.events}

    def client(self, name: str) -> Any:
        return self._clients[name]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """An edit has taken away the rule of outage/b; now the definitions give it another target."""
    made = Stack({"outage": {"a": to("t1"), "b": to("t2")}}, name=SCOPE.name)
    made.edit("outage", b=RouteEdit(None, config_hash(to("t2")), 1, AT, "alice"))
    assert made.run().out_of_step == ()
    assert f"{NEW.id}.b" not in made.cloud.rules
    made.cloud.calls.clear()
    monkeypatch.setattr(settle, "session_for", lambda _: Session(made))
    return made


def planned(stack: Stack) -> Plan:
    return plan({"outage": NEW}, DynamoStore(stack.dynamo, "").snapshot(), Policy("definitions"))


def write_items(stack: Stack, made: Plan) -> None:
    decision = made.events["outage"].decision
    assert decision is not None
    stack.put(event_item(NEW))
    stack.put(decision)


def deployed(stack: Stack, *, preview: bool) -> Declared:
    made = planned(stack)

    def program() -> None:
        settle.begin_deploy(made, SCOPE)
        settle.restore_rules(made, SCOPE, "outage")
        topic = aws.sns.Topic("written", name="written")

        def write(_: Any) -> None:
            assert preview or stack.targets("outage.b") == [], "the engine found no rule to put targets on"
            write_items(stack, made)

        written = topic.id.apply(write)
        # What is left out of an up (`--target`) has no id, and the engine deletes all the same.
        unknown = pulumi.Output.from_input(pulumi.UNKNOWN)
        settle.settle_rules(made, SCOPE, pulumi.Output.from_input(DLQ), [], [written, unknown])

    return declare(program, preview=preview)


def test_a_preview_makes_no_call(stack: Stack) -> None:
    deployed(stack, preview=True)
    assert stack.called("list_rules", "put_rule", "put_targets") == {}


def test_an_up_finds_rules_to_write_to_and_ends_with_what_they_must_be(stack: Stack) -> None:
    deployed(stack, preview=False)
    assert stack.targets("outage.b") == ["t2", "t3"]


@pytest.mark.parametrize("operation", ["put_targets", "list_rules"])
def test_what_cannot_be_made_right_ends_the_up(stack: Stack, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    made = planned(stack)

    def denied(**_: Any) -> Any:
        raise error("AccessDeniedException", "no", operation)

    def program() -> None:
        write_items(stack, made)
        monkeypatch.setattr(stack.events, operation, denied)
        settle.settle_rules(made, SCOPE, pulumi.Output.from_input(DLQ), [], [])

    with pytest.raises(pulumi.RunError, match="AccessDeniedException: no"):
        declare(program)


def test_rules_that_cannot_be_made_anew_end_the_up_before_anything_is_declared(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(**_: Any) -> Any:
        raise error("AccessDeniedException", "no", "PutRule")

    monkeypatch.setattr(stack.events, "put_rule", denied)
    with pytest.raises(pulumi.RunError, match="cannot be made: AccessDeniedException"):
        declare(lambda: settle.restore_rules(planned(stack), SCOPE, "outage"))


def test_without_the_queue_of_undelivered_events_no_rule_is_written(stack: Stack) -> None:
    queue: Any = pulumi.Output.from_input(pulumi.UNKNOWN)
    with pytest.raises(pulumi.RunError, match="undelivered"):
        declare(lambda: settle.settle_rules(planned(stack), SCOPE, queue, [], []))


def test_rules_have_the_tags_that_the_provider_gives_as_strings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    put, tags = stack.events.put_rule, []
    monkeypatch.setattr(stack.events, "put_rule", lambda **given: (tags.append(given.get("Tags")), put(**given))[1])
    made = planned(stack)

    def program() -> None:
        pulumi.runtime.set_config("aws:defaultTags", '{"tags": {"CostCenter": 12345, "Shared": true}}')
        settle.restore_rules(made, SCOPE, "outage")

    declare(program)
    assert tags == [[{"Key": "CostCenter", "Value": "12345"}, {"Key": "Shared", "Value": "true"}]]
