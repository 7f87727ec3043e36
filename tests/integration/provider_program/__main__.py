"""One resource of every type that the stand-in provider has. `CHANGES` in the environment (JSON) alters values."""

import json
import os
from typing import Any

import pulumi
import pulumi_aws as aws

_CHANGES: dict[str, Any] = json.loads(os.environ.get("CHANGES", "{}"))


def value(key: str, default: Any) -> Any:
    return _CHANGES.get(key, default)


def allow(service: str | list[str], action: str, resource: pulumi.Input[str] | None = None) -> pulumi.Output[str]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action}
    statement |= {"Resource": resource} if resource is not None else {}
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})


account = aws.get_caller_identity().account_id
pulumi.export("account", account)
pulumi.export("region", aws.get_region().region)
pulumi.export("partition", aws.get_partition().partition)

# Events
bus = aws.cloudwatch.EventBus("bus", name="park", description="events", tags={"team": value("tag", "a")})
undelivered = aws.sqs.Queue("undelivered", name="park-undelivered", message_retention_seconds=1209600)
aws.cloudwatch.EventArchive("archive", name="park-archive", event_source_arn=bus.arn, retention_days=7)
rule = aws.cloudwatch.EventRule(
    "rule",
    name=value("rule", "outage.call"),
    event_bus_name=bus.name,
    state="ENABLED",
    description="[signalbox park outage/call]",
    event_pattern=json.dumps(
        {"source": ["x"], "detail": {"wait": [{"numeric": [">", value("wait", 1.0)]}], "a": ["<&>"]}}
    ),
)
aws.cloudwatch.EventTarget(
    "target",
    rule=rule.name,
    event_bus_name=bus.name,
    target_id="undelivered",
    arn=undelivered.arn,
    retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": value("attempts", 5)},
    dead_letter_config={"arn": undelivered.arn},
    input_transformer={"input_paths": {"ride": "$.detail.ride"}, "input_template": '"at <ride>"'},
)
if connection := value("connection", ""):
    aws.cloudwatch.EventApiDestination(
        "api-destination",
        name="park-api",
        connection_arn=connection,
        http_method="POST",
        invocation_endpoint="https://example.com/x",
        invocation_rate_limit_per_second=10,
    )

# Queues and topics
aws.sqs.QueuePolicy(
    "queue-policy",
    queue_url=undelivered.url,
    policy=allow("events.amazonaws.com", "sqs:SendMessage", undelivered.arn),
)
retry = aws.sqs.Queue(
    "retry",
    name="park-retry",
    visibility_timeout_seconds=value("visibility", 60),
    redrive_policy=pulumi.Output.json_dumps({"deadLetterTargetArn": undelivered.arn, "maxReceiveCount": 5}),
)
aws.sqs.Queue("fifo", name="park.fifo", fifo_queue=True, content_based_deduplication=True)
automatic = aws.sqs.Queue("automatic")
pulumi.export("automatic", automatic.name)
topic = aws.sns.Topic("topic", name="park-topic", display_name="Park")
aws.sns.TopicPolicy("topic-policy", arn=topic.arn, policy=allow("events.amazonaws.com", "sns:Publish", topic.arn))
aws.sns.TopicSubscription("to-queue", topic=topic.arn, protocol="sqs", endpoint=retry.arn, raw_message_delivery=True)
aws.sns.TopicSubscription("to-mail", topic=topic.arn, protocol="email", endpoint="a@example.com")

# Logs and metrics
group = aws.cloudwatch.LogGroup("group", name="/aws/events/park", retention_in_days=value("days", 30))
aws.cloudwatch.LogResourcePolicy(
    "group-policy",
    policy_name="park",
    policy_document=allow(
        ["events.amazonaws.com", "delivery.logs.amazonaws.com"],
        "logs:PutLogEvents",
        pulumi.Output.concat(group.arn, ":*"),
    ),
)
aws.cloudwatch.Dashboard(
    "dashboard",
    dashboard_name="park",
    dashboard_body=json.dumps({"widgets": [{"type": "text", "properties": {"markdown": value("title", "t")}}]}),
)
aws.cloudwatch.MetricAlarm(
    "alarm",
    name="park-undelivered",
    alarm_description="Events that nobody got",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=1,
    metric_name="ApproximateNumberOfMessagesVisible",
    namespace="AWS/SQS",
    period=60,
    statistic="Maximum",
    threshold=value("threshold", 0),
    dimensions={"QueueName": undelivered.name},
    treat_missing_data="notBreaching",
    alarm_actions=[topic.arn],
)

# Tables
table = aws.dynamodb.Table(
    "table",
    name="park-store",
    billing_mode="PAY_PER_REQUEST",
    hash_key="PK",
    range_key="SK",
    attributes=[{"name": "PK", "type": "S"}, {"name": "SK", "type": "S"}],
    stream_enabled=True,
    stream_view_type="NEW_AND_OLD_IMAGES",
    ttl={"attribute_name": "ExpiresAt", "enabled": True},
    point_in_time_recovery={"enabled": True},
    deletion_protection_enabled=False,
)
aws.dynamodb.TableItem(
    "item",
    table_name=table.name,
    hash_key="PK",
    range_key="SK",
    item=json.dumps(
        {
            "PK": {"S": "events"},
            "SK": {"S": "outage"},
            "Source": {"S": value("source", "x")},
            "Wait": {"N": "1"},
            "Flags": {"M": {"on": {"BOOL": True}, "list": {"L": [{"NULL": True}, {"S": ""}]}}},
        }
    ),
)

# Functions
role = aws.iam.Role("role", name="park-role", assume_role_policy=allow("lambda.amazonaws.com", "sts:AssumeRole"))
role_policy = aws.iam.RolePolicy(
    "role-policy",
    name="work",
    role=role.name,
    policy=pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["logs:*"], "Resource": pulumi.Output.concat(group.arn, ":*")},
                {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [undelivered.arn]},
                {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
            ],
        }
    ),
)
aws.iam.Policy(
    "policy",
    name="park-reader",
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": value("action", "execute-api:Invoke"), "Resource": "*"}],
        }
    ),
)
layer = aws.lambda_.LayerVersion(
    "layer",
    layer_name="park",
    compatible_runtimes=["python3.13"],
    compatible_architectures=["x86_64"],
    code=pulumi.AssetArchive({"python/park_layer.py": pulumi.StringAsset(f"X = {value('layer', 1)}")}),
)
function = aws.lambda_.Function(
    "function",
    name="park-function",
    role=role.arn,
    runtime="python3.13",
    handler="handler.handle",
    code=pulumi.AssetArchive(
        {"handler.py": pulumi.StringAsset(f"def handle(event, context): return {value('code', 1)}")}
    ),
    layers=[layer.arn],
    architectures=["x86_64"],
    timeout=30,
    memory_size=value("memory", 256),
    environment={"variables": {"BUS": bus.name}},
    logging_config={"log_format": "Text", "log_group": group.name},
    dead_letter_config={"target_arn": undelivered.arn},
    reserved_concurrent_executions=1,
    opts=pulumi.ResourceOptions(depends_on=[role_policy]),
)
aws.lambda_.Permission(
    "permission",
    function=function.name,
    statement_id="events",
    action="lambda:InvokeFunction",
    principal="events.amazonaws.com",
    source_arn=f"arn:aws:events:eu-west-1:{account}:rule/park/{value('permission', '*')}",
)
aws.lambda_.EventSourceMapping(
    "mapping",
    function_name=function.arn,
    event_source_arn=table.stream_arn,
    starting_position="TRIM_HORIZON",
    batch_size=10,
    maximum_retry_attempts=5,
    bisect_batch_on_function_error=True,
    maximum_batching_window_in_seconds=1,
    function_response_types=["ReportBatchItemFailures"],
    destination_config={"on_failure": {"destination_arn": undelivered.arn}},
    filter_criteria={"filters": [{"pattern": json.dumps({"dynamodb": {"Keys": {"PK": {"S": ["override"]}}}})}]},
)
aws.lambda_.FunctionEventInvokeConfig(
    "invocation",
    function_name=function.name,
    maximum_retry_attempts=value("retries", 2),
    maximum_event_age_in_seconds=3600,
    destination_config={"on_failure": {"destination": undelivered.arn}},
)

# HTTP API
api = aws.apigatewayv2.Api(
    "api",
    name="park-api",
    protocol_type="HTTP",
    description=value("description", "d"),
    cors_configuration={"allow_origins": ["*"], "allow_methods": ["GET", "POST"]},
)
integration = aws.apigatewayv2.Integration(
    "integration",
    api_id=api.id,
    integration_type="AWS_PROXY",
    integration_uri=function.invoke_arn,
    integration_method="POST",
    payload_format_version="2.0",
    timeout_milliseconds=10000,
)
authorizer = aws.apigatewayv2.Authorizer(
    "authorizer",
    api_id=api.id,
    authorizer_type="JWT",
    name="jwt",
    identity_sources=["$request.header.Authorization"],
    jwt_configuration={"issuer": "https://issuer.example.com", "audiences": ["a"]},
)
aws.apigatewayv2.Route(
    "signed",
    api_id=api.id,
    route_key=value("route", "GET /events"),
    authorization_type="AWS_IAM",
    target=pulumi.Output.concat("integrations/", integration.id),
)
aws.apigatewayv2.Route(
    "token",
    api_id=api.id,
    route_key="POST /flow",
    authorization_type="JWT",
    authorizer_id=authorizer.id,
    target=pulumi.Output.concat("integrations/", integration.id),
)
aws.apigatewayv2.Stage(
    "stage",
    api_id=api.id,
    name="$default",
    auto_deploy=True,
    default_route_settings={"throttling_burst_limit": 100, "throttling_rate_limit": value("rate", 50)},
    access_log_settings={"destination_arn": group.arn, "format": "$context.requestId"},
)

# Flows and schedules
states = aws.iam.Role(
    "states",
    name="park-states",
    assume_role_policy=allow(["states.amazonaws.com", "scheduler.amazonaws.com"], "sts:AssumeRole"),
)
states_policy = aws.iam.RolePolicy(
    "states-policy",
    name="logs",
    role=states.name,
    policy=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["logs:*", "xray:*"], "Resource": "*"}]}
    ),
)
aws.sfn.StateMachine(
    "flow",
    name="park-flow",
    role_arn=states.arn,
    definition=json.dumps(
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": value("result", "x"), "End": True}}}
    ),
    logging_configuration={"level": "ERROR", "log_destination": pulumi.Output.concat(group.arn, ":*")},
    tracing_configuration={"enabled": True},
    opts=pulumi.ResourceOptions(depends_on=[states_policy]),
)
aws.scheduler.Schedule(
    "schedule",
    name="park-sync",
    schedule_expression=value("every", "rate(5 minutes)"),
    flexible_time_window={"mode": "OFF"},
    target={
        "arn": function.arn,
        "role_arn": states.arn,
        "input": "{}",
        "retry_policy": {"maximum_retry_attempts": 0},
        "dead_letter_config": {"arn": undelivered.arn},
    },
)
