"""The reconciler's run in a deploy: between what the deploy writes into the store and the first rule."""

import json
import runpy
from pathlib import Path

import pytest

import signalbox.packaging
from tests.unit.components.engine import Declared, declare

ROOT = Path(__file__).parents[3]


def program(mappings: str = "mappings") -> Declared:
    config = {"store": "offline", "name": "park-dev", "mappings": mappings}
    return declare(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=config, preview=True)


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    layer = tmp_path / "layer.zip"
    layer.write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setattr(signalbox.packaging, "layer_zip", lambda *_: layer)


def test_it_comes_after_every_event_item_and_before_every_rule_of_the_bus():
    found = program()
    run = found.the("Invocation")
    items = {each.name for each in found.of("TableItem") if json.loads(each.inputs["item"])["PK"] == {"S": "events"}}
    assert items and items <= set(run.depends_on)
    rules = [each for each in found.of("EventRule") if each.inputs.get("eventBusName") == "park-dev"]
    assert rules
    assert all(run.name in rule.depends_on for rule in rules)


def test_it_is_made_anew_exactly_when_the_definitions_change(tmp_path: Path):
    (tmp_path / "events").mkdir()
    (tmp_path / "destinations.yaml").write_text("one: {kind: topic}\n")
    event = tmp_path / "events" / "e.yaml"
    text = "source: s\ndetail-type: d\nschema: {type: object}\nroutes:\n  r: {targets: [{topic: one}]}\n"
    event.write_text(text)
    first = program(str(tmp_path)).the("Invocation").inputs["input"]
    event.write_text(f"# a comment\n{text}")
    assert program(str(tmp_path)).the("Invocation").inputs["input"] == first
    event.write_text(text.replace("r:", "q:"))
    assert program(str(tmp_path)).the("Invocation").inputs["input"] != first
