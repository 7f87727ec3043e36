"""Keeps rules and state machines in step with the store: pure comparison, and a reconciler over ports."""

from signalbox.reconcile.deploy import put_bare, settle, taken_away
from signalbox.reconcile.difference import clashes
from signalbox.reconcile.machines import Plant
from signalbox.reconcile.reconciler import Entry, Reconciler, Report
from signalbox.reconcile.routes import FAILED, IN_STEP, KEPT_OLD
from signalbox.reconcile.wanted import Bus, wanted

__all__ = [
    "FAILED",
    "IN_STEP",
    "KEPT_OLD",
    "Bus",
    "Entry",
    "Plant",
    "Reconciler",
    "Report",
    "clashes",
    "put_bare",
    "settle",
    "taken_away",
    "wanted",
]
