"""The page of a report."""

__all__ = [
    "assets",
    "cohort_page",
    "gene_data",
    "pack",
    "panel_tables",
    "tables",
    "templates",
]
