"""Outcomes and the serum panel of a cohort, each table equal to what a run writes."""

from __future__ import annotations

from collections.abc import Mapping

import anndata as ad
import pandas as pd

from fibroserum import tables
from fibroserum.api.cohort import Cohort
from fibroserum.genes.gmt import read_collections
from fibroserum.outcomes.stage import OutcomeSettings, OutcomeTables, flag_outcomes
from fibroserum.serum_panel.stage import SCHEMAS, PanelTables, flag_panel


def outcome_tables(
    cohort: Cohort,
    fits: Mapping[str, ad.AnnData],
    *,
    alpha: float | None = None,
    n_cpus: int = 1,
) -> OutcomeTables:
    """Find the genes, targets and gene sets associated with each outcome.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it, with `outcomes` in its config.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    OutcomeTables
        DataFrames as attributes: `pairs` (the outcome of each pair), `genes`, `targets` and `sets`.
        Slopes are log2 expression per unit of the outcome's column. The columns are those of
        `flags/outcome*.tsv` in docs/tables.md. Without outcomes all are empty.

    Raises
    ------
    InputError
        Where a file of gene sets has a problem.

    Examples
    --------
    >>> len(outcome_tables(cohort, fits).genes)
    0
    """
    model, sets = cohort.config["differential_expression"], cohort.config["enrichment"]
    return flag_outcomes(
        cohort.adata,
        fits["paired"],
        read_collections(cohort.config["gene_sets"]),
        cohort.config["outcomes"],
        OutcomeSettings(
            model["alpha"] if alpha is None else alpha, sets["min_size"], sets["max_size"], n_cpus
        ),
    )


def panel_tables(
    cohort: Cohort,
    fits: Mapping[str, ad.AnnData],
    results: Mapping[str, pd.DataFrame],
    *,
    alpha: float | None = None,
    n_cpus: int = 1,
) -> PanelTables:
    """Find the circulating molecules that change, their associations with targets, and candidates.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it, with `serum_panel` in its config.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    results : dict of str to pandas.DataFrame
        As `results` returns them.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    PanelTables
        DataFrames as attributes: `changes` (log2 levels), `targets` (slopes) and `candidates`. The
        columns are those of `flags/serum_panel*.tsv` and `flags/candidates.tsv` in docs/tables.md.
        Without a panel all are empty.

    Examples
    --------
    >>> len(panel_tables(cohort, fits, tables).candidates)
    0
    """
    if not cohort.config["serum_panel"]:
        return PanelTables(**{field: tables.empty(name) for field, name in SCHEMAS.items()})
    factors = {name: entry["serum"] for name, entry in cohort.config["factors"].items()}
    level = cohort.config["differential_expression"]["alpha"] if alpha is None else alpha
    return flag_panel(cohort.adata, fits["paired"], results, factors, level, n_cpus)
