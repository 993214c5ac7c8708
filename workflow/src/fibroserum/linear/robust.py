"""Tests of a slope that hold where units (donors) differ in variance.

Two answers to the same question. HC3 (MacKinnon & White 1985, J Econometrics 29:305) takes each
unit's own squared residual for its variance: it assumes nothing, gene by gene, and is imprecise.
`unit_variances` takes those residuals of all genes together (Rao's MINQUE; 1970, J Am Stat Assoc
65:161): it sees, precisely, what genes have in common, such as a poor library.
"""

from __future__ import annotations

import numpy as np

# A unit beyond this leverage decides its own fitted value.
WHOLE = 1 - 1e-8
# Below this leverage of all units their variances have one solution.
SMALL = 0.4


def hc3_parts(influence: np.ndarray, residual: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Return what units add to a coefficient's HC3 variance, elementwise.

    influence: what a unit's value, raised by 1, adds to the coefficient; residual: unweighted;
    leverage: diagonal of the (weighted) hat matrix. Infinite for a unit of leverage 1 that has
    influence: nothing shows its variance.
    """
    free = leverage < WHOLE
    part = (influence * residual / np.where(free, 1 - leverage, 1.0)) ** 2
    known = free | (np.abs(influence) <= 1e-12)
    return np.asarray(np.where(known, np.where(free, part, 0.0), np.inf))


def unit_variances(squares: np.ndarray, hat: np.ndarray) -> np.ndarray:
    """Return units' variances (n,) that squared residuals (n,) of many genes show on average.

    squares: mean over genes of each gene's weighted squared residuals over its residual variance;
    hat: (n, n), of the weighted design. The expected squares are (M ∘ M) times the variances, M =
    1 - hat: solved under the condition that no variance is negative. 0 for a unit of leverage 1,
    of whose variance nothing is known.
    """
    matrix = (np.eye(len(hat)) - hat) ** 2
    # a row of it sums to 1 less the leverage, so that the diagonal is most of each row below a half
    if hat.diagonal().max(initial=0) < SMALL:
        found = np.linalg.solve(matrix, squares)
    else:
        found = np.linalg.lstsq(matrix, squares, rcond=None)[0]
    # the constrained solution is slow with many units, and is the same where none is negative
    if (found >= 0).all():
        return np.asarray(found)
    from scipy.optimize import nnls

    return np.asarray(nnls(matrix, squares)[0])


def slope_ratio(variances: np.ndarray, assumed: np.ndarray, influence: np.ndarray) -> float:
    """Return how much larger a slope's variance is than the model says, at least 1.

    variances, assumed: (n,) units' variances as they are and as the model has them; influence:
    (n,), of the units on the slope, over the root of their weights.
    """
    share = influence**2
    return max(1.0, float(share @ variances) / float(share @ assumed))
