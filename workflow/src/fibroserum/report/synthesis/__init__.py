"""The report of a synthesis of several cohorts."""

__all__ = [
    "loading",
    "stage",
]
