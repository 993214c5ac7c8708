"""Gene-set enrichment: sets, self-contained and competitive tests, scores, calls."""

__all__ = [
    "camera",
    "expression",
    "fry",
    "group_wise",
    "kernels",
    "membership",
    "overrepresentation",
    "prerank",
    "rotation",
    "scores",
    "set_tests",
    "stage",
]
