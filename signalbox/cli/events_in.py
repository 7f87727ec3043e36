"""Events from files: as EventBridge delivers them, or as PutEvents takes them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from signalbox.cli.console import short
from signalbox.definitions.places import Document
from signalbox.definitions.sayable import check_sayable
from signalbox.samples import ENVELOPE

_BYTES = 16 * 1024 * 1024
_SHOWN = 60


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events in the JSON file at `path` (`-`: standard input): one, or a list, of events or PutEvents entries.

    Raises click.ClickException with what is wrong and what is allowed.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read(_BYTES) if str(path) == "-" else path.read_text("utf-8-sig")
        value = json.loads(text)
    except OSError as error:
        raise click.ClickException(f"{name}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{name}:{error.lineno}: no valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{name}: no JSON in UTF-8: {error}") from error
    if unsayable := check_sayable(Document(value)):
        raise click.ClickException(f"{name}: {unsayable[0]}")
    values = value if isinstance(value, list) else [value]
    if not values:
        raise click.ClickException(f"{name}: there is no event in it")
    return [_event(each, f"{name}, event {number}") for number, each in enumerate(values, 1)]


def _event(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and "DetailType" in value:
        value = _of_entry(value, where)
    if not isinstance(value, Mapping) or not {"source", "detail-type", "detail"} <= value.keys():
        keys = ", ".join(list(value)[:10]) if isinstance(value, Mapping) else type(value).__name__
        raise click.ClickException(
            f"{where}: this is no event; got: {keys or 'nothing'}; allowed: source, detail-type and detail, "
            "or Source, DetailType and Detail as for PutEvents"
        )
    for field in ("source", "detail-type"):
        if not isinstance(value[field], str):
            raise click.ClickException(f"{where}: {field} must be text; got: {short(value[field], _SHOWN)}")
    if not isinstance(value["detail"], Mapping):
        raise click.ClickException(f"{where}: detail must be an object; got: {short(value['detail'], _SHOWN)}")
    return {**ENVELOPE, **value}


def _of_entry(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        detail = json.loads(entry["Detail"]) if isinstance(entry.get("Detail"), str) else entry.get("Detail")
        if unsayable := check_sayable(Document(detail)):
            raise ValueError(str(unsayable[0]))
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{where}: Detail is no valid JSON: {error}") from error
    event = {"source": entry.get("Source"), "detail-type": entry["DetailType"], "detail": detail}
    if "Resources" in entry:
        event["resources"] = entry["Resources"]
    return event
