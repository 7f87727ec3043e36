"""Numbers and IP addresses in the forms in which the reference compares them."""

import re
import sys

_EXPONENT_LIMIT = 2**31 - 1
_SMALLEST_NORMAL = sys.float_info.min
_LARGEST = sys.float_info.max
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", re.ASCII)
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*", re.ASCII)
# Java takes any decimal digits of Unicode for an integer, as Python does, but reads them from single UTF-16 units.
_CIDR_BITS = re.compile(r"[+-]?(?:(?![\U00010000-\U0010ffff])\d)+")
_IPV4_LONGEST = 15
_GROUP = 4


def comparable(literal: str) -> float | None:
    """The number that `literal` (a JSON number) is compared as; None when it is compared only as text.

    A number is comparable when it survives the way through a 64-bit float and back unchanged (ComparableNumber in the
    reference): 9007199254740993 and numbers of twenty digits do not.
    """
    try:
        number = float(literal)
    except (ValueError, OverflowError):
        return None
    # Fifteen digits always survive (DBL_DIG), except where floats lose precision or become 0.
    if len(literal) <= 15 and _SMALLEST_NORMAL <= abs(number) <= _LARGEST:
        return number
    if abs(number) > _LARGEST:
        return None
    if exceeds_limits(literal):
        return None
    if not literal.lower().partition("e")[0].strip("-0."):
        return 0.0
    # Few patterns come here, and decimal is a third of what importing this package costs.
    from decimal import Decimal, InvalidOperation

    try:
        return number if Decimal(repr(number)) == Decimal(literal) else None
    except InvalidOperation:
        return None


def exceeds_limits(literal: str) -> bool:
    """Has `literal` an exponent that Java's BigDecimal cannot hold?"""
    mantissa, _, exponent = literal.lower().partition("e")
    return abs(int(exponent or 0) - len(mantissa.partition(".")[2])) > _EXPONENT_LIMIT


def ip_digits(text: str) -> str | None:
    """An IP address as 8 (v4) or 32 (v6) upper-case hexadecimal digits; None when `text` is none.

    Addresses are read as Java does (java.net.InetAddress): octets with leading zeros are decimal, and a v6 address
    that stands for a v4 address (`::ffff:a00:1`) is that v4 address.
    """
    if _IPV4.fullmatch(text):
        return _ipv4(text)
    if _IPV6.fullmatch(text):
        return _ipv6(text)
    return None


def _ipv4(text: str) -> str | None:
    if len(text) > _IPV4_LONGEST:
        return None
    try:
        return bytes(map(int, text.split("."))).hex().upper()
    except ValueError:
        return None


def _ipv6(text: str) -> str | None:
    if len(text) < 2 or ":::" in text or text.count("::") > 1:
        return None
    head, gap, tail = text.partition("::")
    left = head.split(":") if head else []
    right = tail.split(":") if tail else []
    missing = 8 - len(left) - len(right)
    if (missing < 1 if gap else missing) or not all(left) or not all(right):
        return None
    groups = left + ["0"] * missing + right
    if max(map(len, groups)) > _GROUP:
        groups = [group.lstrip("0") for group in groups]
        if max(map(len, groups)) > _GROUP:
            return None
    digits = ("%4s" * 8 % tuple(groups)).replace(" ", "0").upper()
    return digits[24:] if digits.startswith("0" * 20 + "FFFF") else digits


def cidr_range(text: str) -> tuple[str, str]:
    """First and last address of a CIDR block, as `ip_digits`. Raises ValueError with EventBridge's reason."""
    parts = text.split("/")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    if len(parts) != 2:
        raise ValueError("Malformed CIDR, one '/' required")
    if not _CIDR_BITS.fullmatch(parts[1]) or len(parts[1]) > 400 or abs(int(parts[1])) >= 2**31:
        raise ValueError("Malformed CIDR, mask bits must be an integer")
    bits = int(parts[1])
    if bits < 0:
        raise ValueError("Malformed CIDR, mask bits must not be negative")
    digits = ip_digits(parts[0])
    if digits is None:
        looks_right = _IPV4.fullmatch(parts[0]) or _IPV6.fullmatch(parts[0])
        raise ValueError(f"{'Invalid' if looks_right else 'Nonstandard'} IP address: {parts[0]}")
    width = 4 * len(digits)
    if bits >= width:
        raise ValueError(f"IPv{4 if width == 32 else 6} mask bits must be < {width}")
    variable = (1 << (width - bits)) - 1
    address = int(digits, 16)
    return f"{address & ~variable:0{len(digits)}X}", f"{address | variable:0{len(digits)}X}"
