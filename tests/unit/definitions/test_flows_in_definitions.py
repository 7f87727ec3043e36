"""Flows among the other definitions: their limits, and names that were taken at run time."""

from pathlib import Path

import pytest
import yaml

from signalbox.definitions import read
from signalbox.definitions.budget import budget, budget_problems
from signalbox.model import Definitions, Destination, Event, Function
from signalbox.registry import taken_names, targets_of
from signalbox.store import ORIGIN_API, ORIGIN_DEFINITIONS, flow_item
from tests.cpu import within

PLAIN = {"steps": [{"name": "a", "transform": "$input"}]}
DEFINED = Definitions(
    {}, {"mail": Destination("mail", "topic")}, {"work": Function("work", target=True)}, {"sums": PLAIN, "own": PLAIN}
)


def stored(**origins: str):
    return {name: flow_item(name, PLAIN, origin) for name, origin in origins.items()}


def test_a_name_that_a_flow_got_at_run_time_is_not_given_away() -> None:
    flows = stored(sums=ORIGIN_API, own=ORIGIN_DEFINITIONS, mail=ORIGIN_API, work=ORIGIN_API, other=ORIGIN_API)
    problems = {problem.path: problem for problem in taken_names(DEFINED, flows)}
    assert list(problems) == ["flow mail", "flow sums", "flow work"]
    assert all(problem.severity == "error" for problem in problems.values())
    assert "definitions have a topic mail" in problems["flow mail"].what
    assert "rename mappings/flows/sums.yaml" in problems["flow sums"].fix
    assert "DELETE /flow/sums" in problems["flow sums"].fix


def test_edits_may_name_flows_of_the_definitions_and_those_made_at_run_time_and_none_that_are_gone() -> None:
    flows = stored(made=ORIGIN_API, gone=ORIGIN_DEFINITIONS)
    assert {name for kind, name in targets_of(DEFINED, flows) if kind == "flow"} == {"sums", "own", "made"}
    assert ("topic", "mail") in targets_of(DEFINED, flows)


@pytest.mark.parametrize(("emitted", "severity"), [(5, None), (34, "warning"), (60, "error")])
def test_the_policy_of_a_flows_role_is_bounded(emitted: int, severity: str | None) -> None:
    events = {f"e{n}": Event(f"e{n}", ("park",), (f"kind{n}",), {}) for n in range(emitted)}
    flow = {"steps": [{"name": f"s{n}", "emit": f"e{n}"} for n in range(emitted)]}
    found = [p for p in budget_problems(budget(Definitions(events, {}, {}, {"f": flow}))) if "policy" in p.what]
    assert [problem.severity for problem in found] == ([severity] if severity else [])
    assert all("(flow f)" in problem.got and "make two flows" in problem.fix for problem in found)


def test_the_role_of_flows_made_at_run_time_counts_the_functions_that_it_may_call() -> None:
    functions = {f"function-{n}": Function(f"function-{n}", target=True, runtime=n < 110) for n in range(130)}
    (use,) = [each for each in budget(Definitions({}, {}, functions)) if each.what == "policy of a role"]
    fewer = Definitions({}, {}, dict(list(functions.items())[:20]))
    (small,) = [each for each in budget(fewer) if each.what == "policy of a role"]
    assert use.share > 1 > small.share


def test_a_flow_must_fit_an_item_of_the_store(tmp_path: Path) -> None:
    for folder in ("mappings/events", "mappings/flows", "functions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mappings" / "events" / "e.yaml").write_text(
        "source: s\ndetail-type: d\nschema: {}\nroutes: {r: {targets: [{flow: f}]}}\n"
    )

    def found(steps: int) -> list[str]:
        text = {"steps": [{"name": f"s{n}", "transform": f'"{"x" * 4000}"'} for n in range(steps)]}
        (tmp_path / "mappings" / "flows" / "f.yaml").write_text(yaml.safe_dump(text))
        problems = read(tmp_path / "mappings", tmp_path / "functions")[1]
        return [problem.code for problem in problems if problem.severity == "error"]

    assert found(99) == []
    with_catch = {"steps": [{"name": f"s{n}", "transform": f'"{"x" * 4000}"'} for n in range(99)]}
    with_catch["catch"] = [{"name": f"c{n}", "transform": f'"{"x" * 4000}"'} for n in range(6)]
    (tmp_path / "mappings" / "flows" / "f.yaml").write_text(yaml.safe_dump(with_catch))
    _, problems = read(tmp_path / "mappings", tmp_path / "functions")
    assert "item-too-large" in [problem.code for problem in problems]


def test_100_flows_of_20_steps_are_read_and_checked_within_seconds(tmp_path: Path) -> None:
    for folder in ("mappings/events", "mappings/flows", "functions"):
        (tmp_path / folder).mkdir(parents=True)
    routes = {f"r{n}": {"targets": [{"flow": f"f{n}"}], "pattern": {"n": [n]}} for n in range(100)}
    event = {"source": "s", "detail-type": "d", "schema": {"type": "object"}, "routes": routes}
    (tmp_path / "mappings" / "events" / "e.yaml").write_text(yaml.safe_dump(event))
    steps = [{"name": f"s{n}", "transform": f'{{"n": {n}, "of": $event.detail}}'} for n in range(20)]
    for n in range(100):
        flow = {"input": "e", "steps": [{"name": "n", "filter": {"detail": {"n": [n]}}}, *steps[1:]]}
        (tmp_path / "mappings" / "flows" / f"f{n}.yaml").write_text(yaml.safe_dump(flow))
    definitions, problems = within(4, lambda: read(tmp_path / "mappings", tmp_path / "functions"))
    assert problems == []
    assert definitions is not None
    assert len(definitions.flows) == 100
