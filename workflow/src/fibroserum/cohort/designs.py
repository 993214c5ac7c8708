"""Designs with blocks: each sample's block, and the columns beside the blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import anndata as ad

BLOCK = "donor"
# columns whose means are in memory at once
COLUMNS = 256


def indicators(values: pd.Series, label: str, levels: list[str]) -> pd.DataFrame:
    """Return an indicator column `label[level]` for each level, float64."""
    found = values.to_numpy(dtype=object)[:, None] == np.array(levels, dtype=object)
    names = [f"{label}[{level}]" for level in levels]
    return pd.DataFrame(found.astype(float), values.index, names)


@dataclass(frozen=True, eq=False)
class Design:
    """A design matrix: one indicator column per block, then the dense columns.

    Attributes
    ----------
    dense : pandas.DataFrame
        Samples × k, float64: all columns that are not indicators of blocks.
    blocks : pandas.Series or None
        By sample, the block (its donor) as text. None: the design has no blocks.

    Examples
    --------
    >>> names = ["D1_pre", "D1_post", "D2_pre", "D2_post"]
    >>> after = pd.DataFrame({"after": [0.0, 1.0, 0.0, 1.0]}, index=names)
    >>> design = Design(after, pd.Series(["D1", "D1", "D2", "D2"], index=names))
    >>> list(design.matrix)
    ['donor[D1]', 'donor[D2]', 'after']
    >>> design.contrast([1.0])
    array([0., 0., 1.])
    """

    dense: pd.DataFrame
    blocks: pd.Series | None = None

    @property
    def samples(self) -> pd.Index:
        """Names of the samples, (n,)."""
        return self.dense.index

    @cached_property
    def labels(self) -> list[str]:
        """Names of the D blocks, sorted."""
        return [] if self.blocks is None else sorted(self.blocks.unique())

    @cached_property
    def codes(self) -> np.ndarray:
        """The block of each sample as a position in `labels`, (n,); -1 without blocks."""
        if self.blocks is None:
            return np.full(len(self.samples), -1)
        return np.asarray(pd.Categorical(self.blocks, self.labels).codes, dtype=np.int64)

    @cached_property
    def dense_values(self) -> np.ndarray:
        """The dense columns, (n, k)."""
        return self.dense.to_numpy(dtype=float)

    @property
    def n_columns(self) -> int:
        """Number of columns, D + k."""
        return len(self.labels) + self.dense.shape[1]

    @property
    def residual_df(self) -> int:
        """Samples minus columns."""
        return len(self.samples) - self.n_columns

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """The whole matrix, (n, D + k): columns `donor[…]`, then the dense ones."""
        if self.blocks is None:
            return self.dense
        return pd.concat([indicators(self.blocks, BLOCK, self.labels), self.dense], axis=1)

    def contrast(self, weights: ArrayLike) -> np.ndarray:
        """Return weights of the dense columns (k,) as a vector over all columns (D + k,)."""
        return np.concatenate([np.zeros(len(self.labels)), np.asarray(weights, dtype=float)])

    def dense_contrast(self, vector: np.ndarray) -> np.ndarray:
        """Return a vector over all columns (D + k,) as one over the dense columns (k,).

        Raises ValueError where it has another length, is all zero, or compares blocks.
        """
        weights = np.asarray(vector, dtype=float)
        if weights.shape != (self.n_columns,):
            raise ValueError(
                f"a contrast over {self.n_columns} columns was expected, not {weights.shape}"
            )
        if np.any(weights[: len(self.labels)] != 0):
            raise ValueError(
                "a contrast cannot compare donors, because their effects are eliminated"
            )
        if not np.any(weights):
            raise ValueError("the contrast is all zero")
        return weights[len(self.labels) :]

    def of(self, kept: np.ndarray) -> Design:
        """Return the design of some samples; kept: (n,) mask. Blocks without samples are gone."""
        blocks = None if self.blocks is None else self.blocks[kept]
        return Design(self.dense.loc[kept], blocks)

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Return values (n × columns) minus the mean of each block's samples, unweighted."""
        return centred_within(values, self.codes)


def centred_within(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return values (n × columns) minus the mean within each code; code -1: unchanged."""
    inside = codes >= 0
    own = codes[inside]
    counts = np.maximum(np.bincount(own), 1)[:, None]
    result = np.array(values, dtype=float)
    for start in range(0, values.shape[1], COLUMNS):
        part = result[:, start : start + COLUMNS]
        sums = np.zeros((len(counts), part.shape[1]))
        np.add.at(sums, own, part[inside])
        part[inside] -= (sums / counts)[own]
    return result


# in a fit's `obs`: the block of each sample; in its `obsm`: the other columns of the design
OF_SAMPLE, DENSE = "block", "design_dense"
# HDF5 takes `/` for a path: names of columns (groups) hold this in its place
SLASH = "\u2215"


def keep_design(fit: ad.AnnData, design: Design) -> None:
    """Put a design into a fit: a block per sample, and the dense columns."""
    if design.blocks is not None:
        fit.obs[OF_SAMPLE] = design.blocks
    fit.obsm[DENSE] = design.dense.rename(columns=lambda name: str(name).replace("/", SLASH))


def design_of(fit: ad.AnnData) -> Design:
    """Return the design of a fit, as `keep_design` put it there.

    Raises ValueError for the file of an older version, which holds another form of it.
    """
    if DENSE not in fit.obsm:
        raise ValueError("an older version made this fit. Run the pipeline again")
    dense = fit.obsm[DENSE].rename(columns=lambda name: str(name).replace(SLASH, "/"))
    return Design(dense, fit.obs.get(OF_SAMPLE))
