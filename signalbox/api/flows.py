"""`POST /flow` and `DELETE /flow/{flow-id}`: what bodies say, and what the answers are.

What is stored is decided by `signalbox.flow_edits`; that a definition is right, by `signalbox.flows`, as for files.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from signalbox.api.answers import Rejection, no_such
from signalbox.classic import ROUTER
from signalbox.definitions.meta import shown
from signalbox.definitions.places import Document
from signalbox.definitions.sayable import check_sayable
from signalbox.flow_edits import Checked, Deleted, OtherRequest, Request, Saved
from signalbox.model import Event
from signalbox.overrides import PreconditionFailed, Refused
from signalbox.problems import Problem, errors
from signalbox.registry import Registry
from signalbox.runtime.text import from_text
from signalbox.store import SK, event_from_item

WARNINGS = 20
"""Warnings that an answer shows at most."""
KEY = re.compile(r"[!-~]{1,255}")
"""What an Idempotency-Key may be."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The body of a POST /flow: the flow's id, given or made up, and its definition, of whatever form."""

    id: Any
    document: Any


def posted(body: str) -> Posted:
    """What a body says. Raises Rejection for one that is no JSON."""
    try:
        value = from_text(body)
    except ValueError as error:
        raise Rejection(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        return Posted(_new_id(), value)
    return Posted(value["id"] if "id" in value else _new_id(), {k: v for k, v in value.items() if k != "id"})


def request_of(key: str | None, body: str) -> Request | None:
    """The request as one that may be sent again; None without an Idempotency-Key. Raises Rejection."""
    if key is None:
        return None
    if not KEY.fullmatch(key):
        problem = Problem(
            code="idempotency-key",
            what="this is no key",
            got=shown(key),
            allowed="1 to 255 ASCII characters, no spaces",
            fix="send a fresh UUID with each new request",
            path="Idempotency-Key",
        )
        raise Rejection(HTTPStatus.BAD_REQUEST, "the Idempotency-Key cannot be used", errors=[problem])
    return Request(key, hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest())


def checked(flow: Posted, registry: Registry, events: Mapping[str, Event]) -> Checked:
    """The definition, found right. Raises Rejection with every fault."""
    from signalbox.flows import read_flow  # JSONata's parser: only who posts a flow waits for it

    if faults := check_sayable(Document(flow.document)):
        raise Rejection(HTTPStatus.UNPROCESSABLE_ENTITY, "this flow cannot be made", errors=faults)
    flow_id = flow.id if isinstance(flow.id, str) else ""
    _, faults = read_flow(flow_id, Document(flow.document), registry, events, runtime=True)
    if wrong := [replace(each, got=shown(flow.id), path="id") for each in faults if each.code == "flow-id"]:
        # The rest is looked at as if the id were right.
        _, faults = read_flow(_new_id(), Document(flow.document), registry, events, runtime=True)
        faults = wrong + faults
    if errors(faults):
        raise Rejection(HTTPStatus.UNPROCESSABLE_ENTITY, "this flow cannot be made", errors=errors(faults))
    entry = registry.entries.get(flow_id)
    taken = ROUTER if flow_id == ROUTER else entry.kind if entry is not None and entry.kind != "flow" else ""
    if taken:
        problem = Problem(
            code="flow-name-taken",
            what=f"there is a {taken} of that name, and names of targets are unique",
            got=flow_id,
            fix="choose another id",
            path="id",
        )
        raise Rejection(HTTPStatus.CONFLICT, "this flow cannot have that id", errors=[problem])
    return Checked(flow.document, tuple(each.as_dict() for each in faults[:WARNINGS]))


def events_of(items: Iterable[Mapping[str, Any]]) -> dict[str, Event]:
    """The events that `events` items say; those that cannot be read are left out."""
    found: dict[str, Event] = {}
    for item in items:
        try:
            found[item[SK]] = event_from_item(item)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return found


def answer_of(flow_id: str, outcome: Saved | PreconditionFailed | Refused | OtherRequest) -> Saved:
    """The flow that is stored. Raises Rejection where none is."""
    match outcome:
        case Saved():
            return outcome
        case PreconditionFailed():
            raise _not_what_was_read(flow_id, outcome)
        case Refused(problems):
            raise Rejection(HTTPStatus.CONFLICT, f"the flow {flow_id} cannot be stored", errors=problems)
        case OtherRequest():
            raise Rejection(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used for another body: send a fresh one with each new request",
            )


def body_of(saved: Saved) -> dict[str, Any]:
    """The body that tells the caller of a stored flow."""
    done = "stored" if saved.created else "replaced"
    answer = {
        "message": f"the flow {saved.id} is {done} as revision {saved.revision}; its state machine follows",
        "id": saved.id,
        "revision": saved.revision,
    }
    return {**answer, "warnings": list(saved.warnings)} if saved.warnings else answer


def deleted(flow_id: str, outcome: Deleted | PreconditionFailed | Refused | None) -> dict[str, Any]:
    """The body that tells the caller of a flow that is gone. Raises Rejection where it is not."""
    match outcome:
        case None:
            raise no_such("flow", flow_id)
        case PreconditionFailed():
            raise _not_what_was_read(flow_id, outcome)
        case Refused(problems):
            raise Rejection(HTTPStatus.CONFLICT, f"the flow {flow_id} cannot be deleted", errors=problems)
        case Deleted():
            return {"message": f"the flow {flow_id} is deleted; its state machine follows", "id": flow_id}


def _not_what_was_read(flow_id: str, failed: PreconditionFailed) -> Rejection:
    return Rejection(
        HTTPStatus.PRECONDITION_FAILED,
        f"{flow_id} is not what If-Match says: GET /flow/{flow_id}, look at what changed, and edit that",
        headers={"ETag": failed.etag} if failed.etag else {},
    )


def _new_id() -> str:
    return f"flow-{uuid4().hex[:16]}"
