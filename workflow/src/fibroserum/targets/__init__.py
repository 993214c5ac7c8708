"""Verdicts on the targets, and what stands behind them."""

from fibroserum.targets.stage import TargetTables, flag_targets

__all__ = ["TargetTables", "flag_targets"]
