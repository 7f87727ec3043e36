# pyright: reportMissingImports=false
"""May a service of AWS do this to that resource? Asked of the policies that the stack has put on the emulator.

MiniStack enforces IAM for calls that arrive over HTTP. What its services do to each other in process it lets pass;
these are the checks that AWS makes there.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region


def service_may(policy: str | Mapping[str, Any] | None, service: str, action: str, resource: str, source: str) -> bool:
    """Does a resource's own `policy` let `service` (`events.amazonaws.com`) do `action` for the resource `source`?

    `source` is the ARN that `aws:SourceArn` conditions see; its account is `aws:SourceAccount`. No policy: no.
    """
    if not policy:
        return False
    document = json.dumps(policy) if isinstance(policy, Mapping) else policy
    context = _context("*", action, resource, {"aws:sourcearn": source, "aws:sourceaccount": _account(source)})
    # The caller is the service itself, never an IAM principal: no account grant can speak for it, only `*`.
    context.principal_type, context.principal_account = "Service", ""
    return iam_evaluator.evaluate_resource_policy(document, context, service=service).decision == "Allow"


def role_may(
    role_arn: str,
    action: str,
    resource: str,
    policy: str | Mapping[str, Any] | None = None,
    keys: Mapping[str, Any] | None = None,
) -> bool:
    """Do the policies of the role let it do `action`? `policy`: the resource's own, which may allow or deny as well.

    `keys`: what the service's condition keys (`dynamodb:LeadingKeys`) are for this call.
    """
    account, name = _account(role_arn), role_arn.rsplit("/", 1)[-1]
    given = {key.lower(): value for key, value in (keys or {}).items()}
    context = _context(session_of(role_arn), action, resource, given)
    identity = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(name, account))
    document = json.dumps(policy) if isinstance(policy, Mapping) else policy
    return iam_evaluator.combine_resource_policy(identity, context, document, _account(resource)).decision == "Allow"


def session_of(role_arn: str) -> str:
    """The ARN of what acts with a role, when a service of AWS does so."""
    return f"arn:aws:sts::{_account(role_arn)}:assumed-role/{role_arn.rsplit('/', 1)[-1]}/sandbox"


def service_may_assume(role_arn: str, service: str, source: str) -> bool:
    """Does the role exist, and does its trust policy let `service` assume it?"""
    from ministack.services import iam

    role = iam._roles.get_scoped(_account(role_arn), None, role_arn.rsplit("/", 1)[-1])
    trust = (role or {}).get("AssumeRolePolicyDocument")
    return role is not None and service_may(trust, service, "sts:AssumeRole", "*", source)


def _context(principal: str, action: str, resource: str, keys: dict[str, Any]) -> Any:
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=keys,
        secure_transport=True,  # services of AWS call each other over TLS
    )


def _account(arn: str) -> str:
    parts = arn.split(":")
    return (parts[4] if len(parts) > 4 else "") or get_account_id()
