"""AWS as the Lambdas see it: hand-written fakes that keep what they were given and refuse what AWS refuses."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

DATA = Path(__file__).parents[2] / "data"


def stored(name: str) -> Any:
    """The stored event tests/data/<name>."""
    return json.loads((DATA / name).read_text())


def error(code: str, status: int = 400, **more: Any) -> ClientError:
    """What botocore raises when AWS answers with an error."""
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(response, "Fake")


class Context:
    """Lambda's context, with `milliseconds` left."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


class Clock:
    """A clock that goes only when told. `now` in seconds, `milliseconds` since the epoch."""

    def __init__(self, now: float = 1_795_392_060.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def milliseconds(self) -> int:
        return round(self.time * 1000)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Sqs:
    """Messages by queue URL. `down`: the URLs of queues that do not answer."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self.down: set[str] = set()

    def send_message(
        self, QueueUrl: str, MessageBody: str, MessageAttributes: Mapping[str, Any], DelaySeconds: int = 0
    ) -> dict[str, Any]:
        if QueueUrl in self.down:
            raise error("ServiceUnavailable", 503)
        total = len(MessageBody.encode()) + sum(
            len(name.encode())
            + len(value["DataType"].encode())
            + len(value.get("StringValue", "").encode())
            + len(value.get("BinaryValue", b""))
            for name, value in MessageAttributes.items()
        )
        if total > 1_048_576 or not 0 <= DelaySeconds <= 900:
            raise error("InvalidParameterValue")
        if not MessageBody or any(not _is_allowed(char) for char in set(MessageBody)):
            raise error("InvalidMessageContents")
        message = {"body": MessageBody, "attributes": dict(MessageAttributes), "delay": DelaySeconds}
        self.messages.setdefault(QueueUrl, []).append(message)
        return {}


def _is_allowed(char: str) -> bool:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    code = ord(char)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


class Lambdas:
    """Asynchronous invocations by function name. `fails` gives the error with which a name is answered."""

    def __init__(self) -> None:
        self.invoked: list[tuple[str, bytes]] = []
        self.fails: dict[str, Exception] = {}

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:
        assert InvocationType == "Event"
        if FunctionName in self.fails:
            raise self.fails[FunctionName]
        if len(Payload) > 1_048_576:
            raise error("RequestTooLargeException", 413)
        self.invoked.append((FunctionName, Payload))
        return {"StatusCode": 202}

    def payloads(self, name: str) -> list[Any]:
        return [json.loads(payload) for function, payload in self.invoked if function == name]


class States:
    """Executions by (state machine ARN, name)."""

    def __init__(self) -> None:
        self.executions: dict[tuple[str, str], str] = {}
        self.fails: dict[str, Exception] = {}

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        if stateMachineArn in self.fails:
            raise self.fails[stateMachineArn]
        if len(name) > 80 or len(input.encode()) > 262_144:
            raise error("InvalidName")
        if (stateMachineArn, name) in self.executions:
            raise error("ExecutionAlreadyExists")
        self.executions[stateMachineArn, name] = input
        return {}


class Events:
    """A bus. `fails(call, entries)` gives the indices of the entries that this call (from 0) does not take."""

    def __init__(self, fails: Callable[[int, Sequence[Any]], Sequence[int]] | None = None) -> None:
        self.fails = fails
        self.calls: list[list[dict[str, str]]] = []
        self.taken: list[dict[str, str]] = []
        self.error: Exception | None = None
        self.lock = threading.Lock()

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        with self.lock:
            call = len(self.calls)
            self.calls.append(Entries)
            if self.error is not None:
                raise self.error
            total = sum(len(entry[key].encode()) for entry in Entries for key in ("Source", "DetailType", "Detail"))
            if not 1 <= len(Entries) <= 10 or total >= 1_048_576:
                raise error("ValidationException")
            failing = set(self.fails(call, Entries)) if self.fails else set()
            results = []
            for index, entry in enumerate(Entries):
                if index in failing:
                    results.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
                elif not isinstance(json.loads(entry["Detail"]), dict):
                    results.append({"ErrorCode": "MalformedDetail", "ErrorMessage": "no object"})
                else:
                    self.taken.append(entry)
                    results.append({"EventId": f"id-{call}-{index}"})
            return {"FailedEntryCount": len([r for r in results if "ErrorCode" in r]), "Entries": results}

    def details(self, detail_type: str) -> list[Any]:
        return [json.loads(entry["Detail"]) for entry in self.taken if entry["DetailType"] == detail_type]


class Dynamo:
    """A table by (PK, SK), in DynamoDB's wire form, read in pages of `page_items`. `error`: what every call gets."""

    def __init__(self, items: Sequence[Mapping[str, Any]] = (), page_items: int = 1_000) -> None:
        self.items = {(item["PK"]["S"], item["SK"]["S"]): dict(item) for item in items}
        self.page_items = page_items
        self.error: Exception | None = None
        self.reads = 0
        self.lock = threading.Lock()

    def get_item(
        self,
        TableName: str,
        Key: Any,
        ConsistentRead: bool,
        ProjectionExpression: str = "",
        ExpressionAttributeNames: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        assert TableName and ConsistentRead
        self.reads += 1
        if self.error is not None:
            raise self.error
        item = self.items.get((Key["PK"]["S"], Key["SK"]["S"]))
        if item is None:
            return {}
        if ProjectionExpression:
            wanted = [(ExpressionAttributeNames or {})[name] for name in ProjectionExpression.split(", ")]
            item = {name: item[name] for name in wanted if name in item}
        return {"Item": item}

    def query(
        self,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Any,
        ConsistentRead: bool,
        Limit: int = 1_000_000,
        ExclusiveStartKey: Any = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        assert TableName and ConsistentRead
        if self.error is not None:
            raise self.error
        for short, name in (ExpressionAttributeNames or {}).items():
            KeyConditionExpression = KeyConditionExpression.replace(short, name)
        values = {name: value["S"] for name, value in ExpressionAttributeValues.items()}
        ranges: dict[str, Callable[[str], bool]] = {
            "PK = :pk": lambda _: True,
            "PK = :pk AND SK > :after": lambda sort: sort > values[":after"],
            "PK = :pk AND SK BETWEEN :first AND :last": lambda sort: values[":first"] <= sort <= values[":last"],
        }
        found = [
            item
            for (partition, sort), item in sorted(self.items.items())
            if partition == values[":pk"]
            and ranges[KeyConditionExpression](sort)
            and (ExclusiveStartKey is None or sort > ExclusiveStartKey["SK"]["S"])
        ]
        page = found[: min(Limit, self.page_items)]
        answer: dict[str, Any] = {"Items": page}
        if len(page) < len(found) or len(page) == Limit:
            answer["LastEvaluatedKey"] = {"PK": page[-1]["PK"], "SK": page[-1]["SK"]}
        return answer

    def put_item(
        self,
        TableName: str,
        Item: Any,
        ConditionExpression: str,
        ExpressionAttributeNames: Any,
        ExpressionAttributeValues: Any,
        ReturnValuesOnConditionCheckFailure: str,
    ) -> dict[str, Any]:
        assert TableName and ReturnValuesOnConditionCheckFailure == "ALL_OLD"
        assert set(ExpressionAttributeNames.values()) <= set(Item)
        with self.lock:
            if self.error is not None:
                raise self.error
            key = (Item["PK"]["S"], Item["SK"]["S"])
            old = self.items.get(key)
            values = ExpressionAttributeValues
            conditions: dict[str, Callable[[], bool]] = {
                "attribute_not_exists(PK) OR #until <= :now": lambda: (
                    old is None or int(old["Until"]["N"]) <= int(values[":now"]["N"])
                ),
                "#token = :token": lambda: old is not None and old["Token"] == values[":token"],
            }
            if not conditions[ConditionExpression]():
                raise error("ConditionalCheckFailedException", 400, **({"Item": old} if old else {}))
            self.items[key] = Item
            return {}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        with self.lock:
            holds = [self._holds(next(iter(each.values()))) for each in TransactItems]
            if not all(holds):
                reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in holds]
                response: Any = {
                    "Error": {"Code": "TransactionCanceledException", "Message": ""},
                    "CancellationReasons": reasons,
                }
                raise ClientError(response, "TransactWriteItems")
            for each in TransactItems:
                if "Put" in each:
                    item = each["Put"]["Item"]
                    self.items[item["PK"]["S"], item["SK"]["S"]] = item
                elif "Delete" in each:
                    key = each["Delete"]["Key"]
                    del self.items[key["PK"]["S"], key["SK"]["S"]]
            return {}

    def _holds(self, write: dict[str, Any]) -> bool:
        key = write.get("Key") or write["Item"]
        item = self.items.get((key["PK"]["S"], key["SK"]["S"]), {})
        names = write["ExpressionAttributeNames"]
        for term in write["ConditionExpression"].split(" AND "):
            if term.startswith("attribute_not_exists("):
                if names[term[len("attribute_not_exists(") : -1]] in item:
                    return False
            elif (
                item.get(names[term.partition(" = ")[0]])
                != write["ExpressionAttributeValues"][term.partition(" = ")[2]]
            ):
                return False
        return True


class CloudWatch:
    """Metric data, as PutMetricData takes it."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> dict[str, Any]:
        assert Namespace == "InnovatorIsland"
        if not 1 <= len(MetricData) <= 1_000:
            raise error("InvalidParameterCombination")
        self.calls.append(MetricData)
        return {}
