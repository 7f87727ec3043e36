"""functions/<name>/function.yaml: how each processing function is made."""

import re
from collections.abc import Iterator
from pathlib import Path as FilePath

from signalbox.definitions.files import entries
from signalbox.definitions.meta import check_form
from signalbox.definitions.places import Document
from signalbox.definitions.yaml12 import read_file
from signalbox.model import Function, JsonObject, Statement
from signalbox.problems import DefinitionError, Problem, did_you_mean, errors

PLACEHOLDERS = (
    "name",
    "region",
    "account",
    "partition",
    "bus.name",
    "bus.arn",
    "store.name",
    "store.arn",
    "state.name",
    "state.arn",
    "undelivered.url",
    "undelivered.arn",
    "retry.url",
    "retry.arn",
    "flows.role",
    "flows.logs",
)
"""What `${…}` may say in environment, resources and conditions: filled in by the program."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ROLES = frozenset(("feed", "flows"))
"""Of the stack's own roles those that are named like the role of a function."""
_RESERVED = frozenset(("_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "TZ"))
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: those that Lambda sets; AWS_* by the schema.
_ENVIRONMENT_BYTES = 4096


def read_functions(folder: FilePath) -> tuple[dict[str, Function], dict[str, Document], list[Problem]]:
    """The functions under `folder` by name, where each is defined, and what is wrong with them."""
    functions: dict[str, Function] = {}
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    for path in entries(folder, problems):
        if not path.is_dir() or path.name.startswith((".", "_")):
            continue
        file, handler = path / "function.yaml", path / "handler.py"
        if not file.exists():
            if handler.exists():
                problems.append(
                    Problem(
                        code="function-undefined",
                        what=f"the function {path.name} has no function.yaml",
                        file=str(file),
                        fix="add one; an empty file is enough",
                    )
                )
            continue
        try:
            document = read_file(file, empty={})
        except DefinitionError as error:
            problems += error.problems
            continue
        found = check_form(document, "function")
        if not _NAME.fullmatch(path.name):
            found.append(
                document.problem(
                    "function-name", "this is no function name", got=path.name, allowed="letters, digits, _ and -"
                )
            )
        if path.name in _ROLES:
            found.append(
                document.problem(
                    "function-name", f"the stack has a role {path.name} of its own", got=path.name, fix="rename it"
                )
            )
        if not handler.is_file():
            found.append(
                document.problem(
                    "function-handler",
                    "the function has no handler.py",
                    fix="add one with `def handle(event, context)`",
                )
            )
        if not errors(found):
            found += _problems(document)
        if isinstance(document.value, dict):
            documents[path.name] = document
            if not errors(check_form(document, "function")):
                functions[path.name] = _function(path.name, document.value)
        problems += found
    return functions, documents, problems


def _function(name: str, value: JsonObject) -> Function:
    events = value.get("events")
    return Function(
        name=name,
        description=value.get("description", ""),
        memory=int(value.get("memory", 256)),
        timeout=int(value.get("timeout", 30)),
        target=value.get("target", False),
        environment=value.get("environment", {}),
        statements=tuple(
            Statement(tuple(each["actions"]), tuple(each["resources"]), each.get("conditions", {}))
            for each in value.get("statements", ())
        ),
        triggers=tuple(value.get("triggers", ())),
        events=None if events is None else tuple(events),
        runtime=value.get("runtime", True),
        concurrency=None if (concurrency := value.get("concurrency")) is None else int(concurrency),
        widgets=tuple(value.get("widgets", ())),
    )


def _problems(document: Document) -> Iterator[Problem]:
    value = document.value
    environment = value.get("environment", {})
    for name in _RESERVED & environment.keys():
        yield document.problem("function-environment", f"{name} is Lambda's own", ("environment", name))
    if sum(len(f"{name}{text}".encode()) for name, text in environment.items()) > _ENVIRONMENT_BYTES:
        yield document.problem(
            "function-environment",
            "the environment is too big",
            ("environment",),
            allowed=f"{_ENVIRONMENT_BYTES} bytes",
        )
    for key in ("environment", "statements"):
        if key in value:
            yield from _placeholder_problems(document, value[key], (key,))


def _placeholder_problems(document: Document, value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _placeholder_problems(document, inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _placeholder_problems(document, inner, (*path, index))
    elif isinstance(value, str):
        for name, end in _PLACEHOLDER.findall(value):
            if name not in PLACEHOLDERS or not end:
                yield document.problem(
                    "function-placeholder",
                    "there is no such placeholder",
                    path,
                    got=f"${{{name}{end}",
                    allowed=", ".join(f"${{{each}}}" for each in PLACEHOLDERS),
                    fix=did_you_mean(name, PLACEHOLDERS),
                )
