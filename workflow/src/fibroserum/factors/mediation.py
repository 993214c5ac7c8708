"""Mediation: the change in a factor between a group and the change in a target. Not causal.

Two groups: X is the group, M the change of the factor's log2 level, Y the target's change. One
group, or a crossover: the two-condition within-subject form of Montoya & Hayes (2017) Psychol
Methods 22:6.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from fibroserum.intervals import one_sample_t, welch_t

RESAMPLES = 5000
FEWEST_DONORS = 10


@dataclass(frozen=True)
class Mediation:
    """Indirect effect with its 95 % bootstrap interval, direct and total, all log2.

    factor_pvalue: that the factor's change differs from none (between groups, or within); slope_
    pvalue: that the target's change goes with it. pvalue: the larger, for both at once. Numbers are
    NaN where the mediation is not assessable.
    """

    donors: int
    indirect: float
    ci_low: float
    ci_high: float
    direct: float
    total: float
    note: str
    factor_pvalue: float = np.nan
    slope_pvalue: float = np.nan
    pvalue: float = np.nan


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def _by_value(values: np.ndarray) -> np.ndarray:
    """Return the donors (rows) sorted by the size of their values.

    The bootstrap draws rows by place: so neither names nor order change a result, and with before
    and after exchanged it is the mirror image.
    """
    return values[np.lexsort(np.abs(values.T[::-1]))]


def _slope(centred_x: np.ndarray, centred_y: np.ndarray) -> np.ndarray:
    """Return least-squares slopes along the last axis; 0 where x does not vary."""
    square = (centred_x**2).sum(axis=-1)
    product = (centred_x * centred_y).sum(axis=-1)
    return np.divide(product, square, out=np.zeros_like(product), where=square > 1e-12)


def _centre(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=-1, keepdims=True))


def two_group_effects(
    group: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indirect, direct and total effects of the group.

    group, reference: (..., donors, 2), changes of mediator and target. a: difference of the
    mediator's mean change; b: slope of target on mediator within groups; indirect = a × b; total =
    difference of the target's mean change; direct = the rest.
    """
    sides = (group, reference)
    centred = [(_centre(side[..., 0]), _centre(side[..., 1])) for side in sides]
    x = np.concatenate([part[0] for part in centred], axis=-1)
    y = np.concatenate([part[1] for part in centred], axis=-1)
    a = group[..., 0].mean(axis=-1) - reference[..., 0].mean(axis=-1)
    total = group[..., 1].mean(axis=-1) - reference[..., 1].mean(axis=-1)
    indirect = a * _slope(x, y)
    return indirect, total - indirect, total


def within_subject_effects(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indirect, direct and total effects of two conditions within donors.

    rows: (..., donors, 3): difference of the mediator, difference of the target, sum of the
    mediator over both conditions. a: mean difference of the mediator; b: slope of the target's
    difference on the mediator's, adjusted for the centred sum.
    """
    x, y, s = (_centre(rows[..., column]) for column in range(3))
    adjusted = x - _slope(s, x)[..., None] * s
    a, total = rows[..., 0].mean(axis=-1), rows[..., 1].mean(axis=-1)
    indirect = a * _slope(adjusted, y)
    return indirect, total - indirect, total


def _slope_pvalue(x: np.ndarray, y: np.ndarray, df: int) -> float:
    """Return the p value of a slope; x, y: residuals after all other terms; df: what is left."""
    square = float((x**2).sum())
    if square <= 1e-12:
        return 1.0
    slope = float((x * y).sum()) / square
    rss = float(((y - slope * x) ** 2).sum())
    if rss <= 1e-24:
        return 0.0 if slope else 1.0
    return float(2 * student.sf(abs(slope) / np.sqrt(rss / df / square), df))


def two_group_pvalues(group: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the p values of both paths: Welch's test of the factor's change, the slope's t test.

    group, reference: (donors, 2), as `two_group_effects` takes them.
    """
    first = welch_t(group[:, 0], reference[:, 0]).pvalue
    parts = [(_centre(side[:, 0]), _centre(side[:, 1])) for side in (group, reference)]
    x, y = (np.concatenate([part[n] for part in parts]) for n in (0, 1))
    return first, _slope_pvalue(x, y, len(x) - 3)


def within_subject_pvalues(rows: np.ndarray) -> tuple[float, float]:
    """Return the p values of both paths: the paired test of the factor, the slope's t test.

    rows: (donors, 3), as `within_subject_effects` takes them.
    """
    x, y, s = (_centre(rows[:, column]) for column in range(3))
    own, other = (values - _slope(s, values) * s for values in (x, y))
    return one_sample_t(rows[:, 0]).pvalue, _slope_pvalue(own, other, len(rows) - 3)


def _interval(drawn: np.ndarray, donors: int) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws; donors: of the smaller group.

    Resampling n values has (n - 1)/n of their variance: the quantiles are moved outwards for that
    (Hesterberg 2015, Am Stat 69:371, section 5.2; his t quantile would make products of two
    estimates cover too much).
    """
    tail = norm.cdf(np.sqrt(donors / (donors - 1)) * norm.ppf(0.025))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _found(
    donors: int,
    effects: tuple[np.ndarray, np.ndarray, np.ndarray],
    interval: tuple[float, float],
    pvalues: tuple[float, float],
    note: str,
) -> Mediation:
    indirect, direct, total = map(float, effects)
    # both paths are needed: an intersection-union test, which keeps its level whatever one is
    both = max(pvalues)
    return Mediation(donors, indirect, *interval, direct, total, note, *pvalues, both)


def not_assessable(donors: int, why: str) -> Mediation:
    """Return the row of a mediation that cannot be assessed."""
    return Mediation(donors, np.nan, np.nan, np.nan, np.nan, np.nan, why)


def _too_few(*counts: int) -> str:
    if min(counts) >= FEWEST_DONORS:
        return ""
    said = " and ".join(str(count) for count in counts)
    return f"{said} donors with complete data; at least {FEWEST_DONORS} a group are needed"


NOTE = (
    "association, not cause: anything that moves factor and target together looks the same; "
    "donors resampled within groups"
)
NOTE_WITHIN = (
    "association, not cause; within-subject form (Montoya & Hayes 2017), which cannot tell the "
    "intervention from time; donors resampled"
)


def between_groups(group: np.ndarray, reference: np.ndarray, seed: int, name: str) -> Mediation:
    """Return the mediation of a group's effect, without a call (`mediation_calls.with_calls`).

    group, reference: (donors, 2), changes of the factor's log2 level and of the target's log2
    expression; donors with both alone. seed, name: of the bootstrap, within groups.
    """
    donors = len(group) + len(reference)
    why = _too_few(len(group), len(reference))
    if why:
        return not_assessable(donors, why)
    sides = [_by_value(group), _by_value(reference)]
    rng = _generator(seed, name)
    drawn = [side[rng.integers(len(side), size=(RESAMPLES, len(side)))] for side in sides]
    interval = _interval(two_group_effects(*drawn)[0], min(map(len, sides)))
    return _found(donors, two_group_effects(*sides), interval, two_group_pvalues(*sides), NOTE)


def within_subjects(rows: np.ndarray, seed: int, name: str) -> Mediation:
    """Return the mediation between two conditions of the same donors.

    rows: (donors, 3), as `within_subject_effects` takes them; donors with complete data alone.
    """
    why = _too_few(len(rows))
    if why:
        return not_assessable(len(rows), why)
    ordered = _by_value(rows)
    rng = _generator(seed, name)
    drawn = ordered[rng.integers(len(ordered), size=(RESAMPLES, len(ordered)))]
    return _found(
        len(rows),
        within_subject_effects(ordered),
        _interval(within_subject_effects(drawn)[0], len(rows)),
        within_subject_pvalues(ordered),
        NOTE_WITHIN,
    )
