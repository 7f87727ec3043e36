"""The reconciler: the function that keeps the rules in step with the store while the system runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.component import Component
from components.destinations import EVENTS
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.policy import allow
from components.triggers import Triggers, wire
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class RuleSyncArgs:
    """`roles` are those of rule targets: writing a target with a role needs the right to pass it."""

    settings: LambdaSettings
    function: Function
    code: Path
    roles: Sequence[pulumi.Input[str]]
    triggers: Triggers


class RuleSync(Component):
    """The function with its triggers: the API's writes in the store's stream, and a schedule."""

    def __init__(self, name: str, args: RuleSyncArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        pass_roles = allow(["iam:PassRole"], args.roles, conditions={"StringEquals": {"iam:PassedToService": EVENTS}})
        self.lambda_function = LambdaFunction(
            f"{name}-lambda",
            LambdaFunctionArgs(
                args.settings, args.function, args.code, args.triggers.failures.arn, [pass_roles] if args.roles else []
            ),
            self.child(),
        )
        wire(self, self.lambda_function, args.function, args.triggers)
        self.register_outputs({"name": self.lambda_function.function.name})
