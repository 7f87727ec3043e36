"""The picture of a flow has every step, and nothing that a name or an expression could break."""

from signalbox.flows import draw
from tests.unit.flows.flows_of import EVERY_KIND, flow


def test_every_step_is_drawn_once_and_joined() -> None:
    made = flow(*EVERY_KIND["steps"], **{key: value for key, value in EVERY_KIND.items() if key != "steps"})
    text = draw(made)
    for number, step in enumerate(made.walk(), 1):
        assert (
            sum(
                f"{step.name}" in line and line.split('"')[0].strip(" {[(>").endswith(f"s{number}")
                for line in text.splitlines()
            )
            == 1
        ), step.name
        assert f"--> s{number}" in text or "subgraph" in text


def test_a_branch_says_what_it_is_taken_for() -> None:
    text = draw(flow({"name": "c", "choose": [{"condition": "$input.n > 1", "steps": [{"name": "w", "wait": 1}]}]}))
    assert 's1 -- "$input.n #gt; 1" --> s2' in text
    assert 's1 -- "otherwise" --> done' in text


def test_texts_cannot_leave_their_quotes() -> None:
    text = draw(flow({"name": "t", "transform": '"]; click s1 \\"x\\" <b>#"'}))
    (line,) = [line for line in text.splitlines() if line.strip().startswith("s1[")]
    assert line.count('"') == 2
    assert "<" not in line


def test_drawing_is_deterministic() -> None:
    made = flow(*EVERY_KIND["steps"])
    assert draw(made) == draw(made)
