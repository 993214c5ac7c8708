"""Refits that hold what all genes decide: leave-one-donor-out and permutations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.deseq.model import NegativeBinomialFit, count_matrix, group_like, usable_structure
from fibroserum.deseq.stages import Problem, errors, final, genewise
from fibroserum.deseq.testing import untouched
from fibroserum.inference.structure import BlockStructure
from fibroserum.inference.wald import wald_statistic


@dataclass(frozen=True, eq=False)
class Refit:
    """coefficients: genes × columns, natural log. dispersions: (genes,).

    tests: by contrast, a table by gene with log2FoldChange, lfcSE, stat, pvalue. NaN for genes
    without a count among the samples, or without a trend in the fit. As in `wald`, a comparison of
    columns is 0 with p = 1 for a gene without a count in any sample it concerns.
    """

    coefficients: np.ndarray
    dispersions: np.ndarray
    tests: dict[str, pd.DataFrame]


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
    tests = {}
    for place, name in enumerate(contrasts):
        estimate = coefficients @ vectors[place]
        silent = untouched(matrix, structure, vectors[place])
        silent &= np.isfinite(estimate)
        estimate = np.where(silent, 0.0, estimate)
        statistic, p = wald_statistic(estimate, spread[:, place], 0.0, None)
        tests[name] = pd.DataFrame(
            {
                "log2FoldChange": estimate / np.log(2),
                "lfcSE": spread[:, place] / np.log(2),
                "stat": statistic,
                "pvalue": p,
            },
            index=genes,
        )
    return Refit(coefficients, dispersions, tests)
