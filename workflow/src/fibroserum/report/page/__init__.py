"""The page of a report."""

__all__ = [
    "assets",
    "chain",
    "cohort_page",
    "gene_data",
    "outcomes",
    "pack",
    "panel_tables",
    "tables",
    "templates",
]
