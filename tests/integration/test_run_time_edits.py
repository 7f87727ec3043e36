"""Edits over HTTP while the system runs, deploys in between, hands on the rules: all under the real engine."""

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.places import ROOT
from sandbox.received import Received, read, wait_until_quiet
from sandbox.stack import PulumiError, Sandbox
from signalbox.cli.api import Api, ApiError
from signalbox.cli.stack import read_stack
from tests.integration.acting import signalbox
from tests.integration.left_over import left_over

BUS = "signalbox-dev"
WARNINGS = {"type": ["Emergency", "Warning"]}
_ENVIRONMENT = threading.Lock()


class Stack:
    """A deployed park whose definitions are a copy, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.mappings = folder / "mappings"
        shutil.copytree(ROOT / "mappings", self.mappings)
        self.sandbox = Sandbox(state=folder / "sandbox", config={"signalbox:mappings": str(self.mappings)})
        self.sandbox.start()
        self.up()
        self.events = self.sandbox.emulator.client("events")

    def up(self, *arguments: str) -> str:
        return self.sandbox.pulumi("up", "--yes", "--skip-preview", *arguments)

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What `python -m signalbox …` says."""
        done = signalbox(self.sandbox, *arguments, code=code, **environment)
        return done.stdout + done.stderr

    def rule(self, name: str) -> Any:
        return self.events.describe_rule(Name=name, EventBusName=BUS)

    def targets(self, rule: str) -> frozenset[str] | None:
        """The ids of a rule's targets; None without such a rule."""
        try:
            found = self.events.list_targets_by_rule(Rule=rule, EventBusName=BUS)["Targets"]
        except self.events.exceptions.ResourceNotFoundException:
            return None
        return frozenset(target["Id"] for target in found)

    def changes(self) -> dict[str, str]:
        steps = json.loads(self.sandbox.pulumi("preview", "--json"))["steps"]
        return {step["urn"].split("::")[3]: step["op"] for step in steps if step["op"] not in ("same", "read")}

    def definition(self, change: Callable[[Any], None]) -> None:
        file = self.mappings / "events" / "outage.yaml"
        document = yaml.safe_load(file.read_text())
        document["samples"] = [sample.get("detail", sample) for sample in document["samples"]]
        change(document["routes"])
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def api(self) -> Api:
        # One at a time: of two that overlap, the second would put back what the first had set.
        with _ENVIRONMENT, pytest.MonkeyPatch.context() as patch:
            for name, value in self.sandbox.environment().items():
                patch.setenv(name, value)
            return Api(read_stack("dev", self.sandbox.config_file, ROOT))

    def edit(self, event: str, change: Callable[[Any], None]) -> None:
        """Change the routes of `event` over HTTP."""
        api = self.api()
        answer = api.get("event", event)
        change(answer.body["routes"])
        api.post("route", event, body=answer.body["routes"], if_match=answer.etag)

    def detail(self, rule: str) -> Any:
        """What the pattern of a rule says of `detail`; None without such a rule."""
        try:
            return json.loads(self.rule(rule)["EventPattern"]).get("detail")
        except self.events.exceptions.ResourceNotFoundException:
            return None

    def send(self, kind: str, detail: Any) -> Received:
        """Put one event on the bus; what was received."""
        since = time.time()
        entry = {"EventBusName": BUS, "Source": "themepark.rides", "DetailType": kind, "Detail": json.dumps(detail)}
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0
        assert wait_until_quiet(self.sandbox.emulator)
        return read(self.sandbox.emulator, since)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    try:
        yield made
    finally:
        made.sandbox.stop()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never became so"
        time.sleep(0.1)


def set_warnings(routes: Any) -> None:
    routes["call-maintenance"]["pattern"] = WARNINGS


def set_all(routes: Any) -> None:
    routes["call-maintenance"]["pattern"] = {"type": ["Emergency", "Warning", "Info"]}


def test_a_night_of_edits_and_the_deploys_of_the_morning(stack: Stack):
    warning = {"rideId": "ride-001", "type": "Warning", "description": "Stopped by operator"}
    stack.run("status")

    # An edit over HTTP becomes a rule, and events take the new way.
    assert stack.send("outage", warning).of("sms") == []
    stack.edit("outage", set_warnings)
    until(lambda: stack.detail("outage.call-maintenance") == WARNINGS)
    assert len(stack.send("outage", warning).of("sms")) == 1
    assert re.search(r"outage/call-maintenance .*edited by arn:aws:", stack.run("status", code=1))

    # A deploy keeps it, and says so; the preview shows that rule alone, as an update.
    told = stack.sandbox.pulumi("preview")
    assert re.search(r"outage/call-maintenance: run-time edit of .* kept; .*already live", told)
    assert stack.changes() == {"outage/call-maintenance": "update"}
    stack.up()
    assert stack.detail("outage.call-maintenance") == WARNINGS
    stack.sandbox.pulumi("refresh", "--yes", "--skip-preview")
    assert stack.changes() == {}
    stack.up("--refresh")
    assert stack.detail("outage.call-maintenance") == WARNINGS

    # Definitions and edit collide: nothing is written, and the words help.
    stack.definition(set_all)
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        with pytest.raises(PulumiError, match="outage/call-maintenance") as stopped:
            stack.sandbox.pulumi(*command)
        assert "signalbox pull" in str(stopped.value)
        assert "signalbox:conflicts" in str(stopped.value)
    assert stack.detail("outage.call-maintenance") == WARNINGS
    shutil.copy(ROOT / "mappings" / "events" / "outage.yaml", stack.mappings / "events" / "outage.yaml")

    # pull takes the edit over; from then on the definitions hold, also when they go back.
    stack.definition(lambda _: None)
    assert "outage/call-maintenance: changed" in stack.run("pull")
    stack.up()
    assert stack.run("pull") == "no run-time edit is live that the definitions do not say\n"
    stack.run("status")
    shutil.copy(ROOT / "mappings" / "events" / "outage.yaml", stack.mappings / "events" / "outage.yaml")
    stack.up()
    assert stack.detail("outage.call-maintenance") == {"type": ["Emergency"]}


def test_hands_on_the_rules_freezes_and_routes_made_at_run_time(stack: Stack):
    # A rule that is changed or deleted behind our back is put right.
    stack.events.disable_rule(Name="outage.call-maintenance", EventBusName=BUS)
    stack.events.remove_targets(Rule="outage.inform-maintenance", EventBusName=BUS, Ids=["maintenance-email"])
    stack.events.delete_rule(Name="outage.inform-maintenance", EventBusName=BUS)
    assert "missing" in stack.run("status", code=1)
    assert "2 calls" not in stack.run("sync")
    assert stack.rule("outage.call-maintenance")["State"] == "ENABLED"
    stack.run("status")
    assert "0 calls changed a rule" in stack.run("sync")

    # A rule of somebody else stays.
    stack.events.put_rule(Name="theirs", EventBusName=BUS, EventPattern='{"source": ["theirs"]}')
    assert "theirs" in stack.run("status")
    stack.run("sync")
    assert stack.rule("theirs")["State"] == "ENABLED"
    stack.events.delete_rule(Name="theirs", EventBusName=BUS)

    # While frozen, edits wait.
    stack.run("freeze", "--why", "an incident")
    stack.run("disable", "outage/call-maintenance")
    stack.run("sync", code=1)
    assert stack.rule("outage.call-maintenance")["State"] == "ENABLED"
    stack.run("thaw")
    assert stack.rule("outage.call-maintenance")["State"] == "DISABLED"
    stack.run("enable", "outage/call-maintenance")
    until(lambda: stack.rule("outage.call-maintenance")["State"] == "ENABLED")
    assert [entry["revision"] for entry in json.loads(stack.run("history", "outage", "--json"))] == [1, 2]
    stack.run("revert", "outage", "1")
    until(lambda: stack.rule("outage.call-maintenance")["State"] == "DISABLED")

    # A route that was made at run time is adopted by the next deploy, without a replace.
    new = {"pattern": {"type": ["Info"]}, "targets": [{"topic": "maintenance-sms"}]}
    stack.edit("outage", lambda routes: routes.update(information=new))
    until(lambda: stack.detail("outage.information") == {"type": ["Info"]})
    assert set(stack.changes().values()) <= {"create", "update"}
    stack.up()
    assert stack.changes() == {}

    # What was made at run time blocks no destroy, once the bus is released.
    stack.edit("outage", lambda routes: routes.update(more=new))
    until(lambda: stack.detail("outage.more") is not None)
    save = stack.mappings.parent / "edits.json"
    assert "next: pulumi destroy" in stack.run("release", "--save", str(save))
    assert "information" in save.read_text()
    begun = time.monotonic()
    stack.sandbox.pulumi("destroy", "--yes", "--skip-preview")
    assert time.monotonic() - begun < 120
    assert left_over(stack.sandbox) == {}


def test_of_many_edits_at_once_none_is_lost(stack: Stack):
    api = stack.api()
    etag = api.get("event", "outage").etag
    routes = api.get("event", "outage").body["routes"]

    def post(number: int, if_match: str | None) -> bool:
        body = {**routes, f"route-{number}": {"targets": [{"topic": "maintenance-sms"}]}}
        try:
            stack.api().post("route", "outage", body=body, if_match=if_match)
        except ApiError as error:
            assert error.status == 412, error
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        made = sum(pool.map(lambda number: post(number, etag), range(50)))
    revision = api.get("event", "outage").body["overrides"]["revision"]
    assert made == revision == 1

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(lambda number: post(number, None), range(50)))
    event = api.get("event", "outage").body
    assert event["overrides"]["revision"] == 51
    entries = json.loads(stack.run("history", "outage", "--json"))
    assert [entry["revision"] for entry in entries] == list(range(1, 52))
    assert event["routes"] == entries[-1]["routes"]

    # Every accepted event reaches the old or the new targets while a route goes to and fro.
    until(lambda: "0 out of step" in stack.run("sync"))
    since = time.time()
    sent: list[str] = []
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            ride = f"ride-{len(sent):03}"
            detail = json.dumps({"rideId": ride, "type": "Emergency", "description": "x"})
            entry = {"EventBusName": BUS, "Source": "themepark.rides", "DetailType": "outage", "Detail": detail}
            assert stack.events.put_events(Entries=[entry])["FailedEntryCount"] == 0
            sent.append(ride)
            time.sleep(0.05)

    publisher = threading.Thread(target=publish)
    publisher.start()
    for number in range(50):
        target = ("maintenance-email", "maintenance-sms")[number % 2]
        api.post("route", "outage", body={"call-maintenance": {"targets": [{"topic": target}]}})
    until(lambda: "0 out of step" in stack.run("sync"))
    done.set()
    publisher.join()
    assert wait_until_quiet(stack.sandbox.emulator)
    received = read(stack.sandbox.emulator, since)
    told = {json.loads(each["message"])["detail"]["rideId"] for each in [*received.of("mail"), *received.of("sms")]}
    assert told == set(sent)


class Watch:
    """Looks at a rule's targets all the time; `seen` are the different sets that it had."""

    def __init__(self, stack: Stack, rule: str) -> None:
        self.seen: list[frozenset[str] | None] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(stack, rule))

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self, stack: Stack, rule: str) -> None:
        while not self._done.is_set():
            ids = stack.targets(rule)
            if not self.seen or self.seen[-1] != ids:
                self.seen.append(ids)
            time.sleep(0.01)


def test_where_the_definitions_win_the_rules_are_right_at_the_end_of_the_up(stack: Stack):
    config = yaml.safe_load(stack.sandbox.config_file.read_text())
    config["config"]["signalbox:conflicts"] = {"default": "definitions"}
    stack.sandbox.config_file.write_text(yaml.safe_dump(config))
    both = [{"topic": "maintenance-sms"}, {"topic": "maintenance-email"}]
    sms, email = frozenset({"maintenance-sms"}), frozenset({"maintenance-email"})
    new = {"pattern": {"type": ["Info"]}, "targets": both[:1]}

    # The engine believes that there are both targets. An edit leaves one, and the definitions choose the other.
    stack.definition(lambda routes: routes["call-maintenance"].update(targets=both))
    stack.up()
    stack.edit("outage", lambda routes: routes["call-maintenance"].update(targets=both[1:], enabled=False))
    until(lambda: stack.targets("outage.call-maintenance") == email)
    stack.definition(lambda routes: routes["call-maintenance"].update(targets=both[:1]))
    with Watch(stack, "outage.call-maintenance") as watch:
        stack.up()
    assert watch.seen[0] == email and watch.seen[-1] == sms
    assert frozenset() not in watch.seen and None not in watch.seen, "the rule was without a target"
    assert stack.rule("outage.call-maintenance")["State"] == "ENABLED"
    stack.run("status")
    assert stack.changes() == {}

    # It believes that the rule is there, which an edit has taken away, and puts a target on it.
    stack.edit("outage", lambda routes: routes.pop("inform-maintenance"))
    until(lambda: stack.targets("outage.inform-maintenance") is None)
    stack.definition(lambda routes: routes["inform-maintenance"].update(targets=both))
    stack.up()
    assert stack.targets("outage.inform-maintenance") == sms | email
    stack.run("status")

    # It knows nothing of a route that was made at run time, whose event the definitions lose.
    stack.edit("outage", lambda routes: routes.update(information=new))
    until(lambda: stack.targets("outage.information") == sms)
    files = [stack.mappings / "events" / "outage.yaml"]
    files += [flow for flow in (stack.mappings / "flows").glob("*.yaml") if "input: outage" in flow.read_text()]
    texts = [file.read_text() for file in files]
    for file in files:
        file.unlink()
    going, reconciling = time.monotonic(), threading.Event()

    def reconcile() -> None:
        """The worst that the schedule could do: hardly a moment without a run."""
        client = stack.sandbox.emulator.client("lambda")
        while not reconciling.is_set():
            with suppress(client.exceptions.TooManyRequestsException):  # it is the deploy's turn
                client.invoke(FunctionName=f"{BUS}-rule_sync", Payload=b"{}")
            time.sleep(0.1)

    busy = threading.Thread(target=reconcile)
    busy.start()
    try:
        stack.up()
    finally:
        reconciling.set()
        busy.join()
    assert time.monotonic() - going < 120
    left = [rule["Name"] for rule in stack.events.list_rules(EventBusName=BUS)["Rules"]]
    assert not [name for name in left if name.startswith("outage.")]
    with pytest.raises(ApiError, match="there is no event"):
        stack.api().get("event", "outage")
    assert "outage" not in [event["id"] for event in stack.api().get("events").body]
    assert stack.changes() == {}

    # The event comes back.
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    stack.up()
    assert stack.targets("outage.call-maintenance") == sms
    assert stack.api().get("event", "outage").body["id"] == "outage"
    stack.run("status")


def test_an_edit_that_was_deployed_and_taken_back_leaves_no_rule_without_a_target(stack: Stack):
    rule, sms, email = "outage.call-maintenance", {"topic": "maintenance-sms"}, {"topic": "maintenance-email"}

    def send_to(*targets: dict[str, str]) -> Callable[[Any], None]:
        return lambda routes: routes["call-maintenance"].update(targets=list(targets))

    stack.edit("outage", send_to(sms, email))
    until(lambda: len(stack.targets(rule) or ()) == 2)
    stack.up()
    stack.edit("outage", send_to(sms))
    until(lambda: stack.targets(rule) == {"maintenance-sms"})
    # The engine believes that the e-mail topic is a target, and takes away the other.
    stack.definition(send_to(email))
    with Watch(stack, rule) as watch:
        stack.up()
    assert watch.seen[0] == {"maintenance-sms"} and watch.seen[-1] == {"maintenance-email"}
    assert frozenset() not in watch.seen, "the rule was without a target"
    stack.run("status")
    assert stack.changes() == {}
