"""The code of the Lambdas as zip files: the same input gives the same bytes, on every machine.

So a second `pulumi up` sees no change, and two people who deploy in turn do not replace each other's layer. Entries are
sorted, have one date and one mode, and are stored uncompressed: what deflate makes of a file depends on the zlib at
hand. Libraries come as wheels, pinned with their hashes by `functions/requirements.lock`, for the platform of Lambda
and not of this machine. All that is made is kept in `.build/` under a hash of what it was made of.

`python -m signalbox.packaging lock` writes the lock anew from `functions/requirements.in`.
"""

import ast
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONS = ROOT / "functions"
LOCK = FUNCTIONS / "requirements.lock"
BUILD = ROOT / ".build"

RUNTIMES = ("python3.12", "python3.13", "python3.14")
# What the wheels of a platform are tagged with. These runtimes run on Amazon Linux 2023, which has glibc 2.34:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
_MANYLINUX = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")

_PACKAGE = "signalbox"
_LEFT_OUT = ("__pycache__", "function.yaml")
_DATE = (1980, 1, 1, 0, 0, 0)
_FORMAT = b"1"
"""Raised when zips are made in another way, so that none is taken from the cache."""


class PackagingError(Exception):
    """The code cannot be packed; the text says why and what to do."""


def layer_zip(runtime: str, architecture: str, *, functions: Path = FUNCTIONS, build: Path = BUILD) -> Path:
    """The layer that all functions share: the locked libraries, and of `signalbox` what `functions` import.

    Needs pip and, where the wheels are not in the cache, a package index. Raises PackagingError.
    """
    if runtime not in RUNTIMES or architecture not in ARCHITECTURES:
        raise PackagingError(
            f"no layer for {runtime} on {architecture}; allowed: {', '.join(RUNTIMES)} on {', '.join(ARCHITECTURES)}"
        )
    entries: dict[str, bytes] = {}
    for wheel in _wheels(runtime, architecture, build):
        with zipfile.ZipFile(wheel) as archive:
            entries |= {f"python/{name}": archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    for path in modules(functions):
        entries[f"python/{path.relative_to(ROOT).as_posix()}"] = path.read_bytes()
    return _zip(entries, build, f"layer-{runtime}-{architecture}")


def function_zip(folder: Path, *, build: Path = BUILD) -> Path:
    """The code of one function: the files of its folder, save its function.yaml. Raises PackagingError."""
    if not (folder / "handler.py").is_file():
        raise PackagingError(
            f"{folder} has no handler.py: a function's folder holds one, with `handle(event, context)`"
        )
    entries = {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}
    return _zip(entries, build, f"function-{folder.name}")


def modules(functions: Path = FUNCTIONS) -> list[Path]:
    """The files of the `signalbox` package that the Python files in `functions` import, directly or through others.

    With each module come the packages around it and the data files of its package. So a change of the CLI, say, leaves
    the layer as it is.
    """
    found: set[Path] = set()
    waiting = [path for path in functions.rglob("*.py") if "__pycache__" not in path.parts]
    for start in waiting:
        todo = [start]
        while todo:
            for path in _imported(todo.pop()):
                if path not in found:
                    found.add(path)
                    todo.append(path)
    data = {path for package in {path.parent for path in found} for path in _data(package)}
    return sorted(found | data)


def lock() -> str:
    """The text of a new lock: the newest versions that requirements.in allows, with the hash of each wheel that some
    runtime and architecture takes. Raises PackagingError."""
    wheels: dict[str, set[str]] = {}
    for runtime in RUNTIMES:
        for architecture in ARCHITECTURES:
            with tempfile.TemporaryDirectory() as folder:
                _download(["--requirement", str(FUNCTIONS / "requirements.in")], runtime, architecture, Path(folder))
                for wheel in Path(folder).iterdir():
                    name, version = wheel.name.split("-")[:2]
                    pin = f"{name.replace('_', '-').lower()}=={version}"
                    wheels.setdefault(pin, set()).add(hashlib.sha256(wheel.read_bytes()).hexdigest())
    lines = ["# Written by `python -m signalbox.packaging lock`: every wheel that some Lambda runtime takes."]
    for pin in sorted(wheels):
        lines.append(" \\\n".join([pin, *(f"    --hash=sha256:{each}" for each in sorted(wheels[pin]))]))
    return "\n".join(lines) + "\n"


def _wheels(runtime: str, architecture: str, build: Path) -> list[Path]:
    key = _digest({"lock": LOCK.read_bytes(), "platform": f"{runtime} {architecture}".encode()})
    folder = build / f"wheels-{key}"
    if not folder.is_dir():
        build.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=build) as scratch:
            fresh = Path(scratch) / "wheels"
            _download(["--require-hashes", "--no-deps", "--requirement", str(LOCK)], runtime, architecture, fresh)
            try:
                fresh.rename(folder)
            except OSError:
                # Another process was faster; by their hashes, its wheels are the same.
                if not folder.is_dir():
                    raise
    return sorted(folder.glob("*.whl"))


def _download(what: list[str], runtime: str, architecture: str, folder: Path) -> None:
    version = runtime.removeprefix("python")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--dest", str(folder), "--implementation=cp", f"--python-version={version}"]
    command += [f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")]
    command += [f"--platform={tag}_{ARCHITECTURES[architecture]}" for tag in _MANYLINUX]
    done = subprocess.run([*command, *what], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingError(
            f"pip could not get the layer's libraries for {runtime} on {architecture}: {done.stderr.strip()}\n"
            "fix: let pip reach a package index (pip config, PIP_INDEX_URL); after a change of "
            "functions/requirements.in run `python -m signalbox.packaging lock`"
        )


def _zip(entries: Mapping[str, bytes], build: Path, name: str) -> Path:
    path = build / f"{name}-{_digest(entries)}.zip"
    if not path.exists():
        build.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=build, suffix=".zip")
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for entry in sorted(entries):
                archive.writestr(_info(entry), entries[entry])
        # In one step, so that nobody sees half a file.
        Path(scratch).replace(path)
    return path


def _info(entry: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry, _DATE)
    info.create_system = 3  # Unix, also when made elsewhere: the mode counts
    info.external_attr = (0o100755 if entry.endswith(".so") else 0o100644) << 16
    return info


def _digest(parts: Mapping[str, bytes]) -> str:
    total = hashlib.sha256(_FORMAT)
    for name in sorted(parts):
        total.update(f"{len(name)}:{name}{len(parts[name])}:".encode())
        total.update(parts[name])
    return total.hexdigest()[:16]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part in _LEFT_OUT or part.startswith(".") for part in inside):
            yield path


def _data(package: Path) -> Iterator[Path]:
    for path in sorted(package.iterdir()):
        if path.is_dir() and path.name not in _LEFT_OUT and not (path / "__init__.py").exists():
            yield from (each for each in _files(path) if each.suffix != ".py")
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        match node:
            case ast.Import(names=names):
                yield from _resolved(alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*_package(path, level), *([module] if module else [])]
                yield from _resolved(".".join([*base, alias.name]) for alias in names)


def _package(path: Path, level: int) -> list[str]:
    """The package that an import with `level` dots starts from, in the file `path`."""
    if not level or not path.is_relative_to(ROOT):
        return []
    around = path.relative_to(ROOT).parent.parts
    return list(around[: len(around) - level + 1])


def _resolved(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        parts = name.split(".")
        if parts[0] == _PACKAGE:
            for end in range(1, len(parts) + 1):
                place = ROOT.joinpath(*parts[:end])
                yield from (path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file())


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m signalbox.packaging lock")
    LOCK.write_text(lock(), encoding="utf-8")
