"""Count outliers by Cook's distance, as DESeq2 has them.

They can be told only in samples whose design row has three replicates or more, and are replaced
only with seven or more; with donors as blocks there are none, and nothing here applies.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import fdtri

from fibroserum.deseq.stages import Problem, leverage
from fibroserum.distributions import trimmed_mean
from fibroserum.inference.chunks import over_genes

TO_FILTER = 3
TO_REPLACE = 7
LEVEL = 0.99
TRIM = 0.2
# From how many replicates on, the share that is trimmed from both ends, and what makes it good.
TRIMMED = ((24, 1 / 8, 1.51), (4, 1 / 4, 1.86), (0, 1 / 3, 2.04))
# With a smaller dispersion, every replicate of an outlier would have an extreme distance.
LEAST_ROBUST = 0.04


def replicates(design: pd.DataFrame) -> np.ndarray:
    """Return, for each sample, how many samples have its row of the design."""
    _, row, size = np.unique(design.to_numpy(), axis=0, return_inverse=True, return_counts=True)
    return size[row.reshape(-1)]


def cutoff(n_samples: int, n_columns: int) -> float:
    """Return the distance above which a count is an outlier: the F distribution's 0.99 quantile."""
    return float(fdtri(n_columns, n_samples - n_columns, LEVEL))


def outliers(
    problem: Problem, dispersions: np.ndarray, design: pd.DataFrame, replaceable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts (samples × genes) to replace, and the genes (bool) in doubt.

    replaceable: samples (bool) with enough replicates.
    """
    outlying = np.empty(problem.counts.shape, dtype=bool)
    doubtful = np.empty(len(dispersions), dtype=bool)
    limit = cutoff(*design.shape)

    def work(genes: slice) -> None:
        own = replace(problem, counts=problem.counts[:, genes], n_cpus=1)
        distances = cooks_distances(own, dispersions[genes], design)
        outlying[:, genes] = (distances > limit) & replaceable[:, None]
        doubtful[genes] = withheld(own.counts, distances, design, replaceable)

    over_genes(work, len(dispersions), problem.n_cpus)
    return outlying, doubtful


def cooks_distances(problem: Problem, dispersions: np.ndarray, design: pd.DataFrame) -> np.ndarray:
    """Return Cook's distances (samples × genes) of the problem's counts.

    The variance is that of a negative binomial with a robust moment estimate of dispersion, so
    that an outlier does not hide itself.
    """
    means, hat = leverage(problem, dispersions)
    sizes = np.empty(len(design))
    sizes[problem.structure.order] = np.exp(problem.offsets)
    robust = robust_dispersions(problem.counts / sizes[:, None], design)
    variance = means + robust * means**2
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = (problem.counts - means) ** 2 / variance * hat / (1 - hat) ** 2
    return distances / problem.structure.n_columns


def robust_dispersions(normalized: np.ndarray, design: pd.DataFrame) -> np.ndarray:
    """Return a dispersion (genes,) from moments that an outlier hardly moves.

    normalized: samples × genes. The variance is the largest over rows of the design with three
    replicates or more, trimmed by DESeq2's amounts (`robustMethodOfMomentsDisp`).
    """
    cells = np.unique(design.to_numpy(), axis=0, return_inverse=True)[1].reshape(-1)
    variances = [
        _trimmed_variance(normalized[cells == cell])
        for cell, size in enumerate(np.bincount(cells))
        if size >= TO_FILTER
    ]
    mean = normalized.mean(axis=0)
    return np.maximum((np.max(variances, axis=0) - mean) / mean**2, LEAST_ROBUST)


def _trimmed_variance(normalized: np.ndarray) -> np.ndarray:
    """Return the variance (genes,) of replicates, without the largest squared deviations."""
    trim, scale = next(found for least, *found in TRIMMED if len(normalized) >= least)
    squares = (normalized - trimmed_mean(normalized, trim)) ** 2
    return scale * trimmed_mean(squares, trim)


def replaced_counts(
    counts: np.ndarray, size_factors: np.ndarray, outlying: np.ndarray
) -> np.ndarray:
    """Return counts with the outlying ones replaced by what a trimmed mean foretells."""
    centre = trimmed_mean(counts / size_factors[:, None], TRIM)
    expected = np.floor(centre * size_factors[:, None]).astype(counts.dtype)
    return np.where(outlying, expected, counts)


def withheld(
    counts: np.ndarray, distances: np.ndarray, design: pd.DataFrame, replaced: np.ndarray
) -> np.ndarray:
    """Return genes (bool) whose p value an outlier in a replicated sample puts in doubt.

    replaced: samples whose outliers were replaced, which no longer count. With two groups and
    nothing else a gene is kept where three counts or more exceed the outlying one.
    """
    number = replicates(design)
    limit = cutoff(*design.shape)
    judged = (number >= TO_FILTER) & ~replaced
    doubtful = (distances[judged] > limit).any(axis=0)
    if design.shape[1] == 2 and len(np.unique(design.to_numpy(), axis=0)) == 2:
        genes = np.flatnonzero(doubtful)
        worst = counts[np.argmax(distances[:, genes], axis=0), genes]
        doubtful[genes] = (counts[:, genes] > worst).sum(axis=0) < TO_FILTER
    return doubtful
