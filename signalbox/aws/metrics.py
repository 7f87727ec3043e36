"""Numbers about the reconciler's passes, as CloudWatch metrics."""

from collections.abc import Mapping
from typing import Any

NAMESPACE = "Signalbox"
DIMENSION = "Stack"


class CloudWatchMetrics:
    """Metrics of the stack named `stack`, in the namespace NAMESPACE with the one dimension DIMENSION."""

    def __init__(self, client: Any, stack: str) -> None:
        self._client = client
        self._stack = stack

    def put(self, values: Mapping[str, float]) -> None:
        """One value for each metric's name. Raises botocore's errors: the run is then tried again, and changes
        nothing that is in step already."""
        self._client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": DIMENSION, "Value": self._stack}],
                    "Value": value,
                    "Unit": "Count",
                }
                for name, value in values.items()
            ],
        )
