"""Scores of each sample for each set, and the paired test of their change."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fibroserum.cohort.models import Model
from fibroserum.distributions import t_ppf, t_sf
from fibroserum.enrichment.membership import Membership, restrict
from fibroserum.genes.gmt import GeneSet
from fibroserum.linear import (
    ContrastFit,
    Expression,
    contrast_fits,
    contrast_variance,
    estimates,
    group_variances,
)
from fibroserum.multiple_testing import adjust

# GSEApy's and the authors' exponent of the rank.
WEIGHT = 0.25
# Thinnings over which the score of a sample is averaged.
DRAWS = 16

SCORE_COLUMNS = ["sample", "collection", "gene_set", "score"]
TEST_COLUMNS = [
    "contrast",
    "collection",
    "gene_set",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "pvalue",
    "padj",
]


def score_samples(
    expression: pd.DataFrame,
    sets: Sequence[GeneSet],
    *,
    min_size: int,
    max_size: int,
    share: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return single-sample enrichment scores: sample, collection, gene_set, score.

    expression: samples × genes (matrix gene ids), on any scale. The score of Barbie et al. (2009)
    Nature 462:108, not normalised: the area of the running sum of hits, weighted by rank to the
    power of 0.25, less misses. It depends on the ranks within its sample alone, not on other
    samples or sets, and equals GSEApy's ssgsea; tied genes share their mean rank, so that their
    order does not matter. NaN for a set of all genes. Sorted by collection, set, and sample as
    given.

    share: (n,), of the counts, which `expression` then holds: the score of a sample with a share
    below 1 is the mean over `DRAWS` binomial thinnings to it. Ranks depend on depth where counts
    are low.
    """
    genes, samples = expression.columns, expression.index
    restricted = restrict(sets, genes, genes, min_size=min_size, max_size=max_size)
    table = restricted.table
    if table.empty:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    values = expression.to_numpy()
    scores = _areas(values, restricted)
    if share is not None:
        by_name = np.argsort(genes.to_numpy(dtype=str))
        for row in np.flatnonzero(share < 1):
            thinned = _thinnings(values[row], share[row], by_name)
            scores[:, row] = _areas(thinned, restricted).mean(axis=1)
    return pd.DataFrame(
        {
            "sample": np.tile(samples.to_numpy(), len(table)),
            "collection": np.repeat(table["collection"].to_numpy(), len(samples)),
            "gene_set": np.repeat(table["gene_set"].to_numpy(), len(samples)),
            "score": scores.ravel(),
        }
    )


def _areas(values: np.ndarray, sets: Membership) -> np.ndarray:
    """Return the scores (sets, n) of values (n, G)."""
    from scipy.stats import rankdata

    # the running sum keeps what a hit adds for as many places as the gene has rank
    rank = rankdata(values, axis=1).T
    weight = rank**WEIGHT
    hits = (sets.members @ (weight * rank)) / (sets.members @ weight)
    others = rank.shape[0] - sets.table["tested"].to_numpy(dtype=float)[:, None]
    total = rank.shape[0] * (rank.shape[0] + 1) / 2
    misses = np.full(hits.shape, np.nan)
    np.divide(total - sets.members @ rank, others, out=misses, where=others > 0)
    return np.asarray(hits - misses)


def _thinnings(counts: np.ndarray, share: float, by_name: np.ndarray) -> np.ndarray:
    """Return `DRAWS` binomial thinnings (draws, G) of a sample's whole counts (G,).

    by_name: the order of the genes' names. The seed is the counts in that order: neither the order
    of genes and samples nor the samples' names matter.
    """
    ordered = counts[by_name].astype(np.int64)
    rng = np.random.default_rng(zlib.crc32(ordered.tobytes()))
    thinned = np.empty((DRAWS, len(counts)), dtype=np.int64)
    thinned[:, by_name] = rng.binomial(ordered, share, size=(DRAWS, len(counts)))
    return thinned


def test_scores(
    scores: pd.DataFrame,
    model: Model,
) -> pd.DataFrame:
    """Return the t test of each contrast in each set's scores, over one value per donor.

    scores: as `score_samples` gives them; only the model's samples are used.
    One row a contrast and set: estimate, se, ci_low, ci_high (95 %), pvalue, padj (BH within
    contrast and collection). Raises ValueError for a design that cannot be fitted, and where
    a sample of the design has no scores.
    """
    if scores.empty:
        return pd.DataFrame(columns=TEST_COLUMNS)
    wide = scores.pivot_table(
        index="sample", columns=["collection", "gene_set"], values="score", aggfunc="first"
    )
    samples = model.design.samples
    missing = samples.difference(wide.index)
    if len(missing):
        raise ValueError(f"no scores for {', '.join(map(str, missing))}")
    expression = Expression(samples, wide.columns, wide.loc[samples].to_numpy(float), None)
    fits = contrast_fits(expression, model)
    frames = [_test(name, own) for name, own in fits.items()]
    if not frames:
        return pd.DataFrame(columns=TEST_COLUMNS)
    return pd.concat(frames, ignore_index=True)[TEST_COLUMNS]


test_scores.__test__ = False  # type: ignore[attr-defined]  # a function of ours, not of pytest


def _test(name: str, own: ContrastFit) -> pd.DataFrame:
    fit = own.fit
    estimate, _ = estimates(fit, own.vector)
    spread = group_variances(fit, own.groups, moderated=False)
    variance, df = contrast_variance(fit, own.vector, spread)
    se = np.sqrt(variance)
    statistic = np.where(estimate == 0, 0.0, np.copysign(np.inf, estimate))
    np.divide(estimate, se, out=statistic, where=se > 0)
    half = t_ppf(0.975, df) * se
    frame = fit.genes.to_frame(index=False)
    frame["contrast"] = name
    frame["estimate"] = estimate
    frame["se"] = se
    frame["ci_low"], frame["ci_high"] = estimate - half, estimate + half
    frame["pvalue"] = 2 * t_sf(np.abs(statistic), df)
    frame["padj"] = adjust(frame["pvalue"], frame["collection"])
    return frame
