"""The real layer, with wheels from a package index: for every runtime and architecture, small, and built for it."""

import re
import zipfile
from pathlib import Path

import pytest

from signalbox.packaging import ARCHITECTURES, RUNTIMES, layer_zip

ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_layer_is_small_and_made_for_its_platform(tmp_path: Path, runtime: str, architecture: str) -> None:
    # A build folder of its own: what is tested includes the download.
    with zipfile.ZipFile(layer_zip(runtime, architecture, build=tmp_path)) as layer:
        assert sum(entry.file_size for entry in layer.infolist()) < 60_000_000
        libraries = [name for name in layer.namelist() if name.endswith(".so")]
        assert libraries
        for name in libraries:
            header = layer.read(name)[:20]
            assert header[:4] == b"\x7fELF"
            assert header[18] == ELF_MACHINES[architecture]
            assert "abi3" in name or f"cp{runtime.removeprefix('python').replace('.', '')}" in re.sub(r"\W", "", name)
        top = {name.split("/")[1].partition(".")[0] for name in layer.namelist()}
        assert {"signalbox", "jsonschema_rs", "aws_lambda_powertools", "jmespath"} <= top
        assert not top & {"boto3", "botocore", "pydantic", "pydantic_core"}
