"""The states that steps become: small pieces of Amazon States Language (JSONata), put together by `compiler`.

https://states-language.net/spec.html and https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

import re
from collections.abc import Mapping
from typing import Any

from signalbox.flows.expressions import bind

State = dict[str, Any]

EVENT = "$states.context.Execution.Input"
"""The event that the flow runs for: the input of the execution."""
RUN = "$states.context.Execution.Id"
INPUT = "$states.input"

CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
NOT_EVALUATED = "States.QueryEvaluationError"

DAY = 86_400


def jsonata(expression: str) -> str:
    """`expression` as the value of a field."""
    return f"{{% {expression} %}}"


def author(expression: str, subject: str = INPUT, **more: str) -> str:
    """An expression of a flow's author as JSONata for a state: with `$input`, `$event` and the variables `more`."""
    values = {"input": subject, "event": EVENT, **more}
    if (path := _PATH.fullmatch(expression.strip())) is not None and path[1] in values and _PLAIN.fullmatch(subject):
        return values[path[1]] + path[2]
    return bind(expression, values)


_PATH = re.compile(r"\$([A-Za-z]\w*)((?:\.[A-Za-z_]\w*)*)", re.ASCII)
_PLAIN = re.compile(r"[\w$.]+", re.ASCII)


def goes(to: str | None) -> State:
    """The fields that say what comes next; None: nothing does."""
    return {"Next": to} if to is not None else {"End": True}


def service_retry(*never: str) -> list[State]:
    """Calls of AWS services are tried again for about two minutes; what `never` names is no passing trouble."""
    return [
        {"ErrorEquals": [*never, NOT_EVALUATED], "MaxAttempts": 0},
        {
            "ErrorEquals": ["States.TaskFailed", "States.Timeout"],
            "IntervalSeconds": 1,
            "MaxAttempts": 7,
            "BackoffRate": 2.0,
            "JitterStrategy": "FULL",
        },
    ]


def caught(step: str, to: str) -> State:
    """A catcher that notes at which step a task failed, in the words in which Step Functions tells it of other states.

    An error from inside a split has been noted there.
    """
    cause = "$states.errorOutput.Cause"
    said = f'$contains({cause}, "{_AT}") ? {cause} : "An error occurred while {_AT}{step}\': " & {cause}'
    output = {"error": jsonata("$states.errorOutput.Error"), "cause": jsonata(f"$substring({said}, 0, 8000)")}
    return {"ErrorEquals": ["States.ALL"], "Output": output, "Next": to}


_AT = "executing the state '"


def failure() -> State:
    """Ends a list of steps with the error that `caught` noted."""
    return {"Type": "Fail", "Error": jsonata("$states.input.error"), "Cause": jsonata("$states.input.cause")}


def error_of(source: str = "$states.errorOutput") -> str:
    """What is known of an error, as an object {step, name, cause}; Step Functions tells the step in its text only."""
    return (
        f'($cause := $exists({source}.Cause) ? {source}.Cause : ""; '
        f"$step := $match($cause, /{_AT}([^' ]*)/)[0].groups[0]; "
        f'{{"step": $exists($step) ? $step : "", "name": {source}.Error, "cause": $substring($cause, 0, 8000)}})'
    )


def unwrapped(wrapped: str, field: str = "value") -> str:
    """The list of what is under `field` in each object of the list `wrapped`.

    JSONata makes one value of a list of one, and one list of a list of a list: this does neither.
    """
    only = f"$all[0].{field}"
    return (
        f"($all := [{wrapped}]; $count($all) > 1 ? $map($all, function($one) {{ $one.{field} }}) : "
        f'$count($all) = 0 ? [] : $type({only}) = "array" ? [[{only}]] : [{only}])'
    )


def number(expression: str) -> Mapping[str, str]:
    """A DynamoDB number."""
    return {"N": jsonata(f"$string({expression})")}


def in_seconds(seconds: int) -> Mapping[str, str]:
    """The DynamoDB number of the epoch second `seconds` from now."""
    return number(f"$floor($millis() / 1000) + {seconds}")


def size_of(text: str) -> str:
    """At least the bytes of a text: each character that takes more than one counts as four."""
    return f'$length($replace({text}, /[^\\x00-\\x7f]/, "...."))'
