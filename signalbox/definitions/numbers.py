"""Numbers that float64 does not hold as they are written."""

import math
import sys
from decimal import Decimal


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


def _is_sure(text: str, number: float) -> bool:
    # 1e-400 becomes 0, and next to 0 floats have fewer digits.
    return len(text) <= _SURE and abs(number) >= sys.float_info.min


# Digits that float64 always holds (DBL_DIG), but for numbers next to 0.
_SURE = 8
