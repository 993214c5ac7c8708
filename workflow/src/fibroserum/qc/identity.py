"""Is each after sample of the donor it is said to be of?

All samples are of the same cells, so donors differ by their serum alone. Where that leaves no mark
on the cells, a swap cannot be seen either: the checks measure what they could see, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from fibroserum.qc.check import LEVEL, Check
from fibroserum.qc.profiles import Profiles

#: Fewer pairs leave too little to compare with.
FEWEST_PAIRS = 4
#: Between groups of fewer pairs most swaps are not found: a group's mean takes the stranger in.
SMALL_GROUP = 8
#: Candidates that are looked at closely; a cohort with more mix-ups has other troubles.
_MOST = 20


@dataclass(frozen=True)
class Likeness:
    """How like each after sample is to each before sample.

    pairs: one row a pair: donor, group, before, after (sample names). matrix: correlations of
    profiles, after × before, pairs × pairs. other: mask of those of two different donors.
    middle: mean of the others, as large as matrix (within a group and between groups apart).
    """

    pairs: pd.DataFrame
    matrix: np.ndarray
    other: np.ndarray
    middle: np.ndarray

    @cached_property
    def _squares(self) -> tuple[float, int]:
        left = (self.matrix - self.middle)[self.other]
        return float((left**2).sum()), int(self.other.sum())

    def spread(self, without: tuple[int, int] | None = None) -> tuple[float, float]:
        """Return the standard deviation of the others and its degrees of freedom.

        without: two pairs whose likeness to each other is left out.
        """
        squares, count = self._squares
        if without is not None:
            places = (without, without[::-1])
            squares -= sum(float(self.matrix[p] - self.middle[p]) ** 2 for p in places)
            count -= 2
        # a likeness and its mirror image share two donors: half of them count
        return float(np.sqrt(max(squares, 0.0) / max(1, count - 1))), max(1.0, count / 2 - 1)

    @property
    def own(self) -> np.ndarray:
        """Return how much more like its own donor's before sample each after sample is."""
        return np.diag(self.matrix - self.middle)

    @property
    def nearest(self) -> np.ndarray:
        """Return, for each after sample, the pair whose before sample is nearest."""
        allowed = self.other | np.eye(len(self.other), dtype=bool)
        return np.where(allowed, self.matrix, -np.inf).argmax(axis=1)


def paired(obs: pd.DataFrame, before: str, after: str) -> pd.DataFrame:
    """Return the pairs at a time after, sorted by group and donor.

    Columns donor, group, before, after (positions in obs).
    """
    sides = obs.reset_index(drop=True).rename_axis("place").reset_index()
    sides = sides[sides["used_for"] == "change"].set_index(["group", "donor"])["place"]
    times = obs["time"].to_numpy()[sides]
    wide = pd.DataFrame({"before": sides[times == before], "after": sides[times == after]}).dropna()
    return wide.astype(int).sort_index().reset_index()


def likeness(profiles: Profiles, before: str, after: str) -> Likeness | None:
    """Return the likeness of after and before samples, or None with fewer than four pairs."""
    pairs = paired(profiles.obs, before, after)
    if len(pairs) < FEWEST_PAIRS or pairs["donor"].nunique() < FEWEST_PAIRS:
        return None
    values = profiles.rows[pairs["after"]] @ profiles.rows[pairs["before"]].T
    donor = pd.factorize(pairs["donor"])[0]
    group = pd.factorize(pairs["group"])[0]
    same = group[:, None] == group
    other = donor[:, None] != donor
    if pairs["donor"].duplicated().any():
        # in a crossover a stranger's samples in the other groups are as near as those in this one
        other &= same
    middle = np.zeros_like(values)
    for part in (same, ~same):
        if (other & part).any():
            middle[part] = values[other & part].mean()
    names = profiles.obs.index.astype(str).to_numpy()
    named = pairs.assign(before=names[pairs["before"]], after=names[pairs["after"]])
    return Likeness(named, values, other, middle)


def _critical(tests: float, freedom: float) -> float:
    return float(stats.t.isf(LEVEL / max(1.0, tests), freedom))


@dataclass(frozen=True)
class Swap:
    """Two pairs whose after (or before) samples look exchanged; t of the exchange."""

    one: int
    other: int
    t: float


def swapped_pairs(like: Likeness) -> list[Swap]:
    """Return pairs that fit each other better than themselves.

    The after sample of each is nearest to the other's before sample, the two exchanged likenesses
    exceed the two own by more than likenesses of different donors vary, and stand out themselves
    (a donor whose times are swapped is unlike itself, but like nobody): t, the smaller of both, at
    the level `LEVEL` over all exchanges.
    """
    nearest, matrix = like.nearest, like.matrix
    rows = np.arange(len(nearest))
    found = []
    for one in np.flatnonzero((nearest[nearest] == rows) & (nearest > rows)):
        other = int(nearest[one])
        exchanged = matrix[one, other] + matrix[other, one]
        gain = exchanged - matrix[one, one] - matrix[other, other]
        spread, freedom = like.spread((int(one), other))
        if spread == 0:
            continue
        above = exchanged - like.middle[one, other] - like.middle[other, one]
        t = min(gain / 2, above / np.sqrt(2)) / spread
        if t > _critical(like.other.sum() / 2, freedom):
            found.append(Swap(int(one), other, float(t)))
    return sorted(found, key=lambda swap: -swap.t)[:_MOST]


def best_exchange(like: Likeness) -> tuple[int, int] | None:
    """Return the two pairs that gain most likeness when exchanged, or None where none gain any."""
    own = np.diag(like.matrix)
    gain = like.matrix + like.matrix.T - own[:, None] - own
    gain = np.where(like.other & like.other.T, gain, -np.inf)
    one, other = np.unravel_index(int(gain.argmax()), gain.shape)
    return (int(one), int(other)) if gain[one, other] > 0 else None


def strangers(like: Likeness, known: set[int]) -> list[Swap]:
    """Return after samples that are far more like another donor's before sample than their own's.

    The likeness to the other must itself stand out. known: pairs accounted for.
    """
    found = []
    tests = like.other.sum()
    for one, other in enumerate(like.nearest):
        if one == other or one in known:
            continue
        gain = like.matrix[one, other] - like.matrix[one, one]
        spread, freedom = like.spread((one, int(other)))
        if spread == 0:
            continue
        above = (like.matrix[one, other] - like.middle[one, other]) / spread
        t = min(above, gain / (np.sqrt(2) * spread))
        if t > _critical(tests, freedom):
            found.append(Swap(one, int(other), float(t)))
    return sorted(found, key=lambda swap: -swap.t)[:_MOST]


def signal(like: Likeness) -> tuple[float, float]:
    """Return how far own pairs stand out: in standard deviations of the others, and needed.

    The first is the median over pairs, which a few mix-ups do not move; needed: what lets a swap of
    two donors be seen in five of six cases.
    """
    spread, freedom = like.spread()
    stands_out = float(np.median(like.own)) / spread if spread > 0 else 0.0
    return stands_out, _critical(like.other.sum() / 2, freedom) + 1


@dataclass(frozen=True)
class MixUps:
    """Pairs of a `Likeness` that are not what they are called.

    swaps: two donors exchanged; odd: an after sample that is some other donor's.
    """

    swaps: list[Swap]
    odd: list[Swap]


def mix_ups(like: Likeness, known: set[str]) -> MixUps:
    """Return exchanged donors and strangers among the pairs.

    known: samples that another check accounts for, which are no strangers.
    """
    swaps = swapped_pairs(like)
    places = {place for swap in swaps for place in (swap.one, swap.other)}
    places |= set(np.flatnonzero(like.pairs[["before", "after"]].isin(known).any(axis=1)))
    return MixUps(swaps, strangers(like, places))


def samples_of(like: Likeness, found: list[Swap]) -> set[str]:
    """Return the names of the samples of both pairs of each."""
    places = {place for swap in found for place in (swap.one, swap.other)}
    return {str(name) for p in places for name in like.pairs.loc[p, ["before", "after"]]}


def pairs_and_donors(like: Likeness | None, found: MixUps) -> Iterator[Check]:
    """Yield 'pairs' (is each after sample nearest its own donor's before) and 'swapped donors'."""
    if like is None:
        said = f"cannot be told here: it takes {FEWEST_PAIRS} pairs, in groups of 3 or more"
        yield Check("pairs", "ok", "", said)
        yield Check("swapped donors", "ok", "", said)
        return
    spread, freedom = like.spread()
    total = len(like.pairs)
    t = float(like.own.mean() / spread * np.sqrt(total)) if spread > 0 else 0.0
    own = int((like.nearest == np.arange(total)).sum())
    chance = total / (like.other.sum(axis=1).mean() + 1)
    said = (
        f"{own} of {total} after samples are nearest to their own donor's before sample (by chance "
        f"{chance:.0f}); own pairs correlate {np.diag(like.matrix).mean():.2f}, others "
        f"{like.matrix[like.other].mean():.2f} (p {stats.t.sf(t, freedom):.1g})"
    )
    stands_out, needed = signal(like)
    weak = (
        ". All samples are of the same cells: donors differ by their serum alone, and here not "
        "enough to tell a swap"
    )
    yield Check("pairs", "ok", "", said + (weak if stands_out < needed else ""))
    yield from _strangers(like, found.odd)
    yield from _swapped(like, found.swaps, stands_out, needed, weak)


def _strangers(like: Likeness, found: list[Swap]) -> Iterator[Check]:
    for odd in found:
        mine, its = like.pairs.iloc[odd.one], like.pairs.iloc[odd.other]
        yield Check(
            "pairs",
            "warning",
            mine["after"],
            f"far more like {its['before']} of donor {its['donor']} (correlation "
            f"{like.matrix[odd.one, odd.other]:.2f}) than like {mine['before']} of its own donor "
            f"{mine['donor']} ({like.matrix[odd.one, odd.one]:.2f}): look at the labels of these "
            "tubes and of what was handled beside them",
        )


def _swapped(
    like: Likeness, swaps: list[Swap], stands_out: float, needed: float, weak: str
) -> Iterator[Check]:
    for swap in swaps:
        one, other = like.pairs.iloc[swap.one], like.pairs.iloc[swap.other]
        exchanged = (like.matrix[swap.one, swap.other] + like.matrix[swap.other, swap.one]) / 2
        own = (like.matrix[swap.one, swap.one] + like.matrix[swap.other, swap.other]) / 2
        yield Check(
            "swapped donors",
            "warning",
            f"{one['after']}, {other['after']}",
            f"donors {one['donor']} and {other['donor']} fit better when exchanged (correlation "
            f"{exchanged:.2f}, as labelled {own:.2f}): look whether {one['after']} and "
            f"{other['after']} were swapped, or {one['before']} and {other['before']}, which looks "
            "the same",
        )
    if swaps:
        return
    if stands_out < needed:
        said = (
            f"cannot be told here: own pairs stand out by {stands_out:.1f} standard deviations, "
            f"and {needed:.1f} would be needed{weak}"
        )
    elif (best := best_exchange(like)) is not None:
        names = like.pairs.loc[list(best), "donor"]
        said = (
            f"no exchange of two donors is clear; {' and '.join(map(str, names))} fit better when "
            f"exchanged, by no more than chance allows{_across(like)}"
        )
    else:
        said = (
            "no two donors fit better when exchanged; own pairs stand out by "
            f"{stands_out:.1f} sd{_across(like)}"
        )
    yield Check("swapped donors", "ok", "", said)


def _across(like: Likeness) -> str:
    """Return what to know of swaps between groups that are small; see docs/calibration.md."""
    sizes = like.pairs["group"].value_counts()
    if len(sizes) < 2 or sizes.min() >= SMALL_GROUP:
        return ""
    return f". A swap between groups, one of fewer than {SMALL_GROUP} pairs, can stay hidden"
