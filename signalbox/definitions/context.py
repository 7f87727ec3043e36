"""What checks of the definitions as a whole are told besides: where to deploy, and where the parts were read."""

from collections.abc import Mapping
from dataclasses import dataclass

from signalbox import classic
from signalbox.definitions.places import Document


@dataclass(frozen=True, slots=True)
class Stack:
    """What a deploy knows and a file does not. Empty: not known, and what depends on it is not checked.

    `own_bus` is the name of our bus, which is the stack's; `rules_quota` how many rules the account allows on it.
    """

    own_bus: str = ""
    account: str = ""
    region: str = ""
    partition: str = ""
    rules_quota: int = classic.RULES_PER_BUS


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the parts of the definitions were read: for messages. `complete`: all files of events could be read."""

    events: Mapping[str, Document]
    destinations: Document
    functions: Mapping[str, Document]
    root: str
    flows: Mapping[str, Document]
    complete: bool = True
