"""The page of a report."""

__all__ = [
    "assets",
    "chain",
    "cohort_page",
    "design_words",
    "gene_data",
    "gene_names",
    "outcomes",
    "pack",
    "panel_tables",
    "tables",
    "templates",
]
