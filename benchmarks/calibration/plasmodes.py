"""Plasmodes: real paired counts in which nothing changes but what is thinned in.

Binomial thinning takes away the cohort's own mean change gene by gene; before and after are then
exchanged within donors at random; known effects are thinned in at last. Donors, noise and the
correlations of genes stay real.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from calibration.cohort import AFTER, BEFORE, Cohort, gene_names, thinned
from calibration.simulator import EFFECT

Name = Literal["muscle_ngt", "muscle_t2d", "muscle", "monocyte", "airway", "hypoxia"]
#: by cohort: folder, column of the donor, of the time with its levels before and after, groups
SOURCES: dict[str, tuple[str, str, str, tuple[str, str], dict[str, tuple[str, str]]]] = {
    "muscle_ngt": (
        "muscle_exercise_t2d",
        "donor",
        "time",
        ("basal", "rec"),
        {"AT": ("group", "NGT")},
    ),
    "muscle_t2d": (
        "muscle_exercise_t2d",
        "donor",
        "time",
        ("basal", "rec"),
        {"AT": ("group", "T2D")},
    ),
    "muscle": (
        "muscle_exercise_t2d",
        "donor",
        "time",
        ("basal", "rec"),
        {"AT": ("group", "NGT"), "RT": ("group", "T2D")},
    ),
    "monocyte": ("monocyte_mtb", "donor", "condition", ("Media", "Mtb"), {"AT": ("", "")}),
    "airway": ("airway", "donor", "dex", ("control", "treated"), {"AT": ("", "")}),
    "hypoxia": (
        "lung_fibroblast_hypoxia",
        "replicate",
        "oxygen",
        ("21%", "0.5%"),
        {"AT": ("treatment", "DMSO")},
    ),
}
SHARE, MEAN_COUNT = 0.05, 10.0


@dataclass(frozen=True)
class Pairs:
    """Real pairs of one group: counts before and after, donors × genes, in the same order."""

    group: str
    donors: list[str]
    before: np.ndarray
    after: np.ndarray

    @property
    def flips(self) -> int:
        """Number of distinct exchanges of before and after, up to the sign of all."""
        return int(2 ** (len(self.donors) - 1))


def data_folder() -> Path | None:
    """Return the folder of public cohorts, which FIBROSERUM_DATA names, or None."""
    named = os.environ.get("FIBROSERUM_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def available(name: str) -> bool:
    """Return whether a real cohort's counts are present."""
    folder = data_folder()
    return folder is not None and (folder / SOURCES[name][0] / "counts.tsv.gz").exists()


@cache
def read_pairs(name: str) -> tuple[Pairs, ...]:
    """Return the complete pairs of a real cohort, by group, over its well counted genes.

    Rows of one gene id are summed, fractional counts rounded. A gene is kept with a mean count of
    at least 10. Raises FileNotFoundError where FIBROSERUM_DATA has no such cohort.
    """
    directory, donor, time, (before, after), groups = SOURCES[name]
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError("FIBROSERUM_DATA names no folder")
    sheet = pd.read_csv(folder / directory / "samples.csv", index_col=0, dtype=str)
    table = pd.read_csv(folder / directory / "counts.tsv.gz", sep="\t", index_col=0)
    table = table[sheet.index].groupby(level=0).sum().round().astype(np.int64)
    counts = table.T
    kept = []
    for group, (column, level) in groups.items():
        own = sheet[sheet[column] == level] if column else sheet
        index = own[own[time].isin([before, after])].reset_index()
        wide = index.pivot_table(
            index=donor, columns=time, values=index.columns[0], aggfunc="first"
        ).dropna()
        kept.append((group, wide))
    used = [library for _, wide in kept for library in wide.to_numpy().ravel()]
    counts = counts.loc[:, counts.loc[used].mean() >= MEAN_COUNT]
    return tuple(
        Pairs(
            group,
            [f"{group}{who}" for who in wide.index],
            counts.loc[wide[before]].to_numpy(),
            counts.loc[wide[after]].to_numpy(),
        )
        for group, wide in kept
    )


def log_cpm(counts: np.ndarray) -> np.ndarray:
    """Return log2 counts per million of median-ratio size, 0.5 added (samples × genes)."""
    logs = np.log2(counts + 0.5)
    shift = np.median(logs - logs.mean(axis=0), axis=1)
    centred: np.ndarray = logs - shift[:, None]
    return centred


def without_change(pairs: Pairs, rng: np.random.Generator) -> Pairs:
    """Return the pairs with each gene's mean change thinned away, from the higher time."""
    logs = log_cpm(np.vstack([pairs.before, pairs.after]))
    number = len(pairs.donors)
    change = (logs[number:] - logs[:number]).mean(axis=0)
    return Pairs(
        pairs.group,
        pairs.donors,
        thinned(pairs.before, np.minimum(change, 0.0), rng),
        thinned(pairs.after, np.minimum(-change, 0.0), rng),
    )


def flipped(pairs: Pairs, which: np.ndarray) -> Pairs:
    """Return the pairs with before and after exchanged in some donors; which: (donors,) bool."""
    chosen = which[:, None]
    return Pairs(
        pairs.group,
        pairs.donors,
        np.where(chosen, pairs.after, pairs.before),
        np.where(chosen, pairs.before, pairs.after),
    )


def with_effects(pairs: Pairs, log2: np.ndarray, rng: np.random.Generator) -> Pairs:
    """Return the pairs with changes thinned in: down by thinning after, up by thinning before."""
    return Pairs(
        pairs.group,
        pairs.donors,
        thinned(pairs.before, np.minimum(-log2, 0.0), rng),
        thinned(pairs.after, np.minimum(log2, 0.0), rng),
    )


def plasmode(name: str, seed: int, *, null: bool = False, genes: int = 3000) -> Cohort:
    """Return a plasmode of a real cohort; nothing changes with `null`.

    genes: drawn at random of the well counted. Of two groups, 5 % of the genes change in both and
    5 % in the second; of one group 5 %.
    """
    rng = np.random.default_rng([41, seed])
    real = read_pairs(name)
    total = real[0].before.shape[1]
    kept = np.sort(rng.permutation(total)[:genes])
    index = gene_names(total)[kept]
    change = pd.DataFrame(0.0, index=index, columns=[pairs.group for pairs in real])
    if not null:
        order = rng.permutation(len(index))
        number = round(SHARE * len(index))
        shared, own = order[:number], order[number : 2 * number]
        change.iloc[shared] = _effects(number, rng)[:, None]
        if len(real) > 1:
            change.iloc[own, 1] = _effects(number, rng)
    counts, rows = [], []
    for pairs in real:
        part = Pairs(pairs.group, pairs.donors, pairs.before[:, kept], pairs.after[:, kept])
        part = flipped(without_change(part, rng), rng.random(len(part.donors)) < 0.5)
        part = with_effects(part, change[pairs.group].to_numpy(), rng)
        for time, values in ((BEFORE, part.before), (AFTER, part.after)):
            counts.append(values)
            rows += [(f"{donor}_{time}", donor, pairs.group, time) for donor in part.donors]
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "time"]).set_index("sample")
    frame = pd.DataFrame(np.vstack(counts), index=sheet.index, columns=index)
    return Cohort(frame, sheet, tuple(change.columns), change)


def _effects(number: int, rng: np.random.Generator) -> np.ndarray:
    drawn: np.ndarray = rng.uniform(*EFFECT, number) * rng.choice([-1.0, 1.0], number)
    return drawn


def _flips(pairs: Pairs, most: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield exchanges of before and after: all distinct ones where they are few, else some."""
    number = len(pairs.donors)
    if pairs.flips <= most:
        for code in range(pairs.flips):
            yield np.array([code >> place & 1 for place in range(number)], dtype=bool)
        return
    for _ in range(most):
        yield rng.random(number) < 0.5


@dataclass(frozen=True)
class Suitability:
    """Level of a plain paired t test at random labels: is a cohort fit for plasmodes?"""

    cohort: str
    group: str
    pairs: int
    flips: int
    level: float
    error: float

    @property
    def suited(self) -> bool:
        """Whether the level is not above 0.05 by more than two standard errors."""
        return self.level <= REFERENCE_LEVEL + 2 * self.error


REFERENCE_LEVEL = 0.05


def suitability(name: str, most: int = 100, seed: int = 0) -> list[Suitability]:
    """Return, by group, the share of genes with p < 0.05 in t tests on pair differences.

    Without effects, over at most `most` exchanges of labels; its error is between exchanges.
    """
    rng = np.random.default_rng([42, seed])
    found = []
    for pairs in read_pairs(name):
        number = len(pairs.donors)
        plain = without_change(pairs, rng)
        logs = log_cpm(np.vstack([plain.before, plain.after]))
        change = logs[number:] - logs[:number]
        limit = stats.t.ppf(0.975, number - 1)
        levels = []
        for which in _flips(pairs, most, rng):
            own = np.where(which[:, None], -change, change)
            t = own.mean(axis=0) / (own.std(axis=0, ddof=1) / np.sqrt(number))
            levels.append(float((np.abs(t) > limit).mean()))
        error = float(np.std(levels, ddof=1) / np.sqrt(len(levels)))
        found.append(
            Suitability(name, pairs.group, number, pairs.flips, float(np.mean(levels)), error)
        )
    return found
