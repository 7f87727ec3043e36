"""CloudWatch: dashboards and alarms.

Upstream: hashicorp/terraform-provider-aws, internal/service/cloudwatch/{dashboard,metric_alarm}.go.
"""

from collections.abc import Iterable

from sandbox.provider.resource import Context, Created, ResourceType, Tags, camel, conflicting, given, pascal
from sandbox.provider.schema import (
    Failure,
    array,
    at_most,
    between,
    block,
    boolean,
    integer,
    json_text,
    longest,
    mapping,
    matches,
    name,
    number,
    one_of,
    tags,
    text,
    unsupported,
)
from sandbox.provider.wire import Props

# --- dashboard --------------------------------------------------------------------------------------------------------


def _put_dashboard(context: Context, new: Props) -> None:
    context.client("cloudwatch").put_dashboard(DashboardName=new["dashboardName"], DashboardBody=new["dashboardBody"])


def _create_dashboard(context: Context, new: Props) -> Created:
    _put_dashboard(context, new)
    return Created(new["dashboardName"])


def _read_dashboard(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("cloudwatch").get_dashboard(DashboardName=id_)
    return {
        "dashboardArn": found["DashboardArn"],
        "dashboardBody": found["DashboardBody"],
        "dashboardName": found["DashboardName"],
    }


def _update_dashboard(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_dashboard(context, new)


def _delete_dashboard(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("cloudwatch").delete_dashboards(DashboardNames=[id_])


DASHBOARD = ResourceType(
    token="aws:cloudwatch/dashboard:Dashboard",
    inputs={
        "dashboardBody": json_text(required=True),
        "dashboardName": text(matches(r"[\-_A-Za-z0-9]{1,255}"), required=True, replaces=True),
    },
    outputs=("dashboardArn",),
    create=_create_dashboard,
    read=_read_dashboard,
    update=_update_dashboard,
    delete=_delete_dashboard,
)

# --- alarm ------------------------------------------------------------------------------------------------------------

_OTHER = {
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    "metricQueries": "Metrics",
    "okActions": "OKActions",
}
_SETTINGS = (
    "actionsEnabled",
    "alarmActions",
    "alarmDescription",
    "comparisonOperator",
    "datapointsToAlarm",
    "evaluateLowSampleCountPercentiles",
    "evaluationPeriods",
    "extendedStatistic",
    "insufficientDataActions",
    "metricName",
    "namespace",
    "okActions",
    "period",
    "statistic",
    "threshold",
    "thresholdMetricId",
    "treatMissingData",
    "unit",
)
_OF_ONE_METRIC = ("metricName", "namespace", "period", "statistic", "unit")


def _dimensions(values: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in (values or {}).items()]


def _put_alarm(context: Context, new: Props, alarm: str, tagging: bool) -> None:
    """PutMetricAlarm with all that is declared: what is not is reset."""
    wanted = pascal(ALARM.inputs, given(new, *_SETTINGS), **_OTHER)
    if new.get("dimensions"):
        wanted["Dimensions"] = _dimensions(new["dimensions"])
    if new.get("metricQueries"):
        wanted["Metrics"] = [_query(query) for query in new["metricQueries"]]
    if tagging and context.tags:
        wanted["Tags"] = [{"Key": key, "Value": value} for key, value in context.tags.items()]
    context.client("cloudwatch").put_metric_alarm(AlarmName=alarm, **wanted)


def _query(query: Props) -> Props:
    wanted = pascal(_QUERY, given(query, "accountId", "expression", "id", "label", "period", "returnData"))
    if metric := query.get("metric"):
        name_ = pascal(_METRIC, given(metric, "metricName", "namespace"))
        wanted["MetricStat"] = {
            "Metric": {**name_, "Dimensions": _dimensions(metric.get("dimensions"))},
            **pascal(_METRIC, given(metric, "period", "stat", "unit")),
        }
    return wanted


def _queried(query: Props) -> Props:
    found = camel(_QUERY, query)
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        found["metric"] = {
            **camel(_METRIC, {**given(metric, "MetricName", "Namespace"), **given(stat, "Period", "Stat", "Unit")}),
            "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])},
        }
    return found


def _create_alarm(context: Context, new: Props) -> Created:
    _put_alarm(context, new, new["name"], tagging=True)
    return Created(new["name"])


def _read_alarm(context: Context, id_: str, state: Props) -> Props | None:
    alarms = context.client("cloudwatch").describe_alarms(AlarmNames=[id_], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not alarms:
        return None
    found = alarms[0]
    present = {
        key: value for key, value in found.items() if value not in ("", []) and key not in ("Dimensions", "Metrics")
    }
    settings = camel(ALARM.inputs, present, **_OTHER)
    queries = [_queried(query) for query in found.get("Metrics", [])]
    if not queries and (queries := state.get("metricQueries") or []):
        # The emulator keeps no queries, and says what an alarm without any would have.
        settings = {key: value for key, value in settings.items() if key not in _OF_ONE_METRIC}
    return {
        **{key: settings.get(key) for key in _SETTINGS},
        "arn": found["AlarmArn"],
        "name": found["AlarmName"],
        "dimensions": {each["Name"]: each["Value"] for each in found.get("Dimensions", [])} or None,
        "metricQueries": queries or None,
        "treatMissingData": found.get("TreatMissingData") or "missing",
    }


def _update_alarm(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_alarm(context, new, id_, tagging=False)


def _delete_alarm(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("cloudwatch").delete_alarms(AlarmNames=[id_])


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    listed = context.client("cloudwatch").list_tags_for_resource(ResourceARN=state["arn"])
    return {tag["Key"]: tag["Value"] for tag in listed.get("Tags", [])}


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("cloudwatch").untag_resource(ResourceARN=state["arn"], TagKeys=gone)
    if wanted:
        tagging = [{"Key": key, "Value": value} for key, value in wanted.items()]
        context.client("cloudwatch").tag_resource(ResourceARN=state["arn"], Tags=tagging)


def _check_alarm(inputs: Props) -> Iterable[Failure]:
    for key in ("comparisonOperator", "evaluationPeriods"):
        if key not in inputs:
            yield key, f"missing required property {key!r}"
    if "metricName" in inputs and "statistic" not in inputs and "extendedStatistic" not in inputs:
        yield "statistic", "one of 'statistic' and 'extendedStatistic' must be given with 'metricName'"
    if "metricName" not in inputs and "metricQueries" not in inputs:
        yield "metricName", "one of 'metricName' and 'metricQueries' must be given"


_DIMENSIONS = mapping(at_most(30))
_METRIC = {
    "dimensions": _DIMENSIONS,
    "metricName": text(longest(255), required=True),
    "namespace": text(longest(255, 1)),
    "period": integer(required=True),
    "stat": text(required=True),
    "unit": text(),
}
_QUERY = {
    "accountId": text(),
    "expression": text(longest(1024)),
    "id": text(longest(255, 1), required=True),
    "label": text(),
    "metric": block(_METRIC),
    "period": integer(),
    "returnData": boolean(default=False),
}

ALARM = ResourceType(
    token="aws:cloudwatch/metricAlarm:MetricAlarm",
    inputs={
        "actionsEnabled": boolean(default=True),
        "alarmActions": array(text(), at_most(5), unordered=True),
        "alarmDescription": text(longest(1024)),
        "comparisonOperator": text(
            one_of(
                "GreaterThanOrEqualToThreshold",
                "GreaterThanThreshold",
                "LessThanThreshold",
                "LessThanOrEqualToThreshold",
                "LessThanLowerOrGreaterThanUpperThreshold",
                "LessThanLowerThreshold",
                "GreaterThanUpperThreshold",
            )
        ),
        "datapointsToAlarm": integer(between(1, 2**31 - 1)),
        "dimensions": _DIMENSIONS,
        "evaluateLowSampleCountPercentiles": text(one_of("evaluate", "ignore"), computed=True),
        "evaluationCriteria": unsupported(),
        "evaluationInterval": unsupported(),
        "evaluationPeriods": integer(between(1, 2**31 - 1)),
        "evaluationWindow": unsupported(),
        "extendedStatistic": text(matches(r"(p|tm|tc|ts|wm)(\d{1,2}(\.\d{1,10})?|100)|(IQM|(TM|TC|TS|WM|PR)\(.*\))")),
        "insufficientDataActions": array(text(), at_most(5), unordered=True),
        "metricName": text(longest(255)),
        "metricQueries": array(block(_QUERY), unordered=True),
        "name": name(255),
        "namespace": text(longest(255), matches(r"[^:].*")),
        "okActions": array(text(), at_most(5), unordered=True),
        "period": integer(
            lambda seconds: (
                None
                if seconds in (10, 20, 30) or seconds % 60 == 0
                else f"10, 20, 30 or a multiple of 60; got {seconds}"
            )
        ),
        "statistic": text(one_of("SampleCount", "Average", "Sum", "Minimum", "Maximum")),
        "tags": tags(),
        "threshold": number(),
        "thresholdMetricId": text(longest(255, 1)),
        "treatMissingData": text(one_of("breaching", "notBreaching", "ignore", "missing"), default="missing"),
        "unit": text(),
        "warmUpConfiguration": unsupported(),
    },
    outputs=("arn",),
    create=_create_alarm,
    read=_read_alarm,
    update=_update_alarm,
    delete=_delete_alarm,
    rules=(
        conflicting("metricName", "metricQueries"),
        conflicting("statistic", "extendedStatistic"),
        conflicting("threshold", "thresholdMetricId"),
        _check_alarm,
    ),
    tags=(_read_tags, _write_tags),
)

TYPES = (DASHBOARD, ALARM)
