"""The native targets that definitions name: those without an ARN are created, with what lets EventBridge in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.policy import allow, assumed_by, document, from_source
from components.scope import Scope
from signalbox import physical_names
from signalbox.canonical import digest
from signalbox.classic import ROLE_ACTIONS
from signalbox.model import Destination
from signalbox.runtime.queues import MESSAGE_BYTES

EVENTS = "events.amazonaws.com"
LOG_DELIVERY = [EVENTS, "delivery.logs.amazonaws.com"]
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-cloudwatchlogs-permissions


@dataclass(frozen=True, slots=True)
class Address:
    """What a rule's target must say to reach a destination. `after` are the resources that must exist before events
    flow: its policy or its role's permissions."""

    arn: pulumi.Input[str]
    role_arn: pulumi.Input[str] | None = None
    after: tuple[pulumi.Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class DestinationsArgs:
    """`subscriptions` are e-mail addresses and phone numbers by the name of their topic destination."""

    scope: Scope
    destinations: Mapping[str, Destination]
    subscriptions: Mapping[str, Sequence[str]]
    log_retention_days: int


class Destinations(Component):
    """Topics, queues, log groups and API destinations, and the roles and policies for them.

    `addresses` by name; `permissions` are those that belong to no single destination.

    A destination with an ARN belongs to somebody else, whose policy must let our bus in (docs/definitions.md).
    """

    def __init__(self, name: str, args: DestinationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._scope = args.scope
        self._retention = args.log_retention_days
        self._destinations = args.destinations
        self.addresses = {each.name: self._address(each) for each in args.destinations.values()}
        log_policy = self._let_rules_log(args.destinations.values())
        self.permissions = [log_policy] if log_policy else []
        for topic, endpoints in args.subscriptions.items():
            for endpoint in endpoints:
                self._subscription(topic, endpoint)
        self.register_outputs({})

    def arns(self, kind: str) -> dict[str, pulumi.Input[str]]:
        """The ARNs of the destinations of a kind, by name."""
        return {name: self.addresses[name].arn for name, each in self._destinations.items() if each.kind == kind}

    def _address(self, destination: Destination) -> Address:
        match destination.kind:
            case "topic" if destination.arn is None:
                return self._topic(destination)
            case "queue" if destination.arn is None:
                return self._queue(destination)
            case "log-group" if destination.arn is None:
                return self._log_group(destination)
            case "api-destination" if destination.arn is None:
                created = self._api_destination(destination)
                return self._with_role(destination, created.arn)
            case kind if kind in ROLE_ACTIONS:
                return self._with_role(destination, self._given(destination))
            case _:
                return Address(self._given(destination), destination.role)

    @staticmethod
    def _given(destination: Destination) -> str:
        if destination.arn is None:
            raise ValueError(f"destination {destination.name} of kind {destination.kind} needs an arn")
        return destination.arn

    def _topic(self, destination: Destination) -> Address:
        topic = aws.sns.Topic(
            f"{self.name}-{destination.name}",
            name=physical_names.created(self._scope.name, destination),
            opts=self.child(),
        )
        policy = aws.sns.TopicPolicy(
            f"{self.name}-{destination.name}-policy",
            arn=topic.arn,
            policy=self._only_our_rules("sns:Publish", topic.arn),
            opts=self.child(),
        )
        return Address(topic.arn, after=(policy,))

    def _queue(self, destination: Destination) -> Address:
        queue = aws.sqs.Queue(
            f"{self.name}-{destination.name}",
            name=physical_names.created(self._scope.name, destination),
            fifo_queue=destination.fifo or None,
            content_based_deduplication=destination.fifo or None,
            sqs_managed_sse_enabled=True,
            message_retention_seconds=14 * 86_400,
            max_message_size=MESSAGE_BYTES,
            opts=self.child(),
        )
        policy = aws.sqs.QueuePolicy(
            f"{self.name}-{destination.name}-policy",
            queue_url=queue.url,
            policy=self._only_our_rules("sqs:SendMessage", queue.arn),
            opts=self.child(),
        )
        return Address(queue.arn, after=(policy,))

    def _log_group(self, destination: Destination) -> Address:
        group = aws.cloudwatch.LogGroup(
            f"{self.name}-{destination.name}",
            name=physical_names.created(self._scope.name, destination),
            retention_in_days=destination.retention_days or self._retention,
            opts=self.child(),
        )
        return Address(group.arn)

    def _api_destination(self, destination: Destination) -> aws.cloudwatch.EventApiDestination:
        if not (destination.endpoint and destination.method and destination.connection):
            raise ValueError(f"API destination {destination.name} needs endpoint, method and connection, or an arn")
        return aws.cloudwatch.EventApiDestination(
            f"{self.name}-{destination.name}",
            name=physical_names.created(self._scope.name, destination),
            invocation_endpoint=destination.endpoint,
            http_method=destination.method,
            invocation_rate_limit_per_second=destination.rate_limit,
            connection_arn=destination.connection,
            opts=self.child(),
        )

    def _with_role(self, destination: Destination, arn: pulumi.Input[str]) -> Address:
        if destination.role is not None:
            return Address(arn, destination.role)
        role = aws.iam.Role(
            f"{self.name}-{destination.name}-role",
            name=physical_names.target_role(self._scope.name, destination.name),
            assume_role_policy=assumed_by(EVENTS, self._scope.rules_arn),
            opts=self.child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self.name}-{destination.name}-role-policy",
            name="signalbox",
            role=role.name,
            policy=document(allow(ROLE_ACTIONS[destination.kind], [arn])),
            opts=self.child(),
        )
        return Address(arn, role.arn, (policy,))

    def _only_our_rules(self, action: str, arn: pulumi.Input[str]) -> pulumi.Output[str]:
        return document(allow([action], [arn], services=[EVENTS], conditions=from_source(self._scope.rules_arn)))

    def _let_rules_log(self, destinations: Iterable[Destination]) -> aws.cloudwatch.LogResourcePolicy | None:
        """One policy for all log groups (an account has room for ten). EventBridge creates streams without naming the
        rule, and writes to them in its name."""
        groups = [each.name for each in destinations if each.kind == "log-group" and each.arn is None]
        if not groups:
            return None
        streams = [pulumi.Output.concat(self.addresses[group].arn, ":*") for group in groups]
        return aws.cloudwatch.LogResourcePolicy(
            f"{self.name}-log-policy",
            policy_name=self._scope.name,
            policy_document=document(
                allow(["logs:CreateLogStream"], streams, services=LOG_DELIVERY),
                allow(
                    ["logs:PutLogEvents"],
                    streams,
                    services=LOG_DELIVERY,
                    conditions=from_source(self._scope.rules_arn),
                ),
            ),
            opts=self.child(),
        )

    def _subscription(self, topic: str, endpoint: str) -> None:
        aws.sns.TopicSubscription(
            # The address itself is nobody's business in a resource's name.
            f"{self.name}-{topic}-{digest(endpoint, 8)}",
            topic=self.addresses[topic].arn,
            protocol="email" if "@" in endpoint else "sms",
            endpoint=endpoint,
            opts=self.child(),
        )
