"""The registry of targets in the store: one item for each thing that a route may name, and one for the Router."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.destinations import Address
from components.stored_item import stored_item
from signalbox.classic import ROUTER
from signalbox.model import Definitions
from signalbox.store import SK, Item, target_item


@dataclass(frozen=True, slots=True)
class RegistryArgs:
    """`addresses` are those of the destinations and of the Router; `functions` the ARNs of processing functions."""

    definitions: Definitions
    table: aws.dynamodb.Table
    addresses: Mapping[str, Address]
    functions: Mapping[str, pulumi.Input[str]]


class Registry(Component):
    """The `target` items. A reconciler reads them to write the same rules as the deploy; the API, to know the names."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        router = args.addresses[ROUTER]
        self.items = [
            self._item(target_item(ROUTER, ROUTER, runtime=False), router),
            *(
                self._item(
                    target_item(each.name, "function", events=each.events, runtime=each.runtime),
                    Address(args.functions[each.name]),
                )
                for each in args.definitions.functions.values()
                if each.target
            ),
            *(
                self._item(
                    target_item(each.name, each.kind, events=each.events, runtime=each.runtime),
                    args.addresses[each.name],
                )
                for each in args.definitions.destinations.values()
            ),
        ]
        self.register_outputs({})

    def _item(self, item: Item, address: Address) -> aws.dynamodb.TableItem:
        known = pulumi.Output.all(address.arn, address.role_arn or "")
        return stored_item(
            self,
            item[SK],
            self._args.table,
            known.apply(lambda arns: {**item, "Arn": arns[0], **({"Role": arns[1]} if arns[1] else {})}),
            # Whoever finds a target in the registry may send to it: its permissions come first.
            depends_on=address.after,
        )
