"""What a target is given: the event, a part of it, a constant, or an input template filled in. Pure; no MiniStack.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.transform import NOWHERE, rule_variables, transformed, value_at


@dataclass(frozen=True, slots=True)
class Context:
    """What the predefined variables say."""

    rule_arn: str
    rule_name: str
    ingestion_time: str
    """ISO 8601, seconds, `Z`."""


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], context: Context) -> str:
    """The text that `target` (as PutTargets has it) is given for `event`.

    An InputPath that leads nowhere gives the whole event.
    """
    if transformer := target.get("InputTransformer"):
        variables = rule_variables(context.rule_arn, context.rule_name, context.ingestion_time)
        paths = transformer.get("InputPathsMap") or {}
        return transformed(paths, transformer.get("InputTemplate", ""), event, variables)
    if constant := target.get("Input"):
        return constant
    found = value_at(event, target["InputPath"]) if target.get("InputPath") else NOWHERE
    return json.dumps(event if found is NOWHERE else found, ensure_ascii=False, separators=(",", ":"))
