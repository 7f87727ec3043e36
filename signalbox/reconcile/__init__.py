"""Keeps the rules in step with the store: pure comparison, and a reconciler over ports."""

from signalbox.reconcile.difference import clashes
from signalbox.reconcile.reconciler import FAILED, IN_STEP, KEPT_OLD, Entry, Reconciler, Report
from signalbox.reconcile.wanted import Bus, wanted

__all__ = ["FAILED", "IN_STEP", "KEPT_OLD", "Bus", "Entry", "Reconciler", "Report", "clashes", "wanted"]
