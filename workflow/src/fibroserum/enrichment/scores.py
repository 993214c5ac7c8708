"""Scores of each sample for each set, and the paired test of their change."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from fibroserum.cohort.models import Model
from fibroserum.distributions import t_ppf, t_sf
from fibroserum.enrichment.kernels import area, thinned_ranks
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
# A share of the genes up to which it is faster to look their ranks up than to rank all.
FEW = 1 / 8
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
    n_cpus: int = 1,
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
    genes = expression.columns
    restricted = restrict(sets, genes, genes, min_size=min_size, max_size=max_size)
    return scores_of(expression, restricted, share=share, n_cpus=n_cpus)


def scores_of(
    expression: pd.DataFrame,
    sets: Membership,
    *,
    share: np.ndarray | None = None,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return what `score_samples` returns, of sets that are restricted already."""
    genes, samples, table = expression.columns, expression.index, sets.table
    if table.empty:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    values, by_name = expression.to_numpy(), np.argsort(genes.to_numpy(dtype=str))
    # the sets' genes, in the order of all genes' names
    used, members = np.unique(np.argsort(by_name)[sets.members.indices], return_inverse=True)
    starts = sets.members.indptr.astype(np.int64)
    weights = (np.arange(2 * len(genes) + 1) / 2) ** WEIGHT
    scores = np.empty((len(table), len(samples)))

    def one_sample(row: int) -> None:
        ordered = values[row, by_name]
        if share is None or share[row] == 1:
            ranks = _ranks(ordered, used)[None]
        else:
            ranks = _thinned_ranks(ordered, share[row], used)
        own = [area(each, len(genes), weights, members, starts) for each in ranks]
        scores[:, row] = np.column_stack(own).mean(axis=1)

    with ThreadPoolExecutor(max(1, n_cpus)) as pool:
        list(pool.map(one_sample, range(len(samples))))
    return pd.DataFrame(
        {
            "sample": np.tile(samples.to_numpy(), len(table)),
            "collection": np.repeat(table["collection"].to_numpy(), len(samples)),
            "gene_set": np.repeat(table["gene_set"].to_numpy(), len(samples)),
            "score": scores.ravel(),
        }
    )


def _ranks(values: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return twice the mean rank of some values (by position) among all of them."""
    if len(used) < FEW * len(values):
        ordered, asked = np.sort(values), values[used]
        return np.searchsorted(ordered, asked) + np.searchsorted(ordered, asked, side="right") + 1
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    return (2 * np.cumsum(times) - times + 1)[place[used]]


def _thinned_ranks(values: np.ndarray, share: float, used: np.ndarray) -> np.ndarray:
    """Return twice the mean ranks (`DRAWS`, used) in thinnings of a sample's whole counts (G,).

    The seed is the counts, by genes' names: neither the order of genes and samples nor the samples'
    names matter. Raises ValueError for negative counts and a share that is not within 0 and 1.
    """
    counts = values.astype(np.int64)
    # the kernel does not look
    if not 0 <= share <= 1 or counts.min(initial=0) < 0:
        raise ValueError(f"counts from {counts.min()} on cannot be thinned to {share}")
    rng = np.random.default_rng(zlib.crc32(counts.tobytes()))
    return np.asarray(thinned_ranks(rng, counts, share, used, DRAWS))


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
    n = scores["sample"].nunique()
    wide = pd.DataFrame(
        scores["score"].to_numpy().reshape(-1, n).T,
        index=scores["sample"].iloc[:n],
        columns=pd.MultiIndex.from_frame(scores[["collection", "gene_set"]].iloc[::n]),
    ).dropna(axis=1)  # without sets of all genes
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
