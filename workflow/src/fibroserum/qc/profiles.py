"""What is a sample's own: its expression beyond the mean of its group and time."""

from __future__ import annotations

from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.qc.metrics import LEAST_MEAN, mean_levels, normalized

#: Genes in a profile: those whose variance goes furthest beyond counting noise.
GENES = 2000
#: Fewer samples of a group and time leave nothing that is a sample's own.
FEWEST = 3


@dataclass(frozen=True)
class Profiles:
    """Samples that have a profile.

    obs: donor, group, time, used_for of these samples. rows: samples × genes, each row with mean
    0 and length 1, so that products are correlations. log2: log2 normalized counts of all
    well-counted genes, samples × genes.
    """

    obs: pd.DataFrame
    rows: np.ndarray
    log2: np.ndarray

    def correlations(self) -> np.ndarray:
        """Return the correlations between the samples' profiles, samples × samples."""
        return self.rows @ self.rows.T


def _unit_rows(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)


def without_cell_means(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return rows less the mean row of their cell (cells: integers from 0)."""
    own = values.copy()
    for cell in range(int(cells.max(initial=-1)) + 1):
        rows = np.flatnonzero(cells == cell)
        own[rows] -= values[rows].mean(axis=0, dtype=float).astype(values.dtype)
    return own


def sample_profiles(cohort: ad.AnnData, genes: int = GENES) -> Profiles:
    """Return the profiles of a cohort's samples (samples × genes).

    Of log2 normalized counts the mean of each group at each time is taken out, with it what the
    groups and the times have in common; what is left is the donor's own, the sample's own and
    noise. Genes whose variance goes furthest beyond counting noise are kept and put on one scale.
    Samples of a group and time with fewer than three have no profile.
    """
    obs = cohort.obs[["donor", "group", "time", "used_for"]].astype(str)
    size = obs.groupby(["group", "time"])["donor"].transform("size")
    kept = (size >= FEWEST).to_numpy()
    obs = obs[kept]
    counted = np.flatnonzero(mean_levels(cohort) >= LEAST_MEAN)
    # single precision: two thousand samples of twenty thousand genes
    log2 = normalized(cohort[kept], counted)
    if not log2.size:
        return Profiles(obs, np.zeros((len(obs), 0)), log2)
    log2 += np.float32(0.5)
    np.log2(log2, out=log2)
    cells = obs.groupby(["group", "time"], sort=True).ngroup().to_numpy()
    own = without_cell_means(log2, cells)
    spare = max(1, len(obs) - int(cells.max()) - 1)
    variance = np.zeros(own.shape[1])
    for row in own:
        variance += np.square(row)
    variance /= spare
    mean = np.asarray(cohort.X).mean(axis=0)[counted]
    # counting noise of log2 counts at the mean count
    noise = 1 / ((mean + 0.5) * np.log(2) ** 2)
    best = np.sort(np.argsort(-variance / noise, kind="stable")[:genes])
    best = best[variance[best] > 0]
    return Profiles(obs, _unit_rows(own[:, best] / np.sqrt(variance[best])), log2)
