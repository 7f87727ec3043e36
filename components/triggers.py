"""What starts a function besides routes: wiring a trigger makes the permission and the subscription together."""

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction
from components.policy import allow, document
from signalbox.canonical import canonical


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


def on_topic(
    owner: Component, function: LambdaFunction, topic: str, topic_arn: pulumi.Input[str], failures: aws.sqs.Queue
) -> None:
    """Start `function` on each message of a topic; what SNS cannot hand over goes to the queue `failures`."""
    permission = allow_invoke(owner, f"{function.name}-{topic}", function.function, "sns.amazonaws.com", topic_arn)
    aws.sns.TopicSubscription(
        f"{owner.name}-{function.name}-{topic}-subscription",
        topic=topic_arn,
        protocol="lambda",
        endpoint=function.function.arn,
        redrive_policy=failures.arn.apply(lambda arn: canonical({"deadLetterTargetArn": arn})),
        opts=owner.child(depends_on=[permission]),
    )


def on_queue(
    owner: Component, function: LambdaFunction, queue: aws.sqs.Queue, suffix: str, *, batch_size: int = 10
) -> aws.lambda_.EventSourceMapping:
    """Start `function` on the messages of a queue; it reports which of a batch failed."""
    policy = aws.iam.RolePolicy(
        f"{owner.name}-{suffix}-policy",
        name=suffix,
        role=function.role.name,
        policy=document(
            allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [queue.arn]),
        ),
        opts=owner.child(),
    )
    return aws.lambda_.EventSourceMapping(
        f"{owner.name}-{suffix}",
        event_source_arn=queue.arn,
        function_name=function.function.name,
        batch_size=batch_size,
        function_response_types=["ReportBatchItemFailures"],
        opts=owner.child(depends_on=[policy]),
    )
