"""Reading the event store from a Lambda: always consistent, so that what was written is what is read."""

from collections.abc import Iterator
from typing import Any

from signalbox.runtime.aws import calls
from signalbox.runtime.schemas import StoredSchema
from signalbox.store import EVENTS, PK, SK, Item, from_attributes, is_gone


class EventStore:
    """The table `table` through a botocore DynamoDB client. All methods raise Refused or Unavailable."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def schema(self, event_id: str) -> StoredSchema | None:
        """The current schema of an event, or None when the store has no such event."""
        item = self.item(EVENTS, event_id, ("Schema", "SchemaHash"))
        return StoredSchema(item["SchemaHash"], item["Schema"]) if item else None

    def item(self, partition: str, sort: str, attributes: tuple[str, ...] = ()) -> Item | None:
        """One item, or only some of its attributes; None when there is none, or it says that an event is gone."""
        names = {f"#{index}": name for index, name in enumerate(attributes)}
        only = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names} if names else {}
        with calls():
            answer = self._client.get_item(
                TableName=self._table, Key={PK: {"S": partition}, SK: {"S": sort}}, ConsistentRead=True, **only
            )
        item = from_attributes(answer.get("Item", {}))
        return item if item and not is_gone(item) else None

    def page(self, partition: str, after: str, limit: int) -> tuple[list[Item], bool]:
        """At most `limit` items of a partition with a sort key above `after` ("" for the first), in order; and whether
        there may be more behind them, also because a page of DynamoDB ends at 1 MB. Events that are gone are no items.
        """
        values = {":pk": {"S": partition}}
        start: dict[str, Any] = {}
        expression = "PK = :pk"
        if after:
            values[":after"] = {"S": after}
            expression += " AND SK > :after"
        while True:
            with calls():
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=expression,
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    Limit=limit,
                    **start,
                )
            items = [item for item in map(from_attributes, answer["Items"]) if not is_gone(item)]
            if items or "LastEvaluatedKey" not in answer:
                return items, "LastEvaluatedKey" in answer
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def between(self, partition: str, first: str, last: str) -> Iterator[Item]:
        """The items of a partition with a sort key from `first` to `last`, both included, in order."""
        start: dict[str, Any] = {}
        while True:
            with calls():
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :last",
                    ExpressionAttributeValues={":pk": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
                    ConsistentRead=True,
                    **start,
                )
            yield from map(from_attributes, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
