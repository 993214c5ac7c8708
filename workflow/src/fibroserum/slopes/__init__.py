"""The slope of expression on a value of each pair, such as a factor's change: fit, test, pairs."""

from __future__ import annotations

__all__ = ["contrast", "design", "influence", "model", "shared"]
