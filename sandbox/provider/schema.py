"""What a resource's properties are, and what follows from that: Check, Diff and the inputs of an import.

A type's inputs are a table of `Prop`s by their Pulumi names. The rules that read it are those of the Terraform SDK and
Pulumi's bridge, on which the plugin is built: a value is coerced where its type is clear, an absent value equals an
empty one, a computed property that the program leaves out keeps what AWS gave, JSON is compared by meaning.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sandbox.provider.wire import UNKNOWN, Props, Unknown, has_unknown, is_archive
from signalbox.canonical import canonical

Kind = Literal["text", "integer", "number", "boolean", "array", "mapping", "block", "archive"]
Check = Callable[[Any], str | None]
"""Says what is wrong with a known value, or None."""

DEFAULTS = "__defaults"
"""Input that lists the properties which Check filled in, as the bridge keeps it: so an automatic name stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prop:
    """One input property.

    `replaces`: a change makes a new resource. `computed`: AWS fills it in where the program leaves it out. `unordered`:
    a set. `auto_name`: the physical name, made from the resource's own where left out (the value is its greatest
    length). `normal` gives the form in which two values are compared, and with `keeps_normal` the form in which the
    state has it. `unsupported`: upstream has it, the stand-in does not. `deprecated`: an import leaves it out.
    """

    kind: Kind
    required: bool = False
    replaces: bool = False
    computed: bool = False
    default: Any = None
    unordered: bool = False
    auto_name: int = 0
    unsupported: bool = False
    deprecated: bool = False
    checks: tuple[Check, ...] = ()
    normal: Callable[[Any], Any] | None = None
    keeps_normal: bool = False
    item: "Prop | None" = None
    fields: Mapping[str, "Prop"] = field(default_factory=dict)


def text(*checks: Check, **options: Any) -> Prop:
    """A string."""
    return Prop(kind="text", checks=checks, **options)


def integer(*checks: Check, **options: Any) -> Prop:
    """A whole number."""
    return Prop(kind="integer", checks=checks, **options)


def number(*checks: Check, **options: Any) -> Prop:
    """A number."""
    return Prop(kind="number", checks=checks, **options)


def boolean(**options: Any) -> Prop:
    """True or false."""
    return Prop(kind="boolean", **options)


def array(item: Prop, *checks: Check, **options: Any) -> Prop:
    """A list of `item`; with `unordered=True` a set."""
    return Prop(kind="array", item=item, checks=checks, **options)


def mapping(*checks: Check, **options: Any) -> Prop:
    """Strings by strings."""
    return Prop(kind="mapping", item=Prop(kind="text"), checks=checks, **options)


def block(fields: Mapping[str, Prop], **options: Any) -> Prop:
    """An object with fields of its own."""
    return Prop(kind="block", fields=fields, **options)


def archive(**options: Any) -> Prop:
    """A Pulumi archive; two are equal when their content is."""
    return Prop(kind="archive", normal=lambda value: value.get("hash") or value, **options)


def json_text(*checks: Check, **options: Any) -> Prop:
    """A string that holds JSON; an object in its place is written as JSON."""
    return Prop(kind="text", checks=(is_json, *checks), normal=normal_json, **options)


def policy(*checks: Check, **options: Any) -> Prop:
    """An IAM policy document as JSON text, compared as IAM reads it."""
    return Prop(kind="text", checks=(is_json_object, *checks), normal=normal_policy, **options)


def name(greatest: int, pattern: str = "", replaces: bool = True) -> Prop:
    """The physical name: automatic where left out."""
    checks = [longest(greatest), *([matches(pattern)] if pattern else [])]
    return text(*checks, replaces=replaces, auto_name=greatest)


def tags() -> Prop:
    """A resource's tags."""
    return mapping(tag_limits)


def unsupported(**options: Any) -> Prop:
    """A property that upstream has and the stand-in refuses in clear words."""
    return Prop(kind="text", unsupported=True, **options)


# --- checks -----------------------------------------------------------------------------------------------------------


def one_of(*allowed: str) -> Check:
    """The value is one of `allowed`."""
    return lambda value: None if value in allowed else f"expected one of {', '.join(allowed)}; got {value!r}"


def between(least: float, greatest: float) -> Check:
    """`least` ≤ the number ≤ `greatest`."""
    return lambda value: (
        None if least <= value <= greatest else f"expected a number from {least} to {greatest}; got {value}"
    )


def longest(greatest: int, least: int = 0) -> Check:
    """The string's length."""
    return lambda value: (
        None
        if least <= len(value) <= greatest
        else f"expected {f'{least} to' if least else 'at most'} {greatest} characters; got {len(value)}"
    )


def matches(pattern: str, hint: str = "") -> Check:
    """The whole string matches the regular expression."""
    compiled = re.compile(pattern)
    return lambda value: (
        None if compiled.fullmatch(value) else f"{value!r} does not match {hint or f'the pattern {pattern}'}"
    )


def at_most(greatest: int) -> Check:
    """The array's or mapping's size."""
    return lambda value: None if len(value) <= greatest else f"at most {greatest} allowed; got {len(value)}"


_ARN = re.compile(
    r"arn:aws[\w-]*:[\w-]+:(?:[a-z]{2}(?:-[a-z]+)+-\d)?:(?:\d{12}|aws|aws-managed|third-party|[\w*-]*)?:.+", re.S
)


def arn(value: str) -> str | None:
    """The string is an ARN (Terraform's `verify.ValidARN`: the empty string passes)."""
    return (
        None
        if not value or _ARN.fullmatch(value)
        else f"{value!r} is no ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE)"
    )


def is_json(value: str) -> str | None:
    """The string is JSON."""
    try:
        json.loads(value)
    except ValueError as error:
        return f"not valid JSON: {error}"
    return None


def is_json_object(value: str) -> str | None:
    """The string is a JSON object."""
    return is_json(value) or (None if value.lstrip().startswith("{") else "expected a JSON object")


def tag_limits(value: Mapping[str, Any]) -> str | None:
    """AWS's limits on tags."""
    bad = [key for key in value if not 1 <= len(key) <= 128 or key.lower().startswith("aws:")]
    return f"tag keys have 1 to 128 characters and do not start with aws:; got {', '.join(bad)}" if bad else None


# --- normal forms -----------------------------------------------------------------------------------------------------


def normal_json(value: str) -> str:
    """Equal for texts of the same JSON value."""
    try:
        return canonical(json.loads(value))
    except (ValueError, OverflowError):
        return value


def normal_policy(value: str) -> str:
    """Equal for policy documents that IAM holds equivalent: in any order, a single value for a list of one.

    Differs from upstream (`awspolicyequivalence`), which also takes an account id for its root ARN.
    """
    try:
        document = json.loads(value)
    except ValueError:
        return value
    if not isinstance(document, dict):
        return value
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    whole = {**document, "Statement": sorted((_statement(statement) for statement in statements), key=canonical)}
    return canonical(whole)


def _statement(statement: Any) -> Any:
    if not isinstance(statement, dict):
        return statement
    plain = {key: value for key, value in statement.items() if not (key == "Sid" and value == "")}
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        if key in plain:
            plain[key] = _members(plain[key])
    for key in ("Principal", "NotPrincipal"):
        if isinstance(plain.get(key), dict):
            plain[key] = {kind: _members(who) for kind, who in plain[key].items()}
        elif plain.get(key) == "*":
            plain[key] = {"AWS": ["*"]}
    if isinstance(plain.get("Condition"), dict):
        plain["Condition"] = {
            operator: {key: _members(value) for key, value in keys.items()} if isinstance(keys, dict) else keys
            for operator, keys in plain["Condition"].items()
        }
    return plain


def _members(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return sorted({item if isinstance(item, str) else canonical(item) for item in values})


# --- Check ------------------------------------------------------------------------------------------------------------

Failure = tuple[str, str]
"""A property's path, and what is wrong with it."""


def check(fields: Mapping[str, Prop], news: Props, path: str = "") -> tuple[Props, list[Failure]]:
    """`news` with types coerced and defaults filled in, and every fault."""
    inputs: Props = {}
    failures: list[Failure] = []
    for key, value in news.items():
        if key.startswith("__"):
            continue
        where = f"{path}.{key}" if path else key
        if key not in fields:
            failures.append((where, _unknown(key, fields)))
        elif fields[key].unsupported:
            failures.append((where, f"the AWS provider has {key!r}, but the sandbox's stand-in for it does not"))
        else:
            inputs[key] = _checked(fields[key], value, where, failures)
    for key, prop in fields.items():
        if inputs.get(key) is not None:
            continue
        if prop.required:
            failures.append((f"{path}.{key}" if path else key, f"missing required property {key!r}"))
        elif prop.default is not None:
            inputs[key] = prop.default
    return inputs, failures


def _unknown(key: str, fields: Mapping[str, Prop]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    return f"unknown property {key!r}; " + (
        f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(sorted(fields))}"
    )


def _checked(prop: Prop, value: Any, where: str, failures: list[Failure]) -> Any:
    if isinstance(value, Unknown):
        return value
    if prop.kind == "text" and prop.normal and isinstance(value, dict | list):
        # The bridge takes an object where a string of JSON is due.
        return UNKNOWN if has_unknown(value) else canonical(value)
    value = _coerced(prop.kind, value)
    expected = _EXPECTED[prop.kind]
    if not isinstance(value, expected) or (prop.kind in ("integer", "number") and isinstance(value, bool)):
        failures.append((where, f"expected {_WORDS[prop.kind]}; got {_got(value)}"))
        return value
    if prop.kind == "array" and prop.item:
        value = [_checked(prop.item, item, f"{where}[{i}]", failures) for i, item in enumerate(value)]
    elif prop.kind == "mapping" and prop.item:
        value = {key: _checked(prop.item, item, f"{where}.{key}", failures) for key, item in value.items()}
    elif prop.kind == "block":
        value, nested = check(prop.fields, value, where)
        failures += nested
    elif prop.kind == "archive" and not is_archive(value):
        failures.append((where, "expected an archive (pulumi.FileArchive, pulumi.AssetArchive)"))
    for rule in prop.checks:
        if fault := rule(value):
            failures.append((where, fault))
            break
    return value


_EXPECTED: dict[Kind, Any] = {
    "text": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "mapping": dict,
    "block": dict,
    "archive": dict,
}
_WORDS: dict[Kind, str] = {
    "text": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "mapping": "an object of strings",
    "block": "an object",
    "archive": "an archive",
}


def _got(value: Any) -> str:
    words = {str: "the string", bool: "the boolean", int: "the number", float: "the number"}
    if type(value) in words:
        return f"{words[type(value)]} {value!r}"
    return "null" if value is None else "a list" if isinstance(value, list) else "an object"


def _coerced(kind: Kind, value: Any) -> Any:
    match kind, value:
        case "text", bool():
            return "true" if value else "false"
        case "text", int() | float():
            return canonical(value)
        case "boolean", "true" | "false":
            return value == "true"
        case "integer" | "number", str() if re.fullmatch(r"-?\d+", value):
            return int(value)
        case "number", str() if re.fullmatch(r"-?\d+\.\d+", value):
            return float(value)
    return value


# --- Diff -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """How one property differs."""

    kind: Literal["add", "delete", "update"]
    replaces: bool


def diff(fields: Mapping[str, Prop], old: Props, new: Props) -> dict[str, Change]:
    """What `new` (checked inputs) changes about `old` (a state), by property path."""
    return dict(_fields(fields, old, new, "", False))


def same(prop: Prop, old: Any, new: Any) -> bool:
    """Whether two values of a property mean the same."""
    return next(_values(prop, old, new, "", False), None) is None


def _fields(
    fields: Mapping[str, Prop], old: Props, new: Props, path: str, replaces: bool
) -> Iterator[tuple[str, Change]]:
    for key, prop in fields.items():
        yield from _values(prop, old.get(key), new.get(key), f"{path}.{key}" if path else key, replaces)


def _values(prop: Prop, old: Any, new: Any, path: str, replaces: bool) -> Iterator[tuple[str, Change]]:
    replaces = replaces or prop.replaces
    if isinstance(new, Unknown):
        yield path, Change("add" if old is None else "update", replaces)
    elif new is None:
        if not prop.computed and not _empty(prop, old):
            yield path, Change("delete", replaces)
    elif old is None or isinstance(old, Unknown):
        # Nought is a setting of its own; other empty values are as good as absent.
        if prop.kind in ("integer", "number") or not _empty(prop, new):
            yield path, Change("add", replaces)
    elif prop.normal:
        if prop.normal(old) != prop.normal(new):
            yield path, Change("update", replaces)
    elif prop.kind == "block":
        yield from _fields(prop.fields, old, new, path, replaces)
    elif prop.kind == "mapping" and prop.item:
        for key in sorted({*old, *new}):
            yield from _values(prop.item, old.get(key), new.get(key), _index(path, key), replaces)
    elif prop.kind == "array" and prop.item:
        yield from _items(prop, prop.item, old, new, path, replaces)
    elif old != new:
        yield path, Change("update", replaces)


def _items(
    prop: Prop, item: Prop, old: Sequence[Any], new: Sequence[Any], path: str, replaces: bool
) -> Iterator[tuple[str, Change]]:
    if prop.unordered:
        rest = list(old)
        added = []
        for i, value in enumerate(new):
            twin = next((other for other in rest if same(item, other, value)), None)
            if twin is None:
                added.append(i)
            else:
                rest.remove(twin)
        kind = "update" if rest else "add"
        for i in added:
            yield f"{path}[{i}]", Change(kind, replaces)
        if rest and not added:
            yield path, Change("update", replaces)
        return
    for i in range(max(len(old), len(new))):
        before, after = (values[i] if i < len(values) else None for values in (old, new))
        if after is None:
            yield f"{path}[{i}]", Change("delete", replaces)
        else:
            yield from _values(item, before, after, f"{path}[{i}]", replaces)


def _index(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"[A-Za-z_$][\w$]*", key) else f"{path}[{json.dumps(key)}]"


def _empty(prop: Prop, value: Any) -> bool:
    if prop.kind == "block" and isinstance(value, dict):
        return all(_empty(prop.fields.get(key, Prop(kind="text")), item) for key, item in value.items())
    return value is None or value in ("", 0, False) or value == [] or value == {}


# --- inputs from a state ----------------------------------------------------------------------------------------------


def refreshed(fields: Mapping[str, Prop], inputs: Props, state: Props) -> Props:
    """`inputs` with what `state` has otherwise: what the program would have to say to get that state."""
    result = dict(inputs)
    for key, value in inputs.items():
        if key in fields and not same(replace(fields[key], computed=False), state.get(key), value):
            result[key] = state.get(key)
    return {key: value for key, value in result.items() if value is not None}


def imported(fields: Mapping[str, Prop], state: Props) -> Props:
    """The inputs that would have made `state`: all that is not as good as absent."""
    inputs: Props = {DEFAULTS: []}
    for key, prop in fields.items():
        value = state.get(key)
        if value is None or prop.unsupported or prop.deprecated:
            continue
        if prop.default is not None and value == prop.default:
            inputs[key] = value
            inputs[DEFAULTS].append(key)
        elif prop.required or prop.auto_name or prop.default is not None or not _empty(prop, value):
            inputs[key] = value
    return inputs


def settled(fields: Mapping[str, Prop], before: Props, found: Props) -> Props:
    """A state: what was `found`, over what was known `before`.

    A value that means the same keeps its form; a key that `found` does not have keeps its value; None removes it.
    """
    state = {**before, **found}
    for key, prop in fields.items():
        if key in before and found.get(key) is not None and same(prop, found[key], before[key]):
            state[key] = before[key]
        if prop.normal and prop.keeps_normal and isinstance(state.get(key), str):
            state[key] = prop.normal(state[key])
    return {key: value for key, value in state.items() if value is not None}
