"""Pulumi archives (a file, a folder, or files put together in the program) as the zip that AWS is given.

The same content gives the same bytes: entries are sorted and carry one date. Differs from the plugin only in those
bytes; a zip file given as it is goes to AWS unchanged, as there.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.provider.wire import ARCHIVE, SIGNATURE

_DATE = (1980, 1, 1, 0, 0, 0)


class ArchiveError(Exception):
    """An archive that cannot be read; the message says which and why."""


def zip_bytes(archive: Mapping[str, Any]) -> bytes:
    """The zip file of a Pulumi archive. Raises ArchiveError."""
    path = archive.get("path")
    if path and Path(path).is_file() and zipfile.is_zipfile(path):
        return Path(path).read_bytes()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data, mode in sorted(_entries(archive, "")):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            package.writestr(info, data)
    return out.getvalue()


def _entries(value: Mapping[str, Any], at: str) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and mode of each file in an archive or asset that sits at `at` in the zip."""
    if value.get("uri"):
        raise ArchiveError(f"remote archives are not supported here: {value['uri']}")
    if value.get(SIGNATURE) == ARCHIVE and "assets" in value:
        for name, item in value["assets"].items():
            yield from _entries(item, _join(at, name))
    elif value.get("path"):
        path = Path(value["path"])
        if not path.exists():
            raise ArchiveError(f"no such file or folder: {path}")
        if path.is_dir():
            for file in path.rglob("*"):
                if file.is_file():
                    yield _join(at, file.relative_to(path).as_posix()), file.read_bytes(), _mode(file)
        elif value.get(SIGNATURE) == ARCHIVE:
            if not zipfile.is_zipfile(path):
                raise ArchiveError(f"not a zip file: {path}")
            with zipfile.ZipFile(path) as package:
                for info in package.infolist():
                    if not info.is_dir():
                        yield _join(at, info.filename), package.read(info), info.external_attr >> 16
        else:
            yield at, path.read_bytes(), _mode(path)
    elif "text" in value:
        yield at, str(value["text"]).encode(), 0o644
    else:
        raise ArchiveError(f"an archive or asset without content{f' at {at}' if at else ''}")


def _join(at: str, name: str) -> str:
    return f"{at}/{name}" if at and at != "." else name


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o100 else 0o644
