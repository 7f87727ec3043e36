"""functions/<name>/function.yaml: how each processing function is made."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath

from signalbox.definitions.files import entries
from signalbox.definitions.meta import form_problems, well_formed
from signalbox.definitions.placeholders import filled, placeholder_problems
from signalbox.definitions.places import Document
from signalbox.definitions.schedules import schedule_fault
from signalbox.definitions.statements import check_statement
from signalbox.definitions.whole import Stack
from signalbox.definitions.yaml12 import read_file
from signalbox.model import Function, JsonObject, Statement
from signalbox.problems import DefinitionError, Problem

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_RESERVED = frozenset(("_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"))
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: those that Lambda sets; AWS_* by the schema.
_ENVIRONMENT_BYTES = 4096


def read_functions(folder: FilePath, stack: Stack) -> tuple[dict[str, Function], dict[str, Document], list[Problem]]:
    """The functions under `folder` by name, where each is defined, and what is wrong with them on `stack`."""
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
        form = form_problems(document, "function")
        found = [problem for _, problem in form]
        if not _NAME.fullmatch(path.name):
            found.append(
                document.problem(
                    "function-name", "this is no function name", got=path.name, allowed="letters, digits, _ and -"
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
        elif _lacks_handle(handler):
            found.append(
                Problem(
                    code="function-handler",
                    what="the module has no function `handle`, which Lambda calls",
                    file=str(handler),
                    fix="name it so: `def handle(event, context)`",
                )
            )
        if isinstance(document.value, dict):
            usable = well_formed(document, form)
            found += _problems(usable, stack) if usable.value is not None else ()
            documents[path.name] = document
            if not form:
                functions[path.name] = _function(path.name, document.value)
        problems += found
    return functions, documents, problems


def _lacks_handle(handler: FilePath) -> bool:
    """Is it certain that the module at `handler` has no name `handle`? Not if it is Python that cannot be read here."""
    try:
        waiting: list[ast.AST] = [ast.parse(handler.read_bytes())]
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(id="handle", ctx=ast.Store()) | ast.MatchAs(name="handle") | ast.MatchStar(name="handle"):
                return False
            case ast.Name(id="globals" | "vars" | "setattr" | "exec"):
                return False  # it may come by that way
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                if any((each.asname or each.name) in ("handle", "*") for each in names):
                    return False
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name in ("handle", "__getattr__") or any(map(_makes_handle, ast.walk(node))):
                    return False
                continue  # names inside are not the module's
        waiting.extend(ast.iter_child_nodes(node))
    return True


def _makes_handle(node: ast.AST) -> bool:
    return isinstance(node, ast.Global) and "handle" in node.names


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


def _problems(document: Document, stack: Stack) -> Iterator[Problem]:
    """What is wrong with a function beside the form of its file, as far as that is right."""
    value = document.value
    if "${" in value.get("description", ""):
        yield document.problem(
            "function-placeholder",
            "a description is shown as it is written: it has no placeholders",
            ("description",),
            got=value["description"],
            fix="write it out",
        )
    yield from _environment_problems(document, value.get("environment", {}), stack)
    for key in ("environment", "statements"):
        if key in value:
            yield from placeholder_problems(document, value[key], (key,))
    for index, statement in enumerate(value.get("statements", ())):
        if statement is not None:
            yield from check_statement(document.part("statements", index))
    yield from _trigger_problems(document, value.get("triggers", ()))


def _environment_problems(document: Document, environment: dict[str, str], stack: Stack) -> Iterator[Problem]:
    for name in _RESERVED & environment.keys():
        yield document.problem("function-environment", f"{name} is Lambda's own", ("environment", name))
    size = sum(len(f"{name}{filled(text, stack)}".encode()) for name, text in environment.items())
    if size > _ENVIRONMENT_BYTES:
        yield document.problem(
            "function-environment",
            "the environment is too big",
            ("environment",),
            got=f"{size} bytes, placeholders filled in",
            allowed=f"{_ENVIRONMENT_BYTES} bytes",
        )


def _trigger_problems(document: Document, triggers: Iterable[JsonObject | None]) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, trigger in enumerate(triggers):
        for kind in ("topic", "queue", "stream", "schedule"):
            if trigger is None or kind not in trigger:
                continue
            named = trigger[kind]
            if kind == "schedule" and (fault := schedule_fault(named)):
                yield document.problem(
                    "function-schedule",
                    f"EventBridge refuses this schedule: {fault}",
                    ("triggers", index, kind),
                    got=named,
                    allowed="rate(1 minute), rate(5 minutes), cron(0 6 * * ? *)",
                )
            if (kind, named) in seen:
                yield document.problem(
                    "function-trigger-twice",
                    f"this {kind} starts the function already",
                    ("triggers", index),
                    got=named,
                    fix="name all partitions in one of them" if kind == "stream" else "remove one",
                )
            seen.add((kind, named))
