"""The resource types, by token."""

from sandbox.provider.resource import ResourceType
from sandbox.provider.services import dynamodb, events, iam, lambda_, logs, sns, sqs

_MODULES = (dynamodb, events, iam, lambda_, logs, sns, sqs)

TYPES: dict[str, ResourceType] = {kind.token: kind for module in _MODULES for kind in module.TYPES}
