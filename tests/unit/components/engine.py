"""Declares components under Pulumi mocks and keeps what was registered, so that tests assert on it as plain data."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks

from components.scope import Scope

SCOPE = Scope("park-dev", account="123456789012", region="eu-central-1", partition="aws")


@dataclass(frozen=True, slots=True)
class Registered:
    """One resource as the engine got it."""

    type: str
    name: str
    parent: str
    """Logical name of the parent, empty for the stack."""
    inputs: Mapping[str, Any]
    depends_on: tuple[str, ...]
    """Logical names."""
    custom: bool


@dataclass(slots=True)
class Declared:
    """All that a program registered, in order, and what it said to its user."""

    resources: list[Registered] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def of(self, type_: str) -> list[Registered]:
        """Every resource of a type, by the token's last part (`EventRule`)."""
        return [each for each in self.resources if each.type.rpartition(":")[2] == type_]

    def the(self, type_: str, name: str = "") -> Registered:
        """The one resource of a type, or the one of this type and logical name."""
        found = [each for each in self.of(type_) if not name or each.name == name]
        assert len(found) == 1, f"{type_} {name}: {[each.name for each in found]} of {[r.name for r in self.of(type_)]}"
        return found[0]

    def custom(self) -> list[Registered]:
        """All but the components."""
        return [each for each in self.resources if each.custom]


class _Monitor(mocks.MockMonitor):
    def __init__(self, mocks_: mocks.Mocks, declared: Declared) -> None:
        super().__init__(mocks_)
        self._declared = declared

    def RegisterResource(self, request: Any) -> Any:  # the engine's name
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            parent = request.parent.split("::")[-1]
            self._declared.resources.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    parent="" if request.parent.split("::")[2] == "pulumi:pulumi:Stack" else parent,
                    inputs=pulumi.runtime.rpc.deserialize_properties(request.object),
                    depends_on=tuple(sorted(urn.split("::")[-1] for urn in request.dependencies)),
                    custom=request.custom,
                )
            )
        return answer


class _Cloud(mocks.Mocks):
    """Answers as AWS would, as far as components look: an id, an ARN, a URL that hold the resource's name."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        name = args.inputs.get("name") or args.inputs.get("layerName") or args.name
        service = args.typ.split(":")[1].partition("/")[0]
        outputs = {
            "arn": f"arn:aws:{service}:eu-central-1:123456789012:{kind}/{name}",
            "url": f"https://{service}.example/{name}",
            "streamArn": f"arn:aws:dynamodb:eu-central-1:123456789012:table/{name}/stream/1",
            "executionArn": f"arn:aws:execute-api:eu-central-1:123456789012:{name}",
            "apiEndpoint": f"https://{name}.example",
            **args.inputs,
        }
        return f"{name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        answers = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": SCOPE.account},
            "aws:index/getRegion:getRegion": {"region": SCOPE.region},
            "aws:index/getPartition:getPartition": {"partition": SCOPE.partition},
        }
        return answers[args.token], []


class _Said(logging.Handler):
    """Keeps what the program says to its user."""

    def __init__(self, declared: Declared) -> None:
        super().__init__()
        self._declared = declared

    def emit(self, record: logging.LogRecord) -> None:
        self._declared.said.append(record.getMessage())


def declare(
    program: Callable[[], object], *, config: Mapping[str, str] | None = None, preview: bool = False
) -> Declared:
    """Run `program` as Pulumi would, wait for all that it registers, and give it. Exceptions come through."""
    declared = Declared()
    cloud = _Cloud()
    logger = logging.Logger("pulumi")
    logger.addHandler(_Said(declared))
    mocks.set_mocks(cloud, "signalbox", "dev", preview=preview, logger=logger, monitor=_Monitor(cloud, declared))
    pulumi.runtime.set_all_config({f"signalbox:{key}": value for key, value in (config or {}).items()})

    def run() -> None:
        program()

    mocks.test(run)()
    return declared


def policy(registered: Registered, key: str = "policy") -> list[dict[str, Any]]:
    """The statements of the policy document in an input."""
    return json.loads(registered.inputs[key])["Statement"]
