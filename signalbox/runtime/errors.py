"""The two ways in which a call to another service fails. Everything that decides on a retry looks at these alone."""


class CallError(Exception):
    """A call to a service failed: `code` is the service's own name for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class Refused(CallError):
    """The same call would be refused again: no such target, no permission, an input it cannot take."""


class Unavailable(CallError):
    """The same call may succeed later: throttled, timed out, out of order."""
