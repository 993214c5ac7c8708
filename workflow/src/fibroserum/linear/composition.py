"""edgeR's filter of genes with few counts, and its TMM normalisation factors.

Chen, Lun, Smyth (2016) F1000Research 5:1438; Robinson, Oshlack (2010) Genome Biology 11:R25.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.inference.chunks import SAMPLES, over_samples
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
    raw = counts.to_numpy()
    size = raw.sum(axis=1, dtype=float) if lib_size is None else np.asarray(lib_size, dtype=float)
    smallest = 1 / _leverages(design.dense_values).max()
    if smallest > LARGE:
        smallest = LARGE + (smallest - LARGE) * SHARE
    least = MIN_COUNT / np.median(size) * 1e6
    enough, totals = np.zeros(raw.shape[1], dtype=int), np.zeros(raw.shape[1])
    for row, total in zip(_rows(raw, np.arange(raw.shape[1])), size, strict=True):
        enough += row / total * 1e6 >= least
        totals += row
    passed = (enough >= min(smallest, MOST) - 1e-14) & (totals >= MIN_TOTAL - 1e-14)
    if keep is not None:
        passed |= np.asarray(keep, dtype=bool) & (totals > 0)
    return np.asarray(passed)


def _leverages(design: np.ndarray) -> np.ndarray:
    """Return the leverages of samples in a design (n, k) and an intercept, as R's `hat`."""
    left, values, _ = np.linalg.svd(np.column_stack([np.ones(len(design)), design]), False)
    return np.asarray((left[:, values > 1e-7 * values[0]] ** 2).sum(axis=1))


def tmm_factors(counts: pd.DataFrame, *, n_cpus: int = 1) -> np.ndarray:
    """Return TMM normalisation factors (n,) of counts (samples x genes), as edgeR defines them."""
    raw = counts.to_numpy()
    seen = (raw > 0).any(axis=0)
    size = raw.sum(axis=1, dtype=float)
    if not seen.any() or len(raw) == 1:
        return np.ones(len(raw))

    def of_samples(work: Callable[[np.ndarray, float], float], genes: np.ndarray) -> np.ndarray:
        found = np.empty(len(raw))

        def part(rows: slice) -> None:
            each = zip(_rows(raw[rows], genes), size[rows], strict=True)
            found[rows] = [work(own, total) for own, total in each]

        over_samples(part, len(raw), n_cpus)
        return found

    quartile = of_samples(lambda row, _: _upper_quartile(row), seen) / size
    if np.median(quartile) < 1e-20:
        reference = int(np.argmax(of_samples(lambda row, _: float(np.sqrt(row).sum()), seen)))
    else:
        reference = int(np.argmin(np.abs(quartile - quartile.mean())))
    common = seen & (raw[reference] > 0)
    own = _Reference.of(next(_rows(raw[[reference]], common)), size[reference])
    logs = np.log(of_samples(lambda row, total: _tmm(row, own, total), common))
    return np.asarray(np.exp(logs - logs.mean()))


def _upper_quartile(values: np.ndarray) -> float:
    """Return the upper quartile; numpy.quantile divides at several places, which takes longer."""
    place = 0.75 * (len(values) - 1)
    low = int(place)
    ordered = np.partition(values, low)
    below, above = ordered[low], ordered[low + 1 :].min(initial=np.inf)
    return float(below + (above - below) * (place - low) if place > low else below)


def _rows(counts: np.ndarray, genes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the counts of each sample, of some genes, as floats; few samples are copied at once."""
    for start in range(0, len(counts), SAMPLES):
        yield from np.ascontiguousarray(counts[start : start + SAMPLES, genes], dtype=float)


class _Reference(NamedTuple):
    """The genes (G,) of a reference sample: shares of its library, log2 of these, variances."""

    share: np.ndarray
    log2: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray, size: float) -> _Reference:
        """Return the reference of positive counts."""
        share = counts / size
        return cls(share, np.log2(share), (size - counts) / size / counts)


def _tmm(counts: np.ndarray, reference: _Reference, size: float) -> float:
    """Return the TMM factor of a sample's counts (G,) relative to a reference sample."""
    seen = counts > 0
    counts = counts[seen]
    share, other, log2 = counts / size, reference.share[seen], reference.log2[seen]
    # one quotient: of whole numbers many tie exactly, and ties decide what is trimmed
    ratio = np.log2(share / other)
    if not len(ratio) or np.abs(ratio).max() < 1e-6:
        return 1.0
    mean = (np.log2(share) + log2) / 2
    kept = within_trim(ratio, TRIMMED_RATIOS) & within_trim(mean, TRIMMED_MEANS)
    counts, ratio = counts[kept], ratio[kept]
    weights = 1 / ((size - counts) / size / counts + reference.variance[seen][kept])
    total = weights.sum()
    if not (total > 0 and np.isfinite(total)):
        return float(2 ** ratio.mean()) if len(ratio) else 1.0
    return float(2 ** ((ratio * weights).sum() / total))


def within_trim(values: np.ndarray, trimmed: float) -> np.ndarray:
    """Return which values (bool) are left after a share is trimmed at each end.

    By rank, which equal values share: their mean rank decides.
    """
    cut = int(np.floor(len(values) * trimmed))
    kept = np.ones(len(values), dtype=bool)
    if not cut:
        return kept
    # one place at a time: numpy divides at two with other code, which takes five times as long
    low, high = (np.partition(values, at)[at] for at in (cut, len(values) - 1 - cut))
    for sign, bound in ((1, low), (-1, high)):
        beyond, equal = sign * values < sign * bound, values == bound
        kept &= ~beyond
        # ranks of equal values are beyond.sum() + 1 to beyond.sum() + equal.sum()
        if beyond.sum() + (equal.sum() + 1) / 2 < cut + 1:
            kept &= ~equal
    return kept
