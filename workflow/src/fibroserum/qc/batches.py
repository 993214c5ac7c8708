"""Plates and batches: do donors that share a level of a column of the sheet change alike?

Calls assume independent donors. Where a plate or a batch has its own effect on the change, its
donors err together, and most calls can be false. The counts do not show which donors share a plate;
a column of the sheet may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import change_times, settings_of
from fibroserum.errors import listed
from fibroserum.input.sheet import DESIGN_KEYS, MISSING_LEVEL, obs_name
from fibroserum.qc.check import Check, not_assessed, ok, over_times, warning
from fibroserum.qc.identity import paired
from fibroserum.qc.kernels import means_within
from fibroserum.qc.metrics import LEAST_MEAN, mean_levels, normalized

#: Chance of a false alarm in a cohort, over all its columns together. It is five times that of the
#: other checks: a plate that is overlooked costs more than a column that is looked at in vain.
FALSE_ALARM = 0.05
PERMUTATIONS = 999
CHECK: Final = "shared batches"


@dataclass(frozen=True)
class Residuals:
    """Donors' changes less their groups' means: how alike they are.

    donors: names, sorted. strata: (n,) the groups that a donor is in, as a number. likeness: n × n
    correlations over genes.
    """

    donors: list[str]
    strata: np.ndarray
    likeness: np.ndarray


def residuals(cohort: ad.AnnData, pairs: pd.DataFrame) -> Residuals:
    """Return the donors' residual changes over the well-counted genes, all genes on one scale.

    pairs: as `paired` returns them. A donor with several pairs (in a crossover) has their mean;
    a group of one pair has no residual.
    """
    own = pairs[pairs.groupby("group")["donor"].transform("size") > 1]
    levels = normalized(cohort, np.flatnonzero(mean_levels(cohort) >= LEAST_MEAN))
    change = np.empty((len(own), levels.shape[1]))
    for row, pair in enumerate(own[["before", "after"]].to_numpy()):
        before, after = np.log2(levels[pair].astype(float) + 0.5)
        change[row] = after - before
    change -= change.mean(axis=1, keepdims=True)
    groups = own["group"].to_numpy()
    for group in sorted(set(groups)):
        change[groups == group] -= change[groups == group].mean(axis=0)
    donors, donor_of = np.unique(own["donor"].to_numpy(str), return_inverse=True)
    sums = np.zeros((len(donors), change.shape[1]))
    np.add.at(sums, donor_of, change)
    deviation = np.sqrt(np.square(sums).mean(axis=0)) if len(sums) else np.ones(0)
    rows = sums[:, deviation > 0] / deviation[deviation > 0]
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    together = own.groupby("donor")["group"].agg(tuple).loc[list(donors)] if len(own) else []
    strata = pd.factorize(pd.Series(together, dtype=object))[0]
    return Residuals([str(donor) for donor in donors], strata, rows @ rows.T)


@dataclass(frozen=True)
class Column:
    """A column of the sheet by donor.

    levels: the donor's value, "" where one is missing; where its samples have several, their
    combination, by group, the sample before first. varies: whether before and after always differ.
    """

    levels: pd.Series
    varies: pd.Series


def columns_by_donor(cohort: ad.AnnData, pairs: pd.DataFrame) -> dict[str, Column]:
    """Return the sheet's columns that neither the design nor a covariate takes."""
    noted = settings_of(cohort)
    modelled = {*DESIGN_KEYS, "used_for", "size_factor", *noted["covariates"], noted["block"]}
    found = {}
    for name in [column for column in cohort.obs.columns if column not in modelled]:
        values = cohort.obs[name].astype(str).str.strip().to_numpy()
        before, after = values[pairs["before"]], values[pairs["after"]]
        both = pd.Series(list(zip(before, after, strict=True)), index=pairs["donor"], dtype=object)
        varies = pd.Series(before != after, index=pairs["donor"])
        # as the sheet has it, where `obs_name` had to change it
        found[str(name).removeprefix("sheet.")] = Column(
            both.groupby(level=0).agg(lambda own: _combined(sum(own, ()))),
            varies.groupby(level=0).all(),
        )
    return found


def _combined(values: tuple[str, ...]) -> str:
    if any(value.lower() in MISSING_LEVEL for value in values):
        return ""
    return values[0] if len(set(values)) == 1 else " / ".join(values)


@dataclass(frozen=True)
class Alike:
    """A column whose levels can be tested: within them, how alike donors are.

    column: its name. codes: (n,) level of each donor, -1 where no other donor shares it. levels:
    their names. mean: correlation within levels; expected: its mean over permutations. pvalue:
    over all columns that were tested.
    """

    column: str
    codes: np.ndarray
    levels: list[str]
    mean: float
    expected: float
    pvalue: float


def shared_levels(levels: pd.Series) -> tuple[np.ndarray, list[str]] | None:
    """Return codes of the levels that two donors or more share, or None with fewer than two."""
    sizes = levels[levels != ""].value_counts()
    names = sorted(sizes.index[sizes > 1])
    if len(names) < 2:
        return None
    return pd.Categorical(levels, names).codes.astype(int), names


def alike_within(found: Residuals, columns: dict[str, Column]) -> list[Alike]:
    """Return the test of each column that can be tested, in their order.

    Donors are exchanged within their groups, alike for all columns; the statistic is the mean
    correlation of donors that share a level, over its permutation standard deviation. A column's p
    value is the share of permutations whose largest statistic of all columns is as large (Westfall
    & Young 1993).
    """
    tested = {
        name: shared
        for name, column in columns.items()
        if (shared := shared_levels(column.levels.reindex(found.donors, fill_value=""))) is not None
    }
    orders = _orders(found.strata)
    kept, statistics = [], []
    for name, (codes, names) in tested.items():
        members, means = np.argsort(codes, kind="stable"), np.empty(len(orders))
        starts = np.searchsorted(codes[members], np.arange(len(names) + 1))
        means_within(found.likeness, orders, members, starts, means)
        # levels that are the groups, or too few donors to exchange: nothing to compare with
        if len(np.unique(means.round(12))) * FALSE_ALARM < 1:
            continue
        kept.append((name, codes, names, means[0], means.mean()))
        statistics.append((means - means.mean()) / means.std())
    if not kept:
        return []
    largest = np.max(statistics, axis=0)
    return [
        Alike(*row, pvalue=float(np.mean(largest >= own[0] - 1e-9)))
        for row, own in zip(kept, statistics, strict=True)
    ]


def _orders(strata: np.ndarray) -> np.ndarray:
    """Return orders of the donors: their own, and random ones within strata."""
    rng = np.random.default_rng(20_170_807)
    orders = np.tile(np.arange(len(strata)), (PERMUTATIONS + 1, 1))
    for stratum in range(int(strata.max(initial=-1)) + 1):
        own = np.flatnonzero(strata == stratum)
        orders[1:, own] = rng.permuted(orders[1:, own], axis=1)
    return orders


def _shared(own: Alike, found: Residuals) -> Check:
    within = np.where(own.codes[:, None] == own.codes, found.likeness - own.expected, 0.0)
    np.fill_diagonal(within, 0.0)
    sums = [within[own.codes == code].sum() for code in range(len(own.levels))]
    worst = int(np.argmax(sums))
    donors = [found.donors[place] for place in np.flatnonzero(own.codes == worst)]
    return warning(
        CHECK,
        own.column,
        f"donors that share a level of '{own.column}' change alike, most in '{own.levels[worst]}' "
        f"({listed(donors, quote='')}). The mean correlation of their changes, after subtraction "
        f"of the group means, is {own.mean:.2f} within levels, and {own.expected:.2f} is expected "
        f"(p = {own.pvalue:.2g}). The models assume independent donors, so many calls may be "
        "false",
        f"If '{own.column}' is a plate, a batch or a day, write 'design.block: {own.column}' in "
        "the config. If it is a property of the donors, such as sex, check whether it explains "
        "the similar changes.",
    )


def _with_time(name: str, column: Column, groups: pd.Series) -> Check | None:
    """Return the warning on a column that changes with time, in all donors of a group alike."""
    levels = column.levels.groupby(groups).agg(["nunique", "size", "first"])
    varies = column.varies.groupby(groups).all()
    alike = levels[(levels["nunique"] == 1) & (levels["size"] > 1) & (levels["first"] != "")]
    concerned = alike.loc[varies[alike.index], "first"]
    if concerned.empty:
        return None
    values = ", ".join(f"'{value}' in {group}" for group, value in concerned.items())
    return warning(
        "batch and time",
        name,
        f"'{name}' is confounded with time: it has one value before and another after, the same in "
        f"all donors ({values}). If it is a plate, a run or a day, every change may be its effect, "
        "and no analysis can separate the two",
        f"If '{name}' is only another name of the time, ignore this warning. Otherwise process "
        "the samples of a donor together.",
    )


def _with_group(name: str, cohort: ad.AnnData) -> Check | None:
    """Return the warning on a column that tells a group from the reference.

    Such a group has one value in all its samples of a time, and so has the reference; the two
    differ at a time that both have. Groups of one donor are not assessed: any column would do.
    """
    noted, obs = settings_of(cohort), cohort.obs
    times, cells = obs["time"].astype(str), obs[obs_name(name)].astype(str).str.strip()
    alike: dict[str, dict[str, str]] = {}
    for group, own in cells.groupby(obs["group"].astype(str)):
        levels = [noted["before"], *change_times(noted)]
        values = {level: own[times[own.index] == level].unique() for level in levels}
        if obs.loc[own.index, "donor"].nunique() > 1 and max(map(len, values.values())) == 1:
            alike[str(group)] = {level: found[0] for level, found in values.items() if len(found)}
    known = {
        group: (alike[group], value)
        for group in noted["groups"]
        if (value := _combined(tuple(alike.get(group, {"": ""}).values())))
    }
    reference = noted["groups"][0]
    if reference not in known:
        return None
    start = known[reference][0]
    apart = [
        group
        for group, (own, _) in known.items()
        if any(own[level] != start[level] for level in own.keys() & start.keys())
    ]
    if not apart:
        return None
    compared = ", ".join(f"'{known[group][1]}' in {group}" for group in [reference, *apart])
    return warning(
        "batch and group",
        name,
        f"'{name}' is confounded with group: all donors of a group have the same value "
        f"({compared}). If it is a plate, a lot, a run or a centre, a difference between these "
        "groups, in change or at baseline, may be its effect, and no analysis can separate the "
        "two. Changes within a group are not affected",
        f"If '{name}' is only another name of the group, ignore this warning. Otherwise process "
        "donors of all groups together.",
    )


def batches(cohort: ad.AnnData) -> Iterator[Check]:
    """Look for columns of the sheet whose levels donors share, and whose donors change alike."""
    noted = settings_of(cohort)
    before = noted["before"]
    yield from over_times(
        {
            time: [*_batches_at(cohort, paired(cohort.obs, before, time))]
            for time in change_times(noted)
        }
    )


def _batches_at(cohort: ad.AnnData, pairs: pd.DataFrame) -> Iterator[Check]:
    columns = columns_by_donor(cohort, pairs)
    groups = pairs.groupby("donor")["group"].agg(" and ".join)
    for name, column in columns.items():
        for found in (_with_time(name, column, groups), _with_group(name, cohort)):
            if found is not None:
                yield found
    changes = residuals(cohort, pairs)
    tests = alike_within(changes, columns)
    alarms = [own for own in tests if own.pvalue <= FALSE_ALARM]
    yield from (_shared(own, changes) for own in alarms)
    if not tests:
        yield not_assessed(
            CHECK,
            "no column of the sheet (such as plate, batch or day) has values that enough donors "
            "share. Donors who were processed together may have correlated errors",
            "If you know the plate, batch or day of each sample, add it to the sample sheet as a "
            "column.",
        )
    elif not alarms:
        names = listed([own.column for own in tests])
        yield ok(CHECK, f"donors that share a level do not change more alike: {names}")
