"""Feed rules: what brings events from foreign buses (AWS services', partners') onto ours, where every route is."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.destinations import EVENTS
from components.policy import allow, assumed_by, document
from components.scope import Scope
from signalbox.classic import ROLE_ACTIONS, feed_name
from signalbox.physical_names import feed_role


@dataclass(frozen=True, slots=True)
class FeedsArgs:
    """`feeds` are canonical patterns by the name of a foreign bus, as `classic.feeds` gives them."""

    scope: Scope
    feeds: Mapping[str, str]
    bus: aws.cloudwatch.EventBus
    undelivered: pulumi.Input[str]


class Feeds(Component):
    """One rule on each foreign bus, and the one role with which EventBridge puts its events onto our bus."""

    def __init__(self, name: str, args: FeedsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        role = aws.iam.Role(
            f"{name}-role",
            name=feed_role(args.scope.name),
            assume_role_policy=assumed_by(EVENTS, args.scope.feeds_arns),
            opts=self.child(),
        )
        permission = aws.iam.RolePolicy(
            f"{name}-role-policy",
            name="signalbox",
            role=role.name,
            policy=document(allow(ROLE_ACTIONS["bus"], [args.bus.arn])),
            opts=self.child(),
        )
        for foreign_bus, pattern in args.feeds.items():
            rule_name = feed_name(args.scope.name, foreign_bus)
            rule = aws.cloudwatch.EventRule(
                f"{name}-{foreign_bus}",
                name=rule_name,
                event_bus_name=foreign_bus,
                event_pattern=pattern,
                state="ENABLED",
                opts=self.child(),
            )
            aws.cloudwatch.EventTarget(
                f"{name}-{foreign_bus}-bus",
                rule=rule.name,
                event_bus_name=foreign_bus,
                target_id="signalbox",
                arn=args.bus.arn,
                role_arn=role.arn,
                dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=args.undelivered),
                opts=self.child(depends_on=[permission]),
            )
        self.register_outputs({})
