"""What starts a function besides routes: wiring a trigger makes the permission and the subscription together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction
from components.policy import allow, document
from components.scope import Scope
from signalbox.canonical import canonical
from signalbox.model import Function
from signalbox.names import bounded
from signalbox.store import PK

STATEMENT_ID_LIMIT = 100
# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html#lambda-AddPermission-request-StatementId
STREAM_RETRIES = 5
STREAM_SECONDS = 3_600
"""For how long records of a stream are tried: by default Lambda would try for ever, and one bad record would block its
shard. What is given up is told to the failure queue, and the schedule makes up for it."""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What a function.yaml may name as a trigger: ARNs of topics, queues and streams by name, and schedules.

    `failures` gets what SNS cannot hand over, and word of records that a function failed on for good. A queue has
    failures of its own: its redrive policy.
    """

    scope: Scope
    topics: Mapping[str, pulumi.Input[str]]
    queues: Mapping[str, pulumi.Input[str]]
    streams: Mapping[str, pulumi.Input[str]]
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
        statement_id=bounded(suffix, STATEMENT_ID_LIMIT),
        action="lambda:InvokeFunction",
        function=function.name,
        principal=service,
        source_arn=source_arn,
        opts=owner.child(),
    )


def wire(owner: Component, started: LambdaFunction, function: Function, triggers: Triggers) -> None:
    """Make everything that `function.triggers` ask for. A name that the stack does not know is said, not made."""
    schedules = 0
    for trigger in function.triggers:
        match trigger:
            case {"schedule": expression}:
                schedules += 1
                suffix = f"{function.name}-schedule" if schedules == 1 else f"{function.name}-schedule-{schedules}"
                _on_schedule(owner, started, suffix, expression, triggers.scope)
            case {"stream": source, "partitions": partitions}:
                suffix = f"{function.name}-{source}"
                _on_stream(owner, started, suffix, triggers.streams[source], partitions, triggers.failures)
            case {"queue": source}:
                _on_queue(owner, started, f"{function.name}-{source}", triggers.queues[source])
            case {"topic": source} if source in triggers.topics:
                suffix = f"{function.name}-{source}"
                _on_topic(owner, started, suffix, triggers.topics[source], triggers.failures)
            case {"topic": source}:
                pulumi.log.warn(
                    f"function {function.name} is triggered by the topic {source}, which this stack does not know; "
                    f"set it: pulumi config set --path 'signalbox:topics.{source}' <ARN>",
                    owner,
                )
            case _:
                raise ValueError(f"function {function.name}: no such trigger: {trigger}")


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


def _on_stream(
    owner: Component,
    started: LambdaFunction,
    suffix: str,
    stream: pulumi.Input[str],
    partitions: Sequence[str],
    failures: aws.sqs.Queue,
) -> None:
    """Start on changes of the items of `partitions` in a table's stream."""
    policy = aws.iam.RolePolicy(
        f"{owner.name}-{suffix}-policy",
        name=suffix,
        role=started.role.name,
        policy=document(
            # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
            allow(
                ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
                [stream],
            )
        ),
        opts=owner.child(),
    )
    pattern = canonical({"dynamodb": {"Keys": {PK: {"S": list(partitions)}}}})
    aws.lambda_.EventSourceMapping(
        f"{owner.name}-{suffix}",
        event_source_arn=stream,
        function_name=started.function.name,
        starting_position="TRIM_HORIZON",
        batch_size=100,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=STREAM_RETRIES,
        maximum_record_age_in_seconds=STREAM_SECONDS,
        function_response_types=["ReportBatchItemFailures"],
        filter_criteria=aws.lambda_.EventSourceMappingFilterCriteriaArgs(
            filters=[aws.lambda_.EventSourceMappingFilterCriteriaFilterArgs(pattern=pattern)]
        ),
        destination_config=aws.lambda_.EventSourceMappingDestinationConfigArgs(
            on_failure=aws.lambda_.EventSourceMappingDestinationConfigOnFailureArgs(destination_arn=failures.arn)
        ),
        opts=owner.child(depends_on=[policy]),
    )


def _on_schedule(owner: Component, started: LambdaFunction, suffix: str, expression: str, scope: Scope) -> None:
    """Start by the clock. Its rule is on the default bus: custom buses have no schedules. A start that is missed is
    made up for by the next, so it has no dead-letter queue."""
    name = scope.physical(suffix)
    permission = allow_invoke(
        owner, f"{suffix}-permission", started.function, "events.amazonaws.com", scope.arn("events", f"rule/{name}")
    )
    rule = aws.cloudwatch.EventRule(
        f"{owner.name}-{suffix}",
        name=name,
        schedule_expression=expression,
        description=f"Starts {started.name} of {scope.name}",
        state="ENABLED",
        opts=owner.child(),
    )
    aws.cloudwatch.EventTarget(
        f"{owner.name}-{suffix}-target",
        rule=rule.name,
        target_id=scope.physical(suffix),
        arn=started.function.arn,
        opts=owner.child(depends_on=[permission]),
    )
