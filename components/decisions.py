"""What deploys decided on run-time edits that collided with the definitions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.stored_item import stored_item
from signalbox.store import SK, Item


@dataclass(frozen=True, slots=True)
class DecisionsArgs:
    """`items` are the `decision` items of all events, also of those that are gone from the definitions."""

    table: aws.dynamodb.Table
    items: Sequence[Item]


class Decisions(Component):
    """The `decision` items; `by_event` id. They are not with their events: a decision outlives its event, and one that
    moved between components would be created a second time before its first self is deleted."""

    def __init__(self, name: str, args: DecisionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.by_event = {item[SK]: stored_item(self, item[SK], args.table, item) for item in args.items}
        self.register_outputs({})
