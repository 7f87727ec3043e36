"""Flows: a state machine for each flow of the definitions, and what those made at run time need of the deploy."""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.policy import allow, assumed_by, document
from components.scope import Scope
from components.stored_item import stored_item
from signalbox.canonical import canonical
from signalbox.flows import (
    LOG_LEVEL,
    Flow,
    Names,
    compile_flow,
    definition,
    flow_of,
    machine_type,
    shared_statements,
    silent_ends,
    statements,
)
from signalbox.model import Definitions, Statement
from signalbox.physical_names import flow_logs, flow_role
from signalbox.store import ORIGIN_DEFINITIONS, flow_item

STATES = "states.amazonaws.com"


def silent_ends_rule(scope: Scope) -> str:
    """The name of the rule, on the account's default bus, for runs that ended without having said so."""
    return scope.physical("flow-ends")


@dataclass(frozen=True, slots=True)
class FlowsArgs:
    """`undelivered` gets the events of runs that failed; `undelivered_policy` lets EventBridge write to it."""

    scope: Scope
    definitions: Definitions
    table: aws.dynamodb.Table
    undelivered: aws.sqs.Queue
    undelivered_policy: aws.sqs.QueuePolicy
    log_retention_days: int


class Flows(Component):
    """The state machines of the definitions' flows with a role and an item in the store each.

    `items` are those items: whoever finds a flow in the store may start it. `role_arn` is the role of all flows made at
    run time, `log_destination` the one log group of all state machines, as Step Functions takes it.
    """

    def __init__(self, name: str, args: FlowsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self.log_destination = self._logs()
        self.role_arn = self._shared_role()
        flows = [flow_of(flow_id, document) for flow_id, document in args.definitions.flows.items()]
        self.machines = {flow.id: self._machine(flow) for flow in flows}
        self.items = [self._item(flow) for flow in flows]
        self._on_silent_ends()
        self.register_outputs({"role": self.role_arn})

    def _logs(self) -> pulumi.Output[str]:
        group = aws.cloudwatch.LogGroup(
            f"{self.name}-logs",
            name=flow_logs(self._args.scope.name),
            retention_in_days=self._args.log_retention_days,
            opts=self.child(),
        )
        return group.arn.apply(lambda arn: f"{arn.removesuffix(':*')}:*")

    def _shared_role(self) -> pulumi.Output[str]:
        """The role of flows made at run time: it outlives them all, because who makes them makes no roles."""
        functions = self._args.definitions.functions.values()
        callable_ = [each.name for each in functions if each.target and each.runtime]
        machines = self._names().machine_arn("*")
        role, policy = self._role("", None, shared_statements(self._names(), callable_), machines)
        # Not before it may do its work: a state machine that logs is refused with a role that may not.
        return pulumi.Output.all(role.arn, policy.id).apply(lambda known: known[0])

    def _role(
        self, suffix: str, flow: str | None, allowed: list[Statement], machine: str
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{self.name}{suffix}-role",
            name=flow_role(self._args.scope.name, flow),
            # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
            assume_role_policy=assumed_by(STATES, machine),
            opts=self.child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self.name}{suffix}-policy",
            name="signalbox",
            role=role.name,
            policy=document(
                *(allow(each.actions, list(each.resources), conditions=each.conditions) for each in allowed)
            ),
            opts=self.child(),
        )
        return role, policy

    def _machine(self, flow: Flow) -> aws.sfn.StateMachine:
        allowed = statements(flow, self._names(), self._args.definitions.events)
        role, policy = self._role(f"-{flow.id}", flow.id, allowed, self._names().machine_arn(flow.id))
        return aws.sfn.StateMachine(
            f"{self.name}-{flow.id}",
            name=self._names().machine(flow.id),
            type=machine_type(flow),
            definition=self._args.undelivered.url.apply(self._compiled(flow)),
            role_arn=role.arn,
            logging_configuration=aws.sfn.StateMachineLoggingConfigurationArgs(
                log_destination=self.log_destination,
                level=LOG_LEVEL,
                include_execution_data=False,
            ),
            tracing_configuration=aws.sfn.StateMachineTracingConfigurationArgs(enabled=True),
            tags=self._names().tags(flow.id, ORIGIN_DEFINITIONS),
            # Its type is for ever, and so is its name: a flow that becomes repeatable cannot have both machines.
            opts=self.child(depends_on=[policy], delete_before_replace=True),
        )

    def _compiled(self, flow: Flow) -> Callable[[str], str]:
        events = self._args.definitions.events
        return lambda url: definition(compile_flow(flow, self._names(url), events))

    def _item(self, flow: Flow) -> aws.dynamodb.TableItem:
        item = flow_item(flow.id, self._args.definitions.flows[flow.id], ORIGIN_DEFINITIONS)
        return stored_item(self, f"{flow.id}-item", self._args.table, item, depends_on=[self.machines[flow.id]])

    def _on_silent_ends(self) -> None:
        """Runs that were stopped, ran out of time or out of history: nothing inside them could tell of it.

        The target has no dead-letter queue: it is the one.
        """
        rule = aws.cloudwatch.EventRule(
            f"{self.name}-ends",
            name=silent_ends_rule(self._args.scope),
            event_pattern=canonical(silent_ends(self._names())),
            description=f"Keeps the events of flows of {self._args.scope.name} that ended in silence",
            state="ENABLED",
            opts=self.child(),
        )
        aws.cloudwatch.EventTarget(
            f"{self.name}-ends-undelivered",
            rule=rule.name,
            target_id="undelivered",
            arn=self._args.undelivered.arn,
            opts=self.child(depends_on=[self._args.undelivered_policy]),
        )

    def _names(self, undelivered_url: str = "") -> Names:
        """The stack as flows see it; only their definitions have the URL of the queue in them."""
        scope = self._args.scope
        return Names(scope.name, scope.region, scope.account, undelivered_url, scope.partition)
