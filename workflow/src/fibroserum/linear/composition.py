"""edgeR's filter of genes with few counts, and its TMM normalisation factors.

Chen, Lun, Smyth (2016) F1000Research 5:1438; Robinson, Oshlack (2010) Genome Biology 11:R25.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.linear.blocks import check_design

# filterByExpr: counts that a gene needs in a median library and in all, and the samples that have
# them: all of the smallest group up to 10, 70 % of those beyond, at most 40
MIN_COUNT, MIN_TOTAL = 10, 15
LARGE, SHARE, MOST = 10, 0.7, 40
# TMM: shares of log ratios and of mean expressions that are trimmed at each end
TRIMMED_RATIOS, TRIMMED_MEANS = 0.3, 0.05


def filter_by_expr(
    counts: pd.DataFrame,
    design: Design,
    lib_size: np.ndarray | None = None,
    keep: np.ndarray | None = None,
) -> np.ndarray:
    """Return the mask (G,) of genes with enough counts for voom, by edgeR's filterByExpr.

    counts: samples x genes. lib_size: (n,), by default the sums. keep: (G,) genes kept whatever
    their counts, all-zero ones aside. The smallest group is read from the design without its
    donor columns: with them the leverage of a pair is above a half and two samples would do.
    """
    check_design(design)
    matrix = counts.to_numpy(dtype=float)
    size = matrix.sum(axis=1) if lib_size is None else np.asarray(lib_size, dtype=float)
    smallest = 1 / _leverages(design.dense_values).max()
    if smallest > LARGE:
        smallest = LARGE + (smallest - LARGE) * SHARE
    per_million = matrix / size[:, None] * 1e6
    enough = (per_million >= MIN_COUNT / np.median(size) * 1e6).sum(axis=0)
    totals = matrix.sum(axis=0)
    passed = (enough >= min(smallest, MOST) - 1e-14) & (totals >= MIN_TOTAL - 1e-14)
    if keep is not None:
        passed |= np.asarray(keep, dtype=bool) & (totals > 0)
    return np.asarray(passed)


def _leverages(design: np.ndarray) -> np.ndarray:
    """Return the leverages of samples in a design (n, k) and an intercept, as R's `hat`."""
    left, values, _ = np.linalg.svd(np.column_stack([np.ones(len(design)), design]), False)
    return np.asarray((left[:, values > 1e-7 * values[0]] ** 2).sum(axis=1))


def tmm_factors(counts: pd.DataFrame) -> np.ndarray:
    """Return TMM normalisation factors (n,) of counts (samples x genes), as edgeR defines them."""
    matrix = counts.to_numpy(dtype=float)
    matrix = matrix[:, (matrix > 0).any(axis=0)]
    size = counts.to_numpy(dtype=float).sum(axis=1)
    if not matrix.shape[1] or len(matrix) == 1:
        return np.ones(len(matrix))
    quartile = np.quantile(matrix, 0.75, axis=1) / size
    if np.median(quartile) < 1e-20:
        reference = int(np.argmax(np.sqrt(matrix).sum(axis=1)))
    else:
        reference = int(np.argmin(np.abs(quartile - quartile.mean())))
    own = matrix[reference]
    factors = [_tmm(row, own, size[i], size[reference]) for i, row in enumerate(matrix)]
    logs = np.log(factors)
    return np.asarray(np.exp(logs - logs.mean()))


def _tmm(counts: np.ndarray, reference: np.ndarray, size: float, reference_size: float) -> float:
    """Return the TMM factor of a sample (G,) relative to a reference sample (G,)."""
    both = (counts > 0) & (reference > 0)
    counts, reference = counts[both], reference[both]
    own, other = counts / size, reference / reference_size
    # one quotient: of whole numbers many tie exactly, and ties decide what is trimmed
    ratio = np.log2(own / other)
    if not len(ratio) or np.abs(ratio).max() < 1e-6:
        return 1.0
    mean = (np.log2(own) + np.log2(other)) / 2
    variance = (size - counts) / size / counts
    variance += (reference_size - reference) / reference_size / reference
    kept = _within(ratio, TRIMMED_RATIOS) & _within(mean, TRIMMED_MEANS)
    weights = 1 / variance[kept]
    total = weights.sum()
    if not (total > 0 and np.isfinite(total)):
        return float(2 ** ratio[kept].mean()) if kept.any() else 1.0
    return float(2 ** ((ratio[kept] * weights).sum() / total))


def _within(values: np.ndarray, trimmed: float) -> np.ndarray:
    """Return which values (bool) are left after a share is trimmed at each end, ties averaged."""
    rank = pd.Series(values).rank().to_numpy()
    least = np.floor(len(values) * trimmed) + 1
    return np.asarray((rank >= least) & (rank <= len(values) + 1 - least))
