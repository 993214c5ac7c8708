"""Quality control: metrics, components, distances, and checks that exclude nothing."""

__all__ = [
    "batches",
    "check",
    "checks",
    "copies",
    "design",
    "identity",
    "kernels",
    "metrics",
    "normalisation",
    "pair_quality",
    "profiles",
    "samples",
    "soundness",
    "stage",
    "times",
]
