"""Thin adapters: what the domain needs of AWS, over boto3."""
