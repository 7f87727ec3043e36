"""What a function.yaml may say: each form that AWS takes is taken. What is refused is in tests/definitions/bad."""

from pathlib import Path

import pytest

from signalbox.definitions.functions import read_functions
from signalbox.definitions.placeholders import filled
from signalbox.definitions.places import Document
from signalbox.definitions.schedules import schedule_fault
from signalbox.definitions.statements import OPERATORS, check_statement
from signalbox.definitions.whole import Stack


@pytest.mark.parametrize(
    "expression",
    [
        *("rate(1 minute)", "rate(1 hour)", "rate(1 day)", "rate(5 minutes)", "rate(12 hours)", "rate(7 days)"),
        # AWS's own examples, and each wildcard in each field that has it.
        *("cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)", "cron(0 8 1 * ? *)"),
        *("cron(0/15 * * * ? *)", "cron(0/10 * ? * MON-FRI *)", "cron(0/5 8-17 ? * MON-FRI *)"),
        *("cron(0,30 0 ? * 2-6 2026-2199)", "cron(*/5 6 ? JAN,MAR,6-9/2 SUN,3 *)", "cron(0 9 ? * 2#1 *)"),
        *("cron(0 9 ? * TUE#5 1970/2)", "cron(0 0 L * ? *)", "cron(0 0 3W * ? *)", "cron(0 0 LW * ? *)"),
        *("cron(0 0 ? * L *)", "cron(0 0 ? * 6L *)", "cron(0 0 1,15,L DEC ? *)", "cron(59 23 31 12 ? 2199)"),
    ],
)
def test_schedules_that_eventbridge_takes_are_taken(expression: str) -> None:
    assert schedule_fault(expression) == ""


@pytest.mark.parametrize("form", ["{}", "{}IfExists", "ForAllValues:{}", "ForAnyValue:{}", "ForAnyValue:{}IfExists"])
def test_condition_operators_that_iam_knows_are_taken(form: str) -> None:
    conditions = {form.format(each): {"aws:x": "y"} for each in OPERATORS if each != "Null"}
    assert list(check_statement(Document({"resources": ["*"], "conditions": conditions}))) == []


def test_placeholders_are_filled_as_the_stack_will_fill_them() -> None:
    stack = Stack(own_bus="park-dev", account="123456789012", region="us-gov-east-1")
    assert filled("${store.arn}!", stack) == (
        "arn:aws-us-gov:dynamodb:us-gov-east-1:123456789012:table/park-dev-store!"
    )
    assert len(filled("${store.arn}!", Stack())) < len(filled("${store.arn}!", stack))


@pytest.mark.parametrize(
    "module",
    [
        "from elsewhere import *",
        "handle = print",
        "(a, handle) = f()",
        "def make():\n    global handle\n    def handle(event, context): ...\nmake()",
        "globals()['handle'] = print",
        "vars().update(handle=print)",
        "import sys\nsetattr(sys.modules[__name__], 'handle', print)",
        "exec('handle = print')",
        "def __getattr__(name): return print",
        "match f():\n    case [a, handle]: pass",
    ],
)
def test_a_handler_that_may_have_its_function_is_taken(module: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "function.yaml").write_text("target: true\nenvironment: {TZ: Europe/Zurich}\n")
    (tmp_path / "work" / "handler.py").write_text(module)
    _, _, problems = read_functions(tmp_path, Stack())
    assert problems == []


@pytest.mark.parametrize("resource", ["*", "arn:aws:sqs", "arn:aws:s3:*", "arn:aws:s3:::b/*", "${store.arn}/*"])
def test_resources_that_iam_takes_are_taken(resource: str) -> None:
    assert list(check_statement(Document({"resources": [resource]}))) == []
