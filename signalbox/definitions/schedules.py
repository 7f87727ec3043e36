"""Schedules as EventBridge takes them: rate(…) and cron(…).

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from dataclasses import dataclass

_RATE = re.compile(r"rate\(([0-9]+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.*)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_EITHER = "one of day-of-month and day-of-week must be ?, and the other must not"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of cron(…): its numbers, their names from the least on, and what it may be besides (expressions)."""

    what: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = "(?!)"
    """What one of a list may be."""
    alone: str = "(?!)"
    """What may only stand alone."""

    def fault(self, text: str) -> str:
        """What is wrong with `text` in this field; empty: nothing."""
        parts = text.split(",")
        if all(map(self._fits, parts)) or re.fullmatch(self.alone, text):
            return ""
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{text!r} is no {self.what}: {self.least}-{self.most}{names}"

    def _fits(self, part: str) -> bool:
        if part == "*" or re.fullmatch(self.special, part):
            return True
        values, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and 1 <= int(step) <= self.most):
            return False
        return (slash and values in ("", "*")) or all(map(self._is_value, values.split("-", 1)))

    def _is_value(self, text: str) -> bool:
        if text in self.names:
            return True
        return text.isascii() and text.isdecimal() and self.least <= int(text) <= self.most


_DAY = f"(?:[1-7]|{'|'.join(_DAYS)})"
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    # L: the last day; LW: the last weekday; 3W: the weekday next to the third.
    _Field("day of the month", 1, 31, special="L|LW|(?:[1-9]|[12][0-9]|3[01])W", alone=r"\?|L-[0-9]+"),
    _Field("month", 1, 12, _MONTHS),
    # 6L: the last Friday of the month; 3#2: its second Tuesday.
    _Field("day of the week", 1, 7, _DAYS, special=f"L|{_DAY}L", alone=rf"\?|{_DAY}#[1-5]"),
    _Field("year", 1970, 2199),
)


def schedule_fault(expression: str) -> str:
    """Why EventBridge refuses `expression`, in words; empty where it takes it."""
    if rate := _RATE.fullmatch(expression):
        value, unit, plural = rate.groups()
        if (int(value) == 1) == bool(plural):
            return f"with {value} the unit is {unit if plural else f'{unit}s'}"
        return "" if int(value) else "a rate is at least 1"
    if not (cron := _CRON.fullmatch(expression)):
        return "neither rate(…) nor cron(…)"
    fields = cron[1].split()
    if len(fields) != len(_FIELDS):
        return f"cron has six fields, minutes hours day-of-month month day-of-week year; here are {len(fields)}"
    faults = [fault for field, text in zip(_FIELDS, fields, strict=True) if (fault := field.fault(text))]
    if (fields[2] == "?") == (fields[4] == "?"):
        faults.append(_EITHER)
    return "; ".join(faults)
