"""Keeps rules and state machines in step with the store: pure comparison, and a reconciler over ports."""

from signalbox.reconcile.deploy import begin, restore, settle
from signalbox.reconcile.difference import clashes
from signalbox.reconcile.machines import Plant
from signalbox.reconcile.reconciler import Entry, Reconciler, Report
from signalbox.reconcile.wanted import Bus, wanted
from signalbox.store import FAILED, IN_STEP, KEPT_OLD

__all__ = [
    "FAILED",
    "IN_STEP",
    "KEPT_OLD",
    "Bus",
    "Entry",
    "Plant",
    "Reconciler",
    "Report",
    "begin",
    "clashes",
    "restore",
    "settle",
    "wanted",
]
