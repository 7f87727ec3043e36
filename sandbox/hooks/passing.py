# pyright: reportMissingImports=false
"""The right to pass a role to a service (`iam:PassRole`), asked for where AWS asks: of whoever names a role in a call.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html. What is looked at is in `_CALLS`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_actions, iam_evaluator

from sandbox.hooks.records import log, record

ACTION = "iam:PassRole"
KEY = "iam:PassedToService"

Data = Mapping[str, Any]
_enforce = iam_evaluator.enforce
_response = iam_actions.access_denied_response
_refused_role: ContextVar[str] = ContextVar("refused_role", default="")


def _of(*names: str) -> Callable[[Data], Iterator[Any]]:
    """The value at a path of names, if it is there."""

    def roles(data: Data) -> Iterator[Any]:
        value: Any = data
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        yield value

    return roles


def _of_targets(data: Data) -> Iterator[Any]:
    for target in data.get("Targets") or ():
        yield target.get("RoleArn")


_EVENTS, _STATES, _LAMBDA = "events.amazonaws.com", "states.amazonaws.com", "lambda.amazonaws.com"
_SCHEDULER, _PIPES = "scheduler.amazonaws.com", "pipes.amazonaws.com"
_CALLS: Mapping[str, tuple[str, Callable[[Data], Iterator[Any]]]] = {
    "events:PutRule": (_EVENTS, _of("RoleArn")),
    "events:PutTargets": (_EVENTS, _of_targets),
    "states:CreateStateMachine": (_STATES, _of("roleArn")),
    "states:UpdateStateMachine": (_STATES, _of("roleArn")),
    "lambda:CreateFunction": (_LAMBDA, _of("Role")),
    "lambda:UpdateFunctionConfiguration": (_LAMBDA, _of("Role")),
    "scheduler:CreateSchedule": (_SCHEDULER, _of("Target", "RoleArn")),
    "scheduler:UpdateSchedule": (_SCHEDULER, _of("Target", "RoleArn")),
    "pipes:CreatePipe": (_PIPES, _of("RoleArn")),
    "pipes:UpdatePipe": (_PIPES, _of("RoleArn")),
}


def install() -> None:
    """Ask for the right after that to the call itself; `conditions` must have been installed."""
    global _enforce
    _enforce = iam_evaluator.enforce
    iam_evaluator.enforce = enforce
    iam_actions.access_denied_response = response


def enforce(access_key: str, action: str, service: str, region: str, *rest: Any, **more: Any) -> Any:
    """Is the call allowed, and every role that it passes?"""
    _refused_role.set("")
    request = iam_evaluator._signed_request.get()  # before the first check of the call, which takes it away
    refused = _enforce(access_key, action, service, region, *rest, **more)
    if refused is not None or action not in _CALLS or request is None:
        return refused
    to, roles = _CALLS[action]
    for role in roles(_json(request.body)):
        if not role or not isinstance(role, str):
            continue
        refused = _enforce(access_key, ACTION, "iam", region, role, {KEY: to})
        if refused is not None:
            _refused_role.set(role)
            who = getattr(refused, "principal_arn", "")
            log.error("DENIED: %s may not pass the role %s to %s (%s)", who, role, to, action)
            record("denied", who=who, action=ACTION, resource=role)
            return refused
    return None


def response(service: str, action: str, principal: str, *rest: Any, **more: Any) -> Any:
    """The answer to a call that is refused, which names the right that is missing."""
    if role := _refused_role.get():
        explicit = bool(more.get("explicit_deny"))
        more["message"] = iam_actions.identity_denial_message(ACTION, principal, role, explicit)
        action = ACTION
    return _response(service, action, principal, *rest, **more)


def _json(body: bytes) -> Data:
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, Mapping) else {}
