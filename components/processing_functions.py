"""The processing functions: one for each folder under functions/ that is no part of Signalbox itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.component import Component
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.triggers import Triggers, wire
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class ProcessingFunctionsArgs:
    """`code` are the functions' zips by name."""

    settings: LambdaSettings
    functions: Mapping[str, Function]
    code: Mapping[str, Path]
    triggers: Triggers


class ProcessingFunctions(Component):
    """The functions with their triggers; `arns` by name. An event that one fails on for good goes to `undelivered`."""

    def __init__(self, name: str, args: ProcessingFunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.functions = {
            function.name: LambdaFunction(
                f"{name}-{function.name}",
                LambdaFunctionArgs(args.settings, function, args.code[function.name], args.triggers.failures.arn),
                self.child(),
            )
            for function in args.functions.values()
        }
        for function in args.functions.values():
            wire(self, self.functions[function.name], function, args.triggers)
        self.arns = {each: function.function.arn for each, function in self.functions.items()}
        self.register_outputs({})
