"""What a flow's state machine must know of the stack that it runs in. No I/O: physical names are decided in advance."""

from dataclasses import dataclass

from signalbox.names import STATE, physical, table

STATE_MACHINE_NAME_LIMIT = 80
FUNCTION_NAME_LIMIT = 64
QUEUE_NAME_LIMIT = 80
FLOW_TAG = "signalbox:flow"
"""The tag of a state machine that says which flow it is."""


@dataclass(frozen=True, slots=True)
class Names:
    """The stack `stack` (`signalbox:name`) in its account, and the URL of its queue `undelivered`."""

    stack: str
    region: str
    account: str
    undelivered_url: str
    partition: str = "aws"

    @property
    def bus(self) -> str:
        """The name of the bus."""
        return self.stack

    @property
    def bus_arn(self) -> str:
        """The ARN of the bus."""
        return self._arn("events", f"event-bus/{self.bus}")

    def rule_arn(self, rule: str) -> str:
        """The ARN of the rule `rule` on the bus."""
        return self._arn("events", f"rule/{self.bus}/{rule}")

    def archive_arn(self, archive: str) -> str:
        """The ARN of an archive of the bus."""
        return self._arn("events", f"archive/{archive}")

    @property
    def state(self) -> str:
        """The name of the table `state`."""
        return table(self.stack, STATE)

    @property
    def state_arn(self) -> str:
        """The ARN of the table `state`."""
        return self._arn("dynamodb", f"table/{self.state}")

    @property
    def undelivered(self) -> str:
        """The name of the queue `undelivered`."""
        return physical(self.stack, "undelivered", QUEUE_NAME_LIMIT)

    @property
    def undelivered_arn(self) -> str:
        """The ARN of the queue `undelivered`."""
        return self._arn("sqs", self.undelivered)

    def function_arn(self, name: str) -> str:
        """The ARN of the processing function `name`."""
        return self._arn("lambda", f"function:{physical(self.stack, name, FUNCTION_NAME_LIMIT)}")

    def machine(self, flow: str) -> str:
        """The name of the state machine of the flow `flow`."""
        return physical(self.stack, flow, STATE_MACHINE_NAME_LIMIT)

    def machine_arn(self, flow: str) -> str:
        """The ARN of the state machine of the flow `flow`."""
        return self._arn("states", f"stateMachine:{self.machine(flow)}")

    def tags(self, flow: str, origin: str) -> dict[str, str]:
        """The tags that say whose the state machine of the flow `flow` is; `origin` is that of the flow's item."""
        return {"signalbox:stack": self.stack, FLOW_TAG: flow, "signalbox:origin": origin}

    def resource(self, action: str) -> str:
        """The `Resource` of a task that calls a service, such as `lambda:invoke`."""
        return f"arn:{self.partition}:states:::{action}"

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


EXAMPLE = Names(
    stack="signalbox-dev",
    region="eu-west-1",
    account="000000000000",
    undelivered_url="https://sqs.eu-west-1.amazonaws.com/000000000000/signalbox-dev-undelivered",
)
"""Names to show and measure a compiled flow with, where no stack is known."""
