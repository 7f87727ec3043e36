"""The event bus, its archive, and the two queues of events that are not delivered yet, or could not be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.policy import allow, document
from components.scope import Scope
from signalbox import physical_names
from signalbox.canonical import canonical
from signalbox.runtime.queues import MESSAGE_BYTES

FOURTEEN_DAYS = 14 * 86_400
# The longest that SQS keeps a message: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
RECEIVES = 5
"""Times that a message of the retry queue may make the Router itself fail before it goes to `undelivered`."""
VISIBILITY_FACTOR = 6
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html: at least six times the function's timeout


@dataclass(frozen=True, slots=True)
class BusArgs:
    """`archive_days` 0 keeps events for ever. `router_timeout` is that of the Router's function, in seconds.
    `foreign_rules` are ARNs of feed rules on other buses, `topics` those of topics that start functions."""

    scope: Scope
    archive_days: int
    router_timeout: int
    foreign_rules: tuple[str, ...] = ()
    topics: tuple[pulumi.Input[str], ...] = ()


class Bus(Component):
    """The bus with its archive, the dead-letter queue `undelivered`, and `retry`: what the Router tries again."""

    def __init__(self, name: str, args: BusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        scope = args.scope
        self.bus = aws.cloudwatch.EventBus(f"{name}-bus", name=scope.name, opts=self.child())
        self.archive = aws.cloudwatch.EventArchive(
            f"{name}-archive",
            name=physical_names.archive(scope.name),
            event_source_arn=self.bus.arn,
            retention_days=args.archive_days,
            opts=self.child(),
        )
        self.undelivered = aws.sqs.Queue(
            f"{name}-undelivered",
            name=physical_names.queue(scope.name, physical_names.UNDELIVERED),
            message_retention_seconds=FOURTEEN_DAYS,
            max_message_size=MESSAGE_BYTES,
            sqs_managed_sse_enabled=True,
            opts=self.child(),
        )
        # Without this policy EventBridge and SNS lose what they cannot deliver, in silence. Our own functions need no
        # statement here: they send with their roles' permissions.
        self.undelivered_policy = aws.sqs.QueuePolicy(
            f"{name}-undelivered-policy",
            queue_url=self.undelivered.url,
            policy=document(
                self._let_in("events.amazonaws.com", [scope.rules_arn, *args.foreign_rules]),
                # https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html
                *([self._let_in("sns.amazonaws.com", args.topics)] if args.topics else []),
            ),
            opts=self.child(),
        )
        self.retry = aws.sqs.Queue(
            f"{name}-retry",
            name=physical_names.queue(scope.name, physical_names.RETRY),
            visibility_timeout_seconds=VISIBILITY_FACTOR * args.router_timeout,
            message_retention_seconds=FOURTEEN_DAYS,
            max_message_size=MESSAGE_BYTES,
            sqs_managed_sse_enabled=True,
            redrive_policy=self.undelivered.arn.apply(
                lambda arn: canonical({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
            ),
            opts=self.child(),
        )
        self.register_outputs({"name": self.bus.name, "undelivered": self.undelivered.url})

    def _let_in(self, service: str, sources: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
        return allow(
            ["sqs:SendMessage"],
            [self.undelivered.arn],
            services=[service],
            conditions={"ArnLike": {"aws:SourceArn": list(sources)}},
        )
