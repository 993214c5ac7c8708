"""What a linear model asks of a design with blocks, and the order of its samples."""

from __future__ import annotations

import numpy as np

from fibroserum.cohort.designs import Design
from fibroserum.cohort.rank import aliased_columns


def check_design(design: Design) -> None:
    """Raise ValueError for a design that cannot be fitted.

    It holds numbers that are not finite, no column but its blocks', columns that depend on others,
    or leaves no residual degree of freedom.
    """
    if not np.isfinite(design.dense_values).all():
        raise ValueError("the design contains numbers that are not finite")
    if not design.dense.shape[1]:
        raise ValueError("the design contains only donors, so there is nothing to estimate")
    if aliased := aliased_columns(design):
        raise ValueError(f"the design is rank-deficient: {', '.join(aliased)}")
    if design.residual_df < 1:
        raise ValueError(
            f"{len(design.samples)} samples and {design.n_columns} model coefficients leave no "
            "residual degree of freedom"
        )


def canonical_order(design: Design) -> np.ndarray:
    """Return positions of the samples by block, then by dense columns, then by name.

    Whatever depends on the order of samples is done in this one, so that a permuted sheet gives
    the same answer.
    """
    names = [str(name) for name in design.samples]
    keys = [
        (block if block >= 0 else len(design.labels), tuple(row), name)
        for block, row, name in zip(
            design.codes.tolist(), design.dense_values.tolist(), names, strict=True
        )
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
