"""A flow as a picture: a Mermaid flowchart, as GitHub and many editors show it. https://mermaid.js.org"""

from collections.abc import Sequence

from signalbox.canonical import canonical
from signalbox.flows.model import (
    Aggregate,
    AnyStep,
    Branch,
    Call,
    Choose,
    Count,
    Emit,
    Filter,
    Flow,
    Split,
    Transform,
    Wait,
)

_SHOWN = 40
_INDENT = "    "


def draw(flow: Flow) -> str:
    """The Mermaid text of `flow`: a node a step, a frame a split."""
    lines = ["flowchart TD", f'{_INDENT}start(["{_text(flow.input or "event")}"])']
    drawing = _Drawing(flow)
    ends = drawing.steps(flow.steps, [("start", "")], 1)
    lines += drawing.lines
    if ends:
        lines.append(f'{_INDENT}done(["end"])')
        lines += (_arrow(end, "done") for end in ends)
    failing = _Drawing(flow)
    lines.append(f'{_INDENT}failure(["a step fails"])')
    ends = failing.steps(flow.catch, [("failure", "")], 1)
    lines += failing.lines
    lines.append(f'{_INDENT}undelivered[/"undelivered"/]')
    lines += (_arrow(end, "undelivered") for end in ([("failure", "")] if not flow.catch else []))
    if flow.catch:
        lines.append(f"{_INDENT}failure -. fails again .-> undelivered")
    return "\n".join(lines) + "\n"


_End = tuple[str, str]
"""A node that is left, and what is written at the arrow."""


class _Drawing:
    def __init__(self, flow: Flow) -> None:
        self.lines: list[str] = []
        # Numbers, because names may hold what Mermaid reads as something else.
        self.nodes = {step.name: f"s{number}" for number, step in enumerate(flow.walk(), 1)}

    def steps(self, steps: Sequence[AnyStep], ends: list[_End], depth: int) -> list[_End]:
        for step in steps:
            ends = self._step(step, ends, depth)
        return ends

    def _step(self, step: AnyStep, ends: list[_End], depth: int) -> list[_End]:
        node, indent = self.nodes[step.name], _INDENT * depth
        match step:
            case Split():
                self.lines.append(
                    f'{indent}subgraph {node}["{_text(f"{step.name}: for each of {_short(step.items)}")}"]'
                )
                self.steps(step.steps, [], depth + 1)
                self.lines.append(f"{indent}end")
                self.lines += (_arrow(end, node) for end in ends)
                if step.combine is None:
                    return [(node, "")]
                self.lines.append(f'{_INDENT}{node}combine["{_text(f"combine: {_short(step.combine)}")}"]')
                self.lines.append(_arrow((node, ""), f"{node}combine"))
                return [(f"{node}combine", "")]
            case Choose():
                self.lines.append(f'{indent}{node}{{"{_text(step.name)}"}}')
                self.lines += (_arrow(end, node) for end in ends)
                left: list[_End] = []
                for branch in step.branches:
                    left += self.steps(branch.steps, [(node, _test(branch))], depth)
                return left + self.steps(step.otherwise, [(node, "otherwise")], depth)
        self.lines.append(f"{indent}{node}{_shape(step)}")
        self.lines += (_arrow(end, node) for end in ends)
        return [(node, "matches" if isinstance(step, Filter) else "")]


def _shape(step: AnyStep) -> str:
    match step:
        case Filter():
            return f'{{{{"{_text(step.name)}"}}}}'
        case Transform():
            return f'["{_text(f"{step.name}: {_short(step.expression)}")}"]'
        case Call():
            return f'[["{_text(f"{step.name}: function {step.function}")}"]]'
        case Count():
            return f'[("{_text(f"{step.name}: {step.threshold} in {step.window} s")}")]'
        case Aggregate():
            return f'[("{_text(f"{step.name}: {step.count} or {step.window} s")}")]'
        case Wait():
            until = step.seconds if step.seconds is not None else _short(step.expression or step.until or "")
            return f'(["{_text(f"{step.name}: wait {until}")}"])'
        case Emit():
            return f'>"{_text(f"{step.name}: emit {step.event}")}"]'
    return f'["{_text(step.name)}"]'


def _test(branch: Branch) -> str:
    return _short(branch.condition) if branch.condition is not None else _short(canonical(branch.pattern))


def _arrow(end: _End, to: str) -> str:
    node, label = end
    return f'{_INDENT}{node} -- "{_text(label)}" --> {to}' if label else f"{_INDENT}{node} --> {to}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _text(text: str) -> str:
    """`text` inside quotes: Mermaid knows HTML's entities, written with #."""
    return "".join(_ENTITIES.get(character, character) for character in text)


_ENTITIES = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "#": "#35;", "`": "#96;"}
