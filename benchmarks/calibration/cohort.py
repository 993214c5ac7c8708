"""A cohort with known truth, as every source returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast, contrasts_of

BEFORE, AFTER = "pre", "post"
REFERENCE = "AT"


@dataclass(frozen=True)
class Cohort:
    """Counts and what is true of them.

    counts: samples × genes, whole numbers. sheet: by sample, donor, group, time (`pre`, `post`),
    and further columns. groups: reference first. change: genes × groups, true log2 change.
    covariates: columns of the sheet that the design declares. sets: gene sets of which no gene
    changes, by name. classes: by name, the genes of a class whose rates are given separately.
    """

    counts: pd.DataFrame
    sheet: pd.DataFrame
    groups: tuple[str, ...]
    change: pd.DataFrame
    covariates: tuple[str, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def contrasts(self) -> list[Contrast]:
        """Contrasts of the paired model."""
        found = contrasts_of(self.groups, BEFORE, AFTER)
        return [contrast for contrast in found if contrast.model == "paired"]

    @property
    def crossover(self) -> bool:
        """Whether a donor is in several groups."""
        return bool((self.sheet.groupby("donor")["group"].nunique() > 1).any())

    def truth(self, contrast: Contrast) -> pd.Series:
        """Return the true log2 fold change of every gene in a contrast."""
        if contrast.kind == "change":
            return self.change[contrast.group]
        if contrast.kind == "difference":
            return self.change[contrast.group] - self.change[contrast.reference]
        return self.change.mean(axis=1)


def kind_of(contrast: Contrast, groups: tuple[str, ...]) -> str:
    """Return the short name of a contrast in the results: a group, `difference` or `average`."""
    if contrast.kind == "change":
        return str(contrast.group)
    if contrast.kind == "difference" and len(groups) > 2:
        return f"difference {contrast.group}"
    return contrast.kind


def gene_names(number: int) -> pd.Index:
    """Return names of genes in ascending order, g00000 onwards."""
    return pd.Index([f"g{place:05d}" for place in range(number)], name="gene_id")


def thinned(counts: np.ndarray, log2: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return counts of which each read is kept with probability 2^log2 (log2 ≤ 0).

    Binomial thinning: a count that varied as before, at a lower mean (Gerard 2020, BMC
    Bioinformatics 21:206). counts, log2: arrays of one shape, or such that they broadcast.
    """
    if np.any(log2 > 0):
        raise ValueError("thinning lowers counts: log2 must not be positive")
    return rng.binomial(counts, np.broadcast_to(np.exp2(log2), counts.shape))
