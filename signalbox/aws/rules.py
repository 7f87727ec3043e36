"""The rules of one bus in EventBridge, as the reconciler's port `Rules` says them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from signalbox.aws.calls import called
from signalbox.reconcile.ports import NOT_FOUND, Failed, Page, RulesError, pages

Client = Any
"""A boto3 client for events."""

PAGE = 100
"""The most rules or targets that one list call gives."""


class EventBridgeRules:
    """The rules of the bus named `bus`; those that are made anew get `tags`. Every method raises RulesError."""

    def __init__(self, client: Client, bus: str, tags: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._bus = bus
        # PutRule ignores the tags of a rule that is there:
        # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
        self._tags = {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}

    def list_rules(self, token: str | None) -> Page:
        """A page of the bus's rules."""
        answer = self._call(self._client.list_rules, Limit=PAGE, **_token(token))
        return Page(answer["Rules"], answer.get("NextToken"))

    def list_targets(self, rule: str, token: str | None) -> Page:
        """A page of a rule's targets."""
        answer = self._call(self._client.list_targets_by_rule, Rule=rule, Limit=PAGE, **_token(token))
        return Page(answer["Targets"], answer.get("NextToken"))

    def put_rule(self, rule: str, *, pattern: str, state: str, description: str) -> None:
        """Makes the rule, or replaces all of it except its targets."""
        self._call(
            self._client.put_rule, Name=rule, EventPattern=pattern, State=state, Description=description, **self._tags
        )

    def put_targets(self, rule: str, targets: Sequence[Mapping[str, Any]]) -> list[Failed]:
        """Adds or replaces targets; gives those that it did not."""
        return _failed(self._call(self._client.put_targets, Rule=rule, Targets=list(targets)))

    def remove_targets(self, rule: str, ids: Sequence[str]) -> list[Failed]:
        """Removes targets; gives those that it did not."""
        return _failed(self._call(self._client.remove_targets, Rule=rule, Ids=list(ids)))

    def delete_rule(self, rule: str) -> None:
        """Deletes a rule that has no targets."""
        self._call(self._client.delete_rule, Name=rule)

    def _call(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        return called(RulesError, operation, EventBusName=self._bus, **arguments)


def rules_on_bus(client: Client, bus: str) -> Iterator[Mapping[str, Any]]:
    """Every rule of a bus; none of a bus that does not exist yet. Raises RulesError."""
    try:
        yield from pages(EventBridgeRules(client, bus).list_rules)
    except RulesError as error:
        if error.code != NOT_FOUND:
            raise


def _token(token: str | None) -> dict[str, str]:
    return {} if token is None else {"NextToken": token}


def _failed(answer: Mapping[str, Any]) -> list[Failed]:
    if not answer.get("FailedEntryCount"):
        return []
    return [
        Failed(each.get("TargetId", ""), each.get("ErrorCode", ""), each.get("ErrorMessage", ""))
        for each in answer["FailedEntries"]
    ]
