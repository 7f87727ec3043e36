"""Runs that end without having said so: stopped by hand, out of time, or for what no state can catch.

Whatever else goes wrong is caught, and its event is in `undelivered`. These are seen only from outside, in the events
that Step Functions puts on the account's default bus for Standard state machines:
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from typing import Any

from signalbox.flows.compiler import FLOW_FAILED
from signalbox.flows.names import Names

LOG_LEVEL = "ERROR"
"""What state machines log, without execution data: who and why, and not what. The event is in `undelivered`, where
fewer can read it."""


def silent_ends(names: Names) -> dict[str, Any]:
    """The pattern of a rule on the default bus for runs of the stack's flows that ended in silence.

    Its events belong into `undelivered`; `detail.input` has the flow's event as JSON text, up to 248 KiB.
    """
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [{"prefix": names.machine_arn("")}],
            "$or": [
                {"status": ["TIMED_OUT", "ABORTED"]},
                {"status": ["FAILED"], "error": [{"anything-but": [FLOW_FAILED]}]},
            ],
        },
    }
