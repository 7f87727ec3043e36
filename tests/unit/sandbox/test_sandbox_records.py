"""What the sandbox shows is what its records and queues say."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from sandbox.emulator import Emulator
from sandbox.received import Received, _records
from sandbox.report import show

DELIVERY = {
    "kind": "delivery",
    "status": "delivered",
    "rule": "outage.call",
    "target": "sms",
    "arn": "arn:aws:sns:eu-west-1:1:sms",
    "event": "1",
    "input": "{}",
}


def shown(*records: Mapping[str, Any], **queues: Any) -> str:
    text = io.StringIO()
    show(Received(records, {}, queues), Console(file=text, width=200))
    return text.getvalue()


def test_a_record_that_is_half_written_is_left_for_later(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path)
    emulator.records.write_text(json.dumps({"at": 1, "kind": "event"}) + '\n{"at": 2, "ki')
    assert list(_records(emulator)) == [{"at": 1, "kind": "event"}]


def test_an_emulator_that_never_ran_has_no_records(tmp_path: Path) -> None:
    assert list(_records(Emulator(tmp_path / "none"))) == []


def test_nothing_received_is_said() -> None:
    assert "Nothing was received" in shown()


def test_only_what_was_delivered_counts_as_received() -> None:
    retried = {**DELIVERY, "status": "retry"}
    assert "outage/call   topic sms        1" in shown(DELIVERY, retried)


def test_a_target_of_the_router_stands_for_the_functions_that_it_names() -> None:
    given = json.dumps({"route": "outage/call", "targets": [{"function": "tell"}], "event": {}})
    routed = {**DELIVERY, "target": "router", "arn": "arn:aws:lambda:eu-west-1:1:function:n-router", "input": given}
    call = {"kind": "function", "function": "n-tell", "event": {"id": "1"}, "result": "told"}
    assert 'function tell        1   "told"' in shown(routed, call)
    assert "function tell        1   not called" in shown(routed)


def test_what_came_of_a_flow_is_shown_for_the_route_and_for_the_state_machine() -> None:
    given = json.dumps({"route": "outage/count", "targets": [{"flow": "sum"}], "event": {}})
    routed = {**DELIVERY, "target": "router", "arn": "arn:aws:lambda:eu-west-1:1:function:n-router", "input": given}
    run = {"kind": "run", "machine": "n-sum", "input": {"id": "1"}, "status": "SUCCEEDED", "output": '{"open": 3}'}
    failed = {**run, "input": {"id": "2"}, "status": "FAILED", "error": "E", "cause": "why"}
    del failed["output"]
    assert 'flow sum        1   {"open": 3}' in shown(routed, run, failed)
    assert "n-sum              2        1   E: why" in shown(routed, run, failed)
    assert "flow sum        1   no run has ended" in shown(routed, failed)
    assert "n-sum              1        1   ABORTED" in shown(
        {**failed, "status": "ABORTED", "error": "", "cause": None}
    )


def test_lost_events_and_missing_permissions_are_shown_with_their_reason() -> None:
    lost = {**DELIVERY, "status": "lost", "error": "no policy"}
    denied = {"kind": "denied", "who": "f", "action": "logs:PutLogEvents", "resource": "arn:x"}
    text = shown(lost, denied, denied)
    assert "outage.call → sms" in text
    assert "no policy" in text
    assert "denied 2×" in text


def test_each_shape_of_dead_letter_says_why_it_is_there() -> None:
    of_rule = {"body": {}, "attributes": {"ERROR_CODE": "NO_PERMISSIONS", "TARGET_ARN": "arn:t"}}
    context = {"condition": "RetriesExhausted", "functionArn": "arn:aws:lambda:eu-west-1:1:function:f:$LATEST"}
    of_function = {"body": {"requestContext": context}, "attributes": {}}
    of_ours = {"body": {}, "attributes": {"reason": "invalid"}}
    ended = {"status": "TIMED_OUT", "stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:m"}
    of_silence = {"body": {"source": "aws.states", "detail": ended}, "attributes": {}}
    text = shown(undelivered=[of_rule, of_function, of_ours, of_silence])
    assert "1× NO_PERMISSIONS (arn:t), 1× RetriesExhausted (f), 1× invalid, 1× TIMED_OUT (m)" in text
