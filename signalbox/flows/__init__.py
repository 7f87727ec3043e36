"""Flows: named pipelines of steps that routes send events to, compiled to state machines of Step Functions.

    read_flow(id, document, registry, events)   the Flow of a definition or a request body, and every problem
    check_flow(flow, document, …)               the problems of one whose form is checked
    compile_flow(flow, names, events)           its state machine in Amazon States Language (JSONata);
                                                definition(machine) is the text that Step Functions is given
    statements(flow, names, events)             what its role may do; shared_statements: the role of run-time flows
    machine_type(flow)                          STANDARD, or EXPRESS where repeats do no harm
    draw(flow)                                  a Mermaid flowchart
    LOG_LEVEL                                   what state machines log
    silent_ends(names)                          the pattern of a rule for runs that nothing inside them could report

Nothing here does I/O, and nothing imports an AWS SDK. `Names` says how things are called on AWS.
"""

from signalbox.flows.checks import check_flow, read_flow
from signalbox.flows.compiler import compile_flow, definition
from signalbox.flows.drawing import draw
from signalbox.flows.model import Flow, flow_of, machine_type
from signalbox.flows.names import EXAMPLE, Names
from signalbox.flows.permissions import shared_statements, statements
from signalbox.flows.watch import LOG_LEVEL, silent_ends

__all__ = [
    "EXAMPLE",
    "LOG_LEVEL",
    "Flow",
    "Names",
    "check_flow",
    "compile_flow",
    "definition",
    "draw",
    "flow_of",
    "machine_type",
    "read_flow",
    "shared_statements",
    "silent_ends",
    "statements",
]
