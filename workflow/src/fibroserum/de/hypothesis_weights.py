"""Weights of hypotheses, learnt from a covariate that is independent of their null p values.

p values are divided by their weights (Genovese, Roeder & Wasserman 2006, Biometrika 93:509), which
are learnt in folds of genes, so that no gene's own p value has a part in its weight (Ignatiadis &
Huber 2021, J R Stat Soc B 83:720).
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pandas as pd

from fibroserum.multiple_testing import benjamini_hochberg

#: the covariate's column in a fit's contrast
COVARIATE = "weight_covariate"
FOLDS, BINS = 5, 10
#: share of the weight that all genes have alike
UNIFORM = 0.2
#: the flattest shape of the density of changed genes' p values, and most rounds of its fit
FLATTEST, ROUNDS = 0.5, 100
#: what is known of a bin before its genes are seen: changed genes, of all
PRIOR = (0.5, 10.0)


def hypothesis_weights(pvalues: pd.Series, covariate: pd.Series, alpha: float) -> pd.Series:
    """Return the weight of each gene's hypothesis; over genes with both numbers the mean is 1.

    pvalues, covariate: by gene id; where either is missing the weight is 1. In each fold of genes
    the weight of a bin of the covariate follows from the p values of the other folds: these are a
    mixture of a uniform and of a beta density of one shape for all bins (Pounds & Morris 2003,
    Bioinformatics 19:1236), and at a given false discovery rate the most is found with one local
    false discovery rate at the thresholds of all bins. Where these weights find no more than equal
    ones at alpha in the other folds, the fold's genes have equal weights.
    """
    weights = pd.Series(1.0, pvalues.index)
    known = (pvalues.notna() & covariate.notna()).to_numpy()
    if known.sum() < BINS * FOLDS:
        return weights
    names = pvalues.index[known]
    p = pvalues.to_numpy(float)[known]
    logs = np.log(np.maximum(p, np.finfo(float).tiny))
    own = covariate.to_numpy(float)[known]
    edges = np.quantile(own, np.arange(1, BINS) / BINS)
    bins = np.searchsorted(edges, own, side="right")
    folds = np.array([crc32(str(name).encode()) % FOLDS for name in names])
    found = np.ones(len(names))
    for fold in range(FOLDS):
        here = folds == fold
        by_bin = _bin_weights(logs[~here], bins[~here])
        weighted = p[~here] / _mixed(by_bin[bins[~here]])
        if (benjamini_hochberg(weighted) < alpha).sum() > (
            benjamini_hochberg(p[~here]) < alpha
        ).sum():
            found[here] = _mixed(by_bin[bins[here]])
    weights[known] = found
    return weights


def _mixed(weights: np.ndarray) -> np.ndarray:
    """Return weights with mean 1, a share of which all have alike."""
    return UNIFORM + (1 - UNIFORM) * weights / weights.mean()


def _bin_weights(logs: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the weight of each bin up to a factor; logs: (n,), of p values."""
    sizes = np.bincount(bins, minlength=BINS)
    shares, shape = np.full(BINS, 0.1), FLATTEST / 2
    for _ in range(ROUNDS):
        own = shares[bins]
        density = own * shape * np.exp((shape - 1) * logs)
        changed = density / (density + 1 - own)
        last = shares
        shares = (np.bincount(bins, changed, BINS) + PRIOR[0]) / (sizes + PRIOR[1])
        exponent = float(-(changed @ logs))
        shape = min(FLATTEST, float(changed.sum()) / exponent) if exponent > 0 else FLATTEST
        if np.abs(shares - last).max() < 1e-6:
            break
    odds: np.ndarray = (shares / (1 - shares)) ** (1 / (1 - shape))
    return odds
