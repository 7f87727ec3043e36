"""What checking and compiling flows costs: `python -m benchmarks.flows [FLOWS] [STEPS]`.

Every flow differs from the others, and has steps of all kinds. Printed: seconds, and bytes of state machine.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from signalbox.definitions.places import Document
from signalbox.flows import EXAMPLE, compile_flow, definition, flow_of, read_flow
from signalbox.model import Event
from signalbox.problems import errors
from signalbox.registry import Entry, Registry

EVENTS = {
    "reading": Event("reading", ("plant",), ("reading",), {"properties": {"values": {"type": "array"}}}),
    "alarm": Event(
        "alarm",
        ("plant",),
        ("alarm",),
        {"type": "object", "required": ["level"], "properties": {"level": {"type": "number", "minimum": 0}}},
    ),
}
REGISTRY = Registry({"look-up": Entry("look-up", "function")})


def steps(number: int, count: int) -> Iterator[dict[str, Any]]:
    """`count` steps for the flow `number`, of each kind in turn."""
    made = 0
    while True:
        for step in (
            {"filter": {"detail": {"site": [f"site-{number}", {"prefix": "x"}], "level": [{"numeric": [">", made]}]}}},
            {"transform": f'$merge([$input, {{"flow": {number}, "step": {made}}}])'},
            {"function": "look-up"},
            {
                "split": f"$input.values[level > {number}]",
                "steps": [{"name": f"inner-{made}", "transform": "$input.a"}],
            },
            {"choose": [{"condition": f"$input.level > {number}", "steps": []}]},
            {"count": {"key": f"$event.detail.site & {number}", "threshold": 3, "window": 60}},
            {"emit": "alarm", "detail": f'{{"level": $count($input) + {number}}}'},
            {"wait": 1 + number},
        ):
            if made == count:
                return
            yield {"name": f"step-{made}", **step}
            made += 1


def main() -> None:
    """Print what `FLOWS` flows of `STEPS` steps cost."""
    flows, count = (int(each) for each in [*sys.argv[1:], "100", "20"][:2])
    bodies = {f"flow-{number}": {"steps": list(steps(number, count))} for number in range(flows)}
    start = time.perf_counter()
    machines = [definition(compile_flow(flow_of(name, body), EXAMPLE, EVENTS)) for name, body in bodies.items()]
    compiled = time.perf_counter() - start
    start = time.perf_counter()
    faults = [p for name, body in bodies.items() for p in errors(read_flow(name, Document(body), REGISTRY, EVENTS)[1])]
    checked = time.perf_counter() - start
    print(f"{flows} flows of {count} steps")
    print(f"compile: {compiled:.2f} s, {sum(map(len, machines)) / flows:,.0f} bytes each")
    print(f"check (compiles, too): {checked:.2f} s, {len(faults)} faults")
    for fault in faults[:3]:
        print(f"  {fault}")


if __name__ == "__main__":
    main()
