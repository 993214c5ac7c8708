"""The small cohort as single cells in an .h5ad: every count of a sample shared among its cells."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

from helpers.small_cohort import SmallCohort, good

CELLS = 30


def cells_cohort(few: dict[str, int] | None = None, spoil: float = 0) -> SmallCohort:
    """Return the small cohort with its counts in `cells.h5ad`, cells of all samples mixed.

    few: samples with fewer cells than others. spoil: is added to the last cell's last value.
    """
    cohort = good()
    table = cohort.tables.pop("counts.tsv")
    cohort.config |= {"counts": ["cells.h5ad"], "cells": {"sample": "library", "min_cells": 10}}
    genes = [row[0] for row in table.rows[1:]]
    counts = np.array([row[1:] for row in table.rows[1:]], dtype=int).T
    cohort.late.append(
        lambda folder: write_cells(folder, table.header[1:], genes, counts, few or {}, spoil)
    )
    return cohort


def write_cells(
    folder: Path,
    samples: list[str],
    genes: list[str],
    counts: np.ndarray,
    few: dict[str, int],
    spoil: float,
) -> None:
    """Write the cells of samples × genes; a few of them have no sample, and no counts."""
    rng = np.random.default_rng(7)
    parts, labels = [np.zeros((3, len(genes)), dtype=int)], [""] * 3
    for sample, row in zip(samples, counts, strict=True):
        number = few.get(sample, CELLS)
        share = np.full(number, 1 / number)
        parts.append(np.column_stack([rng.multinomial(count, share) for count in row]))
        labels += [sample] * number
    order = rng.permutation(len(labels))
    values = np.vstack(parts)[order].astype(np.float32)
    values[-1, -1] += spoil
    obs = pd.DataFrame({"library": [labels[n] for n in order], "depth": values.sum(axis=1)})
    obs.index = [f"C{n}" for n in order]
    x = sparse.csr_matrix(values)
    ad.AnnData(x, obs, pd.DataFrame(index=genes)).write_h5ad(folder / "cells.h5ad")
