"""The Router: the one target that functions and flows share, with the queue through which it tries again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.policy import allow
from components.triggers import allow_invoke, on_queue
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class RouterArgs:
    """`targets` are the processing functions that routes may name; `retry` is the Router's own queue."""

    settings: LambdaSettings
    function: Function
    code: Path
    targets: Sequence[Function]
    retry: aws.sqs.Queue
    undelivered: aws.sqs.Queue


class Router(Component):
    """The Router's function, one permission for all rules of the bus, and its retry queue's mapping."""

    def __init__(self, name: str, args: RouterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        scope = args.settings.scope
        invoke = allow(["lambda:InvokeFunction"], [scope.function_arn(target.name) for target in args.targets])
        self.lambda_function = LambdaFunction(
            f"{name}-lambda",
            LambdaFunctionArgs(
                args.settings, args.function, args.code, args.undelivered.arn, [invoke] if args.targets else []
            ),
            self.child(),
        )
        self.permission = allow_invoke(
            self, "rules", self.lambda_function.function, "events.amazonaws.com", scope.rules_arn
        )
        self.mapping = on_queue(self, self.lambda_function, args.retry, "retry")
        self.arn = self.lambda_function.function.arn
        self.register_outputs({"arn": self.arn})
