"""How much of AWS's limits definitions use, the fullest first: so that nobody learns of a limit when it is reached."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from signalbox import classic, store
from signalbox.canonical import canonical
from signalbox.definitions.whole import uses_wildcard
from signalbox.flows import EXAMPLE, flow_of, shared_statements, statements
from signalbox.model import Definitions, Statement
from signalbox.problems import Problem

WARN_AT = 0.8
"""The part of a limit from which it is worth a warning."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (inline policies of a role)
ROLE_POLICY_LENGTH = 10_240
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
LOG_POLICY_LENGTH = 5_120
_STATEMENT = 400
"""What a policy holds beside the ARNs that make it grow."""


_SURELY = 1.3
"""From this part on, what is estimated is over its limit wherever it is deployed, under whatever name."""


@dataclass(frozen=True, slots=True)
class Use:
    """`used` of `limit` (in `unit`s), where it is fullest. `estimated`: names that only a deploy knows count."""

    what: str
    used: int
    limit: int
    where: str = ""
    unit: str = ""
    estimated: bool = False

    @property
    def share(self) -> float:
        """The part of the limit that is used; 1 is all of it."""
        return self.used / self.limit

    @property
    def amount(self) -> str:
        """`92 of 4,096 bytes`."""
        return f"{self.used:,} of {self.limit:,}{f' {self.unit}' if self.unit else ''}"


def budget(definitions: Definitions, rules_quota: int = classic.RULES_PER_BUS, stack: str = "") -> list[Use]:
    """What is used of each limit, the fullest first. Of limits that each rule or event has, its fullest.

    `stack` is its name (`signalbox:name`), which is part of ARNs in policies; not known, a name of usual length counts.
    """
    uses = [*_uses(definitions, rules_quota), *_policies(definitions, stack or "signalbox-production")]
    return sorted(uses, key=lambda use: (-use.share, use.what))


def budget_problems(uses: list[Use]) -> list[Problem]:
    """A warning for each limit that is used to 80 % or more, an error beyond it: for an estimate, far beyond it."""
    return [
        Problem(
            code="budget",
            what=f"{use.what}: {'about ' if use.estimated else ''}{use.share:.0%} of the limit is used",
            got=f"{use.amount}{f' ({use.where})' if use.where else ''}",
            fix=_fix(use),
            severity="error" if use.share > (_SURELY if use.estimated else 1) else "warning",
        )
        for use in uses
        if use.share >= WARN_AT
    ]


def _uses(definitions: Definitions, rules_quota: int) -> Iterator[Use]:
    routes = definitions.routes()
    events = definitions.events
    patterns = {route.id: classic.pattern_of(events[route.event_id], route) for route in routes}
    yield Use("rules on the bus", classic.rules_on_bus(len(routes)), rules_quota)
    wildcards = sum(map(uses_wildcard, patterns.values()))
    yield Use("rules with wildcards", wildcards, classic.WILDCARD_RULES_PER_BUS)
    targets = {route.id: classic.rule_targets(events[route.event_id], route) for route in routes}
    yield _fullest("targets of a rule", {id_: len(each) for id_, each in targets.items()}, classic.TARGETS_PER_RULE)
    lengths = {id_: len(canonical(pattern).encode()) for id_, pattern in patterns.items()}
    yield _fullest("pattern of a rule", lengths, classic.PATTERN_LENGTH, "bytes")
    templates = {
        f"{id_} to {target.id}": len(target.input_template or "") for id_, each in targets.items() for target in each
    }
    yield _fullest("input template", templates, classic.TEMPLATE_LENGTH, "characters")
    items = {event.id: store.item_bytes(store.event_item(event)) for event in events.values()}
    for flow_id, value in definitions.flows.items():
        items[f"flow {flow_id}"] = store.item_bytes(store.flow_item(flow_id, value, store.ORIGIN_DEFINITIONS))
    yield _fullest("item in the event store", items, classic.ITEM_BYTES, "bytes")


def _policies(definitions: Definitions, stack: str) -> Iterator[Use]:
    """The policies that grow with destinations and functions, about as the program writes them."""
    region, account = "eu-central-1", "123456789012"
    place = f"{region}:{account}"
    groups = [
        f'"arn:aws:logs:{place}:log-group:{each.physical_name or f"{stack}-{each.name}"}:*",'
        for each in definitions.destinations.values()
        if each.kind == "log-group" and each.arn is None
    ]
    # Each log group is in two statements: to make a stream, and to write to it.
    length = 2 * (_STATEMENT + sum(map(len, groups))) if groups else 0
    yield Use("policy of the log groups", length, LOG_POLICY_LENGTH, unit="characters", estimated=True)
    functions = definitions.functions.values()
    invoked = [f'"arn:aws:lambda:{place}:function:{stack}-{each.name}",' for each in functions if each.target]
    own = {each.name: _STATEMENT + sum(map(_statement_length, each.statements)) for each in functions}
    own[classic.ROUTER] = own.get(classic.ROUTER, _STATEMENT) + sum(map(len, invoked))
    names = replace(EXAMPLE, stack=stack, region=region, account=account)
    for flow_id, value in definitions.flows.items():
        allowed = statements(flow_of(flow_id, value), names, definitions.events)
        own[f"flow {flow_id}"] = sum(map(_statement_length, allowed))
    callable_ = [each.name for each in functions if each.target and each.runtime]
    own["flows made at run time"] = sum(map(_statement_length, shared_statements(names, callable_)))
    yield replace(_fullest("policy of a role", own, ROLE_POLICY_LENGTH, "characters"), estimated=True)


def _statement_length(statement: Statement) -> int:
    whole = [list(statement.actions), list(statement.resources), dict(statement.conditions)]
    # Placeholders are shorter than the ARNs that they stand for.
    return len(canonical(whole)) + 60 * sum(text.count("${") for text in statement.resources) + 60


def _fullest(what: str, used: dict[str, int], limit: int, unit: str = "") -> Use:
    where = max(used, key=lambda name: used[name], default="")
    return Use(what, used.get(where, 0), limit, where, unit)


def _fix(use: Use) -> str:
    match use.what:
        case "rules on the bus":
            return "have the quota raised in time, and say so in `signalbox:rules-quota`"
        case "rules with wildcards":
            return "use prefix and suffix where they say the same"
        case "targets of a rule":
            return "the next target needs a second route of the same pattern"
        case "policy of the log groups":
            return "send to fewer log groups, or to some that exist (`arn:`)"
        case "policy of a role" if use.where.startswith("flow "):
            return "make two flows of it, one emitting an event for the other"
    return ""
