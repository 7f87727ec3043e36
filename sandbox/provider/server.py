"""The provider as Pulumi's engine talks to it. Protocol: pulumi/proto/pulumi/provider.proto."""

import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import ResourceProviderServicer, plugin_pb2, provider_pb2, status_pb2

from sandbox.provider import VERSION
from sandbox.provider.archives import ArchiveError
from sandbox.provider.config import CONFIG, session_from
from sandbox.provider.invokes import INVOKES
from sandbox.provider.resource import Context, ResourceError, ResourceType, Session, is_missing
from sandbox.provider.schema import DEFAULTS, Change, check, diff, imported, refreshed, settled
from sandbox.provider.services import TYPES
from sandbox.provider.wire import UNKNOWN, Props, from_struct, has_unknown, to_struct

_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Provider(ResourceProviderServicer):
    """One AWS provider of one program run."""

    def __init__(self) -> None:
        self._session: Session | None = None

    # --- the provider itself ---

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002
        # Plain values are all that a provider over AWS's API needs; the engine marks secrets again by property name.
        return provider_pb2.ProviderHandshakeResponse(supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002
        news = from_struct(request.news)
        failures = [
            provider_pb2.CheckFailure(property=key, reason=f"unknown provider property {key!r}")
            for key in news
            if key not in CONFIG and not key.startswith("__") and key != "version"
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002
        olds, news = from_struct(request.old_inputs or request.olds), from_struct(request.news)
        changed = [key for key in CONFIG if olds.get(key) != news.get(key)]
        # As upstream: resources of another region are other resources.
        replaces = [key for key in changed if key == "region"]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
        )

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _reported(context, "configuring the AWS provider"):
            self._session = session_from(from_struct(request.args), os.environ)
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ARG002
        if self._session:
            self._session.cancelled.set()
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        invoke = INVOKES.get(request.tok)
        if invoke is None:
            _abort(
                context,
                f"the sandbox's AWS provider has no function {request.tok}; it has {', '.join(sorted(INVOKES))}",
            )
        with _reported(context, request.tok):
            answer: dict[str, Any] = {"return": to_struct(invoke(self._ready(), from_struct(request.args)))}
            return provider_pb2.InvokeResponse(**answer)

    # --- resources ---

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        news, olds = from_struct(request.news), from_struct(request.olds)
        inputs, failures = check(kind.fields, news)
        if not failures:
            failures = [failure for rule in kind.rules for failure in rule(inputs)]
        inputs[DEFAULTS] = sorted(
            key for key, prop in kind.fields.items() if prop.default is not None and key not in news
        )
        self._named(kind, inputs, olds, request)
        return provider_pb2.CheckResponse(
            inputs=to_struct(inputs),
            failures=[provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in failures],
        )

    def _named(self, kind: ResourceType, inputs: Props, olds: Props, request: Any) -> None:
        """An automatic physical name where there is none: the old one, else the resource's name and 7 hex digits."""
        for key, prop in kind.fields.items():
            if not prop.auto_name or inputs.get(key) is not None or inputs.get(f"{key}Prefix") is not None:
                continue
            options = request.autonaming if request.HasField("autonaming") else None
            modes = provider_pb2.CheckRequest.AutonamingOptions
            if key in olds.get(DEFAULTS, []) and olds.get(key):
                inputs[key] = olds[key]
            elif options and options.mode == modes.DISABLE:
                continue
            elif options and options.proposed_name:
                inputs[key] = options.proposed_name[: prop.auto_name]
            else:
                stem = request.urn.rpartition("::")[2]
                suffix = hashlib.sha256(request.randomSeed).hexdigest()[:7]
                fifo = ".fifo" if inputs.get("fifoQueue") or inputs.get("fifoTopic") else ""
                inputs[key] = f"{stem[: prop.auto_name - 8 - len(fifo)]}-{suffix}{fifo}"
            inputs[DEFAULTS] = sorted([*inputs[DEFAULTS], key])

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        olds, news = from_struct(request.olds), from_struct(request.news)
        changes = self._changes(kind, olds, news)
        ignored = tuple(request.ignoreChanges)
        changes = {path: change for path, change in changes.items() if not _under(path, ignored)}
        replaces = sorted({_top(path) for path, change in changes.items() if change.replaces})
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted(set(map(_top, changes))),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and (kind.delete_before_replace or _keeps_name(kind, olds, news)),
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=_KINDS[change.kind, change.replaces], inputDiff=False)
                for path, change in changes.items()
            },
            hasDetailedDiff=True,
        )

    def _changes(self, kind: ResourceType, olds: Props, news: Props) -> dict[str, Change]:
        changes = diff(kind.fields, olds, news)
        if kind.revise:
            changes = kind.revise(changes, olds, news)
        if kind.tags and self._session and "tagsAll" in olds and not any(_top(path) == "tags" for path in changes):
            # The program's default tags may have changed.
            wanted = self._all_tags(news)
            if not has_unknown(wanted) and wanted != olds["tagsAll"]:
                changes["tagsAll"] = Change("update", False)
        return changes

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        inputs = from_struct(request.properties)
        new = _plain(inputs)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(self._foreseen(kind, new)))
        context_ = self._context(new, request.timeout)
        with _reported(context, f"creating {kind.token}"):
            created = kind.create(context_, new)
        try:
            found = created.state or _present(_read(kind, context_, created.id, new), kind, created.id)
        except (ClientError, BotoCoreError, ResourceError) as error:
            # It exists: the engine must keep it, to delete or to mend it.
            _abort_created(context, created.id, new, inputs, str(error))
        state = self._state(kind, context_, new, found)
        return provider_pb2.CreateResponse(id=created.id, properties=to_struct(state))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        before, inputs = from_struct(request.properties), from_struct(request.inputs)
        context_ = self._context(before or inputs)
        with _reported(context, f"reading {kind.token} ({request.id})"):
            found = _read(kind, context_, request.id, before)
            if found is None:
                return provider_pb2.ReadResponse()
            listed = kind.tags[0](context_, request.id, {**before, **found}) if kind.tags else None
        state = self._state(kind, context_, before, found, listed)
        # The provider's own region needs no saying.
        fields = kind.inputs if context_.region == self._ready().region else kind.fields
        new_inputs = refreshed(kind.fields, inputs, state) if inputs else imported(fields, state)
        id_ = state.pop("id", request.id)
        return provider_pb2.ReadResponse(id=id_, properties=to_struct(state), inputs=to_struct(new_inputs))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        old, inputs = from_struct(request.olds), from_struct(request.news)
        new = _plain(inputs)
        ignored = tuple(request.ignoreChanges)
        changes = {path for path in self._changes(kind, old, new) if not _under(path, ignored)}
        changed = set(map(_top, changes))
        # What the program leaves to AWS stays as it is.
        kept = {key: old[key] for key, prop in kind.fields.items() if key in old and key not in new and prop.computed}
        new = {**kept, **new}
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(self._foreseen(kind, new, old, changed)))
        context_ = self._context(new, request.timeout)
        found = None
        with _reported(context, f"updating {kind.token} ({request.id})"):
            if kind.tags and changed & {"tags", "tagsAll"}:
                gone = [key for key in old.get("tagsAll", {}) if key not in context_.tags]
                kind.tags[1](context_, request.id, old, context_.tags, gone)
            if kind.update and changed - {"tags", "tagsAll"}:
                found = kind.update(context_, request.id, old, new, changed)
            before = {**{key: value for key, value in old.items() if key not in kind.fields}, **new}
            found = found or _present(_read(kind, context_, request.id, before), kind, request.id)
        return provider_pb2.UpdateResponse(properties=to_struct(self._state(kind, context_, before, found)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = _type(request.urn, context)
        state = from_struct(request.properties)
        with _reported(context, f"deleting {kind.token} ({request.id})"):
            try:
                kind.delete(self._context(state, request.timeout), request.id, state)
            except ClientError as error:
                if not is_missing(error):
                    raise
        return empty_pb2.Empty()

    # --- helpers ---

    def _ready(self) -> Session:
        if self._session is None:
            raise ResourceError("the provider is not configured")
        return self._session

    def _context(self, props: Props, timeout: float = 0) -> Context:
        session = self._ready()
        return Context(session, props.get("region") or session.region, self._all_tags(props), timeout)

    def _all_tags(self, props: Props) -> dict[str, str]:
        tags = props.get("tags") or {}
        return tags if tags is UNKNOWN else {**self._ready().default_tags, **tags}

    def _foreseen(
        self, kind: ResourceType, new: Props, old: Props | None = None, changed: set[str] | None = None
    ) -> Props:
        """The state that a preview shows: unknown where only AWS knows."""
        state: Props = dict.fromkeys(kind.outputs, UNKNOWN)
        if old is None:
            state |= {key: UNKNOWN for key, prop in kind.fields.items() if prop.computed}
        else:
            state |= {key: value for key, value in old.items() if key not in kind.fields}
            state |= dict.fromkeys(kind.unsettled(changed or set()) if kind.unsettled else (), UNKNOWN)
        if kind.tags:
            state["tagsAll"] = self._all_tags(new)
        if not kind.is_global:
            state["region"] = self._ready().region
        return settled(kind.fields, {}, {**state, **new})

    def _state(
        self, kind: ResourceType, context: Context, before: Props, found: Props, listed: dict[str, str] | None = None
    ) -> Props:
        """The whole state: what was found over what was known, with tags (`listed` by AWS, or those just written)."""
        state = settled(kind.fields, before, found)
        if kind.tags:
            own, defaults = before.get("tags") or {}, context.session.default_tags
            state["tagsAll"] = context.tags if listed is None else listed
            if listed is not None:
                shown = {key: value for key, value in listed.items() if key in own or defaults.get(key) != value}
                state["tags"] = shown if shown or "tags" in before else None
        if not kind.is_global:
            state["region"] = context.region
        return {key: value for key, value in state.items() if value is not None}


def _read(kind: ResourceType, context: Context, id_: str, state: Props) -> Props | None:
    try:
        return kind.read(context, id_, state)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _present(found: Props | None, kind: ResourceType, id_: str) -> Props:
    if found is None:
        raise ResourceError(f"{kind.token} ({id_}) is not there")
    return found


def _type(urn: str, context: grpc.ServicerContext) -> ResourceType:
    token = urn.split("::")[2].rpartition("$")[2]
    kind = TYPES.get(token)
    if kind is None:
        near = difflib.get_close_matches(token, TYPES, n=3)
        hint = f"; near: {', '.join(near)}" if near else ""
        _abort(context, f"the sandbox's AWS provider has no resource type {token}{hint}", grpc.StatusCode.UNIMPLEMENTED)
    return kind


def _plain(inputs: Props) -> Props:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _under(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith((f"{root}.", f"{root}[")) for root in roots)


def _keeps_name(kind: ResourceType, olds: Props, news: Props) -> bool:
    """Whether the replacement has the physical name of what it replaces, so that this goes first: the bridge's rule."""
    for key, prop in kind.fields.items():
        if prop.auto_name and news.get(key) is not None:
            return key not in news.get(DEFAULTS, []) and olds.get(key) == news[key]
    return False


@contextmanager
def _reported(context: grpc.ServicerContext, doing: str) -> Iterator[None]:
    """AWS's errors, and ours, reach the user in their own words."""
    try:
        yield
    except (ClientError, BotoCoreError, ResourceError, ArchiveError) as error:
        _abort(context, f"{doing}: {error}")


def _abort(context: grpc.ServicerContext, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort returns nothing")


class _Status(grpc.Status):
    """A gRPC status with details, as Go's `status.WithDetails` sends it."""

    def __init__(self, message: str, detail: any_pb2.Any) -> None:
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


def _abort_created(context: grpc.ServicerContext, id_: str, state: Props, inputs: Props, reason: str) -> NoReturn:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=id_, properties=to_struct(state), inputs=to_struct(inputs), reasons=[reason]
        )
    )
    context.abort_with_status(_Status(f"created, but: {reason}", detail))
    raise AssertionError("abort returns nothing")
