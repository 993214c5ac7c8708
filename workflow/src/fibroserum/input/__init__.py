"""Reading what a user writes: config, sample sheets and tables; every problem of them in words."""

__all__ = [
    "config",
    "covariates",
    "names",
    "outcomes",
    "paths",
    "published",
    "serum_levels",
    "sheet",
    "sheet_checks",
    "sheet_design",
    "signature",
    "stimulation_sheet",
]
