"""Column names and settings of the two-group cohorts that the studies simulate."""

from __future__ import annotations

SHEET = {"donor": "donor", "group": "group", "time": "timepoint", "line": None}
SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}
