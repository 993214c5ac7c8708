"""Genes that respond to a circulating factor: evidence, combination, concordance."""

__all__ = [
    "calls",
    "combine",
    "concordance",
    "levels",
    "mediation",
    "mediation_calls",
    "mediation_slope",
    "sentences",
    "serum",
    "stage",
    "stimulation",
]
