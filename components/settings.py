"""The stack's configuration, read once and checked as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pulumi

from components.event_store_wrapper import Jwt
from signalbox.conflicts import Policy, policy_of
from signalbox.packaging import ARCHITECTURES, RUNTIMES

NAMESPACE = "signalbox"
ARN = {"type": "string", "pattern": "^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+$"}
# E.164, as SNS wants it: https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html
EMAIL_OR_PHONE = {"type": "string", "pattern": r"^([^@\s]+@[^@\s]+\.[^@\s]+|\+[1-9][0-9]{6,14})$"}
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

SCHEMA: dict[str, dict[str, Any]] = {
    # No bus can be made as "default": https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
    "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$", "not": {"const": "default"}},
    "mappings": {"type": "string", "minLength": 1},
    "source": {"type": "string", "maxLength": 256},
    "architecture": {"enum": list(ARCHITECTURES)},
    "runtime": {"enum": list(RUNTIMES)},
    "log-retention-days": {"enum": list(RETENTION_DAYS)},
    "archive-days": {"type": "integer", "minimum": 0},
    "rules-quota": {"type": "integer", "minimum": 1},
    "deletion-protection": {"type": "boolean"},
    "conflicts": {"type": "object"},
    "store": {"enum": ["read", "offline"]},
    "topics": {
        "type": "object",
        "additionalProperties": {"type": "string", "pattern": "^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$"},
    },
    "subscriptions": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": EMAIL_OR_PHONE, "uniqueItems": True},
    },
    "api-auth": {
        "oneOf": [
            {"properties": {"type": {"const": "iam"}}, "additionalProperties": False},
            {
                "properties": {
                    "type": {"const": "jwt"},
                    "issuer": {"type": "string", "pattern": "^https://[^/]"},
                    "audience": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                },
                "required": ["type", "issuer", "audience"],
                "additionalProperties": False,
            },
        ]
    },
    "alarm-actions": {"type": "array", "items": ARN},
}
"""What each key may be; Pulumi.yaml says what it means. What may be in `conflicts`, `signalbox.conflicts` says."""


class SettingsError(pulumi.RunError):
    """The stack's configuration cannot be used; the text names every fault and the command that mends it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`signalbox:*` of a stack, as Pulumi.yaml describes it (the defaults are the same there: a test says so)."""

    name: str
    mappings: str = "mappings"
    source: str = ""
    architecture: str = "x86_64"
    runtime: str = "python3.13"
    log_retention_days: int = 30
    archive_days: int = 30
    rules_quota: int = 300
    deletion_protection: bool = True
    conflicts: Policy = field(default_factory=Policy)
    store: str = "read"
    topics: Mapping[str, str] = field(default_factory=dict)
    subscriptions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    api_auth: Mapping[str, Any] = field(default_factory=dict)
    alarm_actions: Sequence[str] = ()

    @property
    def jwt(self) -> Jwt | None:
        """What the API checks tokens against, or None when IAM authorizes its callers."""
        if self.api_auth.get("type") != "jwt":
            return None
        return Jwt(self.api_auth["issuer"], self.api_auth["audience"])


def read_settings(config: pulumi.Config, default_name: str) -> Settings:
    """The settings of a stack; `default_name` is its name when `signalbox:name` is empty.

    Raises SettingsError with all faults.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    for key, schema in SCHEMA.items():
        try:
            value = _read(config, key, schema)
        except pulumi.ConfigTypeError as error:
            faults.append(f"{NAMESPACE}:{key}: {error}; fix: pulumi config set {NAMESPACE}:{key} <value>")
            continue
        if value is not None and not (key == "name" and value == ""):
            faults += _faults(key, schema, value)
            values[key.replace("-", "_")] = value
    values.setdefault("name", default_name)
    values["conflicts"], problems = policy_of(values.get("conflicts"))
    faults += map(str, problems)
    if values["name"] == default_name:
        faults += _faults("name", SCHEMA["name"], default_name)
    if faults:
        raise SettingsError("the stack's configuration cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return Settings(**values)


def _read(config: pulumi.Config, key: str, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type") or ("object" if "oneOf" in schema else "string")
    if kind == "integer" or key == "log-retention-days":
        return config.get_int(key)
    if kind == "boolean":
        return config.get_bool(key)
    return config.get_object(key) if kind in ("object", "array") else config.get(key)


def _faults(key: str, schema: Mapping[str, Any], value: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(value)
    command = f"pulumi config set {NAMESPACE}:{key} <value>"
    return [f"{NAMESPACE}:{key}{error.json_path[1:]}: {error.message}; fix: {command}" for error in found]
