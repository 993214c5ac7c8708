"""One value per donor and contrast: what the linear model tests.

Donors are the units of a study. A change is a donor's after minus before, a contrast of several
times their weighted sum; where donors are in several groups, a difference is a donor's difference
of changes, and an average a donor's mean change. A test on such values allows each donor a response
of its own, whatever the donor's samples share (a donor's change in both periods of a crossover, a
visit's state in both samples of a pair).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from fibroserum.cohort.contrasts import Arm
from fibroserum.cohort.designs import Design, indicators
from fibroserum.cohort.models import EFFECTS, Model
from fibroserum.cohort.rank import aliased_columns

CONTRAST = "contrast"


@dataclass(frozen=True, eq=False)
class DonorValues:
    """How n samples become u values of a contrast, and the design of the values.

    Attributes
    ----------
    matrix : scipy.sparse.csr_matrix
        Values × samples, (u, n): a value is this weighted sum of its donor's samples.
    design : Design
        Of the values, without blocks. Its index names the donor of each value.
    vector : numpy.ndarray
        The contrast over the design's columns, (k,).
    groups : pandas.Series or None
        The group of each value; None where a value compares a donor's groups.
    """

    matrix: csr_matrix
    design: Design
    vector: np.ndarray
    groups: pd.Series | None

    @property
    def informing(self) -> int:
        """Number of donors (blocks) that the contrast compares."""
        compared = self.design.dense_values[:, self.vector != 0]
        return int(compared.any(axis=1).sum())

    def same_data(self, other: DonorValues) -> bool:
        """Return whether these are the other's values in the other's design: one fit serves both.

        Never where a value compares a donor's groups: its design is the contrast's own.
        """
        if self.groups is None or other.groups is None:
            return False
        return (
            self.groups.equals(other.groups)
            and self.design.dense.equals(other.design.dense)
            and (self.matrix != other.matrix).nnz == 0
        )


def donor_values(model: Model, contrast: str) -> DonorValues:
    """Return the donor values of a model's contrast.

    A donor informs a contrast where it has every time that its value needs, and every group that
    the contrast compares. Where no donor is in several groups, all groups whose values are of the
    same times are in one design, and the contrasts of these times share it.
    """
    profiles, scales = model.profiles[contrast], model.scales[contrast]
    to_cells, cells = _cells(model, _all_profiles(model, profiles))
    several = cells["unit"].duplicated(keep=False).to_numpy()
    if not several.any():
        return _between_units(model, contrast, to_cells, cells)
    combined, units = _within_units(cells, scales)
    if len(units) < model.fewest:
        # a few blocks hold several groups: the others are compared, where each group has some
        alone = _between_units(model, contrast, to_cells[~several], cells[~several])
        if set(scales) <= set(cells["group"][~several]):
            return alone
    matrix = (combined @ to_cells).tocsr()
    return DonorValues(matrix, *_one_column(model, contrast, matrix, units), None)


def _all_profiles(
    model: Model, profiles: Mapping[str, Mapping[str, float]]
) -> dict[str, Mapping[str, float]]:
    """Return the weights of the times in a donor's value, by group.

    Where all compared groups have the same, every group of the model has them: its donors help to
    estimate variances and the effects of covariates.
    """
    assert model.groups is not None, "a model with units has groups"
    first = next(iter(profiles.values()))
    if any(profile != first for profile in profiles.values()):
        return dict(profiles)
    return dict.fromkeys(sorted(set(model.groups)), first)


@dataclass(frozen=True, eq=False)
class DonorVectors:
    """How n samples become a vector of d values for each of u donors, and the vectors' design.

    matrices: d matrices donors × samples, (u, n). design: donors × columns, first an indicator of
    each group, in the order of their names, then covariates. groups: of each donor.
    """

    matrices: tuple[csr_matrix, ...]
    design: pd.DataFrame
    groups: pd.Series


def donor_vectors(model: Model, arms: Sequence[Arm], before: str) -> DonorVectors | None:
    """Return vectors of donors that are 0 on average where changes are equal.

    arms: each a group at a time after. With several times, a donor's changes less their mean over
    the times, in each group; with one time and donors in several groups, less the mean over the
    groups. Only donors that have all of these changes have a vector. Groups of too few donors for a
    covariance are left out; None where none is left.
    """
    groups = sorted({group for group, _ in arms})
    times = list(dict.fromkeys(time for _, time in arms))
    changes, cells = [], pd.DataFrame()
    for time in times:
        profile = {one: float(one == time) for one in times} | {before: -1.0}
        to_cells, cells = _cells(model, dict.fromkeys(groups, profile))
        changes.append(to_cells)
    # of each group (of all: none is named) the changes that are compared
    compared, own, fewest = [changes], cells["group"], 1
    if cells["unit"].duplicated().any():
        compared = []
        for group in groups:
            picked, units = _within_units(cells, {name: float(name == group) for name in groups})
            compared.append([picked @ change for change in changes])
            own, fewest = pd.Series("", index=range(len(units))), model.fewest
        if len(times) == 1:
            compared = [[change for (change,) in compared]]
    found = [
        (value - sum(values[1:], values[0]) / len(values)).tocsr()
        for values in compared
        for value in values[:-1]
    ]
    sizes = own.groupby(own).size()
    enough = own.isin(sizes.index[sizes > max(len(found), fewest - 1)]).to_numpy()
    if not enough.any():
        return None
    own = own[enough].reset_index(drop=True)
    matrices = tuple(one[enough] for one in found)
    dense = model.design.dense
    rest = dense.loc[:, ~dense.columns.str.startswith(EFFECTS)]
    covariates = [
        pd.DataFrame(one @ rest.to_numpy(float), columns=[f"{name}|{i}" for name in rest])
        for i, one in enumerate(matrices)
    ]
    columns = pd.concat([indicators(own, "value", sorted(set(own))), *covariates], axis=1)
    columns = columns.drop(columns=aliased_columns(Design(columns)))
    return DonorVectors(matrices, columns, own) if len(own) > columns.shape[1] else None


def _between_units(
    model: Model, contrast: str, to_cells: csr_matrix, cells: pd.DataFrame
) -> DonorValues:
    """Return the values of units that are in one group each, in one design."""
    columns = pd.DataFrame(
        to_cells @ model.design.dense_values, cells["unit"], model.design.dense.columns
    )
    groups = pd.Series(cells["group"].to_numpy(), columns.index)
    vector = model.design.dense_contrast(model.contrasts[contrast])
    effects = columns.columns.str.startswith(EFFECTS)
    if (columns.loc[:, effects].to_numpy() != 0).sum(axis=1).max(initial=0) > 1:
        # a value of several times: its mean in each group is one effect
        rest = columns.loc[:, ~effects]
        own = indicators(groups, "value", sorted(set(groups)))
        columns = pd.concat([own, rest], axis=1)
        scales = model.scales[contrast]
        vector = np.array([scales.get(group, 0.0) for group in sorted(set(groups))])
        vector = np.concatenate([vector, np.zeros(rest.shape[1])])
    used = columns.to_numpy().any(axis=0)
    return DonorValues(to_cells, Design(columns.loc[:, used]), vector[used], groups)


def _cells(
    model: Model, profiles: Mapping[str, Mapping[str, float]]
) -> tuple[csr_matrix, pd.DataFrame]:
    """Return the mean of each unit's values in each group: a matrix cells × samples.

    Also the cells' `unit` and `group`. profiles: by group, the weight of each time in a value.
    """
    assert model.units is not None, "a model without units tests samples"
    assert model.groups is not None
    assert model.times is not None
    values, place = _values(model, profiles)
    group, groups = pd.factorize(model.groups.to_numpy()[place], sort=True)
    unit, units = pd.factorize(model.units.to_numpy()[place], sort=True)
    found, cell = np.unique(group * len(units) + unit, return_inverse=True)
    cells = pd.DataFrame(
        {"unit": units[found % len(units)], "group": groups[found // len(units)]}, dtype=object
    )
    share = 1.0 / np.bincount(cell)[cell]
    means = csr_matrix((share, (cell, np.arange(len(cell)))), (len(cells), len(cell)))
    return (means @ values).tocsr(), cells


def _values(
    model: Model, profiles: Mapping[str, Mapping[str, float]]
) -> tuple[csr_matrix, np.ndarray]:
    """Return the values of blocks (in a baseline model of samples), values × samples.

    And of each value one of its samples (row). Blocks that lack a time have none.
    """
    assert model.groups is not None
    assert model.times is not None
    groups, times = model.groups.to_numpy(), model.times.to_numpy()
    codes = model.design.codes
    blocks = np.arange(len(codes)) if model.name == "baseline" else codes
    parts: list[tuple[np.ndarray, np.ndarray, float]] = []
    last: list[np.ndarray] = []
    count = 0
    for group, profile in profiles.items():
        rows = {t: np.flatnonzero((groups == group) & (times == t)) for t in profile}
        complete = _in_all([blocks[own] for own in rows.values()])
        for time, own in rows.items():
            kept = own[np.isin(blocks[own], complete)]
            kept = kept[np.argsort(blocks[kept], kind="stable")]
            parts.append((count + np.arange(len(kept)), kept, profile[time]))
        last.append(kept)
        count += len(complete)
    row = np.concatenate([where for where, _, _ in parts])
    column = np.concatenate([kept for _, kept, _ in parts])
    weight = np.concatenate([np.full(len(kept), size) for _, kept, size in parts])
    return csr_matrix((weight, (row, column)), (count, len(codes))), np.concatenate(last)


def _in_all(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the values that every part has, sorted."""
    found = parts[0]
    for part in parts[1:]:
        found = np.intersect1d(found, part)
    return np.unique(found)


def pair_changes(model: Model) -> Iterator[tuple[Arm, csr_matrix]]:
    """Yield the pairs of each group at each time after, pairs × samples: after minus before.

    In the order of the groups' names.
    """
    assert model.groups is not None
    assert model.times is not None
    after = model.design.dense.filter(regex=r"^after\[").to_numpy().any(axis=1)
    (before,) = set(model.times[~after])
    for group, time in sorted(set(zip(model.groups[after], model.times[after], strict=True))):
        values, _ = _values(model, {group: {time: 1.0, before: -1.0}})
        yield (group, time), values


def _within_units(cells: pd.DataFrame, scales: Mapping[str, float]) -> tuple[csr_matrix, list[str]]:
    """Return the contrast of the cells of each unit that has all of them, units × cells."""
    own = cells[cells["group"].isin(list(scales))]
    sizes = own.groupby("unit").size()
    units = sorted(sizes.index[sizes == len(scales)])
    own = own[own["unit"].isin(units)]
    row = pd.Index(units).get_indexer(own["unit"])
    size = (len(units), len(cells))
    return csr_matrix((own["group"].map(scales).to_numpy(float), (row, own.index)), size), units


def _one_column(
    model: Model, contrast: str, matrix: csr_matrix, units: list[str]
) -> tuple[Design, np.ndarray]:
    """Return the design of values within units: the contrast itself, and covariates.

    matrix: (u, n), as `DonorValues` has it.
    """
    rows = matrix @ model.design.dense_values
    names = [str(name) for name in model.design.dense.columns]
    effect = np.array([name.startswith(EFFECTS) for name in names])
    vector = model.design.dense_contrast(model.contrasts[contrast])
    own = rows @ vector / (vector @ vector)
    dense = pd.DataFrame(rows[:, ~effect], units, list(np.array(names)[~effect]))
    dense = dense.loc[:, dense.to_numpy().any(axis=0)]
    dense.insert(0, CONTRAST, own)
    return Design(dense), np.eye(dense.shape[1])[0]
