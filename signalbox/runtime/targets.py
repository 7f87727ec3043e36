"""Starting functions and flows on AWS, for the Router."""

from collections.abc import Callable
from typing import Any

from signalbox.names import physical
from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused
from signalbox.runtime.text import size

FAILURE_BYTES = 32_768
"""What Lambda may add to an event in the record of a failed invocation: context and stack trace. The record has to fit
a message of the queue `undelivered`, or Lambda drops it, and the event with it."""
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 1 MB for asynchronous invocations
FUNCTION_BYTES = 1_048_576 - FAILURE_BYTES
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
FLOW_BYTES = 262_144
FUNCTION_NAME_LIMIT = 64
FLOW_NAME_LIMIT = 80


class AwsTargets:
    """The functions and state machines of the stack `stack`. `flows` is the ARN of state machines up to their name;
    `client` gives the botocore client of a service, asked for when it is needed: most events need one of the two."""

    def __init__(self, stack: str, flows: str, client: Callable[[str], Any]) -> None:
        self._stack = stack
        self._flows = flows
        self._client = client

    def start_function(self, name: str, payload: str) -> None:
        """Invoke `<stack>-<name>` asynchronously. Raises Refused (`TooLarge` above FUNCTION_BYTES) or Unavailable."""
        _fits(payload, FUNCTION_BYTES)
        with calls():
            self._client("lambda").invoke(
                FunctionName=physical(self._stack, name, FUNCTION_NAME_LIMIT),
                InvocationType="Event",
                Payload=payload.encode(),
            )

    def start_flow(self, name: str, run: str, payload: str) -> None:
        """Start `<stack>-<name>` as `run`. Raises Refused (`TooLarge` above 262,144 bytes) or Unavailable."""
        _fits(payload, FLOW_BYTES)
        try:
            with calls():
                self._client("stepfunctions").start_execution(
                    stateMachineArn=f"{self._flows}{physical(self._stack, name, FLOW_NAME_LIMIT)}",
                    name=run,
                    input=payload,
                )
        except Refused as error:
            if error.code != "ExecutionAlreadyExists":
                raise


def _fits(payload: str, limit: int) -> None:
    length = size(payload)
    if length > limit:
        raise Refused("TooLarge", f"the event has {length} bytes; the target takes {limit}")
