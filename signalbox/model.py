"""The vocabulary of Signalbox as types: what definitions, store and API all mean by an event, a route, a target.

Nothing here does I/O. A route has one written form, its *config* (a JSON object): a route in a definitions file, in the
store's `RoutingConfig` and in the body of `POST /route` are the same thing. `route_from_config` and `Route.config` are
the two ways across; both expect or give configs that the meta-schema `route.schema.json` accepts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Json = Any
JsonObject = Mapping[str, Any]

DestinationKind = Literal["topic", "queue", "log-group", "bus", "state-machine", "api-destination", "stream", "arn"]
DESTINATION_KINDS: tuple[str, ...] = get_args(DestinationKind)
ROUTER_KINDS: tuple[str, ...] = ("function", "flow")
TARGET_KINDS: tuple[str, ...] = (*ROUTER_KINDS, *DESTINATION_KINDS)

# EventBridge's own defaults: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
DEFAULT_ATTEMPTS = 185
DEFAULT_MAX_AGE_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Retry:
    """How long EventBridge tries to deliver: `attempts` 0-185, `max_age_seconds` 60-86400."""

    attempts: int = DEFAULT_ATTEMPTS
    max_age_seconds: int = DEFAULT_MAX_AGE_SECONDS


@dataclass(frozen=True, slots=True)
class InputTransform:
    """An EventBridge input transformer: JSON paths by name, and the template that uses them as `<name>`."""

    paths: Mapping[str, str]
    template: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route sends, by name: `name` is in the registry under `kind`."""

    kind: str
    name: str
    input: InputTransform | None = None
    message_group: str | None = None
    """Message group id, for FIFO queues."""
    partition_key: str | None = None
    """JSON path of the partition key, for streams."""

    @property
    def named(self) -> dict[str, str]:
        """`{<kind>: <name>}`, as messages and the Router have it."""
        return {self.kind: self.name}


@dataclass(frozen=True, slots=True)
class Route:
    """One routing config: one EventBridge rule. `pattern` is on `detail`; None matches every event of the kind."""

    event_id: str
    name: str
    targets: tuple[Target, ...]
    pattern: JsonObject | None = None
    envelope: JsonObject = field(default_factory=dict)
    enabled: bool = True
    retry: Retry = Retry()

    @property
    def id(self) -> str:
        """`<event-id>/<route>`: the name of the route in messages, logs and the CLI."""
        return f"{self.event_id}/{self.name}"

    def config(self) -> dict[str, Any]:
        """The route in its written form, defaults left out, so that equal routes have equal configs."""
        config: dict[str, Any] = {}
        if self.pattern:
            config["pattern"] = dict(self.pattern)
        if self.envelope:
            config["envelope"] = dict(self.envelope)
        config["targets"] = [target_config(target) for target in self.targets]
        if not self.enabled:
            config["enabled"] = False
        retry = {}
        if self.retry.attempts != DEFAULT_ATTEMPTS:
            retry["attempts"] = self.retry.attempts
        if self.retry.max_age_seconds != DEFAULT_MAX_AGE_SECONDS:
            retry["max-age-seconds"] = self.retry.max_age_seconds
        if retry:
            config["retry"] = retry
        return config


def target_config(target: Target) -> dict[str, Any]:
    """The written form of a target: `{<kind>: <name>, input?, message-group?, partition-key?}`."""
    config: dict[str, Any] = {target.kind: target.name}
    if target.input is not None:
        config["input"] = {"paths": dict(target.input.paths), "template": target.input.template}
    if target.message_group is not None:
        config["message-group"] = target.message_group
    if target.partition_key is not None:
        config["partition-key"] = target.partition_key
    return config


def target_from_config(config: JsonObject) -> Target:
    """The target that `config` says; `config` has exactly one key of TARGET_KINDS, else ValueError."""
    kinds = [key for key in TARGET_KINDS if key in config]
    if len(kinds) != 1:
        raise ValueError(f"a target has exactly one kind; got {sorted(config)}")
    kind = kinds[0]
    transform = config.get("input")
    return Target(
        kind=kind,
        name=config[kind],
        input=InputTransform(transform.get("paths", {}), transform["template"]) if transform else None,
        message_group=config.get("message-group"),
        partition_key=config.get("partition-key"),
    )


def route_from_config(event_id: str, name: str, config: JsonObject) -> Route:
    """The route that `config` says. `config` has passed the meta-schema; an empty pattern counts as none."""
    retry = config.get("retry", {})
    return Route(
        event_id=event_id,
        name=name,
        targets=tuple(map(target_from_config, config["targets"])),
        pattern=config.get("pattern") or None,
        envelope=config.get("envelope", {}),
        enabled=config.get("enabled", True),
        retry=Retry(
            retry.get("attempts", DEFAULT_ATTEMPTS),
            retry.get("max-age-seconds", DEFAULT_MAX_AGE_SECONDS),
        ),
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """A `detail` as it may come. `routes` not None: exactly the routes of its event that it must take."""

    detail: Json
    routes: tuple[str, ...] | None = None
    source: str | None = None
    detail_type: str | None = None
    envelope: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of event. `source` and `detail_type` are lists of EventBridge match values (strings or matchers)."""

    id: str
    source: tuple[Json, ...]
    detail_type: tuple[Json, ...] | None
    schema: JsonObject
    """JSON Schema (2020-12) of `detail`; `{}` accepts everything."""
    routes: Mapping[str, Route] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    description: str = ""
    from_bus: str | None = None
    """The foreign bus (name or ARN) on which events of this kind arrive, if not on ours."""

    def routing_config(self) -> dict[str, dict[str, Any]]:
        """The configs of all routes by name: `RoutingConfig` in the store, the body of `POST /route`."""
        return {name: route.config() for name, route in self.routes.items()}


@dataclass(frozen=True, slots=True)
class Destination:
    """A named native AWS target. `arn` None: the program creates it."""

    name: str
    kind: str
    arn: str | None = None
    physical_name: str | None = None
    """Its name on AWS (`name:` in the file); None: `<stack name>-<name>`."""
    events: tuple[str, ...] | None = None
    """Event ids that may be sent to it; None: every event."""
    runtime: bool = True
    """May run-time edits name it?"""
    role: str | None = None
    """ARN of the role that EventBridge assumes to reach it; None: the program makes one where the kind needs it."""
    fifo: bool = False
    retention_days: int | None = None
    """Log groups: days that events are kept."""
    endpoint: str | None = None
    """API destinations: URL."""
    method: str | None = None
    """API destinations: HTTP method."""
    rate_limit: int | None = None
    """API destinations: invocations a second."""
    connection: str | None = None
    """API destinations: ARN of the EventBridge connection that holds the secret."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One IAM statement of a function: `${…}` placeholders are filled in by the program."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """What `functions/<name>/function.yaml` says. `memory` in MB, `timeout` in seconds."""

    name: str
    description: str = ""
    memory: int = 256
    timeout: int = 30
    target: bool = False
    """May a route name it?"""
    environment: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    triggers: tuple[JsonObject, ...] = ()
    events: tuple[str, ...] | None = None
    runtime: bool = True
    concurrency: int | None = None
    """Reserved concurrency; None: unreserved."""
    widgets: tuple[Mapping[str, str], ...] = ()
    """Graphs for the stack's dashboard: `{title, expression}`, the expression in CloudWatch's metric math."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that the code says: what `signalbox.definitions.load` gives."""

    events: Mapping[str, Event]
    destinations: Mapping[str, Destination]
    functions: Mapping[str, Function]
    flows: Mapping[str, JsonObject] = field(default_factory=dict)

    def targets(self) -> frozenset[tuple[str, str]]:
        """(kind, name) of everything that a route may name."""
        functions = {("function", each.name) for each in self.functions.values() if each.target}
        destinations = {(each.kind, each.name) for each in self.destinations.values()}
        return frozenset(functions | destinations | {("flow", name) for name in self.flows})

    def routes(self) -> tuple[Route, ...]:
        """Every route of every event, in the order of the definitions."""
        return tuple(route for event in self.events.values() for route in event.routes.values())
