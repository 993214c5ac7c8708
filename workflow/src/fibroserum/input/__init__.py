"""Reading what a user writes: config, sample sheets and tables; every problem of them in words."""

__all__ = [
    "config",
    "covariates",
    "gene_lists",
    "names",
    "normalization",
    "outcomes",
    "paths",
    "planning",
    "published",
    "schema",
    "serum_levels",
    "sheet",
    "sheet_checks",
    "sheet_design",
    "signature",
    "stimulation_sheet",
]
