"""The program deployed to the emulator by the real Pulumi engine. The CLI and the integration tests both drive this."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox import toolchain
from sandbox.emulator import Emulator
from sandbox.places import ROOT, STATE

PARK_TOPIC = "ride-times"
"""The topic that the ride controller owns: no part of the program, so the sandbox makes it."""

SUBSCRIPTIONS = {"maintenance-email": ["maintenance@example.com"], "maintenance-sms": ["+15550100"]}
PROVIDER = "pulumi-resource-aws"
CONFIGURED = ("up", "preview", "refresh", "destroy", "config")
"""Commands of `pulumi` that read the stack's configuration."""


class PulumiError(Exception):
    """A `pulumi` command failed; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A stack of a project on an emulator of its own, all its state in one folder."""

    state: Path = STATE
    project: Path = ROOT
    stack: str = "dev"
    rules_per_bus: int | None = None
    """Rules that a bus may have, in the emulator and as `signalbox:rules-quota`. None: as last time, at first 300."""
    aws_plugin: bool = False
    """Use Pulumi's own plugin for AWS in place of our stand-in."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Stack configuration on top of the committed `Pulumi.<stack>.yaml` and of what the sandbox needs."""

    @property
    def emulator(self) -> Emulator:
        """The emulator that the stack is deployed to."""
        return Emulator(self.state / "emulator", self.rules_per_bus)

    @property
    def config_file(self) -> Path:
        """The stack's configuration in here: the committed file is left as it is."""
        return self.state / f"Pulumi.{self.stack}.yaml"

    def start(self) -> None:
        """Engine, emulator, the ride controller's topic, the stack with its configuration: all that `pulumi` needs."""
        toolchain.find()
        self.emulator.start()
        topic = self.emulator.client("sns").create_topic(Name=PARK_TOPIC)["TopicArn"]
        self._write_provider()
        self._init_stack()
        self._write_config(topic)

    def stop(self) -> bool:
        """Stop every process of the sandbox. False: none ran."""
        return self.emulator.stop()

    def environment(self) -> dict[str, str]:
        """The variables with which `pulumi`, AWS CLIs and SDKs work on this sandbox."""
        # The interpreter that has the program's packages comes first for the language host that we build, which is too
        # old to be told of `virtualenv` in Pulumi.yaml.
        path = [str(toolchain.find()), str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)]
        if not self.aws_plugin:
            path.insert(1, str(self._bin))
        return {
            "PATH": os.pathsep.join(path),
            "PULUMI_BACKEND_URL": (self.state / "pulumi").resolve().as_uri(),
            "PULUMI_STACK": self.stack,
            # Any flag of the CLI can be given by a variable: this is --config-file.
            "PULUMI_OPTION_CONFIG_FILE": str(self.config_file),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            # The file backend writes the whole state at every step otherwise: quadratic in the number of resources.
            "PULUMI_EXPERIMENTAL": "1",
            "PULUMI_SKIP_CHECKPOINTS": "1",
            **self.emulator.credentials(),
        }

    def pulumi(self, *arguments: str, show: bool = False, folder: Path | None = None) -> str:
        """Run `pulumi` on the stack; what it wrote to stdout. `show`: to the terminal, and nothing is returned.

        `folder`: where, if not in the project's.

        Raises PulumiError.
        """
        environment = self._inherited() | self.environment()
        options = [] if show else ["--non-interactive"]
        if arguments[0] in CONFIGURED:
            options += ["--config-file", str(self.config_file)]  # for a CLI on PATH that is too old for the variable
        done = subprocess.run(
            ["pulumi", *arguments, *options],
            cwd=folder or self.project,
            env=environment,
            executable=str(toolchain.find() / "pulumi"),
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            said = "" if show else f":\n{done.stdout}{done.stderr}"
            raise PulumiError(f"`pulumi {' '.join(arguments)}` exited with {done.returncode}{said}")
        return "" if show else done.stdout

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs by name."""
        return json.loads(self.pulumi("stack", "output", "--json"))

    def exports(self) -> str:
        """`environment` as lines for a POSIX shell to evaluate."""
        values = self.environment()
        values["PATH"] = values["PATH"].removesuffix(os.environ.get("PATH", os.defpath))
        lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items() if name != "PATH"]
        return "\n".join([f'export PATH={shlex.quote(values["PATH"])}"$PATH"', *lines])

    @property
    def _bin(self) -> Path:
        return self.state / "bin"

    def _inherited(self) -> dict[str, str]:
        # Of the user's own AWS_* nothing may reach the engine: a profile or a real endpoint would win.
        return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))} | {
            name: os.environ[name] for name in ("PULUMI_HOME",) if name in os.environ
        }

    def _write_provider(self) -> None:
        self._bin.mkdir(parents=True, exist_ok=True)
        shim = self._bin / PROVIDER
        run = f"exec {shlex.quote(sys.executable)} -m sandbox.provider"
        shim.write_text(f'#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(ROOT))}\n{run} "$@"\n')
        shim.chmod(0o755)

    @property
    def _init_folder(self) -> Path:
        return self.state / "stack-init"

    def _init_stack(self) -> None:
        """Make the stack, away from the project: Pulumi rewrites the stack's file to put a salt into it."""
        (self.state / "pulumi").mkdir(exist_ok=True)
        if (self.state / "pulumi" / ".pulumi" / "stacks" / self._project_name() / f"{self.stack}.json").exists():
            return
        self._init_folder.mkdir(exist_ok=True)
        project = self._init_folder / "Pulumi.yaml"
        project.write_text(yaml.safe_dump({"name": self._project_name(), "runtime": "python"}))
        self.pulumi("stack", "init", "--no-select", self.stack, folder=self._init_folder)

    def _write_config(self, topic: str) -> None:
        committed = self.project / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(committed.read_text()) if committed.exists() else {}
        made = self._init_folder / self.config_file.name
        salt = (yaml.safe_load(made.read_text()) or {}) if made.exists() else {}
        machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        config = {
            **(document.get("config") or {}),
            "aws:region": self.emulator.region,
            "signalbox:architecture": machine,
            "signalbox:topics": {PARK_TOPIC: topic},
            "signalbox:subscriptions": SUBSCRIPTIONS,
            "signalbox:rules-quota": self.emulator.rules_quota,
            **self.config,
        }
        self.config_file.write_text(yaml.safe_dump({**salt, **document, "config": config}, sort_keys=False))

    def _project_name(self) -> str:
        return yaml.safe_load((self.project / "Pulumi.yaml").read_text())["name"]
