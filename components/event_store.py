"""The event store and the functions' memory: two DynamoDB tables."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.scope import Scope
from signalbox.names import STATE, table
from signalbox.store import PK, SK, TTL


@dataclass(frozen=True, slots=True)
class EventStoreArgs:
    """`deletion_protection` guards the event store, which holds what people decided; memory can be lost."""

    scope: Scope
    deletion_protection: bool


class EventStore(Component):
    """The table `<name>-store` (definitions, overrides, outcomes) and the table `<name>-state` (functions' memory).

    Both are encrypted at rest, as every DynamoDB table is.
    """

    def __init__(self, name: str, args: EventStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.table = self._table(
            "table",
            args.scope.store_table,
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
            deletion_protection_enabled=args.deletion_protection,
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
        )
        self.state = self._table("state", table(args.scope.name, STATE))
        self.register_outputs({"table": self.table.name, "state": self.state.name})

    def _table(self, part: str, physical_name: str, **rest: object) -> aws.dynamodb.Table:
        return aws.dynamodb.Table(
            f"{self.name}-{part}",
            aws.dynamodb.TableArgs(
                name=physical_name,
                billing_mode="PAY_PER_REQUEST",
                hash_key=PK,
                range_key=SK,
                attributes=[
                    aws.dynamodb.TableAttributeArgs(name=PK, type="S"),
                    aws.dynamodb.TableAttributeArgs(name=SK, type="S"),
                ],
                ttl=aws.dynamodb.TableTtlArgs(attribute_name=TTL, enabled=True),
                **rest,  # pyright: ignore[reportArgumentType]  # the two tables differ in these alone
            ),
            opts=self.child(),
        )
