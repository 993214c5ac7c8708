"""The expression that set tests and scores rest on: at one depth within each donor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.models import Model, models_of
from fibroserum.de.second_model import linear_model, well_counted
from fibroserum.enrichment.scores import score_samples, test_scores
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import LinearFit, depth_matched, fit_weighted, kept_shares


def set_model(
    counts: pd.DataFrame,
    model: Model,
    force_kept: pd.Series,
    factors: pd.Series,
    n_cpus: int,
    *,
    match_depth: bool = True,
) -> LinearFit:
    """Return the linear fit of the set tests, as `linear_model` but for the values and weights.

    counts: samples × genes that the main model fitted. factors: `norm_factors`, by sample.
    match_depth: whether the samples of a donor are compared at one depth. Without, and where donors
    are compared with each other, whose own variance hides what depth does, the fit is voom's.
    """
    if not match_depth or model.design.blocks is None:
        return linear_model(counts, model, force_kept, factors, n_cpus)
    well = well_counted(counts, model, force_kept)
    factor = factors.loc[well.index].to_numpy(float)
    values, weights = depth_matched(well, model.design, factor)
    frame = pd.DataFrame(values, index=well.index, columns=well.columns)
    return fit_weighted(frame, model.design, weights, n_cpus=n_cpus)


def set_model_of(fit: ad.AnnData, force_kept: pd.Series, n_cpus: int) -> LinearFit:
    """Return `set_model` of a model that `de.fitting.fit_model` fitted.

    force_kept: by gene, whether it is kept whatever its counts (the targets).
    """
    fitted = fit.var_names[fit.var["fitted_dispersions"].notna().to_numpy()]
    model = Model(fit.uns["model"]["name"], design_of(fit), {})
    return set_model(counts_of(fit)[fitted], model, force_kept, fit.obs["norm_factors"], n_cpus)


def scores_and_tests(
    cohort: ad.AnnData, sets: Sequence[GeneSet], *, match_depth: bool = True, **sizes: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of a cohort's samples, and the tests of every contrast in them.

    The scores are those at the depth of each donor's shallowest sample. A model that compares
    donors is tested on scores at the samples' own depth: where one group's samples after are
    shallower, depth would otherwise differ between the groups' samples before, too.
    """
    counts = counts_of(cohort)
    own = matched = score_samples(counts, sets, **sizes)
    if match_depth:
        donors = pd.Categorical(cohort.obs["donor"]).codes.astype(np.int64)
        share = kept_shares(cohort.obs["size_factor"].to_numpy(float), donors)
        matched = score_samples(counts, sets, share=share, **sizes)
    tests = [
        test_scores(own if model.design.blocks is None else matched, model.design, model.contrasts)
        for model in models_of(cohort.obs, settings_of(cohort))
    ]
    return matched, pd.concat(tests, ignore_index=True)
