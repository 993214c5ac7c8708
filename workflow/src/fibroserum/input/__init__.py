"""Reading what a user writes: config, sample sheets and tables; every problem of them in words."""

__all__ = [
    "config",
    "covariates",
    "gene_lists",
    "names",
    "normalization",
    "outcomes",
    "panel_levels",
    "paths",
    "planning",
    "published",
    "schema",
    "serum_levels",
    "serum_panel",
    "sheet",
    "sheet_checks",
    "sheet_design",
    "signature",
    "stimulation_sheet",
    "too_few_cells",
]
