"""What a flow's role may do: what its steps name, and nothing else."""

from collections.abc import Mapping

from signalbox.flows.compiler import literals
from signalbox.flows.memory import partition
from signalbox.flows.model import Aggregate, Call, Count, Emit, Flow
from signalbox.flows.names import Names
from signalbox.model import Event, Statement

_LOGS = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
)
_TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets")


def statements(flow: Flow, names: Names, events: Mapping[str, Event]) -> list[Statement]:
    """The IAM statements of the role of `flow`. `events`: those that it may emit, by id.

    Logging and tracing of state machines know no resources:
    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html and .../xray-iam.html
    """
    found = [Statement(("sqs:SendMessage",), (names.undelivered_arn,))]
    if functions := sorted({step.function for step in flow.walk() if isinstance(step, Call)}):
        found.append(Statement(("lambda:InvokeFunction",), tuple(map(names.function_arn, functions))))
    remembers = {type(step) for step in flow.walk()} & {Count, Aggregate}
    if flow.stateful or remembers:
        actions = ["dynamodb:UpdateItem"]
        if flow.stateful or Aggregate in remembers:
            actions += ["dynamodb:GetItem", "dynamodb:DeleteItem"]
        if Aggregate in remembers:
            actions.append("dynamodb:PutItem")
        # Claims of events are kept under the first key, what steps remember under the others.
        keys = [partition(flow)] * flow.stateful + [f"{partition(flow)}#*"] * bool(remembers)
        condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}
        found.append(Statement(tuple(sorted(actions)), (names.state_arn,), condition))
    emitted = {literals(events[step.event]) for step in flow.walk() if isinstance(step, Emit)}
    found += (
        Statement(
            ("events:PutEvents",),
            (names.bus_arn,),
            # Keys with as many values as the call has entries:
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
            {"ForAllValues:StringEquals": {"events:source": [source], "events:detail-type": [detail_type]}},
        )
        for source, detail_type in sorted(emitted)
    )
    return [*found, *_observing()]


def shared_statements(names: Names, functions: list[str]) -> list[Statement]:
    """The IAM statements of the one role of all flows made at run time: the registered `functions`, and the stack."""
    found = [
        Statement(("sqs:SendMessage",), (names.undelivered_arn,)),
        Statement(
            ("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            (names.state_arn,),
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["flow#*"]}},
        ),
        Statement(("events:PutEvents",), (names.bus_arn,)),
    ]
    if functions:
        found.insert(1, Statement(("lambda:InvokeFunction",), tuple(map(names.function_arn, sorted(functions)))))
    return [*found, *_observing()]


def _observing() -> list[Statement]:
    return [Statement(_LOGS, ("*",)), Statement(_TRACES, ("*",))]
