"""Differential expression: the fit, the tables and the calls of all contrasts."""
