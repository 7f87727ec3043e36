"""Who may be named by which route: the same answers from definitions and from the store's items."""

import pytest

from signalbox.model import Destination, Function, Target
from signalbox.registry import Registry, registry_of, registry_of_items
from signalbox.store import target_item

DESTINATIONS = [
    Destination("mail", "topic"),
    Destination("orders", "topic", events=("order",)),
    Destination("closed-at-night", "queue", runtime=False),
    Destination("fifo", "queue", fifo=True),
    Destination("theirs", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:theirs.fifo"),
    Destination("plain", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:plain"),
]
FUNCTIONS = [Function("work", target=True, events=("order",)), Function("publisher")]
FROM_DEFINITIONS = registry_of(DESTINATIONS, FUNCTIONS, {"sums": {}})
FROM_ITEMS = registry_of_items(
    [
        target_item("mail", "topic", arn="arn:aws:sns:eu-west-1:111122223333:mail"),
        target_item("orders", "topic", arn="arn:aws:sns:eu-west-1:111122223333:orders", events=("order",)),
        target_item("closed-at-night", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:n", runtime=False),
        target_item("fifo", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:x-fifo.fifo"),
        target_item("theirs", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:theirs.fifo"),
        target_item("plain", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:plain"),
        target_item("work", "function", arn="arn:aws:lambda:eu-west-1:111122223333:function:work", events=("order",)),
        target_item("sums", "flow", arn="arn:aws:states:eu-west-1:111122223333:stateMachine:sums"),
        target_item("router", "function", arn="arn:aws:lambda:eu-west-1:111122223333:function:router"),
    ]
)
CASES = [
    ("topic", "mail", "order", True, ""),
    ("topic", "mail", "other", True, ""),
    ("topic", "orders", "order", True, ""),
    ("topic", "orders", "other", True, "target-event"),
    ("queue", "mail", "order", False, "target-kind"),
    ("queue", "closed-at-night", "order", False, ""),
    ("queue", "closed-at-night", "order", True, "target-runtime"),
    ("function", "work", "order", True, ""),
    ("function", "work", "other", False, "target-event"),
    ("flow", "sums", "order", True, ""),
    ("topic", "sums", "order", True, "target-kind"),
    ("topic", "nothing", "order", True, "target-unknown"),
    ("function", "router", "order", False, "target-unknown"),
    ("function", "event_store_wrapper", "order", False, "target-unknown"),
    ("topic", "Mail", "order", True, "target-unknown"),
]


@pytest.mark.parametrize("registry", [FROM_DEFINITIONS, FROM_ITEMS], ids=["definitions", "items"])
@pytest.mark.parametrize(("kind", "name", "event", "runtime", "code"), CASES)
def test_both_registries_give_the_same_answer(
    registry: Registry, kind: str, name: str, event: str, runtime: bool, code: str
) -> None:
    problem = registry.resolve(Target(kind, name), event, runtime=runtime)
    assert (problem.code if problem else "") == code


@pytest.mark.parametrize("registry", [FROM_DEFINITIONS, FROM_ITEMS], ids=["definitions", "items"])
def test_fifo_queues_are_known_by_definition_or_arn(registry: Registry) -> None:
    assert {name for name, entry in registry.entries.items() if entry.fifo} == {"fifo", "theirs"}


def test_a_function_that_is_no_target_is_said_to_be_closed() -> None:
    problem = FROM_DEFINITIONS.resolve(Target("function", "publisher"), "order", runtime=False)
    assert problem is not None
    assert problem.code == "target-closed"
    assert "target: true" in problem.fix


def test_the_nearest_name_is_proposed() -> None:
    for written, meant in (("Mail", "mail"), ("oders", "orders"), ("wrok", "work")):
        problem = FROM_DEFINITIONS.resolve(Target("topic", written), "order", runtime=False)
        assert problem is not None
        assert problem.fix == f"did you mean {meant!r}?"
