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
from fibroserum.linear.blas import one_blas_thread

RESAMPLES = 5000
# of them, as many are drawn at once as need little memory
AT_ONCE = 250
# a sum of squares below it, or such a share of one that is left of it, is rounding
NOTHING, ROUNDING = 1e-12, 1e-12
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


@dataclass(frozen=True)
class _Donors:
    """What sums over d donors are made of, in any number of samples of them.

    centre: (c,), the mean of each value. terms: (d, 1 + c + c²), of each donor 1, its values less
    the centre, and the products of these.
    """

    centre: np.ndarray
    terms: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> _Donors:
        """Return them of values (donors, c)."""
        rest = values - values.mean(axis=0)
        products = rest[:, :, None] * rest[:, None, :]
        terms = np.column_stack([np.ones(len(rest)), rest, products.reshape(len(rest), -1)])
        return cls(values.mean(axis=0), terms)

    def moments(self, sums: np.ndarray) -> _Moments:
        """Return the moments that sums of terms (..., 1 + c + c²) give."""
        count = len(self.centre)
        size, first, second = np.split(sums, [1, 1 + count], axis=-1)
        second = second.reshape(*second.shape[:-1], count, count)
        products = second - first[..., :, None] * first[..., None, :] / size[..., None]
        # what is left of a sum of squares where all are equal is rounding
        varies = np.einsum("...ii->...i", products) > NOTHING * np.maximum(1.0, size)
        products *= varies[..., :, None] & varies[..., None, :]
        return _Moments(self.centre + first / size, products)

    @property
    def all(self) -> _Moments:
        """The moments of all donors."""
        return self.moments(self.terms.sum(axis=0))

    @property
    def without_each(self) -> _Moments:
        """The moments without each donor in turn, (d, ...)."""
        return self.moments(self.terms.sum(axis=0) - self.terms)

    def resampled(self, rng: np.random.Generator) -> _Moments:
        """Return the moments of as many donors drawn with replacement, (RESAMPLES, ...)."""
        donors = len(self.terms)
        sums = np.empty((RESAMPLES, self.terms.shape[1]))
        for start in range(0, RESAMPLES, AT_ONCE):
            drawn = rng.integers(donors, size=(min(AT_ONCE, RESAMPLES - start), donors))
            drawn += donors * np.arange(len(drawn))[:, None]
            times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
            # one thread in BLAS: a sum that it splits between threads could differ in the last bit
            with one_blas_thread():
                sums[start : start + len(drawn)] = times.astype(float) @ self.terms
        return self.moments(sums)


@dataclass(frozen=True)
class _Moments:
    """Means (..., c) and sums of products about them (..., c, c)."""

    means: np.ndarray
    products: np.ndarray

    def slope(self, y: int, x: int) -> np.ndarray:
        """Return the least-squares slope of a value on another; 0 where that does not vary."""
        return _ratio(self.products[..., x, y], self.products[..., x, x])


def _ratio(product: np.ndarray, square: np.ndarray) -> np.ndarray:
    return np.divide(product, square, out=np.zeros_like(product), where=square > NOTHING)


def two_group_effects(
    group: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indirect, direct and total effects of the group.

    group, reference: (donors, 2), changes of mediator and target. a: difference of the mediator's
    mean change; b: slope of target on mediator within groups; indirect = a × b; total = difference
    of the target's mean change; direct = the rest.
    """
    return _between(_Donors.of(group).all, _Donors.of(reference).all)


def _between(group: _Moments, reference: _Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    difference = group.means - reference.means
    within = _Moments(difference, group.products + reference.products)
    total = difference[..., 1]
    indirect = difference[..., 0] * within.slope(1, 0)
    return indirect, total - indirect, total


def within_subject_effects(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indirect, direct and total effects of two conditions within donors.

    rows: (donors, 3): difference of the mediator, difference of the target, sum of the mediator
    over both conditions. a: mean difference of the mediator; b: slope of the target's difference on
    the mediator's, adjusted for the centred sum.
    """
    return _within(_Donors.of(rows).all)


def _within(own: _Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # the mediator's difference less the part that goes with the sum
    part, square = own.slope(0, 2), own.products[..., 0, 0]
    left = square - part * own.products[..., 0, 2]
    left = np.where(left > ROUNDING * square, left, 0.0)
    slope = _ratio(own.products[..., 0, 1] - part * own.products[..., 1, 2], left)
    total = own.means[..., 1]
    indirect = own.means[..., 0] * slope
    return indirect, total - indirect, total


def _shares(left: np.ndarray, indirect: float, given: np.ndarray) -> np.ndarray:
    """Return effects without each donor over the whole one, in the order given; 0 without one.

    given: position of each of `left` among the donors as they were given.
    """
    shares = np.zeros(len(left))
    if indirect:
        shares[given] = left / indirect
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
    first, second = map(_Donors.of, sides)
    resampled = _between(first.resampled(rng), second.resampled(rng))[0]
    indirect, direct, total = map(float, _between(first.all, second.all))
    left = np.concatenate(
        [
            _between(first.without_each, second.all)[0],
            _between(first.all, second.without_each)[0],
        ]
    )
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
        Resampled(resampled, min(map(len, sides))),
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
    donors = _Donors.of(ordered)
    resampled = _within(donors.resampled(_generator(seed, name)))[0]
    indirect, direct, total = map(float, _within(donors.all))
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
        _shares(_within(donors.without_each)[0], indirect, order),
        Resampled(resampled, len(rows)),
    )
