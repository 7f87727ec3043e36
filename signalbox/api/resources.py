"""What the API shows of the store's items."""

import json
from collections.abc import Mapping
from typing import Any

from signalbox.effective import effective_config, override_from_item
from signalbox.flow_edits import flow_version
from signalbox.overrides import EventItems
from signalbox.store import ACTIVE, CREATING, SK, declared_config, is_of_api


def event_resource(items: EventItems, sync: Mapping[str, Any] | None) -> dict[str, Any]:
    """An event: what definitions declare, what run-time edits say, and the routes that follow from both.

    `routes` is what a POST /route of this event would have to say to change nothing. Raises KeyError, TypeError or
    ValueError for items that are malformed.
    """
    event = items.declared
    override = override_from_item(event[SK], items.override)
    routes = items.routes()
    detail_type = event.get("DetailType")
    return {
        "id": event[SK],
        "source": json.loads(event["Source"]),
        "detail-type": None if detail_type is None else json.loads(detail_type),
        "description": event.get("Description", ""),
        "schema": json.loads(event["Schema"]),
        "declared": declared_config(event),
        "overrides": {
            "revision": override.revision,
            "at": override.at,
            "by": override.by,
            "routes": {name: edit.as_json() for name, edit in override.routes.items()},
        },
        "routes": effective_config(routes),
        "outcomes": {name: route.outcome for name, route in routes.items()},
        "sync": None
        if sync is None
        else {"at": sync["At"], "revision": sync["Revision"], "routes": json.loads(sync["Routes"])},
    }


def flow_resource(item: Mapping[str, Any], sync: Mapping[str, Any] | None) -> dict[str, Any]:
    """A flow: its definition, whether the definitions or the API made it, and the state of its state machine.

    The deploy makes the machine before it writes the item. Of a flow made at run time the reconciler's `sync` item
    tells, where it is about this very writing of the flow. Raises KeyError, TypeError or ValueError for an item that is
    malformed.
    """
    flow = {"id": item[SK], "origin": item["Origin"], "definition": json.loads(item["Data"])}
    if not is_of_api(item):
        return {**flow, "state": ACTIVE}
    flow |= {"revision": item["Revision"], "at": item["EditedAt"], "by": item["EditedBy"]}
    if sync is None or sync["Version"] != flow_version(item):
        return {**flow, "state": CREATING}
    return {**flow, "state": sync["State"], **({"why": sync["Error"]} if "Error" in sync else {})}
