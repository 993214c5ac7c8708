"""Do a set's own genes change, in any direction? The rotation test that decides `mixed`, exactly.

Wu, Lim, Vaillant, Asselin-Labat, Visvader, Smyth (2010) Bioinformatics 26:2176 (roast, mixed, mean
squares); the distribution of the statistic over all rotations is computed, not drawn.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from scipy import optimize

from fibroserum.enrichment.membership import Membership
from fibroserum.linear import Effects, variance_prior

# The widest step of the trapezoidal rule, and that as a share of the integrand's strip of
# analyticity: p values down to 1e-6 have a relative error below 1e-7 (against beta tails).
WIDEST, OF_STRIP = 1 / 16, 1 / 3
# The integrand is left out from where it is e^-37 of its size at the saddle point.
NEGLIGIBLE = 37.0


def mixed(effects: Effects, sets: Membership, *, n_cpus: int = 1) -> pd.DataFrame:
    """Return the p value of each set's sum of squared standardised effects.

    Columns: mixed_pvalue; mixed_pvalue_without_strongest: the same without the gene of the largest
    square in the contrast (NaN for a single gene); mixed_strongest: the position of that gene among
    the tested ones.

    Under noise alone a gene's 1 + d effects are, given their length, in a random direction, and
    the same rotation turns all genes of a set: p is the chance that the contrast falls on a
    direction with as large a sum of squares. Exact for any number of genes and any correlation.
    """
    both = standardised_alike(effects)

    def one(row: int) -> tuple[float, float, int]:
        positions = sets.positions(row)
        own = both[positions]
        top = int(np.argmax(own[:, 0] ** 2))
        less = np.nan if len(own) == 1 else _rotation_pvalue(np.delete(own, top, axis=0))
        return _rotation_pvalue(own), less, int(positions[top])

    with ThreadPoolExecutor(max(1, n_cpus)) as pool:
        found = list(pool.map(one, range(len(sets.table)), chunksize=64))
    columns = ["mixed_pvalue", "mixed_pvalue_without_strongest", "mixed_strongest"]
    kinds = dict(zip(columns, (float, float, np.int64), strict=True))
    return pd.DataFrame(found, columns=columns).astype(kinds)


def _rotation_pvalue(own: np.ndarray) -> float:
    """Return the p value of a set's standardised effects (genes, 1 + d)."""
    few = own.shape[0] < own.shape[1]
    found = np.linalg.eigvalsh(own @ own.T if few else own.T @ own)
    values = np.zeros(own.shape[1])
    values[: len(found)] = np.maximum(found, 0)
    return chance_of_larger(values, float(np.sum(own[:, 0] ** 2)))


def standardised_alike(effects: Effects) -> np.ndarray:
    """Return effects (G, 1 + d), contrast first, over a deviation that no rotation changes.

    The variance is the mean of all 1 + d squares, moderated with the residuals' prior. fry leaves
    each gene's largest square out, which singles out the axes: where genes differ in variance,
    contrasts of noise alone then look larger than rotated ones.
    """
    both = np.column_stack([effects.contrast, effects.residual])
    df = effects.residual.shape[1]
    variance = np.mean(effects.residual**2, axis=1)
    prior = variance_prior(variance, df)
    scale, df_prior = float(prior.variance.mean()), prior.df
    if np.isfinite(df_prior):
        posterior = (np.sum(both**2, axis=1) + df_prior * scale) / (df + 1 + df_prior)
    else:
        posterior = np.full(len(both), scale)
    root = np.sqrt(posterior)[:, None]
    return np.divide(both, root, out=np.zeros_like(both), where=root > 0)


def chance_of_larger(values: np.ndarray, observed: float) -> float:
    """Return the chance that a quadratic form in a random unit vector exceeds `observed`.

    values: (k,), the form's eigenvalues. It exceeds it where sum((values - observed) z^2) > 0 for
    normal z: the tail integral of that sum's characteristic function, along a curve through its
    saddle point on which the integrand falls off exponentially (Rice 1980, SIAM J Sci Stat Comput
    1:438, for the path). 1 where the form is the same for every vector.
    """
    spread = values - observed
    top = spread.max()
    if np.ptp(values) <= 1e-12 * values.max() or spread.min() >= 0:
        return 1.0
    if top <= 1e-12 * values.max():
        return 0.0
    w = spread / top

    def slope(c: float) -> float:
        return float(np.sum(w / (1 - 2 * c * w)) - 1 / c)

    low = 1e-9
    c = optimize.brentq(slope, low, 0.5 - 1e-12, xtol=1e-6) if slope(low) < 0 else low
    # decay from the saddle point on a coarse grid, to see how far the integral must go
    coarse = np.arange(1.0, 60.0)
    ratio = 2 * c * np.sinh(coarse)[:, None] * w / (1 - 2 * c * w)
    decay = 0.25 * np.log1p(ratio**2).sum(axis=1)
    far = coarse[min(int(np.searchsorted(decay, NEGLIGIBLE)), len(coarse) - 1)]
    step = min(WIDEST, OF_STRIP * (0.5 / c - 1))  # the branch point at 1/2 is that near
    x = np.arange(0.0, far + step, step)
    s = c * (1 + 1j * np.sinh(x))
    value = np.exp(-0.5 * np.log(1 - 2 * np.multiply.outer(s, w)).sum(axis=1)) / s
    integrand = (value * c * np.cosh(x)).real
    return float(np.clip(step / np.pi * (integrand.sum() - integrand[0] / 2), 0.0, 1.0))
