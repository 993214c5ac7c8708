"""Mediation: the change in a factor between a group and the change in a target. Not causal.

Two groups: X is the group, M the change of the factor's log2 level, Y the target's change. One
group, or a crossover: the two-condition within-subject form of Montoya & Hayes (2017) Psychol
Methods 22:6.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from fibroserum.distributions import normal_cdf, normal_ppf
from fibroserum.factors.mediation_slope import between_slope, within_slope
from fibroserum.intervals import one_sample_t, welch_t

RESAMPLES = 5000
FEWEST_DONORS = 10


@dataclass(frozen=True)
class Resampled:
    """Indirect effects of resampled donors. donors: of the smaller group."""

    indirect: np.ndarray
    donors: int

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the percentile interval of level 1 - alpha.

        Resampling n values has (n - 1)/n of their variance: the quantiles are moved outwards for
        that (Hesterberg 2015, Am Stat 69:371, section 5.2; his t quantile would make products of
        two estimates cover too much).
        """
        tail = normal_cdf(np.sqrt(self.donors / (self.donors - 1)) * normal_ppf(alpha / 2))
        low, high = np.quantile(self.indirect, [tail, 1 - tail])
        return float(low), float(high)


@dataclass(frozen=True)
class Mediation:
    """Indirect, direct and total effects, all log2, and the evidence on them.

    factor_pvalue: that the factor's change differs from none (between groups, or within); slope_
    pvalue: that the target's change goes with it. pvalue: the larger, for both at once. kept: (d,)
    shares of the indirect effect that are left without each donor, in the order of the donors
    given, the group's first. Without numbers where the mediation is not assessable.
    """

    donors: int
    indirect: float
    direct: float
    total: float
    note: str
    factor_pvalue: float = np.nan
    slope_pvalue: float = np.nan
    pvalue: float = np.nan
    kept: np.ndarray | None = None
    resampled: Resampled | None = None


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def _by_value(values: np.ndarray) -> np.ndarray:
    """Return positions of the donors (rows) by the size of their values.

    The bootstrap draws rows by place: so neither names nor order change a result, and with before
    and after exchanged it is the mirror image.
    """
    return np.lexsort(np.abs(values.T[::-1]))


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


def _shares(left: list[np.ndarray], indirect: float, given: np.ndarray) -> np.ndarray:
    """Return effects without each donor over the whole one, in the order given; 0 without one.

    given: position of each of `left` among the donors as they were given.
    """
    shares = np.zeros(len(left))
    if indirect:
        shares[given] = np.array(left) / indirect
    return shares


def not_assessable(donors: int, why: str) -> Mediation:
    """Return the row of a mediation that cannot be assessed."""
    return Mediation(donors, np.nan, np.nan, np.nan, why)


def _too_few(*counts: int) -> str:
    if min(counts) >= FEWEST_DONORS:
        return ""
    said = " and ".join(str(count) for count in counts)
    return f"{said} donors have complete data; at least {FEWEST_DONORS} in each group are needed"


NOTE = (
    "association, not cause: anything that changes both factor and target looks the same; interval "
    "from donors resampled within groups"
)
NOTE_WITHIN = (
    "association, not cause; within-subject form (Montoya & Hayes 2017), which cannot separate the "
    "intervention from time; interval from resampled donors"
)


def between_groups(
    group: np.ndarray,
    reference: np.ndarray,
    seed: int,
    name: str,
    *,
    ratio: float = 1.0,
    hc3: bool = False,
) -> Mediation:
    """Return the mediation of a group's effect, without a call (`mediation_calls.with_calls`).

    group, reference: (donors, 2), changes of the factor's log2 level and of the target's log2
    expression; donors with both alone. seed, name: of the bootstrap, within groups. ratio, hc3: of
    the slope's test (`Slope.pvalue`).
    """
    donors = len(group) + len(reference)
    why = _too_few(len(group), len(reference))
    if why:
        return not_assessable(donors, why)
    orders = _by_value(group), _by_value(reference)
    sides = group[orders[0]], reference[orders[1]]
    rng = _generator(seed, name)
    drawn = [side[rng.integers(len(side), size=(RESAMPLES, len(side)))] for side in sides]
    indirect, direct, total = map(float, two_group_effects(*sides))
    first, second = sides
    left = [two_group_effects(np.delete(first, n, 0), second)[0] for n in range(len(first))]
    left += [two_group_effects(first, np.delete(second, n, 0))[0] for n in range(len(second))]
    pvalues = (
        welch_t(group[:, 0], reference[:, 0]).pvalue,
        between_slope(*sides).pvalue(ratio=ratio, hc3=hc3),
    )
    return Mediation(
        donors,
        indirect,
        direct,
        total,
        NOTE,
        *pvalues,
        # both paths are needed: an intersection-union test, which keeps its level whatever one is
        max(pvalues),
        _shares(left, indirect, np.concatenate([orders[0], len(group) + orders[1]])),
        Resampled(two_group_effects(*drawn)[0], min(map(len, sides))),
    )


def within_subjects(
    rows: np.ndarray, seed: int, name: str, *, ratio: float = 1.0, hc3: bool = False
) -> Mediation:
    """Return the mediation between two conditions of the same donors.

    rows: (donors, 3), as `within_subject_effects` takes them; donors with complete data alone.
    seed, name, ratio, hc3: as `between_groups` has them.
    """
    why = _too_few(len(rows))
    if why:
        return not_assessable(len(rows), why)
    order = _by_value(rows)
    ordered = rows[order]
    rng = _generator(seed, name)
    drawn = ordered[rng.integers(len(ordered), size=(RESAMPLES, len(ordered)))]
    indirect, direct, total = map(float, within_subject_effects(ordered))
    left = [within_subject_effects(np.delete(ordered, n, 0))[0] for n in range(len(rows))]
    pvalues = (
        one_sample_t(rows[:, 0]).pvalue,
        within_slope(ordered).pvalue(ratio=ratio, hc3=hc3),
    )
    return Mediation(
        len(rows),
        indirect,
        direct,
        total,
        NOTE_WITHIN,
        *pvalues,
        max(pvalues),
        _shares(left, indirect, order),
        Resampled(within_subject_effects(drawn)[0], len(rows)),
    )
