"""The provider's own configuration: `aws:region` and its like, or the arguments of an explicit `aws.Provider`."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.provider.resource import ResourceError, Session
from sandbox.provider.wire import Props

CONFIG = frozenset(
    [
        "accessKey",
        "allowedAccountIds",
        "assumeRoleWithWebIdentity",
        "assumeRoles",
        "customCaBundle",
        "defaultTags",
        "ec2MetadataServiceEndpoint",
        "ec2MetadataServiceEndpointMode",
        "endpoints",
        "forbiddenAccountIds",
        "httpProxy",
        "httpsProxy",
        "ignoreTags",
        "insecure",
        "maxRetries",
        "noProxy",
        "profile",
        "region",
        "retryMode",
        "s3UsEast1RegionalEndpoint",
        "s3UsePathStyle",
        "secretKey",
        "sharedConfigFiles",
        "sharedCredentialsFiles",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "stsRegion",
        "tagPolicyCompliance",
        "token",
        "tokenBucketRateLimiterCapacity",
        "useDualstackEndpoint",
        "useFipsEndpoint",
        "userAgents",
    ]
)
"""All that upstream takes. Honoured: accessKey, secretKey, token, profile, region, endpoints, defaultTags,
allowedAccountIds, forbiddenAccountIds. The rest says how to reach the real AWS and means nothing to an emulator."""

_SERVICES = {
    "cloudwatchevents": "events",
    "eventbridge": "events",
    "cloudwatchlog": "logs",
    "cloudwatchlogs": "logs",
    "stepfunctions": "stepfunctions",
    "sfn": "stepfunctions",
}
"""Terraform's names of services (in `endpoints`) where the SDK has another."""


def session_from(config: Props, environment: Mapping[str, str]) -> Session:
    """The way to AWS that `config` and the environment describe.

    Raises ResourceError where no region is known, where the account is not an allowed one, and where no endpoint is
    given: this stand-in is for an emulator, and must not change a real account because of a forgotten variable.
    """
    config = {key: _decoded(value) for key, value in config.items()}
    region = config.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise ResourceError("no AWS region: set aws:region in the stack's config, or AWS_REGION")
    given = {key: value for entry in config.get("endpoints") or [] for key, value in entry.items() if value}
    endpoints = {str(_SERVICES.get(key, key)): str(value) for key, value in given.items()}
    if not endpoints and not environment.get("AWS_ENDPOINT_URL"):
        raise ResourceError(
            "this is the sandbox's stand-in for the AWS provider and needs AWS_ENDPOINT_URL (the emulator's address); "
            "to deploy to AWS itself, take it off PATH so that Pulumi uses its own plugin"
        )
    names = {"accessKey": "aws_access_key_id", "secretKey": "aws_secret_access_key", "token": "aws_session_token"}
    session = Session(
        region,
        credentials={name: config[key] for key, name in names.items() if config.get(key)},
        profile=config.get("profile"),
        endpoints=endpoints,
        default_tags=(config.get("defaultTags") or {}).get("tags") or {},
    )
    allowed, forbidden = config.get("allowedAccountIds") or [], config.get("forbiddenAccountIds") or []
    if (allowed and session.account not in allowed) or (forbidden and session.account in forbidden):
        raise ResourceError(f"AWS account {session.account} is not allowed by the provider's configuration")
    return session


def _decoded(value: Any) -> Any:
    """The engine hands nested configuration over as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
