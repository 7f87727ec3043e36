"""Definitions: the files that say which events there are, how they are routed, and where to.

`load` and `read` take files; `check_routing_config` takes what the API gets. The reading of YAML is imported only by
those who read files: the Lambdas that check a body have no need of it.
"""

from pathlib import Path

from signalbox.classic import RULES_PER_BUS
from signalbox.model import Definitions
from signalbox.problems import DefinitionError, Problem, errors


def load(
    path: Path,
    functions: Path,
    *,
    own_bus: str = "",
    account: str = "",
    region: str = "",
    partition: str = "",
    rules_quota: int = RULES_PER_BUS,
    source: str | None = None,
) -> tuple[Definitions, list[Problem]]:
    """The definitions under `path`, and the warnings. Raises DefinitionError with every problem where there is an
    error. The arguments are those of `read`."""
    definitions, problems = read(
        path,
        functions,
        own_bus=own_bus,
        account=account,
        region=region,
        partition=partition,
        rules_quota=rules_quota,
        source=source,
    )
    if definitions is None:
        raise DefinitionError(problems)
    return definitions, problems


def read(
    path: Path,
    functions: Path,
    *,
    own_bus: str = "",
    account: str = "",
    region: str = "",
    partition: str = "",
    rules_quota: int = RULES_PER_BUS,
    source: str | None = None,
) -> tuple[Definitions | None, list[Problem]]:
    """The definitions under `path`, and every problem, warnings too; None for them where there is an error.

    `path` is a folder of YAML files or a Python file of two dicts, `functions` the folder of processing functions.
    What only a deploy knows makes more checks possible: `own_bus` (the name of our bus), `account`, `region`,
    `partition`, `rules_quota` (rules that a bus may have). `source` is that of events whose Python dict gives none.
    """
    from signalbox.definitions import loader
    from signalbox.definitions.budget import budget, budget_problems
    from signalbox.definitions.context import Stack

    stack = Stack(own_bus, account, region, partition, rules_quota)
    definitions, problems = loader.read(path, functions, stack=stack, source=source)
    if definitions is not None:
        problems += budget_problems(budget(definitions, rules_quota, own_bus))
    return (None if errors(problems) else definitions), problems
