# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the fibroserum developers
# The terms stand in the file LICENSE beside this one.
"""Genes or samples in chunks over threads. Each is treated by itself, so that results depend
neither on the number of threads nor on the order; kernels and numpy release the GIL.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CHUNK = 256
#: Samples of a chunk, each with all genes.
SAMPLES = 64


def over_genes(work: Callable[[slice], None], n_genes: int, n_cpus: int) -> None:
    """Call `work` on consecutive slices of the genes, `n_cpus` at a time."""
    _over(work, n_genes, CHUNK, n_cpus)


def over_samples(work: Callable[[slice], None], n_samples: int, n_cpus: int) -> None:
    """Call `work` on consecutive slices of the samples, `n_cpus` at a time."""
    _over(work, n_samples, SAMPLES, n_cpus)


def _over(work: Callable[[slice], None], number: int, chunk: int, n_cpus: int) -> None:
    slices = [slice(a, min(a + chunk, number)) for a in range(0, number, chunk)]
    if n_cpus <= 1 or len(slices) <= 1:
        for part in slices:
            work(part)
        return
    with ThreadPoolExecutor(n_cpus) as pool:
        for _ in pool.map(work, slices):
            pass


def gene_rows(matrix: np.ndarray, order: np.ndarray, genes: slice) -> np.ndarray:
    """Return columns `genes` of a samples x genes matrix as rows, samples in `order`."""
    part = np.asarray(matrix)[:, genes]
    return np.ascontiguousarray(part.T[:, order], dtype=np.float64)
