"""One Lambda function with all that belongs to it: role, permissions, log group, code, failure destination."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.policy import allow, assumed_by, document, fill, fill_all
from components.scope import Scope
from signalbox import physical_names
from signalbox.model import Function

HANDLER = "handler.handle"
# Lambda's own defaults, which are also its most:
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
RETRIES = 2
SIX_HOURS = 6 * 3_600


@dataclass(frozen=True, slots=True)
class LambdaSettings:
    """What all functions of a stack share. `placeholders` fill `${…}` in a function.yaml."""

    scope: Scope
    runtime: str
    architecture: str
    log_retention_days: int
    layer_arn: pulumi.Input[str]
    placeholders: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, slots=True)
class LambdaFunctionArgs:
    """`code` is the function's zip. `failures` is the ARN of the queue that gets an event whose asynchronous
    invocation failed for good; None for functions that are only called synchronously. `statements` come on top of those
    of the function.yaml."""

    settings: LambdaSettings
    function: Function
    code: Path
    failures: pulumi.Input[str] | None
    statements: Sequence[Mapping[str, Any]] = ()


class LambdaFunction(Component):
    """The function `<stack>-<folder>` and its role, which may do what its function.yaml says, log, and nothing else."""

    def __init__(self, name: str, args: LambdaFunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        settings = args.settings
        physical_name = physical_names.function(settings.scope.name, args.function.name)
        self.log_group = self._log_group(settings, args.function)
        self.role = self._role(physical_name)
        self.policy = self._policy(args)
        self.function = self._function(args, physical_name)
        if args.failures is not None:
            self.failures = self._on_failure(args.failures)
        self.register_outputs({"name": self.function.name})

    def _log_group(self, settings: LambdaSettings, function: Function) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{self.name}-logs",
            name=physical_names.function_logs(settings.scope.name, function.name),
            retention_in_days=settings.log_retention_days,
            opts=self.child(),
        )

    def _role(self, physical_name: str) -> aws.iam.Role:
        return aws.iam.Role(
            f"{self.name}-role",
            name=physical_name,
            assume_role_policy=assumed_by("lambda.amazonaws.com"),
            opts=self.child(),
        )

    def _policy(self, args: LambdaFunctionArgs) -> aws.iam.RolePolicy:
        placeholders = args.settings.placeholders
        logs = allow(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [self.log_group.arn.apply(lambda arn: f"{arn.removesuffix(':*')}:*")],
        )
        own = [
            allow(
                statement.actions,
                [fill(resource, placeholders) for resource in statement.resources],
                conditions=fill_all(statement.conditions, placeholders),
            )
            for statement in args.function.statements
        ]
        failures = [allow(["sqs:SendMessage"], [args.failures])] if args.failures is not None else []
        return aws.iam.RolePolicy(
            f"{self.name}-policy",
            name="signalbox",
            role=self.role.name,
            policy=document(logs, *own, *args.statements, *failures),
            opts=self.child(),
        )

    def _function(self, args: LambdaFunctionArgs, physical_name: str) -> aws.lambda_.Function:
        settings, function = args.settings, args.function
        environment = {key: fill(value, settings.placeholders) for key, value in function.environment.items()}
        return aws.lambda_.Function(
            f"{self.name}-function",
            name=physical_name,
            description=function.description,
            handler=HANDLER,
            runtime=settings.runtime,
            architectures=[settings.architecture],
            memory_size=function.memory,
            timeout=function.timeout,
            reserved_concurrent_executions=function.concurrency,
            role=self.role.arn,
            layers=[settings.layer_arn],
            code=pulumi.FileArchive(str(args.code)),
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=environment) if environment else None,
            # The log group first: Lambda would make one that keeps logs for ever. The policy first: an early event
            # would find a role that may not do its work.
            opts=self.child(depends_on=[self.log_group, self.policy]),
        )

    def _on_failure(self, failures: pulumi.Input[str]) -> aws.lambda_.FunctionEventInvokeConfig:
        return aws.lambda_.FunctionEventInvokeConfig(
            f"{self.name}-on-failure",
            function_name=self.function.name,
            maximum_retry_attempts=RETRIES,
            maximum_event_age_in_seconds=SIX_HOURS,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(destination=failures)
            ),
            opts=self.child(),
        )
