"""Verdicts on the targets, and the numbers behind them."""
