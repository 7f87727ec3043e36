"""Edits as the API makes them: from items to items."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.effective import Decision, Override, RouteEdit, config_hash, decisions_item, effective_config
from signalbox.model import Event, route_from_config
from signalbox.overrides import (
    TRIES,
    Edit,
    EventItems,
    PreconditionFailed,
    Put,
    Refused,
    Unchanged,
    apply_edit,
    make_edit,
)
from signalbox.store import HISTORY, OVERRIDE, PK, SK, BusyError, ChangedError, event_item, to_attributes

NOW = datetime(2026, 11, 22, 15, 3, 5, tzinfo=UTC)
A, B, C = ({"targets": [{"topic": name}]} for name in ("t1", "t2", "t3"))
ROUTES = ("a", "b", "c")


def declared(**routes) -> dict:
    parsed = {name: route_from_config("outage", name, config) for name, config in routes.items()}
    return event_item(Event("outage", ("park",), ("outage",), {"type": "object"}, parsed))


def post(items: EventItems, posted, **rest) -> Edit:
    made = apply_edit(items, posted, who="alice", when=NOW, **rest)
    assert isinstance(made, Edit), made
    return made


def written(edit: Edit, pk: str) -> dict:
    (item,) = [write.item for write in edit.writes if isinstance(write, Put) and write.item[PK] == pk]
    return item


def after(items: EventItems, edit: Edit) -> EventItems:
    return EventItems(items.declared, items.decision, written(edit, OVERRIDE))


routing = st.dictionaries(st.sampled_from(ROUTES), st.sampled_from([A, B, C]))


@given(routing, st.lists(routing, min_size=1, max_size=4))
def test_what_is_posted_is_live_and_the_revision_counts(base, posts):
    items = EventItems(declared(**base))
    for number, posted in enumerate(posts, start=1):
        made = post(items, posted)
        assert effective_config(made.routes) == posted
        assert made.revision == written(made, OVERRIDE)["Revision"] == number
        items = after(items, made)
        assert items.etag() == made.etag
        assert effective_config(items.routes()) == posted


@given(routing, routing)
def test_overrides_hold_just_the_difference_to_what_is_declared(base, posted):
    edits = json.loads(written(post(EventItems(declared(**base)), posted), OVERRIDE)["Routes"])
    assert edits.keys() == {name for name in ROUTES if base.get(name) != posted.get(name)}
    for name, edit in edits.items():
        assert edit["config"] == posted.get(name)
        assert edit["basis"] == config_hash(base.get(name))


def test_a_default_that_is_written_out_is_no_edit():
    made = post(EventItems(declared(a=A)), {"a": {**A, "enabled": True, "pattern": {}}})
    assert json.loads(written(made, OVERRIDE)["Routes"]) == {}


def test_the_history_holds_the_whole_edit_its_author_and_its_end():
    made = post(EventItems(declared(a=A)), {"b": B})
    item = written(made, HISTORY)
    assert item[SK] == "outage#0000000001"
    assert json.loads(item["RoutingConfig"]) == {"b": B}
    assert (item["EditedBy"], item["EditedAt"]) == ("alice", "2026-11-22T15:03:05Z")
    assert item["ExpiresAt"] == int((NOW + timedelta(days=365)).timestamp())
    to_attributes(item)


def test_a_route_that_is_posted_as_it_is_keeps_its_author_basis_and_revision():
    items = EventItems(declared(a=A, b=A))
    first = post(items, {"a": B, "b": A})
    second = apply_edit(after(items, first), {"a": B, "b": C}, who="bob", when=NOW)
    assert isinstance(second, Edit)
    assert {name: (each.edit.by, each.edit.revision) for name, each in second.routes.items() if each.edit} == {
        "a": ("alice", 1),
        "b": ("bob", 2),
    }


def test_an_undecided_conflict_is_not_settled_by_an_edit_of_another_route():
    edit = RouteEdit(B, config_hash(A), 1, "2026-11-22T10:00:00Z", "alice")
    items = EventItems(declared(a=C), None, Override("outage", 1, edit.at, edit.by, {"a": edit}).item())
    assert post(items, {"a": B, "b": A}).routes["a"].outcome == "conflict"


def test_void_overrides_are_pruned_and_can_be_made_again():
    edit = RouteEdit(B, config_hash(A), 1, "2026-11-22T10:00:00Z", "alice")
    decision = decisions_item("outage", {"a": Decision("definitions", 1, "any", "chosen")})
    items = EventItems(declared(a=C), decision, Override("outage", 1, edit.at, edit.by, {"a": edit}).item())
    untouched = post(items, {"a": C})
    assert json.loads(written(untouched, OVERRIDE)["Routes"]) == {}
    again = post(items, {"a": B})
    assert again.routes["a"].outcome == "kept"
    assert again.routes["a"].config == B


def test_if_match_holds_or_nothing_is_written():
    items = EventItems(declared(a=A))
    tag = items.etag()
    made = post(items, {"a": B}, if_match=tag)
    assert apply_edit(after(items, made), {"a": C}, who="x", when=NOW, if_match=tag) == PreconditionFailed(made.etag)
    for matching in ("*", f'"other", {tag}'):
        assert isinstance(apply_edit(items, {"a": C}, who="x", when=NOW, if_match=matching), Edit)
    for other in ('"other"', f"W/{tag}", "", tag.strip('"')):
        assert apply_edit(items, {"a": C}, who="x", when=NOW, if_match=other) == PreconditionFailed(tag)


def test_an_etag_from_before_a_deploy_that_changed_the_event_does_not_match():
    tag = EventItems(declared(a=A)).etag()
    assert EventItems(declared(a=B)).etag() != tag
    assert EventItems({**declared(a=A), "Source": '["other"]'}).etag() != tag
    assert EventItems({**declared(a=A), "SchemaHash": "other"}).etag() != tag


def test_an_etag_covers_what_decisions_made_live():
    edit = RouteEdit(B, config_hash(A), 1, "2026-11-22T10:00:00Z", "alice")
    override = Override("outage", 1, edit.at, edit.by, {"a": edit}).item()
    void = decisions_item("outage", {"a": Decision("definitions", 1, "any", "chosen")})
    assert EventItems(declared(a=C), None, override).etag() != EventItems(declared(a=C), void, override).etag()


def test_the_transaction_holds_only_while_nothing_that_was_read_has_changed():
    items = EventItems(declared(a=A))
    checked = [write if isinstance(write, Unchanged) else write.unchanged for write in post(items, {"a": B}).writes]
    assert [(each.pk, each.sk) for each in checked] == [
        ("events", "outage"),
        ("decision", "outage"),
        ("override", "outage"),
        ("history", "outage#0000000001"),
    ]
    assert checked[0].attributes["RoutingConfig"] == items.declared["RoutingConfig"]
    assert checked[1].attributes == {"Routes": None}
    assert checked[2].attributes == {"Revision": None}


@pytest.mark.parametrize("count", [4, 5])
def test_old_and_new_targets_that_do_not_fit_one_rule_are_refused_with_the_way_out(count):
    many = {"targets": [{"topic": f"n{n}"} for n in range(count)]}
    made = apply_edit(EventItems(declared(a=A)), {"a": many}, who="x", when=NOW)
    if count == 4:
        assert isinstance(made, Edit)
        return
    assert isinstance(made, Refused)
    (problem,) = made.problems
    assert (problem.code, problem.path) == ("too-many-at-once", "outage/a")
    assert "two changes" in problem.fix


def test_functions_and_flows_count_as_one_target():
    many = {"targets": [{"topic": "t1"}, *({"function": f"f{n}"} for n in range(8)), {"flow": "x"}]}
    assert isinstance(apply_edit(EventItems(declared(a=A)), {"a": many}, who="x", when=NOW), Edit)


def test_edits_that_do_not_fit_an_item_are_refused():
    huge = {**A, "pattern": {"type": ["x" * 410_000]}}
    made = apply_edit(EventItems(declared(a=A)), {"a": huge}, who="x", when=NOW)
    assert isinstance(made, Refused)
    assert {problem.code for problem in made.problems} == {"item-too-large"}


class Contended:
    """A store in which somebody else is faster `times` times."""

    def __init__(self, times: int, error: type[Exception] = ChangedError) -> None:
        self.items = EventItems(declared(a=A))
        self.left = times
        self.error = error
        self.written: list[dict] = []

    def event_items(self, event_id: str) -> EventItems | None:
        return self.items if event_id == "outage" else None

    def commit(self, writes) -> None:
        if self.left:
            self.left -= 1
            if self.error is ChangedError:
                other = apply_edit(self.items, {"a": C}, who="other", when=NOW)
                assert isinstance(other, Edit)
                self.items = after(self.items, other)
            raise self.error
        self.written += [write.item for write in writes if isinstance(write, Put)]


def edit_in(store: Contended, if_match: str | None = None):
    return make_edit(
        store,
        "outage",
        lambda items: apply_edit(items, {"a": B}, who="me", when=NOW, if_match=if_match),
        sleep=lambda _: None,
    )


def test_without_if_match_an_edit_gets_through_whoever_else_edits():
    store = Contended(30)
    made = edit_in(store)
    assert isinstance(made, Edit)
    assert made.revision == 31
    assert [item["Revision"] for item in store.written] == [31, 31]


def test_with_if_match_the_first_other_edit_is_told():
    store = Contended(1)
    assert isinstance(edit_in(store, store.items.etag()), PreconditionFailed)
    assert not store.written


def test_an_edit_that_never_comes_to_pass_says_so():
    store = Contended(TRIES, BusyError)
    with pytest.raises(BusyError):
        edit_in(store)
    assert not store.written


def test_an_event_that_is_not_declared_cannot_be_edited():
    assert make_edit(Contended(0), "other", lambda _: pytest.fail("computed")) is None
