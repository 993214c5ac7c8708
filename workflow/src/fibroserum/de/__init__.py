"""Differential expression: the fit, the tables and the calls of all contrasts."""

__all__ = [
    "confident",
    "evidence",
    "fitting",
    "gene_lists",
    "hypothesis_weights",
    "normalisation",
    "omnibus",
    "overlap",
    "reasons",
    "second_model",
    "settings",
    "stage",
    "stagewise",
    "stored_fit",
]
