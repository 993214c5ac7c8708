"""Verdicts on the targets, and the numbers behind them."""

from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings, TargetTables

__all__ = ["TargetSettings", "TargetTables", "flag_targets"]
