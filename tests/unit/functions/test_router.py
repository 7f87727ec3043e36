"""The Router: every target gets its event or has it waiting somewhere, and nothing else happens."""

import itertools
import json
import random
import string
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from lambda_fakes import Clock, Context, Dynamo, Lambdas, Sqs, States, error, stored

from functions.router import handler
from signalbox.model import Event
from signalbox.runtime import sqs_batch
from signalbox.runtime.errors import CallError
from signalbox.runtime.queues import MAX_DELAY_SECONDS
from signalbox.runtime.router import ATTEMPTS, DENIED_ATTEMPTS, execution_name, parse
from signalbox.runtime.schemas import ENTRIES, MAX_AGE_SECONDS, SchemaMissing, Schemas, StoredSchema
from signalbox.store import event_item, to_attributes

SCHEMA = {"type": "object", "required": ["rideId"], "properties": {"rideId": {"type": "string"}}}
EVENT = Event("waitTimes", ("themepark.rides",), ("waitTimes",), SCHEMA)
ITEM = event_item(EVENT)
FLOWS = "arn:aws:states:eu-west-1:111122223333:stateMachine:"
RETRY, DEAD = "retry-url", "dead-url"
DELIVERED = stored("eventbridge-wait-times.json")


class World:
    """The Router's handler and the AWS around it."""

    def __init__(self) -> None:
        self.lambdas, self.states, self.sqs = Lambdas(), States(), Sqs()
        self.dynamo = Dynamo([to_attributes(ITEM)])
        self.context = Context()

    def client(self, service: str) -> Any:
        return {"lambda": self.lambdas, "stepfunctions": self.states, "sqs": self.sqs, "dynamodb": self.dynamo}[service]

    def handle(self, event: Any) -> Any:
        return handler.handle(event, self.context)

    def documents(self, queue: str) -> list[Any]:
        return [record_document(message) for message in self.sqs.messages.get(queue, [])]

    def as_batch(self, queue: str) -> dict[str, Any]:
        """The messages of a queue, taken off it, as Lambda's trigger hands them over."""
        messages = self.sqs.messages.pop(queue, [])
        return {
            "Records": [
                {"messageId": str(index), "eventSource": "aws:sqs", "body": message["body"], "messageAttributes": {}}
                for index, message in enumerate(messages)
            ]
        }


def record_document(message: Any) -> Any:
    return json.loads(message["body"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(handler, "client", made.client)
    monkeypatch.setattr(handler, "_schemas", None)
    for name, value in {"NAME": "park", "FLOWS": FLOWS, "STORE": "s", "RETRY": RETRY, "UNDELIVERED": DEAD}.items():
        monkeypatch.setenv(name, value)
    yield made


def message(*targets: dict[str, str], **changes: Any) -> dict[str, Any]:
    """What the rule of a route hands over."""
    return {
        "event": DELIVERED,
        "route": "waitTimes/outages",
        "schema": ITEM["SchemaHash"],
        "targets": list(targets) or [{"function": "outage"}],
        **changes,
    }


def with_detail(detail: Any) -> dict[str, Any]:
    return {**DELIVERED, "detail": detail}


def test_a_function_gets_the_event_exactly_as_eventbridge_made_it(world: World) -> None:
    world.handle(message({"function": "outage"}))
    assert world.lambdas.invoked == [
        ("park-outage", json.dumps(DELIVERED, separators=(",", ":"), ensure_ascii=False).encode())
    ]
    assert world.sqs.messages == {}


def test_a_flow_runs_under_a_name_of_its_own_and_a_repeat_does_not_run_it_again(world: World) -> None:
    for _ in range(3):
        world.handle(message({"flow": "repeat"}))
    ((machine, name),) = world.states.executions
    assert machine == f"{FLOWS}park-repeat"
    assert len(name) <= 80
    assert json.loads(world.states.executions[machine, name]) == DELIVERED
    assert world.sqs.messages == {}


TARGETS = ({"function": "a"}, {"function": "b"}, {"flow": "c"}, {"flow": "d"})
FATES = {"fine": None, "later": error("ThrottlingException", 400), "never": error("ResourceNotFoundException", 404)}


@pytest.mark.parametrize("fates", list(itertools.product(FATES, repeat=len(TARGETS))))
def test_of_every_mix_of_fates_only_what_may_come_later_is_tried_again(world: World, fates: tuple[str, ...]) -> None:
    wanted: dict[str, list[Any]] = {fate: [] for fate in FATES}
    for target, fate in zip(TARGETS, fates, strict=True):
        ((kind, name),) = target.items()
        wanted[fate].append(target)
        fails = world.lambdas.fails if kind == "function" else world.states.fails
        if (problem := FATES[fate]) is not None:
            fails[f"park-{name}" if kind == "function" else f"{FLOWS}park-{name}"] = problem

    world.handle(message(*TARGETS))

    started = [{"function": name.removeprefix("park-")} for name, _ in world.lambdas.invoked]
    started += [{"flow": machine.removeprefix(f"{FLOWS}park-")} for machine, _ in world.states.executions]
    assert started == wanted["fine"]
    retried = [target for document in world.documents(RETRY) for target in document["targets"]]
    assert retried == wanted["later"]
    assert len(world.documents(RETRY)) <= 1
    given_up = [target for document in world.documents(DEAD) for target in document["targets"]]
    assert given_up == wanted["never"]
    assert all(document["event"] == DELIVERED for document in world.documents(RETRY) + world.documents(DEAD))


def test_a_retry_reaches_only_the_target_that_missed_the_event(world: World) -> None:
    world.lambdas.fails["park-b"] = error("TooManyRequestsException", 429)
    world.handle(message({"function": "a"}, {"function": "b"}))
    world.lambdas.fails.clear()
    assert world.handle(world.as_batch(RETRY)) == {"batchItemFailures": []}
    assert world.lambdas.payloads("park-a") == [DELIVERED]
    assert world.lambdas.payloads("park-b") == [DELIVERED]
    assert world.sqs.messages == {}


def test_a_target_that_never_answers_is_tried_a_bounded_number_of_times_and_then_kept(world: World) -> None:
    world.lambdas.fails["park-outage"] = EndpointConnectionError(endpoint_url="https://lambda")
    delays = []
    world.handle(message())
    for _ in range(ATTEMPTS + 5):
        if world.sqs.messages.get(RETRY):
            delays.append(world.sqs.messages[RETRY][0]["delay"])
            world.handle(world.as_batch(RETRY))
    assert len(delays) == ATTEMPTS - 1
    assert all(2 <= delay <= MAX_DELAY_SECONDS for delay in delays)
    assert delays[0] <= 5
    assert min(delays[9:]) >= MAX_DELAY_SECONDS / 2
    (kept,) = world.documents(DEAD)
    assert kept["reason"] == "retries-exhausted"
    assert kept["event"] == DELIVERED
    assert kept["targets"] == [{"function": "outage"}]
    assert world.sqs.messages[DEAD][0]["attributes"]["reason"]["StringValue"] == "retries-exhausted"


def test_an_unknown_function_is_kept_at_once(world: World) -> None:
    world.lambdas.fails["park-nobody"] = error("ResourceNotFoundException", 404)
    world.handle(message({"function": "nobody"}))
    (kept,) = world.documents(DEAD)
    assert kept["reason"] == "target-refused"
    assert "nobody" in kept["message"] and "ResourceNotFoundException" in kept["message"]
    assert RETRY not in world.sqs.messages


def test_a_permission_may_take_a_moment_to_be_known_but_not_for_ever(world: World) -> None:
    world.lambdas.fails["park-outage"] = error("AccessDeniedException", 403)
    world.handle(message())
    tries = 1
    while RETRY in world.sqs.messages:
        world.handle(world.as_batch(RETRY))
        tries += 1
    assert tries == DENIED_ATTEMPTS
    assert [kept["reason"] for kept in world.documents(DEAD)] == ["target-refused"]


def test_an_event_that_does_not_fit_its_schema_reaches_no_target_and_is_kept_with_the_errors(world: World) -> None:
    event = with_detail({"rideId": 6})
    world.handle(message(*TARGETS, event=event))
    assert world.lambdas.invoked == []
    assert world.states.executions == {}
    (kept,) = world.documents(DEAD)
    assert kept["signalbox"] == 1
    assert kept["reason"] == "invalid"
    assert kept["route"] == "waitTimes/outages"
    assert kept["schema"] == ITEM["SchemaHash"]
    assert kept["targets"] == list(TARGETS)
    assert kept["event"] == event
    assert len(kept["errors"]) == 1 and "rideId" in kept["errors"][0]


@pytest.mark.parametrize("detail", [None, "text", 3, [], {"rideId": None}, json.loads('{"rideId": 1e400}')])
def test_no_detail_gets_past_the_schema_or_lost(world: World, detail: Any) -> None:
    event = with_detail(detail)
    world.handle(message(event=event))
    assert world.lambdas.invoked == []
    assert [kept["event"] for kept in world.documents(DEAD)] == [event]


def test_half_a_surrogate_pair_is_handed_on_as_the_escape_that_it_came_as(world: World) -> None:
    event = with_detail({"rideId": "\ud800"})
    world.handle(message(event=event))
    assert world.lambdas.payloads("park-outage") == [event]


def test_an_event_that_the_store_does_not_know_is_kept(world: World) -> None:
    world.dynamo.items.clear()
    world.handle(message())
    assert [kept["reason"] for kept in world.documents(DEAD)] == ["schema-missing"]
    assert world.lambdas.invoked == []


def test_an_event_whose_schema_is_broken_is_kept(world: World) -> None:
    world.dynamo.items["events", "waitTimes"]["Schema"] = {"S": '{"type":"no type"}'}
    world.handle(message())
    assert [kept["reason"] for kept in world.documents(DEAD)] == ["schema-broken"]


def test_while_the_store_does_not_answer_everything_waits(world: World) -> None:
    world.dynamo.error = error("ProvisionedThroughputExceededException")
    world.handle(message(*TARGETS))
    (waiting,) = world.documents(RETRY)
    assert waiting["targets"] == list(TARGETS)
    world.dynamo.error = None
    world.handle(world.as_batch(RETRY))
    assert len(world.lambdas.invoked) + len(world.states.executions) == len(TARGETS)


def test_without_a_retry_queue_the_event_is_kept(world: World) -> None:
    world.sqs.down = {RETRY}
    world.lambdas.fails["park-outage"] = error("ServiceException", 500)
    world.handle(message())
    assert [kept["reason"] for kept in world.documents(DEAD)] == ["retry-failed"]


def test_what_cannot_be_kept_waits_in_the_retry_queue(world: World) -> None:
    world.sqs.down = {DEAD}
    event = with_detail({})
    world.handle(message(event=event))
    assert [waiting["event"] for waiting in world.documents(RETRY)] == [event]


@pytest.mark.parametrize("detail", [{}, {"rideId": "a"}], ids=["invalid", "target down"])
def test_without_both_queues_the_invocation_fails_so_that_lambda_keeps_the_event(world: World, detail: Any) -> None:
    world.sqs.down = {RETRY, DEAD}
    world.lambdas.fails["park-outage"] = error("ServiceException", 500)
    with pytest.raises(CallError):
        world.handle(message(event=with_detail(detail)))


@pytest.mark.parametrize(
    "change",
    [
        {"event": None},
        {"event": {"id": "x"}},
        {"event": {"detail": {}, "id": 3}},
        {"route": None},
        {"route": "no-slash"},
        {"route": "/a"},
        {"route": "a/"},
        {"route": "a/b/c"},
        {"schema": 3},
        {"targets": []},
        {"targets": "outage"},
        {"targets": [{}]},
        {"targets": [{"function": "a", "flow": "b"}]},
        {"targets": [{"topic": "a"}]},
        {"targets": [{"function": "arn:aws:lambda:eu-west-1:1:function:x"}]},
        {"targets": [{"function": "../x"}]},
        {"attempt": 0},
        {"attempt": "2"},
        {"run": 3},
    ],
    ids=str,
)
def test_what_no_rule_sends_starts_nothing_and_is_kept_whole(world: World, change: dict[str, Any]) -> None:
    given_message = message(**{"targets": [{"function": "outage"}], **change}) if change else {}
    given_message |= change
    world.handle(given_message)
    assert world.lambdas.invoked == []
    (kept,) = world.documents(DEAD)
    assert kept["reason"] == "malformed"
    assert kept["input"] == given_message
    assert len(kept["errors"]) == 1


def test_an_event_above_a_flows_limit_is_kept_for_the_flow_alone(world: World) -> None:
    event = with_detail({"rideId": "x" * 262_144})
    world.handle(message({"function": "outage"}, {"flow": "big"}, event=event))
    assert world.lambdas.payloads("park-outage") == [event]
    (kept,) = world.documents(DEAD)
    assert (kept["reason"], kept["targets"]) == ("too-large", [{"flow": "big"}])


def test_an_event_whose_failure_record_would_not_fit_the_queue_is_not_risked(world: World) -> None:
    event = with_detail({"rideId": "x" * 1_030_000})
    world.handle(message(event=event))
    assert world.lambdas.invoked == []
    (kept,) = world.sqs.messages[DEAD]
    assert kept["attributes"]["reason"]["StringValue"] == "too-large"


def test_an_event_of_a_megabyte_survives_every_failure(world: World) -> None:
    text = "".join(random.Random(1).choices(string.ascii_letters + string.punctuation, k=900_000))
    event = with_detail({"rideId": text})
    world.lambdas.fails["park-outage"] = error("ServiceException", 500)
    world.handle(message(event=event))
    assert len(world.sqs.messages[RETRY]) == 1


def test_with_little_time_left_targets_wait_instead_of_being_started_half(world: World) -> None:
    world.context.milliseconds = 5_000
    world.handle(message(*TARGETS))
    assert world.lambdas.invoked == []
    assert [waiting["targets"] for waiting in world.documents(RETRY)] == [list(TARGETS)]


@pytest.mark.parametrize("failing", [set(each) for size in range(4) for each in itertools.combinations("012", size)])
def test_of_a_batch_exactly_the_messages_that_no_queue_takes_come_back(world: World, failing: set[str]) -> None:
    world.sqs.down = {RETRY, DEAD}
    batch = {
        "Records": [
            {
                "messageId": str(index),
                "eventSource": "aws:sqs",
                "body": json.dumps(message(event=with_detail({} if str(index) in failing else {"rideId": "a"}))),
                "messageAttributes": {},
            }
            for index in range(3)
        ]
    }
    answer = world.handle(batch)
    assert {each["itemIdentifier"] for each in answer["batchItemFailures"]} == failing
    assert len(world.lambdas.invoked) == 3 - len(failing)


def test_a_message_on_which_our_own_code_fails_takes_no_neighbour_with_it() -> None:
    def handle(record: Any) -> None:
        seen.append(record["messageId"])
        if record["messageId"] == "1":
            raise ZeroDivisionError

    seen: list[str] = []
    batch = {"Records": [{"messageId": str(index)} for index in range(3)]}
    assert sqs_batch.each(batch, handle) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert seen == ["0", "1", "2"]


@pytest.mark.parametrize("body", ["no json", "[]", "NaN", '"text"'])
def test_a_message_that_is_not_ours_is_kept_and_leaves_the_retry_queue(world: World, body: str) -> None:
    record = {"messageId": "1", "eventSource": "aws:sqs", "body": body, "messageAttributes": {}}
    assert world.handle({"Records": [record]}) == {"batchItemFailures": []}
    assert [kept["reason"] for kept in world.documents(DEAD)] == ["malformed"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(message())) | st.text(), inner),
    )
)
def test_parse_raises_nothing_but_malformed(value: Any) -> None:
    try:
        parse(value)
    except ValueError as problem:
        assert str(problem)


def test_execution_names_differ_by_event_route_flow_and_run_and_by_nothing_else() -> None:
    deliveries = [
        message(),
        message(event={**DELIVERED, "id": "other"}),
        message(route="waitTimes/other"),
        message(run="redrive-1"),
        message(event={**DELIVERED, "replay-name": "replay-1"}),
    ]
    names = [execution_name(parse(each), flow) for each in deliveries for flow in ("a", "b")]
    assert len(set(names)) == len(names)
    assert execution_name(parse(message(attempt=7)), "a") == names[0]


class Stored:
    """A store of schemas that counts its reads."""

    def __init__(self, *schemas: StoredSchema) -> None:
        self.schemas = dict(zip(["one", "two"], schemas, strict=False))
        self.reads = 0

    def read(self, event_id: str) -> StoredSchema | None:
        self.reads += 1
        return self.schemas.get(event_id)


def test_the_hot_path_reads_no_store() -> None:
    stored_schemas = Stored(StoredSchema("h1", "{}"))
    clock = Clock()
    schemas = Schemas(stored_schemas.read, clock.now)
    for _ in range(100):
        schemas.validator("one", "h1")
        clock.sleep(MAX_AGE_SECONDS)
    assert stored_schemas.reads == 1


def test_the_current_schema_stands_in_for_one_that_is_gone_until_it_is_looked_up_anew() -> None:
    stored_schemas = Stored(StoredSchema("h2", '{"type":"object"}'))
    clock = Clock()
    schemas = Schemas(stored_schemas.read, clock.now)
    assert schemas.validator("one", "h1").errors([])
    stored_schemas.schemas["one"] = StoredSchema("h3", "{}")
    assert schemas.validator("one", "h1").errors([])
    clock.sleep(MAX_AGE_SECONDS)
    assert not schemas.validator("one", "h1").errors([])
    assert stored_schemas.reads == 2


def test_that_there_is_no_schema_is_remembered_for_a_while() -> None:
    stored_schemas = Stored()
    clock = Clock()
    schemas = Schemas(stored_schemas.read, clock.now)
    for _ in range(5):
        with pytest.raises(SchemaMissing):
            schemas.validator("one", "h1")
    assert stored_schemas.reads == 1
    stored_schemas.schemas["one"] = StoredSchema("h1", "{}")
    clock.sleep(MAX_AGE_SECONDS)
    assert not schemas.validator("one", "h1").errors([])


def test_remembering_that_there_is_no_schema_costs_no_memory_for_each_event() -> None:
    schemas = Schemas(Stored().read, Clock().now)
    lengths = []
    for _ in range(3):
        with pytest.raises(SchemaMissing) as raised:
            schemas.validator("one", "h1")
        lengths.append(len(raised.traceback))
    assert len(set(lengths)) == 1


def test_the_memory_of_schemas_is_bounded_and_keeps_what_is_used() -> None:
    stored_schemas = Stored(StoredSchema("h1", "{}"))
    schemas = Schemas(stored_schemas.read, Clock().now)
    for number in range(ENTRIES * 3):
        schemas.validator("one", "h1")
        schemas.validator("one", f"gone-{number}")
    assert len(schemas._entries) == ENTRIES
    reads = stored_schemas.reads
    schemas.validator("one", "h1")
    assert stored_schemas.reads == reads
