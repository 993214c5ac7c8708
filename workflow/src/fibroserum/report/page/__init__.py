"""The page of a report."""

__all__ = [
    "assets",
    "cohort_page",
    "design_words",
    "gene_data",
    "pack",
    "tables",
    "templates",
]
