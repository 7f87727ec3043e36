"""The resource types, by token."""

from sandbox.provider.resource import ResourceType
from sandbox.provider.services import (
    apigatewayv2,
    cloudwatch,
    dynamodb,
    events,
    iam,
    lambda_,
    logs,
    scheduler,
    sfn,
    sns,
    sqs,
)

_MODULES = (apigatewayv2, cloudwatch, dynamodb, events, iam, lambda_, logs, scheduler, sfn, sns, sqs)

TYPES: dict[str, ResourceType] = {kind.token: kind for module in _MODULES for kind in module.TYPES}
