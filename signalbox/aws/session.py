"""Sessions that are sure to talk to the account and region that the deploy talks to."""

import boto3
from botocore.exceptions import BotoCoreError, ClientError


class WrongAccountError(Exception):
    """The credentials that boto3 finds are those of another account than the Pulumi provider's."""


def session_of(account: str, region: str, profile: str | None = None) -> boto3.Session:
    """A boto3 session in `region` whose credentials belong to `account`.

    `profile` is the one of the stack's provider (`aws:profile`), if it has one. Raises WrongAccountError.
    """
    fix = "use the same credentials for both: AWS_PROFILE, or pulumi config set aws:profile <profile>"
    try:
        session = boto3.Session(region_name=region, profile_name=profile)
        found = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise WrongAccountError(f"cannot tell whose credentials boto3 uses: {error}; fix: {fix}") from error
    if found != account:
        raise WrongAccountError(
            f"the event store would be read in another account than the one deployed to: got {found}; "
            f"allowed: {account}; fix: {fix}"
        )
    return session
