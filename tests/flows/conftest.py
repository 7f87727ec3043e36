"""One emulator for all tests of flows."""

from collections.abc import Iterator

import pytest

from sandbox.emulator import Emulator
from tests.flows.flow_stack import Stack


@pytest.fixture(scope="session")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    emulator.start()
    try:
        yield Stack(emulator)
    finally:
        emulator.stop()


@pytest.fixture
def stack(whole_stack: Stack) -> Iterator[Stack]:
    yield whole_stack
    whole_stack.undelivered()
    whole_stack.told()
