"""A cohort: its plan, its inputs, its samples and genes, its contrasts and models."""

__all__ = [
    "accessors",
    "annotation",
    "contrasts",
    "designs",
    "donor_values",
    "dose",
    "inputs",
    "lines",
    "members",
    "models",
    "opening",
    "plan",
    "questions",
    "rank",
    "samples",
    "several",
    "size_factors",
    "stage",
    "storage",
]
