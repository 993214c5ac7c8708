"""Verdicts on the targets, and what stands behind them."""

from fibroserum.targets.run import TargetTables, flag_targets

__all__ = ["TargetTables", "flag_targets"]
