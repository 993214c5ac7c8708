"""Calibration by permutation of donors' labels."""

__all__ = [
    "labels",
    "stage",
]
