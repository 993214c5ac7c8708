"""fry: do a set's own genes change? Rotation tests in the limit of infinitely many rotations.

Wu, Lim, Vaillant, Asselin-Labat, Visvader, Smyth (2010) Bioinformatics 26:2176 (roast); Wu, Smyth
in limma (fry). Agrees with limma's fry for the same effects.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import betaincc

from fibroserum.distributions import chi2_ppf, t_sf
from fibroserum.enrichment.membership import Membership, over_stacks
from fibroserum.linear import Effects, VariancePrior, variance_prior

# Genes whose squared effects are computed at once.
GENES = 1000


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
    robust, variance = np.empty(len(both)), np.empty(len(both))
    for part in gene_parts(both):
        squares = both[part] ** 2
        robust[part] = (squares.sum(axis=1) - squares.max(axis=1)) / (df + 1 - largest)
        variance[part] = squares[:, 1:].mean(axis=1)
    prior = prior or variance_prior(variance, df)
    scale, df_prior = float(prior.variance.mean()), prior.df
    if np.isfinite(df_prior):
        posterior = (0.92 * df * robust + df_prior * scale) / (0.92 * df + df_prior)
    else:
        posterior = np.full(len(both), scale)
    return over_deviation(both, posterior)


def gene_parts(values: np.ndarray) -> Iterator[slice]:
    """Yield parts of the genes (rows), whose squares are in memory one after the other."""
    yield from (slice(first, first + GENES) for first in range(0, len(values), GENES))


def over_deviation(both: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Divide effects by the root of their genes' variance, in place; 0 where there is none."""
    root = np.sqrt(variance)[:, None]
    both *= root > 0
    return np.divide(both, root, out=both, where=root > 0)


def fry(effects: np.ndarray, sets: Membership, *, n_cpus: int = 1) -> pd.DataFrame:
    """Return fry's tests of each set, from standardised effects (G, 1 + d).

    Columns: those of `directional`; fry_mixed_pvalue.
    """
    found = directional(effects, sets)
    mixed = found["fry_pvalue"].to_numpy(copy=True)  # of a single gene

    def one_stack(rows: np.ndarray, positions: np.ndarray) -> None:
        if positions.shape[1] > 1:
            mixed[rows] = _mixed_pvalues(effects[positions])

    over_stacks(one_stack, sets, effects.shape[1], n_cpus)
    return found.assign(fry_mixed_pvalue=mixed)


def directional(effects: np.ndarray, sets: Membership) -> pd.DataFrame:
    """Return fry's directional test of each set, from standardised effects (G, 1 + d).

    Columns: direction (up, down), fry_pvalue, fry_pvalue_without_strongest: the test without the
    gene that adds most to the set's direction (NaN for a single gene); fry_strongest: the position
    of that gene among the tested ones.
    """
    sums = np.asarray(sets.members @ effects)
    statistic, df = _mean_t(sums), effects.shape[1] - 1
    sizes = sets.table["tested"].to_numpy()
    sign = np.where(statistic < 0, -1.0, 1.0)
    genes = sets.members.indices
    strongest = genes[sets.first_largest(effects[genes, 0] * np.repeat(sign, sizes))]
    without = _two_sided(_mean_t(sums - effects[strongest]), df)
    return pd.DataFrame(
        {
            "direction": np.where(statistic < 0, "down", "up"),
            "fry_pvalue": _two_sided(statistic, df),
            "fry_pvalue_without_strongest": np.where(sizes > 1, without, np.nan),
            "fry_strongest": strongest.astype(np.int64),
        }
    )


def eigenvalues(own: np.ndarray) -> np.ndarray:
    """Return the eigenvalues (sets, min(genes, k)), ascending, of effects (sets, genes, k).

    The form is the sum of squares of a set's genes in the direction of the vector.
    """
    turned = own.transpose(0, 2, 1)
    return np.linalg.eigvalsh(own @ turned if own.shape[1] <= own.shape[2] else turned @ own)


def _mean_t(sums: np.ndarray) -> np.ndarray:
    """Contrast over root mean square of the residual components; 0 where there is neither."""
    noise = np.sqrt(np.mean(sums[:, 1:] ** 2, axis=1))
    result = np.where(sums[:, 0] == 0, 0.0, np.copysign(np.inf, sums[:, 0]))
    return np.divide(sums[:, 0], noise, out=result, where=noise > 0)


def _two_sided(statistic: np.ndarray, df: int) -> np.ndarray:
    return 2 * t_sf(np.abs(statistic), df)


def _mixed_pvalues(own: np.ndarray) -> np.ndarray:
    """Chance that a random rotation gives a set as large a sum of squares, by a scaled beta.

    own: (sets, genes, 1 + d). The sum is a quadratic form in a random unit vector; its eigenvalues
    give its range, mean and variance (limma's .fryEffects).
    """
    values = eigenvalues(own)
    low, high, d = np.maximum(values[:, 0], 0.0), values[:, -1], values.shape[1]
    varies = (high - low > 1e-12 * high) & (high != 0)
    width = np.where(varies, high - low, 1.0)
    observed = (np.sum(own[:, :, 0] ** 2, axis=1) - low) / width
    mean = (values.sum(axis=1) / d - low) / width
    beta_variance = (d - 1) / d**2 / (d / 2 + 1)
    squares, total = np.sum(values**2, axis=1), values.sum(axis=1)
    spread = beta_variance * (squares - (total**2 - squares) / (d - 1)) / width**2
    both = mean * (1 - mean) / np.where(varies, spread, 1.0) - 1
    chance = betaincc(both * mean, both * (1 - mean), np.clip(observed, 0, 1))
    return np.where(varies, chance, 1.0)
