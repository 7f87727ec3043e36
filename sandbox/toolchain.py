"""The real Pulumi engine: found on PATH, else installed by Pulumi's own installer, else built from its Go modules.

What is installed or built goes to the user's cache under a name that says which version and which locked modules it
is, and only when it is whole: a half-built one is never used.
"""

import hashlib
import json
import platform
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from sandbox.places import cache, one_at_a_time
from sandbox.progress import StepFailed, console, run

VERSION = "3.259.0"
"""Of the Pulumi CLI, where we install or build it; one that is found on PATH is taken as it is."""

LANGUAGE_HOST = "pulumi-language-python"
LANGUAGE_SHIM = "pulumi-language-python-exec"
FILES = ("pulumi", LANGUAGE_HOST, LANGUAGE_SHIM)

MODULES = Path(__file__).parent / "toolchain_modules"
CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# The language host is a module of its own since sdk v3.80 and that module is not published; this one works with later
# engines. The shim that it starts must know the newer SDK, so it is taken from the CLI's release.
LANGUAGE_PACKAGE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
SDK_MODULE = f"github.com/pulumi/pulumi/sdk/v3@v{VERSION}"
INSTALLER = "https://get.pulumi.com/"
INSTALLER_TIMEOUT_SECONDS = 4


class ToolchainError(Exception):
    """No Pulumi engine can be had here; the message says what was tried and what would help."""


def find() -> Path:
    """The folder that holds `pulumi` and its Python language host; made if need be. Raises ToolchainError."""
    if found := on_path() or cached():
        return found
    with one_at_a_time("toolchain", console.print):  # who comes second finds it made
        return cached() or _made()


def on_path() -> Path | None:
    """The folder of the `pulumi` on PATH, if its Python language host lies beside it."""
    found = shutil.which("pulumi")
    if not found:
        return None
    for folder in (Path(found).parent, Path(found).resolve().parent):
        if (folder / LANGUAGE_HOST).exists():
            return folder
    return None


def cached() -> Path | None:
    """The folder of the engine in the cache, if it is there."""
    folder = _home()
    return folder if all((folder / name).exists() for name in FILES) else None


def _home() -> Path:
    locked = b"".join(path.read_bytes() for path in sorted(MODULES.glob("*/go.*")))
    key = hashlib.sha256(locked).hexdigest()[:8]
    return cache() / f"pulumi-{VERSION}-{platform.system()}-{platform.machine()}-{key}".lower()


def _made() -> Path:
    home = _home()
    home.parent.mkdir(parents=True, exist_ok=True)
    log = cache() / "toolchain.log"
    tried: list[str] = []
    for make in (_install, _build):
        # In a folder of its own first: one that is stopped harms nobody.
        with tempfile.TemporaryDirectory(prefix="pulumi-", dir=home.parent) as work:
            try:
                make(Path(work), log)
            except (ToolchainError, StepFailed) as error:
                tried.append(str(error))
                continue
            (Path(work) / "bin").rename(home)
            return home
    raise ToolchainError("no Pulumi engine: not on PATH; " + "; ".join(tried))


def _install(work: Path, log: Path) -> None:
    """Pulumi's own installer, which brings all language hosts."""
    try:
        with urllib.request.urlopen(INSTALLER, timeout=INSTALLER_TIMEOUT_SECONDS) as answer:
            script = answer.read()
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise ToolchainError(f"{INSTALLER} cannot be reached ({getattr(error, 'reason', error)})") from error
    installer = work / "install.sh"
    installer.write_bytes(script)
    command = ["sh", installer, "--version", VERSION, "--no-edit-path", "--install-root", work]
    run(f"Pulumi {VERSION} by its installer", command, log=log)
    missing = [name for name in FILES if not (work / "bin" / name).exists()]
    if missing:
        raise ToolchainError(f"the installer of Pulumi brought no {', '.join(missing)}")


def _build(work: Path, log: Path) -> None:
    """CLI and language host from their Go modules, versions locked in `toolchain_modules`."""
    go = shutil.which("go")
    if not go:
        raise ToolchainError("no Go (1.25.11 or newer) on PATH to build it; fix: install Go, or Pulumi itself")
    console.print(f"Building Pulumi {VERSION} from its Go modules: some minutes, once. Log: {log}")
    version = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
    binaries = work / "bin"
    for module, package, name, flags in (
        ("language", LANGUAGE_PACKAGE, LANGUAGE_HOST, "-s -w"),
        ("cli", CLI_PACKAGE, "pulumi", f"-s -w {version}"),
    ):
        folder = work / module
        shutil.copytree(MODULES / module, folder)
        command = [go, "build", "-buildvcs=false", "-ldflags", flags, "-o", binaries / name, package]
        run(f"go build {name}", command, cwd=folder, log=log)
    shim = _module_folder(go, SDK_MODULE, work / "cli") / "python" / "cmd" / LANGUAGE_SHIM
    shutil.copyfile(shim, binaries / LANGUAGE_SHIM)
    (binaries / LANGUAGE_SHIM).chmod(0o755)


def _module_folder(go: str, module: str, cwd: Path) -> Path:
    done = subprocess.run(
        [go, "mod", "download", "-json", module], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolchainError(f"Go module {module} cannot be had: {done.stderr.strip() or done.stdout.strip()}")
    return Path(json.loads(done.stdout)["Dir"])
