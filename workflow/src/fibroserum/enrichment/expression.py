"""The expression that set tests and scores rest on: at one depth within each donor."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.models import Model, model_of, models_of
from fibroserum.de.second_model import expression_of, well_counted
from fibroserum.de.stored_fit import fitted_genes
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.scores import scores_of, test_scores
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import (
    ContrastFit,
    Expression,
    contrast_fits,
    depth_matched,
    kept_shares,
)


def set_expression(
    well: pd.DataFrame,
    model: Model,
    factors: pd.Series,
    *,
    match_depth: bool = True,
    n_cpus: int = 1,
) -> Expression:
    """Return the values and weights that the set tests rest on.

    well: `well_counted`, samples × genes. factors: TMM factors by sample. match_depth: whether the
    samples of a block are compared at one depth. Without, and where donors are compared with each
    other, whose own variance hides what depth does, values and weights are voom's.
    """
    if not match_depth or model.design.blocks is None:
        return expression_of(well, model, factors, weighted=True, n_cpus=n_cpus)
    own = factors.loc[well.index].to_numpy(float)
    values, weights = depth_matched(well, model.design, own, n_cpus=n_cpus)
    return Expression(well.index, well.columns, values, weights)


def set_models_of(
    fit: ad.AnnData, force_kept: pd.Series, n_cpus: int, *, match_depth: bool = True
) -> dict[str, ContrastFit]:
    """Return the linear models of the set tests by contrast, as file names have it.

    fit: as `de.fitting.fit_model` makes it; force_kept: by gene, whether it is kept whatever its
    counts (the targets).
    """
    model = model_of(fit)
    well = well_counted(counts_of(fit)[fitted_genes(fit)], model, force_kept)
    expression = set_expression(
        well, model, fit.obs["norm_factors"], match_depth=match_depth, n_cpus=n_cpus
    )
    del well  # samples × genes, as the values
    return contrast_fits(expression, model, n_cpus=n_cpus)


def scores_and_tests(
    cohort: ad.AnnData,
    sets: Sequence[GeneSet],
    *,
    min_size: int,
    max_size: int,
    match_depth: bool = True,
    others: Sequence[GeneSet] = (),
    n_cpus: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return samples' scores, the tests of every contrast in them, and those of other sets.

    The scores are those at the depth of each donor's shallowest sample. A model that compares
    donors is tested on scores at the samples' own depth: where one group's samples after are
    shallower, depth would otherwise differ between the groups' samples before, too.

    others: sets of any size, which are scored along with `sets` and adjusted apart from them.
    """
    counts = counts_of(cohort)
    genes = counts.columns
    asked = restrict(sets, genes, genes, min_size=min_size, max_size=max_size)
    rest = restrict(others, genes, genes, min_size=1, max_size=len(genes))
    both = asked.joined(rest)
    models = models_of(cohort.obs, settings_of(cohort))
    share = None
    if match_depth:
        donors = pd.Categorical(cohort.obs["donor"]).codes.astype(np.int64)
        share = kept_shares(cohort.obs["size_factor"].to_numpy(float), donors)
    own = matched = scores_of(counts, both, share=share, n_cpus=n_cpus)
    if match_depth and any(model.design.blocks is None for model in models):
        own = scores_of(counts, both, n_cpus=n_cpus)
    first = len(asked.table) * len(counts)

    def tests(part: slice) -> pd.DataFrame:
        scores = (own if model.design.blocks is None else matched for model in models)
        found = [test_scores(of.iloc[part], m) for of, m in zip(scores, models, strict=True)]
        return pd.concat(found, ignore_index=True)

    return matched.iloc[:first], tests(slice(first)), tests(slice(first, None))
