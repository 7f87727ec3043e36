"""One run: a stack whose definitions, routes and rules change from all sides at once, and what must hold all the while.

The code under test is the product's own: `signalbox.effective.plan` and what it calls, `signalbox.overrides`, the
reconciler and both AWS adapters. Around it are the fakes of `cloud`, an engine that applies plans as Pulumi does, and
operators.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from signalbox.aws.machines import StepFunctionsMachines
from signalbox.aws.rules import EventBridgeRules, rules_on_bus
from signalbox.aws.store import BusyError, DynamoStore, StoreError, read_store
from signalbox.classic import ROUTER, RULES_PER_BUS, TARGETS_PER_RULE, Rule, mark, rule_of
from signalbox.conflicts import Policy
from signalbox.effective import effective_config, stored
from signalbox.model import Event, Route, route_from_config
from signalbox.names import rule_name
from signalbox.overrides import Edit, PreconditionFailed, Refused, apply_edit, make_edit, named_flows
from signalbox.plan import Plan, plan
from signalbox.problems import errors
from signalbox.reconcile import (
    FAILED,
    IN_STEP,
    KEPT_OLD,
    Bus,
    Reconciler,
    Report,
    begin,
    clashes,
    restore,
    settle,
)
from signalbox.reconcile.calls import ATTEMPTS
from signalbox.reconcile.ports import RETRYABLE, RulesError
from signalbox.store import (
    CONTROL,
    DECISION,
    DEPLOY,
    EVENTS,
    FLOW,
    FREEZE,
    GONE,
    HISTORY,
    OVERRIDE,
    PK,
    RELEASE,
    SK,
    SYNC,
    TARGET,
    StoreSnapshot,
    control_item,
    declared_config,
    event_item,
    from_attributes,
    gone_item,
    target_item,
    to_attributes,
)
from tests.simulation import oracle
from tests.simulation.cloud import Cloud, DynamoClient, EventsClient, Image, Key, StatesClient
from tests.simulation.faults import Faults
from tests.simulation.flows import PLANT, Flows
from tests.simulation.scheduling import Actor, Scheduler

STACK = "dev"
TABLE = "dev-store"
DLQ = "arn:aws:sqs:eu-central-1:1:dev-undelivered"
EVENT_IDS = ("outage", "ride.wait")
ROUTES = ("a", "b", "c", "x")
TOPICS = tuple(f"t{n}" for n in range(1, 8))
FUNCTIONS = ("f1", "f2")
PATTERNS = (None, {"type": ["Info"]}, {"type": ["Info", "Warning"]}, {"wait": [{"numeric": [">", 60]}]})

Config = dict[str, Any]
RouteKey = tuple[str, str]


class DiedError(StoreError):
    """A deploy dies here because the story says so."""


class Violation(AssertionError):  # what is broken is a promise
    """Something that must hold did not."""


@dataclass(frozen=True)
class Revision:
    """The definitions at one commit."""

    events: Mapping[str, Mapping[str, Config]]
    topics: tuple[str, ...]

    def parsed(self) -> dict[str, Event]:
        return {event_id: event_of(event_id, routes) for event_id, routes in self.events.items()}

    def targets(self) -> frozenset[tuple[str, str]]:
        return frozenset({*(("topic", each) for each in self.topics), *(("function", each) for each in FUNCTIONS)})


@dataclass
class Trace:
    """What the world remembers of a running actor that writes rules."""

    start: int
    snapshot: int = 0
    streak: int = 0
    longest_streak: int = 0
    stale: bool = False
    planned: oracle.Plan | None = None
    desired: dict[str, tuple[Image | None, Image | None]] = field(default_factory=dict)
    """Deploys: (decision item, event item) by event, as they will be."""


@dataclass
class Watched:
    """What the world knows of one route's rule while the system runs."""

    versions: list[tuple[int, Config | None]] = field(default_factory=list)
    in_step: int = 0
    excused: bool = False
    """Two writers at once, or somebody's hand: no promise until it is in step again."""


class Clock:
    """Virtual time: sleeping lets others run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.time = 1_700_000_000.0
        self._scheduler = scheduler

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self._scheduler.point()


class NoMetrics:
    """Numbers that nobody looks at."""

    def put(self, values: Mapping[str, float]) -> None:
        """Nothing."""


class TracedStore(DynamoStore):
    """The store, telling when a snapshot began."""

    trace: Trace
    cloud: Cloud

    def snapshot(self) -> StoreSnapshot:
        self.trace.snapshot = self.cloud.tick
        return super().snapshot()


def event_of(event_id: str, routes: Mapping[str, Config]) -> Event:
    """An event of the simulated definitions."""
    return Event(
        id=event_id,
        source=("park",),
        detail_type=(event_id,),
        schema={"type": "object"},
        routes={name: route_from_config(event_id, name, config) for name, config in routes.items()},
    )


def target_arn(name: str) -> str:
    """The ARN that the fakes give a target."""
    return f"arn:aws:any:eu-central-1:1:{name}"


def rule_fields(event_id: str, route: Route) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """The rule of a route and its targets by id, in the API's form: what the deploy declares."""
    rule = rule_of(event_of(event_id, {}), route, STACK)
    targets: dict[str, dict[str, Any]] = {}
    for target in rule.targets:
        made: dict[str, Any] = {
            "Id": target.id,
            "Arn": target_arn(target.id),
            "RetryPolicy": {
                "MaximumRetryAttempts": target.retry.attempts,
                "MaximumEventAgeInSeconds": target.retry.max_age_seconds,
            },
            "DeadLetterConfig": {"Arn": DLQ},
        }
        if target.input_template is not None:
            made["InputTransformer"] = {"InputTemplate": target.input_template}
        targets[target.id] = made
    return {"EventPattern": rule.pattern, "State": rule.state, "Description": rule.description}, targets


class World:
    """One seed."""

    def __init__(self, seed: int, covered: Counter[str]) -> None:
        self.seed = seed
        self.rng = rng = Random(seed)
        self.covered = covered
        rate = rng.choice((0.0, 0.03, 0.06, 0.12, 0.25))
        self.faults = Faults(Random(rng.random()), rate, covered)
        self.scheduler = Scheduler(Random(rng.random()), rng.choice((0.1, 0.3, 0.6)))
        self.quota = rng.choice((RULES_PER_BUS, RULES_PER_BUS, RULES_PER_BUS, 9))
        self.cloud = Cloud(
            Random(rng.random()),
            self.scheduler,
            self.faults,
            page=rng.choice((1, 2, 3, 100)),
            quota=self.quota,
            ticks_of_staleness=4,
        )
        self.clock = Clock(self.scheduler)
        self.dynamo = DynamoClient(self.cloud)
        self.events = EventsClient(self.cloud)
        self.states = StatesClient(self.cloud)
        self.store = DynamoStore(self.dynamo, TABLE)
        self.oracle = oracle.Oracle()
        self.most = rng.choice((1, 1, 2, 3))
        self.two_deploys = rng.random() < 0.15
        self.races = rng.random() < 0.35
        self.weights = rng.choice(((6, 4, 3, 1, 1), (6, 2, 3, 1, 1), (4, 6, 2, 1, 1), (3, 2, 4, 3, 3)))
        """How often it is an edit, a deploy, the schedule, somebody's hand, freeze or release."""
        self.crowded = rng.random() < 0.3
        """Most routes have five targets, so that calls have many entries to fail."""
        self.shrinking = rng.random() < 0.3
        """Definitions lose events and targets all the time, so that there is much to delete, also while people edit."""
        self.races |= self.shrinking
        self.edited_events = rng.choice((EVENT_IDS, EVENT_IDS[:1]))
        self.edited_routes = rng.choice((ROUTES, ROUTES[:2], ROUTES[:1]))
        self.uncertain: set[str] = set()
        """Events on which two deploys were at work at once: Pulumi's lock forbids it, and promises nothing then."""
        self.traces: dict[str, Trace] = {}
        self.posting: dict[str, tuple[str, dict[str, Config], tuple[int, str | None] | None]] = {}
        self.accepted: Counter[str] = Counter()
        self.watched: dict[str, Watched] = {}
        self.others_wrote: dict[str, int] = {}
        self.store_changed = 0
        self.engine: dict[tuple[str, ...], Any] = {}
        self.revisions = [self._first_revision()]
        self.at_revision = -1
        self.pending = 0
        self.foreign = self._foreign_rules()
        self.flows = Flows(Random(rng.random()), self.cloud, self.faults, self.store, self.clock)
        self.hands = self.words = 0
        self.count = 0
        self.cloud.watcher = self

    # -- the run

    def run(self) -> None:
        """Plays the seed. Raises Violation."""
        try:
            rate, self.faults.rate = self.faults.rate, self.faults.rate * self.rng.choice((0, 0, 0, 1))
            self._start_deploy()
            self._drain()
            if self.flows.on and self.rng.random() < 0.2:
                self._move_a_route()
            elif self.rng.random() < 0.2:
                stories = (
                    self._crowd_a_route,
                    self._take_a_route_away,
                    self._take_an_edit_back,
                    self._edit_behind_a_deploy,
                    self._die_twice,
                    self._die_unrecorded,
                    self._die_undeclared,
                    self._back_and_forth,
                    self._edit_an_edited_route,
                )
                self.rng.choice(stories)()
            self.faults.rate = rate
            for _ in range(self.rng.randint(6, 14)):
                while len(self.scheduler.active) >= self.most:
                    self._step()
                self._start_something()
                for _ in range(self.rng.randint(0, 6)):
                    if self.scheduler.active:
                        self._step()
            self._drain()
            self._quiet()
        finally:
            self.scheduler.stop()

    def _step(self) -> None:
        self.scheduler.step()

    def _drain(self) -> None:
        while self.scheduler.active:
            self._step()

    def _start_something(self) -> None:
        running = {actor.kind for actor in self.scheduler.active}
        if self.pending and self.rng.random() < 0.35:
            self._deliver()
            return
        if self.flows.on and self.rng.random() < 0.4:
            if not (self.races and self._flow_race()):
                self._start("api", lambda actor: self.flows.act(actor.name))
            return
        what = self.rng.choices(("edit", "deploy", "schedule", "hand", "control"), self.weights)[0]
        if what == "edit":
            if "deploy" in running:
                self.faults.hit("edit while a deploy runs")
            self._start("api", self._edit)
        elif what == "deploy" and ("deploy" not in running or self.two_deploys):
            if "deploy" in running:
                self.faults.hit("two deploys at once")
            self._start_deploy()
            if self.races:
                self._race()
        elif what == "schedule":
            self._start_reconciler()
        elif what == "hand":
            self._hand()
        elif what == "control":
            self._control()

    def _race(self) -> None:
        """People edit while a deploy begins: before, while and after it reads."""
        for _ in range(self.rng.randint(1, 3)):
            self.faults.hit("edit while a deploy runs")
            self._start("api", self._edit)
            for _ in range(self.rng.randint(0, 20)):
                if self.scheduler.active:
                    self._step()

    def _move_a_route(self) -> None:
        """A flow with a route to it; the route goes elsewhere, where there may be nothing; then the flow, and it comes
        back at once: each step is over before the next, and nothing is wrong."""
        elsewhere = self.rng.choice(("", "fl2"))
        self._one_after_the_other(
            ("api", lambda actor: self.flows.post(actor.name, "fl1")),
            ("api", lambda actor: self.flows.post(actor.name, "fl2")),
            ("reconciler", self._reconcile),
            ("api", lambda actor: self._edit(actor, lambda live: _naming(live, "fl1"))),
            ("reconciler", self._reconcile),
            ("api", lambda actor: self._edit(actor, lambda live: _naming(live, elsewhere))),
            ("api", lambda _: self.flows.delete("fl1")),
            ("reconciler", self._reconcile),
            ("api", lambda actor: self.flows.post(actor.name, "fl1")),
            ("reconciler", self._reconcile),
        )

    def _crowd_a_route(self) -> None:
        """Edits each of which fits the rule with the one before, and the last of which does not with what is live."""
        few, more = TOPICS[:2], TOPICS[2:5]
        self._one_after_the_other(
            self._edit_a(),
            self._edit_a(*few),
            ("reconciler", self._reconcile),
            self._edit_a(*few, *more),
            self._edit_a(*more),
            self._edit_a(*more, *TOPICS[5:]),
            ("reconciler", self._reconcile),
        )

    def _take_a_route_away(self) -> None:
        """An edit does, and the definitions, which win, have it send to one more."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._edit_a(),
            ("reconciler", self._reconcile),
            self._deploy_a("t1", "t2", choice="definitions"),
        )

    def _take_an_edit_back(self) -> None:
        """One was deployed, another is live, and none is wanted any more: the engine would take away what is live, and
        believe the rest to be there."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._edit_a("t1", "t2"),
            self._deploy_a("t1"),
            self._edit_a("t2"),
            ("reconciler", self._reconcile),
            self._edit_a("t1"),
            self._deploy_a("t1"),
        )

    def _back_and_forth(self) -> None:
        """Of two targets an edit leaves one, the next the other, and the definitions choose the first, which the engine
        believes to be there: so may a list that is old."""
        self._one_after_the_other(
            self._deploy_a("t1", "t2", choice="definitions"),
            self._edit_a("t1"),
            ("reconciler", self._reconcile),
            self._edit_a("t2"),
            ("reconciler", self._reconcile),
            self._deploy_a("t1", choice="definitions"),
        )

    def _edit_an_edited_route(self) -> None:
        """An edit is deployed, for which the engine takes a target away that another edit wants meanwhile."""
        edit = self._edit_a("t2")[1]

        def edit_and_follow(actor: Actor) -> None:
            edit(actor)
            self.reconcile_once(f"{actor.name} aside")
            for rule in self._ours():
                watched = self._watch(rule)  # one after the other, though the world knows of two writers
                watched.excused &= not self._is_live(rule, watched.versions[-1][1])

        self._one_after_the_other(
            self._deploy_a("t1", "t2", choice="definitions"),
            self._edit_a("t1"),
            ("reconciler", self._reconcile),
            self._deploy_a("t1", "t2", meanwhile=edit_and_follow),
        )

    def _die_unrecorded(self) -> None:
        """A deploy dies when an item is written, and the engine does not know that it is."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._deploy_a("t1", "t2", dies="unrecorded"),
            ("reconciler", self._reconcile),
            self._deploy_a("t1"),
        )

    def _die_undeclared(self) -> None:
        """A deploy is told to give an edit up and dies when it has decided so, and before it declares what takes the
        edit's place."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._edit_a("t2"),
            ("reconciler", self._reconcile),
            self._deploy_a("t3", choice="definitions", dies=EVENTS),
            ("reconciler", self._reconcile),
        )

    def _die_twice(self) -> None:
        """One deploy dies before it takes away, the next before it writes rules; in between the reconciler does what
        the first left undone. The engine would believe of two targets that they are there."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._deploy_a("t2", dies=self.rng.choice(("settle", "delete"))),
            ("reconciler", self._reconcile),
            self._deploy_a("t1", dies="rule"),
            self._deploy_a("t1"),
        )

    def _edit_behind_a_deploy(self) -> None:
        """An edit that it has not read, and that the next deploy is told to give up: nothing is declared anew."""
        self._one_after_the_other(
            self._deploy_a("t1", choice="definitions"),
            self._deploy_a("t1", "t2", meanwhile=self._edit_a("t3")[1]),
            ("reconciler", self._reconcile),
            self._deploy_a("t1", "t2", choice="definitions"),
        )

    def _edit_a(self, *topics: str) -> tuple[str, Callable[[Actor], None]]:
        """Somebody has the one route of an event send to `topics`, or there be none."""
        return "api", lambda actor: self._edit(actor, lambda _: _sends(*topics), self.edited_events[0])

    def _deploy_a(
        self, *topics: str, choice: str = "fail", meanwhile: Callable[[Actor], None] | None = None, dies: str = ""
    ) -> tuple[str, Callable[[Actor], None]]:
        """A deploy of the one route of an event; `meanwhile` happens when it has read the store, and it `dies`
        before its first item of EVENTS, its first "rule", when it would "settle", before its first "delete", or with an
        event's item "unrecorded"."""

        def deploy(actor: Actor) -> None:
            events = {**self.revisions[-1].events, self.edited_events[0]: _sends(*topics)}
            self.revisions.append(Revision(events, TOPICS))
            self.at_revision = len(self.revisions) - 1
            self._deploy(actor, self.revisions[-1], choice, {}, meanwhile, dies)

        return "deploy", deploy

    def _one_after_the_other(self, *steps: tuple[str, Callable[[Actor], None]]) -> None:
        """Nothing else happens meanwhile, and nothing goes wrong."""
        rate, self.faults.rate = self.faults.rate, 1e-9
        for kind, main in steps:
            self._start(kind, main)
            self._drain()
        self.faults.rate = rate

    def _flow_race(self) -> bool:
        """One deletes a flow that nobody names while another makes a route name it. False: there is no such flow."""
        free = [flow_id for flow_id in self.flows.there() if not self._is_named(flow_id)]
        if not free:
            return False
        self.faults.hit("flow deleted while it is named")
        flow_id = self.rng.choice(free)
        self._start("api", lambda _: self.flows.delete(flow_id))
        self._start("api", lambda actor: self._edit(actor, lambda live: _naming(live, flow_id)))
        return True

    def _start(self, kind: str, main: Callable[[Actor], None]) -> Actor:
        self.count += 1
        return self.scheduler.start(kind, f"{kind}-{self.count}", main)

    def _deliver(self) -> None:
        """The stream hands over what it has, or does not: the reconciler must not depend on it."""
        fate = self.rng.random()
        if fate < 0.15:
            self.faults.hit("stream dropped")
            self.pending -= 1
            return
        if fate < 0.2:
            self.faults.hit("stream expired")
            self.pending = 0
            return
        if fate < 0.3:
            self.faults.hit("stream duplicated")
            self.pending += 1
        elif fate < 0.4 and self.pending > 1:
            # A record says nothing but that something changed, so another order is another number at most.
            self.faults.hit("stream reordered")
        self.pending -= 1
        self._start_reconciler()

    # -- definitions

    def _config(self, topics: tuple[str, ...]) -> Config:
        count = self.rng.choices((1, 2, 3, 4, 5), (1, 1, 2, 3, 9) if self.crowded else (5, 4, 2, 1, 2))[0]
        names = self.rng.sample([*topics, *FUNCTIONS], min(count, len(topics)))
        config: Config = {}
        pattern = self.rng.choice(PATTERNS)
        if pattern is not None:
            config["pattern"] = pattern
        config["targets"] = [{"function" if name in FUNCTIONS else "topic": name} for name in names]
        if self.rng.random() < 0.12:
            config["enabled"] = False
        if self.rng.random() < 0.1:
            config["retry"] = {"attempts": self.rng.randint(0, 3)}
        return config

    def _first_revision(self) -> Revision:
        events = {each: {r: self._config(TOPICS) for r in ROUTES[: self.rng.randint(1, 3)]} for each in EVENT_IDS}
        return Revision(events, TOPICS)

    def _next_revision(self) -> Revision:
        last = self.revisions[-1]
        if self.rng.random() < 0.3:
            # Somebody pulled the run-time edits into the files.
            events = {
                event_id: {
                    name: dict(config)
                    for name, config in self._effective(event_id).items()
                    # Of flows made at run time and of topics that are gone definitions cannot speak.
                    if not named_flows([config])
                    and all(each.get("topic", last.topics[0]) in last.topics for each in config["targets"])
                }
                for event_id in last.events
                if self._declared(event_id) is not None
            }
            if events:
                return Revision(events, last.topics)
        kept, some = (0.6, 0.8) if self.shrinking else (0.95, 0.5)
        topics = (
            tuple(each for each in TOPICS[1:] if self.rng.random() < kept) if self.rng.random() < some else TOPICS[1:]
        )
        topics = (TOPICS[0], *topics)
        events = {}
        for event_id in EVENT_IDS:
            if self.rng.random() < (0.5 if self.shrinking else 0.2):
                continue
            routes: dict[str, Config] = {}
            for name in ROUTES[:3]:
                before = last.events.get(event_id, {}).get(name)
                usable = before and all(each.get("topic", topics[0]) in topics for each in before["targets"])
                if before and usable and self.rng.random() < 0.6:
                    routes[name] = before
                elif self.rng.random() < 0.75:
                    routes[name] = self._config(topics)
            events[event_id] = routes
        return Revision(events, topics)

    # -- actors: the deploy

    def _start_deploy(self) -> None:
        draw = self.rng.random()
        if self.at_revision < 0 or draw < 0.5:
            if self.at_revision >= 0:
                self.revisions.append(self._next_revision())
            self.at_revision = len(self.revisions) - 1
        elif draw < 0.8 and self.at_revision > 0:
            self.faults.hit("older revision deployed")
            self.at_revision = self.rng.randrange(self.at_revision)
        choices = ("fail", "fail", "definitions", "store")
        keys = [(event_id, name) for event_id in self.edited_events for name in self.edited_routes]
        some = self.rng.sample(keys, self.rng.randint(1, len(keys))) if self.rng.random() < 0.3 else []
        by_route = {key: self.rng.choice(choices) for key in some}
        revision, choice = self.revisions[self.at_revision], self.rng.choice(choices)
        self._start("deploy", lambda actor: self._deploy(actor, revision, choice, by_route))

    def _deploy(
        self,
        actor: Actor,
        revision: Revision,
        choice: str,
        choices: Mapping[RouteKey, str],
        meanwhile: Callable[[Actor], None] | None = None,
        dies: str = "",
    ) -> None:
        """What `pulumi up` does: read, plan, then bring what the engine's state says to what the program declares."""
        trace = self.traces[actor.name] = Trace(self.cloud.tick)
        self._note_overlap(actor)
        alone = self._happened() if len(self.scheduler.active) == 1 else None
        all_routes = {(event_id, name) for event_id in EVENT_IDS for name in ROUTES}
        in_step = {key for key in all_routes if self._in_step(*key)}
        try:
            snapshot = self._read_for_deploy()
            if meanwhile:
                meanwhile(actor)
            made = plan(
                revision.parsed(),
                snapshot,
                Policy(choice, {f"{event_id}/{name}": each for (event_id, name), each in choices.items()}),  # type: ignore[arg-type]
                targets=revision.targets() | {("flow", flow_id) for flow_id in snapshot.flows},
                rules_quota=RULES_PER_BUS,
            )
            self._check_conflicts(snapshot, revision, (choice, choices), made, trace)
            if errors(made.problems):
                return
            rules = [rule_of(each.event, r, STACK) for each in made.events.values() for r in each.routes.values()]
            live = self._provider(lambda: self._all_rules())
            if clashes(rules, live, STACK):
                self.faults.hit("foreign rule has the name")
                return
            self._log_planned(made)
            self._refresh()
            for event_id in {*made.events, *(item[SK] for item in made.decisions), *made.gone}:
                decision = next((i for i in made.decisions if i[SK] == event_id), None)
                event = made.events.get(event_id)
                trace.desired[event_id] = (
                    _wire(event.decision if event else decision),
                    _wire(event_item(event.event) if event else gone_item(event_id)),
                )
            for event_id in sorted(trace.desired):
                self._maybe_applied(event_id, trace)
            self._apply(revision, made, rules, dies)
            if alone == self._happened():
                gone = {(event_id, name) for event_id in made.changing for name in ROUTES}
                gone -= {(event_id, name) for event_id, each in made.events.items() for name in each.routes}
                changing = {(event_id, name) for event_id, names in made.changing.items() for name in names}
                self._check_after_up(in_step | changing | gone)
                declared = {event_id: self._declared(event_id) for event_id in revision.events}
                if declared != _normal(revision.events):
                    raise Violation(f"after an up the store declares {declared}, the definitions {revision.events}")
        except (StoreError, RulesError, ClientError, BotoCoreError) as failure:
            right = in_step == all_routes and self.quota == RULES_PER_BUS
            if alone == self._happened() and right and not isinstance(failure, DiedError):
                raise Violation(f"a deploy died although nothing was wrong: {failure}") from failure
            self.faults.hit("deploy died halfway")
        finally:
            del self.traces[actor.name]
            if actor.dead:
                self.faults.hit("deploy died halfway")

    def _happened(self) -> tuple[int, ...]:
        """What is the same for two moments means that nothing has come between."""
        return self.count, self.hands, self.words, self.faults.made, self.accepted.total()

    def _refresh(self) -> None:
        """`pulumi up --refresh`, now and then: the engine's state becomes what is live."""
        if self.rng.random() < 0.7:
            return
        live: dict[tuple[str, ...], Any] = {}
        for rule, fields in self.cloud.rules.items():
            live["rule", rule] = {key: fields.get(key) for key in ("EventPattern", "State", "Description")}
            for target_id, target in self.cloud.targets[rule].items():
                live["target", rule, target_id] = target
        for key in [key for key in self.engine if key[0] in ("rule", "target") and self.engine[key] != live.get(key)]:
            if key in live:
                self.engine[key] = live[key]
            else:
                del self.engine[key]

    def _read_for_deploy(self) -> StoreSnapshot:
        return read_store(self.dynamo, TABLE)

    def _all_rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = self.events.list_rules(Limit=100, **token)
            rules += page["Rules"]
            if "NextToken" not in page:
                return rules
            token = {"NextToken": page["NextToken"]}

    def _check_conflicts(
        self,
        snapshot: StoreSnapshot,
        revision: Revision,
        choice: tuple[str, Mapping[RouteKey, str]],
        made: Plan,
        trace: Trace,
    ) -> None:
        """Every collision is told, and nothing else is."""
        if RELEASE in snapshot.control:
            if not errors(made.problems):
                raise Violation("a deploy went on although the bus is released")
            return
        seen: dict[RouteKey, int] = {}
        for event_id, item in snapshot.overrides.items():
            for name, edit in json.loads(item["Routes"]).items():
                seen[event_id, name] = edit["revision"]
        missing = {
            key
            for key, edit in self.oracle.edits.items()
            if edit.config
            and any(t.get("topic", revision.topics[0]) not in revision.topics for t in edit.config["targets"])
        }
        declared = {event_id: dict(routes) for event_id, routes in _normal(revision.events).items()}
        old = {event_id: declared_config(item) for event_id, item in snapshot.events.items()}
        recorded = {
            (event_id, name)
            for event_id, item in snapshot.decisions.items()
            for name, decision in json.loads(item["Routes"]).items()
            if decision["winner"] == "definitions"
        }
        trace.planned = self.oracle.planned(seen, declared, old, missing, recorded, *choice)
        if trace.planned.unsettled:
            self.faults.hit("conflict: fail")
        if trace.planned.settled:
            self.faults.hit("conflict: store")
        if len(trace.planned.done) > trace.planned.converged:
            self.faults.hit("conflict: definitions")
        if trace.planned.converged:
            self.faults.hit("converged")
        if any(event_id not in declared for event_id, _ in self.oracle.edits):
            self.faults.hit("event gone with edits")
        expected = {f"{event_id}/{name}" for event_id, name in trace.planned.unsettled}
        told = {p.path for p in made.problems if p.code.startswith("conflict")}
        # An edit that came between the deploy's read and now: what it read cannot be judged any more.
        newer = {e for e, rev in self.oracle.revisions.items() if snapshot.overrides.get(e, {}).get("Revision") != rev}
        certain = {each for each in expected ^ told if each.split("/")[0] not in self.uncertain | newer}
        if certain:
            raise Violation(f"conflicts told: {sorted(told)}, but they are {sorted(expected)}")

    def _log_planned(self, made: Any) -> None:
        """What the deploy is going to make of each rule counts as asked for from now on."""
        for event_id in EVENT_IDS:
            routes = made.events[event_id].routes if event_id in made.events else {}
            for name in ROUTES:
                route = routes.get(name)
                self._version(rule_name(event_id, name), route.config() if route else None)
        self._log_effective(EVENT_IDS)

    def _check_after_up(self, routes: Iterable[RouteKey]) -> None:
        """After a deploy these rules are right, whatever the engine believed of them."""
        if (CONTROL, RELEASE) in self.cloud.items:
            return  # somebody has said so meanwhile
        self.faults.hit("rules right after an up")
        for event_id, name in routes:
            if not self._in_step(event_id, name):
                rule, must = rule_name(event_id, name), self._effective(event_id).get(name)
                live = self.cloud.rules.get(rule), self.cloud.targets.get(rule)
                raise Violation(f"after an up: {rule} must be {must}, but is {live}")

    def _in_step(self, event_id: str, name: str) -> bool:
        """Is the rule what it must be, or cannot be?"""
        rule, config = rule_name(event_id, name), self._effective(event_id).get(name)
        if rule in self.foreign or self._is_live(rule, config):
            return True
        return config is not None and self._missing(config)

    def _apply(self, revision: Revision, made: Plan, rules: list[Rule], dies: str) -> None:
        bus = EventBridgeRules(self.events, STACK)
        begin(made, self.store)
        desired: dict[tuple[str, ...], Any] = {}
        for name in (ROUTER, *FUNCTIONS, *revision.topics):
            kind = ROUTER if name == ROUTER else "function" if name in FUNCTIONS else "topic"
            desired["item", TARGET, name] = target_item(name, kind, arn=target_arn(name))
        for item in made.decisions:
            desired["item", DECISION, item[SK]] = item
        ids = list(made.events)
        self.rng.shuffle(ids)
        for event_id in ids:
            each = made.events[event_id]
            if each.decision:
                desired["item", DECISION, event_id] = each.decision
            desired["item", EVENTS, event_id] = event_item(each.event)
        for event_id in made.gone:
            desired["item", EVENTS, event_id] = gone_item(event_id)
        for event_id in ids:
            desired["restore", event_id] = None
            for name, route in made.events[event_id].routes.items():
                fields, targets = rule_fields(event_id, route)
                rule = rule_name(event_id, name)
                desired["rule", rule] = fields
                for target_id, target in targets.items():
                    desired["target", rule, target_id] = target
        gone = [key for key in self.engine if key not in desired]
        for key, value in desired.items():
            if (key[1] if key[0] == "item" else key[0]) == dies:
                raise DiedError(dies)
            if key[0] == "restore":
                if key[1] in made.changing:
                    of = [rule for rule in rules if rule.event_id == key[1]]
                    restore(bus, of, rules_on_bus(self.events, STACK), clock=self.clock)
            elif self.engine.get(key) != value:
                self._provider(lambda key=key, value=value: self._create_or_update(key, value))
                if dies == "unrecorded" and key[:2] == ("item", EVENTS):
                    raise DiedError(dies)
                self.engine[key] = value
        if dies == "settle":
            raise DiedError(dies)
        believed = [value for key, value in self.engine.items() if key[:2] in {("item", EVENTS), ("item", DECISION)}]
        believed = [each for each in believed if desired.get(("item", each[PK], each[SK])) is not None]
        problems = settle(
            made, self.store, bus, Bus(STACK, DLQ), believed, clock=self.clock, jitter=self.faults._rng.random
        )
        if problems:
            raise StoreError(f"the rules of {problems} are not as they must be")
        # Dependents go first: targets, rules, event items, decisions, the registry.
        ranks = {"target": 0, "rule": 1, EVENTS: 2, DECISION: 3, TARGET: 4}
        if dies == "delete":
            raise DiedError(dies)
        for key in sorted(gone, key=lambda key: (ranks[key[1] if key[0] == "item" else key[0]], key)):
            self._provider(lambda key=key: self._delete(key))
            self.engine.pop(key, None)

    def _create_or_update(self, key: tuple[str, ...], value: Any) -> None:
        match key:
            case ("item", _, _):
                self.dynamo.put_item(TableName=TABLE, Item=to_attributes(value))
            case ("rule", name):
                self.events.put_rule(Name=name, EventBusName=STACK, **value)
            case ("target", rule, _):
                self.events.put_targets(Rule=rule, EventBusName=STACK, Targets=[value])

    def _delete(self, key: tuple[str, ...]) -> None:
        match key:
            case ("item", pk, sk):
                self.dynamo.delete_item(TableName=TABLE, Key=to_attributes({PK: pk, SK: sk}))
            case ("rule", name):
                self.events.delete_rule(Name=name, EventBusName=STACK)
            case ("target", rule, target_id):
                if rule in self.cloud.rules:
                    self.events.remove_targets(Rule=rule, EventBusName=STACK, Ids=[target_id])

    def _provider(self, action: Callable[[], Any]) -> Any:
        """The provider's SDK tries throttled calls again, and nothing else."""
        for _ in range(3):
            try:
                return action()
            except ClientError as failure:
                if failure.response.get("Error", {}).get("Code") != "ThrottlingException":
                    raise
                self.clock.sleep(0.1)
        return action()

    # -- actors: the API

    def _edit(
        self,
        actor: Actor,
        change: Callable[[dict[str, Config]], dict[str, Config]] | None = None,
        event_id: str | None = None,
    ) -> None:
        """`change` makes what is posted of what is live; what is not given, the seed chooses."""
        event_id = event_id or self.rng.choice(self.edited_events)
        try:
            items = self.store.event_items(event_id)
            if items is None:
                return
            live = {name: dict(config) for name, config in effective_config(items.routes()).items()}
            posted = change(live) if change else self._posted(event_id, items.routes())
            if_match = items.etag() if self.rng.random() < 0.5 else None
            read = (items.override["Revision"] if items.override else 0, items.declared["RoutingConfig"])
            self.posting[actor.name] = (event_id, posted, read if if_match else None)
            when = datetime.fromtimestamp(self.clock.now(), UTC)
            outcome = make_edit(
                self.store,
                event_id,
                lambda now: apply_edit(
                    now, posted, who=actor.name, when=when, if_match=if_match, flows=self._flow_items(posted)
                ),
                sleep=self.clock.sleep,
                jitter=self.faults._rng.random,
            )
        except BusyError as failure:
            if self.faults.rate == 0:
                raise Violation("an edit gave up although nothing was wrong") from failure
            return
        except (StoreError, LookupError):
            return
        if isinstance(outcome, PreconditionFailed):
            self.faults.hit("precondition failed")
        if isinstance(outcome, Refused):
            self.faults.hit("edit refused: too many at once")
        if isinstance(outcome, Edit) and outcome.revision > self.oracle.revisions.get(event_id, 0):
            raise Violation(f"{event_id}: revision {outcome.revision} was answered but is not in the store")

    def _flow_items(self, posted: Mapping[str, Config]) -> list[dict[str, Any]]:
        """The items of the flows that an edit names. Raises LookupError: one is not there, and the edit is refused."""
        found = [self.store.get(FLOW, flow_id) for flow_id in sorted(named_flows(posted.values()))]
        if None in found:
            raise LookupError
        return [item for item in found if item]

    def _posted(self, event_id: str, routes: Mapping[str, Any]) -> dict[str, Config]:
        topics = tuple(sk for pk, sk in self.cloud.items if pk == TARGET and sk in TOPICS)
        posted = {name: dict(config) for name, config in effective_config(routes).items()}
        for _ in range(self.rng.randint(1, 2)):
            name = self.rng.choice(self.edited_routes)
            draw = self.rng.random()
            coming = self.revisions[self.at_revision].events.get(event_id, {}).get(name)
            declared = routes[name].declared if name in routes else None
            if draw < (0.35 if self.crowded else 0.15):
                posted.pop(name, None)
            elif draw < 0.3 and declared:
                posted[name] = dict(declared)
            elif draw < 0.36 and coming and not self._missing(coming):
                posted[name] = dict(coming)
            elif draw < 0.44 and name in posted:
                posted[name] = {**posted[name], "enabled": not posted[name].get("enabled", True)}
            elif draw < 0.7 and name in posted:
                few = self._config(topics)["targets"][:2]
                posted[name] = {**posted[name], "targets": few}
            elif topics:
                posted[name] = self._config(topics)
            if (flows := self.flows.there()) and name in posted and self.rng.random() < 0.5:
                targets = [each for each in posted[name]["targets"] if "flow" not in each][:4]
                posted[name] = {**posted[name], "targets": [*targets, {"flow": self.rng.choice(flows)}]}
        return {name: route_from_config("", name, config).config() for name, config in posted.items()}

    # -- actors: the reconciler

    def _start_reconciler(self) -> None:
        self._start("reconciler", self._reconcile)

    def _reconcile(self, actor: Actor) -> None:
        self._note_overlap(actor)
        for _ in range(2):
            try:
                self.reconcile_once(actor.name)
            except StoreError:
                if self.faults.rate == 0:
                    raise
            except RulesError as failure:
                if self.faults.rate == 0:
                    raise Violation(f"a run failed although nothing was wrong: {failure}") from failure
            else:
                return

    def reconcile_once(self, name: str, *, deadline: float | None = None) -> Report:
        """One run of the reconciler, and what must hold after it."""
        trace = self.traces[name] = Trace(self.cloud.tick)
        store = TracedStore(self.dynamo, TABLE)
        store.trace, store.cloud = trace, self.cloud
        if deadline is None and self.faults.rate and self.rng.random() < 0.1:
            deadline = self.clock.now() + self.rng.random()
        before = len(self.cloud.calls)
        frozen, words = (CONTROL, FREEZE) in self.cloud.items, self.words
        try:
            report = Reconciler(
                store,
                EventBridgeRules(self.events, STACK),
                Bus(STACK, DLQ),
                StepFunctionsMachines(self.states),
                PLANT,
                clock=self.clock,
                metrics=NoMetrics(),
                deadline=deadline or float("inf"),
                jitter=self.faults._rng.random,
            ).run()
        except RulesError as failure:
            if trace.longest_streak < ATTEMPTS and failure.retryable:
                raise Violation(f"a run gave up after {trace.longest_streak} tries: {failure}") from failure
            raise
        finally:
            del self.traces[name]
        if frozen and words == self.words and report.writes and len(self.scheduler.active) <= 1:
            raise Violation("the reconciler wrote although it was frozen")
        self._check_report(name, trace, report, before)
        return report

    def _check_report(self, name: str, trace: Trace, report: Report, before: int) -> None:
        given_up = [
            f"{route}: {entry['error']}"
            for route, entry in report.routes.items()
            if entry["state"] == FAILED and entry["error"].partition(":")[0] in {*RETRYABLE, "ReadTimeoutError"}
        ]
        # Entries that fail in part and calls that fail are tried again each on their own, so a streak counts both.
        if given_up and trace.longest_streak < ATTEMPTS and report.settled:
            raise Violation(f"given up after {trace.longest_streak} tries: {given_up}")
        alone = self.others_wrote.get(name, -1) < trace.start
        quiet_store = self.store_changed <= trace.snapshot
        if report.settled and not report.frozen and alone and quiet_store and not trace.stale:
            if (CONTROL, FREEZE) in self.cloud.items:
                return
            self._check_rules(report, "after a settled run")
            self.flows.check(report, "after a settled run")

    # -- operators

    def _ours(self) -> list[str]:
        names = [rule_name(event_id, name) for event_id in EVENT_IDS for name in ROUTES]
        return [name for name in names if name in self.cloud.rules and name not in self.foreign]

    def _hand(self) -> None:
        """Somebody changes our rules in the console, or a state machine."""
        if self.rng.random() < 0.3 and self.flows.hand():
            self.hands += 1
            for trace in self.traces:
                self.others_wrote[trace] = self.cloud.tick
            return
        ours = self._ours()
        if not ours:
            return
        rule = self.rng.choice(ours)
        what = self.rng.choice(
            ("rule changed", "rule deleted", "target removed", "rule disabled", "target added", "target added")
        )
        self.faults.hit(f"{what} by hand")
        self.hands += 1
        cloud = self.cloud
        cloud.remember_rules()
        self._watch(rule).excused = True
        match what:
            case "rule changed":
                cloud.rules[rule] = {**cloud.rules[rule], "EventPattern": '{"source":["hand"]}'}
            case "rule disabled":
                cloud.rules[rule] = {**cloud.rules[rule], "State": "DISABLED"}
            case "rule deleted":
                del cloud.rules[rule]
                cloud.targets.pop(rule, None)
            case "target removed":
                targets = dict(cloud.targets[rule])
                if targets:
                    targets.pop(self.rng.choice(sorted(targets)))
                cloud.targets[rule] = targets
            case "target added":
                there = cloud.targets[rule]
                for number in range(TARGETS_PER_RULE - len(there) if self.rng.random() < 0.5 else 1):
                    if len(cloud.targets[rule]) < TARGETS_PER_RULE:
                        made = {"Id": f"hand-{number}", "Arn": "arn:hand"}
                        cloud.targets[rule] = {**cloud.targets[rule], made["Id"]: made}
        cloud.tick += 1
        for trace in self.traces:
            self.others_wrote[trace] = cloud.tick

    def _control(self) -> None:
        self.words += 1
        for word in (FREEZE, RELEASE):
            if (CONTROL, word) in self.cloud.items:
                del self.cloud.items[CONTROL, word]
                self._store_written(None)
                return
        word = self.rng.choice((FREEZE, RELEASE))
        self.faults.hit("frozen" if word == FREEZE else "released")
        item = to_attributes(control_item(word, at="2026-11-22T14:00:00Z", by="op"))
        self.cloud.items[CONTROL, word] = item
        self._store_written(None)

    def _foreign_rules(self) -> dict[str, Any]:
        rules = {
            "theirs": {"Description": "made by hand", "EventPattern": '{"source":["x"]}', "State": "ENABLED"},
            "archive": {"ManagedBy": "archive.amazonaws.com", "EventPattern": '{"a":["b"]}', "State": "ENABLED"},
            "other-stack": {"Description": "[signalbox other outage/a]", "EventPattern": "{}", "State": "DISABLED"},
            "copy": {"Description": f"[signalbox {STACK} outage/a]", "EventPattern": "{}", "State": "ENABLED"},
        }
        if self.rng.random() < 0.2:
            description = self.rng.choice(("mine", "[signalbox other outage/x]"))
            rules["outage.x"] = {"Description": description, "EventPattern": "{}", "State": "ENABLED"}
        if self.rng.random() < 0.1:
            rules["ride.wait.x"] = {
                "Description": mark(STACK, route_from_config("ride.wait", "x", {"targets": []})),
                "ManagedBy": "someone.amazonaws.com",
                "EventPattern": "{}",
                "State": "ENABLED",
            }
        for name, fields in rules.items():
            self.cloud.rules[name] = {"Name": name, **fields}
            self.cloud.targets[name] = {"their-target": {"Id": "their-target", "Arn": "arn:theirs"}}
        return {name: (self.cloud.rules[name], self.cloud.targets[name]) for name in rules}

    # -- what the fakes tell

    def called(self, operation: str, failed: bool) -> None:
        actor = self.scheduler.current
        trace = self.traces.get(actor.name if actor else "")
        if trace and operation not in ("query", "put_item", "delete_item"):
            trace.streak = trace.streak + 1 if failed else 0
            trace.longest_streak = max(trace.longest_streak, trace.streak)

    def stale_list(self) -> None:
        actor = self.scheduler.current
        if actor and actor.name in self.traces:
            self.traces[actor.name].stale = True

    def item_written(self, key: Key, new: Image | None) -> None:
        pk, sk = key
        actor = self.scheduler.current
        if pk in (SYNC, DEPLOY):
            return
        if pk == OVERRIDE and actor and new:
            self._edited(actor, sk, from_attributes(new))
        if pk in (EVENTS, DECISION) and actor and actor.name in self.traces:
            self._maybe_applied(sk, self.traces[actor.name])
        if pk == FLOW:
            self.pending += 1
            self.flows.item_written(key, new, self._is_named)
        self._store_written(sk if pk in (EVENTS, OVERRIDE, DECISION) else None)

    def _is_named(self, flow_id: str) -> bool:
        """Does an edit that must be live name the flow?"""
        return any(
            edit.config and flow_id in named_flows([edit.config])
            for (event_id, _), edit in self.oracle.edits.items()
            if event_id not in self.uncertain
        )

    def _store_written(self, event_id: str | None) -> None:
        self.cloud.tick += 1
        self.store_changed = self.cloud.tick
        self._log_effective((event_id,) if event_id else EVENT_IDS)

    def _log_effective(self, event_ids: Iterable[str]) -> None:
        for each in event_ids:
            live = self._effective(each)
            for name in ROUTES:
                self._version(rule_name(each, name), live.get(name))

    def _edited(self, actor: Actor, event_id: str, item: Mapping[str, Any]) -> None:
        of, posted, read = self.posting[actor.name]
        declared = self._declared(event_id)
        if of != event_id or declared is None:
            raise Violation(f"{actor.name} wrote the override of {event_id}, which it does not edit")
        now = (self.oracle.revisions.get(event_id, 0), self.cloud.items[EVENTS, event_id]["RoutingConfig"]["S"])
        if read is not None and read != now:
            raise Violation(f"{event_id}: an edit with If-Match was made over another: read {read}, there is {now}")
        for name, config in self.oracle.live(event_id, declared).items():
            if (
                event_id not in self.uncertain
                and name in posted
                and len(_ids(config) | _ids(posted[name])) > TARGETS_PER_RULE
            ):
                raise Violation(f"{event_id}/{name}: {posted[name]} was accepted over {config}: both do not fit a rule")
        self.flows.posted(posted)
        self.oracle.edited(event_id, posted, declared)
        self.accepted[event_id] += 1
        self.pending += 1
        if item["Revision"] != self.oracle.revisions[event_id]:
            raise Violation(f"{event_id}: revision {item['Revision']} after {self.oracle.revisions[event_id]} edits")

    def _maybe_applied(self, event_id: str, trace: Trace) -> None:
        decision, event = trace.desired.get(event_id, (None, None))
        items = self.cloud.items
        if event_id in trace.desired and trace.planned:
            there = items.get((EVENTS, event_id))
            decided = decision is None or items.get((DECISION, event_id)) == decision
            if decided:
                self.oracle.decided(event_id, trace.planned)
            if there == event and decided:
                if any(key[0] == event_id for key, _ in trace.planned.done):
                    self.faults.hit("edit void")
                self.oracle.applied(event_id, trace.planned)

    def _note_overlap(self, actor: Actor) -> None:
        kinds = [each.kind for each in self.scheduler.active if each is not actor and each.name in self.traces]
        if actor.kind == "reconciler" and "reconciler" in kinds:
            self.faults.hit("passes overlap")
        if {actor.kind, *kinds} >= {"reconciler", "deploy"}:
            self.faults.hit("deploy and pass overlap")
        if actor.kind == "deploy" and "deploy" in kinds:
            self.uncertain.update(EVENT_IDS)

    # -- what must hold at every step

    def machine_written(self, name: str, operation: str) -> None:
        actor = self.scheduler.current
        who = actor.name if actor else "quiet"
        for each in self.traces:
            if each != who:
                self.others_wrote[each] = self.cloud.tick
        misled = who in self.traces and self.traces[who].stale
        self.flows.machine_written(name, operation, excused=misled or len(self.traces) > 1)

    def rule_written(self, rule: str, operation: str) -> None:
        actor = self.scheduler.current
        who = actor.name if actor else "?"
        if rule in self.foreign:
            raise Violation(f"{who}: {operation} on {rule}, which is not ours")
        for name in self.traces:
            if name != who:
                self.others_wrote[name] = self.cloud.tick
        watched = self._watch(rule)
        writers = self.traces.keys() - {"quiet"}
        if len(writers) > 1:
            watched.excused = True
        if not watched.excused:
            self._check_step(rule, watched, f"{who}: after {operation}")
        alone = len(self.traces) == 1 and actor is not None and actor.kind == "reconciler"
        if operation == "put_targets" and alone and not self.traces[who].stale:
            self.flows.rule_written(rule, who)
        current = watched.versions[-1][1] if watched.versions else None
        if len(writers) <= 1 and self._is_live(rule, current):
            # Not from now: the writer may be on its way to what it read when it began.
            watched.in_step = min([self.cloud.tick, *(trace.start for trace in self.traces.values())])
            watched.excused = False

    def _check_step(self, rule: str, watched: Watched, when: str) -> None:
        """No route is without its old or its new rule and targets."""
        since = min([watched.in_step, *(trace.start for trace in self.traces.values())])
        allowed = _in_force(watched.versions, since)
        if any(config is None or not config.get("enabled", True) for config in allowed):
            return
        event_id, _, name = rule.rpartition(".")
        rules = [rule_fields(event_id, route_from_config(event_id, name, config)) for config in allowed if config]
        if len({target for _, targets in rules for target in targets}) > TARGETS_PER_RULE:
            self.faults.hit("does not fit one rule")
            if not self.cloud.targets.get(rule):
                raise Violation(f"{when}: {rule} has no target at all")
            return
        live, targets = self.cloud.rules.get(rule), self.cloud.targets.get(rule, {})
        if live is None:
            raise Violation(f"{when}: {rule} is gone, but must be there")
        if live["State"] != "ENABLED" or live["EventPattern"] not in [fields["EventPattern"] for fields, _ in rules]:
            raise Violation(f"{when}: {rule} is {live}, which nobody asked for")
        if not any(targets.keys() >= wanted.keys() for _, wanted in rules):
            raise Violation(
                f"{when}: {rule} has targets {sorted(targets)}, neither old nor new: {[sorted(w) for _, w in rules]}"
            )

    def _is_live(self, rule: str, config: Config | None) -> bool:
        if config is None:
            return rule not in self.cloud.rules
        event_id, _, name = rule.rpartition(".")
        fields, targets = rule_fields(event_id, route_from_config(event_id, name, config))
        live = self.cloud.rules.get(rule)
        return (
            live is not None
            and all(live.get(key) == value for key, value in fields.items())
            and self.cloud.targets[rule] == targets
        )

    def _watch(self, rule: str) -> Watched:
        return self.watched.setdefault(rule, Watched())

    def _version(self, rule: str, config: Config | None) -> None:
        versions = self._watch(rule).versions
        if not versions or versions[-1][1] != config:
            self.cloud.tick += 1
            versions.append((self.cloud.tick, config))

    # -- what must hold in the end

    def _quiet(self) -> None:
        """Faults end, the schedule goes on: everything must come right, and stay so without a write."""
        self.faults.rate = 0
        self.cloud.quota = RULES_PER_BUS
        self.cloud.items.pop((CONTROL, FREEZE), None)
        if (CONTROL, RELEASE) in self.cloud.items:
            self._settle()
            if self._ours():
                raise Violation(f"released, but there are still rules: {self._ours()}")
            del self.cloud.items[CONTROL, RELEASE]
        report = self._settle()
        self._check_rules(report, "in the end")
        self.flows.check_end(report)
        self._check_sync(report)
        self._check_history()
        for name, state in self.foreign.items():
            if (self.cloud.rules.get(name), self.cloud.targets.get(name)) != state:
                raise Violation(f"the foreign rule {name} was changed")
        self.cloud.calls.clear()
        tick = self.cloud.tick
        self.reconcile_once("quiet")
        calls = Counter(self.cloud.calls)
        if self.cloud.tick != tick:
            raise Violation(f"a run with nothing to do wrote: {calls}")
        rules, page = len(self.cloud.rules), self.cloud.page
        if page == 100 and (calls["list_rules"] > 1 or calls["list_targets_by_rule"] > rules):
            raise Violation(f"too many reads for {rules} rules: {calls}")

    def _settle(self) -> Report:
        self.reconcile_once("quiet")
        return self.reconcile_once("quiet")

    def _declared(self, event_id: str) -> dict[str, Config] | None:
        item = self.cloud.items.get((EVENTS, event_id))
        return None if item is None or GONE in item else json.loads(item["RoutingConfig"]["S"])

    def _effective(self, event_id: str) -> dict[str, Any]:
        """What the product's own merge says: only to know which versions of a rule may be seen on the way."""
        if (CONTROL, RELEASE) in self.cloud.items:
            return {}
        if self._declared(event_id) is None:
            return {}
        keys = [(pk, event_id) for pk in (EVENTS, DECISION, OVERRIDE)]
        snapshot = StoreSnapshot.of(from_attributes(self.cloud.items[key]) for key in keys if key in self.cloud.items)
        return dict(effective_config(stored(event_id, snapshot)))

    def _expected(self, event_id: str) -> dict[str, Any]:
        declared = self._declared(event_id)
        if declared is None or (CONTROL, RELEASE) in self.cloud.items:
            return {}
        return self._effective(event_id) if event_id in self.uncertain else self.oracle.live(event_id, declared)

    def _check_rules(self, report: Report, when: str) -> None:
        """The rules are what definitions and edits say; where they cannot be, that is reported."""
        for event_id in EVENT_IDS:
            expected = self._expected(event_id)
            for name in ROUTES:
                rule, config = rule_name(event_id, name), expected.get(name)
                state = report.routes.get(f"{event_id}/{name}", {}).get("state")
                if rule in self.foreign:
                    if config and state != FAILED:
                        raise Violation(f"{when}: {rule} is foreign, but that is not reported: {state}")
                elif config and self._missing(config, report):
                    self.faults.hit("target missing")
                    if state != KEPT_OLD:
                        raise Violation(f"{when}: {rule} has a target that is missing, but is reported as {state}")
                    watched = self._watch(rule)
                    # A route that was deleted meanwhile may have lost its targets, and its rule not yet.
                    excused = watched.excused or None in _in_force(watched.versions, watched.in_step)
                    if self.cloud.rules.get(rule) and not self.cloud.targets[rule] and not excused:
                        raise Violation(f"{when}: {rule} lost its old targets to one that is missing")
                elif state == FAILED and self.cloud.quota < RULES_PER_BUS:
                    self.faults.hit("quota reached")
                elif state == FAILED and self.faults.rate:
                    continue
                elif not self._is_live(rule, config):
                    live = self.cloud.rules.get(rule), self.cloud.targets.get(rule)
                    raise Violation(f"{when}: {rule} must be {config}, but is {live}")
                elif config and state != IN_STEP:
                    raise Violation(f"{when}: {rule} is in step, but reported as {state}")

    def _missing(self, config: Config, report: Report | None = None) -> bool:
        """Does it name a target that is not there, or by `report` a flow that has no machine?"""
        return any(
            (report is not None and self.flows.missing(name, report))
            if kind == "flow"
            else (TARGET, name) not in self.cloud.items
            for target in config["targets"]
            for kind, name in target.items()
        )

    def _check_sync(self, report: Report) -> None:
        for event_id in EVENT_IDS:
            item = self.cloud.items.get((SYNC, f"event#{event_id}"))
            entries = json.loads(item["Routes"]["S"]) if item else {}
            reported = {k.split("/")[1]: v for k, v in report.routes.items() if k.split("/")[0] == event_id}
            if entries != reported:
                raise Violation(f"the sync item of {event_id} says {entries}, the run {reported}")
            declared = self._declared(event_id)
            if declared is None or event_id in self.uncertain:
                continue
            told = {name for name, entry in entries.items() if entry.get("outcome") == "conflict"}
            if told != self.oracle.conflicts(event_id, declared):
                raise Violation(f"{event_id}: undecided: {self.oracle.conflicts(event_id, declared)}, told: {told}")

    def _check_history(self) -> None:
        """Every accepted edit is in the history, in order, and the revision is their number."""
        for event_id in EVENT_IDS:
            history = [sk for pk, sk in sorted(self.cloud.items) if pk == HISTORY and sk.startswith(f"{event_id}#")]
            wanted = [f"{event_id}#{n:010d}" for n in range(1, self.accepted[event_id] + 1)]
            if history != wanted:
                raise Violation(f"{event_id}: the history is {history} after {self.accepted[event_id]} edits")


def _in_force(versions: list[tuple[int, Config | None]], since: int) -> list[Config | None]:
    """The versions that were in force at `since` or later."""
    before = [config for tick, config in versions if tick <= since]
    return [*before[-1:], *(config for tick, config in versions if tick > since)]


def _sends(*topics: str) -> dict[str, Config]:
    """A routing config whose one route, `a`, sends to `topics`; without any, there is none."""
    return {"a": {"targets": [{"topic": name} for name in topics]}} if topics else {}


def _naming(posted: Mapping[str, Config], flow_id: str) -> dict[str, Config]:
    """The routes, of which the first sends to the flow besides, and no other to any; "": none does."""
    made: dict[str, Config] = {}
    for index, (name, config) in enumerate(sorted(posted.items())):
        targets = [each for each in config["targets"] if "flow" not in each][:4]
        if flow_id and index == 0:
            targets.append({"flow": flow_id})
        if targets:
            made[name] = {**config, "targets": targets}
    return made


def _ids(config: Mapping[str, Any]) -> set[str]:
    return {name if kind == "topic" else ROUTER for target in config["targets"] for kind, name in target.items()}


def _wire(item: Mapping[str, Any] | None) -> Image | None:
    return None if item is None else to_attributes(item)


def _normal(events: Mapping[str, Mapping[str, Config]]) -> dict[str, dict[str, Config]]:
    return {
        event_id: {
            name: json.loads(json.dumps(config)) for name, config in event_of(event_id, routes).routing_config().items()
        }
        for event_id, routes in events.items()
    }
