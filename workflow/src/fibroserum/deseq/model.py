"""The fitted model, the limits it was fitted within, and what a fit refuses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fibroserum.inference.structure import BlockStructure, find_blocks

# DESeq2's documented defaults
MIN_DISPERSION = 1e-8
MIN_MEAN = 0.5
OUTLIER_SD = 2.0
# its ridge of 1e-6 is on the log2 scale; coefficients here are natural logarithms
RIDGE = 1e-6 / np.log(2) ** 2
# least squares give way to a search within bounds past this coefficient
LARGEST_COEFFICIENT = 30.0
MAX_STEPS = 100
# of the change of the deviance, relative to the deviance
TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class NegativeBinomialFit:
    """One negative binomial regression a gene, dispersions shrunk towards a trend.

    Genes stand in input order; all-zero genes hold NaN (and base mean 0). `coefficients` (genes ×
    design columns) are natural logarithms. `converged`: the coefficients' fit settled.
    `trend_coefficients`: (a0, a1) of a0 + a1 / mean, None for a trend that is a mean.
    `prior_variance`: of log dispersions around the trend; `squared_logres`: of the genewise
    estimates around it. `count_outlier`: genes whose p value DESeq2 withholds for a count outlier
    (Cook's distance); never any unless a design row has three replicates. `replaced`: genes
    refitted with outlying counts replaced; never any without seven. `replaced_counts`: samples ×
    such genes, the counts they were refitted with.
    """

    genes: pd.Index
    samples: pd.Index
    design: pd.DataFrame
    size_factors: np.ndarray
    base_mean: np.ndarray
    genewise_dispersions: np.ndarray
    fitted_dispersions: np.ndarray
    map_dispersions: np.ndarray
    dispersions: np.ndarray
    coefficients: np.ndarray
    converged: np.ndarray
    trend_coefficients: np.ndarray | None
    trend_type: str
    prior_variance: float
    squared_logres: float
    count_outlier: np.ndarray = field(repr=False)
    replaced: np.ndarray = field(repr=False)
    replaced_counts: np.ndarray = field(repr=False, default_factory=lambda: np.empty((0, 0)))

    def counts_fitted(self, counts: np.ndarray) -> np.ndarray:
        """Return counts (samples × genes) with outlying ones replaced as they were for the fit."""
        if not self.replaced.any():
            return counts
        fitted = counts.copy()
        fitted[:, self.replaced] = self.replaced_counts
        return fitted


def max_dispersion(n_samples: int) -> float:
    """Return the upper limit of dispersions: 10, or the number of samples."""
    return float(max(10, n_samples))


def count_matrix(counts: pd.DataFrame | np.ndarray) -> tuple[np.ndarray, pd.Index, pd.Index]:
    """Return (samples × genes array, samples, genes); ValueError unless whole, finite and >= 0."""
    if isinstance(counts, pd.DataFrame):
        matrix, samples, genes = counts.to_numpy(), counts.index, counts.columns
    else:
        matrix = np.asarray(counts)
        if matrix.ndim != 2:
            raise ValueError("Counts must be a samples × genes matrix.")
        samples, genes = pd.RangeIndex(matrix.shape[0]), pd.RangeIndex(matrix.shape[1])
    if matrix.dtype.kind not in "iuf":
        raise ValueError("Counts must be numbers.")
    if matrix.dtype.kind == "f" and not (np.isfinite(matrix) & (matrix == np.floor(matrix))).all():
        raise ValueError("Counts must be whole numbers.")
    if matrix.size and matrix.min() < 0:
        raise ValueError("Counts must not be negative.")
    return matrix, samples, genes


def mean_normalised(counts: np.ndarray, size_factors: np.ndarray) -> np.ndarray:
    """Return the mean of each gene's (G,) counts over their size factors; counts: (n, G)."""
    total = np.zeros(counts.shape[1])
    for own, factor in zip(counts, size_factors, strict=True):
        total += own / factor
    return total / len(counts)


def usable_structure(design: pd.DataFrame, samples: pd.Index) -> BlockStructure:
    """Return the design's structure; ValueError unless of full rank with residual freedom.

    samples: of the counts. Where they have names, the design's rows must have the same, in order.
    """
    n_samples = len(samples)
    if len(design) != n_samples:
        raise ValueError(f"The design has {len(design)} rows for {n_samples} samples.")
    if not isinstance(samples, pd.RangeIndex) and not design.index.equals(samples):
        raise ValueError("The design's rows are not the counts' samples in the same order.")
    structure = find_blocks(design.to_numpy(dtype=float))
    if structure.rank < structure.n_columns:
        raise ValueError("The design matrix is not of full rank.")
    if n_samples <= structure.n_columns:
        raise ValueError(
            "As many design columns as samples: no replicates to estimate dispersions from."
        )
    return structure


def group_like(structure: BlockStructure) -> bool:
    """Return whether the design has as many distinct rows as columns (means of groups)."""
    rows = np.column_stack([structure.block_of, structure.blocks.dense.T]) + 0.0
    return len({row.tobytes() for row in rows}) == structure.n_columns
