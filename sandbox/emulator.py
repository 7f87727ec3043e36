"""MiniStack as the AWS of the sandbox: a process of its own, with our hooks in it, listening on loopback only.

It runs on a virtual environment of its own (it pins botocore), with IAM enforced, and keeps its state over restarts:
MiniStack saves when it is stopped, so what a killed emulator had not saved is gone.
"""

import contextlib
import fcntl
import functools
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sandbox.hooks import faults
from sandbox.places import ROOT, cache, one_at_a_time
from sandbox.progress import console, run

REQUIREMENTS = Path(__file__).parent / "emulator-requirements.txt"
LAUNCHER = Path(__file__).parent / "launch.py"
HOST = "127.0.0.1"
PREFERRED_PORT = int(os.environ.get("SIGNALBOX_PORT", "4566"))
"""What a new sandbox listens on where that is free."""
REGION = "eu-west-1"
ACCOUNT = "000000000000"
ACCESS_KEY = "test"
SECRET_KEY = "test"
"""The emulator's root credentials: it enforces IAM for everybody else."""

DEFAULT_RULES_PER_BUS = 300

START_SECONDS = 60
STOP_SECONDS = 30
IDLE_SECONDS = 5


class EmulatorError(Exception):
    """The emulator cannot be started or stopped; the message says why and where its log is."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator, known by the folder of its state. Whether it runs is asked of the system, not remembered."""

    state: Path
    rules_per_bus: int | None = None
    """The quota that PutRule enforces. None: as at its last start, at first AWS's default."""
    region: str = REGION

    @property
    def log(self) -> Path:
        """What the emulator and the hooks say, kept over restarts."""
        return self.state / "emulator.log"

    @property
    def records(self) -> Path:
        """JSON lines: every event on a bus, every delivery, every function call. See `hooks.records`."""
        return self.state / "records.jsonl"

    @property
    def port(self) -> int:
        """Chosen at the first start and kept, because URLs of queues and APIs hold it. 0: never started."""
        return int(self._settings().get("port", 0))

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL is set to."""
        return f"http://{HOST}:{self.port}"

    @property
    def rules_quota(self) -> int:
        """Rules that one bus may have."""
        return self.rules_per_bus or self._settings().get("rules_per_bus", DEFAULT_RULES_PER_BUS)

    def running(self) -> bool:
        """Is the process there? It holds a lock for as long as it lives, so a reused pid cannot mislead."""
        try:
            lock = self._lock_file.open("rb")
        except FileNotFoundError:
            return False
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def was_killed(self) -> bool:
        """Did it end otherwise than by `stop`? Then what it had not saved is gone."""
        return self._pid_file.exists() and not self.running()

    def start(self) -> bool:
        """Start it, or leave it running if it runs as it should. True: it was started. Raises EmulatorError."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "start.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second finds it running
            return self._start()

    def _start(self) -> bool:
        wanted = {"rules_per_bus": self.rules_quota, "region": self.region, "code": _code_digest()}
        have = self._settings()
        if self.running():
            if all(have.get(key) == value for key, value in wanted.items()):
                return False
            self.stop()
        python = interpreter()
        with one_at_a_time("emulator-start"):  # or two would find the same port free
            port = _port(have.get("port"))
            self._settings_file.write_text(json.dumps({**wanted, "port": port}))
            self._launch(python, port)
        return True

    def _launch(self, python: Path, port: int) -> None:
        temporary = self.state / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [python, LAUNCHER, self.state],
                cwd=self.state,
                env=self._environment(port, temporary),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a process group of its own: what is left of it can be ended as one
            )
        self._pid_file.write_text(str(process.pid))
        self._wait_until_healthy(process)

    def stop(self) -> bool:
        """Stop it and every process that it started. False: it did not run. Raises EmulatorError."""
        if not self.running():
            return False
        pid = int(self._pid_file.read_text())
        self._wait_until_idle()
        os.kill(pid, signal.SIGTERM)
        _reap(pid, STOP_SECONDS, self.running)
        killed = self.running()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # workers of Lambda functions that were busy
        if killed:
            _reap(pid, 5, self.running)
            if self.running():
                raise EmulatorError(f"the emulator (pid {pid}) does not stop; log: {self.log}")
        self._pid_file.unlink(missing_ok=True)
        return True

    def credentials(self) -> dict[str, str]:
        """Environment variables with which AWS SDKs, CLIs and Pulumi reach the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def client(self, service: str, **credentials: str) -> Any:
        """A boto3 client of `service`; `credentials` (boto3's names) in place of the root's."""
        keys = credentials or {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        return _client(service, self.endpoint, self.region, tuple(sorted(keys.items())))

    def get(self, path: str) -> Any:
        """The JSON that the emulator answers a GET of `path` (its own `/_ministack/…`) with."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise EmulatorError(f"GET {path}: {answer.status} {body[:300].decode(errors='replace')}")
        return json.loads(body)

    def emit(self, event: Mapping[str, Any], bus: str = "default") -> str:
        """Put an event on a bus as only AWS and its partners can: `source` `aws.…`, any `account`, `region`, `id`.

        `event` is in EventBridge's form (`detail-type`, `detail`, …). Gives its id.
        """
        only_aws = {"account": "Account", "region": "Region", "id": "EventId"}
        fields = {name: event[key] for key, name in only_aws.items() if key in event}
        entry: dict[str, Any] = {
            "EventBusName": bus,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": list(event.get("resources", ())),
            "TraceHeader": f"sandbox-emit:{json.dumps(fields)}",
        }
        if "time" in event:
            entry["Time"] = datetime.fromisoformat(event["time"])
        (answer,) = self.client("events").put_events(Entries=[entry])["Entries"]
        if "ErrorCode" in answer:
            raise EmulatorError(f"the event was refused: {answer['ErrorCode']}: {answer['ErrorMessage']}")
        return answer["EventId"]

    def fire(self, rule: str) -> None:
        """Let a rule with a schedule start its targets now, as if its time had come. Raises EmulatorError."""
        self.get(f"/_signalbox/due/{rule}")

    def fail_next(
        self, call: str, entries: Sequence[int] = (), code: str = "InternalFailure", holding: str = ""
    ) -> None:
        """The next `call` ("PutRule", …) fails with `code`; or ("PutEventsEntries", …) just its `entries`, from 0.

        `holding`: the next ("Invoke", or "Run": the function itself) whose payload holds this text.
        """
        file = self.state / "faults.json"
        there = json.loads(file.read_text()) if file.exists() else []
        fault = {"call": call, "entries": list(entries), "code": code, "holding": holding}
        faults.write(file, [*there, fault])

    @property
    def _settings_file(self) -> Path:
        return self.state / "emulator.json"

    @property
    def _pid_file(self) -> Path:
        return self.state / "emulator.pid"

    @property
    def _lock_file(self) -> Path:
        return self.state / "emulator.lock"

    def _settings(self) -> dict[str, Any]:
        try:
            return json.loads(self._settings_file.read_text())
        except FileNotFoundError:
            return {}

    def _environment(self, port: int, temporary: Path) -> dict[str, str]:
        # Nothing of the user's own AWS_* may reach the emulator or the functions, which inherit this.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
        return kept | {
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": self.region,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.state / "saved"),
            "TMPDIR": str(temporary),
            "LAMBDA_WARM_TTL_SECONDS": "60",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SIGNALBOX_RULES_PER_BUS": str(self.rules_quota),
        }

    def _wait_until_idle(self) -> None:
        """What is under way now would be missing from the saved state."""
        until = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < until:
            try:
                if not self.get("/_signalbox/pending")["pending"]:
                    return
            except (OSError, http.client.HTTPException):
                return  # it hangs or is going already
            time.sleep(0.05)

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if process.poll() is not None:
                raise EmulatorError(f"the emulator ended at once (exit {process.returncode}):\n{self._tail()}")
            try:
                self.get("/_ministack/health")
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise EmulatorError(f"the emulator did not come up within {START_SECONDS} s:\n{self._tail()}")

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-20:]
        return "\n".join([*lines, f"whole log: {self.log}"])


@functools.lru_cache(maxsize=128)
def _client(service: str, endpoint: str, region: str, keys: tuple[tuple[str, str], ...]) -> Any:
    # Of a session of its own: the default session would read the user's AWS configuration.
    config = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=70)
    return boto3.Session(region_name=region, **dict(keys)).client(service, endpoint_url=endpoint, config=config)


def interpreter() -> Path:
    """The Python of the emulator's virtual environment, made if it is not there. Raises sandbox.progress.StepFailed."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:8]
    home = cache() / f"emulator-python{version}-{key}"
    python = Path("bin") / "python"
    if not (home / python).exists():
        with one_at_a_time("emulator-install", console.print):
            if not (home / python).exists():  # or another process has made it meanwhile
                _make_environment(home, python)
    return home / python


def _make_environment(home: Path, python: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    log = cache() / "emulator-install.log"
    with tempfile.TemporaryDirectory(prefix="emulator-", dir=home.parent) as work:
        made = Path(work) / "venv"
        run("Python environment of the emulator", [sys.executable, "-m", "venv", made], log=log)
        pip = [made / python, "-m", "pip", "install", "--disable-pip-version-check", "-r", REQUIREMENTS]
        run("MiniStack (the AWS emulator) from PyPI", pip, log=log)
        made.rename(home)  # only whole: pip's own scripts break by the move, the interpreter does not


def _code_digest() -> str:
    """Names the code that runs inside the emulator, so that it is restarted when that has changed."""
    files = [LAUNCHER, REQUIREMENTS, *sorted((LAUNCHER.parent / "hooks").glob("*.py"))]
    files += [*sorted((ROOT / "signalbox" / "patterns").glob("*.py")), ROOT / "signalbox" / "transform.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _port(kept: int | None) -> int:
    if kept:
        if _free(kept):
            return kept
        raise EmulatorError(
            f"port {kept}, which the state of this sandbox is bound to, is in use by another program; "
            f"fix: stop that program, or start anew with `python -m sandbox down --forget`"
        )
    if _free(PREFERRED_PORT):
        return PREFERRED_PORT
    with socket.socket() as any_port:
        any_port.bind((HOST, 0))
        return any_port.getsockname()[1]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _reap(pid: int, seconds: float, running: Callable[[], bool]) -> None:
    """Wait until the process is gone; it is our child when this very process started it, else not."""
    until = time.monotonic() + seconds
    while running() and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
