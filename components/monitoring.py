"""The dashboard, and the alarms that say that events are not getting where they should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.scope import Scope
from signalbox.aws.metrics import DIMENSION, NAMESPACE
from signalbox.physical_names import UNDELIVERED, queue

MINUTE = 60
SCHEDULE = 5 * MINUTE
"""How often the reconciler runs: functions/rule_sync/function.yaml."""
WIDGET_WIDTH, WIDGET_HEIGHT = 12, 6
"""In the dashboard's grid of 24 columns:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""


@dataclass(frozen=True, slots=True)
class MonitoringArgs:
    """`widgets` are the processing functions' own graphs: `{title, expression}` by function.
    `alarm_actions` are ARNs that alarms notify."""

    scope: Scope
    undelivered: aws.sqs.Queue
    router: aws.lambda_.Function
    widgets: Sequence[Mapping[str, str]]
    alarm_actions: Sequence[str]


class Monitoring(Component):
    """One dashboard and six alarms, however many routes there are."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._args = args
        self.dashboard = self._dashboard()
        self.alarms = [
            self._alarm(
                "undelivered",
                "Events lie in the undelivered queue: python -m signalbox redrive shows them, and sends them again.",
                _metric(
                    "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": args.undelivered.name}, "Maximum"
                ),
            ),
            self._alarm(
                "router-errors",
                "The Router fails; its events are tried again and then go to the undelivered queue.",
                _metric("AWS/Lambda", "Errors", {"FunctionName": args.router.name}),
            ),
            self._alarm(
                "failed-invocations",
                "EventBridge could not hand events to a target for good; they went to the undelivered queue.",
                self._of_all_rules("FailedInvocations"),
            ),
            self._alarm(
                "lost",
                "EventBridge could not even write to the undelivered queue: events are being lost.",
                self._of_all_rules("InvocationsFailedToBeSentToDlq"),
            ),
            self._alarm(
                "out-of-step",
                "A rule is not what the event store says for more than one schedule, or the reconciler does not run: "
                "python -m signalbox status.",
                self._of_reconciler("RoutesOutOfStep"),
                periods=2,
                silence="breaching",
            ),
            self._alarm(
                "flows-out-of-step",
                "A flow made at run time has not the state machine that it should have, for more than one schedule: "
                "python -m signalbox status.",
                self._of_reconciler("FlowsOutOfStep"),
                periods=2,
            ),
        ]
        self.register_outputs({"dashboard": self.dashboard.dashboard_name})

    def _alarm(
        self,
        suffix: str,
        description: str,
        watched: Mapping[str, Any],
        *,
        periods: int = 1,
        silence: str = "notBreaching",
    ) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            f"{self.name}-{suffix}",
            name=self._args.scope.physical(suffix, 255),
            alarm_description=description,
            **watched,
            evaluation_periods=periods,
            threshold=0,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data=silence,
            alarm_actions=list(self._args.alarm_actions),
            ok_actions=list(self._args.alarm_actions),
            opts=self.child(),
        )

    def _of_reconciler(self, metric: str) -> dict[str, Any]:
        return _metric(NAMESPACE, metric, {DIMENSION: self._args.scope.name}, "Minimum", period=SCHEDULE)

    def _of_all_rules(self, metric: str) -> dict[str, Any]:
        """The sum of a metric over the bus's rules, whichever there are. EventBridge has none for the bus as a whole,
        and no alarm may SEARCH, but a Metrics Insights query is taken. It costs by the metrics that it finds, and of
        what does not fail EventBridge makes no metric.
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
        """
        query = f"SELECT SUM({metric}) FROM \"AWS/Events\" WHERE EventBusName = '{self._args.scope.name}'"
        return {
            "metric_queries": [
                aws.cloudwatch.MetricAlarmMetricQueryArgs(
                    id="q", expression=query, label=metric, period=MINUTE, return_data=True
                )
            ]
        }

    def _dashboard(self) -> aws.cloudwatch.Dashboard:
        scope = self._args.scope
        own = [
            {
                "title": "Events by rule",
                "expression": 'SEARCH(\'{AWS/Events,EventBusName,RuleName} MetricName="Invocations" '
                f"EventBusName=\"{scope.name}\"', 'Sum', 60)",
            },
            {
                "title": "Undelivered events",
                "expression": 'SEARCH(\'{AWS/SQS,QueueName} MetricName="ApproximateNumberOfMessagesVisible" '
                f"QueueName=\"{queue(scope.name, UNDELIVERED)}\"', 'Maximum', 60)",
            },
        ]
        widgets = [self._widget(index, widget) for index, widget in enumerate([*self._args.widgets, *own])]
        return aws.cloudwatch.Dashboard(
            f"{self.name}-dashboard",
            dashboard_name=scope.name,
            dashboard_body=pulumi.Output.json_dumps({"widgets": widgets}, sort_keys=True),
            opts=self.child(),
        )

    def _widget(self, index: int, widget: Mapping[str, str]) -> dict[str, Any]:
        return {
            "type": "metric",
            "x": WIDGET_WIDTH * (index % 2),
            "y": WIDGET_HEIGHT * (index // 2),
            "width": WIDGET_WIDTH,
            "height": WIDGET_HEIGHT,
            "properties": {
                "title": widget["title"],
                "view": "timeSeries",
                "region": self._args.scope.region,
                "period": MINUTE,
                "metrics": [[{"expression": widget["expression"], "label": "", "id": f"e{index}"}]],
            },
        }


def _metric(
    namespace: str,
    metric: str,
    dimensions: Mapping[str, pulumi.Input[str]],
    statistic: str = "Sum",
    *,
    period: int = MINUTE,
) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "metric_name": metric,
        "dimensions": dict(dimensions),
        "statistic": statistic,
        "period": period,
    }
