"""Clients of AWS services, and AWS's errors in the words of `errors`.

botocore alone, without boto3: it is the part that we use, and imports faster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.config
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from signalbox.runtime.errors import Refused, Unavailable

_TRANSIENT_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentModificationException",
        "EC2ThrottledException",
        "ExecutionLimitExceeded",
        "ExpiredToken",
        "ExpiredTokenException",
        "KmsThrottled",
        "KmsThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceConflictException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Errors that AWS gives with a 4xx status although the same call may succeed later: throttling by its many names, a
function that is being made or changed, credentials about to be renewed."""


@cache
def client(service: str) -> Any:
    """The botocore client of `service`, made at its first use and kept.

    Short timeouts and few attempts: a caller that waits too long is killed, and then nobody knows what was done. Who
    needs more patience has a queue for it.
    """
    config = botocore.config.Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
    )
    return _session().create_client(service, config=config)


@contextmanager
def calls() -> Iterator[None]:
    """Turn what botocore raises inside into `Refused` or `Unavailable`."""
    try:
        yield
    except ClientError as error:
        raise (Unavailable if is_transient(error) else Refused)(
            error_code(error), error.response.get("Error", {}).get("Message", "")
        ) from error
    except ParamValidationError as error:
        raise Refused(type(error).__name__, str(error)) from error
    except BotoCoreError as error:
        raise Unavailable(type(error).__name__, str(error)) from error


def error_code(error: ClientError) -> str:
    """AWS's name of the error, e.g. `ThrottlingException`."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def is_transient(error: ClientError) -> bool:
    """May the same call succeed later? Throttling, what the service itself got wrong, and `_TRANSIENT_CODES`."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return status >= 500 or status in (408, 429) or error_code(error) in _TRANSIENT_CODES


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
