"""Rules of other people's projects, written as definitions: each target receives just what its rule says.

`tests/real_rules` is a project of its own: mappings, the functions that its routes name, in received.yaml what each
target must have received of each sample, and in strangers.yaml events that nothing must take. The rules were read in
the repositories that stand above each route. Patterns and kinds of targets are theirs; names, descriptions, schemas,
samples and what templates say are ours, and accounts and ids are made up. Long lists are shortened, what no rule of
ours can say (tasks of ECS, parameters of HTTP) is left out, and where a rule has no target of its own it got a log
group.
"""

import json
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.emulator import ACCOUNT, REGION, Emulator
from sandbox.places import ROOT
from sandbox.received import Received, read, wait_until_quiet
from sandbox.stack import Sandbox
from signalbox.canonical import canonical
from signalbox.classic import DEFAULT_BUS, bus_name, fed_sources, feed_name, of_aws, rule_targets
from signalbox.definitions import load
from signalbox.definitions.arns import Arn, read_arn
from signalbox.model import TARGET_KINDS, Definitions
from signalbox.names import rule_name
from signalbox.physical_names import created
from signalbox.redrive import DIRECT
from signalbox.samples import sample_event
from tests.integration.acting import signalbox

HERE = ROOT / "tests" / "real_rules"
BUS = "signalbox-dev"
OF_THE_PROGRAM = ("event_store_wrapper", "router", "rule_sync")
"""The functions without which no stack is: the others are the theme park's."""
WHOLE = "event"
"""What received.yaml says where a target receives the event as it is."""
Event = Mapping[str, Any]


def definitions_in(project: Path) -> Definitions:
    found, _ = load(project / "mappings", project / "functions", own_bus=BUS, account=ACCOUNT, region=REGION)
    return found


def make_project(folder: Path) -> Path:
    """The program with the definitions and functions of `tests/real_rules` in place of the theme park's."""
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    for name in ("components", "signalbox", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    for name in OF_THE_PROGRAM:
        shutil.copytree(ROOT / "functions" / name, folder / "functions" / name)
    shutil.copytree(HERE / "functions", folder / "functions", dirs_exist_ok=True)
    shutil.copytree(HERE / "mappings", folder / "mappings")
    return folder


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The far end of every API destination: what was asked of it, by the last part of the path."""

    server: ThreadingHTTPServer
    requests: list[tuple[str, Any]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    requests: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers.get("Authorization") == "of the connection"
            if known:
                requests.append((self.path.rpartition("/")[2], json.loads(body)))
            self.send_response(200 if known else 403)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Endpoint(server, requests)
    server.shutdown()
    server.server_close()


class Others:
    """What the definitions name by ARN and others own: buses that events come from and go to, state machines, streams,
    a Firehose stream with its bucket, connections, and the roles for what the emulator has nothing behind."""

    def __init__(self, emulator: Emulator, definitions: Definitions) -> None:
        self.emulator = emulator
        self.client = emulator.client
        for bus in fed_sources(definitions.events.values()):
            if bus != DEFAULT_BUS:
                self.client("events").create_event_bus(Name=bus)
        for destination in definitions.destinations.values():
            if destination.arn:
                arn = read_arn(destination.arn)
                match arn.service:
                    case "events":
                        self._bus(arn)
                    case "states":
                        self._state_machine(_own_name(arn))
                    case "kinesis":
                        self.client("kinesis").create_stream(StreamName=_own_name(arn), ShardCount=1)
                    case "firehose":
                        self._delivery_stream(_own_name(arn))
            if destination.connection:
                self._connection(_own_name(read_arn(destination.connection)).split("/")[0])
            if destination.role:
                self._role(destination.role, "events", "firehose:PutRecord", destination.arn or "")

    def _connection(self, name: str) -> None:
        """With the key that the endpoint takes."""
        key = {"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "of the connection"}}
        self.client("events").create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=key)

    def _bus(self, arn: Arn) -> None:
        """A bus of another account or Region, open to ours."""
        there = replace(self.emulator, region=arn.region)
        events = there.client("events", aws_access_key_id=arn.account, aws_secret_access_key="any")
        name = _own_name(arn)
        if name != DEFAULT_BUS:
            events.create_event_bus(Name=name)
        if arn.account != ACCOUNT:
            events.put_permission(
                EventBusName=name, Action="events:PutEvents", Principal=ACCOUNT, StatementId="signalbox"
            )

    def _state_machine(self, name: str) -> None:
        definition = json.dumps({"StartAt": "Take", "States": {"Take": {"Type": "Pass", "End": True}}})
        role = self._role(f"arn:aws:iam::{ACCOUNT}:role/{name}", "states")
        self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)

    def _delivery_stream(self, name: str) -> None:
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        role = self._role(f"arn:aws:iam::{ACCOUNT}:role/{name}-writer", "firehose")
        bucket = {"BucketARN": f"arn:aws:s3:::{name}", "RoleARN": role}
        self.client("firehose").create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=bucket
        )

    def _role(self, arn: str, service: str, action: str = "", resource: str = "") -> str:
        name, iam = arn.rpartition("/")[2], self.client("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))
        if action:
            allow = {"Effect": "Allow", "Action": action, "Resource": resource}
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_document(allow))
        return arn


def _own_name(arn: Arn) -> str:
    """The name of what an ARN of the form `<kind>/<name>` or `<kind>:<name>` is of."""
    return re.split("[/:]", arn.resource, maxsplit=1)[-1]


def _document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class Sent:
    """All samples and strangers, each sent once, and what came of them."""

    sandbox: Sandbox
    endpoint: Endpoint
    definitions: Definitions
    samples: Mapping[str, tuple[str, tuple[str, ...], Event]]
    """By the event's id: its id in the definitions, the routes that the sample says, the event itself."""
    strangers: Mapping[str, bool]
    """By the event's id: does it come to our bus?"""
    received: Received
    by_target: Mapping[str, list[Any]]
    """What each target has received, read where it ends up."""


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[Sent]:
    """The rules deployed by the real engine, and every sample sent on the bus on which it would arrive."""
    project = make_project(tmp_path_factory.mktemp("real-rules"))
    definitions = definitions_in(project)
    sandbox = Sandbox(
        state=tmp_path_factory.mktemp("sandbox"),
        project=project,
        config={
            "signalbox:subscriptions": {
                each.name: [f"{each.name}@example.com"]
                for each in definitions.destinations.values()
                if each.kind == "topic"
            }
        },
    )
    sandbox.start()
    try:
        yield _send(sandbox, definitions, endpoint)
    finally:
        sandbox.stop()


def _send(sandbox: Sandbox, definitions: Definitions, endpoint: Endpoint) -> Sent:
    emulator = sandbox.emulator
    Others(emulator, definitions)
    sandbox.pulumi("up", "--yes", "--skip-preview")
    for destination in emulator.client("events").list_api_destinations()["ApiDestinations"]:
        # Definitions take https only, and the names of others must not be called.
        emulator.client("events").update_api_destination(
            Name=destination["Name"], InvocationEndpoint=f"{endpoint.url}/{destination['Name']}"
        )

    samples: dict[str, tuple[str, tuple[str, ...], Event]] = {}
    for event in definitions.events.values():
        for sample in event.samples:
            made = sample_event(event, sample)
            bus = bus_name(event.from_bus) if event.from_bus else DEFAULT_BUS if of_aws(made["source"]) else BUS
            assert sample.routes is not None
            assert made["id"] not in samples, "two samples of one id"
            samples[made["id"]] = (event.id, sample.routes, made)
            emulator.emit(made, bus=bus)
    strangers: dict[str, bool] = {}
    for stranger in yaml.safe_load((HERE / "strangers.yaml").read_text()):
        strangers[emulator.emit(stranger, bus=stranger["bus"])] = stranger["fed"]
    assert wait_until_quiet(emulator)
    received = read(emulator)
    by_target = _by_target(emulator, definitions, received, endpoint)
    return Sent(sandbox, endpoint, definitions, samples, strangers, received, by_target)


def _by_target(
    emulator: Emulator, definitions: Definitions, received: Received, endpoint: Endpoint
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        name: [each["event"] for each in received.of("function", function=f"{BUS}-{name}")]
        for name, function in definitions.functions.items()
        if function.target
    }
    for flow in definitions.flows:
        found[flow] = [each["input"] for each in received.of("run", machine=f"{BUS}-{flow}")]
    for name, destination in definitions.destinations.items():
        made, others = created(BUS, destination), _own_name(read_arn(destination.arn or ""))
        match destination.kind:
            case "topic":
                mails = received.of("mail", to=f"{name}@example.com")
                found[name] = [_parsed(each["message"]) for each in mails]
            case "queue":
                found[name] = [
                    {"group": each["group"], "body": each["body"]} if "group" in each else each["body"]
                    for each in received.queues[made]
                ]
            case "log-group":
                found[name] = list(received.log_events[made])
            case "bus":
                found[name] = [each["event"] for each in received.of("event", arn=destination.arn)]
            case "state-machine":
                found[name] = [each["input"] for each in received.of("run", machine=others)]
            case "stream":
                found[name] = _of_stream(emulator, others)
            case "api-destination":
                found[name] = [body for path, body in endpoint.requests if path == made]
            case "arn" if read_arn(destination.arn or "").service == "firehose":
                found[name] = _of_bucket(emulator, others)
            case _:
                recorded = received.of("delivery", arn=destination.arn, status="recorded")
                found[name] = [_parsed(each["input"]) for each in recorded]
    return found


def _of_stream(emulator: Emulator, name: str) -> list[Any]:
    client = emulator.client("kinesis")
    shard = client.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    start = client.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = client.get_records(ShardIterator=start["ShardIterator"])["Records"]
    return [{"key": each["PartitionKey"], "body": _parsed(each["Data"])} for each in records]


def _of_bucket(emulator: Emulator, name: str) -> list[Any]:
    client = emulator.client("s3")
    objects = client.list_objects_v2(Bucket=name).get("Contents", [])
    return [_parsed(client.get_object(Bucket=name, Key=each["Key"])["Body"].read()) for each in objects]


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.fixture(scope="module")
def expected() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """By the event's id and the route: what each target receives."""
    return yaml.safe_load((HERE / "received.yaml").read_text())


def filled(what: Any, event: Event) -> Any:
    """What received.yaml says, with the event itself where it says so."""
    if isinstance(what, dict) and "body" in what:
        return {**what, "body": filled(what["body"], event)}
    return event if what == WHOLE else what


def in_order(messages: Iterable[Any]) -> list[str]:
    return sorted(canonical(each) for each in messages)


def test_there_are_forty_rules_of_every_kind(sent: Sent):
    definitions = sent.definitions
    routes = list(definitions.routes())
    assert len(routes) >= 40
    assert {target.kind for route in routes for target in route.targets} == set(TARGET_KINDS)
    buses = set(fed_sources(definitions.events.values()))
    assert DEFAULT_BUS in buses
    assert any(bus.startswith("aws.partner/") for bus in buses)
    for file in sorted((HERE / "mappings" / "events").glob("*.yaml")):
        text = file.read_text()
        named = re.findall(r"^  # https://github\.com/[\w.-]+/[\w.-]+: \S+", text, re.MULTILINE)
        assert len(named) == len(definitions.events[file.stem].routes), f"{file.name}: say where each rule is from"


def test_every_rule_takes_a_sample_and_leaves_another(sent: Sent):
    for route in sent.definitions.routes():
        ways = [route.name in routes for event, routes, _ in sent.samples.values() if event == route.event_id]
        assert any(ways), f"no sample takes {route.id}"
        if route.pattern or route.envelope:
            assert not all(ways), f"every sample takes {route.id}"


def test_what_is_received_and_the_samples_say_the_same_routes(sent: Sent, expected: Any):
    for id, (event, routes, _) in sent.samples.items():
        of_its_event = {each for each in expected.get(id, {}) if each.startswith(f"{event}/")}
        assert of_its_event == {f"{event}/{route}" for route in routes}, id


def test_each_event_comes_to_our_bus_once_and_only_what_is_wanted_is_fed(sent: Sent):
    on_bus = Counter(each["event"]["id"] for each in sent.received.of("event", bus=BUS))
    assert on_bus == Counter([*sent.samples, *(id for id, fed in sent.strangers.items() if fed)])


def test_exactly_the_rules_that_take_an_event_deliver_it_once_to_each_target(sent: Sent, expected: Any):
    delivered = Counter((each["event"], each["rule"], each["target"]) for each in sent.received.of("delivery", bus=BUS))
    targets = {
        route.id: (rule_name(route.event_id, route.name), rule_targets(sent.definitions.events[route.event_id], route))
        for route in sent.definitions.routes()
    }
    assert delivered == Counter(
        (id, targets[route][0], target.id)
        for id, routes in expected.items()
        for route in routes
        for target in targets[route][1]
    )


def test_each_target_receives_what_the_rule_s_author_meant(sent: Sent, expected: Any):
    for name, messages in _wanted(sent, expected).items():
        assert messages, f"nothing is sent to {name}"
        assert in_order(sent.by_target[name]) == in_order(messages), name


def _wanted(sent: Sent, expected: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """By target what `expected` says."""
    wanted: dict[str, list[Any]] = {name: [] for name in sent.by_target}
    for id, routes in expected.items():
        for targets in routes.values():
            for name, what in targets.items():
                wanted[name].append(filled(what, sent.samples[id][2]))
    return wanted


def test_nothing_is_lost_on_the_way(sent: Sent):
    assert sent.received.queues.get(f"{BUS}-undelivered", []) == []
    assert {each["status"] for each in sent.received.of("delivery")} == {"delivered", "recorded"}
    assert (sent.received.of("lost"), sent.received.of("denied")) == ([], [])


def test_redriven_each_target_receives_what_its_rule_had_given_it(sent: Sent, expected: Any):
    """As if every delivery had failed: a dead letter for each, and each target has everything a second time."""
    deliveries = sent.received.of("delivery", bus=BUS)
    # PutEvents to a bus of another account is not in the emulator.
    abroad = {each["target"] for each in deliveries if read_arn(each["arn"]).account != ACCOUNT}
    lost = [each for each in deliveries if each["target"] not in abroad]
    for each in lost:
        dead_letter(sent, f"{BUS}/{each['rule']}", each["arn"], sent.samples[each["event"]][2])
    told = redriven(sent, code=1)
    assert len(told) == len(lost)
    only_by_eventbridge = Counter(each["target"] for each in lost if not _can_be_reached(each["arn"]))
    stays = Counter(stays["why"].partition(":")[0].split(" ")[1] for each in told for stays in each["stays"])
    assert stays == only_by_eventbridge
    received = read(sent.sandbox.emulator)
    assert len(received.queues[f"{BUS}-undelivered"]) == sum(stays.values())
    # A flow has run for the event in the same run of the Router, and does not run for it again.
    flows = {route for routes in expected.values() for route in routes if {*routes[route]} & {*sent.definitions.flows}}
    again = _by_target(sent.sandbox.emulator, sent.definitions, received, sent.endpoint)
    more = _wanted(sent, {id: {r: to for r, to in routes.items() if r not in flows} for id, routes in expected.items()})
    for name, messages in sent.by_target.items():
        wanted = messages if name in stays or name in abroad else [*messages, *more[name]]
        if (destination := sent.definitions.destinations.get(name)) and destination.kind == "bus":
            # A new event of the same content: nobody but EventBridge gives an event its id.
            assert in_order(each["detail"] for each in again[name]) == in_order(each["detail"] for each in wanted)
        else:
            assert in_order(again[name]) == in_order(wanted), name


def test_what_missed_our_bus_is_redriven_to_all_that_can_have_it(sent: Sent):
    _, _, event = sent.samples["account-made"]  # two functions should have it, and a bus that takes no events of AWS
    before = len(read(sent.sandbox.emulator).queues[f"{BUS}-undelivered"])
    dead_letter(sent, feed_name(BUS, DEFAULT_BUS), f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}", event)
    since = time.time()
    (told,) = (each for each in redriven(sent, code=1) if each["event"] == event["id"])
    assert (told["sent"], told["targets"]) == (True, ["function remediate", "function chat", "bus central (stays)"])
    received = read(sent.sandbox.emulator, since)
    functions = [each for each in received.of("function") if each["event"].get("id") == event["id"]]
    assert sorted(each["function"] for each in functions) == [f"{BUS}-chat", f"{BUS}-remediate"]
    messages = received.queues[f"{BUS}-undelivered"]
    assert len(messages) == before + 1
    (left,) = (each["body"] for each in messages if each["body"].get("reason") == "redrive")
    assert (left["route"], left["targets"]) == ("control-tower-event/forward", [{"bus": "central"}])


def dead_letter(sent: Sent, rule: str, target: str, event: Event) -> None:
    """What EventBridge leaves of an event that could not be delivered. `rule` is `<bus>/<name>`, or a name."""
    sqs = sent.sandbox.emulator.client("sqs")
    attributes = {
        "RULE_ARN": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}",
        "TARGET_ARN": target,
        "ERROR_CODE": "NO_PERMISSIONS",
    }
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=f"{BUS}-undelivered")["QueueUrl"],
        MessageBody=json.dumps(event),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )


def redriven(sent: Sent, code: int) -> list[dict[str, Any]]:
    """What `python -m signalbox redrive --send` tells of each message, once all work is done that it has begun."""
    done = signalbox(sent.sandbox, "redrive", "--send", "--json", code=code)
    assert wait_until_quiet(sent.sandbox.emulator, 120)
    return json.loads(done.stdout)["messages"]


def _can_be_reached(arn: str) -> bool:
    """By others than EventBridge?"""
    there = read_arn(arn)
    return there.service in DIRECT or there.resource.startswith("event-bus/")
