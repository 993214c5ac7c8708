"""Expression at one depth within each block: what deeper samples would show if sequenced less.

The mean log of a count depends on its depth where counts are low. Averages over the genes of a set
find differences that no single gene shows. Counts that are thinned binomially have the
distribution of counts of a shallower sequencing run, whatever the distribution of the expression.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.inference.chunks import over_samples
from fibroserum.linear.voom import log_cpm, lowess_span, precision_weights

# Expected counts from which the mean log is taken from a series, whose error is below 1e-6 there;
# and a count that a thinning below it never reaches (20 standard deviations above).
SERIES_FROM, OUT_OF_REACH = 100, 300


def fixed_norm_factors(well: pd.DataFrame, size_factors: pd.Series) -> pd.Series:
    """Return what makes effective library sizes proportional to size factors, geometric mean 1.

    well: samples × genes; size_factors: by sample.
    """
    logs = np.log(size_factors.loc[well.index].to_numpy(float)) - np.log(well.sum(axis=1))
    return np.exp(logs - logs.mean())


def kept_shares(size: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the smallest size of each sample's block over its own size (n,), in (0, 1].

    size: (n,), effective library sizes or size factors. blocks: (n,), codes; -1: in no block, the
    sample keeps its depth.
    """
    inside = blocks >= 0
    smallest = np.full(blocks.max(initial=-1) + 1, np.inf)
    np.minimum.at(smallest, blocks[inside], size[inside])
    share = np.ones(len(size))
    share[inside] = smallest[blocks[inside]] / size[inside]
    return share


def thinned_log2(counts: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of log2(thinned + 0.5) over all binomial thinnings of whole counts (G,).

    Exact below `SERIES_FROM` expected counts, a series above. Let f(y) be the mean at a count y:
    the last of y trials moves it from g(k) to (1 - share) g(k) + share g(k + 1), which is iterated.
    """
    last = int(min(counts.max(initial=0), np.ceil(SERIES_FROM / share)))
    exact = np.empty(last + 1)
    logs = np.log2(np.arange(min(last, OUT_OF_REACH) + 1) + 0.5)
    for y in range(last + 1):
        exact[y] = logs[0]
        logs[:-1] = (1 - share) * logs[:-1] + share * logs[1:]
    mean = np.maximum(counts, last) * share
    at, variance = mean + 0.5, mean * (1 - share)
    third = variance * (1 - 2 * share)
    fourth = 3 * variance**2 + variance * (1 - 6 * share * (1 - share))
    series = np.log(at) - variance / (2 * at**2) + third / (3 * at**3) - fourth / (4 * at**4)
    small = np.minimum(counts, last).astype(np.int64)
    return np.where(counts <= last, exact[small], series / np.log(2))


def depth_matched(
    counts: pd.DataFrame, design: Design, norm_factors: np.ndarray, *, n_cpus: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 cpm at the depth of each block's shallowest sample, and precision weights.

    counts: samples × genes, whole numbers, filtered beforehand. norm_factors: (n,). Values and
    weights: (n, G). A value is the mean over all thinnings of voom's (its + 0.5 included), so that
    an unchanged gene has the same mean in all samples of a block. The weights are voom's, but at
    the gene's mean and the sample's depth: at a sample's own fitted value they rise with the noise
    of the shallower samples, and a weighted mean of the changes would follow it.

    Raises ValueError for counts that are not whole, negative ones, and a sample without any.
    """
    values, size = log_cpm(counts, norm_factors, n_cpus=n_cpus)
    raw = counts.to_numpy()
    if (raw != np.floor(raw)).any():
        raise ValueError("only whole counts can be thinned")
    share = kept_shares(size, design.codes)
    matched = size * share
    thinned = np.flatnonzero(share < 1)

    def work(places: slice) -> None:
        for row in thinned[places]:
            values[row] = thinned_log2(raw[row], share[row]) - np.log2((matched[row] + 1) / 1e6)

    over_samples(work, len(thinned), n_cpus)
    seen, span = raw.any(axis=0), lowess_span(counts.shape[1])
    weights = precision_weights(values, matched, design, seen, span, at_mean=True, n_cpus=n_cpus)
    return values, weights
