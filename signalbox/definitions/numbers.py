"""Numbers that float64 does not hold as they are written."""

import math
import sys
from decimal import Decimal

from signalbox.model import Json


class Rounded(float):
    """The float64 next to what is written in `text`, which it is not: 0.12345678901234567890 has too many digits."""

    text: str


def written(text: str) -> float:
    """The number that `text` says: Rounded where writing it as float64 does gives another number (0.1 is 0.1)."""
    number = float(text)
    if not math.isfinite(number) or _is_sure(text, number) or Decimal(text) == Decimal(repr(number)):
        return number
    rounded = Rounded(number)
    rounded.text = text
    return rounded


def plain(value: Json) -> Json:
    """`value` with the float64 next to each number: the JSON Schema validator takes no others."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, Rounded) else value


def _is_sure(text: str, number: float) -> bool:
    # 1e-400 becomes 0, and next to 0 floats have fewer digits.
    return len(text) <= _SURE and abs(number) >= sys.float_info.min


# Digits that float64 always holds (DBL_DIG), but for numbers next to 0.
_SURE = 8
