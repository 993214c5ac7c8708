"""The prior variance of log dispersions where residual degrees of freedom are few."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from fibroserum.data import data_file

EDGES = np.arange(-20, 21) / 2
VARIANCES = np.linspace(0, 8, 200)
SPAN = 0.2
DRAWS = "prior_draws.tsv.gz"


@cache
def _drawn(df: int) -> np.ndarray:
    """Return histograms (variances × bins, counts) of draws of log(chi2 / df) + N(0, variance).

    They are R's own 10,000 draws a variance with the seed that DESeq2 sets: they depend on nothing
    but the degrees of freedom, and its answer moves by 0.01 with the draws.
    """
    table = pd.read_csv(data_file(DRAWS), sep="\t")
    return table[table["df"] == df].iloc[:, 2:].to_numpy(dtype=float)


def _knots(x: np.ndarray, most: int) -> list[float]:
    """Return where halving x (sorted) until no part has more than `most` points cuts it."""
    if len(x) <= most:
        return []
    half = (len(x) + 1) // 2
    cut = float(x[half - 1] + x[half]) / 2
    return [*_knots(x[:half], most), cut, *_knots(x[half:], most)]


def _local_quadratic(x: np.ndarray, y: np.ndarray, at: float, points: int) -> tuple[float, float]:
    """Return value and slope at a place of a parabola through the nearest points (tricube)."""
    distance = np.abs(x - at)
    weight = np.sqrt(np.clip(1 - (distance / np.sort(distance)[points - 1]) ** 3, 0, None) ** 3)
    basis = np.column_stack([np.ones_like(x), x - at, (x - at) ** 2])
    value, slope, _ = np.linalg.lstsq(basis * weight[:, None], y * weight, rcond=None)[0]
    return float(value), float(slope)


def smooth(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return a loess curve (span 0.2, degree 2) through evenly spread points, at other places.

    Cleveland & Grosse 1991: local fits at the cuts of a tree with at most a fifth of the span's
    points in a leaf, and cubics that match their values and slopes in between.
    """
    from scipy.interpolate import CubicHermiteSpline

    points = int(SPAN * len(x))
    margin = 0.005 * (x[-1] - x[0])
    knots = np.array([x[0] - margin, *_knots(x, int(0.2 * points)), x[-1] + margin])
    fits = np.array([_local_quadratic(x, y, knot, points) for knot in knots])
    return CubicHermiteSpline(knots, fits[:, 0], fits[:, 1])(at)


def match_histogram(residuals: np.ndarray, df: int) -> float:
    """Return the variance in [0, 8] whose predicted histogram of residuals is nearest to theirs.

    residuals: log dispersion estimates less the trend. df: 1, 2 or 3 residual degrees of freedom.
    Love, Huber & Anders 2014, Methods: the residuals are distributed as log(chi2(df) / df) plus a
    normal with the prior's variance, which is matched by the Kullback-Leibler divergence between
    histograms with bins of 0.5, smoothed over 200 variances (which moves the minimum).
    An empty bin counts as the smallest density of the two histograms. Where no residual lies
    within 10 of the trend the answer is 0.
    """
    observed = np.histogram(residuals[np.abs(residuals) < EDGES[-1]], EDGES)[0].astype(float)
    if not observed.any():
        return 0.0
    observed /= observed.sum() * (EDGES[1] - EDGES[0])
    drawn = _drawn(df)
    drawn = drawn / (drawn.sum(axis=1, keepdims=True) * (EDGES[1] - EDGES[0]))
    least = np.where(drawn > 0, drawn, np.inf).min(axis=1)
    small = np.minimum(least, observed[observed > 0].min())[:, None]
    divergence = (observed * (np.log(observed + small) - np.log(drawn + small))).sum(axis=1)
    candidates = np.linspace(VARIANCES[0], VARIANCES[-1], 1000)
    return float(candidates[np.argmin(smooth(VARIANCES, divergence, candidates))])
