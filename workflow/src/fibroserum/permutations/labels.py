"""Which labels are exchanged: the permutations of each kind of contrast.

Tests are two-sided, so a permutation and its mirror image (every donor flipped; two groups of equal
size exchanged) are one. The data as they are never count among the permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast

# Up to this many, all are listed before some are drawn; beyond, they are drawn one by one.
LISTED = 20_000

Key = tuple[int, ...]


@dataclass(frozen=True)
class Permutations:
    """Distinct permutations of a contrast.

    rows: each (samples,): the sample whose place in the design each sample takes. exact: whether
    these are all there are. what: what is exchanged, and what that assumes, in words.
    """

    rows: tuple[np.ndarray, ...]
    exact: bool
    what: str


def draw_permutations(
    contrast: Contrast,
    obs: pd.DataFrame,
    counts: pd.DataFrame,
    settings: Mapping[str, Any],
    limit: int,
    rng: np.random.Generator,
) -> Permutations:
    """Return at most `limit` permutations of a contrast, drawn without replacement.

    obs: the model's samples × (donor, group, time); counts: of the same samples, which order the
    donors, so that their names and order change nothing; settings: `groups`, `crossover`.
    """
    size = len(obs)
    if contrast.kind == "own":
        return Permutations((), False, "contrasts that the config defines are not permuted")
    if contrast.dose:
        return Permutations((), False, "slopes on the dose are not permuted")
    crossover = bool(settings["crossover"])
    if contrast.kind in ("change", "average"):
        units = _flips(contrast, obs, counts, whole_donors=crossover)
        what = "before and after flipped within donors"
        what += f" of {contrast.group}" if contrast.kind == "change" else " of all groups"
        return _from_flips(units, size, what, limit, rng)
    if crossover:
        what = f"{contrast.group} and {contrast.reference} swapped within donors"
        return _from_flips(_swaps(contrast, obs, counts), size, what, limit, rng)
    what = f"donors permuted between {contrast.group} and {contrast.reference}, assuming that "
    what += "changes" if contrast.kind == "difference" else "donors"
    return _from_groups(contrast, obs, counts, f"{what} vary equally in both", limit, rng)


def _ordered(units: Sequence[list[int]], counts: pd.DataFrame) -> list[list[int]]:
    """Return units (rows of a donor) ordered by their counts, whichever of them come first."""
    raw = np.ascontiguousarray(counts.to_numpy(dtype=np.int64))
    keys = [raw[row].tobytes() for row in range(len(raw))]
    return sorted(units, key=lambda rows: sorted(keys[row] for row in rows))


def _flips(
    contrast: Contrast, obs: pd.DataFrame, counts: pd.DataFrame, *, whole_donors: bool
) -> list[list[int]]:
    """Return for each donor the rows to exchange: pairs, one after the other."""
    place = obs.reset_index(drop=True)
    place = place[place["group"].isin(contrast.groups)]
    place = place[place["time"].isin([contrast.before, contrast.time])]
    pairs = {
        key: rows
        for key, rows in place.groupby(["donor", "group"], sort=True).groups.items()
        if len(rows) == 2
    }
    if not whole_donors or contrast.kind == "change":
        return _ordered([sorted(rows) for rows in pairs.values()], counts)
    donors: dict[str, list[int]] = {}
    for (donor, _), rows in pairs.items():
        donors.setdefault(donor, []).extend(sorted(rows))
    return _ordered(list(donors.values()), counts)


def _swaps(contrast: Contrast, obs: pd.DataFrame, counts: pd.DataFrame) -> list[list[int]]:
    """Return for each donor of both groups of a crossover the rows to exchange between them."""
    place = obs.reset_index(drop=True)
    row = {key: at for at, key in enumerate(place.itertuples(index=False, name=None))}
    columns = list(place.columns)
    donors, times = sorted(place["donor"].unique()), sorted(place["time"].unique())
    units = []
    for donor in donors:
        unit: list[int] = []
        for time in times:
            keys = [
                tuple({"donor": donor, "group": group, "time": time}[name] for name in columns)
                for group in (contrast.group, contrast.reference)
            ]
            if all(key in row for key in keys):
                unit += [row[key] for key in keys]
        if unit:
            units.append(unit)
    return _ordered(units, counts)


def _some(
    total: int,
    everything: Callable[[], Iterator[Key]],
    draw: Callable[[], Key],
    data: Key,
    limit: int,
    rng: np.random.Generator,
) -> tuple[list[Key], bool]:
    """Return at most `limit` of `total` distinct keys other than `data`, and whether it is all."""
    if total <= max(limit, LISTED):
        keys = [key for key in everything() if key != data]
        if total <= limit:
            return keys, True
        return [keys[i] for i in np.sort(rng.choice(total, limit, replace=False))], False
    found: dict[Key, None] = {}
    while len(found) < limit:
        key = draw()
        if key != data:
            found[key] = None
    return list(found), False


def _from_flips(
    units: list[list[int]], size: int, what: str, limit: int, rng: np.random.Generator
) -> Permutations:
    """Exchange the rows of some donors; the first never, which leaves out mirror images."""
    free = max(len(units) - 1, 0)
    keys, exact = _some(
        2**free - 1,
        lambda: iter(product((0, 1), repeat=free)),
        lambda: tuple(rng.integers(0, 2, size=free).tolist()),
        (0,) * free,
        limit,
        rng,
    )
    rows = []
    for key in keys:
        place = np.arange(size)
        for unit in (units[1 + i] for i in np.flatnonzero(key)):
            place[unit[::2]], place[unit[1::2]] = unit[1::2], unit[::2]
        rows.append(place)
    return Permutations(tuple(rows), exact, what)


def _from_groups(
    contrast: Contrast,
    obs: pd.DataFrame,
    counts: pd.DataFrame,
    what: str,
    limit: int,
    rng: np.random.Generator,
) -> Permutations:
    """Draw which donors are in the group, as many as there are."""
    place = obs.reset_index(drop=True)
    times = {contrast.before, contrast.time} - {None}
    pooled = place[place["group"].isin(contrast.groups) & place["time"].isin(times)]
    units = [sorted(rows) for rows in pooled.groupby("donor").groups.values()]
    donors = _ordered([rows for rows in units if len(rows) == len(times)], counts)
    in_group = [place["group"].iloc[rows[0]] == contrast.group for rows in donors]
    n, k = len(donors), sum(in_group)
    mirrored = 2 * k == n

    def canonical(members: Iterable[int]) -> Key:
        chosen = tuple(sorted(members))
        if mirrored and 0 not in chosen:
            return tuple(i for i in range(n) if i not in chosen)
        return chosen

    keys, exact = _some(
        comb(n, k) // (2 if mirrored else 1) - 1,
        lambda: (c for c in combinations(range(n), k) if not mirrored or c[0] == 0),
        lambda: canonical(rng.choice(n, k, replace=False).tolist()),
        canonical(np.flatnonzero(in_group).tolist()),
        limit,
        rng,
    )
    example = {key: row for row, key in enumerate(zip(place["group"], place["time"], strict=True))}
    rows = []
    for key in keys:
        taken = np.arange(len(place))
        for number, donor in enumerate(donors):
            group = contrast.group if number in key else contrast.reference
            for row in donor:
                taken[row] = example[group, place["time"].iloc[row]]
        rows.append(taken)
    return Permutations(tuple(rows), exact, what)
