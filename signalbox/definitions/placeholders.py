"""`${…}` in a function.yaml: what may be written, and how long it is once the program has filled it in."""

import re
from collections.abc import Iterator

from signalbox.definitions.context import Stack
from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.names import STATE, STORE, table
from signalbox.physical_names import RETRY, UNDELIVERED, flow_logs, flow_role, queue
from signalbox.problems import Problem, did_you_mean

_NAME = "${name}"
_HERE = "${region}:${account}"
_STAND_FOR = {
    "bus.name": _NAME,
    "bus.arn": f"arn:${{partition}}:events:{_HERE}:event-bus/{_NAME}",
    "store.name": table(_NAME, STORE),
    "store.arn": f"arn:${{partition}}:dynamodb:{_HERE}:table/{table(_NAME, STORE)}",
    "state.name": table(_NAME, STATE),
    "state.arn": f"arn:${{partition}}:dynamodb:{_HERE}:table/{table(_NAME, STATE)}",
    "undelivered.url": f"https://sqs.${{region}}.amazonaws.com/${{account}}/{queue(_NAME, UNDELIVERED)}",
    "undelivered.arn": f"arn:${{partition}}:sqs:{_HERE}:{queue(_NAME, UNDELIVERED)}",
    "retry.url": f"https://sqs.${{region}}.amazonaws.com/${{account}}/{queue(_NAME, RETRY)}",
    "retry.arn": f"arn:${{partition}}:sqs:{_HERE}:{queue(_NAME, RETRY)}",
    "flows.role": f"arn:${{partition}}:iam::${{account}}:role/{flow_role(_NAME)}",
    "flows.logs": f"arn:${{partition}}:logs:{_HERE}:log-group:{flow_logs(_NAME)}:*",
}
"""As the program names its resources: to know how long texts get before any of them exists."""
PLACEHOLDERS = ("name", "region", "account", "partition", *_STAND_FOR)
"""What `${…}` may say in environment, resources and conditions: filled in by the program."""
ARNS = tuple(f"${{{name}}}" for name, text in _STAND_FOR.items() if text.startswith("arn:"))
"""The placeholders that stand for an ARN."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)(\}?)")
_SHORTEST_REGION = "us-east-1"
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html


def placeholder_problems(document: Document, value: Json, path: Path) -> Iterator[Problem]:
    """An error for each `${…}` in `value`, the part of `document` at `path`, that is no placeholder."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from placeholder_problems(document, inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from placeholder_problems(document, inner, (*path, index))
    elif isinstance(value, str):
        for name, end in _PLACEHOLDER.findall(value):
            if name not in PLACEHOLDERS or not end:
                yield document.problem(
                    "function-placeholder",
                    "there is no such placeholder",
                    path,
                    got=f"${{{name}{end}",
                    allowed=", ".join(f"${{{each}}}" for each in PLACEHOLDERS),
                    fix=did_you_mean(name, PLACEHOLDERS),
                )


def filled(text: str, stack: Stack) -> str:
    """`text` about as the program fills it in on `stack`: as long, or shorter where `stack` does not know."""
    region = stack.region or _SHORTEST_REGION
    partition = next((name for begin, name in _PARTITIONS.items() if region.startswith(begin)), "aws")
    known = {"name": stack.own_bus, "region": region, "account": stack.account or "0" * 12, "partition": partition}

    def fill(found: re.Match[str]) -> str:
        if found[1] in _STAND_FOR:
            return _PLACEHOLDER.sub(fill, _STAND_FOR[found[1]])
        return known.get(found[1], found[0])

    return _PLACEHOLDER.sub(fill, text)
