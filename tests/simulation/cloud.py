"""DynamoDB, EventBridge and Step Functions as far as Signalbox uses them, with their sharp edges: as boto3 has them.

PutRule replaces the whole rule, PutTargets and RemoveTargets fail in part with HTTP 200, a rule with targets cannot be
deleted, lists come in pages and may be old, five targets a rule, a quota of rules, optimistic transactions. A state
machine that is made again as it is stays as it is, tags and role too; one that is deleted keeps its name for a while.
"""

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

from botocore.exceptions import ClientError, ReadTimeoutError

from signalbox.store import PK, SK
from tests.simulation.faults import Faults
from tests.simulation.scheduling import Killed, Scheduler

Image = dict[str, dict[str, Any]]
Key = tuple[str, str]


class Watcher(Protocol):
    """Who is told of what happens, before anybody else runs."""

    def called(self, operation: str, failed: bool) -> None:
        """A call was answered, with an error that may pass or without."""

    def stale_list(self) -> None:
        """The current actor got an old list."""

    def item_written(self, key: Key, new: Image | None) -> None:
        """An item was put, or deleted."""

    def rule_written(self, rule: str, operation: str) -> None:
        """A rule or its targets were changed."""

    def machine_written(self, name: str, operation: str) -> None:
        """A state machine was made, changed or begun to be deleted."""


class Cloud:
    """The state of the account, and the way into it that every call takes."""

    def __init__(
        self, rng: Random, scheduler: Scheduler, faults: Faults, *, page: int, quota: int, ticks_of_staleness: int
    ) -> None:
        self.rng = rng
        self.scheduler = scheduler
        self.faults = faults
        self.page = page
        self.quota = quota
        self.tick = 0
        self.items: dict[Key, Image] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, dict[str, dict[str, Any]]] = {}
        self.machines: dict[str, dict[str, Any]] = {}
        self.machine_tags: dict[str, dict[str, str]] = {}
        self.watcher: Watcher | None = None
        self.calls: list[str] = []
        self._old_rules: deque[tuple[dict[str, dict[str, Any]], dict[str, dict[str, dict[str, Any]]]]] = deque(
            maxlen=ticks_of_staleness
        )
        self._old_items: deque[dict[Key, Image]] = deque(maxlen=3)
        self._old_machines: deque[dict[str, dict[str, Any]]] = deque(maxlen=2)
        self.misread: set[str] = set()
        """Machines that somebody may believe to be as they are no more, and that nobody has changed since."""
        self._views: list[list[dict[str, Any]]] = []

    def call(self, operation: str, effect: Callable[[], Any]) -> Any:
        """One call of the current actor: others may run before it, it may fail, die there, or get no answer."""
        self.scheduler.point()
        actor = self.scheduler.current
        if actor is None:
            self.calls.append(operation)
            return effect()
        if actor.dead:
            raise Killed
        self.calls.append(operation)
        fault = self.faults.draw(actor.kind, operation)
        if fault:
            self.faults.hit(f"{actor.kind} {operation} {fault}")
        if fault == "crash-before":
            actor.dead = True
            raise Killed
        if fault in ("throttled", "error-before", "concurrent", "conflict", "conflicting"):
            raise self._failure(operation, fault)
        try:
            result = effect()
        except ClientError:
            self._tell(operation, failed=False)
            raise
        if fault == "crash-after":
            actor.dead = True
            raise Killed
        if fault in ("error-after", "no-answer"):
            raise self._failure(operation, fault)
        self._tell(operation, failed=bool(result.get("FailedEntryCount")))
        return result

    def _tell(self, operation: str, *, failed: bool) -> None:
        if self.watcher:
            self.watcher.called(operation, failed)

    def _failure(self, operation: str, fault: str) -> Exception:
        self._tell(operation, failed=True)
        if fault == "no-answer":
            return ReadTimeoutError(endpoint_url="https://aws.invalid")
        if fault == "conflict":
            reasons = [{"Code": "TransactionConflict"}]
            return ClientError(
                {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-unknown-key]
                operation,
            )
        dynamo = operation in ("query", "get_item", "put_item", "delete_item", "transact_write_items")
        code, status = {
            "throttled": ("ThrottlingException", 400),
            "concurrent": ("ConcurrentModificationException", 400),
            "conflicting": ("ConflictException", 400),
        }.get(fault, ("InternalServerError" if dynamo else "InternalException", 500))
        return error(code, f"injected: {fault}", operation, status)

    def remember_rules(self) -> None:
        """Called before a change of rules or targets: what an old list may show."""
        self._old_rules.append((dict(self.rules), dict(self.targets)))

    def targets_before(self, rule: str) -> dict[str, dict[str, Any]]:
        """The targets of a rule before the last change of rules or targets."""
        return self._old_rules[-1][1].get(rule, {}) if self._old_rules else {}

    def remember_items(self) -> None:
        """Called before a change of items: what an eventually consistent read may show."""
        self._old_items.append(dict(self.items))

    def rules_view(self, operation: str) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, dict[str, Any]]]]:
        """The rules and targets as a list shows them: now, or some changes ago."""
        actor = self.scheduler.current
        if actor and self._old_rules and self.faults.stale(actor.kind, operation):
            self.faults.hit(f"{actor.kind} {operation} stale")
            if self.watcher:
                self.watcher.stale_list()
            return self.rng.choice(self._old_rules)
        return self.rules, self.targets

    def remember_machines(self) -> None:
        """Called before a change of state machines: what an eventually consistent read may show."""
        self._old_machines.append(dict(self.machines))

    def machines_view(self, operation: str) -> dict[str, dict[str, Any]]:
        """The state machines as a read shows them."""
        actor = self.scheduler.current
        if actor and self._old_machines and self.faults.stale(actor.kind, operation):
            self.faults.hit(f"{actor.kind} {operation} stale")
            if self.watcher:
                self.watcher.stale_list()
            old = self.rng.choice(self._old_machines)
            self.misread |= {name for name in old if old[name] != self.machines.get(name)}
            return old
        return self.machines

    def machine_changed(self, name: str, operation: str) -> None:
        """Tells the watcher."""
        self.tick += 1
        self.misread.discard(name)
        if self.watcher:
            self.watcher.machine_written(name, operation)

    def items_view(self, *, consistent: bool) -> dict[Key, Image]:
        """The items as a read shows them."""
        if consistent or not self._old_items or self.faults.rate == 0:
            return self.items
        return self.rng.choice(self._old_items)

    def keep_view(self, entries: list[dict[str, Any]]) -> int:
        """Keeps a list for its later pages."""
        self._views.append(entries)
        return len(self._views) - 1

    def view(self, number: int) -> list[dict[str, Any]]:
        """A kept list."""
        return self._views[number]

    def rule_changed(self, rule: str, operation: str) -> None:
        """Tells the watcher."""
        self.tick += 1
        if self.watcher:
            self.watcher.rule_written(rule, operation)

    def item_changed(self, key: Key, new: Image | None) -> None:
        """Tells the watcher."""
        self.tick += 1
        if self.watcher:
            self.watcher.item_written(key, new)


def error(code: str, message: str, operation: str, status: int = 400) -> ClientError:
    """The error that botocore would raise."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class DynamoClient:
    """The calls of `boto3.client("dynamodb")` that are used, on one table."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def query(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            items = self._cloud.items_view(consistent=request.get("ConsistentRead", False))
            values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
            start = request.get("ExclusiveStartKey", {}).get(SK, {}).get("S", "")
            found = sorted(
                sk
                for pk, sk in items
                if pk == values[":pk"] and sk.startswith(values.get(":sk", "")) and (not start or sk > start)
            )
            page = [items[values[":pk"], sk] for sk in found[: self._cloud.page]]
            last = {"LastEvaluatedKey": {name: page[-1][name] for name in (PK, SK)}} if page else {}
            # As DynamoDB does: a full page has a key to go on from, even when nothing follows.
            return {"Items": page, **(last if len(page) == self._cloud.page else {})}

        return self._cloud.call("query", effect)

    def get_item(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            item = self._cloud.items_view(consistent=request.get("ConsistentRead", False)).get(_key(request["Key"]))
            return {} if item is None else {"Item": item}

        return self._cloud.call("get_item", effect)

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._cloud.call("put_item", lambda: self._put(request["Item"]) or {})

    def delete_item(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._cloud.remember_items()
            if self._cloud.items.pop(_key(request["Key"]), None) is not None:
                self._cloud.item_changed(_key(request["Key"]), None)
            return {}

        return self._cloud.call("delete_item", effect)

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            holds = [self._holds(next(iter(each.values()))) for each in request["TransactItems"]]
            if not all(holds):
                reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in holds]
                raise ClientError(
                    {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},  # type: ignore[typeddict-unknown-key]
                    "TransactWriteItems",
                )
            for each in request["TransactItems"]:
                if "Put" in each:
                    self._put(each["Put"]["Item"])
                elif "Delete" in each:
                    self._cloud.remember_items()
                    del self._cloud.items[_key(each["Delete"]["Key"])]
                    self._cloud.item_changed(_key(each["Delete"]["Key"]), None)
            return {}

        return self._cloud.call("transact_write_items", effect)

    def _put(self, item: Image) -> None:
        self._cloud.remember_items()
        self._cloud.items[_key(item)] = item
        self._cloud.item_changed(_key(item), item)

    def _holds(self, write: Mapping[str, Any]) -> bool:
        expression = write.get("ConditionExpression", "")
        item = self._cloud.items.get(_key(write.get("Key") or write["Item"]), {})
        names = write.get("ExpressionAttributeNames", {})
        for term in filter(None, expression.split(" AND ")):
            if term.startswith("attribute_not_exists("):
                if names[term.removeprefix("attribute_not_exists(").removesuffix(")")] in item:
                    return False
            else:
                name, _, value = term.partition(" = ")
                if item.get(names[name]) != write["ExpressionAttributeValues"][value]:
                    return False
        return True


class EventsClient:
    """The calls of `boto3.client("events")` that are used, on one bus."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def list_rules(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            if "NextToken" in request:
                return self._page("Rules", request["NextToken"], request["Limit"])
            rules, _ = self._cloud.rules_view("list_rules")
            view = self._cloud.keep_view([rules[name] for name in sorted(rules)])
            return self._page("Rules", f"{view}:0", request["Limit"])

        return self._cloud.call("list_rules", effect)

    def list_targets_by_rule(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            if "NextToken" in request:
                return self._page("Targets", request["NextToken"], request["Limit"])
            rules, targets = self._cloud.rules_view("list_targets_by_rule")
            if request["Rule"] not in rules:
                raise error("ResourceNotFoundException", "no such rule", "ListTargetsByRule")
            there = targets.get(request["Rule"], {})
            view = self._cloud.keep_view([there[name] for name in sorted(there)])
            return self._page("Targets", f"{view}:0", request["Limit"])

        return self._cloud.call("list_targets_by_rule", effect)

    def _page(self, name: str, token: str, limit: int) -> dict[str, Any]:
        view, _, start = token.partition(":")
        entries = self._cloud.view(int(view))
        end = int(start) + min(limit, self._cloud.page)
        more = {"NextToken": f"{view}:{end}"} if end < len(entries) else {}
        return {name: entries[int(start) : end], **more}

    def put_rule(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            name = request["Name"]
            self._refuse_managed(name, "PutRule")
            if name not in self._cloud.rules and len(self._cloud.rules) >= self._cloud.quota:
                actor = self._cloud.scheduler.current
                if actor:
                    self._cloud.faults.hit(f"{actor.kind} put_rule quota")
                raise error("LimitExceededException", "too many rules", "PutRule")
            self._cloud.remember_rules()
            fields = ("Name", "EventPattern", "State", "Description", "ScheduleExpression", "RoleArn")
            self._cloud.rules[name] = {
                "State": "ENABLED",
                "Arn": f"arn:aws:events:eu-central-1:1:rule/bus/{name}",
                **{field: request[field] for field in fields if field in request},
            }
            self._cloud.targets.setdefault(name, {})
            self._cloud.rule_changed(name, "put_rule")
            return {}

        return self._cloud.call("put_rule", effect)

    def put_targets(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            name, targets = request["Rule"], request["Targets"]
            there = self._there(name, "PutTargets")
            if not 1 <= len(targets) <= 10:
                raise error("ValidationException", "1 to 10 targets", "PutTargets")
            if len(there.keys() | {target["Id"] for target in targets}) > 5:
                raise error("LimitExceededException", "more than 5 targets", "PutTargets")
            return self._in_part("put_targets", name, [t["Id"] for t in targets], {t["Id"]: dict(t) for t in targets})

        return self._cloud.call("put_targets", effect)

    def remove_targets(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            name = request["Rule"]
            self._there(name, "RemoveTargets")
            if not 1 <= len(request["Ids"]) <= 10:
                raise error("ValidationException", "1 to 10 targets", "RemoveTargets")
            return self._in_part("remove_targets", name, list(request["Ids"]), {})

        return self._cloud.call("remove_targets", effect)

    def delete_rule(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            name = request["Name"]
            self._refuse_managed(name, "DeleteRule")
            if self._cloud.targets.get(name):
                raise error("ValidationException", "Rule can't be deleted since it has targets.", "DeleteRule")
            if name in self._cloud.rules:
                self._cloud.remember_rules()
                del self._cloud.rules[name]
                self._cloud.targets.pop(name, None)
                self._cloud.rule_changed(name, "delete_rule")
            return {}

        return self._cloud.call("delete_rule", effect)

    def _in_part(self, operation: str, rule: str, ids: list[str], put: dict[str, dict[str, Any]]) -> dict[str, Any]:
        actor = self._cloud.scheduler.current
        failing: list[str] = []
        if actor and (mask := self._cloud.faults.subset(actor.kind, operation, len(ids))):
            failing = [each for bit, each in enumerate(ids) if mask >> bit & 1]
            self._cloud.faults.hit(f"{actor.kind} {operation} failed entries {mask:0{len(ids)}b}")
        self._cloud.remember_rules()
        targets = {k: v for k, v in self._cloud.targets[rule].items() if k not in ids or k in failing or k in put}
        targets.update({each: put[each] for each in ids if each in put and each not in failing})
        self._cloud.targets[rule] = targets
        if len(failing) < len(ids):
            self._cloud.rule_changed(rule, operation)
        entries = [
            {"TargetId": each, "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "injected"}
            for each in failing
        ]
        return {"FailedEntryCount": len(failing), "FailedEntries": entries}

    def _there(self, rule: str, operation: str) -> dict[str, dict[str, Any]]:
        if rule not in self._cloud.rules:
            raise error("ResourceNotFoundException", "no such rule", operation)
        self._refuse_managed(rule, operation)
        return self._cloud.targets[rule]

    def _refuse_managed(self, rule: str, operation: str) -> None:
        if self._cloud.rules.get(rule, {}).get("ManagedBy"):
            self._cloud.rule_changed(rule, operation)
            raise error("ManagedRuleException", "the rule is managed", operation)


MACHINE = "arn:aws:states:eu-central-1:1:stateMachine:"


class StatesClient:
    """The calls of `boto3.client("stepfunctions")` that are used."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def list_state_machines(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            if "nextToken" in request:
                view, _, start = request["nextToken"].partition(":")
            else:
                there = self._cloud.machines_view("list_state_machines")
                entries = [{"name": name, "stateMachineArn": MACHINE + name} for name in sorted(there)]
                view, start = str(self._cloud.keep_view(entries)), "0"
            entries = self._cloud.view(int(view))
            end = int(start) + min(request["maxResults"], self._cloud.page)
            more = {"nextToken": f"{view}:{end}"} if end < len(entries) else {}
            return {"stateMachines": entries[int(start) : end], **more}

        return self._cloud.call("list_state_machines", effect)

    def describe_state_machine(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            machine = self._cloud.machines_view("describe_state_machine").get(_machine(request["stateMachineArn"]))
            if machine is None:
                raise error("StateMachineDoesNotExist", "no such machine", "DescribeStateMachine")
            if machine["status"] == "DELETING" and self._cloud.scheduler.current:
                self._cloud.faults.hit("machine being deleted")
            return {key: value for key, value in machine.items() if key != "until"}

        return self._cloud.call("describe_state_machine", effect)

    def list_tags_for_resource(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            name = _machine(request["resourceArn"])
            if name not in self._cloud.machines:
                raise error("ResourceNotFound", "no such machine", "ListTagsForResource")
            return {"tags": [{"key": k, "value": v} for k, v in self._cloud.machine_tags.get(name, {}).items()]}

        return self._cloud.call("list_tags_for_resource", effect)

    def create_state_machine(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            name = request["name"]
            there = self._cloud.machines.get(name)
            if there is not None:
                self._refuse_deleting(there, "CreateStateMachine")
                # Idempotent by all but role and tags, which then stay as they are.
                same = ("definition", "type", "loggingConfiguration", "tracingConfiguration")
                if any(there.get(key) != request[key] for key in same):
                    raise error("StateMachineAlreadyExists", "there is one", "CreateStateMachine")
                return {"stateMachineArn": MACHINE + name}
            self._cloud.remember_machines()
            fields = {key: value for key, value in request.items() if key != "tags"}
            self._cloud.machines[name] = {**fields, "stateMachineArn": MACHINE + name, "status": "ACTIVE"}
            self._cloud.machine_tags[name] = {each["key"]: each["value"] for each in request["tags"]}
            self._cloud.machine_changed(name, "create_state_machine")
            return {"stateMachineArn": MACHINE + name}

        return self._cloud.call("create_state_machine", effect)

    def update_state_machine(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            name = _machine(request["stateMachineArn"])
            there = self._cloud.machines.get(name)
            if there is None:
                raise error("StateMachineDoesNotExist", "no such machine", "UpdateStateMachine")
            self._refuse_deleting(there, "UpdateStateMachine")
            self._cloud.remember_machines()
            self._cloud.machines[name] = {**there, **request}
            self._cloud.machine_changed(name, "update_state_machine")
            return {}

        return self._cloud.call("update_state_machine", effect)

    def delete_state_machine(self, **request: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._forget()
            name = _machine(request["stateMachineArn"])
            there = self._cloud.machines.get(name)
            if there is not None and there["status"] != "DELETING":
                self._cloud.remember_machines()
                until = len(self._cloud.calls) + self._cloud.rng.randint(0, 60)
                self._cloud.machines[name] = {**there, "status": "DELETING", "until": until}
                self._cloud.machine_changed(name, "delete_state_machine")
            return {}

        return self._cloud.call("delete_state_machine", effect)

    def _refuse_deleting(self, machine: Mapping[str, Any], operation: str) -> None:
        if machine["status"] == "DELETING":
            raise error("StateMachineDeleting", "it is being deleted", operation)

    def _forget(self) -> None:
        """Machines whose deletion has come to its end."""
        for name, machine in [*self._cloud.machines.items()]:
            over = self._cloud.faults.rate == 0 or machine.get("until", 0) <= len(self._cloud.calls)
            if machine["status"] == "DELETING" and over:
                self._cloud.remember_machines()
                del self._cloud.machines[name]
                self._cloud.machine_tags.pop(name, None)


def _machine(arn: str) -> str:
    return arn.removeprefix(MACHINE)


def _key(attributes: Mapping[str, Any]) -> Key:
    return attributes[PK]["S"], attributes[SK]["S"]
