"""State machines in Step Functions, as the reconciler's port `Machines` says them."""

from collections.abc import Callable, Mapping
from typing import Any

from signalbox.aws.calls import called
from signalbox.reconcile.ports import MachinesError, Page

Client = Any
"""A boto3 client for stepfunctions."""

PAGE = 1_000
"""The most state machines that one list call gives."""
_NONE = frozenset(("StateMachineDoesNotExist", "ResourceNotFound"))


class StepFunctionsMachines:
    """The state machines of the client's account and region. Every method raises MachinesError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list_machines(self, token: str | None) -> Page:
        """A page of state machines."""
        more = {} if token is None else {"nextToken": token}
        answer = self._call(self._client.list_state_machines, maxResults=PAGE, **more)
        return Page(answer["stateMachines"], answer.get("nextToken"))

    def describe(self, arn: str) -> Mapping[str, Any] | None:
        """A state machine; None: there is none."""
        try:
            return self._call(self._client.describe_state_machine, stateMachineArn=arn)
        except MachinesError as error:
            if error.code in _NONE:
                return None
            raise

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a state machine, none of one that is not there."""
        try:
            answer = self._call(self._client.list_tags_for_resource, resourceArn=arn)
        except MachinesError as error:
            if error.code in _NONE:
                return {}
            raise
        return {each["key"]: each.get("value", "") for each in answer["tags"]}

    def create(self, name: str, kind: str, fields: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Makes a state machine; one of the same definition and configuration that is there already is fine."""
        made = [{"key": key, "value": value} for key, value in tags.items()]
        self._call(self._client.create_state_machine, name=name, type=kind, tags=made, **fields)

    def update(self, arn: str, fields: Mapping[str, Any]) -> None:
        """Changes definition, role and configuration of a state machine."""
        self._call(self._client.update_state_machine, stateMachineArn=arn, **fields)

    def delete(self, arn: str) -> None:
        """Begins to delete a state machine; one that is not there is fine."""
        try:
            self._call(self._client.delete_state_machine, stateMachineArn=arn)
        except MachinesError as error:
            if error.code not in _NONE:
                raise

    def _call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        return called(MachinesError, operation, **arguments)
