"""Whether at least two cohorts show an effect in one direction."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import chdtrc

# up to here the two directions need no correction for each other: see `replication`
FEW = 3


def partial_conjunction(pvalues: np.ndarray) -> float:
    """Return the p value of "at most one cohort has the effect"; pvalues: of two cohorts or more.

    Fisher's combination of all p values but the smallest; with two cohorts, the larger of the two.
    Cohorts are taken to be independent. Source: Benjamini & Heller 2008, Biometrics 64:1215.
    """
    others = np.sort(np.asarray(pvalues, dtype=float))[1:]
    with np.errstate(divide="ignore"):
        return float(chdtrc(2 * len(others), -2 * np.log(others).sum()))


def replication(up: np.ndarray, down: np.ndarray) -> tuple[float, Literal["up", "down"]]:
    """Return the p value of replication in one direction, and the direction.

    up, down: one-sided p values of two cohorts or more. Each direction has its own test; the
    smaller p value counts. It is doubled from four cohorts on. With two cohorts both directions
    together err at most as often as one: with chance a in cohort 1 and b in cohort 2 of p < alpha
    upwards, c and d downwards, a + c and b + d are at most 1, and an error is at most
    alpha (a + c). With three the largest error is 1.002 alpha.
    """
    way: Literal["up", "down"]
    sides = partial_conjunction(up), partial_conjunction(down)
    pvalue, way = (sides[0], "up") if sides[0] < sides[1] else (sides[1], "down")
    return (pvalue if len(up) <= FEW else min(2 * pvalue, 1.0)), way
