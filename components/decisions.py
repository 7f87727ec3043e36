"""Decisions on run-time edits of events that are gone from the definitions: they have no component of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.stored_item import stored_item
from signalbox.store import SK, Item


@dataclass(frozen=True, slots=True)
class DecisionsArgs:
    """`items` are the `decision` items, as `effective.plan` gives them."""

    table: aws.dynamodb.Table
    items: Sequence[Item]


class Decisions(Component):
    """Keeps the decisions, so that the edits which they void do not come back with the event."""

    def __init__(self, name: str, args: DecisionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        for item in args.items:
            stored_item(self, item[SK], args.table, item)
        self.register_outputs({})
