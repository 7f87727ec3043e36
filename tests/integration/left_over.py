"""What a stack left behind."""

from typing import Any

from sandbox.stack import Sandbox


def left_over(sandbox: Sandbox) -> dict[str, list[Any]]:
    """Everything on the emulator that is of a stack, by kind; what nobody deployed is left out."""
    client = sandbox.emulator.client
    buses = [each["Name"] for each in client("events").list_event_buses()["EventBuses"]]
    rules = [each["Name"] for bus in buses for each in client("events").list_rules(EventBusName=bus)["Rules"]]
    found: dict[str, list[Any]] = {
        "buses": [bus for bus in buses if bus != "default"],
        "rules": rules,
        "archives": client("events").list_archives()["Archives"],
        "functions": client("lambda").list_functions()["Functions"],
        "layers": client("lambda").list_layers()["Layers"],
        "mappings": client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "state machines": client("stepfunctions").list_state_machines()["stateMachines"],
        "topics": [t for t in client("sns").list_topics()["Topics"] if not t["TopicArn"].endswith(":ride-times")],
        "subscriptions": client("sns").list_subscriptions()["Subscriptions"],
        "log groups": client("logs").describe_log_groups()["logGroups"],
        "log policies": client("logs").describe_resource_policies()["resourcePolicies"],
        "roles": client("iam").list_roles()["Roles"],
        "policies": client("iam").list_policies(Scope="Local")["Policies"],
        "apis": client("apigatewayv2").get_apis()["Items"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": client("cloudwatch").list_dashboards()["DashboardEntries"],
    }
    return {kind: things for kind, things in found.items() if things}
