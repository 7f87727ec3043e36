"""The theme park, deployed once by the real engine for all tests that only send events to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import Sandbox


@pytest.fixture(scope="session")
def park(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The default program and content on an emulator of its own. Tests leave it as they found it."""
    sandbox = Sandbox(state=tmp_path_factory.mktemp("park"))
    sandbox.start()
    try:
        sandbox.pulumi("up", "--yes", "--skip-preview")
        yield sandbox
    finally:
        sandbox.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of the test's own, started and not deployed to."""
    sandbox = Sandbox(state=tmp_path / "sandbox")
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
