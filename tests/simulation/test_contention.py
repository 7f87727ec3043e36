"""Fifty people edit one event at once: every turn of the fifty transactions is the seed's choice."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from signalbox.aws.store import DynamoStore
from signalbox.model import Event, route_from_config
from signalbox.overrides import Edit, PreconditionFailed, apply_edit, make_edit
from signalbox.store import HISTORY, OVERRIDE, event_item, from_attributes, history_key, to_attributes
from tests.simulation.cloud import Cloud, DynamoClient
from tests.simulation.faults import Faults
from tests.simulation.scheduling import Actor, Scheduler

PEOPLE = 50
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Office:
    """Fifty actors with one store; `outcomes` in the order in which they were told."""

    def __init__(self, seed: int, *, if_match: bool) -> None:
        rng = Random(seed)
        self.scheduler = Scheduler(rng, 0.9)
        self.cloud = Cloud(rng, self.scheduler, Faults(rng, 0, Counter()), page=100, quota=300, ticks_of_staleness=1)
        self.client = DynamoClient(self.cloud)
        self.outcomes: list[tuple[str, object]] = []
        routes = {"a": route_from_config("outage", "a", {"targets": [{"topic": "t"}]})}
        declared = event_item(Event("outage", ("park",), ("outage",), {}, routes))
        self.client.put_item(Item=to_attributes(declared))
        for number in range(PEOPLE):
            self.scheduler.start("api", f"person-{number}", lambda actor: self._edit(actor, if_match))
        while self.scheduler.active:
            self.scheduler.step()

    def _edit(self, actor: Actor, if_match: bool) -> None:
        store = DynamoStore(self.client, "dev-store")
        read = store.event_items("outage")
        assert read is not None
        tag = read.etag() if if_match else None
        posted = {"a": {"targets": [{"topic": actor.name}]}}
        outcome = make_edit(
            store,
            "outage",
            lambda items: apply_edit(items, posted, who=actor.name, when=NOW, if_match=tag),
            sleep=lambda _: self.scheduler.point(),
        )
        self.outcomes.append((actor.name, outcome))

    def revision(self) -> int:
        return int(self.cloud.items[OVERRIDE, "outage"]["Revision"]["N"])

    def history(self) -> list[str]:
        return [
            from_attributes(item)["EditedBy"] for (pk, _), item in sorted(self.cloud.items.items()) if pk == HISTORY
        ]


@pytest.mark.parametrize("seed", range(5))
def test_with_if_match_every_success_is_a_revision_and_the_others_are_told(seed: int) -> None:
    office = Office(seed, if_match=True)
    made = [who for who, outcome in office.outcomes if isinstance(outcome, Edit)]
    refused = [who for who, outcome in office.outcomes if isinstance(outcome, PreconditionFailed)]
    assert len(made) == office.revision() >= 1
    assert len(made) + len(refused) == PEOPLE
    assert sorted(office.history()) == sorted(made)


@pytest.mark.parametrize("seed", range(5))
def test_without_it_every_edit_is_in_the_history_and_the_last_is_live(seed: int) -> None:
    office = Office(seed, if_match=False)
    assert office.revision() == PEOPLE
    assert sorted(office.history()) == sorted(f"person-{number}" for number in range(PEOPLE))
    last = from_attributes(office.cloud.items[HISTORY, history_key("outage", PEOPLE)])
    assert from_attributes(office.cloud.items[OVERRIDE, "outage"])["EditedBy"] == last["EditedBy"]
