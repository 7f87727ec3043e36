"""A stand-in for Pulumi's AWS plugin, for the resource types that Signalbox declares: a development tool.

It talks to whatever AWS endpoint `AWS_ENDPOINT_URL` names (the sandbox's emulator) and treats resources as the plugin
does: the same properties, checks, defaults, replacements, ids and import ids. `python -m sandbox.provider` starts it;
the engine finds it as an executable `pulumi-resource-aws` on its PATH.

Layout: `wire` (Pulumi's values), `schema` (what a property is; Check and Diff follow from it), `resource` (what a type
is and does), `services/` (the types, one module per AWS service), `server` (the gRPC service).
"""

VERSION = "7.51.1"  # of the plugin that it stands in for, and of the SDK `pulumi-aws` in requirements.txt
