"""What starts a function besides routes: wiring a trigger makes the permission and the subscription together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction
from components.policy import allow, document
from signalbox.canonical import canonical
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class Triggers:
    """What a function.yaml may name as a trigger: ARNs of topics and of queues, by name.

    `failures` gets what SNS cannot hand over. A queue has failures of its own: its redrive policy.
    """

    topics: Mapping[str, pulumi.Input[str]]
    queues: Mapping[str, pulumi.Input[str]]
    failures: aws.sqs.Queue


def topics_of(functions: Iterable[Function], topics: Mapping[str, pulumi.Input[str]]) -> tuple[pulumi.Input[str], ...]:
    """The ARNs of the topics that start one of `functions`; `topics` are the known ones by name."""
    named = {each["topic"] for function in functions for each in function.triggers if "topic" in each}
    return tuple(topics[name] for name in sorted(named) if name in topics)


def allow_invoke(
    owner: Component,
    suffix: str,
    function: aws.lambda_.Function,
    service: str,
    source_arn: pulumi.Input[str],
) -> aws.lambda_.Permission:
    """The permission that lets `service` invoke `function` on behalf of `source_arn` (wildcards allowed)."""
    return aws.lambda_.Permission(
        f"{owner.name}-{suffix}",
        statement_id=suffix,
        action="lambda:InvokeFunction",
        function=function.name,
        principal=service,
        source_arn=source_arn,
        opts=owner.child(),
    )


def wire(owner: Component, started: LambdaFunction, function: Function, triggers: Triggers) -> None:
    """Make everything that `function.triggers` ask for. A name that the stack does not know is said, not made."""
    for trigger in function.triggers:
        ((kind, source),) = trigger.items()
        known = triggers.topics if kind == "topic" else triggers.queues
        if source not in known:
            pulumi.log.warn(
                f"function {function.name} is triggered by the {kind} {source}, which this stack does not know; "
                f"set it: pulumi config set --path 'signalbox:{kind}s.{source}' <ARN>",
                owner,
            )
        elif kind == "topic":
            _on_topic(owner, started, f"{function.name}-{source}", known[source], triggers.failures)
        else:
            _on_queue(owner, started, f"{function.name}-{source}", known[source])


def _on_topic(
    owner: Component, started: LambdaFunction, suffix: str, topic: pulumi.Input[str], failures: aws.sqs.Queue
) -> None:
    permission = allow_invoke(owner, suffix, started.function, "sns.amazonaws.com", topic)
    aws.sns.TopicSubscription(
        f"{owner.name}-{suffix}-subscription",
        topic=topic,
        protocol="lambda",
        endpoint=started.function.arn,
        redrive_policy=failures.arn.apply(lambda arn: canonical({"deadLetterTargetArn": arn})),
        opts=owner.child(depends_on=[permission]),
    )


def _on_queue(owner: Component, started: LambdaFunction, suffix: str, queue: pulumi.Input[str]) -> None:
    policy = aws.iam.RolePolicy(
        f"{owner.name}-{suffix}-policy",
        name=suffix,
        role=started.role.name,
        policy=document(allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [queue])),
        opts=owner.child(),
    )
    aws.lambda_.EventSourceMapping(
        f"{owner.name}-{suffix}",
        event_source_arn=queue,
        function_name=started.function.name,
        batch_size=10,
        function_response_types=["ReportBatchItemFailures"],
        opts=owner.child(depends_on=[policy]),
    )
