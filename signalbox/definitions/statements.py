"""The statements of a function.yaml: what IAM would refuse of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import re
from collections.abc import Iterator

from signalbox.definitions.meta import shown
from signalbox.definitions.placeholders import ARNS, PLACEHOLDERS
from signalbox.definitions.places import Document
from signalbox.model import Json
from signalbox.problems import Problem, did_you_mean

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike"),
    *("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals"),
    *("NumericGreaterThan", "NumericGreaterThanEquals"),
    *("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    *("Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    *("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
)
_SETS = ("ForAllValues:", "ForAnyValue:")
_IF_EXISTS = "IfExists"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html; region and account may be empty.
_ARN = re.compile(r"arn:[^:]+:[^:]+(:.*)?", re.DOTALL)
"""IAM completes what is left out at the end by wildcards."""
_BEGINS = re.compile(r"\$\{([^}]*)\}")


def check_statement(document: Document) -> Iterator[Problem]:
    """What IAM would refuse of the statement in `document`, as far as it is well-formed."""
    for index, resource in enumerate(document.value.get("resources", ())):
        if isinstance(resource, str) and not _is_resource(resource):
            yield document.problem(
                "statement-resource",
                "this is no ARN",
                ("resources", index),
                got=resource,
                allowed=f"arn:<partition>:<service>:<region>:<account>:<resource>, {', '.join(ARNS)}, or *",
            )
    for operator, keys in document.value.get("conditions", {}).items():
        if not _is_operator(operator):
            yield document.problem(
                "statement-condition",
                "IAM has no such condition operator",
                ("conditions", operator),
                got=operator,
                allowed=f"{', '.join(OPERATORS)}; with {_IF_EXISTS} after it, {' or '.join(_SETS)} before it",
                fix=did_you_mean(_plain(operator), OPERATORS),
            )
        for key, value in keys.items():
            if not _is_condition_value(value):
                yield document.problem(
                    "statement-condition",
                    "this is no value of a condition",
                    ("conditions", operator, key),
                    got=shown(value),
                    allowed="text, a number, true, false, or a list of them",
                )


def _is_resource(text: str) -> bool:
    if begins := _BEGINS.match(text):
        # What is no placeholder at all is told as such.
        return begins[0] in ARNS or begins[1] not in PLACEHOLDERS
    return text == "*" or text.startswith("${") or _ARN.fullmatch(text) is not None


def _plain(operator: str) -> str:
    for prefix in _SETS:
        operator = operator.removeprefix(prefix)
    return operator.removesuffix(_IF_EXISTS)


def _is_operator(text: str) -> bool:
    if text.endswith(f"Null{_IF_EXISTS}"):
        return False  # Null asks whether a key exists
    return _plain(text) in OPERATORS and text.count(":") <= 1


def _is_condition_value(value: Json) -> bool:
    return all(isinstance(each, str | int | float) for each in (value if isinstance(value, list) else [value]))
