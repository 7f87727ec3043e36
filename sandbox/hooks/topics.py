# pyright: reportMissingImports=false
"""Mails and text messages that topics send, recorded: nobody at the other end, so this is how they are seen.

MiniStack counts a mail subscription as confirmed at once, as if its owner had clicked the link.
"""

from typing import Any

from ministack.services import cloudwatch, sns

from sandbox.hooks.records import record

# https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
MAIL_SUBJECT = "AWS Notification Message"
_KINDS = {"email": "mail", "email-json": "mail", "sms": "sms"}

_fanout = sns._fanout
_store_datum = cloudwatch._store_datum


def install() -> None:
    """Put the hooks in place."""
    sns._fanout = fanout
    cloudwatch._store_datum = store_datum


def fanout(
    topic: str, message_id: str, message: str, subject: str, structure: str = "", attributes: Any = None, **fifo: Any
) -> None:
    """A message to all subscribers of a topic; those who read mail or SMS are recorded."""
    _fanout(topic, message_id, message, subject, structure, attributes, **fifo)
    for subscription in (sns._topic_by_arn_any_scope(topic) or {}).get("subscriptions", ()):
        kind = _KINDS.get(subscription["protocol"])
        if kind is None or not subscription.get("confirmed"):
            continue
        text = sns._resolve_message_for_protocol(message, structure, subscription["protocol"])
        if not sns._matches_filter_policy(subscription, attributes or {}, text):
            continue
        head = {"subject": subject or MAIL_SUBJECT} if kind == "mail" else {}
        record(kind, to=subscription["endpoint"], topic=topic.rsplit(":", 1)[-1], message=text, **head)


def store_datum(namespace: str, name: str, dimensions: dict[str, str], at: float, unit: str, *values: Any) -> None:
    """A metric's datum, recorded as it was put."""
    _store_datum(namespace, name, dimensions, at, unit, *values)
    value = next((value for value in values if value is not None), None)
    record("metric", namespace=namespace, name=name, dimensions=dimensions, unit=unit, value=value)
