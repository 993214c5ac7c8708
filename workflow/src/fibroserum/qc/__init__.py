"""Quality control: metrics, components, distances, and checks that recommend and drop nothing."""

__all__ = [
    "batches",
    "check",
    "checks",
    "copies",
    "identity",
    "metrics",
    "normalisation",
    "pair_quality",
    "profiles",
    "stage",
    "times",
]
