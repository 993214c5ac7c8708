# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""A PyDESeq2 inference engine whose cost does not grow with the number of blocks (donors)."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydeseq2.inference import Inference

from .chunks import gene_rows, over_genes
from .coefficients import fit_coefficients, leverages_of, search_coefficients, wald_errors
from .dispersions import Goal, maximise
from .hessians import InverseHessians
from .linear_start import linear_fit, log_linear_start
from .shrinkage import inverse_columns, shrink
from .structure import BlockStructure, find_blocks
from .trend import fit_gamma_trend
from .wald import Alternative, wald_statistic

RIDGE = 1e-6
DEVIANCE_TOLERANCE = 1e-8
# scipy's L-BFGS-B ends where a step gains less than this share of the negative log-likelihood
LEAST_GAIN = 2.22e-9


def _refuse_gaps(*matrices: np.ndarray) -> None:
    """Raise ValueError for counts or means that are not finite."""
    if not all(np.isfinite(matrix).all() for matrix in matrices):
        raise ValueError("Counts and means must be finite.")


def _flat_ground(means: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the squared slope below which PyDESeq2's search stays at its start, for each gene.

    means: (genes, samples). start: (genes,) dispersions. The first step of that search is as long
    as the slope. It ends where the gain is small, or less than the rounding of the terms of the
    negative log-likelihood, which are large at dispersions near 0. There the negative
    log-likelihood is close to a Poisson's entropy.
    """
    n = means.shape[1]
    entropy = 0.5 * n * np.log(1 + 2 * np.pi * np.e * means.mean(axis=1))
    rounding = np.spacing(n * np.abs(np.log(start)) / start)
    return np.maximum(LEAST_GAIN * np.maximum(entropy, 1), rounding)


class BlockedInference(Inference):
    """Inference routines for PyDESeq2 that exploit disjoint indicator columns of the design.

    The block structure is found in each design matrix; any number of other columns is allowed,
    and a design without blocks is treated as dense. Genes are spread over `n_cpus` threads
    (None: all); results are the same bits for any number.
    """

    def __init__(self, n_cpus: int | None = None):
        self._n_cpus = 1
        self.n_cpus = n_cpus
        self._last: tuple[np.ndarray, BlockStructure] | None = None

    @property
    def n_cpus(self) -> int:
        """Return the number of threads."""
        return self._n_cpus

    @n_cpus.setter
    def n_cpus(self, n_cpus: int | None) -> None:
        if n_cpus is None:
            n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        if n_cpus < 1:
            raise ValueError(f"n_cpus must be at least 1, not {n_cpus}.")
        self._n_cpus = n_cpus

    def _structure(self, design_matrix: np.ndarray | pd.DataFrame) -> BlockStructure:
        matrix = np.asarray(design_matrix, dtype=float)
        last = self._last
        if last is None or not np.array_equal(last[0], matrix):
            # one assignment: threads may share an engine
            last = self._last = (matrix.copy(), find_blocks(matrix))
        return last[1]

    def _over_genes(self, work: Any, n_genes: int) -> None:
        over_genes(work, n_genes, self._n_cpus)

    def _linear_fit(self, values: np.ndarray, design_matrix: np.ndarray) -> np.ndarray:
        structure = self._structure(design_matrix)
        if structure.rank < structure.n_columns:
            raise ValueError("The design matrix is not of full rank.")
        fitted = np.empty(values.shape)

        def work(genes: slice) -> None:
            rows = gene_rows(values, structure.order, genes)
            out, betas = np.empty_like(rows), np.empty((len(rows), structure.n_columns))
            linear_fit(rows, structure.blocks, betas, out)
            fitted[structure.order, genes] = out.T

        self._over_genes(work, values.shape[1])
        return fitted

    def lin_reg_mu(
        self,
        counts: np.ndarray,
        size_factors: np.ndarray,
        design_matrix: np.ndarray,
        min_mu: float,
    ) -> np.ndarray:
        """Return means (samples x genes) from a linear model of the normalised counts."""
        _refuse_gaps(counts)
        sizes = np.asarray(size_factors, dtype=float)[:, None]
        return np.maximum(self._linear_fit(counts / sizes, design_matrix) * sizes, min_mu)

    def irls(
        self,
        counts: np.ndarray,
        size_factors: np.ndarray,
        design_matrix: np.ndarray,
        disp: np.ndarray,
        min_mu: float,
        beta_tol: float,
        min_beta: float = -30,
        max_beta: float = 30,
        optimizer: Literal["BFGS", "L-BFGS-B"] = "L-BFGS-B",
        maxiter: int = 250,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return coefficients (genes x columns), means and leverages (samples x genes), converged.

        `beta_tol` bounds the relative change of the deviance, as in the interface, but is 1e-8 at
        most; `optimizer` is accepted and has no effect, the fallback being a damped Newton search.
        Raises ValueError for counts that are not finite, and for bounds that are not symmetrical.
        """
        _refuse_gaps(counts)
        if max_beta != -min_beta:
            raise ValueError("The bounds of coefficients must be symmetrical.")
        structure = self._structure(design_matrix)
        n_genes = counts.shape[1]
        offset = np.log(np.asarray(size_factors, dtype=float))[structure.order]
        alphas = np.array(disp, dtype=float)
        ridge = np.full(structure.n_columns, RIDGE)
        tolerance = min(float(beta_tol), DEVIANCE_TOLERANCE)
        bound = float(max_beta)
        beta = np.empty((n_genes, structure.n_columns))
        mu, hat = np.empty(counts.shape), np.empty(counts.shape)
        converged = np.empty(n_genes, dtype=np.int64)

        def work(genes: slice) -> None:
            y = gene_rows(counts, structure.order, genes)
            start, m = log_linear_start(y, offset, structure.blocks)
            b, h, state = np.empty_like(start), np.empty_like(y), converged[genes]
            fit_coefficients(
                y, offset, alphas[genes], float(min_mu), tolerance, bound, maxiter, ridge,
                structure.blocks, b, m, state,
            )  # fmt: skip
            rest = np.flatnonzero(state == 0)
            if len(rest):
                found, means, settled = start[rest], m[rest], state[rest]
                search_coefficients(
                    y[rest], offset, alphas[genes][rest], bound, ridge, structure.blocks,
                    found, means, settled,
                )  # fmt: skip
                b[rest], m[rest], state[rest] = found, means, settled
            leverages_of(m, alphas[genes], float(min_mu), ridge, structure.blocks, h)
            beta[genes, structure.columns] = b
            mu[structure.order, genes] = m.T
            hat[structure.order, genes] = h.T

        self._over_genes(work, n_genes)
        return beta, mu, hat, converged > 0

    def alpha_mle(
        self,
        counts: np.ndarray,
        design_matrix: np.ndarray,
        mu: np.ndarray,
        alpha_hat: np.ndarray,
        min_disp: float,
        max_disp: float,
        prior_disp_var: float | None = None,
        cr_reg: bool = True,
        prior_reg: bool = False,
        optimizer: Literal["BFGS", "L-BFGS-B"] = "L-BFGS-B",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return each gene's maximising dispersion in [min_disp, max_disp], and converged.

        Newton's method within a bracket, from `alpha_hat` to the maximum that it leads to. On flat
        ground a gene keeps its start, as in PyDESeq2: the trend then leaves out genes that start at
        `min_disp`. Raises ValueError when a prior is asked for without its variance, and for counts
        or means that are not finite.
        """
        if prior_reg and prior_disp_var is None:
            raise ValueError("prior_disp_var is required with prior_reg.")
        _refuse_gaps(counts, mu)
        precision = 1.0 / float(prior_disp_var) if prior_reg and prior_disp_var else 0.0
        structure = self._structure(design_matrix)
        n_genes = counts.shape[1]
        starts = np.array(alpha_hat, dtype=float)
        goal = Goal(
            bool(cr_reg), 0.0, precision, float(np.log(min_disp)), float(np.log(max_disp)), 0.0
        )
        out, converged = np.empty(n_genes), np.empty(n_genes, dtype=bool)

        bounded = np.clip(starts, min_disp, max_disp)

        def work(genes: slice) -> None:
            means = gene_rows(mu, structure.order, genes)
            maximise(
                gene_rows(counts, structure.order, genes), means, starts[genes],
                np.full(len(means), np.nan), _flat_ground(means, bounded[genes]), goal,
                structure.blocks, out[genes], *np.empty((2, len(means))), converged[genes],
            )  # fmt: skip

        self._over_genes(work, n_genes)
        return out, converged

    def wald_test(
        self,
        design_matrix: np.ndarray,
        disp: np.ndarray,
        lfc: np.ndarray,
        mu: np.ndarray,
        ridge_factor: np.ndarray,
        contrast: np.ndarray,
        lfc_null: np.ndarray | float,
        alt_hypothesis: Alternative | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return p values, Wald statistics and standard errors (natural log) of a contrast.

        The null is on the contrast's estimate, also where the contrast has several columns.
        Raises ValueError for a ridge that is not diagonal.
        """
        ridge = np.diag(ridge_factor)
        if (np.asarray(ridge_factor) != np.diag(ridge)).any():
            raise ValueError("ridge_factor must be diagonal.")
        structure = self._structure(design_matrix)
        n_genes = mu.shape[1]
        alphas = np.array(disp, dtype=float)
        rows = np.ascontiguousarray(np.asarray(contrast, dtype=float)[None, structure.columns])
        sorted_ridge = np.ascontiguousarray(ridge[structure.columns])
        errors = np.empty((n_genes, 1))

        def work(genes: slice) -> None:
            wald_errors(
                gene_rows(mu, structure.order, genes),
                alphas[genes],
                0.0,
                sorted_ridge,
                rows,
                structure.blocks,
                errors[genes],
            )

        self._over_genes(work, n_genes)
        estimate = np.asarray(lfc, dtype=float) @ np.asarray(contrast, dtype=float)
        statistic, p = wald_statistic(estimate, errors[:, 0], float(lfc_null), alt_hypothesis)
        return p, statistic, errors[:, 0]

    def fit_rough_dispersions(
        self, normed_counts: np.ndarray, design_matrix: pd.DataFrame | np.ndarray
    ) -> np.ndarray:
        """Return moment estimates of dispersion around a linear model, at least 0."""
        n_samples, n_columns = design_matrix.shape
        if n_samples == n_columns:
            raise ValueError(
                "As many design columns as samples: no replicates to estimate dispersions from."
            )
        fitted = np.maximum(self._linear_fit(normed_counts, np.asarray(design_matrix)), 1.0)
        excess = ((normed_counts - fitted) ** 2 - fitted) / fitted**2
        return np.maximum(excess.sum(axis=0) / (n_samples - n_columns), 0)

    def fit_moments_dispersions(
        self, normed_counts: np.ndarray, size_factors: np.ndarray
    ) -> np.ndarray:
        """Return moment estimates of dispersion around the mean, genes of zeros left out."""
        kept = normed_counts[:, (normed_counts != 0).any(axis=0)]
        mean = kept.mean(axis=0)
        return (kept.var(axis=0, ddof=1) - np.mean(1 / size_factors) * mean) / mean**2

    def dispersion_trend_gamma_glm(
        self, covariates: pd.Series, targets: pd.Series
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Return trend coefficients (intercept first), predictions, converged."""
        x = np.asarray(covariates, dtype=float)
        y = np.asarray(targets, dtype=float)
        usable = np.isfinite(x) & np.isfinite(y) & (y > 0)
        coefficients, converged = fit_gamma_trend(x[usable], y[usable])
        return coefficients, coefficients[0] + coefficients[1] * x, converged

    def lfc_shrink_nbinom_glm(
        self,
        design_matrix: np.ndarray,
        counts: np.ndarray,
        size: np.ndarray,
        offset: np.ndarray,
        prior_no_shrink_scale: float,
        prior_scale: float,
        optimizer: str,
        shrink_index: int,
    ) -> tuple[np.ndarray, Any, np.ndarray]:
        """Return posterior modes (genes x columns), inverse Hessians, converged.

        The inverse Hessians are a sequence of matrix-likes that are inverted when asked for;
        the column of `shrink_index` is at hand. `optimizer` is accepted and has no effect.
        """
        structure = self._structure(design_matrix)
        n_genes, p = counts.shape[1], structure.n_columns
        offsets = np.asarray(offset, dtype=float)
        alphas = 1.0 / np.asarray(size, dtype=float)
        ridge = np.full(p, 1.0 / prior_no_shrink_scale**2)
        column = int(np.flatnonzero(structure.columns == shrink_index)[0])
        beta, inverse = np.empty((n_genes, p)), np.empty((n_genes, p))
        converged = np.empty(n_genes, dtype=bool)

        def work(genes: slice) -> None:
            y = gene_rows(counts, structure.order, genes)
            b, _ = log_linear_start(y, offsets[structure.order], structure.blocks)
            v = np.empty_like(b)
            given = (
                y, offsets[structure.order], alphas[genes], ridge, column, float(prior_scale),
                structure.blocks, b,
            )  # fmt: skip
            shrink(*given, converged[genes])
            inverse_columns(*given, v)
            beta[genes, structure.columns] = b
            inverse[genes, structure.columns] = v

        self._over_genes(work, n_genes)
        hessians = InverseHessians(
            np.asarray(design_matrix, dtype=float),
            counts,
            alphas,
            offsets,
            1.0 / prior_no_shrink_scale**2,
            float(prior_scale),
            shrink_index,
            beta,
            inverse,
        )
        return beta, hessians, converged
