"""fry: do a set's own genes change? Rotation tests in the limit of infinitely many rotations.

Wu, Lim, Vaillant, Asselin-Labat, Visvader, Smyth (2010) Bioinformatics 26:2176 (roast); Wu, Smyth
in limma (fry). Agrees with limma's fry for the same effects.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from scipy.special import betaincc

from fibroserum.distributions import chi2_ppf, t_sf
from fibroserum.enrichment.membership import Membership
from fibroserum.linear import Effects, VariancePrior, variance_prior


def standardised(effects: Effects, prior: VariancePrior | None = None) -> np.ndarray:
    """Return effects (G, 1 + d), contrast first, over fry's robust posterior standard deviation.

    prior: of the variances, where the effects are those of a few of the genes.

    Of each gene's 1 + d squared effects the largest is left out, so that a strong contrast does
    not hide in its own variance; its expectation is made good for.
    """
    both = np.column_stack([effects.contrast, effects.residual])
    df = effects.residual.shape[1]
    nodes, quadrature = np.polynomial.legendre.leggauss(128)
    nodes, quadrature = (nodes + 1) / 2, quadrature / 2
    largest = np.sum((df + 1) * nodes**df * chi2_ppf(nodes, 1) * quadrature)
    squares = both**2
    robust = (squares.sum(axis=1) - squares.max(axis=1)) / (df + 1 - largest)
    prior = prior or variance_prior(squares[:, 1:].mean(axis=1), df)
    scale, df_prior = float(prior.variance.mean()), prior.df
    if np.isfinite(df_prior):
        posterior = (0.92 * df * robust + df_prior * scale) / (0.92 * df + df_prior)
    else:
        posterior = np.full(len(both), scale)
    root = np.sqrt(posterior)[:, None]
    return np.divide(both, root, out=np.zeros_like(both), where=root > 0)


def fry(effects: np.ndarray, sets: Membership, *, n_cpus: int = 1) -> pd.DataFrame:
    """Return fry's tests of each set, from standardised effects (G, 1 + d).

    Columns: direction (up, down), fry_pvalue, fry_mixed_pvalue, fry_pvalue_without_strongest: the
    directional test without the gene that adds most to the set's direction (NaN for a single gene);
    fry_strongest: the position of that gene among the tested ones.
    """
    sums = np.asarray(sets.members @ effects)
    sizes = sets.table["tested"].to_numpy()
    statistic = _mean_t(sums)
    sign = np.where(statistic < 0, -1.0, 1.0)
    without, mixed = np.full(len(sums), np.nan), np.empty(len(sums))
    strongest = np.zeros(len(sums), dtype=np.int64)

    def one(row: int) -> None:
        positions = sets.positions(row)
        own = effects[positions]
        top = int(np.argmax(own[:, 0] * sign[row]))
        strongest[row] = positions[top]
        if sizes[row] > 1:
            without[row] = _two_sided(_mean_t(sums[[row]] - own[[top]]), own.shape[1] - 1)[0]
            mixed[row] = _mixed_pvalue(own)
        else:
            mixed[row] = _two_sided(statistic[[row]], own.shape[1] - 1)[0]

    with ThreadPoolExecutor(max(1, n_cpus)) as pool:
        list(pool.map(one, range(len(sums)), chunksize=64))
    return pd.DataFrame(
        {
            "direction": np.where(statistic < 0, "down", "up"),
            "fry_pvalue": _two_sided(statistic, effects.shape[1] - 1),
            "fry_mixed_pvalue": mixed,
            "fry_pvalue_without_strongest": without,
            "fry_strongest": strongest,
        }
    )


def _mean_t(sums: np.ndarray) -> np.ndarray:
    """Contrast over root mean square of the residual components; 0 where there is neither."""
    noise = np.sqrt(np.mean(sums[:, 1:] ** 2, axis=1))
    result = np.where(sums[:, 0] == 0, 0.0, np.copysign(np.inf, sums[:, 0]))
    return np.divide(sums[:, 0], noise, out=result, where=noise > 0)


def _two_sided(statistic: np.ndarray, df: int) -> np.ndarray:
    return 2 * t_sf(np.abs(statistic), df)


def _mixed_pvalue(effects: np.ndarray) -> float:
    """Chance that a random rotation gives the set as large a sum of squares, by a scaled beta.

    The sum is a quadratic form in a random unit vector; its eigenvalues give its range, mean and
    variance (limma's .fryEffects).
    """
    transposed = effects.shape[0] > effects.shape[1]
    gram = effects.T @ effects if transposed else effects @ effects.T
    values = np.linalg.eigvalsh(gram)
    low, high, d = max(values[0], 0.0), values[-1], len(values)
    if high - low <= 1e-12 * high or high == 0:
        return 1.0
    observed = (np.sum(effects[:, 0] ** 2) - low) / (high - low)
    mean = (values.sum() / d - low) / (high - low)
    beta_variance = (d - 1) / d**2 / (d / 2 + 1)
    squares, total = np.sum(values**2), values.sum()
    spread = beta_variance * (squares - (total**2 - squares) / (d - 1)) / (high - low) ** 2
    both = mean * (1 - mean) / spread - 1
    return float(betaincc(both * mean, both * (1 - mean), np.clip(observed, 0, 1)))
