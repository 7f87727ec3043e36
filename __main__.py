"""The Pulumi program: config, definitions, the store, components, outputs."""

from functools import partial
from pathlib import Path

import pulumi

from components.bus import Bus, BusArgs
from components.decisions import Decisions, DecisionsArgs
from components.destinations import Address, Destinations, DestinationsArgs
from components.event_routes import EventRoutes, EventRoutesArgs
from components.event_store import EventStore, EventStoreArgs
from components.event_store_wrapper import EventStoreWrapper, EventStoreWrapperArgs
from components.feeds import Feeds, FeedsArgs
from components.flows import Flows, FlowsArgs, silent_ends_rule
from components.inputs import RULE_SYNC, WRAPPER, pack_code, processing, read_definitions, read_plan, read_scope
from components.lambda_function import LambdaSettings
from components.layer import Layer, LayerArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.processing_functions import ProcessingFunctions, ProcessingFunctionsArgs
from components.registry import Registry, RegistryArgs
from components.router import Router, RouterArgs
from components.rule_sync import RuleSync, RuleSyncArgs
from components.settings import read_settings
from components.settle import begin_deploy, restore_rules, settle_rules
from components.triggers import Triggers, topics_of
from signalbox.classic import DEFAULT_BUS, ROUTER, feeds

ROOT = Path(__file__).parent
FUNCTIONS = ROOT / "functions"

settings = read_settings(pulumi.Config("signalbox"), f"{pulumi.get_project()}-{pulumi.get_stack()}")
scope = read_scope(settings)
definitions = read_definitions(ROOT / settings.mappings, FUNCTIONS, settings, scope)
plan = read_plan(definitions, settings, scope)
code = pack_code(FUNCTIONS, definitions, settings)
begin_deploy(plan, scope)

functions = definitions.functions
foreign = feeds(each.event for each in plan.events.values())

destinations = Destinations(
    "destinations",
    DestinationsArgs(scope, definitions.destinations, settings.subscriptions, settings.log_retention_days),
)
topics = {**destinations.arns("topic"), **settings.topics}
bus = Bus(
    "bus",
    BusArgs(
        scope,
        archive_days=settings.archive_days,
        router_timeout=functions[ROUTER].timeout,
        foreign_rules=(
            *(scope.feeds_arns if foreign else ()),
            scope.foreign_rule_arn(DEFAULT_BUS, silent_ends_rule(scope)),
        ),
        topics=topics_of(functions.values(), topics),
    ),
)
store = EventStore("store", EventStoreArgs(scope, settings.deletion_protection))
flows = Flows(
    "flows",
    FlowsArgs(scope, definitions, store.table, bus.undelivered, bus.undelivered_policy, settings.log_retention_days),
)
layer = Layer(
    "layer",
    LayerArgs(scope, code.layer, settings.runtime, settings.architecture),
)
lambdas = LambdaSettings(
    scope=scope,
    runtime=settings.runtime,
    architecture=settings.architecture,
    log_retention_days=settings.log_retention_days,
    layer_arn=layer.arn,
    placeholders={
        "name": scope.name,
        "account": scope.account,
        "region": scope.region,
        "partition": scope.partition,
        "bus.name": bus.bus.name,
        "bus.arn": bus.bus.arn,
        "store.name": store.table.name,
        "store.arn": store.table.arn,
        "state.name": store.state.name,
        "state.arn": store.state.arn,
        "undelivered.url": bus.undelivered.url,
        "undelivered.arn": bus.undelivered.arn,
        "retry.url": bus.retry.url,
        "retry.arn": bus.retry.arn,
        "flows.role": flows.role_arn,
        "flows.logs": flows.log_destination,
    },
)
triggers = Triggers(
    scope,
    topics=topics,
    queues={**destinations.arns("queue"), "retry": bus.retry.arn},
    streams={"store": store.table.stream_arn},
    failures=bus.undelivered,
)
processors = ProcessingFunctions(
    "functions", ProcessingFunctionsArgs(lambdas, processing(functions), code.functions, triggers)
)
router = Router(
    "router",
    RouterArgs(
        lambdas,
        functions[ROUTER],
        code.functions[ROUTER],
        [each for each in functions.values() if each.target],
        triggers,
    ),
)
addresses = {**destinations.addresses, ROUTER: Address(router.arn, after=(router.permission,))}
registry = Registry("registry", RegistryArgs(definitions, store.table, addresses, processors.arns))
if foreign:
    Feeds("feeds", FeedsArgs(scope, foreign, bus.bus, bus.undelivered.arn))
decided = [*plan.decisions, *(each.decision for each in plan.events.values() if each.decision)]
decisions = Decisions("decisions", DecisionsArgs(store.table, decided)).by_event if decided else {}
routes = [
    EventRoutes(
        event_id,
        EventRoutesArgs(
            stack=scope.name,
            event=event_plan.event if event_plan else None,
            routes=event_plan.routes if event_plan else {},
            bus=bus.bus,
            table=store.table,
            addresses=addresses,
            undelivered=bus.undelivered.arn,
            registry=[
                *registry.items,
                *flows.items,
                bus.undelivered_policy,
                *destinations.permissions,
                *([decisions[event_id]] if event_id in decisions else []),
            ],
            restore=partial(restore_rules, plan, scope, event_id),
        ),
    )
    for event_id, event_plan in [*plan.events.items(), *((gone, None) for gone in plan.gone)]
]
RuleSync(
    "rule-sync",
    RuleSyncArgs(
        lambdas,
        functions[RULE_SYNC],
        code.functions[RULE_SYNC],
        [each.role_arn for each in destinations.addresses.values() if each.role_arn],
        triggers,
    ),
)
settle_rules(
    plan,
    scope,
    bus.undelivered.arn,
    [*decisions.values(), *(each.item for each in routes)],
    [store.table.id, *(each.written for each in routes)],
)
wrapper = EventStoreWrapper(
    "api", EventStoreWrapperArgs(lambdas, functions[WRAPPER], code.functions[WRAPPER], settings.jwt)
)
monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(
        scope,
        bus.undelivered,
        router.lambda_function.function,
        [widget for each in functions.values() for widget in each.widgets],
        settings.alarm_actions,
    ),
)

pulumi.export("bus", bus.bus.name)
pulumi.export("api", wrapper.url)
pulumi.export("reader-policy", wrapper.reader.arn)
pulumi.export("operator-policy", wrapper.operator.arn)
pulumi.export("store", store.table.name)
pulumi.export("state", store.state.name)
pulumi.export("undelivered", bus.undelivered.url)
pulumi.export("dashboard", monitoring.dashboard.dashboard_name)
pulumi.export("routes", sum(len(each.routes) for each in plan.events.values()))
