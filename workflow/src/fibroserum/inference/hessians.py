# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Inverse Hessians of the shrinkage fits, computed when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np


@dataclass(frozen=True, eq=False)
class InverseHessians(Sequence):
    """One `InverseHessian` a gene; together they would need genes x columns**2 numbers.

    design: (samples, p). counts: (samples, genes). alphas: (genes,). offsets: (samples,).
    precision: 1 / variance of the normal priors. scale, column: of the Cauchy prior.
    beta, inverse: (genes, p) modes and the column of each inverse that is at hand.
    """

    design: np.ndarray
    counts: np.ndarray
    alphas: np.ndarray
    offsets: np.ndarray
    precision: float
    scale: float
    column: int
    beta: np.ndarray
    inverse: np.ndarray

    def __len__(self) -> int:
        return len(self.beta)

    @overload
    def __getitem__(self, gene: int) -> InverseHessian: ...

    @overload
    def __getitem__(self, gene: slice) -> list[InverseHessian]: ...

    def __getitem__(self, gene: int | slice) -> InverseHessian | list[InverseHessian]:
        if isinstance(gene, slice):
            return [InverseHessian(self, i) for i in range(*gene.indices(len(self)))]
        return InverseHessian(self, gene)

    def __iter__(self) -> Iterator[InverseHessian]:
        return (InverseHessian(self, gene) for gene in range(len(self)))


@dataclass(frozen=True, eq=False)
class InverseHessian:
    """One gene's; indexing its stored column is free, all else inverts the matrix."""

    of: InverseHessians
    gene: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        all_genes, beta = self.of, self.of.beta[self.gene]
        mu = np.exp(all_genes.design @ beta + all_genes.offsets)
        alpha = all_genes.alphas[self.gene]
        weights = mu * (1 + np.asarray(all_genes.counts)[:, self.gene] * alpha)
        weights = weights / (1 + mu * alpha) ** 2
        prior = np.full(len(beta), all_genes.precision)
        b2, s2 = beta[all_genes.column] ** 2, all_genes.scale**2
        prior[all_genes.column] = 2 * (s2 - b2) / (s2 + b2) ** 2
        hessian = (all_genes.design.T * weights) @ all_genes.design + np.diag(prior)
        return np.linalg.inv(hessian).astype(dtype or float)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 2 and key[1] == self.of.column:
            return self.of.inverse[self.gene][key[0]]
        return np.asarray(self)[key]
