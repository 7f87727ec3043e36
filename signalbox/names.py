"""Names on AWS. A name that would be too long gets a hash instead of a plain cut, so that two never become one."""

import hashlib

RULE_NAME_LIMIT = 64
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html#eventbridge-PutRule-request-Name
TABLE_NAME_LIMIT = 255
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
STORE = "store"
STATE = "state"


def bounded(name: str, limit: int) -> str:
    """`name` itself, or, longer than `limit` characters, its beginning and `-` and 8 hex digits of its SHA-256."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def rule_name(event_id: str, route: str) -> str:
    """The name of the rule of a route: `<event-id>.<route>`. Route names hold no dot, so it reads back."""
    return bounded(f"{event_id}.{route}", RULE_NAME_LIMIT)


def physical(stack: str, part: str, limit: int = RULE_NAME_LIMIT) -> str:
    """The physical name `<stack>-<part>` of a resource that the program makes."""
    return bounded(f"{stack}-{part}", limit)


def table(stack: str, part: str) -> str:
    """The name of a table: STORE (definitions, overrides, outcomes) or STATE (what functions and flows remember)."""
    return physical(stack, part, TABLE_NAME_LIMIT)
