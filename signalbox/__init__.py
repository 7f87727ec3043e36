"""Signalbox: event routing as code for AWS EventBridge.

The domain modules of this package do no I/O and import neither an AWS SDK nor Pulumi, so that the Pulumi program, the
Lambdas and the CLI can all use them. Adapters that talk to AWS are in `signalbox.aws`; the CLI is in `signalbox.cli`.
"""

__version__ = "0.1.0"
