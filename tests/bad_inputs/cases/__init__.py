"""Every mistake, one module a topic."""

from __future__ import annotations

from bad_inputs.cases import (
    cohorts,
    config,
    contrasts,
    counts,
    design,
    factors,
    gene_lists,
    genes,
    normalization,
    outcomes,
    serum_panel,
    sets,
    several,
    sheet,
)

TOPICS = (
    config,
    sheet,
    design,
    contrasts,
    counts,
    genes,
    sets,
    factors,
    normalization,
    outcomes,
    serum_panel,
    gene_lists,
    several,
    cohorts,
)
ALL = [case for topic in TOPICS for case in topic.CASES.found]
