"""JSON in the one form in which patterns are written, compared, measured and hashed.

The form is that of the AWS provider (Go's `encoding/json` without HTML escaping, numbers through float64), so that the
rule which the deploy declares and the rule which the reconciler writes are the same text and neither looks like drift
to the other. Source: hashicorp/terraform-provider-aws, `internal/service/events/rule.go` (the pattern is normalized on
its way into the state) and https://pkg.go.dev/encoding/json#Marshal for how Go writes numbers and strings.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

type_error = "JSON has objects, arrays, strings, numbers, true, false and null; got {}"


def canonical(value: Any) -> str:
    """`value` (anything that `json.loads` gives) as canonical JSON text.

    Raises TypeError for a value that JSON cannot hold, OverflowError for a number that float64 cannot.
    """
    # Nearly everything is of a kind that the library writes in the same form, and several times as fast.
    return _PLAIN.encode(value) if _is_plain(value) else _written(value)


def _written(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int() | float():
            return _number(value)
        case dict() | Mapping():
            pairs = (f"{_string(key)}:{_written(value[key])}" for key in sorted(value))
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_written, value)) + "]"
    raise TypeError(type_error.format(type(value).__name__))


def same(one: Any, other: Any) -> bool:
    """Are both the same JSON value? Python's `==` takes 1 for true and 0 for false. Raises as `canonical`."""
    return canonical(one) == canonical(other)


def digest(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of the SHA-256 of `value` in canonical form."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()[:length]


_PLAIN = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
_EXACT = 2**53
"""Whole numbers up to here are the same in float64."""


def _is_plain(value: Any) -> bool:
    """Only ASCII text, whole numbers, and what can hold these."""
    kind = type(value)
    if kind is str:
        return value.isascii()
    if kind is dict:
        for key, each in value.items():
            if type(key) is not str or not key.isascii() or not _is_plain(each):
                return False
        return True
    if kind is list or kind is tuple:
        for each in value:  # noqa: SIM110  # a generator costs as much as the rest
            if not _is_plain(each):
                return False
        return True
    return value is None or kind is bool or (kind is int and -_EXACT <= value <= _EXACT)


def _string(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(type_error.format(f"a key of type {type(text).__name__}"))
    if text.isascii():
        return encode_basestring(text)
    # Go escapes these two even when HTML escaping is off, and replaces what is no Unicode scalar value.
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return encode_basestring(clean).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _number(number: int | float) -> str:
    value = float(number)
    if value != value or value in (float("inf"), float("-inf")):
        raise OverflowError(f"not a JSON number: {number}")
    if value == 0:
        return "0"  # Go writes "-0", which is read back as 0 here: the sign must not look like a difference
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)).normalize(), "f")
    mantissa, _, exponent = repr(value).partition("e")
    sign, digits = exponent[0], exponent[1:].lstrip("0")
    return f"{mantissa.removesuffix('.0')}e{sign}{digits}"
