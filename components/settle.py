"""The reconciler's run in the midst of a deploy: after the store is written, before any rule is."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component
from signalbox.canonical import canonical


@dataclass(frozen=True, slots=True)
class SettleArgs:
    """`written` names what the deploy writes into the store, `after` are the items and the function."""

    function: aws.lambda_.Function
    written: str
    after: Sequence[pulumi.Resource]


class Settle(Component):
    """Invokes the reconciler when the deploy changes what the store says.

    Pulumi compares what the program declares with its own state, and rules that were edited at run time are not as the
    state says: it would leave out what it believes to be there, and take away the last target that is. The reconciler
    looks at the bus itself, so all that is left to the engine is to write what is there already. Where nobody has
    edited anything it has nothing to do and says so at once.
    """

    def __init__(self, name: str, args: SettleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.run = aws.lambda_.Invocation(
            f"{name}-run",
            function_name=args.function.name,
            input=canonical({"deploy": args.written}),
            opts=self.child(depends_on=list(args.after)),
        )
        self.register_outputs({})
