"""The command line. Each command is a function of a module of its own, imported when it is called for.

To add a command, add it to COMMANDS: its name, where it is, and what `--help` says of it in the list.
"""

from importlib import import_module

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("signalbox.cli.check:check", "Check definitions, without AWS and without Pulumi."),
    "test": ("signalbox.cli.test:test", "Try samples and events on the routes: what each route takes."),
    "explain": ("signalbox.cli.explain:explain", "Which routes take an event, what they send, and why others do not."),
    "plan": ("signalbox.cli.plan:plan", "What a deploy would change for routing."),
    "status": ("signalbox.cli.status:status", "Definitions, store and rules side by side, live."),
    "edit": ("signalbox.cli.edits:edit", "Edit an event's routes in $EDITOR and make them live."),
    "disable": ("signalbox.cli.edits:disable", "Switch a route off."),
    "enable": ("signalbox.cli.edits:enable", "Switch a route on."),
    "history": ("signalbox.cli.edits:history", "Every accepted edit of an event."),
    "revert": ("signalbox.cli.edits:revert", "Go back to what an event's routes were after an edit."),
    "restore": ("signalbox.cli.edits:restore", "Bring back the edits and flows that release has saved."),
    "pull": ("signalbox.cli.pull:pull", "Write run-time edits back into the definition files."),
    "sync": ("signalbox.cli.control:sync", "Reconcile now."),
    "freeze": ("signalbox.cli.control:freeze", "Stop the reconciler, for an incident."),
    "thaw": ("signalbox.cli.control:thaw", "Let the reconciler work again."),
    "redrive": ("signalbox.cli.redrive:redrive", "What lies in `undelivered`, and sending it again."),
    "replay": ("signalbox.cli.replay:replay", "Events of the archive once more, to one route."),
    "release": ("signalbox.cli.control:release", "Take our rules off the bus, before a destroy."),
    "flow": ("signalbox.cli.flow:flow", "See what flows become, and run them for an event."),
}


class _Commands(click.Group):
    """Finds commands in COMMANDS. `check` must not wait for the import of what talks to AWS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(module), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Signalbox: event routing as code for AWS EventBridge.

    Exit codes: 0 all is fine (also with warnings), 1 something is not, 2 the command was called wrongly.
    """
