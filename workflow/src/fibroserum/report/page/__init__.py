"""The page of a report."""

__all__ = [
    "assets",
    "chain",
    "cohort_page",
    "design_words",
    "factors",
    "gene_data",
    "gene_names",
    "methods_words",
    "outcomes",
    "pack",
    "panel_tables",
    "tables",
    "templates",
    "verdicts",
]
