"""The Router: the one target that functions and flows share, with the queue through which it tries again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.component import Component
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.policy import allow
from components.triggers import Triggers, allow_invoke, wire
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class RouterArgs:
    """`targets` are the processing functions that routes may name."""

    settings: LambdaSettings
    function: Function
    code: Path
    targets: Sequence[Function]
    triggers: Triggers


class Router(Component):
    """The Router's function, one permission for all rules of the bus, and its triggers: the retry queue."""

    def __init__(self, name: str, args: RouterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        scope = args.settings.scope
        invoke = allow(["lambda:InvokeFunction"], [scope.function_arn(target.name) for target in args.targets])
        self.lambda_function = LambdaFunction(
            f"{name}-lambda",
            LambdaFunctionArgs(
                args.settings, args.function, args.code, args.triggers.failures.arn, [invoke] if args.targets else []
            ),
            self.child(),
        )
        self.permission = allow_invoke(
            self, "rules", self.lambda_function.function, "events.amazonaws.com", scope.rules_arn
        )
        wire(self, self.lambda_function, args.function, args.triggers)
        self.arn = self.lambda_function.function.arn
        self.register_outputs({"arn": self.arn})
