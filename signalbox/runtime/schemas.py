"""The Router's schemas: by event and hash, so that an event whose rule is up to date costs no read of the store."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from signalbox.runtime.text import from_text
from signalbox.schema import SchemaError, Validator, compile_schema

ENTRIES = 256
MAX_AGE_SECONDS = 60.0


class SchemaMissing(LookupError):
    """The event has no usable schema: `code` is `schema-missing` or `schema-broken`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """What the store holds for an event: its schema as JSON text, and the hash of that."""

    hash: str
    text: str


@dataclass(frozen=True, slots=True)
class _Entry:
    found: Validator | SchemaMissing
    expires: float


class Schemas:
    """Validators by (event id, schema hash), at most ENTRIES, the longest unused dropped first.

    The schema of exactly that hash stays: a hash never means another schema. What stands in for it, the event's
    current schema or none at all, is looked up anew after MAX_AGE_SECONDS.
    `read` gives the stored schema of an event id, or None; `now` is a clock in seconds.
    """

    def __init__(self, read: Callable[[str], StoredSchema | None], now: Callable[[], float]) -> None:
        self._read = read
        self._now = now
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def validator(self, event_id: str, schema_hash: str) -> Validator:
        """The validator of the schema `schema_hash`, or, when the store no longer has it, of the event's current one.

        Raises SchemaMissing, and whatever `read` raises.
        """
        key = (event_id, schema_hash)
        entry = self._entries.get(key)
        if entry is None or entry.expires <= self._now():
            entry = self._load(event_id, schema_hash)
            self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > ENTRIES:
            self._entries.popitem(last=False)
        if isinstance(entry.found, SchemaMissing):
            # A new one each time: raised again, an exception keeps the frames of every time before.
            raise SchemaMissing(entry.found.code, str(entry.found))
        return entry.found

    def _load(self, event_id: str, schema_hash: str) -> _Entry:
        soon = self._now() + MAX_AGE_SECONDS
        stored = self._read(event_id)
        if stored is None:
            return _Entry(SchemaMissing("schema-missing", f"the store has no event {event_id}"), soon)
        try:
            validator = compile_schema(from_text(stored.text))
        except SchemaError as error:
            return _Entry(SchemaMissing("schema-broken", f"the schema of {event_id} is not usable: {error}"), soon)
        return _Entry(validator, float("inf") if stored.hash == schema_hash else soon)
