"""Paging: arrays come in pages, each with a link to the next.

A cursor is the id of the last entry of a page, made opaque so that nobody builds on that. It is checked as hard as an
id, so that the worst that a made-up cursor can do is to start a page in another place.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from signalbox.api.answers import Rejection
from signalbox.problems import Problem

LIMIT = 50
MAX_LIMIT = 100
PAGE_BYTES = 4_000_000
"""A page ends early at this many bytes of JSON: a Lambda function may answer with 6 MB."""

ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_CURSOR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Page:
    """What the caller asks for: at most `limit` entries with an id above `after`."""

    limit: int = LIMIT
    after: str = ""

    def link(self, last: str) -> str:
        """The `Link` header for the page behind the entry `last`: relative, so right behind any domain and path."""
        return f'<?limit={self.limit}&cursor={cursor(last)}>; rel="next"'


def page_of(query: Mapping[str, str]) -> Page:
    """The page that the query parameters ask for. Raises Rejection with every fault."""
    problems = []
    limit, after = query.get("limit", str(LIMIT)), query.get("cursor", "")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        problems.append(
            Problem(code="limit", what="no such page size", got=limit[:50], allowed=f"1 to {MAX_LIMIT}", path="limit")
        )
    last = _read(after) if after else ""
    if last is None:
        problems.append(
            Problem(
                code="cursor",
                what="no cursor of ours",
                got=after[:50],
                fix='start without a cursor and follow the Link headers with rel="next"',
                path="cursor",
            )
        )
    if problems or last is None:
        raise Rejection(HTTPStatus.BAD_REQUEST, "the query parameters do not ask for a page", errors=problems)
    return Page(int(limit), last)


def cursor(last: str) -> str:
    """The cursor for what comes behind the id `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _read(text: str) -> str | None:
    if len(text) > _CURSOR_LENGTH:
        return None
    try:
        last = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return last if ID.fullmatch(last) else None
