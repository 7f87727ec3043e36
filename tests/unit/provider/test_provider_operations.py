"""Create, Read, Update and Delete around what a type's own functions do: previews, absence, failure halfway, tags."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.runtime.proto import provider_pb2, status_pb2

from sandbox.provider import server
from sandbox.provider.config import session_from
from sandbox.provider.resource import Context, Created, ResourceError, ResourceType, Session
from sandbox.provider.schema import integer, mapping, name, tags, text
from sandbox.provider.server import Provider
from sandbox.provider.services import dynamodb, events
from sandbox.provider.wire import UNKNOWN, Props, from_struct, to_struct

URN = "urn:pulumi:dev::p::aws:test/thing:Thing::thing"
ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1"}


class Refusal(Exception):
    """What a gRPC call was aborted with."""


class Call:
    """A call's context."""

    status: Any = None

    def abort(self, code: Any, message: str) -> None:
        raise Refusal(message)

    def abort_with_status(self, status: Any) -> None:
        self.status = status
        raise Refusal(status.details)


def aws_error(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Call")


class Things:
    """An AWS that holds things, and the type for them."""

    def __init__(self) -> None:
        self.held: dict[str, Props] = {}
        self.calls: list[str] = []
        self.failing: Exception | None = None

    def create(self, context: Context, new: Props) -> Created:
        self.calls.append("create")
        self.held[new["name"]] = {**new, "size": new.get("size", 7), "tags": context.tags}
        return Created(new["name"])

    def read(self, context: Context, id_: str, state: Props) -> Props | None:
        self.calls.append("read")
        if self.failing:
            raise self.failing
        if id_ not in self.held:
            raise aws_error("ResourceNotFoundException")
        found = self.held[id_]
        return {"arn": f"arn:{id_}", "name": id_, "size": found["size"], "note": found.get("note")}

    def update(self, context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:
        self.calls.append(f"update {','.join(sorted(changed))}")
        self.held[id_] |= {"note": None, **{key: new[key] for key in ("size", "note") if key in new}}

    def delete(self, context: Context, id_: str, state: Props) -> None:
        self.calls.append("delete")
        if self.held.pop(id_, None) is None:
            raise aws_error("ResourceNotFoundException")

    def write_tags(self, context: Context, id_: str, state: Props, wanted: Any, gone: list[str]) -> None:
        self.calls.append(f"tags {wanted} without {gone}")
        self.held[id_]["tags"] = wanted

    @property
    def kind(self) -> ResourceType:
        return ResourceType(
            token="aws:test/thing:Thing",
            inputs={
                "name": name(20),
                "size": integer(computed=True),
                "note": text(),
                "more": mapping(),
                "tags": tags(),
            },
            outputs=("arn",),
            create=self.create,
            read=self.read,
            update=self.update,
            delete=self.delete,
            tags=(lambda context, id_, state: self.held[id_]["tags"], self.write_tags),
        )


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Things:
    things = Things()
    monkeypatch.setitem(server.TYPES, "aws:test/thing:Thing", things.kind)
    return things


@pytest.fixture
def provider() -> Provider:
    provider = Provider()
    provider._session = session_from({"defaultTags": {"tags": {"by": "all"}}}, ENVIRONMENT)
    return provider


def create(provider: Provider, call: Call | None = None, preview: bool = False, **inputs: Any) -> Any:
    request = provider_pb2.CreateRequest(urn=URN, properties=to_struct(inputs), preview=preview)
    return provider.Create(request, call or Call())  # type: ignore[arg-type]


def update(provider: Provider, old: Props, new: Props, preview: bool = False) -> Props:
    request = provider_pb2.UpdateRequest(id="t", urn=URN, olds=to_struct(old), news=to_struct(new), preview=preview)
    return from_struct(provider.Update(request, Call()).properties)  # type: ignore[arg-type]


def test_a_preview_of_a_creation_creates_nothing_and_admits_unknowns(things: Things, provider: Provider) -> None:
    answer = create(provider, preview=True, name="t", note=UNKNOWN)
    assert from_struct(answer.properties) == {
        "name": "t",
        "note": UNKNOWN,
        "arn": UNKNOWN,
        "size": UNKNOWN,
        "region": "eu-west-1",
        "tagsAll": {"by": "all"},
    }
    assert (things.calls, things.held) == ([], {})


def test_a_creation_gives_what_aws_has(things: Things, provider: Provider) -> None:
    answer = create(provider, name="t", note="n", more={"k": "v"}, tags={"own": "x"}, __defaults=[])
    assert answer.id == "t"
    assert from_struct(answer.properties) == {
        "arn": "arn:t",
        "name": "t",
        "note": "n",
        "size": 7,
        "more": {"k": "v"},
        "region": "eu-west-1",
        "tags": {"own": "x"},
        "tagsAll": {"by": "all", "own": "x"},
    }
    assert things.held["t"]["tags"] == {"by": "all", "own": "x"}


def test_what_was_created_and_then_failed_is_kept_by_the_engine(things: Things, provider: Provider) -> None:
    call = Call()
    things.failing = aws_error("InternalError", "try later")
    with pytest.raises(Refusal, match="try later"):
        create(provider, call, name="t")
    ((key, value),) = call.status.trailing_metadata
    status = status_pb2.Status.FromString(value)
    detail = provider_pb2.ErrorResourceInitFailed()
    assert key == "grpc-status-details-bin"
    assert status.details[0].Unpack(detail)
    assert (detail.id, from_struct(detail.properties)["name"]) == ("t", "t")


def test_aws_errors_reach_the_user_in_their_own_words(things: Things, provider: Provider, monkeypatch: Any) -> None:
    def refuse(context: Context, new: Props) -> Created:
        raise aws_error("LimitExceeded", "The requested resource exceeds the maximum number allowed")

    monkeypatch.setitem(server.TYPES, "aws:test/thing:Thing", replace(things.kind, create=refuse))
    with pytest.raises(Refusal, match=r"creating aws:test.*LimitExceeded.*exceeds the maximum number allowed"):
        create(provider, name="t")


def test_an_update_keeps_what_aws_chose_and_drops_what_the_program_dropped(things: Things, provider: Provider) -> None:
    old = from_struct(create(provider, name="t", note="n", more={"k": "v"}).properties)
    things.held["t"]["size"] = old["size"] = 9
    assert update(provider, old, {"name": "t", "more": {"k": "w"}}, preview=True) == {
        **{key: old[key] for key in ("arn", "name", "size", "region", "tagsAll")},
        "more": {"k": "w"},
    }
    things.calls.clear()
    new = update(provider, old, {"name": "t", "more": {"k": "w"}})
    assert new == {**{key: old[key] for key in ("arn", "name", "size", "region", "tagsAll")}, "more": {"k": "w"}}
    assert things.calls == ["update more,note", "read"]


def test_tags_are_changed_alone_and_with_the_default_ones(things: Things, provider: Provider) -> None:
    old = from_struct(create(provider, name="t", tags={"a": "1", "b": "2"}).properties)
    things.calls.clear()
    new = update(provider, old, {"name": "t", "tags": {"b": "3"}})
    assert new["tagsAll"] == {"by": "all", "b": "3"}
    assert things.calls == ["tags {'by': 'all', 'b': '3'} without ['a']", "read"]


def test_other_default_tags_are_a_change(things: Things, provider: Provider) -> None:
    old = from_struct(create(provider, name="t").properties)
    request = provider_pb2.DiffRequest(urn=URN, olds=to_struct(old), news=to_struct({"name": "t"}))
    assert list(provider.Diff(request, Call()).diffs) == []  # type: ignore[arg-type]
    provider._session = session_from({"defaultTags": {"tags": {"by": "another"}}}, ENVIRONMENT)
    assert list(provider.Diff(request, Call()).diffs) == ["tagsAll"]  # type: ignore[arg-type]


def test_a_refresh_finds_what_changed_and_an_import_what_is(things: Things, provider: Provider) -> None:
    old = from_struct(create(provider, name="t", note="n").properties)
    things.held["t"] |= {"note": "by hand", "tags": {"by": "all", "foreign": "f"}}
    request = provider_pb2.ReadRequest(
        id="t", urn=URN, properties=to_struct(old), inputs=to_struct({"name": "t", "note": "n", "__defaults": []})
    )
    answer = provider.Read(request, Call())  # type: ignore[arg-type]
    assert from_struct(answer.properties) == {
        **old,
        "note": "by hand",
        "tags": {"foreign": "f"},
        "tagsAll": {"by": "all", "foreign": "f"},
    }
    assert from_struct(answer.inputs) == {"name": "t", "note": "by hand", "__defaults": []}
    answer = provider.Read(provider_pb2.ReadRequest(id="t", urn=URN), Call())  # type: ignore[arg-type]
    assert from_struct(answer.inputs) == {
        "name": "t",
        "note": "by hand",
        "size": 7,
        "tags": {"foreign": "f"},
        "__defaults": [],
    }


def test_what_is_gone_drops_out_at_a_refresh_and_is_no_fault_to_delete(things: Things, provider: Provider) -> None:
    state = to_struct({"name": "t"})
    answer = provider.Read(provider_pb2.ReadRequest(id="t", urn=URN, properties=state, inputs=state), Call())  # type: ignore[arg-type]
    assert answer.id == ""
    provider.Delete(provider_pb2.DeleteRequest(id="t", urn=URN, properties=state), Call())  # type: ignore[arg-type]
    assert things.calls == ["read", "delete"]


class FakeEvents:
    """The calls of EventBridge that deleting a rule and putting a target make."""

    def __init__(self) -> None:
        self.targets = 0
        self.refusals = 0
        self.asked: list[Props] = []

    def list_targets_by_rule(self, **request: Any) -> Props:
        self.asked.append(request)
        self.targets = max(0, self.targets - 1)
        return {"Targets": [{}] * self.targets}

    def delete_rule(self, **request: Any) -> None:
        self.asked.append(request)
        if self.refusals:
            self.refusals -= 1
            raise aws_error("ValidationException", "Rule can't be deleted since it has targets.")

    def put_targets(self, **request: Any) -> Props:
        self.asked.append(request)
        failed = {"TargetId": "t", "ErrorCode": "LimitExceededException", "ErrorMessage": "too many"}
        return {"FailedEntryCount": 1, "FailedEntries": [failed]}


def context_of(monkeypatch: pytest.MonkeyPatch, client: Any) -> Context:
    session = session_from({}, ENVIRONMENT)
    monkeypatch.setattr(Session, "client", lambda self, service, region="": client)
    return Context(session, "eu-west-1")


def test_a_rule_is_deleted_once_its_targets_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeEvents()
    client.targets, client.refusals = 2, 1
    events.RULE.delete(context_of(monkeypatch, client), "bus/rule", {})
    assert client.asked[-1] == {"Name": "rule", "EventBusName": "bus", "Force": False}
    assert client.refusals == 0


def test_a_rule_that_keeps_its_targets_is_refused_in_the_words_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(events.DELETE_SECONDS, "0.1")
    client = FakeEvents()
    client.targets = 1000
    with pytest.raises(ClientError, match="Rule can't be deleted since it has targets"):
        events.RULE.delete(context_of(monkeypatch, client), "bus/rule", {})
    assert all("Force" not in request for request in client.asked)


def test_a_target_that_failed_with_http_200_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    new = {"rule": "r", "eventBusName": "b", "targetId": "t", "arn": "a", "retryPolicy": {"maximumRetryAttempts": 5}}
    client = FakeEvents()
    with pytest.raises(ResourceError, match="t: LimitExceededException: too many"):
        events.TARGET.create(context_of(monkeypatch, client), new)
    # As upstream: the half that is not given is sent as 0.
    policy = {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 0}
    assert client.asked[-1]["Targets"] == [{"Id": "t", "Arn": "a", "RetryPolicy": policy}]


class FakeTable:
    """The calls of DynamoDB that items make."""

    def __init__(self) -> None:
        self.asked: list[Props] = []

    def put_item(self, **request: Any) -> None:
        self.asked.append(request)

    def update_item(self, **request: Any) -> None:
        self.asked.append(request)


def test_an_item_is_created_only_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeTable()
    item = '{"PK": {"S": "a"}, "SK": {"N": "1"}, "Raw": {"B": "AQI="}}'
    new = {"tableName": "t", "hashKey": "PK", "rangeKey": "SK", "item": item}
    created = dynamodb.ITEM.create(context_of(monkeypatch, client), new)
    assert created == Created("t|PK||a||SK|||1", {"hashKeyValue": "a", "rangeKeyValue": "1"})
    assert client.asked == [
        {
            "TableName": "t",
            "Item": {"PK": {"S": "a"}, "SK": {"N": "1"}, "Raw": {"B": b"\x01\x02"}},
            "ConditionExpression": "attribute_not_exists(#hk)",
            "ExpressionAttributeNames": {"#hk": "PK"},
        }
    ]


def test_an_update_of_an_item_removes_what_the_program_does_not_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeTable()
    old = {"tableName": "t", "hashKey": "PK", "item": '{"PK": {"S": "a"}, "Foreign": {"S": "x"}, "Own": {"S": "y"}}'}
    new = {**old, "item": '{"PK": {"S": "a"}, "Own": {"S": "z"}}'}
    assert dynamodb.ITEM.update
    dynamodb.ITEM.update(context_of(monkeypatch, client), "i", old, new, {"item"})
    assert client.asked == [
        {
            "TableName": "t",
            "Key": {"PK": {"S": "a"}},
            "UpdateExpression": "SET #0 = :0 REMOVE #1",
            "ExpressionAttributeNames": {"#0": "Own", "#1": "Foreign"},
            "ExpressionAttributeValues": {":0": {"S": "z"}},
        }
    ]
