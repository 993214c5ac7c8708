"""Genewise effects of a contrast and of the residual space, which all set tests rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fibroserum.linear import kernels
from fibroserum.linear.blocks import canonical_order
from fibroserum.linear.voom import LinearFit


@dataclass(frozen=True)
class Effects:
    """Independent components of each of G genes, with the variance of the gene's error.

    contrast: (G,), the contrast's estimate over its unscaled standard error.
    residual: (G, d), the d residual degrees of freedom, in a basis aligned between genes.
    """

    contrast: np.ndarray
    residual: np.ndarray


def contrast_as_last(dense: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """Return dense columns (n, k) of the same span whose last coefficient is the contrast.

    The other coefficients keep their order and meaning; the contrast takes the place of the last
    of the columns with the greatest weight in it.
    """
    size = np.abs(contrast)
    taken = int(np.flatnonzero(size >= size.max() * (1 - 1e-9))[-1])
    others = np.delete(np.arange(dense.shape[1]), taken)
    column = dense[:, taken] / contrast[taken]
    return np.column_stack([dense[:, others] - np.outer(column, contrast[others]), column])


def _pivot_order(dense: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return `rest` with a well-conditioned pivot for each dense column first.

    A pivot near zero would let the sign of a reflection differ between genes, and with it the
    alignment of their residual bases. Ties are broken by the order of `rest`.
    """
    work, order = dense[rest].copy(), rest.copy()
    for j in range(dense.shape[1]):
        size = np.abs(work[j:, j])
        chosen = j + int(np.flatnonzero(size >= size.max() * (1 - 1e-9))[0])
        moved = [j, *range(j, chosen), *range(chosen + 1, len(order))]
        moved[0] = chosen
        work[j:], order[j:] = work[moved], order[moved]
        vector = work[j:, j].copy()
        vector[0] += np.copysign(np.linalg.norm(vector), vector[0])
        work[j:] -= np.outer(vector, 2 * (vector @ work[j:]) / (vector @ vector))
    return order


def _eliminated(dense: np.ndarray, donors: list[np.ndarray]) -> np.ndarray:
    """Return dense (n, k) after the unweighted reflections of the donor columns."""
    work = dense.copy()
    for rows in donors:
        vector = np.ones(len(rows))
        vector[0] += np.sqrt(len(rows))
        if len(rows) > 1:
            work[rows] -= np.outer(vector, 2 * (vector @ work[rows]) / (vector @ vector))
    return work


def sample_layout(fit: LinearFit, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return how samples are laid out for a contrast over the dense columns.

    The dense columns with the contrast last (n, k); the sample order (n,), first one sample of
    each donor, then pivots of the dense columns, then the others; and the number of donors.
    In this order the effects are those of R's qr() of the weighted design.
    """
    dense = contrast_as_last(fit.design.dense_values, contrast)
    canonical = canonical_order(fit.design)
    members = fit.design.codes[canonical]
    donors = [canonical[members == block] for block in range(len(fit.design.labels))]
    pivots = np.array([rows[0] for rows in donors], dtype=np.int64)
    rest = canonical[~np.isin(canonical, pivots)]
    order = np.concatenate([pivots, _pivot_order(_eliminated(dense, donors), rest)])
    return dense, order, len(donors)


def genewise_effects(fit: LinearFit, contrast: np.ndarray, *, n_cpus: int = 1) -> Effects:
    """Return the effects of a contrast (over the design's columns) in every gene of the fit.

    They are those of limma's .lmEffects with the fit's weights, for samples in `sample_layout`'s
    order and a design in which the contrast is the last column.
    """
    dense, order, donors = sample_layout(fit, fit.design.dense_contrast(contrast))
    members = fit.design.codes[order]
    rows = [order[members == block] for block in range(donors)]
    start = np.concatenate([[0], np.cumsum([len(block) for block in rows], dtype=np.int64)])
    effects = kernels.contrast_effects(
        fit.E.T,
        fit.weights.T,
        np.ascontiguousarray(dense),
        np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64),
        start.astype(np.int64),
        order[donors:],
        n_cpus,
    )
    return Effects(effects[:, 0].copy(), np.ascontiguousarray(effects[:, 1:]))
