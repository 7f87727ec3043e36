"""The sandbox hands Pulumi what it needs, and nothing of the user's own AWS."""

import subprocess
from pathlib import Path

import pytest
import yaml

from sandbox import toolchain
from sandbox.stack import Sandbox

SALT = "v1:salt"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setattr(toolchain, "find", lambda: Path("/opt/pulumi bin"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: park\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("config:\n  signalbox:name: mine\n  signalbox:rules-quota: 7\n")
    state = tmp_path / "it's here"
    (state / "emulator").mkdir(parents=True)
    (state / "emulator" / "emulator.json").write_text('{"port": 4999}')
    (state / "stack-init").mkdir()
    (state / "stack-init" / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {SALT}\n")
    return Sandbox(state, project, config={"signalbox:conflicts": {"default": "store"}})


def test_the_exports_give_a_shell_the_same_environment(sandbox: Sandbox) -> None:
    lines = f"{sandbox.exports()}\nenv -0"
    shell = subprocess.run(["sh", "-c", lines], capture_output=True, text=True, check=True)
    values = dict(each.split("=", 1) for each in shell.stdout.split("\0") if each)
    assert {name: values.get(name) for name in sandbox.environment()} == sandbox.environment()


def test_the_users_own_aws_and_pulumi_variables_do_not_reach_the_engine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C")
    inherited = sandbox._inherited()
    assert inherited["LANG"] == "C"
    assert not {"AWS_PROFILE", "PULUMI_ACCESS_TOKEN"} & (inherited | sandbox.environment()).keys()


def test_the_stand_in_provider_is_on_path_unless_pulumis_own_is_wanted(sandbox: Sandbox) -> None:
    own = Sandbox(sandbox.state, sandbox.project, aws_plugin=True)
    assert str(sandbox.state / "bin") in sandbox.environment()["PATH"].split(":")
    assert str(sandbox.state / "bin") not in own.environment()["PATH"].split(":")


def test_the_configuration_is_the_committed_one_and_the_sandboxs_and_the_committed_file_stays(sandbox: Sandbox) -> None:
    committed = (sandbox.project / "Pulumi.dev.yaml").read_text()
    sandbox._write_config("arn:topic")
    document = yaml.safe_load(sandbox.config_file.read_text())
    assert document["encryptionsalt"] == SALT
    assert document["config"]["signalbox:name"] == "mine"
    assert document["config"]["signalbox:topics"] == {"ride-times": "arn:topic"}
    assert document["config"]["signalbox:rules-quota"] == 300
    assert document["config"]["signalbox:conflicts"] == {"default": "store"}
    assert (sandbox.project / "Pulumi.dev.yaml").read_text() == committed


def test_the_shim_starts_the_provider_of_this_checkout(sandbox: Sandbox) -> None:
    sandbox._write_provider()
    shim = sandbox.state / "bin" / "pulumi-resource-aws"
    assert subprocess.run(["sh", "-n", shim], check=True).returncode == 0
    assert "-m sandbox.provider" in shim.read_text()
    assert shim.stat().st_mode & 0o111
