"""The Pulumi engine is found, else installed, else built; a half-made one is never used."""

import io
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sandbox import toolchain
from sandbox.toolchain import FILES, LANGUAGE_HOST, ToolchainError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty cache, empty PATH, no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    return tmp_path / "cache" / "signalbox"


def unreachable(*_: object, **__: object) -> None:
    raise urllib.error.URLError("no such host")


def engine(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or FILES:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def makes_engine(work: Path, _log: Path) -> None:
    engine(work / "bin")


def must_not_run(*_: object) -> None:
    raise AssertionError("nothing may be made here")


def test_the_pulumi_on_path_with_its_language_host_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_build", must_not_run)
    folder = engine(tmp_path / "bin", "pulumi", LANGUAGE_HOST)
    assert toolchain.find() == folder


def test_a_link_on_path_leads_to_the_folder_of_the_engine(tmp_path: Path) -> None:
    real = engine(tmp_path / "opt", "pulumi", LANGUAGE_HOST)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").symlink_to(real / "pulumi")
    assert toolchain.on_path() == real


def test_a_pulumi_on_path_without_the_python_host_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_build", makes_engine)
    engine(tmp_path / "bin", "pulumi")
    assert toolchain.find() != tmp_path / "bin"


def test_what_was_made_is_used_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_build", makes_engine)
    made = toolchain.find()
    assert made.parent == cache
    monkeypatch.setattr(toolchain, "_build", must_not_run)
    assert toolchain.find() == made


def test_a_make_that_is_stopped_halfway_leaves_nothing_to_use(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(work: Path, _log: Path) -> None:
        engine(work / "bin", "pulumi")
        raise KeyboardInterrupt

    monkeypatch.setattr(toolchain, "_build", stopped)
    with pytest.raises(KeyboardInterrupt):
        toolchain.find()
    assert toolchain.cached() is None
    assert list(cache.iterdir()) == []


def test_the_cache_is_keyed_by_the_locked_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_build", makes_engine)
    made = toolchain.find()
    modules = tmp_path / "modules"
    shutil.copytree(toolchain.MODULES, modules)
    (modules / "cli" / "go.sum").write_text("other")
    monkeypatch.setattr(toolchain, "MODULES", modules)
    assert toolchain.cached() is None
    assert toolchain.find() != made


def test_without_network_and_go_the_error_says_what_was_tried_and_helps() -> None:
    started = time.monotonic()
    with pytest.raises(ToolchainError, match=r"not on PATH.*get\.pulumi\.com/ cannot be reached.*fix: install Go"):
        toolchain.find()
    assert time.monotonic() - started < 1


def test_an_installer_that_brings_no_language_host_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    script = b'mkdir -p "$5/bin" 2>/dev/null; exit 0\n'
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(script))
    monkeypatch.setattr(toolchain, "_build", must_not_run)
    with pytest.raises(AssertionError, match="nothing may be made here"):  # it went on to build
        toolchain.find()
