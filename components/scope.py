"""Where a stack lives: its name, account, region and partition, and the ARNs that follow from them."""

from dataclasses import dataclass

from signalbox import physical_names
from signalbox.classic import DEFAULT_BUS, feed_name
from signalbox.names import STORE, physical, table


@dataclass(frozen=True, slots=True)
class Scope:
    """`name` is `signalbox:name`; `partition` is `aws`, `aws-cn`, …"""

    name: str
    account: str
    region: str
    partition: str

    def physical(self, part: str, limit: int = 64) -> str:
        """The physical name of a resource of this stack."""
        return physical(self.name, part, limit)

    @property
    def store_table(self) -> str:
        """The name of the event store's table."""
        return table(self.name, STORE)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of `resource` of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def rules_arn(self) -> str:
        """Every rule of our bus: the scope of all permissions that EventBridge gets, so that none grows with routes."""
        return self.arn("events", f"rule/{self.name}/*")

    def foreign_rule_arn(self, bus: str, rule: str) -> str:
        """The ARN of a rule on another bus of this account, by the bus's name."""
        return self.arn("events", f"rule/{rule}" if bus == DEFAULT_BUS else f"rule/{bus}/{rule}")

    @property
    def feeds_arns(self) -> list[str]:
        """Every feed rule of the stack, on whichever bus: on the default bus a rule's ARN does not name the bus."""
        rule = feed_name(self.name, None)
        return [self.foreign_rule_arn(bus, rule) for bus in (DEFAULT_BUS, "*")]

    def function_arn(self, function: str) -> str:
        """The ARN of one of our functions, by its folder's name."""
        return self.arn("lambda", f"function:{physical_names.function(self.name, function)}")
