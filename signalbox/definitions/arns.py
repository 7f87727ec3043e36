"""ARNs, read for what they say of places, and which of them a rule may send to with no more than a role."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an ARN, `arn:<partition>:<service>:<region>:<account>:<resource>`; empty where it has none."""

    partition: str = ""
    service: str = ""
    region: str = ""
    account: str = ""
    resource: str = ""


def read_arn(text: str) -> Arn:
    """The parts of `text`; all empty where it is no ARN, which is told where it is written."""
    parts = text.split(":", 5)
    return Arn(*parts[1:]) if len(parts) == 6 and parts[0] == "arn" else Arn()


_TARGETS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "codebuild": (("project/",), "CodeBuild projects"),
    "codepipeline": (("",), "pipelines of CodePipeline"),
    "events": (("event-bus/", "api-destination/"), "event buses, API destinations"),
    "execute-api": (("",), "API Gateway"),
    "firehose": (("deliverystream/",), "Firehose streams"),
    "glue": (("workflow/",), "Glue workflows"),
    "imagebuilder": (("image-pipeline/",), "pipelines of Image Builder"),
    "inspector": (("target/",), "Inspector assessment templates"),
    "kinesis": (("stream/",), "Kinesis streams"),
    "lambda": (("function:",), "Lambda functions"),
    "sagemaker": (("pipeline/",), "SageMaker pipelines"),
    "sns": (("",), "topics"),
    "sqs": (("",), "queues"),
    "ssm": (("automation-definition/", "opsitem"), "Systems Manager automations and OpsItems"),
    "ssm-incidents": (("response-plan/",), "response plans of Incident Manager"),
    "states": (("stateMachine:",), "state machines"),
}
"""By service how the resources begin that a rule reaches with ARN, role and input alone, and what they are:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html"""
_PARAMETERS: Mapping[tuple[str, str], str] = {
    ("appsync", ""): "AppSyncParameters",
    ("batch", ""): "BatchParameters",
    ("ecs", ""): "EcsParameters",
    ("redshift", ""): "RedshiftDataParameters",
    ("redshift-serverless", ""): "RedshiftDataParameters",
    ("ssm", "document/"): "RunCommandParameters",
}
"""What a target needs besides, by service and beginning of the resource:
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html"""

REACHED = ", ".join(words for _, words in _TARGETS.values())
"""What a destination of kind `arn` may be, in words."""


def why_no_target(text: str) -> tuple[str, str]:
    """Why a rule cannot send to the ARN `text` with no more than a role, and a way out; both empty where it can. The
    reason is UNKNOWN where we know no target of that form; EventBridge may have got it since."""
    arn = read_arn(text)
    for (service, beginning), parameter in _PARAMETERS.items():
        if arn.service == service and arn.resource.startswith(beginning):
            return f"EventBridge needs {parameter} for it, which no destination can say", _BY_FUNCTION
    if arn.service == "logs":
        return "EventBridge writes to log groups by their policy, not with a role", "say `kind: log-group`"
    beginnings, _ = _TARGETS.get(arn.service, ((), ""))
    if not arn.resource.startswith(beginnings):
        return UNKNOWN, _BY_FUNCTION
    if arn.service == "sqs" and arn.resource.endswith(".fifo"):
        return "a FIFO queue needs a message group", "say `kind: queue`, and `message-group` in the routes"
    if arn.service == "sns" and arn.resource.endswith(".fifo"):
        # SnsParameters, with the message group, are for custom event buses that are not Classic:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-custom-bus-target-sns.html
        return "a FIFO topic needs a message group, which EventBridge's rules cannot give", "send to a FIFO queue"
    if arn.service == "execute-api" and "*" in arn.resource:
        return "EventBridge needs HttpParameters for what the * in the path stands for", "name the path in full"
    return "", ""


UNKNOWN = "EventBridge is not known to have such a target"
_BY_FUNCTION = "call it from a function or a state machine"
