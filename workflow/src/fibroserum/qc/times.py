"""Swapped times: does a donor's change point against the change that the others share?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import SINGLE_GROUP, joined
from fibroserum.distributions import t_isf
from fibroserum.qc.check import LEVEL, Check, not_assessed, ok, warning
from fibroserum.qc.identity import FEWEST_PAIRS, paired
from fibroserum.qc.profiles import Profiles

#: Genes of the changes: the highest counted.
_GENES = 4000
#: A gene speaks where the others' mean change is this many standard errors from 0.
_SPEAKS = 2.0
#: Pairs that are looked at closely, those that point away most.
_MOST = 12


def changes(profiles: Profiles, pairs: pd.DataFrame) -> np.ndarray:
    """Return log2 changes from before to after, pairs × genes, each pair's mean taken out."""
    log2 = profiles.log2
    best = np.sort(np.argsort(-log2.mean(axis=0, dtype=float), kind="stable")[:_GENES])
    chosen = log2[:, best].astype(float)
    change = chosen[pairs["after"]] - chosen[pairs["before"]]
    return change - change.mean(axis=1, keepdims=True)


def projections(change: np.ndarray) -> np.ndarray:
    """Return how far each change (rows: pairs) goes along the mean of the others, in noise units.

    Along the genes in which the others agree, weighted by their variance among the others: nothing
    of the pair itself decides the direction. 0 where they agree in none.
    """
    others = len(change) - 1
    mean = (change.sum(axis=0) - change) / others
    square = np.square(change).sum(axis=0) - np.square(change)
    variance = np.maximum(square - others * mean**2, 0.0) / max(1, others - 1)
    # half its own, half the typical gene's: with few pairs a gene's own variance is often too low
    variance = (variance + np.median(variance, axis=1, keepdims=True)) / 2
    agree = (mean**2 > _SPEAKS**2 * variance / others) & (variance > 0)
    weight = np.divide(mean, variance, out=np.zeros_like(mean), where=agree)
    along = (change * weight).sum(axis=1)
    length = np.sqrt((weight**2 * variance).sum(axis=1))
    return np.divide(along, length, out=np.zeros(len(change)), where=length > 0)


@dataclass(frozen=True)
class Agreement:
    """How alike the pairs of each group change.

    pairs: as `paired` returns them, of groups with enough pairs. change: pairs × genes. along:
    projection of each on the others of its group. group: name of each pair's group.
    """

    pairs: pd.DataFrame
    change: np.ndarray
    along: np.ndarray
    group: np.ndarray

    def spread(self, without: int | None = None) -> tuple[float, float, float]:
        """Return mean, pooled standard deviation and degrees of freedom of the projections.

        without: a pair that has no part in them, nor in the directions of the others; the mean is
        its group's, or 0 without one.
        """
        squares, freedom, mean = 0.0, 0, 0.0
        for name in dict.fromkeys(self.group):
            part = np.flatnonzero(self.group == name)
            along = self.along[part]
            if without is not None and self.group[without] == name:
                along = projections(self.change[part[part != without]])
                mean = float(along.mean())
            squares += float(((along - along.mean()) ** 2).sum())
            freedom += len(along) - 1
        return mean, float(np.sqrt(squares / freedom)), freedom

    def reversed(self, one: int) -> bool:
        """Return whether a pair changes against the others of its group, beyond chance.

        They must share a change; its projection must lie below theirs by more than they vary among
        themselves, and on the other side of nothing.
        """
        mean, spread, freedom = self.spread(one)
        count = int((self.group == self.group[one]).sum()) - 1
        critical = float(t_isf(LEVEL / len(self.along), freedom))
        # each projection holds the others' changes: that their mean is not 0 would say too little
        shared = 2 * mean > critical * spread
        below = mean - self.along[one] > critical * spread * np.sqrt(1 + 1 / count)
        return bool(shared and below and self.along[one] < -mean / 2)

    def blind(self) -> list[str]:
        """Return groups whose shared change is too weak for a swap to be seen."""
        _, spread, freedom = self.spread()
        needed = float(t_isf(LEVEL / len(self.along), freedom)) + 1
        means = pd.Series(self.along).groupby(self.group).median()
        return [str(name) for name, mean in means.items() if 2 * mean < needed * spread]


def agreement(profiles: Profiles, before: str, after: str, known: set[str]) -> Agreement | None:
    """Return how alike pairs change in groups of four and more, or None where there is none.

    known: samples whose pairs are left out.
    """
    pairs = paired(profiles.obs, before, after)
    names = profiles.obs.index.astype(str).to_numpy()
    doubtful = np.isin(names, sorted(known))
    pairs = pairs[~(doubtful[pairs["before"]] | doubtful[pairs["after"]])]
    pairs = pairs[pairs.groupby("group")["donor"].transform("size") >= FEWEST_PAIRS]
    if pairs.empty:
        return None
    change = changes(profiles, pairs)
    group = pairs["group"].to_numpy()
    along = np.zeros(len(pairs))
    for name in dict.fromkeys(group):
        along[group == name] = projections(change[group == name])
    return Agreement(pairs, change, along, group)


@dataclass(frozen=True)
class Reversals:
    """Pairs whose change points against the others': (before, after, donor, group, along, mean).

    clear: groups in which such a pair would have been seen; blind: groups whose donors share too
    small a change for that; few: groups with too few pairs.
    """

    found: list[tuple[str, str, str, str, float, float]]
    clear: list[str]
    blind: list[str]
    few: list[str]


def reversals(
    profiles: Profiles, before: str, after: str, known: set[str], groups: Sequence[str]
) -> Reversals:
    """Return pairs whose change points against their group's.

    known: samples that another check accounts for; groups: those with pairs.
    """
    alike = agreement(profiles, before, after, known)
    if alike is None:
        return Reversals([], [], [], [*groups])
    names = profiles.obs.index.astype(str).to_numpy()
    found = []
    for one in np.argsort(alike.along, kind="stable")[:_MOST]:
        if alike.along[one] < 0 and alike.reversed(int(one)):
            pair = alike.pairs.iloc[one]
            samples = (str(names[pair["before"]]), str(names[pair["after"]]))
            mean = alike.spread(int(one))[0]
            found.append((*samples, pair["donor"], pair["group"], float(alike.along[one]), mean))
    seen = {group for _, _, _, group, _, _ in found}
    blind = [name for name in alike.blind() if name not in seen]
    compared = set(alike.group)
    clear = [name for name in groups if name in compared - seen and name not in blind]
    return Reversals(found, clear, blind, [name for name in groups if name not in compared])


def swapped_times(turned: Reversals) -> Iterator[Check]:
    """Yield 'swapped times'. Only where a group's donors respond alike can a pair be compared."""
    for first, second, donor, group, along, mean in turned.found:
        of = "" if group == SINGLE_GROUP else f" of {group}"
        yield warning(
            "swapped times",
            f"{first}, {second}",
            f"donor {donor} changes in the opposite direction to the other donors{of} "
            f"({along:.1f} along their mean change; they have {mean:.1f})",
            f"Check whether {first} and {second} were swapped. If so, correct the sample sheet. A "
            "donor who responds in the opposite direction looks the same.",
        )
    if turned.few or not (turned.found or turned.clear or turned.blind):
        reason = f"needs at least {FEWEST_PAIRS} pairs in one group"
        yield not_assessed("swapped times", reason, subject=joined(turned.few))
    if turned.blind:
        yield not_assessed(
            "swapped times",
            "the mean change of the donors is too small to reveal a donor who changes in the "
            "opposite direction",
            subject=joined(turned.blind),
        )
    if turned.clear:
        where = "" if turned.clear == [SINGLE_GROUP] else f"in {joined(turned.clear)}, "
        message = f"{where}no donor changes in the opposite direction to others"
        yield ok("swapped times", message)
