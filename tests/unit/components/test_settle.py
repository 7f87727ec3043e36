"""The reconciler's run in a deploy that overrules run-time edits: after the items, before the first rule."""

import json
import runpy
from pathlib import Path

import pytest

import signalbox.packaging
from components import inputs
from signalbox.effective import Override, RouteEdit
from signalbox.model import Event, route_from_config
from signalbox.store import StoreSnapshot, event_item
from tests.unit.components.engine import Declared, declare

ROOT = Path(__file__).parents[3]
EDITED = {"pattern": {"type": ["Info"]}, "targets": [{"topic": "one"}]}


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layer = tmp_path / "layer.zip"
    layer.write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setattr(signalbox.packaging, "layer_zip", lambda *_: layer)


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "destinations.yaml").write_text("one: {kind: topic}\ntwo: {kind: topic}\n")
    declare_target(tmp_path, "one")
    return tmp_path


def declare_target(mappings: Path, *targets: str) -> None:
    names = ", ".join(f"{{topic: {name}}}" for name in targets)
    schema = "{type: object, properties: {type: {type: string}}}"
    text = f"source: s\ndetail-type: d\nschema: {schema}\nroutes:\n  r: {{targets: [{names}]}}\n"
    (mappings / "events" / "e.yaml").write_text(text)


def store(*, edited: bool) -> StoreSnapshot:
    """An event that sent to `one`, and an edit of its route."""
    schema = {"type": "object", "properties": {"type": {"type": "string"}}}
    route = route_from_config("e", "r", {"targets": [{"topic": "one"}]})
    event = Event("e", ("s",), ("d",), schema, {"r": route})
    edit = RouteEdit(EDITED, "0" * 16, 1, "2026-11-22T14:03:00Z", "alice")
    overrides = {"e": Override("e", 1, edit.at, edit.by, {"r": edit}).item()} if edited else {}
    return StoreSnapshot(events={"e": event_item(event)}, overrides=overrides)


def program(mappings: Path, monkeypatch: pytest.MonkeyPatch, snapshot: StoreSnapshot, conflicts: str) -> Declared:
    monkeypatch.setattr(inputs, "_read_live", lambda *_: (snapshot, []))
    config = {"name": "park-dev", "mappings": str(mappings), "conflicts": json.dumps({"default": conflicts})}
    return declare(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=config, preview=True)


def test_where_an_edit_is_overruled_it_comes_after_every_event_item_and_before_every_rule(mappings, monkeypatch):
    declare_target(mappings, "one", "two")
    found = program(mappings, monkeypatch, store(edited=True), "definitions")
    run = found.the("Invocation")
    items = {each.name for each in found.of("TableItem") if json.loads(each.inputs["item"])["PK"] == {"S": "events"}}
    assert items and items <= set(run.depends_on)
    rules = [each for each in found.of("EventRule") if each.inputs.get("eventBusName") == "park-dev"]
    assert rules
    assert all(run.name in rule.depends_on for rule in rules)


def test_where_no_edit_is_overruled_there_is_none(mappings, monkeypatch):
    declare_target(mappings, "one", "two")
    assert program(mappings, monkeypatch, store(edited=False), "definitions").of("Invocation") == []
    assert program(mappings, monkeypatch, store(edited=True), "store").of("Invocation") == []


def test_it_is_made_anew_exactly_when_what_takes_the_edits_place_changes(mappings, monkeypatch):
    declare_target(mappings, "one", "two")

    def given() -> str:
        return program(mappings, monkeypatch, store(edited=True), "definitions").the("Invocation").inputs["input"]

    first = given()
    (mappings / "destinations.yaml").write_text("one: {kind: topic}\ntwo: {kind: topic}\nthree: {kind: queue}\n")
    assert given() == first
    declare_target(mappings, "two")
    assert given() != first
