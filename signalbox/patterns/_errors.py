"""The two things that can be wrong: the pattern, or the event."""


class PatternError(ValueError):
    """One reason why a pattern is refused.

    `reason` is what EventBridge itself says ("Empty arrays are not allowed"). `path` leads to the place inside the
    pattern: field names and list indexes, `$or` included. `line` and `column` (both from 1) are the place in the JSON
    text, 0 when the pattern was given as an object.
    """

    def __init__(self, reason: str, path: tuple[str | int, ...] = (), line: int = 0, column: int = 0) -> None:
        super().__init__(reason, path, line, column)
        self.reason = reason
        self.path = path
        self.line = line
        self.column = column

    @property
    def pointer(self) -> str:
        """`path` as a JSON pointer (RFC 6901); "" is the whole pattern."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.path)

    def __str__(self) -> str:
        where = [f"line {self.line}, column {self.column}"] if self.line else []
        where += [f"at {self.pointer}"] if self.path else []
        return f"{self.reason} ({', '.join(where)})" if where else self.reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatternError) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


class EventError(ValueError):
    """The event cannot be matched: it is no JSON object, or would take too long to decide on."""
