"""JSONata as Step Functions evaluates it, for tests: with what it adds, and no deeper."""

import sys
from typing import Any

from sandbox.hooks.evaluator import engine


def evaluate(expression: str, states: dict[str, Any], **variables: Any) -> Any:
    """What `expression` gives in a state with these `$states` and variables. Raises JException and the like."""
    limit = sys.getrecursionlimit()
    import jsonata  # noqa: F401 its import sets the limit for all

    sys.setrecursionlimit(max(limit, 3000))
    try:
        return engine(expression).evaluate(None, {"states": states, **variables})
    finally:
        sys.setrecursionlimit(limit)


def literal(field: str) -> str:
    """The expression in a field of a state."""
    assert field.startswith("{%")
    assert field.endswith("%}")
    return field[2:-2].strip()
