"""What may be wrong with a routing config. The loader asks it of files, the API of bodies: the rules are the same.

Nothing here does I/O or reads YAML.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from signalbox import classic
from signalbox.canonical import canonical
from signalbox.definitions.fields import check_fields, check_path
from signalbox.definitions.matchers import changed_numbers, check_pattern
from signalbox.definitions.meta import Found, by_part, form_problems, shown, well_formed
from signalbox.definitions.places import Document, Path
from signalbox.definitions.sayable import check_sayable
from signalbox.definitions.transformers import check_transformer, is_json_path, template_values
from signalbox.model import ROUTER_KINDS, TARGET_KINDS, Event, Json, Route, route_from_config, target_from_config
from signalbox.problems import Problem, errors
from signalbox.registry import Registry

ROUTES_PER_EVENT = classic.RULES_PER_BUS * 4
"""Routes in one config: a bound on what a request may make us read, far above what a bus takes."""


def check_routing_config(event: Event, configs: Json, registry: Registry, *, runtime: bool) -> list[Problem]:
    """What is wrong with `configs`, route configs by name, as routes of `event`; empty: they may become rules.

    `runtime`: they come from a run-time edit, not from definitions. The event's own routes are not looked at.
    """
    document = Document(configs)
    if not isinstance(configs, Mapping):
        return [document.problem("form-type", "a routing config is a mapping of routes by name", got=shown(configs))]
    if len(configs) > ROUTES_PER_EVENT:
        return [
            document.problem(
                "routes-too-many", "too many routes", got=str(len(configs)), allowed=f"at most {ROUTES_PER_EVENT}"
            )
        ]
    if unsayable := check_sayable(document):
        return unsayable
    found = form_problems(document, "routes")
    return [*(problem for _, problem in found), *check_routes(event, document, found, registry, runtime=runtime)]


def check_routes(
    event: Event, document: Document, found: Collection[Found], registry: Registry, *, runtime: bool
) -> list[Problem]:
    """What is wrong with the routes in `document`, by name, as routes of `event`, besides what was `found` of their
    form: what has the right form is checked whether the rest has or not."""
    if not isinstance(document.value, Mapping):
        return []
    parts = by_part(found)
    problems: list[Problem] = []
    for name in document.value:
        problems += _route_problems(event, name, document.part(name), parts.get(name, []), registry, runtime)
    return problems


def _route_problems(
    event: Event, name: str, whole: Document, found: list[Found], registry: Registry, runtime: bool
) -> list[Problem]:
    document = well_formed(whole, found)
    if not name or document.value is None:
        return []  # the validator's paths leave out empty keys, so faults inside this one are told of another part
    problems = list(_number_problems(document))
    problems += _pattern_problems(event, name, document)
    wrong = by_part(by_part(found).get("targets", ()))
    for index, target in enumerate(document.value.get("targets", ())):
        if target is not None:
            keys = by_part(wrong.get(index, ())).keys()
            problems += _target_problems(event, document.part("targets", index), registry, runtime, keys)
    problems += _same_target_twice(document)
    if not found and not errors(problems):
        problems += _rule_problems(event, route_from_config(event.id, name, whole.value), document)
    return problems


def _number_problems(document: Document) -> Iterator[Problem]:
    for key, value in document.value.get("retry", {}).items():
        if not isinstance(value, int):  # 185.0 is an integer to JSON Schema, and none to AWS's SDKs
            yield document.problem("form-type", "this must be written as an integer", ("retry", key), got=str(value))


def _pattern_problems(event: Event, name: str, document: Document) -> Iterator[Problem]:
    config = document.value

    def where(path: Path) -> Path | None:
        if path[:1] == ("detail",):
            return ("pattern", *path[1:])
        if path and path[0] in config.get("envelope", {}):
            return ("envelope", *path)
        return None if path else ("pattern",)  # source and detail-type are the event's, and told there

    # The number of targets is no concern of the pattern, so the route need not be whole.
    route = Route(event.id, name, (), config.get("pattern") or None, config.get("envelope", {}))
    refused = list(check_pattern(document, classic.pattern_of(event, route), where))
    yield from refused
    for key in ("envelope", "pattern"):
        if key in config:
            yield from changed_numbers(document.part(key), "pattern-number")
    if not refused and config.get("pattern"):
        yield from check_fields(document.part("pattern"), event.schema)


def _target_problems(
    event: Event, document: Document, registry: Registry, runtime: bool, wrong: Collection[str | int]
) -> Iterator[Problem]:
    """`wrong` are the keys of the target whose form is wrong: of those nothing is said."""
    config = {key: part for key, part in document.value.items() if key not in wrong}
    if _name_of(config) is None:
        if "input" in config:
            yield from check_transformer(document.part("input"))
        return
    target = target_from_config(config)
    kind = target.kind
    if (refused := registry.resolve(target, event.id, runtime=runtime)) is not None:
        yield document.problem(
            refused.code,
            refused.what,
            (kind,),
            got=refused.got,
            allowed=refused.allowed,
            fix=refused.fix,
        )
    if "input" in config:
        if kind in ROUTER_KINDS:
            yield document.problem(
                "target-input",
                f"a {kind} takes no `input`: it gets the event as EventBridge made it",
                ("input",),
                fix="remove it, and transform in the function or flow",
            )
        else:
            yield from check_transformer(document.part("input"))
            for name, path in config["input"].get("paths", {}).items():
                if is_json_path(path):
                    yield from check_path(document, ("input", "paths", name), path, event.schema)
            if kind == "log-group":
                yield from _log_template_problems(document)
    entry = registry.entries.get(target.name)
    fifo = entry is not None and entry.kind == "queue" and entry.fifo
    if "message-group" in config and kind != "queue":
        yield document.problem(
            "target-message-group",
            "only queues have message groups",
            ("message-group",),
            got=f"{kind}: {target.name}",
            fix="remove it",
        )
    if fifo and "message-group" not in config and "message-group" not in wrong:
        yield document.problem(
            "target-message-group",
            f"the FIFO queue {target.name} needs a message group",
            fix="add `message-group: <id>`",
        )
    if target.partition_key is not None:
        if kind != "stream":
            yield document.problem(
                "target-partition-key", "only streams have partition keys", ("partition-key",), fix="remove it"
            )
        elif not is_json_path(target.partition_key):
            yield document.problem(
                "target-partition-key",
                "this is no JSON path that EventBridge takes",
                ("partition-key",),
                got=target.partition_key,
                allowed="$.detail.field",
            )
        else:
            yield from check_path(document, ("partition-key",), target.partition_key, event.schema)


def _log_template_problems(document: Document) -> Iterator[Problem]:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html: log events have these two fields.
    values = template_values(document.value["input"]["template"])
    if values is not None and not (
        len(values) == 1 and isinstance(values[0], dict) and set(values[0]) == {"timestamp", "message"}
    ):
        yield document.problem(
            "target-input",
            "the template of a log group must make a log event",
            ("input", "template"),
            got=shown(document.value["input"]["template"]),
            allowed='{"timestamp": <time>, "message": "…"}',
        )


def _same_target_twice(document: Document) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, config in enumerate(document.value.get("targets", ())):
        name = None if config is None else _name_of(config)
        if name is None:
            continue
        if name in seen:
            yield document.problem(
                "target-twice", f"{name} is a target of this route already", ("targets", index), fix="remove one"
            )
        seen.setdefault(name, index)


def _name_of(config: Mapping[str, Any]) -> str | None:
    """The name of the target that `config` says; None where the form of the name is wrong, and so left out."""
    return next((config[kind] for kind in TARGET_KINDS if kind in config), None)


def _rule_problems(event: Event, route: Route, document: Document) -> Iterator[Problem]:
    """What EventBridge's limits refuse of the rule that the route would be."""
    targets = classic.rule_targets(event, route)
    if len(targets) > classic.TARGETS_PER_RULE:
        yield document.problem(
            "rule-targets",
            "a rule has too many targets",
            ("targets",),
            got=f"{len(targets)} (functions and flows count as one together)",
            allowed=f"at most {classic.TARGETS_PER_RULE}",
            fix="make a second route of the same pattern for some of them",
        )
    length = len(canonical(classic.pattern_of(event, route)).encode("utf-8", "replace"))
    if length > classic.PATTERN_LENGTH:
        yield document.problem(
            "rule-pattern-length",
            "the rule's pattern is too long",
            ("pattern",) if "pattern" in document.value else (),
            got=f"{length} bytes with source, detail-type and envelope, in canonical form",
            allowed=f"at most {classic.PATTERN_LENGTH}",
            fix="split it over several routes, or match on a field that says the same in fewer values",
        )
    elif length > classic.PATTERN_QUOTA:
        yield document.problem(
            "rule-pattern-quota",
            "the rule's pattern is longer than an account takes by default",
            ("pattern",) if "pattern" in document.value else (),
            got=f"{length} bytes with source, detail-type and envelope, in canonical form",
            allowed=f"{classic.PATTERN_QUOTA}, or what the quota `Event pattern size` was raised to",
            fix="have the quota raised before the deploy, or split the pattern over several routes",
            severity="warning",
        )
    for target in targets:
        template = target.input_template or ""
        if len(template) > classic.TEMPLATE_LENGTH:
            yield document.problem(
                "rule-template-length",
                f"the input template of {target.id} is too long",
                ("targets",),
                got=str(len(template)),
                allowed=f"at most {classic.TEMPLATE_LENGTH}",
                fix="name fewer functions and flows in one route" if target.id == classic.ROUTER else "shorten it",
            )
