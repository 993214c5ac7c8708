"""The two passes over the genes, in chunks: genewise dispersions, then the final fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fibroserum.deseq.bounded import search, start_of
from fibroserum.deseq.model import (
    LARGEST_COEFFICIENT,
    MAX_STEPS,
    MIN_DISPERSION,
    MIN_MEAN,
    OUTLIER_SD,
    RIDGE,
    TOLERANCE,
    max_dispersion,
)
from fibroserum.inference.chunks import gene_rows, over_genes
from fibroserum.inference.coefficients import (
    fit_coefficients,
    leverages_of,
    means_from,
    wald_errors,
)
from fibroserum.inference.dispersions import Goal, maximise
from fibroserum.inference.linear_start import linear_fit, log_linear_start
from fibroserum.inference.structure import BlockStructure

# DESeq2 ends its search for a dispersion where a step gains less
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Problem:
    """What stays the same over the genes. Offsets are log size factors in sorted sample order."""

    counts: np.ndarray
    structure: BlockStructure
    offsets: np.ndarray
    linear_means: bool
    n_cpus: int

    @property
    def ridge(self) -> np.ndarray:
        """Return the ridge of every column."""
        return np.full(self.structure.n_columns, RIDGE)

    def rows(self, genes: slice) -> np.ndarray:
        """Return the counts of a chunk of genes, samples sorted by block."""
        return gene_rows(self.counts, self.structure.order, genes)


@dataclass(frozen=True, eq=False)
class Genewise:
    """The first pass. coefficients: genes × columns in the kernels' order."""

    base_mean: np.ndarray
    dispersions: np.ndarray
    coefficients: np.ndarray


@dataclass(frozen=True, eq=False)
class Final:
    """The second pass. coefficients: genes × columns in the kernels' order."""

    map_dispersions: np.ndarray
    dispersions: np.ndarray
    coefficients: np.ndarray
    converged: np.ndarray


def _linear(rows: np.ndarray, structure: BlockStructure) -> np.ndarray:
    fitted, betas = np.empty_like(rows), np.empty((len(rows), structure.n_columns))
    linear_fit(rows, structure.blocks, betas, fitted)
    return fitted


def _starting_dispersions(
    normalised: np.ndarray, linear: np.ndarray, problem: Problem
) -> np.ndarray:
    """Return the smaller of two moment estimates: around a linear fit, around the mean."""
    n, p = problem.structure.n_samples, problem.structure.n_columns
    fitted = np.maximum(linear, 1.0)
    rough = (((normalised - fitted) ** 2 - fitted) / fitted**2).sum(axis=1) / (n - p)
    mean = normalised.mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        moments = (
            normalised.var(axis=1, ddof=1) - np.mean(np.exp(-problem.offsets)) * mean
        ) / mean**2
    return np.clip(np.minimum(rough, moments), MIN_DISPERSION, max_dispersion(n))


def _regress(
    rows: np.ndarray, alphas: np.ndarray, problem: Problem
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (coefficients, means not bounded, converged) of a chunk."""
    structure = problem.structure
    beta, means = log_linear_start(rows, problem.offsets, structure.blocks)
    state = np.empty(len(rows), dtype=np.int64)
    fit_coefficients(
        rows, problem.offsets, alphas, MIN_MEAN, TOLERANCE, LARGEST_COEFFICIENT, MAX_STEPS,
        problem.ridge, structure.blocks, beta, means, state,
    )  # fmt: skip
    settled = state > 0
    unsettled = np.flatnonzero(state == 0)
    if len(unsettled):
        design = structure.design
        for gene in unsettled:
            start = start_of(rows[gene], problem.offsets, design, beta[gene])
            beta[gene], settled[gene] = search(
                rows[gene], problem.offsets, alphas[gene], design, start
            )
            means[gene] = np.exp(design @ beta[gene] + problem.offsets)
    return beta, means, settled


def regression(problem: Problem, dispersions: np.ndarray) -> np.ndarray:
    """Return coefficients (genes × columns in the kernels' order) at known dispersions."""
    coefficients = np.empty((problem.counts.shape[1], problem.structure.n_columns))

    def work(genes: slice) -> None:
        coefficients[genes], _, _ = _regress(problem.rows(genes), dispersions[genes], problem)

    over_genes(work, problem.counts.shape[1], problem.n_cpus)
    return coefficients


def means_at(problem: Problem, dispersions: np.ndarray) -> np.ndarray:
    """Return means (samples × genes, not bounded) of the regression at known dispersions."""
    means = np.empty(problem.counts.shape)

    def work(genes: slice) -> None:
        _, mean, _ = _regress(problem.rows(genes), dispersions[genes], problem)
        means[problem.structure.order, genes] = mean.T

    over_genes(work, problem.counts.shape[1], problem.n_cpus)
    return means


def leverage(problem: Problem, dispersions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means (not bounded) and leverages, both samples × genes, of the final regression."""
    order = problem.structure.order
    means, hats = np.empty(problem.counts.shape), np.empty(problem.counts.shape)

    def work(genes: slice) -> None:
        rows = problem.rows(genes)
        hat = np.empty_like(rows)
        _, mean, _ = _regress(rows, dispersions[genes], problem)
        leverages_of(
            mean, dispersions[genes], MIN_MEAN, problem.ridge, problem.structure.blocks, hat
        )
        means[order, genes] = mean.T
        hats[order, genes] = hat.T

    over_genes(work, problem.counts.shape[1], problem.n_cpus)
    return means, hats


def _climb(
    rows: np.ndarray,
    means: np.ndarray,
    start: np.ndarray,
    centre: np.ndarray,
    precision: float,
    problem: Problem,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (dispersions, whether the objective rose by a millionth of its size)."""
    out, first, last = np.empty((3, len(rows)))
    upper = float(np.log(max_dispersion(problem.structure.n_samples)))
    goal = Goal(True, 0.0, precision, float(np.log(MIN_DISPERSION)), upper, 0.0)
    maximise(
        rows, means, start, centre, np.full(len(rows), FLAT), goal, problem.structure.blocks,
        out, first, last, np.empty(len(rows), dtype=bool),
    )  # fmt: skip
    return out, last >= first + np.abs(first) * 1e-6


def genewise(problem: Problem) -> Genewise:
    """Return base means and genewise dispersions of genes that are not all zero.

    As DESeq2: means from a linear fit where the design is one of groups, else from a regression
    with moment estimates of dispersion; then a climb from those estimates, which are kept where
    the objective hardly rises.
    """
    n_genes, p = problem.counts.shape[1], problem.structure.n_columns
    base_mean, dispersions = np.empty(n_genes), np.empty(n_genes)
    coefficients = np.empty((n_genes, p))
    sizes = np.exp(problem.offsets)

    def work(genes: slice) -> None:
        rows = problem.rows(genes)
        normalised = rows / sizes
        base_mean[genes] = normalised.mean(axis=1)
        linear = _linear(normalised, problem.structure)
        start = _starting_dispersions(normalised, linear, problem)
        if problem.linear_means:
            means = linear * sizes
        else:
            coefficients[genes], means, _ = _regress(rows, start, problem)
        np.maximum(means, MIN_MEAN, out=means)
        estimate, rose = _climb(rows, means, start, np.zeros(len(rows)), 0.0, problem)
        dispersions[genes] = np.where(rose, estimate, start)

    over_genes(work, n_genes, problem.n_cpus)
    return Genewise(base_mean, dispersions, coefficients)


def final(
    problem: Problem,
    first: Genewise,
    fitted: np.ndarray,
    prior_variance: float,
    squared_logres: float,
) -> Final:
    """Return shrunken dispersions and the coefficients they give.

    fitted: (genes,) the trend at each gene. The climb starts from the genewise estimate, or the
    trend where that is ten times higher; genewise estimates far above the trend are kept.
    """
    n_genes, p = problem.counts.shape[1], problem.structure.n_columns
    maps, dispersions = np.empty(n_genes), np.empty(n_genes)
    coefficients, converged = np.empty((n_genes, p)), np.empty(n_genes, dtype=bool)
    sizes = np.exp(problem.offsets)

    def work(genes: slice) -> None:
        rows = problem.rows(genes)
        own, trend = first.dispersions[genes], fitted[genes]
        if problem.linear_means:
            means = _linear(rows / sizes, problem.structure) * sizes
        else:
            means = _means(first.coefficients[genes], problem)
        np.maximum(means, MIN_MEAN, out=means)
        start = np.where(own > 0.1 * trend, own, trend)
        centre, precision = np.log(trend), 1.0 / prior_variance
        estimate, _ = _climb(rows, means, start, centre, precision, problem)
        maps[genes] = estimate
        outlier = np.log(own) > centre + OUTLIER_SD * np.sqrt(squared_logres)
        dispersions[genes] = np.where(outlier, own, maps[genes])
        coefficients[genes], _, converged[genes] = _regress(rows, dispersions[genes], problem)

    over_genes(work, n_genes, problem.n_cpus)
    return Final(maps, dispersions, coefficients, converged)


def _means(coefficients: np.ndarray, problem: Problem) -> np.ndarray:
    """Return means (genes × sorted samples, not bounded) from coefficients in kernel order."""
    out = np.empty((len(coefficients), problem.structure.n_samples))
    means_from(np.ascontiguousarray(coefficients), problem.offsets, problem.structure.blocks, out)
    return out


def errors(
    problem: Problem, dispersions: np.ndarray, coefficients: np.ndarray, contrasts: np.ndarray
) -> np.ndarray:
    """Return standard errors (genes × contrasts) of contrasts over the design's columns."""
    out, columns = np.empty((len(dispersions), len(contrasts))), problem.structure.columns
    vectors = np.ascontiguousarray(contrasts[:, columns])

    def work(genes: slice) -> None:
        wald_errors(
            _means(coefficients[genes][:, columns], problem),
            dispersions[genes],
            MIN_MEAN,
            problem.ridge,
            vectors,
            problem.structure.blocks,
            out[genes],
        )

    over_genes(work, len(dispersions), problem.n_cpus)
    return out
