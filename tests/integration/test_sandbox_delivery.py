"""The sandbox's delivery of rule targets behaves as AWS documents EventBridge: what arrives, and what is refused."""

import io
import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.emulator import ACCOUNT, REGION, Emulator, EmulatorError
from sandbox.received import read

BUS = "park"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{BUS}/r"
ANY_RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{BUS}/*"
EVENT = {"Source": "park", "DetailType": "ride", "Detail": json.dumps({"ride": 'the "Wheel"', "wait": 7})}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), rules_per_bus=12)
    emulator.start()
    yield emulator
    emulator.stop()


class Park:
    """A bus with one rule `r`, and what a test hangs on it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.events, self.sqs = emulator.client("events"), emulator.client("sqs")
        self.events.create_event_bus(Name=BUS)
        self.events.put_rule(Name="r", EventBusName=BUS, EventPattern='{"source":["park"]}')

    def queue(self, name: str, *, policy: bool = True, **attributes: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        if policy:
            document = allow("events.amazonaws.com", "sqs:SendMessage", arn)
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        return url, arn

    def target(self, arn: str, **more: Any) -> None:
        answer = self.events.put_targets(Rule="r", EventBusName=BUS, Targets=[{"Id": "t", "Arn": arn, **more}])
        assert answer["FailedEntryCount"] == 0

    def send(self, **changes: Any) -> str:
        answer = self.events.put_events(Entries=[{**EVENT, "EventBusName": BUS, **changes}])
        assert answer["FailedEntryCount"] == 0, answer
        return answer["Entries"][0]["EventId"]

    def messages(self, url: str, seconds: float = 5) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def some() -> bool:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            found.extend(answer.get("Messages", []))
            return bool(found)

        eventually(some, seconds)
        return found

    def records(self, kind: str) -> list[dict[str, Any]]:
        # The last line may be half written.
        lines = [line for line in self.emulator.records.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [each for each in map(json.loads, lines) if each["kind"] == kind]

    def status_of(self, event: str) -> str:
        """How the delivery of `event` ended."""

        def ends() -> list[str]:
            deliveries = [each for each in self.records("delivery") if each["event"] == event]
            return [each["status"] for each in deliveries if each["status"] != "retry"]

        eventually(lambda: bool(ends()))
        return ends()[0]


@pytest.fixture
def park(emulator: Emulator) -> Iterator[Park]:
    park = Park(emulator)
    yield park
    emulator.client("events")
    for bus in (BUS, "other"):
        buses = park.events.list_event_buses(NamePrefix=bus)["EventBuses"]
        for rule in park.events.list_rules(EventBusName=bus)["Rules"] if buses else ():
            ids = [
                each["Id"] for each in park.events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
            ]
            if ids:
                park.events.remove_targets(Rule=rule["Name"], EventBusName=bus, Ids=ids)
            if rule.get("ManagedBy"):
                park.events.delete_archive(ArchiveName=rule["Name"].removeprefix("Events-Archive-"))
            else:
                park.events.delete_rule(Name=rule["Name"], EventBusName=bus)
        park.events.delete_event_bus(Name=bus)
    for url in park.sqs.list_queues().get("QueueUrls", []):
        park.sqs.delete_queue(QueueUrl=url)


def eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "nothing came"
        time.sleep(0.05)


def allow(service: str, action: str | list[str], resource: str, source: str = ANY_RULE) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(emulator: Emulator, name: str, service: str, *statements: dict[str, Any]) -> str:
    iam = emulator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


def function(emulator: Emulator, name: str, code: str, role_arn: str) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", code)
    lambdas = emulator.client("lambda")
    made = lambdas.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role_arn,
        Handler="handler.handle",
        Code={"ZipFile": packed.getvalue()},
    )
    return made["FunctionArn"]


def test_a_queue_gets_the_event_if_its_policy_allows_the_rule(park: Park) -> None:
    url, arn = park.queue("inbox")
    park.target(arn)
    event = park.send()
    (message,) = park.messages(url)
    assert json.loads(message["Body"])["id"] == event
    assert park.status_of(event) == "delivered"


def test_without_a_queue_policy_the_event_goes_to_the_dead_letter_queue_with_the_reason(park: Park) -> None:
    _, arn = park.queue("closed", policy=False)
    dead, dead_arn = park.queue("dead")
    park.target(arn, DeadLetterConfig={"Arn": dead_arn})
    event = park.send()
    (message,) = park.messages(dead)
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["id"] == event
    assert attributes["RULE_ARN"] == RULE_ARN
    assert attributes["TARGET_ARN"] == arn
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes


def test_a_dead_letter_queue_without_a_policy_loses_the_event_loudly(park: Park) -> None:
    _, arn = park.queue("closed", policy=False)
    _, dead_arn = park.queue("dead", policy=False)
    park.target(arn, DeadLetterConfig={"Arn": dead_arn})
    event = park.send()
    assert park.status_of(event) == "lost"
    assert f"EVENT LOST: {event}" in park.emulator.log.read_text()


def test_a_policy_for_another_rule_does_not_count(park: Park) -> None:
    url, arn = park.queue("inbox", policy=False)
    policy = allow("events.amazonaws.com", "sqs:SendMessage", arn, RULE_ARN.replace("/park/", "/other/"))
    park.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    park.target(arn)
    assert park.status_of(park.send()) == "lost"


def test_a_fifo_queue_gets_its_message_group(park: Park) -> None:
    url, arn = park.queue("inbox.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    park.target(arn, SqsParameters={"MessageGroupId": "rides"})
    park.send()
    answer = park.sqs.receive_message(QueueUrl=url, AttributeNames=["All"], WaitTimeSeconds=3)
    assert answer["Messages"][0]["Attributes"]["MessageGroupId"] == "rides"


def test_an_input_transformer_fills_in_values_strings_and_the_whole_event(park: Park) -> None:
    url, arn = park.queue("inbox")
    template = (
        '{"wait": <wait>, "text": "<ride> is closed", "rule": <aws.events.rule-name>, "event": <aws.events.event.json>,'
        ' "none": <none>}'
    )
    paths = {"ride": "$.detail.ride", "wait": "$.detail.wait", "none": "$.detail.none"}
    park.target(arn, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    event = park.send()
    body = json.loads(park.messages(url)[0]["Body"])
    assert (body["wait"], body["text"], body["rule"], body["none"]) == (7, 'the "Wheel" is closed', "r", "")
    assert body["event"]["id"] == event
    assert body["event"]["detail"] == json.loads(EVENT["Detail"])


def test_a_log_group_gets_the_event_if_a_resource_policy_of_the_account_allows_it(park: Park) -> None:
    logs = park.emulator.client("logs")
    logs.create_log_group(logGroupName="/aws/events/park")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/park"
    park.target(arn)
    assert park.status_of(park.send()) == "lost"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    logs.put_resource_policy(policyName="p", policyDocument=allow("events.amazonaws.com", actions, f"{arn}:*"))
    event = park.send()
    assert park.status_of(event) == "delivered"
    (found,) = logs.filter_log_events(logGroupName="/aws/events/park")["events"]
    assert json.loads(found["message"])["id"] == event


def test_a_topic_sends_mail_if_its_policy_allows_the_rule(park: Park) -> None:
    sns = park.emulator.client("sns")
    arn = sns.create_topic(Name="staff")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="staff@example.com")
    sns.set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=allow("sns.amazonaws.com", "a:b", arn)
    )
    park.target(arn, InputTransformer={"InputPathsMap": {"ride": "$.detail.ride"}, "InputTemplate": '"See to <ride>"'})
    assert park.status_of(park.send()) == "lost"
    policy = allow("events.amazonaws.com", "sns:Publish", arn)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    assert park.status_of(park.send()) == "delivered"
    (mail,) = park.records("mail")
    assert (mail["to"], mail["message"]) == ("staff@example.com", '"See to the \\"Wheel\\""')


def test_a_function_is_invoked_by_permission_and_hands_its_failure_on_by_its_role(park: Park) -> None:
    emulator = park.emulator
    failed, failed_arn = park.queue("failed", policy=False)
    arn = role(emulator, "fails", "lambda.amazonaws.com")
    target = function(emulator, "fails", "def handle(event, context):\n    raise ValueError(event['id'])\n", arn)
    emulator.client("lambda").put_function_event_invoke_config(
        FunctionName="fails", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": failed_arn}}
    )
    park.target(target)
    assert park.status_of(park.send()) == "lost"  # no permission on the function

    emulator.client("lambda").add_permission(
        FunctionName="fails",
        StatementId="bus",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=ANY_RULE,
    )
    event = park.send()
    eventually(lambda: any(each["event"]["id"] == event for each in park.records("lost")))  # the role may not send
    assert park.records("denied")[-1]["action"] == "sqs:SendMessage"

    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": failed_arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emulator.client("iam").put_role_policy(RoleName="fails", PolicyName="p", PolicyDocument=document)
    event = park.send()
    (message,) = park.messages(failed, 15)
    body = json.loads(message["Body"])
    assert body["requestPayload"]["id"] == event
    assert (body["responsePayload"]["errorType"], body["responsePayload"]["errorMessage"]) == ("ValueError", event)
    assert body["requestContext"]["approximateInvokeCount"] == 2


def test_a_function_writes_its_log_only_if_its_role_may(park: Park) -> None:
    emulator = park.emulator
    arn = role(emulator, "quiet", "lambda.amazonaws.com")
    function(emulator, "quiet", "def handle(event, context):\n    print('said')\n    return 1\n", arn)
    logs, lambdas = emulator.client("logs"), emulator.client("lambda")
    logs.create_log_group(logGroupName="/aws/lambda/quiet")
    assert lambdas.invoke(FunctionName="quiet")["Payload"].read() == b"1"
    assert logs.filter_log_events(logGroupName="/aws/lambda/quiet")["events"] == []
    resource = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/quiet:*"
    statement = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emulator.client("iam").put_role_policy(RoleName="quiet", PolicyName="p", PolicyDocument=document)
    lambdas.invoke(FunctionName="quiet")
    assert "said" in [each["message"] for each in logs.filter_log_events(logGroupName="/aws/lambda/quiet")["events"]]


def test_a_function_that_raises_says_how_and_keeps_what_it_remembers(park: Park) -> None:
    code = "calls = []\n\n\ndef handle(event, context):\n    calls.append(event)\n    raise KeyError(len(calls))\n"
    function(park.emulator, "raises", code, role(park.emulator, "raises", "lambda.amazonaws.com"))
    answers = [park.emulator.client("lambda").invoke(FunctionName="raises") for _ in range(2)]
    assert [each["FunctionError"] for each in answers] == ["Unhandled"] * 2
    errors = [json.loads(each["Payload"].read()) for each in answers]
    assert errors == [{"errorMessage": str(number), "errorType": "KeyError"} for number in (1, 2)]


def test_a_fault_of_invoke_hits_only_the_payload_that_holds_its_text(park: Park) -> None:
    code = "def handle(event, context):\n    return event\n"
    function(park.emulator, "echo", code, role(park.emulator, "echo", "lambda.amazonaws.com"))
    lambdas = park.emulator.client("lambda")
    park.emulator.fail_next("Invoke", code="ResourceConflictException", holding="wheel")
    assert lambdas.invoke(FunctionName="echo", Payload='"train"')["Payload"].read() == b'"train"'
    with pytest.raises(lambdas.exceptions.ResourceConflictException):
        lambdas.invoke(FunctionName="echo", Payload='"wheel"')
    assert lambdas.invoke(FunctionName="echo", Payload='"wheel"')["Payload"].read() == b'"wheel"'


def test_a_function_whose_role_lambda_may_not_assume_does_not_run(park: Park) -> None:
    arn = role(park.emulator, "foreign", "events.amazonaws.com")
    function(park.emulator, "foreign", "def handle(event, context):\n    return 1\n", arn)
    answer = park.emulator.client("lambda").invoke(FunctionName="foreign")
    assert "cannot be assumed by Lambda" in answer["Payload"].read().decode()


def test_an_event_source_mapping_needs_its_role(park: Park) -> None:
    _, arn = park.queue("work")
    allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": arn}
    poller = role(park.emulator, "poller", "lambda.amazonaws.com")
    function(park.emulator, "poller", "def handle(event, context):\n    return len(event['Records'])\n", poller)
    lambdas, iam = park.emulator.client("lambda"), park.emulator.client("iam")
    with pytest.raises(ClientError, match="ReceiveMessage on SQS"):
        lambdas.create_event_source_mapping(FunctionName="poller", EventSourceArn=arn)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="poller", PolicyName="p", PolicyDocument=document)
    made = lambdas.create_event_source_mapping(FunctionName="poller", EventSourceArn=arn)
    park.target(arn)
    park.send()
    eventually(lambda: any(each.get("result") == 1 for each in park.records("function")))
    lambdas.delete_event_source_mapping(UUID=made["UUID"])


def test_a_bus_gets_the_event_by_the_role_of_the_target(park: Park) -> None:
    park.events.create_event_bus(Name="other")
    park.events.put_rule(Name="all", EventBusName="other", EventPattern='{"source":[{"prefix":""}]}')
    other = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/other"
    forward = role(park.emulator, "forward", "events.amazonaws.com")
    park.target(other, RoleArn=forward)
    assert park.status_of(park.send()) == "lost"
    statement = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": other}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    park.emulator.client("iam").put_role_policy(RoleName="forward", PolicyName="p", PolicyDocument=document)
    event = park.send()
    assert park.status_of(event) == "delivered"
    seen = [each for each in park.records("event") if each["event"]["id"] == event]
    assert [(each["bus"], each["rules"]) for each in seen] == [(BUS, ["r"]), ("other", ["all"])]


def test_a_bus_of_another_account_gets_the_event_only_by_its_own_policy_too(park: Park) -> None:
    account = "111122223333"
    there = park.emulator.client("events", aws_access_key_id=account, aws_secret_access_key="any")
    there.create_event_bus(Name="theirs")
    theirs = f"arn:aws:events:{REGION}:{account}:event-bus/theirs"
    statement = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": theirs}
    park.target(theirs, RoleArn=role(park.emulator, "abroad", "events.amazonaws.com", statement))
    assert park.status_of(park.send()) == "lost"
    there.put_permission(EventBusName="theirs", Action="events:PutEvents", Principal=ACCOUNT, StatementId="us")
    event = park.send()
    assert park.status_of(event) == "delivered"
    assert [each["event"]["id"] for each in park.records("event") if each["arn"] == theirs] == [event]


def test_an_event_of_aws_keeps_its_account_region_time_and_id(park: Park) -> None:
    url, arn = park.queue("inbox")
    park.events.put_rule(Name="r", EventBusName=BUS, EventPattern='{"source":["aws.ec2"],"account":["123456789012"]}')
    park.target(arn)
    with pytest.raises(AssertionError, match="NotAuthorizedForSourceException"):
        park.send(Source="aws.ec2")
    event = {
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "source": "aws.ec2",
        "detail-type": "EC2 Instance State-change Notification",
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2025-11-11T21:29:54Z",
        "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
        "detail": {"state": "running"},
    }
    park.emulator.emit(event, BUS)
    assert json.loads(park.messages(url)[0]["Body"]) == {"version": "0", **event}


def test_a_topic_that_may_not_invoke_its_function_uses_the_dead_letter_queue_of_the_subscription(park: Park) -> None:
    emulator, sns = park.emulator, park.emulator.client("sns")
    topic = sns.create_topic(Name="rides")["TopicArn"]
    arn = role(emulator, "reader", "lambda.amazonaws.com")
    target = function(
        emulator, "reader", "def handle(event, context):\n    return event['Records'][0]['Sns']['Message']\n", arn
    )
    url, dead = park.queue("unread", policy=False)
    policy = allow("sns.amazonaws.com", "sqs:SendMessage", dead, topic)
    park.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead})}
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=target, Attributes=redrive)
    sns.publish(TopicArn=topic, Message="first")
    assert json.loads(park.messages(url)[0]["Body"])["Message"] == "first"
    emulator.client("lambda").add_permission(
        FunctionName="reader",
        StatementId="t",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.publish(TopicArn=topic, Message="second")
    eventually(lambda: any(each.get("result") == "second" for each in park.records("function")))


def test_retries_are_counted_and_end_in_the_dead_letter_queue(park: Park) -> None:
    caller = role(
        park.emulator,
        "caller",
        "events.amazonaws.com",
        {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": "*"},
    )
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": "v"}}
    connection = park.events.create_connection(Name="c", AuthorizationType="API_KEY", AuthParameters=key)
    destination = park.events.create_api_destination(
        Name="d", ConnectionArn=connection["ConnectionArn"], InvocationEndpoint="http://127.0.0.1:9", HttpMethod="POST"
    )
    dead, dead_arn = park.queue("dead")
    park.target(
        destination["ApiDestinationArn"],
        RoleArn=caller,
        DeadLetterConfig={"Arn": dead_arn},
        RetryPolicy={"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60},
    )
    park.send()
    (message,) = park.messages(dead)
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"] == "1"
    assert attributes["ERROR_CODE"] == "CONNECTION_FAILURE"


def test_a_replay_reaches_only_the_rules_that_it_names(park: Park) -> None:
    url, arn = park.queue("inbox")
    park.target(arn)
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"
    park.events.create_archive(ArchiveName="kept", EventSourceArn=bus)
    park.events.put_rule(Name="second", EventBusName=BUS, EventPattern='{"source":["park"]}')
    park.send()
    assert len(park.messages(url)) == 1
    park.sqs.purge_queue(QueueUrl=url)
    before = len(park.records("event"))
    park.events.start_replay(
        ReplayName=f"again-{time.time_ns()}",
        EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:archive/kept",
        EventStartTime=time.time() - 60,
        EventEndTime=time.time() + 60,
        Destination={"Arn": bus, "FilterArns": [RULE_ARN]},
    )
    assert json.loads(park.messages(url)[0]["Body"])["replay-name"].startswith("again-")
    assert [each["rules"] for each in park.records("event")[before:]] == [["r"]]


def test_limits_and_order_are_refused_as_aws_refuses_them(park: Park) -> None:
    events = park.events

    def refused(code: str, call: Callable[..., Any], **arguments: Any) -> None:
        with pytest.raises(ClientError) as caught:
            call(EventBusName=BUS, **arguments)
        assert caught.value.response["Error"]["Code"] == code

    _, arn = park.queue("inbox")
    six = [{"Id": f"t{number}", "Arn": arn} for number in range(6)]
    refused("LimitExceededException", events.put_targets, Rule="r", Targets=six)
    refused(
        "ValidationException", events.put_targets, Rule="r", Targets=[{"Id": f"{n}", "Arn": arn} for n in range(11)]
    )
    refused("InvalidEventPatternException", events.put_rule, Name="x", EventPattern='{"source":"park"}')
    refused("ResourceNotFoundException", events.put_targets, Rule="none", Targets=six[:1])
    events.put_targets(Rule="r", EventBusName=BUS, Targets=six[:5])
    refused("LimitExceededException", events.put_targets, Rule="r", Targets=six[5:])
    refused("ValidationException", events.delete_rule, Name="r")
    with pytest.raises(ClientError, match="has rules"):
        events.delete_event_bus(Name=BUS)
    events.create_archive(ArchiveName="kept", EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}")
    refused("ManagedRuleException", events.delete_rule, Name="Events-Archive-kept")
    for number in range(10):  # with `r` and the archive's rule: the 12 of this emulator
        events.put_rule(Name=f"rule{number}", EventBusName=BUS, EventPattern='{"source":["x"]}')
    refused("LimitExceededException", events.put_rule, Name="one-more", EventPattern='{"source":["x"]}')
    events.put_rule(Name="rule0", EventBusName=BUS, EventPattern='{"source":["y"]}')


def test_an_omitted_field_of_a_rule_is_nulled(park: Park) -> None:
    pattern = '{"source":["park"]}'
    park.events.put_rule(Name="r", EventBusName=BUS, EventPattern=pattern, Description="old", State="DISABLED")
    park.events.put_rule(Name="r", EventBusName=BUS, EventPattern=pattern)
    rule = park.events.describe_rule(Name="r", EventBusName=BUS)
    assert (rule.get("Description"), rule["State"]) == (None, "ENABLED")


def test_put_events_checks_each_entry_and_the_size_of_all(park: Park) -> None:
    entries = [{**EVENT, "EventBusName": BUS}, {**EVENT, "Detail": "[1]"}, {**EVENT, "Detail": "{"}]
    answer = park.events.put_events(Entries=entries)
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, "MalformedDetail", "MalformedDetail"]
    big = {**EVENT, "Detail": json.dumps({"x": "y" * 600_000})}
    with pytest.raises(ClientError, match="over the limit"):
        park.events.put_events(Entries=[big, big])


def test_a_fault_to_order_fails_just_those_entries_once(park: Park) -> None:
    park.emulator.fail_next("PutEventsEntries", [1])
    entries = [{**EVENT, "EventBusName": BUS}] * 3
    first, second = (park.events.put_events(Entries=entries) for _ in range(2))
    assert [entry.get("ErrorCode") for entry in first["Entries"]] == [None, "InternalFailure", None]
    assert second["FailedEntryCount"] == 0


def test_state_survives_a_restart(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "again")
    emulator.start()
    try:
        arn = role(emulator, "kept", "lambda.amazonaws.com")
        function(emulator, "kept", "def handle(event, context):\n    return 'kept'\n", arn)
        emulator.client("events").create_event_bus(Name=BUS)
        emulator.client("events").put_rule(Name="r", EventBusName=BUS, EventPattern='{"source":["park"]}')
        keys = [{"AttributeName": "PK", "KeyType": "HASH"}]
        names = [{"AttributeName": "PK", "AttributeType": "S"}]
        tables = emulator.client("dynamodb")
        tables.create_table(TableName="kept", KeySchema=keys, AttributeDefinitions=names, BillingMode="PAY_PER_REQUEST")
        tables.put_item(TableName="kept", Item={"PK": {"S": "1"}})
        endpoint = emulator.endpoint
        emulator.stop()
        emulator.start()
        assert emulator.endpoint == endpoint
        assert emulator.client("lambda").invoke(FunctionName="kept")["Payload"].read() == b'"kept"'
        assert [rule["Name"] for rule in emulator.client("events").list_rules(EventBusName=BUS)["Rules"]] == ["r"]
        assert emulator.client("dynamodb").scan(TableName="kept")["Count"] == 1
    finally:
        emulator.stop()


def test_a_schedule_reaches_its_target_by_its_role(park: Park) -> None:
    url, arn = park.queue("ticks", policy=False)
    allowed = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    ticker = role(park.emulator, "ticker", "scheduler.amazonaws.com")
    scheduler = park.emulator.client("scheduler")
    soon = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime())
    target = {"Arn": arn, "RoleArn": ticker, "Input": '{"tick": 1}'}
    scheduler.create_schedule(Name="denied", ScheduleExpression=soon, FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    eventually(lambda: any(each["rule"] == "denied" for each in park.records("delivery")), 30)
    assert [each["status"] for each in park.records("delivery") if each["rule"] == "denied"] == ["lost"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    park.emulator.client("iam").put_role_policy(RoleName="ticker", PolicyName="p", PolicyDocument=document)
    scheduler.create_schedule(
        Name="allowed", ScheduleExpression=soon, FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    assert json.loads(park.messages(url, 30)[0]["Body"]) == {"tick": 1}


def test_a_rule_with_a_schedule_starts_at_once_when_told_if_the_function_lets_it(park: Park) -> None:
    arn = function(park.emulator, "clock", "def handle(event, context):\n    pass\n", _worker(park, "clock"))
    lambdas = park.emulator.client("lambda")
    made = park.events.put_rule(Name="clockwork", ScheduleExpression="rate(5 minutes)")["RuleArn"]
    park.events.put_targets(Rule="clockwork", Targets=[{"Id": "t", "Arn": arn}])

    def statuses() -> list[str]:
        return [each["status"] for each in park.records("delivery") if each["rule"] == "clockwork"]

    try:
        park.emulator.fire("clockwork")
        eventually(lambda: statuses() == ["lost"])
        lambdas.add_permission(
            FunctionName="clock",
            StatementId="s",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=made,
        )
        park.emulator.fire("clockwork")
        eventually(lambda: statuses() == ["lost", "delivered"])
        eventually(lambda: any(each["function"] == "clock" for each in park.records("function")))
        with pytest.raises(EmulatorError):
            park.emulator.fire("r")
    finally:
        park.events.remove_targets(Rule="clockwork", Ids=["t"])
        park.events.delete_rule(Name="clockwork")


def test_a_run_that_a_test_lets_fail_is_logged_as_a_failure(park: Park) -> None:
    function(park.emulator, "ended", "def handle(event, context):\n    return event\n", _worker(park, "ended"))
    lambdas = park.emulator.client("lambda")
    park.emulator.fail_next("Run", code="Runtime.ExitError", holding="wheel")
    assert lambdas.invoke(FunctionName="ended", Payload='"train"')["Payload"].read() == b'"train"'
    failed = lambdas.invoke(FunctionName="ended", Payload='"wheel"')
    assert failed["FunctionError"] == "Unhandled"
    assert json.loads(failed["Payload"].read())["errorType"] == "Runtime.ExitError"
    assert lambdas.invoke(FunctionName="ended", Payload='"wheel"')["Payload"].read() == b'"wheel"'


def test_partition_keys_that_a_policy_names_count_in_transactions_and_queries(park: Park) -> None:
    _table(park.emulator, "keyed")
    iam = park.emulator.client("iam")
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:PutItem", "dynamodb:ConditionCheckItem", "dynamodb:Query"],
        "Resource": "*",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["a"]}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName="keyed")
    iam.put_user_policy(UserName="keyed", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="keyed")["AccessKey"]
    tables = park.emulator.client(
        "dynamodb", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )

    def put(pk: str) -> Any:
        return {"Put": {"TableName": "keyed", "Item": {"PK": {"S": pk}}}}

    def check(pk: str) -> Any:
        condition = "attribute_not_exists(PK)"
        return {"ConditionCheck": {"TableName": "keyed", "Key": {"PK": {"S": pk}}, "ConditionExpression": condition}}

    def query(pk: str) -> Any:
        return tables.query(
            TableName="keyed",
            KeyConditionExpression="#k = :k",
            ExpressionAttributeNames={"#k": "PK"},
            ExpressionAttributeValues={":k": {"S": pk}},
        )

    tables.transact_write_items(TransactItems=[put("a")])
    assert query("a")["Count"] == 1
    for denied in (
        lambda: tables.transact_write_items(TransactItems=[put("a"), put("b")]),
        lambda: tables.transact_write_items(TransactItems=[put("a"), check("b")]),
        lambda: tables.put_item(TableName="keyed", Item={"PK": {"S": "b"}}),
        lambda: query("b"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            denied()


def test_a_table_s_stream_starts_its_function_also_after_a_restart(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "streaming")
    emulator.start()
    try:
        stream = _table(
            emulator, "streaming", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        )
        actions = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"]
        may = {"Effect": "Allow", "Action": [f"dynamodb:{action}" for action in actions], "Resource": stream}
        arn = role(emulator, "reader", "lambda.amazonaws.com", may)
        function(emulator, "reader", "def handle(event, context):\n    pass\n", arn)
        emulator.client("lambda").create_event_source_mapping(
            FunctionName="reader", EventSourceArn=stream, StartingPosition="TRIM_HORIZON"
        )

        def write(pk: str) -> None:
            emulator.client("dynamodb").put_item(TableName="streaming", Item={"PK": {"S": pk}})
            eventually(lambda: any(pk in json.dumps(each) for each in read(emulator).of("function")), 30)

        write("before")
        emulator.stop()
        emulator.start()
        write("after")
    finally:
        emulator.stop()


def _worker(park: Park, name: str) -> str:
    return role(park.emulator, name, "lambda.amazonaws.com")


def _table(emulator: Emulator, name: str, **more: Any) -> str:
    """The ARN of its stream, if it has one."""
    made = emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )["TableDescription"]
    return made.get("LatestStreamArn", "")


def test_an_emulator_whose_state_is_deleted_ends_by_itself(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "gone")
    emulator.start()
    pid = int((emulator.state / "emulator.pid").read_text())
    shutil.rmtree(emulator.state)
    eventually(lambda: os.waitpid(pid, os.WNOHANG) != (0, 0))


def test_a_stop_ends_the_workers_of_functions_as_well(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "busy")
    emulator.start()
    arn = role(emulator, "slow", "lambda.amazonaws.com")
    function(emulator, "slow", "import time\ndef handle(event, context):\n    time.sleep(60)\n", arn)
    emulator.client("lambda").invoke(FunctionName="slow", InvocationType="Event")
    group = int((emulator.state / "emulator.pid").read_text())

    def alive(*more: str) -> str:
        """Process ids of the emulator's group, the dead that nobody has reaped yet left out."""
        command = ["pgrep", "--runstates", "D,R,S", "-g", str(group), *more]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    eventually(lambda: alive("-f", "_worker.py") != "")
    emulator.stop()
    eventually(lambda: alive() == "", 2)


def test_a_state_machine_starts_by_the_role_of_the_target(park: Park) -> None:
    emulator, machines = park.emulator, park.emulator.client("stepfunctions")
    definition = json.dumps({"StartAt": "s", "States": {"s": {"Type": "Pass", "End": True}}})
    own = role(emulator, "machine", "states.amazonaws.com")
    arn = machines.create_state_machine(name="machine", definition=definition, roleArn=own)["stateMachineArn"]
    starter = role(emulator, "starter", "events.amazonaws.com")
    park.target(arn, RoleArn=starter)
    assert park.status_of(park.send()) == "lost"
    statement = {"Effect": "Allow", "Action": "states:StartExecution", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emulator.client("iam").put_role_policy(RoleName="starter", PolicyName="p", PolicyDocument=document)
    event = park.send()
    assert park.status_of(event) == "delivered"
    (execution,) = machines.list_executions(stateMachineArn=arn)["executions"]
    given = machines.describe_execution(executionArn=execution["executionArn"])["input"]
    assert json.loads(given)["id"] == event


def test_a_stream_gets_the_event_under_its_partition_key(park: Park) -> None:
    streams = park.emulator.client("kinesis")
    streams.create_stream(StreamName="rides", ShardCount=1)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/rides"
    allowed = {"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": arn}
    writer = role(park.emulator, "writer", "events.amazonaws.com", allowed)
    park.target(arn, RoleArn=writer, KinesisParameters={"PartitionKeyPath": "$.detail.wait"})
    event = park.send()
    assert park.status_of(event) == "delivered"
    shard = streams.list_shards(StreamName="rides")["Shards"][0]["ShardId"]
    kind = "TRIM_HORIZON"
    start = streams.get_shard_iterator(StreamName="rides", ShardId=shard, ShardIteratorType=kind)["ShardIterator"]
    (found,) = streams.get_records(ShardIterator=start)["Records"]
    assert (found["PartitionKey"], json.loads(found["Data"])["id"]) == ("7", event)


def test_a_firehose_stream_gets_the_event_by_the_role_of_the_target(park: Park) -> None:
    s3, firehose = park.emulator.client("s3"), park.emulator.client("firehose")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket = {"BucketARN": "arn:aws:s3:::kept", "RoleARN": role(park.emulator, "keeper", "firehose.amazonaws.com")}
    made = firehose.create_delivery_stream(DeliveryStreamName="kept", ExtendedS3DestinationConfiguration=bucket)
    park.target(made["DeliveryStreamARN"], RoleArn=role(park.emulator, "idle", "events.amazonaws.com"))
    assert park.status_of(park.send()) == "lost"
    allowed = {"Effect": "Allow", "Action": "firehose:PutRecord", "Resource": made["DeliveryStreamARN"]}
    park.target(made["DeliveryStreamARN"], RoleArn=role(park.emulator, "filler", "events.amazonaws.com", allowed))
    event = park.send()
    assert park.status_of(event) == "delivered"
    (found,) = s3.list_objects_v2(Bucket="kept")["Contents"]
    assert json.loads(s3.get_object(Bucket="kept", Key=found["Key"])["Body"].read())["id"] == event


def test_an_api_destination_is_called_with_its_key_and_tried_again_while_it_is_busy(park: Park) -> None:
    seen: list[tuple[str | None, Any]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers.get("x-key"), json.loads(body)))
            self.send_response(503 if len(seen) == 1 else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    allowed = {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": "*"}
    invoker = role(park.emulator, "invoker", "events.amazonaws.com", allowed)
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}}
    made = park.events.create_connection(Name="busy", AuthorizationType="API_KEY", AuthParameters=key)
    destination = park.events.create_api_destination(
        Name="busy",
        ConnectionArn=made["ConnectionArn"],
        InvocationEndpoint=f"http://127.0.0.1:{server.server_port}/rides",
        HttpMethod="POST",
    )
    park.target(destination["ApiDestinationArn"], RoleArn=invoker)
    event = park.send()
    assert park.status_of(event) == "delivered"
    server.shutdown()
    assert [(header, body["id"]) for header, body in seen] == [("secret", event)] * 2
