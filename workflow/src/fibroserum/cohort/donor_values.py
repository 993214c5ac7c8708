"""One value per donor and contrast: what the linear model tests.

Donors are the units of a study. A change is a donor's after minus before; where donors are in
several groups, a difference is a donor's difference of changes, and an average a donor's mean
change. A test on such values allows each donor a response of its own, whatever the donor's samples
share (a donor's change in both periods of a crossover, a visit's state in both samples of a pair).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, identity

from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import EFFECTS, Model

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


def donor_values(model: Model, contrast: str) -> DonorValues:
    """Return the donor values of a model's contrast.

    A donor informs a contrast where it has every group that the contrast compares. Where no donor
    is in several groups, all donors are in one design, and all contrasts share it.
    """
    rows = model.design.dense_values
    to_cells, cells = _cells(model)
    several = cells["unit"].duplicated(keep=False).to_numpy()
    if not several.any():
        return _between_units(model, contrast, to_cells, cells)
    combined, units = _within_units(cells, model.weights[contrast])
    if len(units) < model.fewest:
        # a few blocks hold several groups: the others are compared, where each group has some
        alone = _between_units(model, contrast, to_cells[~several], cells[~several])
        groups = {group for group, weight in model.weights[contrast].items() if weight}
        if groups <= set(cells["group"][~several]):
            return alone
    matrix = (combined @ to_cells).tocsr()
    return DonorValues(matrix, *_one_column(model, contrast, matrix @ rows, units), None)


def _between_units(
    model: Model, contrast: str, to_cells: csr_matrix, cells: pd.DataFrame
) -> DonorValues:
    """Return the values of units that are in one group each, in one design."""
    columns = pd.DataFrame(
        to_cells @ model.design.dense_values, cells["unit"], model.design.dense.columns
    )
    used = columns.to_numpy().any(axis=0)
    vector = model.design.dense_contrast(model.contrasts[contrast])
    groups = pd.Series(cells["group"].to_numpy(), columns.index)
    return DonorValues(to_cells, Design(columns.loc[:, used]), vector[used], groups)


def _cells(model: Model) -> tuple[csr_matrix, pd.DataFrame]:
    """Return the mean of each unit's changes (levels, in a baseline model) in each group.

    A matrix cells × samples, and the cells' `unit` and `group`.
    """
    assert model.units is not None, "a model without units tests samples"
    assert model.groups is not None, "a model with units has groups"
    samples = pd.DataFrame(
        {"unit": model.units.to_numpy(), "group": model.groups.to_numpy()}, dtype=object
    )
    steps, place = (
        pair_changes(model) if model.name == "paired" else (None, np.arange(len(samples)))
    )
    own = samples.iloc[place].reset_index(drop=True)
    cells = own.drop_duplicates().sort_values(["group", "unit"], kind="stable")
    cell = pd.MultiIndex.from_frame(cells).get_indexer(pd.MultiIndex.from_frame(own))
    share = 1.0 / np.bincount(cell)[cell]
    means = csr_matrix((share, (cell, np.arange(len(own)))), (len(cells), len(own)))
    change = identity(len(samples), format="csr") if steps is None else steps
    return (means @ change).tocsr(), cells.reset_index(drop=True)


def pair_changes(model: Model) -> tuple[csr_matrix, np.ndarray]:
    """Return the changes of a paired model, pairs × samples, and each pair's after sample (row)."""
    after = model.design.dense.filter(regex=r"^after\[").to_numpy().any(axis=1)
    codes = model.design.codes
    order = np.lexsort((after, codes))
    before, later = order[::2], order[1::2]
    pair = np.arange(len(later))
    values = np.concatenate([np.ones(len(pair)), -np.ones(len(pair))])
    where = (np.concatenate([pair, pair]), np.concatenate([later, before]))
    return csr_matrix((values, where), (len(pair), len(codes))), later


def _within_units(cells: pd.DataFrame, weights: dict[str, float]) -> tuple[csr_matrix, list[str]]:
    """Return the contrast of the cells of each unit that has all of them, units × cells."""
    compared = {group: weight for group, weight in weights.items() if weight}
    own = cells[cells["group"].isin(list(compared))]
    sizes = own.groupby("unit").size()
    units = sorted(sizes.index[sizes == len(compared)])
    own = own[own["unit"].isin(units)]
    row = pd.Index(units).get_indexer(own["unit"])
    size = (len(units), len(cells))
    return csr_matrix((own["group"].map(compared).to_numpy(float), (row, own.index)), size), units


def _one_column(
    model: Model, contrast: str, rows: np.ndarray, units: list[str]
) -> tuple[Design, np.ndarray]:
    """Return the design of values within units: the contrast itself, and covariates.

    rows: (u, k), the dense columns' sums over each value's samples.
    """
    names = [str(name) for name in model.design.dense.columns]
    effect = np.array([name.startswith(EFFECTS) for name in names])
    vector = model.design.dense_contrast(model.contrasts[contrast])
    own = rows @ vector / (vector @ vector)
    dense = pd.DataFrame(rows[:, ~effect], units, list(np.array(names)[~effect]))
    dense = dense.loc[:, dense.to_numpy().any(axis=0)]
    dense.insert(0, CONTRAST, own)
    return Design(dense), np.eye(dense.shape[1])[0]
