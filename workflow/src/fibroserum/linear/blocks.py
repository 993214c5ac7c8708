"""The block structure of a design: donors as disjoint indicator columns, all others dense.

With the donors eliminated, the cost of a fit is linear in donors, where a dense one is cubic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

DONOR_PREFIX = "donor["


@dataclass(frozen=True)
class Blocks:
    """Donor blocks of a design with n samples, D donor columns and k dense columns.

    donors: (D,) positions of the donor columns. dense: (k,) positions of the others.
    of_sample: (n,) the donor of each sample as a position in `donors`, -1 for none.
    """

    donors: np.ndarray
    dense: np.ndarray
    of_sample: np.ndarray


def find_blocks(design: pd.DataFrame) -> Blocks:
    """Return the donor blocks of a design (samples x columns, donors named `donor[...]`).

    Raises ValueError where donor columns are no disjoint indicators, where the design is
    rank-deficient, and where it leaves no residual degree of freedom.
    """
    names = [str(name) for name in design.columns]
    is_donor = np.array([name.startswith(DONOR_PREFIX) for name in names], dtype=bool)
    matrix = design.to_numpy(dtype=float)
    if not np.isfinite(matrix).all():
        raise ValueError("the design holds numbers that are not finite")
    indicators = matrix[:, is_donor]
    if not np.isin(indicators, (0.0, 1.0)).all() or (indicators.sum(axis=1) > 1).any():
        raise ValueError("donor columns must be indicators, at most one of them set in a sample")
    donors, dense = np.flatnonzero(is_donor), np.flatnonzero(~is_donor)
    if dense.size == 0:
        raise ValueError("the design has no column but donors: there is nothing to estimate")
    of_sample = np.full(len(design), -1)
    rows, columns = np.nonzero(indicators)
    of_sample[rows] = columns
    blocks = Blocks(donors, dense, of_sample)
    centred = eliminate(matrix[:, dense], blocks)
    empty = (indicators.sum(axis=0) == 0).any()
    if empty or np.linalg.matrix_rank(centred) < dense.size:
        raise ValueError(f"the design is rank-deficient: {', '.join(names)}")
    if len(design) <= len(names):
        raise ValueError(
            f"{len(design)} samples and {len(names)} columns leave no residual degree of freedom"
        )
    return blocks


def eliminate(values: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Return values (samples x columns) less the mean of each donor's samples, unweighted."""
    inside = blocks.of_sample >= 0
    block = blocks.of_sample[inside]
    counts = np.bincount(block, minlength=len(blocks.donors))
    sums = np.zeros((len(blocks.donors), values.shape[1]))
    np.add.at(sums, block, values[inside])
    result = np.array(values, dtype=float)
    result[inside] -= (sums / np.maximum(counts, 1)[:, None])[block]
    return result


def canonical_order(design: pd.DataFrame, blocks: Blocks) -> np.ndarray:
    """Return positions of the samples by donor, then by dense columns, then by name.

    Whatever depends on the order of samples is done in this one, so that a permuted sheet gives
    the same answer.
    """
    dense = design.to_numpy(dtype=float)[:, blocks.dense]
    names = [str(name) for name in design.index]
    keys = [
        (block if block >= 0 else len(blocks.donors), tuple(row), name)
        for block, row, name in zip(blocks.of_sample.tolist(), dense.tolist(), names, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def dense_contrast(contrast: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Return a contrast over the design's columns as one over its dense columns.

    Raises ValueError where it is all zero, of the wrong length, or compares donors.
    """
    vector = np.asarray(contrast, dtype=float)
    columns = len(blocks.donors) + len(blocks.dense)
    if vector.shape != (columns,):
        raise ValueError(f"a contrast over {columns} columns was expected, not {vector.shape}")
    if np.any(vector[blocks.donors] != 0):
        raise ValueError("a contrast may not compare donors: they are eliminated")
    if not np.any(vector):
        raise ValueError("the contrast is all zero")
    return vector[blocks.dense]
