"""The coefficients' last resort: a quasi-Newton search within bounds, as DESeq2 has it.

On a sparse gene whose likelihood is all but flat in some direction the estimate is where the search
ends, not the maximum, so that R's numbers can be had only by R's method: L-BFGS-B on the log2
scale, coefficients in [-30, 30], five corrections, and a relative gain of 1e7 times the machine's
precision as the end (the defaults of R's `optim`).
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

LOG2_BOUND = 30.0
CORRECTIONS = 5
LEAST_GAIN = 1e7
MOST_STEPS = 100
LN2 = float(np.log(2))
# of DESeq2's normal prior, on the log2 scale
PRECISION = 1e-6


def start_of(
    counts: np.ndarray, offsets: np.ndarray, design: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Return where a search starts, on the log2 scale.

    last: (columns,) what least squares ended with, natural. Where that lies beyond the bound, the
    least-squares fit of log(normalised count + 0.1) is taken as it is, as R does.
    """
    log2 = last / LN2
    if np.isfinite(log2).all() and (np.abs(log2) < LOG2_BOUND).all():
        return log2
    linear = np.linalg.lstsq(design, np.log(counts * np.exp(-offsets) + 0.1), rcond=None)[0]
    return np.clip(linear, -LOG2_BOUND, LOG2_BOUND)


def search(
    counts: np.ndarray, offsets: np.ndarray, alpha: float, design: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Return (coefficients, natural logarithms; whether the search settled) of one gene.

    counts, offsets: (samples,). design: samples × columns. start: (columns,), log2.
    The likelihood is whole, as its size decides where the search ends. Means are not bounded.
    """
    # imported where it is used: few genes come here, and the import takes as long as numpy's
    from scipy.optimize import fmin_l_bfgs_b

    size = 1.0 / alpha
    constant = np.sum(gammaln(counts + size) - gammaln(size) - gammaln(counts + 1))
    constant += counts.sum() * np.log(alpha)
    constant += 0.5 * len(start) * np.log(PRECISION / (2 * np.pi))

    def loss(log2: np.ndarray) -> tuple[float, np.ndarray]:
        eta = design @ log2 * LN2 + offsets
        means = np.exp(eta)
        likelihood = counts @ eta - (counts + size) @ np.log1p(alpha * means)
        value = 0.5 * PRECISION * (log2 @ log2) - likelihood - constant
        slope = design.T @ ((counts - means) / (1 + alpha * means))
        return float(value), PRECISION * log2 - LN2 * slope

    found, _, report = fmin_l_bfgs_b(
        loss,
        start,
        bounds=[(-LOG2_BOUND, LOG2_BOUND)] * len(start),
        m=CORRECTIONS,
        factr=LEAST_GAIN,
        pgtol=0.0,
        maxiter=MOST_STEPS,
    )
    return found * LN2, report["warnflag"] == 0
