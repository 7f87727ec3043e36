"""Which stack a command is about: what Pulumi.yaml and the stack's own file say, without running Pulumi."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from signalbox.classic import RULES_PER_BUS
from signalbox.names import STORE, table

if TYPE_CHECKING:
    from signalbox.flows import Names

NAMESPACE = "signalbox"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's configuration as its files say. `name` is `signalbox:name`, `root` the project's folder."""

    name: str
    root: Path
    config: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `signalbox:<key>`; `default` where no file has it."""
        value = self.config.get(f"{NAMESPACE}:{key}")
        return default if value in (None, "") else value

    @property
    def mappings(self) -> Path:
        """Where the definitions are."""
        return self.root / self.get("mappings", "mappings")

    @property
    def functions(self) -> Path:
        """Where the processing functions are."""
        return self.root / "functions"

    @property
    def rules_quota(self) -> int:
        """Rules that the bus may have."""
        return int(self.get("rules-quota", RULES_PER_BUS))

    @property
    def store(self) -> str:
        """The event store's table."""
        return table(self.name, STORE)

    def names(self, session: Any) -> "Names":
        """How things are called where `session`, a boto3 session, leads; the URL of the queue `undelivered` is empty
        before the stack is deployed. Raises botocore's errors."""
        from signalbox.flows import Names

        caller = session.client("sts").get_caller_identity()
        names = Names(self.name, session.region_name, caller["Account"], "", caller["Arn"].split(":")[1])
        queues = session.client("sqs")
        try:
            url = queues.get_queue_url(QueueName=names.undelivered)["QueueUrl"]
        except queues.exceptions.QueueDoesNotExist:
            return names
        return replace(names, undelivered_url=url)

    def session(self) -> Any:
        """A boto3 session for the stack's region and profile, as its provider's configuration says.

        Raises click.ClickException where there is no such profile or no region.
        """
        import boto3  # a third of a second that commands without AWS need not wait for
        from botocore.exceptions import BotoCoreError

        profile = self.config.get("aws:profile")
        try:
            session = boto3.Session(region_name=self.config.get("aws:region"), profile_name=profile)
        except BotoCoreError as error:
            raise click.ClickException(f"{error}; fix: log in, or pulumi config set aws:profile <profile>") from error
        if session.region_name is None:
            raise click.ClickException(
                "no AWS region; fix: pulumi config set aws:region <region>, or set AWS_DEFAULT_REGION"
            )
        return session


@contextmanager
def talking() -> Iterator[None]:
    """AWS's errors as a line for people: inside, they become click.ClickException."""
    from botocore.exceptions import BotoCoreError, ClientError

    from signalbox.reconcile.ports import CallError as RuleCallError
    from signalbox.runtime.errors import CallError
    from signalbox.store import StoreError

    try:
        yield
    except (BotoCoreError, ClientError, RuleCallError, CallError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def stack_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a person says which stack is meant."""
    command = click.option(
        "--config-file",
        envvar="PULUMI_OPTION_CONFIG_FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The stack's configuration, as for pulumi.",
    )(command)
    return click.option(
        "--stack", "-s", "stack_name", envvar="PULUMI_STACK", help="The Pulumi stack.  [default: the only one]"
    )(command)


def read_stack(stack_name: str | None, config_file: Path | None, root: Path | None = None) -> Stack:
    """The stack that the options mean. Raises click.UsageError that says how to name one."""
    root = root or Path()  # what is said of its files is said as the person would name them here
    project_file = root / "Pulumi.yaml"
    if not project_file.exists():
        raise click.UsageError(f"no Pulumi.yaml in {root.absolute()}; fix: call this in the project's folder")
    project = yaml.safe_load(project_file.read_text())
    stack_name = (stack_name or _only_stack(root)).rpartition("/")[2]
    config_file = config_file or _config_file(root, stack_name)
    if not config_file.exists():
        raise click.UsageError(f"there is no {config_file}; fix: name another stack with --stack, or its --config-file")
    defaults = {key: value.get("default") for key, value in project.get("config", {}).items()}
    config = {**defaults, **((yaml.safe_load(config_file.read_text()) or {}).get("config") or {})}
    name = config.get(f"{NAMESPACE}:name") or f"{project['name']}-{stack_name}"
    return Stack(name, root, config)


def _config_file(root: Path, stack_name: str) -> Path:
    return root / f"Pulumi.{stack_name}.yaml"


def _only_stack(root: Path) -> str:
    found = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))
    if len(found) != 1:
        raise click.UsageError(
            f"which stack? got: {', '.join(found) or 'none'}; fix: --stack NAME, or set PULUMI_STACK"
        )
    return found[0]
