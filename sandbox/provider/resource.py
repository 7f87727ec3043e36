"""What a resource type is to the provider, and what its functions work with."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.provider.schema import Change, Failure, Prop, text
from sandbox.provider.wire import Props

_MISSING = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchEntity",
        "NoSuchEntityException",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
    }
)


class ResourceError(Exception):
    """An operation on a resource failed; the message is for the user."""


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return error.response.get("Error", {}).get("Code", "")


def text_of(error: ClientError) -> str:
    """AWS's error message."""
    return error.response.get("Error", {}).get("Message", "")


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing does not exist."""
    return code_of(error) in _MISSING


class Session:
    """One provider's way to AWS: endpoint, region, credentials, default tags. Threads share it and its clients."""

    def __init__(
        self,
        region: str,
        *,
        credentials: Mapping[str, str] | None = None,
        profile: str | None = None,
        endpoints: Mapping[str, str] | None = None,
        default_tags: Mapping[str, str] | None = None,
    ) -> None:
        self.region = region
        self.default_tags = dict(default_tags or {})
        self.cancelled = threading.Event()
        self._credentials: dict[str, Any] = dict(credentials or {})
        self._endpoints = dict(endpoints or {})
        self._botocore = botocore.session.Session(profile=profile)
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=64, connect_timeout=5
        )
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._identity: dict[str, str] | None = None

    def client(self, service: str, region: str = "") -> Any:
        """The botocore client of `service` in `region` (default: the provider's)."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._botocore.create_client(
                    service,
                    region_name=key[1],
                    endpoint_url=self._endpoints.get(service),
                    config=self._config,
                    **self._credentials,
                )
            return self._clients[key]

    @property
    def identity(self) -> dict[str, str]:
        """`Account`, `Arn` and `UserId` of the caller, asked once."""
        identity = self._identity or self.client("sts").get_caller_identity()
        self._identity = identity
        return identity

    @property
    def account(self) -> str:
        """The account's id."""
        return self.identity["Account"]

    def partition(self, region: str = "") -> str:
        """The partition of `region`, such as `aws`."""
        return self._botocore.get_partition_for_region(region or self.region)


@dataclass(frozen=True, slots=True)
class Context:
    """What a resource's functions get: the way to AWS in the resource's region, and its tags with the default ones."""

    session: Session
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    timeout: float = 0
    """What the program allows for the operation (`custom_timeouts`), in seconds; 0: the type's own."""

    def client(self, service: str) -> Any:
        """The client of `service` in the resource's region."""
        return self.session.client(service, self.region)

    @property
    def partition(self) -> str:
        """The partition of the resource's region."""
        return self.session.partition(self.region)

    def until(self, attempt: Callable[[], Any], what: str, seconds: float) -> Any:
        """Calls `attempt` until it gives something true, for at most `seconds` (or what the program allows)."""
        deadline = time.monotonic() + (self.timeout or seconds)
        pause = 0.05
        while not (result := attempt()):
            if time.monotonic() > deadline:
                raise ResourceError(f"timed out waiting for {what}")
            if self.session.cancelled.wait(pause):
                raise ResourceError(f"cancelled while waiting for {what}")
            pause = min(pause * 1.5, 2)
        return result


@dataclass(frozen=True, slots=True)
class Created:
    """What came of a create: the id and, where AWS's answer gives the whole state, that; else it is read."""

    id: str
    state: Props | None = None


Tags = dict[str, str]
ReadTags = Callable[[Context, str, Props], Tags]
WriteTags = Callable[[Context, str, Props, Tags, list[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A type of resource: its properties and its functions.

    `create` gets checked inputs. `read` gets the id and the state as known (empty on import) and gives what it finds,
    with None for what is not set, or None if the resource is gone. `update` gets the old state, the new inputs and the
    names of the changed properties, and may give the new state as `create` may. AWS's not-found errors may pass: from
    `read` they mean that the resource is gone, from `delete` that there is nothing to do.
    `rules` are checks over several inputs. `revise` corrects the changes that the table of properties gives.
    `unsettled` names the outputs that a change of these properties changes.
    """

    token: str
    inputs: Mapping[str, Prop]
    outputs: tuple[str, ...] = ()
    create: Callable[[Context, Props], Created]
    read: Callable[[Context, str, Props], Props | None]
    update: Callable[[Context, str, Props, Props, set[str]], Props | None] | None = None
    delete: Callable[[Context, str, Props], None]
    rules: tuple[Callable[[Props], Iterable[Failure]], ...] = ()
    revise: Callable[[dict[str, Change], Props, Props], dict[str, Change]] | None = None
    unsettled: Callable[[set[str]], set[str]] | None = None
    tags: tuple[ReadTags, WriteTags] | None = None
    delete_before_replace: bool = False
    is_global: bool = False

    @property
    def fields(self) -> Mapping[str, Prop]:
        """All inputs, with `region` where the type has one."""
        return self.inputs if self.is_global else {**self.inputs, "region": REGION}


REGION = text(computed=True, replaces=True)


def conflicting(*names: str) -> Callable[[Props], Iterable[Failure]]:
    """At most one of these properties is given."""

    def rule(inputs: Props) -> Iterable[Failure]:
        given = [name for name in names if inputs.get(name) is not None]
        if len(given) > 1:
            yield given[0], f"{given[0]!r} conflicts with {', '.join(map(repr, given[1:]))}"

    return rule


def some_of(*names: str) -> Callable[[Props], Iterable[Failure]]:
    """At least one of these properties is given."""

    def rule(inputs: Props) -> Iterable[Failure]:
        if not any(inputs.get(name) is not None for name in names):
            yield names[0], f"one of {', '.join(map(repr, names))} must be given"

    return rule


def given(props: Props, *names: str) -> Props:
    """The named properties that are set."""
    return {name: props[name] for name in names if props.get(name) is not None}


def pascal(fields: Mapping[str, Prop], props: Props, **other: str) -> Props:
    """`props` with the names of properties, at every depth, as most AWS APIs write them: `RoleArn` of `roleArn`, save
    `other`. What a user named (the keys of a mapping) stays."""
    return {
        other.get(key, key[:1].upper() + key[1:]): _each(fields.get(key), value, pascal, other)
        for key, value in props.items()
    }


def camel(fields: Mapping[str, Prop], found: Props, **other: str) -> Props:
    """The way back, from AWS's answer: those of `fields` that it has. `other` is as for `pascal`."""
    members = {key: other.get(key, key[:1].upper() + key[1:]) for key in fields}
    return {
        key: _each(fields[key], found[member], camel, other)
        for key, member in members.items()
        if found.get(member) is not None
    }


def _each(prop: Prop | None, value: Any, convert: Callable[..., Props], other: dict[str, str]) -> Any:
    if prop and prop.kind == "block":
        return convert(prop.fields, value, **other)
    if prop and prop.kind == "array":
        return [_each(prop.item, item, convert, other) for item in value]
    return value


def seconds_from(variable: str, default: float) -> float:
    """A waiting time that the environment may set."""
    return float(os.environ.get(variable, default))


def unique(prefix: str = "") -> str:
    """A name where the program leaves it to the provider, in Terraform's manner."""
    return f"{prefix or 'terraform-'}{uuid.uuid4().hex[:26]}"
