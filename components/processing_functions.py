"""The processing functions: one for each folder under functions/ that is no part of Signalbox itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.lambda_function import LambdaFunction, LambdaFunctionArgs, LambdaSettings
from components.triggers import on_topic
from signalbox.model import Function


@dataclass(frozen=True, slots=True)
class ProcessingFunctionsArgs:
    """`code` are the functions' zips by name, `topics` the ARNs of topics that trigger functions by name."""

    settings: LambdaSettings
    functions: Mapping[str, Function]
    code: Mapping[str, Path]
    topics: Mapping[str, pulumi.Input[str]]
    undelivered: aws.sqs.Queue


class ProcessingFunctions(Component):
    """The functions with their triggers; `arns` by name. An event that one fails on for good goes to `undelivered`."""

    def __init__(self, name: str, args: ProcessingFunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.functions = {
            function.name: LambdaFunction(
                f"{name}-{function.name}",
                LambdaFunctionArgs(args.settings, function, args.code[function.name], args.undelivered.arn),
                self.child(),
            )
            for function in args.functions.values()
        }
        for function in args.functions.values():
            for trigger in function.triggers:
                topic = trigger["topic"]
                if topic in args.topics:
                    on_topic(self, self.functions[function.name], topic, args.topics[topic], args.undelivered)
                else:
                    pulumi.log.warn(
                        f"function {function.name} is triggered by the topic {topic}, which this stack does not know; "
                        f"set it: pulumi config set --path 'signalbox:topics.{topic}' <ARN>",
                        self,
                    )
        self.arns = {each: function.function.arn for each, function in self.functions.items()}
        self.register_outputs({})
