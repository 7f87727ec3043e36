"""The layer that all functions share: the signalbox package and its locked libraries."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.component import Component
from components.scope import Scope


@dataclass(frozen=True, slots=True)
class LayerArgs:
    """`archive` is the layer's zip, built for `runtime` and `architecture`."""

    scope: Scope
    archive: Path
    runtime: str
    architecture: str


class Layer(Component):
    """The layer `<stack>`: a new version whenever the bytes of its archive change."""

    def __init__(self, name: str, args: LayerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.version = aws.lambda_.LayerVersion(
            f"{name}-version",
            layer_name=args.scope.name,
            code=pulumi.FileArchive(str(args.archive)),
            compatible_runtimes=[args.runtime],
            compatible_architectures=[args.architecture],
            opts=self.child(),
        )
        self.arn = self.version.arn
        self.register_outputs({"arn": self.arn})
