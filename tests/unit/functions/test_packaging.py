"""Packing: the same input gives the same bytes, and what is packed is what runs."""

import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from signalbox import packaging
from signalbox.packaging import FUNCTIONS, LOCK, ROOT, PackagingError, function_zip, layer_zip, modules

HANDLERS = sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


@pytest.fixture(autouse=True)
def wheels(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """pip replaced: each download gives one small wheel. Gives the downloads that were made."""
    downloads = []

    def download(what: list[str], runtime: str, architecture: str, folder: Path) -> None:
        assert "--require-hashes" in what
        downloads.append((runtime, architecture))
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "library-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(zipfile.ZipInfo("library/core.so", time.localtime()[:6]), architecture)
            archive.writestr("library/__init__.py", "")

    monkeypatch.setattr(packaging, "_download", download)
    return downloads


def a_function(folder: Path, **files: str) -> Path:
    for name, text in {"handler.py": "from signalbox import names\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names_in(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_layer_of_the_same_input_has_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    one = layer_zip("python3.13", "x86_64", build=tmp_path / "one")
    time.sleep(0.01)
    two = layer_zip("python3.13", "x86_64", build=tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    assert one.name == two.name


def test_a_second_layer_downloads_and_writes_nothing(tmp_path: Path, wheels: list[tuple[str, str]]) -> None:
    first = layer_zip("python3.13", "arm64", build=tmp_path)
    written = first.stat().st_mtime_ns
    assert layer_zip("python3.13", "arm64", build=tmp_path) == first
    assert first.stat().st_mtime_ns == written
    assert wheels == [("python3.13", "arm64")]


def test_layers_of_two_architectures_differ(tmp_path: Path) -> None:
    assert layer_zip("python3.13", "arm64", build=tmp_path) != layer_zip("python3.13", "x86_64", build=tmp_path)


def test_entries_have_one_date_plain_modes_and_are_sorted(tmp_path: Path) -> None:
    with zipfile.ZipFile(layer_zip("python3.13", "x86_64", build=tmp_path)) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644, 0o100755}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert all(entry.filename.startswith("python/") for entry in entries)


def test_nothing_is_left_of_a_build_but_what_it_made(tmp_path: Path) -> None:
    layer = layer_zip("python3.13", "x86_64", build=tmp_path)
    assert {path for path in tmp_path.iterdir() if not path.name.startswith("wheels-")} == {layer}


def test_a_function_is_packed_without_what_is_not_code(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path / "work", **{"function.yaml": "", "data/x.json": "{}", "__pycache__/h.pyc": "", ".secret": ""}
    )
    assert names_in(function_zip(folder, build=tmp_path / "build")) == ["data/x.json", "handler.py"]


def test_a_functions_zip_changes_with_its_code_alone(tmp_path: Path) -> None:
    build = tmp_path / "build"
    folder = a_function(tmp_path / "work")
    before = function_zip(folder, build=build)
    os.utime(folder / "handler.py", (1, 1))
    (folder / "function.yaml").write_text("memory: 512")
    assert function_zip(folder, build=build) == before
    (folder / "handler.py").write_text("")
    assert function_zip(folder, build=build) != before


def test_a_folder_without_a_handler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match=r"handler\.py"):
        function_zip(tmp_path, build=tmp_path / "build")


@pytest.mark.parametrize(("runtime", "architecture"), [("python3.11", "x86_64"), ("python3.13", "amd64"), ("", "")])
def test_a_platform_that_lambda_does_not_have_is_refused_with_those_it_has(
    tmp_path: Path, runtime: str, architecture: str
) -> None:
    with pytest.raises(PackagingError, match=r"python3\.13"):
        layer_zip(runtime, architecture, build=tmp_path)


def test_when_pip_fails_the_error_has_its_words_and_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> Any:
        return subprocess.CompletedProcess([], 1, "", "no index here")

    monkeypatch.undo()
    monkeypatch.setattr(packaging.subprocess, "run", run)
    with pytest.raises(PackagingError, match=r"(?s)no index here.*fix: "):
        layer_zip("python3.13", "x86_64", build=tmp_path)
    assert not any(tmp_path.glob("*"))


def test_the_layer_holds_what_functions_import_directly_lazily_and_through_others(tmp_path: Path) -> None:
    a_function(tmp_path / "work", **{"handler.py": "def f():\n    from signalbox.runtime import once\n"})
    found = {path.relative_to(ROOT).as_posix() for path in modules(tmp_path)}
    assert {"signalbox/__init__.py", "signalbox/runtime/__init__.py", "signalbox/runtime/once.py"} <= found
    assert {"signalbox/runtime/aws.py", "signalbox/store.py", "signalbox/canonical.py"} <= found
    assert "signalbox/runtime/router.py" not in found


def test_a_modules_data_files_come_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "ROOT", tmp_path)
    package = tmp_path / "signalbox" / "part"
    for path in (
        "__init__.py",
        "a.py",
        "b.py",
        "schemas/x.json",
        "schemas/tool.py",
        "__pycache__/a.pyc",
        "sub/__init__.py",
    ):
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text("from .. import other\n" if path == "a.py" else "")
    for name in ("__init__.py", "other.py", "unused.py"):
        (tmp_path / "signalbox" / name).write_text("")
    a_function(tmp_path / "functions" / "work", **{"handler.py": "import signalbox.part.a\n"})
    found = [path.relative_to(tmp_path / "signalbox").as_posix() for path in modules(tmp_path / "functions")]
    assert found == ["__init__.py", "other.py", "part/__init__.py", "part/a.py", "part/schemas/x.json"]


def test_the_layer_holds_no_deploy_side_code() -> None:
    found = {path.relative_to(ROOT).parts[1] for path in modules()}
    assert not found & {"cli", "packaging.py", "__main__.py"}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_imports_with_the_layers_modules_alone(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(layer_zip("python3.13", "x86_64", build=tmp_path)) as layer:
        layer.extractall(tmp_path / "opt")
    with zipfile.ZipFile(function_zip(FUNCTIONS / name, build=tmp_path)) as code:
        code.extractall(tmp_path / "task")
    program = (
        "import sys, handler, signalbox; assert callable(handler.handle); print(signalbox.__file__); "
        "print(*{m.partition('.')[0] for m in sys.modules} & {'pulumi', 'boto3', 'yaml', 'click', 'pydantic'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{tmp_path / 'task'}{os.pathsep}{tmp_path / 'opt' / 'python'}", "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    place, unwanted = (done.stdout + "\n").splitlines()[:2]
    assert place.startswith(str(tmp_path))
    assert unwanted == ""


def test_the_lock_pins_with_hashes_what_is_asked_for() -> None:
    pins = dict(
        re.findall(r"^([\w.-]+)==(\S+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", LOCK.read_text(), re.M)
    )
    asked = [
        Requirement(line)
        for line in (FUNCTIONS / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert asked
    for requirement in asked:
        assert requirement.specifier.contains(pins[requirement.name])
        assert "<" in str(requirement.specifier)
