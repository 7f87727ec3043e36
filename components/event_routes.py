"""One event: its item in the store, and one rule with its targets for each of its effective routes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.destinations import Address
from components.stored_item import stored_item
from signalbox.classic import Rule, RuleTarget, rule_of
from signalbox.model import Event, Route
from signalbox.store import event_item, gone_item


@dataclass(frozen=True, slots=True)
class EventRoutesArgs:
    """`event` is what the definitions say, None when they have it no more; `routes` what the rules must be (with
    run-time edits).

    `stack` is `signalbox:name`; `addresses` holds every target of a rule by its id; `undelivered` is the ARN of the
    dead-letter queue; `registry` are the items and permissions that must exist before a rule may send, and the event's
    decision, which sleeps until the event's item declares the routes that it was made for.
    """

    stack: str
    event: Event | None
    routes: Mapping[str, Route]
    bus: aws.cloudwatch.EventBus
    table: aws.dynamodb.Table
    addresses: Mapping[str, Address]
    undelivered: pulumi.Input[str]
    registry: Sequence[pulumi.Resource] = ()
    restore: Callable[[], None] = lambda: None
    """Called when the item is written and before any rule is; also in a preview."""


class EventRoutes(Component):
    """The event's item, then its rules: whoever writes a rule, deploy or reconciler, finds the same in the store.

    Nothing else is made for a route: permissions and policies hold for all rules of the bus. `written` is known when
    all of it is there.
    """

    def __init__(self, name: str, args: EventRoutesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        item = gone_item(name) if args.event is None else event_item(args.event)
        self.item = stored_item(self, "item", args.table, item, depends_on=args.registry)
        ready = self.item.urn.apply(lambda _: (args.restore(), self.item)[1])
        made: list[pulumi.CustomResource] = [self.item]
        if args.event is not None:
            for route in args.routes.values():
                made += self._rule(args, rule_of(args.event, route, args.stack), ready)
        self.written = pulumi.Output.all(*(each.id for each in made))
        self.register_outputs({"item": self.item.id})

    def _rule(
        self, args: EventRoutesArgs, rule: Rule, after: pulumi.Input[pulumi.Resource]
    ) -> list[pulumi.CustomResource]:
        declared = aws.cloudwatch.EventRule(
            f"{self.name}/{rule.route}",
            name=rule.name,
            event_bus_name=args.bus.name,
            event_pattern=rule.pattern,
            description=rule.description,
            state=rule.state,
            opts=self.child(depends_on=[after]),
        )
        return [declared, *(self._target(args, rule, target, declared) for target in rule.targets)]

    def _target(
        self, args: EventRoutesArgs, rule: Rule, target: RuleTarget, declared: aws.cloudwatch.EventRule
    ) -> aws.cloudwatch.EventTarget:
        address = args.addresses[target.id]
        transformer = sqs = kinesis = None
        if target.input_template is not None:
            transformer = aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths=dict(target.input_paths), input_template=target.input_template
            )
        if target.message_group is not None:
            sqs = aws.cloudwatch.EventTargetSqsTargetArgs(message_group_id=target.message_group)
        if target.partition_key is not None:
            kinesis = aws.cloudwatch.EventTargetKinesisTargetArgs(partition_key_path=target.partition_key)
        return aws.cloudwatch.EventTarget(
            f"{self.name}/{rule.route}/{target.id}",
            rule=declared.name,
            event_bus_name=args.bus.name,
            target_id=target.id,
            arn=address.arn,
            role_arn=address.role_arn,
            input_transformer=transformer,
            sqs_target=sqs,
            kinesis_target=kinesis,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_retry_attempts=target.retry.attempts,
                maximum_event_age_in_seconds=target.retry.max_age_seconds,
            ),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=args.undelivered),
            opts=self.child(),
        )
