"""Keeps rules and state machines in step with the store: pure comparison, and a reconciler over ports."""

from signalbox.reconcile.difference import clashes
from signalbox.reconcile.machines import Plant
from signalbox.reconcile.reconciler import FAILED, IN_STEP, KEPT_OLD, Entry, Reconciler, Report
from signalbox.reconcile.wanted import Bus, wanted

__all__ = ["FAILED", "IN_STEP", "KEPT_OLD", "Bus", "Entry", "Plant", "Reconciler", "Report", "clashes", "wanted"]
