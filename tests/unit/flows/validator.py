"""What a States Language validator says that we did not write: statelint from PyPI, with JSONata
(https://github.com/taro-kayo/statelint, after AWS's own https://github.com/awslabs/statelint).

Every flow that a test compiles is given to it: `flows_of.machine` and `tests.flows.flow_stack` ask here.
"""

import json
from typing import Any

from statelint.linter import Linter


def faults(machine: dict[str, Any]) -> list[str]:
    """What is wrong with a state machine. Expressions in Wait states, which AWS takes, the validator does not know."""
    text = json.loads(json.dumps(machine))
    _plain_waits(text)
    return Linter.validate(text)


def _plain_waits(part: dict[str, Any]) -> None:
    for state in part["States"].values():
        if state["Type"] == "Wait":
            state.update({"Timestamp": "2026-11-23T08:00:00Z"} if "Timestamp" in state else {"Seconds": 1})
        for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())):
            _plain_waits(inner)
