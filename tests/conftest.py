"""What holds for all tests: the workers of pytest-xdist do not take each other's ports."""

import os

if worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    os.environ["SIGNALBOX_PORT"] = str(4600 + int(worker))
