"""Quality weights of pairs, from the sizes of their changes.

A poor pair changes more than others in most genes. limma's array weights (Ritchie et al. 2006, BMC
Bioinformatics 7:261; Liu et al. 2015, Nucleic Acids Res 43:e97) compare each pair with the mean of
all, and where genes move together, pairs that happen to agree get weight: on real pairs with
flipped labels that doubles the false discovery proportion (docs/calibration.md). Here the changes
are taken about zero. An exchange of before and after in any pair then leaves every weight as it is,
so that no weight depends on which pairs agree. Genes that change are left aside, for a pair that
responds more than others is not poor; and only a pair clearly beyond the typical one counts less.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from fibroserum.multiple_testing import benjamini_hochberg

#: fewer pairs do not tell a poor one from one that responds more
FEWEST_PAIRS = 6
#: genes whose mean change is significant at this false discovery rate say nothing of quality
CHANGED = 0.1
#: a pair whose variance is at most so many times that of the median pair counts in full
TOLERATED = 1.5
#: limma's: genes of the prior, least variance of a gene, most steps, and the gain that ends them
PRIOR_GENES, LEAST_VARIANCE, STEPS, TOLERANCE = 10, 1e-15, 50, 1e-5
#: genes whose squared changes are in memory at once
GENES = 1024


def pair_weights(changes: np.ndarray) -> np.ndarray:
    """Return the quality weights of pairs (m,), each at most 1.

    changes: (m, G), log2, pairs × genes. 1 where the variance of a pair (one over `array_weights`)
    is at most `TOLERATED` times that of the median pair; beyond, this bound over the variance.
    """
    if len(changes) < FEWEST_PAIRS:
        return np.ones(len(changes))
    error = changes.std(axis=0, ddof=1) / np.sqrt(len(changes))
    t = np.divide(changes.mean(axis=0), error, out=np.zeros_like(error), where=error > 0)
    padj = benjamini_hochberg(2 * stdtr(len(changes) - 1, -np.abs(t)))
    variance = 1.0 / array_weights(changes[:, padj >= CHANGED])
    bounded: np.ndarray = np.minimum(1.0, TOLERATED * np.median(variance) / variance)
    # the order of pairs and genes must not decide a last bit
    return bounded.round(9)


def array_weights(changes: np.ndarray) -> np.ndarray:
    """Return limma's array weights of pairs (m,) about zero, with geometric mean 1.

    changes: (m, G), log2, pairs × genes. The weight of a pair is one over its variance factor in a
    log-linear model of the variances, gene × pair, of changes with mean zero, by restricted maximum
    likelihood with limma's prior of 10 genes. All 1 below two genes.

    limma's Fisher scoring (`arrayWeights`, method "reml"): without a mean to estimate, no pair has
    leverage, and the information is the same for all pairs.
    """
    logs = np.zeros(len(changes))
    mean_square = np.einsum("pg,pg->g", changes, changes) / len(changes)
    varied = changes[:, mean_square >= LEAST_VARIANCE]
    genes = varied.shape[1]
    if genes < 2:
        return np.ones(len(changes))
    last = np.inf
    for _ in range(STEPS):
        weights = np.exp(logs)
        score = genes * (weights * _relative_squares(varied, weights) - 1.0)
        score += PRIOR_GENES * (weights - 1.0)
        step = (score - score.mean()) / (genes + PRIOR_GENES)
        promised = float(step @ step) / (len(changes) - 1)
        if not promised < last:
            break
        logs, last = logs - step, promised
        if promised < TOLERANCE:
            break
    return np.exp(logs)


def _relative_squares(changes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each pair's mean (m,) over genes of its squared change over the gene's variance."""
    total = np.zeros(len(changes))
    for first in range(0, changes.shape[1], GENES):
        squares = np.square(changes[:, first : first + GENES])
        variance = (squares * weights[:, None]).mean(axis=0)
        total += (squares / variance).sum(axis=1)
    return total / changes.shape[1]
