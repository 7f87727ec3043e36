"""The names that a stack gives on AWS to what definitions and its own parts ask for.

Components take them from here, and the checks of definitions see here which of them would meet. No I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from signalbox.classic import ROLE_ACTIONS, feeds
from signalbox.flows.names import EXAMPLE, FUNCTION_NAME_LIMIT, QUEUE_NAME_LIMIT
from signalbox.model import Definitions, Destination
from signalbox.names import physical

UNDELIVERED = "undelivered"
RETRY = "retry"
_FIFO = ".fifo"
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html
_ARCHIVE_NAME_LIMIT = 48
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
_TOPIC_NAME_LIMIT = 256
_LOG_GROUP_PART_LIMIT = 400
"""Of the 512 characters that CloudWatch Logs takes some are the path before the name:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"""
_IGNORE_CASE = ("role",)
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html: "Names are not distinguished by case."


def archive(stack: str) -> str:
    """The name of the bus's archive."""
    return physical(stack, "archive", _ARCHIVE_NAME_LIMIT)


def queue(stack: str, part: str, *, fifo: bool = False) -> str:
    """The name of a queue."""
    suffix = _FIFO if fifo else ""
    return f"{physical(stack, part, QUEUE_NAME_LIMIT - len(suffix))}{suffix}"


def function(stack: str, name: str) -> str:
    """The name of the function `name`, and of its role."""
    return physical(stack, name, FUNCTION_NAME_LIMIT)


def function_logs(stack: str, name: str) -> str:
    """The log group of the function `name`: Lambda knows no other.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"""
    return f"/aws/lambda/{function(stack, name)}"


def flow_logs(stack: str) -> str:
    """The one log group of all state machines. Names that begin so do not use up CloudWatch Logs' resource policies:
    https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html"""
    return f"/aws/vendedlogs/states/{physical(stack, 'flows', _LOG_GROUP_PART_LIMIT)}"


def flow_role(stack: str, flow: str | None = None) -> str:
    """The role of a flow of the definitions; None: the one of all flows that are made at run time. No function is
    called `flow.…`, whose role would have a name of this form too."""
    return physical(stack, "flows" if flow is None else f"flow.{flow}")


def feed_role(stack: str) -> str:
    """The role with which events of foreign buses come to ours."""
    return physical(stack, "feed")


def target_role(stack: str, destination: str) -> str:
    """The role that EventBridge assumes to reach a destination that says none."""
    return physical(stack, f"to-{destination}")


def created(stack: str, destination: Destination) -> str:
    """The name of a destination that the program creates."""
    if destination.physical_name is not None:
        return destination.physical_name
    match destination.kind:
        case "queue":
            return queue(stack, destination.name, fifo=destination.fifo)
        case "topic":
            return physical(stack, destination.name, _TOPIC_NAME_LIMIT)
        case "log-group":
            return f"/aws/events/{physical(stack, destination.name, _LOG_GROUP_PART_LIMIT)}"
    return physical(stack, destination.name)


@dataclass(frozen=True, slots=True)
class Made:
    """Something that a stack makes under a name: `what` it is, among which names are unique, and for which `part` of
    the definitions (`function`, `flow`, `destination`) of the name `owner`; both empty: it is the stack's own."""

    what: str
    name: str
    part: str = ""
    owner: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Equal for two that AWS takes for one."""
        return self.what, self.name.lower() if self.what in _IGNORE_CASE else self.name

    def __str__(self) -> str:
        return f"the {self.what} of the {self.part} {self.owner}" if self.part else f"a {self.what} of the stack's own"


def made(stack: str, definitions: Definitions) -> Iterator[Made]:
    """All queues, topics, log groups, API destinations, roles, functions and state machines of the stack: first its
    own, then those of functions, flows and destinations. Two of one `key` cannot be."""
    yield from (Made("queue", queue(stack, part)) for part in (UNDELIVERED, RETRY))
    yield Made("log group", flow_logs(stack))
    yield Made("role", flow_role(stack))
    if feeds(definitions.events.values()):
        yield Made("role", feed_role(stack))
    for name in definitions.functions:
        yield Made("function", function(stack, name), "function", name)
        yield Made("role", function(stack, name), "function", name)
        yield Made("log group", function_logs(stack, name), "function", name)
    names = replace(EXAMPLE, stack=stack)
    for name in definitions.flows:
        yield Made("state machine", names.machine(name), "flow", name)
        yield Made("role", flow_role(stack, name), "flow", name)
    for destination in definitions.destinations.values():
        if destination.arn is None:
            what = "API destination" if destination.kind == "api-destination" else destination.kind.replace("-", " ")
            yield Made(what, created(stack, destination), "destination", destination.name)
        if destination.kind in ROLE_ACTIONS and destination.role is None:
            yield Made("role", target_role(stack, destination.name), "destination", destination.name)
