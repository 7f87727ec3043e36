"""`POST /route/{event-id}`: what the body says, and what its answer is. The edit itself is `signalbox.overrides`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from signalbox.api.answers import Rejection, no_such
from signalbox.definitions.routing import check_routing_config
from signalbox.model import Event
from signalbox.overrides import Edit, EventItems, PreconditionFailed, Refused, apply_edit, named_flows
from signalbox.problems import errors
from signalbox.registry import Registry
from signalbox.runtime.text import from_text
from signalbox.store import Item, event_from_item

WHO_LENGTH = 256


def routing_config(body: str) -> Any:
    """The JSON value of a body. Raises Rejection."""
    try:
        return from_text(body)
    except ValueError as error:
        raise Rejection(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from error


def edit_of(
    posted: Any,
    registry: Registry,
    flow: Callable[[str], Item | None],
    *,
    who: str,
    when: datetime,
    if_match: str | None,
) -> Callable[[EventItems], Edit | PreconditionFailed | Refused]:
    """What `overrides.make_edit` shall do with an event's items: check `posted` as definitions are, then edit.

    `flow` gives the item of a flow as it is now: the edit holds only while that is so.
    """

    def check(event: Event, known: Registry) -> None:
        if faults := errors(check_routing_config(event, posted, known, runtime=True)):
            raise Rejection(HTTPStatus.UNPROCESSABLE_ENTITY, "these routes cannot be made", errors=faults)

    def change(items: EventItems) -> Edit | PreconditionFailed | Refused:
        event = event_from_item(items.declared)
        check(event, registry)
        flows = {name: flow(name) for name in sorted(named_flows(posted.values()))}
        there = [item for item in flows.values() if item is not None]
        if flows:
            check(event, registry.with_flows(flows, there))
        return apply_edit(items, posted, who=who, when=when, if_match=if_match, flows=there)

    return change


def answer_of(event_id: str, edit: Edit | PreconditionFailed | Refused | None) -> tuple[dict[str, Any], str]:
    """The body and the ETag that tell the caller of a success. Raises Rejection for what is none."""
    match edit:
        case None:
            raise no_such("event", event_id)
        case PreconditionFailed(etag):
            raise Rejection(
                HTTPStatus.PRECONDITION_FAILED,
                f"{event_id} is not what If-Match says: GET /event/{event_id}, look at what changed, and edit that",
                headers={"ETag": etag},
            )
        case Refused(problems):
            raise Rejection(HTTPStatus.CONFLICT, "these routes cannot follow those that are live", errors=problems)
        case Edit():
            return {
                "message": f"the routes of {event_id} are stored as revision {edit.revision}; the rules follow",
                "id": event_id,
                "revision": edit.revision,
            }, edit.etag


def caller(authorizer: Mapping[str, Any]) -> str:
    """Who sent a request, from API Gateway's authorizer context: the ARN of an IAM principal, or the token's subject.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    iam, jwt = authorizer.get("iam") or {}, authorizer.get("jwt") or {}
    who = iam.get("userArn") or (jwt.get("claims") or {}).get("sub") or "unknown"
    return str(who)[:WHO_LENGTH]
