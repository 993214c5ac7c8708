"""A contrast of one group from its own samples: no spread is borrowed from other groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.enrichment.fry import directional, standardised
from fibroserum.enrichment.membership import Membership
from fibroserum.linear import LinearFit, fit_weighted, genewise_effects

# Two pairs leave one residual degree of freedom: too little for a test of any use.
FEWEST_DF = 2


def own_fry(
    fit: LinearFit, contrast: np.ndarray, sets: Membership, *, n_cpus: int = 1
) -> pd.DataFrame:
    """Return fry's directional test on the contrast's own group: fry_own_pvalue.

    The other set tests pool the residuals of all groups and take them to spread alike. This one
    does not, at the price of degrees of freedom. NaN where `own_group_fit` has no answer.
    """
    own = own_group_fit(fit, contrast, n_cpus=n_cpus)
    if own is None:
        return pd.DataFrame({"fry_own_pvalue": np.full(len(sets.table), np.nan)})
    effects = genewise_effects(own, np.eye(own.design.n_columns)[-1], n_cpus=n_cpus)
    found = directional(standardised(effects), sets)
    return found[["fry_pvalue"]].rename(columns={"fry_pvalue": "fry_own_pvalue"})


def own_group_fit(fit: LinearFit, contrast: np.ndarray, *, n_cpus: int = 1) -> LinearFit | None:
    """Return the fit of the donors that a contrast of one coefficient is about, it being the last.

    Values and weights are those of the whole fit. None where the contrast is of several
    coefficients, where its donors share another coefficient with others (covariates, a crossover),
    where no other donors are in the fit, and where fewer than FEWEST_DF residual degrees of
    freedom would be left.
    """
    design = fit.design
    used, dense = np.flatnonzero(design.dense_contrast(contrast)), design.dense_values
    if len(used) != 1:
        return None
    carriers = np.unique(design.codes[dense[:, used[0]] != 0])
    rows = np.isin(design.codes, carriers)
    alone = not np.delete(dense[rows], used[0], axis=1).any()
    df = int(rows.sum()) - len(carriers) - 1
    if design.blocks is None or rows.all() or not alone or df < FEWEST_DF:
        return None
    return fit_weighted(
        pd.DataFrame(fit.E[rows], index=fit.samples[rows], columns=fit.genes),
        Design(design.dense.loc[rows].iloc[:, used], design.blocks[rows]),
        fit.weights[rows],
        n_cpus=n_cpus,
    )
