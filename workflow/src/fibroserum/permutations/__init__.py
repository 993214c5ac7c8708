"""Calibration by permutation of donors' labels."""

__all__ = [
    "engine",
    "labels",
    "stage",
]
