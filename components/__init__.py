"""Pulumi components: each module holds one component and its arguments."""
