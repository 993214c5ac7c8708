"""Calibration by permutation of donors' labels."""
