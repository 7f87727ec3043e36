"""`pull`: run-time edits written back into the definition files, comments and order kept."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarbool import ScalarBoolean

from signalbox.canonical import same
from signalbox.cli.stack import Stack, read_stack, stack_options
from signalbox.effective import EffectiveRoute, live_edits
from signalbox.store import StoreSnapshot, is_of_api

INDENT = 2


@click.command()
@stack_options
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def pull(stack_name: str | None, config_file: Path | None, dry_run: bool) -> None:
    """Write run-time edits back into the definition files.

    Only the routes that were edited change; comments and the order of keys stay. Review with git diff; the next up
    finds that definitions and edits agree, and from then on the definitions alone hold.
    """
    from signalbox.aws.store import StoreError, read_store

    stack = read_stack(stack_name, config_file)
    if not stack.mappings.is_dir():
        raise click.ClickException(
            f"{stack.mappings} is a Python file, which pull cannot rewrite; fix: make the edits there by hand"
        )
    try:
        store = read_store(stack.session().client("dynamodb"), stack.store)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    written = _pull(stack, store, dry_run=dry_run)
    if flows := sorted(name for name, item in store.flows.items() if is_of_api(item)):
        # A deploy cannot take them over: their items are the API's.
        click.echo(f"flows made at run time stay as they are: {', '.join(flows)} (docs/run-time-edits.md)")
    if not written:
        click.echo("no run-time edit is live that the definitions do not say")
        return
    for route_id, what in written:
        click.echo(f"{route_id}: {what}")
    if not dry_run:
        click.echo("next: git diff, python -m signalbox check, pulumi preview")


def _pull(stack: Stack, store: StoreSnapshot, *, dry_run: bool) -> list[tuple[str, str]]:
    written: list[tuple[str, str]] = []
    missing: list[str] = []
    for event_id in sorted(store.overrides):
        edits = live_edits(event_id, store)
        if not edits:
            continue
        file = stack.mappings / "events" / f"{event_id}.yaml"
        if not file.exists():
            missing.append(f"{file}: there is no such file, and {', '.join(edits)} of {event_id} were edited")
            continue
        before = file.read_text(encoding="utf-8")
        after, what = with_routes(before, edits)
        if after != before:
            written += [(f"{event_id}/{name}", done) for name, done in what.items()]
            if not dry_run:
                file.write_text(after, encoding="utf-8")
    if missing:
        raise click.ClickException("\n".join([*missing, "fix: bring the event back, or give the edits up"]))
    return written


def with_routes(text: str, edits: Mapping[str, EffectiveRoute]) -> tuple[str, dict[str, str]]:
    """`text`, an event's file, with its routes as `edits` say; and what was done, by route."""
    yaml = _yaml()
    document = yaml.load(text)
    routes = document.get("routes")
    if routes is None:
        routes = document["routes"] = CommentedMap()
    done: dict[str, str] = {}
    for name, edit in edits.items():
        if edit.config is None:
            if name in routes:
                del routes[name]
                done[name] = "taken out"
        elif name not in routes:
            routes[name] = _node(edit.config)
            done[name] = "added"
        elif _merge(routes[name], edit.config):
            done[name] = "changed"
    if not routes:
        del document["routes"]
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue() if done else text, done


def _yaml() -> YAML:
    yaml = YAML()  # YAML 1.2, round trip
    yaml.preserve_quotes = True
    yaml.width = 10_000  # no line of the author's is broken
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=INDENT, sequence=INDENT + 2, offset=INDENT)
    return yaml


def _merge(node: CommentedMap, config: Mapping[str, Any]) -> bool:
    """Make `node` say `config`, key by key, so that what stays keeps its place and its comments."""
    changed = False
    for key in [key for key in node if key not in config]:
        del node[key]
        changed = True
    for key, value in config.items():
        if key not in node:
            node[key] = _node(value)
            changed = True
        elif isinstance(node[key], CommentedMap) and isinstance(value, Mapping):
            changed |= _merge(node[key], value)
        elif not _says(node[key], value):
            node[key] = _items(node[key], value) if isinstance(node[key], CommentedSeq) else _node(value)
            changed = True
    return changed


def _says(node: Any, value: Any) -> bool:
    """Does `node` of a file say the JSON `value`?"""
    try:
        return same(_json(node), value)
    except (TypeError, OverflowError):  # YAML has more than JSON: a date, .inf
        return False


def _json(node: Any) -> Any:
    """`node` with booleans for what ruamel.yaml makes of a boolean that has an anchor: a kind of int."""
    if isinstance(node, Mapping):
        return {key: _json(each) for key, each in node.items()}
    if isinstance(node, list):
        return [_json(each) for each in node]
    return bool(node) if isinstance(node, ScalarBoolean) else node


def _items(old: CommentedSeq, value: Any) -> Any:
    """`value` in the style of the list that was there; items that stay keep their form."""
    made = _node(value)
    if isinstance(made, CommentedSeq) and not old.fa.flow_style():
        made.fa.set_block_style()
    if isinstance(made, CommentedSeq):
        for index, item in enumerate(made):
            made[index] = next((each for each in old if _says(each, item)), item)
    return made


def _node(value: Any) -> Any:
    """`value` as the files are written: mappings in blocks, what is inside of lists in one line."""
    if isinstance(value, Mapping):
        return CommentedMap((key, _node(each)) for key, each in value.items())
    if isinstance(value, list):
        made = CommentedSeq(_node(each) for each in value)
        for node in _mappings(made):
            node.fa.set_flow_style()
        made.fa.set_flow_style()
        return made
    return value


def _mappings(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, Mapping) else []), *(node for each in inner for node in _mappings(each))]
