"""What a failed call to AWS is to the reconciler."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from signalbox.reconcile.ports import CallError


def called(failure: type[CallError], operation: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of a boto3 client's `operation`, which may be made twice. Raises `failure`, with AWS's name of what
    went wrong; an answer of the server's own fault, and none, may be asked for again."""
    try:
        return operation(**arguments)
    except ClientError as error:
        details = error.response.get("Error", {})
        server = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
        raise failure(details.get("Code", ""), details.get("Message", ""), retryable=server or None) from error
    except BotoCoreError as error:
        # A timeout or a broken connection.
        no_answer = isinstance(error, (HTTPClientError, NoConnectionError))
        raise failure(type(error).__name__, str(error), retryable=no_answer) from error
