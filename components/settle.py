"""The reconciler's run in the midst of a deploy: after the store is written, before any rule is."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from signalbox.canonical import canonical


@dataclass(frozen=True, slots=True)
class SettleArgs:
    """`overruled` names the edits that lost, `after` are the items and the function."""

    function: aws.lambda_.Function
    overruled: str
    after: Sequence[pulumi.Resource]


class Settle(Component):
    """Invokes the reconciler when the definitions overrule run-time edits.

    Pulumi compares what the program declares with its own state, and rules that were edited at run time are not as the
    state says: of a rule that an edit left without a target it would believe that the target is there, and take away
    the one that really is. The reconciler looks at the bus itself, so that all that is left to the engine is to write
    what is there already.
    """

    def __init__(self, name: str, args: SettleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.run = aws.lambda_.Invocation(
            f"{name}-run",
            function_name=args.function.name,
            input=canonical({"overruled": args.overruled}),
            opts=self.child(depends_on=list(args.after)),
        )
        self.register_outputs({})
