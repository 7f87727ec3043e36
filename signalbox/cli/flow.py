"""`flow`: what the state machine of a flow is, how it looks, and what it does."""

from pathlib import Path

import click

from signalbox.cli.definitions_at import mappings_option
from signalbox.cli.flow_at import flow_and_events
from signalbox.cli.flow_run import run
from signalbox.flows import EXAMPLE, Names, compile_flow, definition
from signalbox.flows import draw as drawing


@click.group()
def flow() -> None:
    """See what flows become, and run them: state machines of AWS Step Functions."""


flow.add_command(run)


@flow.command(name="compile")
@click.argument("flow_id", metavar="ID")
@click.option("--name", "stack", default=EXAMPLE.stack, show_default=True, help="The stack's signalbox:name.")
@click.option("--region", default=EXAMPLE.region, show_default=True, help="The AWS region that its ARNs name.")
@click.option("--account", default=EXAMPLE.account, show_default=True, help="The AWS account that its ARNs name.")
@click.option("--partition", default=EXAMPLE.partition, show_default=True, help="aws, aws-cn, aws-us-gov, …")
@mappings_option
def compile_(
    flow_id: str,
    stack: str,
    region: str,
    account: str,
    partition: str,
    mappings: Path,
    functions: Path | None,
    source: str | None,
) -> None:
    """Print the flow ID as Amazon States Language, as a deploy gives it to Step Functions.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, events = flow_and_events(flow_id, mappings, functions, source)
    queue = f"https://sqs.{region}.amazonaws.com/{account}/{stack}-undelivered"
    names = Names(stack=stack, region=region, account=account, undelivered_url=queue, partition=partition)
    click.echo(definition(compile_flow(found, names, events)))


@flow.command()
@click.argument("flow_id", metavar="ID")
@mappings_option
def draw(flow_id: str, mappings: Path, functions: Path | None, source: str | None) -> None:
    """Print the flow ID as a Mermaid flowchart, which GitHub and many editors show as a picture.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, _ = flow_and_events(flow_id, mappings, functions, source)
    click.echo(drawing(found), nl=False)
