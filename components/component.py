"""What every component of this program shares: its type's name, and options for its children."""

from collections.abc import Sequence

import pulumi


class Component(pulumi.ComponentResource):
    """A component whose children are named `<its name>-…` (or `<its name>/…`) and have it as their parent.

    Options are made anew for each child, and never merged from the caller's: a caller's `aliases` or `protect` are
    meant for the component alone.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"signalbox:index:{type(self).__name__}", name, None, opts)
        self.name = name

    def child(
        self,
        *,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        delete_before_replace: bool | None = None,
    ) -> pulumi.ResourceOptions:
        """Options for one child."""
        return pulumi.ResourceOptions(
            parent=self, depends_on=list(depends_on), delete_before_replace=delete_before_replace
        )
