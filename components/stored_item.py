"""One item of the event store that the deploy writes."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.component import Component
from signalbox.canonical import canonical
from signalbox.store import PK, SK, Item, to_attributes


def stored_item(
    owner: Component,
    suffix: str,
    table: aws.dynamodb.Table,
    item: pulumi.Input[Item],
    *,
    depends_on: Sequence[pulumi.Resource] = (),
) -> aws.dynamodb.TableItem:
    """`item` as a child of `owner`, in canonical form, so that an item that says the same shows no change."""
    return aws.dynamodb.TableItem(
        f"{owner.name}-{suffix}",
        table_name=table.name,
        hash_key=PK,
        range_key=SK,
        item=pulumi.Output.from_input(item).apply(lambda known: canonical(to_attributes(known))),
        opts=owner.child(depends_on=list(depends_on)),
    )
