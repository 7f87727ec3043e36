"""Flows: pipelines of steps, compiled to Amazon States Language."""
