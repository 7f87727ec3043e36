"""Event patterns as EventBridge reads them, offline: refuse, match, explain. Standard library only.

    check(pattern)              every PatternError, [] for a pattern that EventBridge accepts
    compile(pattern)            a Pattern, or raises the first PatternError
    Pattern.matches(event)      bool;   matches(pattern, event) for once
    Pattern.explain(event)      an Explanation: matched, or the first condition that fails (field, condition, found);
                                explain(pattern, event) for once
    RuleSet({id: pattern})      many rules compiled together; .match(event) gives the set of ids
    Pattern.leaves              the pattern's conditions, one Leaf a field and `$or` branch, in the order of the text:
                                Leaf.field "detail.type", .path ("detail", "type"), .conditions, .accepts(value),
                                .words, .absent, .place, .line; leaves(pattern) for once
    Condition                   operator, modifier, values, words, accepts(value)
    Pattern.alternatives        what `$or` stands for: tuples of leaves that must all hold
    has_wildcard(pattern)       does the rule count as a wildcard rule?

A pattern is JSON text (errors then have line and column) or a mapping; an event as well. As text they keep what
Python objects lose: the digits of a number, and keys that are written twice.

Patterns are the whole pattern of a rule (`{"source": [...], "detail": {...}}`), but nothing here knows the names of an
event's fields, so a pattern on `detail` alone can be checked or matched against a detail.

PatternError (`reason` in EventBridge's words, `path`, `pointer`, `line`, `column`) and EventError, both ValueErrors,
are all that is raised for what is wrong with an input. EventError also ends what would take long: 0.1 s of CPU is the
most for a pattern of 4 KB and an event of 256 KB.

The reference is AWS's own matcher, event-ruler 2.1.0; tests/conformance compares and lists where we differ on purpose.
"""

from signalbox.patterns._conditions import Condition, Leaf
from signalbox.patterns._errors import EventError, PatternError
from signalbox.patterns._pattern import Explanation, Pattern, check, compile, explain, has_wildcard, leaves, matches
from signalbox.patterns._ruleset import RuleSet

__all__ = [
    "Condition",
    "EventError",
    "Explanation",
    "Leaf",
    "Pattern",
    "PatternError",
    "RuleSet",
    "check",
    "compile",
    "explain",
    "has_wildcard",
    "leaves",
    "matches",
]
