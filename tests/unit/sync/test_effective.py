"""What definitions, decisions and edits make together: the laws, and what people are told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.conflicts import CHOICES, Policy, decide, policy_of
from signalbox.effective import (
    ANY,
    Decision,
    Override,
    RouteEdit,
    config_hash,
    decisions_from_item,
    effective,
    effective_config,
    override_from_item,
    stored,
)
from signalbox.model import Event, route_from_config
from signalbox.plan import plan
from signalbox.store import RELEASE, StoreSnapshot, control_item, decision_item, event_item

CONFIGS = tuple({"targets": [{"topic": f"t{n}"}]} for n in range(4))
ROUTES = ("a", "b")
AT = "2026-11-22T14:03:05Z"

configs = st.sampled_from(CONFIGS)
routing = st.dictionaries(st.sampled_from(ROUTES), configs)
declarations = st.none() | routing
hashes = st.sampled_from([*map(config_hash, CONFIGS), config_hash(None), "gone", ANY])
edits = st.builds(
    RouteEdit,
    config=st.none() | configs,
    basis=st.sampled_from([*map(config_hash, CONFIGS), config_hash(None)]),
    revision=st.integers(1, 3),
    at=st.just(AT),
    by=st.just("alice"),
)
overrides = st.builds(
    Override,
    event_id=st.just("outage"),
    revision=st.just(3),
    at=st.just(AT),
    by=st.just("alice"),
    routes=st.dictionaries(st.sampled_from(ROUTES), edits),
)
decisions = st.dictionaries(
    st.sampled_from(ROUTES),
    st.builds(
        Decision,
        winner=st.sampled_from(["definitions", "store"]),
        revision=st.integers(1, 3),
        declared=hashes,
        reason=st.just("chosen"),
    ),
)
policies = st.sampled_from([Policy(choice) for choice in CHOICES])


def event(routes: dict | None, event_id: str = "outage") -> Event:
    parsed = {name: route_from_config(event_id, name, config) for name, config in (routes or {}).items()}
    return Event(event_id, ("park",), (event_id,), {"type": "object"}, parsed)


def edit(config, basis, revision: int = 1) -> RouteEdit:
    return RouteEdit(config, config_hash(basis), revision, AT, "alice")


def override(**routes: RouteEdit) -> Override:
    return Override("outage", max(each.revision for each in routes.values()), AT, "alice", routes)


def snapshot(declared, made: Override, decided=None) -> StoreSnapshot:
    items = [made.item()]
    if declared is not None:
        items.append(event_item(event(declared)))
    if decided:
        items.append(decision_item("outage", {name: each.as_json() for name, each in decided.items()}))
    return StoreSnapshot.of(items)


# -- laws


@given(routing, decisions)
def test_without_an_edit_what_is_declared_holds(declared, decided):
    assert effective_config(effective(declared, decided, Override("outage"))) == declared


@given(declarations, decisions, overrides)
def test_each_edit_is_live_or_void_by_a_recorded_reason_or_in_conflict(declared, decided, made):
    routes = effective(declared, decided, made)
    for name, each in made.routes.items():
        route = routes[name]
        if route.outcome in ("kept", "settled", "conflict"):
            assert route.config == each.config
        elif route.outcome == "converged":
            assert route.config == each.config == (declared or {}).get(name)
        elif route.outcome == "void":
            assert decided[name].winner == "definitions"
            assert decided[name].revision >= each.revision
            assert decided[name].reason
            assert route.config == (declared or {}).get(name)
        else:
            assert route.outcome == "orphaned"
            assert declared is None


@given(declarations, declarations, decisions, overrides, policies)
def test_deciding_twice_decides_nothing_new(old, new, decided, made, policy):
    once = decide("outage", new, decided, made, policy, stored=old)
    twice = decide("outage", new, once.decisions, made, policy, stored=new)
    if not once.conflicts:
        assert twice.decisions == once.decisions
        assert not twice.conflicts
    assert effective_config(twice.routes) == effective_config(once.routes)


@given(declarations, declarations, decisions, overrides, policies)
def test_deploy_and_reconciler_decide_the_same_from_the_same_items(old, new, decided, made, policy):
    planned = plan({} if new is None else {"outage": event(new)}, snapshot(old, made, decided), policy)
    if any(problem.code.startswith("conflict") for problem in planned.problems):
        return
    item = planned.events["outage"].decision if new is not None else next(iter(planned.decisions), None)
    after = snapshot(new, made, decisions_from_item(item))
    live = effective_config(stored("outage", after))
    wanted = {} if new is None else {name: route.config() for name, route in planned.events["outage"].routes.items()}
    assert live == wanted


@given(declarations, declarations, decisions, overrides, policies)
def test_a_deploy_that_dies_between_decision_and_event_item_has_ended_no_edit_that_definitions_still_carry(
    old, new, decided, made, policy
):
    """The decision item comes first. Until the event item follows, an edit that was live stays so, unless the route's
    declared config is the same before and after, so that the decision alone says all."""
    if old is None:
        return
    before = effective(old, decided, made)
    result = decide("outage", new, decided, made, policy, stored=old)
    if result.conflicts:
        return
    between = effective(old, result.decisions, made)
    for name in made.routes:
        if new is None or new.get(name) != old.get(name):
            assert between[name].config == before[name].config


@given(routing, configs, configs, st.lists(declarations, min_size=1, max_size=4), policies)
def test_converged_edits_never_come_back(start, basis, config, later, policy):
    if basis == config:
        return
    made = override(a=edit(config, basis))
    converged = {**start, "a": config}
    decided = decide("outage", converged, {}, made, policy, stored={**start, "a": basis}).decisions
    before = converged
    for declared in later:
        result = decide("outage", declared, decided, made, policy, stored=before)
        assert not result.conflicts
        assert result.routes["a"].config == (declared or {}).get("a")
        decided, before = result.decisions, declared


@given(configs, configs, st.lists(declarations, min_size=1, max_size=4), policies)
def test_an_edit_that_a_deploy_gave_up_never_comes_back(config, declared, later, policy):
    basis = {"targets": [{"topic": "basis"}]}
    made = override(a=edit(config, basis))
    if declared == config:
        return
    decided = decide("outage", {"a": declared}, {}, made, Policy("definitions"), stored={"a": basis}).decisions
    before: dict | None = {"a": declared}
    for each in [*later, {"a": basis}]:
        result = decide("outage", each, decided, made, policy, stored=before)
        assert result.routes["a"].config == (each or {}).get("a")
        decided, before = result.decisions, each


# -- cases


def test_a_later_edit_is_not_void_by_an_earlier_decision():
    made = override(a=edit(CONFIGS[1], CONFIGS[0], revision=2))
    decided = {"a": Decision("definitions", 1, ANY, "chosen")}
    assert effective({"a": CONFIGS[0]}, decided, made)["a"].outcome == "kept"


def test_convergence_is_recorded():
    result = decide(
        "outage", {"a": CONFIGS[1]}, {}, override(a=edit(CONFIGS[1], CONFIGS[0])), Policy(), stored={"a": CONFIGS[0]}
    )
    assert result.decisions == {"a": Decision("definitions", 1, config_hash(CONFIGS[1]), "converged")}


def test_convergence_that_no_deploy_noticed_is_final_all_the_same():
    """An edit landed after a deploy had read the store, and that deploy declared just what the edit says."""
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    result = decide("outage", {"a": CONFIGS[0]}, {}, made, Policy(), stored={"a": CONFIGS[1]})
    assert result.routes["a"].outcome == "void"
    assert result.decisions["a"].declared == ANY


def test_a_choice_for_the_store_holds_for_the_definitions_that_it_was_made_for():
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    chosen = decide("outage", {"a": CONFIGS[2]}, {}, made, Policy("store"), stored={"a": CONFIGS[0]})
    assert chosen.routes["a"].outcome == "settled"
    again = decide("outage", {"a": CONFIGS[2]}, chosen.decisions, made, Policy(), stored={"a": CONFIGS[2]})
    assert again.routes["a"].config == CONFIGS[1]
    assert not again.conflicts
    back = decide("outage", {"a": CONFIGS[0]}, chosen.decisions, made, Policy(), stored={"a": CONFIGS[2]})
    assert back.decisions == chosen.decisions
    moved = decide("outage", {"a": CONFIGS[3]}, chosen.decisions, made, Policy(), stored={"a": CONFIGS[2]})
    assert [problem.path for problem in moved.conflicts] == ["outage/a"]


def test_a_choice_for_the_store_can_be_taken_back_for_its_route():
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    decided = {"a": Decision("store", 1, config_hash(CONFIGS[2]), "chosen")}
    policy = Policy("fail", {"outage/a": "definitions"})
    result = decide("outage", {"a": CONFIGS[2]}, decided, made, policy, stored={"a": CONFIGS[2]})
    assert result.routes["a"].config == CONFIGS[2]


def test_a_kept_edit_is_told_with_its_author_and_day():
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    notes = decide("outage", {"a": CONFIGS[0]}, {}, made, Policy(), stored={"a": CONFIGS[0]}).notes
    assert [str(note) for note in notes] == [
        "outage/a: run-time edit of 2026-11-22 14:03 UTC by alice (revision 1) kept; "
        "what is shown as changed here is already live"
    ]


def test_a_conflict_names_both_sides_and_the_ways_out():
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    (problem,) = decide("outage", {"a": CONFIGS[2]}, {}, made, Policy(), stored={"a": CONFIGS[0]}).conflicts
    assert problem.path == "outage/a"
    assert "alice" in problem.what
    assert '"t2"' in problem.got
    assert '"t1"' in problem.got
    for way in ("python -m signalbox pull", "signalbox:conflicts", "definitions", "store"):
        assert way in problem.fix


def test_an_author_cannot_write_on_the_reviewers_terminal():
    words = RouteEdit(None, "", 1, AT, "eve\x1b[2J\nfake line").words
    assert "\x1b" not in words
    assert "\n" not in words


@pytest.mark.parametrize(("choice", "outcome"), [("fail", None), ("definitions", {}), ("store", None)])
def test_edits_of_an_event_that_is_gone_are_in_conflict_and_cannot_be_kept(choice, outcome):
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    result = decide("outage", None, {}, made, Policy(choice), stored={"a": CONFIGS[0]})
    assert bool(result.conflicts) == (outcome is None)
    assert effective_config(result.routes) == {}


def test_an_edit_whose_target_is_gone_from_the_definitions_stops_the_deploy():
    made = override(a=edit(CONFIGS[1], CONFIGS[0]))
    known = frozenset({("topic", "t0")})
    result = decide("outage", {"a": CONFIGS[0]}, {}, made, Policy(), stored={"a": CONFIGS[0]}, targets=known)
    assert [problem.code for problem in result.conflicts] == ["conflict-target-gone"]
    given_up = decide(
        "outage", {"a": CONFIGS[0]}, {}, made, Policy("definitions"), stored={"a": CONFIGS[0]}, targets=known
    )
    assert given_up.routes["a"].config == CONFIGS[0]
    kept = decide("outage", {"a": CONFIGS[0]}, {}, made, Policy("store"), stored={"a": CONFIGS[0]}, targets=known)
    assert kept.conflicts


def test_a_deploy_that_needs_more_than_five_targets_on_the_way_is_refused():
    five = {"targets": [{"topic": f"n{n}"} for n in range(5)]}
    planned = plan({"outage": event({"a": five})}, snapshot({"a": CONFIGS[0]}, Override("outage")), Policy())
    assert [problem.code for problem in planned.problems] == ["too-many-at-once"]


def test_routes_made_at_run_time_count_towards_the_quota():
    made = override(b=edit(CONFIGS[1], None))
    events, store = {"outage": event({"a": CONFIGS[0]})}, snapshot({"a": CONFIGS[0]}, made)
    assert [problem.code for problem in plan(events, store, Policy(), rules_quota=2).problems] == ["rules-quota"]
    assert not plan(events, store, Policy(), rules_quota=3).problems  # two routes, and the archive's own rule


def test_a_released_bus_is_not_deployed_to():
    store = StoreSnapshot(control={RELEASE: control_item(RELEASE, at=AT, by="op")})
    assert [problem.code for problem in plan({}, store, Policy()).problems] == ["released"]


def test_a_first_deploy_declares_the_definitions():
    planned = plan({"outage": event({"a": CONFIGS[0]})}, StoreSnapshot(), Policy())
    assert not planned.problems
    assert not planned.notes
    assert {name: route.config() for name, route in planned.events["outage"].routes.items()} == {"a": CONFIGS[0]}


def test_a_choice_left_behind_in_the_config_is_told():
    planned = plan({"outage": event({"a": CONFIGS[0]})}, StoreSnapshot(), Policy("fail", {"outage/a": "store"}))
    assert [(note.route, note.severity) for note in planned.notes] == [("outage/a", "warning")]


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        (None, Policy()),
        ({"default": "store"}, Policy("store")),
        ({"outage/a": "definitions"}, Policy("fail", {"outage/a": "definitions"})),
        ({"default": "store", "outage/a": "fail"}, Policy("store", {"outage/a": "fail"})),
    ],
)
def test_forms_of_the_conflicts_choice(value, policy):
    assert policy_of(value) == (policy, [])


@pytest.mark.parametrize("value", ["store", 3, ["store"], {"outage": "store"}, {"outage/a": None}, {"a/b/c": "fail"}])
def test_other_forms_of_the_conflicts_choice_are_refused(value):
    _, problems = policy_of(value)
    assert problems


@given(overrides)
def test_an_override_survives_its_item(made):
    assert override_from_item("outage", made.item()) == made


@pytest.mark.parametrize("routes", ["{", '{"a": 1}', '{"a": {"config": null}}', json.dumps({"a": {"x": 1}})])
def test_a_malformed_item_raises_what_is_documented(routes):
    item = {**Override("outage", 1, AT, "x").item(), "Routes": routes}
    with pytest.raises((KeyError, TypeError, ValueError)):
        override_from_item("outage", item)
