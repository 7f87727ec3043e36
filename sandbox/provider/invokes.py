"""The functions of the AWS package that Signalbox calls: who and where am I."""

from collections.abc import Callable

from sandbox.provider.resource import ResourceError, Session
from sandbox.provider.wire import Props

_REGIONS = {
    "eu-central-1": "Europe (Frankfurt)",
    "eu-west-1": "Europe (Ireland)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
}


def _caller_identity(session: Session, args: Props) -> Props:  # noqa: ARG001
    who = session.identity
    return {"accountId": who["Account"], "arn": who["Arn"], "id": who["Account"], "userId": who["UserId"]}


def _region(session: Session, args: Props) -> Props:
    region = args.get("region") or args.get("name") or args.get("id") or session.region
    endpoint = f"ec2.{region}.{_suffix(session.partition(region))}"
    if args.get("endpoint") not in (None, endpoint):
        raise ResourceError(f"no region has the endpoint {args['endpoint']}")
    return {
        "region": region,
        "id": region,
        "name": region,
        "endpoint": endpoint,
        "description": _REGIONS.get(region, region),
    }


def _partition(session: Session, args: Props) -> Props:  # noqa: ARG001
    partition = session.partition()
    suffix = _suffix(partition)
    prefix = ".".join(reversed(suffix.split(".")))
    return {"partition": partition, "id": partition, "dnsSuffix": suffix, "reverseDnsPrefix": prefix}


def _suffix(partition: str) -> str:
    return {"aws-cn": "amazonaws.com.cn"}.get(partition, "amazonaws.com")


INVOKES: dict[str, Callable[[Session, Props], Props]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller_identity,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
}
