"""Refits that hold what all genes decide: leave-one-donor-out and permutations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix, group_like, usable_structure
from fibroserum.deseq.stages import Problem, errors, final, genewise
from fibroserum.deseq.testing import untouched
from fibroserum.inference.structure import BlockStructure
from fibroserum.inference.wald import wald_statistic


@dataclass(frozen=True, eq=False)
class Refit:
    """Genes refitted; NaN for those without a count among the samples, or a trend in the fit.

    coefficients: genes × columns, natural log. dispersions: (genes,). estimates, errors: genes ×
    contrasts, natural log. As in `wald`, a comparison of columns is 0 with p = 1 for a gene without
    a count in any sample it concerns.
    """

    genes: pd.Index
    contrasts: tuple[str, ...]
    coefficients: np.ndarray
    dispersions: np.ndarray
    estimates: np.ndarray
    errors: np.ndarray

    @cached_property
    def tests(self) -> dict[str, pd.DataFrame]:
        """By contrast, a table by gene with log2FoldChange, lfcSE, stat, pvalue."""
        statistic, p = wald_statistic(self.estimates, self.errors, 0.0, None)
        return {
            name: pd.DataFrame(
                {
                    "log2FoldChange": self.estimates[:, place] / np.log(2),
                    "lfcSE": self.errors[:, place] / np.log(2),
                    "stat": statistic[:, place],
                    "pvalue": p[:, place],
                },
                index=self.genes,
            )
            for place, name in enumerate(self.contrasts)
        }


def refit_genes(
    fit: NegativeBinomialFit,
    counts: pd.DataFrame,
    design: pd.DataFrame | BlockStructure,
    contrasts: Mapping[str, np.ndarray],
    *,
    n_cpus: int = 1,
) -> Refit:
    """Refit some genes on some samples or another design; tests of the given contrasts.

    Size factors, the trend at each gene and the prior variance are `fit`'s; each gene's own
    dispersion and coefficients are estimated anew. counts: samples × genes, a subset of the fit's
    by name, in any order. design: rows as the counts', or its structure where that is known and
    of full rank. Raises KeyError for an unknown sample or gene, ValueError for a design that `fit`
    would refuse.
    """
    matrix, samples, genes = count_matrix(counts)
    rows, columns = fit.samples.get_indexer(samples), fit.genes.get_indexer(genes)
    if (rows < 0).any() or (columns < 0).any():
        raise KeyError("The counts contain a sample or a gene that the fit does not have.")
    known = isinstance(design, BlockStructure)
    structure = design if known else usable_structure(design, samples)
    trend = fit.fitted_dispersions[columns]
    kept = (matrix != 0).any(axis=0) & np.isfinite(trend)
    problem = Problem(
        counts=matrix[:, kept],
        structure=structure,
        offsets=np.log(fit.size_factors[rows])[structure.order],
        linear_means=group_like(structure),
        n_cpus=n_cpus,
    )
    first = genewise(problem)
    second = final(problem, first, trend[kept], fit.prior_variance, fit.squared_logres)
    coefficients = np.full((len(genes), structure.n_columns), np.nan)
    coefficients[np.ix_(kept, structure.columns)] = second.coefficients
    dispersions = np.full(len(genes), np.nan)
    dispersions[kept] = second.dispersions
    vectors = np.array([np.asarray(c, dtype=float) for c in contrasts.values()])
    vectors = vectors.reshape(len(contrasts), structure.n_columns)
    spread = np.full((len(genes), len(contrasts)), np.nan)
    spread[kept] = errors(problem, second.dispersions, coefficients[kept], vectors)
    estimates = np.empty(spread.shape)
    for place, vector in enumerate(vectors):
        estimate = coefficients @ vector
        silent = untouched(matrix, structure, vector) & np.isfinite(estimate)
        estimates[:, place] = np.where(silent, 0.0, estimate)
    return Refit(genes, tuple(contrasts), coefficients, dispersions, estimates, spread)
