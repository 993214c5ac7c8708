"""The prior variance of log dispersions where residual degrees of freedom are few."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2

EDGES = np.arange(-20, 21) / 2
VARIANCES = np.linspace(0, 8, 200)
DRAWS = 10_000
NODES = 4_000


def _predicted(df: int, variances: np.ndarray) -> np.ndarray:
    """Return the density in each bin (variances × bins) of log(chi2 / df) + N(0, variance)."""
    # midpoints in probability of the chi-squared: the expectation over it is a plain mean
    probabilities = (np.arange(NODES) + 0.5) / NODES
    logs = np.log(chi2.ppf(probabilities, df) / df)
    table = np.empty((len(variances), len(EDGES) - 1))
    for row, variance in enumerate(variances):
        if variance == 0:
            inside = np.histogram(logs, EDGES)[0] / NODES
        else:
            below = ndtr((EDGES[:, None] - logs) / np.sqrt(variance)).mean(axis=1)
            inside = np.diff(below)
        table[row] = inside / inside.sum() / np.diff(EDGES)
    return table


def match_histogram(residuals: np.ndarray, df: int) -> float:
    """Return the variance in [0, 8] whose predicted histogram of residuals is nearest to theirs.

    Love, Huber & Anders 2014, Methods: log dispersion estimates around the trend are distributed
    as log(chi2(df) / df) plus a normal with the prior's variance; the variance is matched by the
    Kullback-Leibler divergence between histograms with bins of 0.5. DESeq2 draws 10,000 numbers
    for each of 200 variances and smooths; here the prediction is computed, and the minimum is
    found on a parabola through the three smallest values.
    """
    inside = residuals[(residuals > EDGES[0]) & (residuals < EDGES[-1])]
    observed = np.histogram(inside, EDGES)[0] / len(inside) / np.diff(EDGES)
    # an empty bin counts as the smallest density that the data, or DESeq2's draws, can show
    small = min(observed[observed > 0].min(), 1 / DRAWS / (EDGES[1] - EDGES[0]))
    predicted = _predicted(df, VARIANCES)
    terms = observed * (np.log(observed + small) - np.log(predicted + small))
    divergence = terms.sum(axis=1)
    best = int(np.argmin(divergence))
    if best in (0, len(VARIANCES) - 1):
        return float(VARIANCES[best])
    left, middle, right = divergence[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(VARIANCES[best] + shift * (VARIANCES[1] - VARIANCES[0]))
