"""What lets anything happen in a running stack, read from AWS's own APIs: every statement of every policy; and taking
one away."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.emulator import Emulator

Document = dict[str, Any]


class Policy(Protocol):
    """One policy document where it is kept. `kind` is the type of the Pulumi resource that makes it."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    def read(self) -> Document: ...

    def write(self, document: Document) -> None:
        """Put `document` in the place of what is there; one without statements allows nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """A policy, a statement of one that has several, or one of several values that a statement lists: actions,
    resources, what a condition lets a key be. `path` leads to that list.

    Services that a statement lists are taken together: where AWS asks for two (for EventBridge to write logs), it says
    so of the pair.
    """

    policy: Policy
    statement: int | None = None
    path: tuple[str, ...] = ()
    value: str = ""

    def __str__(self) -> str:
        if self.statement is None:
            return f"{self.policy.name}, all of it"
        statement = self.policy.read()["Statement"][self.statement]
        actions = self.value if self.path == ("Action",) else ", ".join(_listed(statement["Action"]))
        only = f" on {self.value}" if self.path == ("Resource",) else ""
        only = f" for {self.path[-1]} {self.value}" if self.path[:1] == ("Condition",) else only
        return f"{self.policy.name}, statement {self.statement}: {actions}{only}"

    @contextmanager
    def taken_away(self) -> Iterator[None]:
        """The stack without it; afterwards as it was."""
        before = self.policy.read()
        try:
            self.policy.write(self._without(before))
            yield
        finally:
            self.policy.write(before)
            assert _sorted(self.policy.read()) == _sorted(before), f"{self.policy.name} is not as it was"

    def _without(self, document: Document) -> Document:
        changed = copy.deepcopy(document)
        if self.statement is None:
            changed["Statement"] = []
        elif not self.path:
            del changed["Statement"][self.statement]
        else:
            _at(changed["Statement"][self.statement], self.path).remove(self.value)
        return changed


def grants(policy: Policy, *, each_value: bool) -> list[Grant]:
    """What can be taken away of a policy: each statement; with `each_value` the whole, and each value of its lists."""
    statements = policy.read()["Statement"]
    found = [Grant(policy)] if each_value or len(statements) == 1 else []
    for index, statement in enumerate(statements):
        found += [Grant(policy, index)] if len(statements) > 1 else []
        if not each_value:
            continue
        conditions = statement.get("Condition", {}).items()
        paths = [("Action",), ("Resource",), *(("Condition", test, key) for test, keys in conditions for key in keys)]
        for path in paths:
            values = _listed(_at(statement, path))
            found += [Grant(policy, index, path, value) for value in values if len(values) > 1]
    return found


def policies(emulator: Emulator) -> list[Policy]:
    """Every policy in the account, but the default ones that AWS gives to a topic."""
    iam, functions = emulator.client("iam"), emulator.client("lambda")
    queues, topics, logs = emulator.client("sqs"), emulator.client("sns"), emulator.client("logs")
    found: list[Policy] = []
    for role in _pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        found.append(TrustPolicy(iam, name))
        found += [InlinePolicy(iam, name, each) for each in iam.list_role_policies(RoleName=name)["PolicyNames"]]
    found += [ManagedPolicy(iam, each["Arn"]) for each in _pages(iam, "list_policies", "Policies", Scope="Local")]
    found += [FunctionPolicy(functions, f["FunctionName"]) for f in _pages(functions, "list_functions", "Functions")]
    found += [QueuePolicy(queues, url) for url in queues.list_queues().get("QueueUrls", [])]
    found += [TopicPolicy(topics, each["TopicArn"]) for each in _pages(topics, "list_topics", "Topics")]
    found += [LogsPolicy(logs, each["policyName"]) for each in logs.describe_resource_policies()["resourcePolicies"]]
    return [each for each in found if each.read()["Statement"] and not _is_default(each)]


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Who may assume a role."""

    iam: Any
    role: str
    kind = "aws:iam/role:Role"

    @property
    def name(self) -> str:
        return f"trust of role {self.role}"

    def read(self) -> Document:
        return self.iam.get_role(RoleName=self.role)["Role"]["AssumeRolePolicyDocument"]

    def write(self, document: Document) -> None:
        text = json.dumps(_not_empty(document, "sts:TagSession", None))
        self.iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=text)


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    """A policy inside a role."""

    iam: Any
    role: str
    policy: str
    kind = "aws:iam/rolePolicy:RolePolicy"

    @property
    def name(self) -> str:
        return f"role {self.role}: {self.policy}"

    def read(self) -> Document:
        return self.iam.get_role_policy(RoleName=self.role, PolicyName=self.policy)["PolicyDocument"]

    def write(self, document: Document) -> None:
        if document["Statement"]:
            text = json.dumps(document)
            self.iam.put_role_policy(RoleName=self.role, PolicyName=self.policy, PolicyDocument=text)
        else:
            self.iam.delete_role_policy(RoleName=self.role, PolicyName=self.policy)


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy for others to attach."""

    iam: Any
    arn: str
    kind = "aws:iam/policy:Policy"

    @property
    def name(self) -> str:
        return f"policy {self.arn.rpartition('/')[2]}"

    def read(self) -> Document:
        version = self.iam.get_policy(PolicyArn=self.arn)["Policy"]["DefaultVersionId"]
        return self.iam.get_policy_version(PolicyArn=self.arn, VersionId=version)["PolicyVersion"]["Document"]

    def write(self, document: Document) -> None:
        text = json.dumps(_not_empty(document, "execute-api:ManageConnections", "*"))
        self.iam.create_policy_version(PolicyArn=self.arn, PolicyDocument=text, SetAsDefault=True)
        for version in self.iam.list_policy_versions(PolicyArn=self.arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                self.iam.delete_policy_version(PolicyArn=self.arn, VersionId=version["VersionId"])


@dataclass(frozen=True, slots=True)
class FunctionPolicy:
    """Who may invoke a function."""

    functions: Any
    function: str
    kind = "aws:lambda/permission:Permission"

    @property
    def name(self) -> str:
        return f"permissions of function {self.function}"

    def read(self) -> Document:
        try:
            return json.loads(self.functions.get_policy(FunctionName=self.function)["Policy"])
        except self.functions.exceptions.ResourceNotFoundException:
            return {"Statement": []}

    def write(self, document: Document) -> None:
        there = {each["Sid"] for each in self.read()["Statement"]}
        wanted = {each["Sid"]: each for each in document["Statement"]}
        for sid in there - wanted.keys():
            self.functions.remove_permission(FunctionName=self.function, StatementId=sid)
        for sid in wanted.keys() - there:
            statement = wanted[sid]
            self.functions.add_permission(
                FunctionName=self.function,
                StatementId=sid,
                Action=statement["Action"],
                Principal=statement["Principal"]["Service"],
                SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
            )


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """Who may use a queue, besides whom IAM lets."""

    queues: Any
    url: str
    kind = "aws:sqs/queuePolicy:QueuePolicy"

    @property
    def name(self) -> str:
        return f"policy of queue {self.url.rpartition('/')[2]}"

    def read(self) -> Document:
        got = self.queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["Policy"])
        return json.loads(got.get("Attributes", {}).get("Policy") or '{"Statement": []}')

    def write(self, document: Document) -> None:
        text = json.dumps(document) if document["Statement"] else ""
        self.queues.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": text})


@dataclass(frozen=True, slots=True)
class TopicPolicy:
    """Who may use a topic, besides whom IAM lets."""

    topics: Any
    arn: str
    kind = "aws:sns/topicPolicy:TopicPolicy"

    @property
    def name(self) -> str:
        return f"policy of topic {self.arn.rpartition(':')[2]}"

    def read(self) -> Document:
        return json.loads(self.topics.get_topic_attributes(TopicArn=self.arn)["Attributes"]["Policy"])

    def write(self, document: Document) -> None:
        text = json.dumps(_not_empty(document, "sns:AddPermission", self.arn))
        self.topics.set_topic_attributes(TopicArn=self.arn, AttributeName="Policy", AttributeValue=text)


@dataclass(frozen=True, slots=True)
class LogsPolicy:
    """What services may write to the account's log groups."""

    logs: Any
    policy: str
    kind = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"

    @property
    def name(self) -> str:
        return f"log policy {self.policy}"

    def read(self) -> Document:
        policies = self.logs.describe_resource_policies()["resourcePolicies"]
        return json.loads(next(each["policyDocument"] for each in policies if each["policyName"] == self.policy))

    def write(self, document: Document) -> None:
        if document["Statement"]:
            self.logs.put_resource_policy(policyName=self.policy, policyDocument=json.dumps(document))
        else:
            self.logs.delete_resource_policy(policyName=self.policy)


def declared(deployment: Any) -> Counter[str]:
    """How many policies a deployment (`pulumi stack export`) has, by their resources' types.

    Of any type, so that one which `policies` does not look for is missed.
    """
    words = ("aws:iam/", "olicy", "ermission")
    types = [each["type"] for each in deployment["deployment"]["resources"]]
    return Counter(each for each in types if each.startswith("aws:") and any(word in each for word in words))


def running(policies: list[Policy]) -> Counter[str]:
    """How many of them run, by the same types. For a function's permission there is a resource per statement."""
    found: Counter[str] = Counter()
    for policy in policies:
        found[policy.kind] += len(policy.read()["Statement"]) if isinstance(policy, FunctionPolicy) else 1
    return found


def _not_empty(document: Document, action: str, resource: str | None) -> Document:
    """`document`; where it has no statement, and AWS takes no such policy, with one that denies what nobody does."""
    if document["Statement"]:
        return document
    denial: Document = {"Effect": "Deny", "Action": action}
    if resource is not None:
        denial["Resource"] = resource
    if resource != "*":
        denial["Principal"] = {"AWS": "*"}
    return {**document, "Statement": [denial]}


def _at(statement: Document, path: tuple[str, ...]) -> Any:
    value: Any = statement
    for key in path:
        value = value.get(key, [])
    return value


def _is_default(policy: Policy) -> bool:
    return policy.read().get("Id") == "__default_policy_ID"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _sorted(document: Document) -> str:
    statements = sorted(json.dumps(each, sort_keys=True) for each in document["Statement"])
    return json.dumps(statements)


def _pages(client: Any, call: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(call).paginate(**arguments):
        yield from page[key]
