"""Is each after sample of the donor it is said to be of?

Donors differ by what their serum does to the cells. Where that is too little, a swap cannot be
seen: the checks measure what they could see, and their level is `not_assessed` then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import joined
from fibroserum.distributions import t_isf, t_sf
from fibroserum.qc.check import LEVEL, Check, not_assessed, ok, warning
from fibroserum.qc.profiles import Profiles

#: Fewer pairs leave too little to compare with.
FEWEST_PAIRS = 4
#: Between groups of fewer pairs most swaps are not found: a group's mean takes the stranger in.
SMALL_GROUP = 8
#: Candidates that are looked at closely; a cohort with more mix-ups has other troubles.
_MOST = 20
#: Subject of a check that is not assessed for swaps between groups, and is for those within.
BETWEEN = "between groups"


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
        return float((left**2).sum()), self.others

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

    @cached_property
    def others(self) -> int:
        """Return how many likenesses are of two different donors."""
        return int(self.other.sum())

    @property
    def own(self) -> np.ndarray:
        """Return how much more like its own donor's before sample each after sample is."""
        return np.diag(self.matrix) - np.diag(self.middle)

    @cached_property
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
    return float(t_isf(LEVEL / max(1.0, tests), freedom))


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
        if t > _critical(like.others / 2, freedom):
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
    tests = like.others
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
    return stands_out, _critical(like.others / 2, freedom) + 1


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


def pairs_and_donors(
    like: Likeness | None, found: MixUps, groups: Sequence[str], *, one_line: bool
) -> Iterator[Check]:
    """Yield 'pairs' (is each after sample nearest its own donor's before) and 'swapped donors'.

    groups: those with pairs. one_line: whether all samples are of the same cells, as far as is
    known.
    """
    compared = set() if like is None else set(like.pairs["group"])
    few = [name for name in groups if name not in compared]
    if few or like is None:
        reason = f"needs at least {FEWEST_PAIRS} pairs, in groups of 3 or more"
        yield not_assessed("pairs", reason, subject=joined(few))
        yield not_assessed("swapped donors", reason, subject=joined(few))
    if like is None:
        return
    seen, needed = signal(like)
    weak = _weak(seen, needed, one_line=one_line) if seen < needed else ""
    yield from _pairs(like, found.odd, weak)
    yield from _swapped(like, found.swaps, weak)


def _weak(seen: float, needed: float, *, one_line: bool) -> str:
    """Return why a swap could not be seen: the reason first, then the numbers."""
    cause = (
        "all samples are of the same cells, and the sera of different donors differ too little in "
        "their effects to reveal a swap"
        if one_line
        else "donors differ too little in their effects on the cells to reveal a swap"
    )
    return (
        f"{cause}. Own pairs exceed other pairs by {seen:.1f} standard deviations; {needed:.1f} "
        "are needed"
    )


def _pairs(like: Likeness, odd: list[Swap], weak: str) -> Iterator[Check]:
    for one in odd:
        mine, its = like.pairs.iloc[one.one], like.pairs.iloc[one.other]
        yield warning(
            "pairs",
            mine["after"],
            f"this sample resembles {its['before']} of donor {its['donor']} (correlation "
            f"{like.matrix[one.one, one.other]:.2f}) far more than {mine['before']} of its own "
            f"donor {mine['donor']} ({like.matrix[one.one, one.one]:.2f})",
            "Check the labels of these tubes and of the tubes handled next to them. If a label is "
            "wrong, correct the sample sheet.",
        )
    spread, freedom = like.spread()
    total = len(like.pairs)
    t = float(like.own.mean() / spread * np.sqrt(total)) if spread > 0 else 0.0
    own = int((like.nearest == np.arange(total)).sum())
    chance = total / (like.other.sum(axis=1).mean() + 1)
    numbers = (
        f"{own} of {total} after samples are nearest to their own donor's before sample (by chance "
        f"{chance:.0f}). Own pairs correlate {np.diag(like.matrix).mean():.2f}, other pairs "
        f"{like.matrix[like.other].mean():.2f} (p {t_sf(t, freedom):.1g})"
    )
    if weak:
        yield not_assessed("pairs", f"{weak}. {numbers}")
    elif not odd:
        yield ok("pairs", numbers)


def _swapped(like: Likeness, swaps: list[Swap], weak: str) -> Iterator[Check]:
    for swap in swaps:
        one, other = like.pairs.iloc[swap.one], like.pairs.iloc[swap.other]
        exchanged = (like.matrix[swap.one, swap.other] + like.matrix[swap.other, swap.one]) / 2
        own = (like.matrix[swap.one, swap.one] + like.matrix[swap.other, swap.other]) / 2
        yield warning(
            "swapped donors",
            f"{one['after']}, {other['after']}",
            f"donors {one['donor']} and {other['donor']} fit better when exchanged (correlation "
            f"{exchanged:.2f}) than as labelled ({own:.2f})",
            f"Check whether {one['after']} and {other['after']} were swapped, or "
            f"{one['before']} and {other['before']}, which looks the same. If so, correct the "
            "sample sheet.",
        )
    if swaps:
        return
    if weak:
        yield not_assessed("swapped donors", weak)
        return
    yield ok("swapped donors", _no_swap(like))
    sizes = like.pairs["group"].value_counts()
    # see docs/calibration.md
    if len(sizes) > 1 and sizes.min() < SMALL_GROUP:
        few = joined(sorted(map(str, sizes.index[sizes < SMALL_GROUP])))
        reason = f"fewer than {SMALL_GROUP} pairs in {few}"
        detail = "In such a small group, a swap with another group may not be detected"
        yield not_assessed("swapped donors", f"{reason}. {detail}", subject=BETWEEN)


def _no_swap(like: Likeness) -> str:
    """Return in words that no exchange of two donors is beyond chance."""
    best = best_exchange(like)
    if best is None:
        return (
            "no two donors fit better when exchanged. Own pairs exceed other pairs by "
            f"{signal(like)[0]:.1f} standard deviations"
        )
    names = " and ".join(map(str, like.pairs.loc[list(best), "donor"]))
    return (
        f"no exchange of two donors is established. {names} fit slightly better when exchanged, "
        "but chance alone can explain this"
    )
