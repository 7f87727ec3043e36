"""The event store's table in DynamoDB: consistent reads, and writes that hold only while nothing has changed.

Calls go straight to the low-level client, with the item forms of `signalbox.store`; the caller brings the client, so
that nothing here decides on credentials, region or retries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from signalbox.overrides import Delete, EventItems, Put, Unchanged, Write
from signalbox.store import (
    DECISION,
    DEPLOY,
    EVENTS,
    OVERRIDE,
    PK,
    SK,
    SNAPSHOT,
    BusyError,
    ChangedError,
    Item,
    StoreError,
    StoreSnapshot,
    from_attributes,
    is_gone,
    to_attributes,
)

Client = Any
"""A boto3 client for dynamodb."""

__all__ = ["BusyError", "ChangedError", "DynamoStore", "StoreError", "TableMissingError", "read_store"]


class TableMissingError(StoreError):
    """There is no such table."""


def read_store(client: Client, table: str) -> StoreSnapshot:
    """All items that say what the rules must be, for a deploy. A table that does not exist yet is an empty store.

    Raises StoreError, also when the credentials may not read: an empty answer would undo every run-time edit.
    """
    store = DynamoStore(client, table)
    try:
        settled = next((item["Digest"] for item in store.partition(DEPLOY)), None)
        return replace(store.snapshot(), settled=settled)
    except TableMissingError:
        return StoreSnapshot()


class DynamoStore:
    """The table as the API, the reconciler and the deploy use it. Every method raises StoreError, for a missing table
    TableMissingError."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def snapshot(self) -> StoreSnapshot:
        """All items that say what the rules must be, each partition read consistently, one after the other."""
        return StoreSnapshot.of(item for partition in SNAPSHOT for item in self.partition(partition))

    def partition(self, pk: str, *, prefix: str = "") -> Iterator[Item]:
        """The items of a partition whose sort key starts with `prefix`, in the order of their sort keys."""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": PK},
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        if prefix:
            query["KeyConditionExpression"] += " AND begins_with(#sk, :sk)"
            query["ExpressionAttributeNames"]["#sk"] = SK
            query["ExpressionAttributeValues"][":sk"] = {"S": prefix}
        while True:
            page = self._call("query", **query)
            yield from map(from_attributes, page["Items"])
            if not page.get("LastEvaluatedKey"):
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, read consistently; None: there is none."""
        answer = self._call("get_item", TableName=self._table, Key=_key(pk, sk), ConsistentRead=True)
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def event_items(self, event_id: str) -> EventItems | None:
        """What an edit of the event is computed from; None: the event is not declared."""
        declared = self.get(EVENTS, event_id)
        if declared is None or is_gone(declared):
            return None
        return EventItems(declared, self.get(DECISION, event_id), self.get(OVERRIDE, event_id))

    def put(self, item: Item) -> None:
        """Writes a whole item, over whatever is there: for items of which the caller is the only writer."""
        self._call("put_item", TableName=self._table, Item=to_attributes(item))

    def delete(self, pk: str, sk: str) -> None:
        """Deletes an item of which the caller is the only writer; one that is not there is fine."""
        self._call("delete_item", TableName=self._table, Key=_key(pk, sk))

    def commit(self, writes: Sequence[Write]) -> None:
        """All of `writes` in one transaction, or none. Raises ChangedError, BusyError, StoreError."""
        try:
            self._client.transact_write_items(TransactItems=[self._write(each) for each in writes])
        except ClientError as error:
            reasons = {each.get("Code") for each in error.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in reasons:
                raise ChangedError from error
            if reasons & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                raise BusyError("the event's items are being written by others") from error
            raise self._error(error, "transact_write_items") from error
        except BotoCoreError as error:
            raise StoreError(f"the event store {self._table} cannot be reached: {error}") from error

    def _write(self, write: Write) -> dict[str, Any]:
        if isinstance(write, Put):
            put = {"TableName": self._table, "Item": to_attributes(write.item), **_condition(write.unchanged)}
            return {"Put": put}
        unchanged = write.unchanged if isinstance(write, Delete) else write
        call = {"TableName": self._table, "Key": _key(unchanged.pk, unchanged.sk), **_condition(unchanged)}
        return {"Delete" if isinstance(write, Delete) else "ConditionCheck": call}

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise self._error(error, operation) from error
        except BotoCoreError as error:
            raise StoreError(f"the event store {self._table} cannot be reached: {error}") from error

    def _error(self, error: ClientError, operation: str) -> StoreError:
        code = error.response.get("Error", {}).get("Code", "")
        action = "dynamodb:" + "".join(word.capitalize() for word in operation.split("_"))
        if code == "ResourceNotFoundException":
            return TableMissingError(f"there is no event store: no table {self._table} in this account and region")
        if code in ("AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"):
            return StoreError(
                f"the event store {self._table} may not be used with these credentials; got: {error}; "
                f"fix: allow {action} on the table, or use other credentials"
            )
        return StoreError(f"the event store {self._table} failed: {error}")


def _key(pk: str, sk: str) -> dict[str, Any]:
    return to_attributes({PK: pk, SK: sk})


def _condition(unchanged: Unchanged) -> dict[str, Any]:
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    terms: list[str] = []
    for index, (name, value) in enumerate(unchanged.attributes.items()):
        names[f"#c{index}"] = name
        if value is None:
            terms.append(f"attribute_not_exists(#c{index})")
        else:
            terms.append(f"#c{index} = :c{index}")
            values[f":c{index}"] = value
    condition: dict[str, Any] = {"ConditionExpression": " AND ".join(terms), "ExpressionAttributeNames": names}
    if values:
        condition["ExpressionAttributeValues"] = to_attributes(values)
    return condition
