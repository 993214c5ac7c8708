"""An independent simulator of the designs: three groups, three times, dose, outcome, serum panel.

It shares nothing with `fibroserum.simulate`, and draws from no model that the pipeline fits: donors
respond by heavy-tailed factors that many genes share, later samples of a donor share its response,
depth grows with time, own changes may be skewed and may vary unequally between groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from calibration.cohort import BEFORE, gene_names

GROUPS, TRAINED, TIMES = ("control", "AT", "RT"), ("AT", "RT"), ("week8", "week16")
SESSIONS = (24, 48)
OWN = "exercise_vs_control_change"
TARGETS, MOLECULES, LIMIT = 12, 30, 10.0
#: least expected count of targets at usual depth
TARGET_COUNT = 100.0
#: own changes: degrees of freedom of t, correlation between a donor's times, and between molecules
TAILS, REPEAT, COMMON = 4, 0.6, 0.4
MODULES, MODULE_SHARE = 6, 0.15
#: by molecule and group, the change of log2 level at both times
COURSES = {
    "m00": {"RT": (-0.3, -0.6)},
    "m01": {"RT": (-0.3, -0.6)},
    "m03": {"AT": (-0.4, -0.4)},
    "m04": {"control": (0.4, 0.4), "AT": (0.4, 0.4), "RT": (0.4, 0.4)},
}
#: by target and molecule, log2 expression per doubling
FOLLOW = {0: {"m00": -0.8, "m02": 0.7}, 1: {"m00": -1.2}, 2: {"m02": 1.0}}
#: by target, log2 expression per mm
WITH_OUTCOME = {0: 3.5, 3: 5.0}
MOSTLY_BELOW = "m05"


@dataclass(frozen=True)
class DesignDials:
    """What a cohort is like; standard deviations in log2 unless said.

    donors: of each group. missing: share of the later samples that are not there. spread: by group,
    by how much the own changes of its donors (genes, molecules, outcome) are larger. skewed: own
    changes of the outcome are centred exponentials. strong: by how much more than others the first
    donor of each group responds. response, visit: sd of a donor's own change in a gene that its
    later samples share, and do not share. module: sd of the factors that genes share. depth_sd: of
    library sizes (natural log); deeper: how much deeper each time is than the one before.
    null: nothing changes and nothing goes with anything.
    """

    donors: int
    genes: int = 1200
    missing: float = 0.06
    spread: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(GROUPS, 1.0))
    skewed: bool = False
    strong: float = 1.0
    median_count: float = 150.0
    level_sd: float = 1.3
    dispersion: float = 0.03
    scatter: float = 0.4
    donor_sd: float = 0.4
    response: float = 0.15
    visit: float = 0.1
    module: float = 0.25
    depth_sd: float = 0.3
    deeper: float = 1.2
    outcome_sd: float = 0.07
    molecule_sd: float = 0.35
    null: bool = False


@dataclass(frozen=True)
class DesignCohort:
    """A cohort and its truth.

    counts: samples × genes. sheet: sample, donor, group, timepoint, sessions, thickness_mm. panel:
    sample, then a column a molecule. genes: by gene, the true log2 fold change of each contrast,
    `{group}_dose_slope`, `outcome_slope`, `outcome_before_slope`; groups start alike. molecules: by
    molecule, the true change in each contrast, `{target}_slope`.
    """

    counts: pd.DataFrame
    sheet: pd.DataFrame
    panel: pd.DataFrame
    genes: pd.DataFrame
    molecules: pd.DataFrame


def contrasts() -> dict[str, dict[str, float]]:
    """Return each contrast of changes: its weight of each `group@time`."""
    found: dict[str, dict[str, float]] = {}
    for time in TIMES:
        found |= {f"{group}_{time}_vs_{BEFORE}": {f"{group}@{time}": 1.0} for group in GROUPS}
        for other, group in combinations(GROUPS, 2):
            weights = {f"{group}@{time}": 1.0, f"{other}@{time}": -1.0}
            found[f"{group}_vs_{other}_change_{time}"] = weights
        found[f"average_{time}_vs_{BEFORE}"] = {f"{group}@{time}": 0.5 for group in TRAINED}
    found[OWN] = {"AT@week16": 0.5, "RT@week16": 0.5, "control@week16": -1}
    return found


def simulate_designs(dials: DesignDials, seed: int) -> DesignCohort:
    """Draw a cohort; the same dials and seed give the same cohort."""
    rng = np.random.default_rng([20261117, seed])
    sheet = _sheet(dials, rng)
    genes = gene_names(dials.genes)
    level = np.log2(dials.median_count) + rng.normal(0, dials.level_sd, len(genes)) / np.log(2)
    level[:TARGETS] = np.log2(TARGET_COUNT * rng.uniform(1, 30, TARGETS))
    effects = _effects(dials, genes, rng)
    spread = sheet["group"].map(dials.spread).to_numpy(float)
    sessions = _sessions(sheet, rng)
    mean = _mean_levels(sheet, dials)
    levels = mean + _own_levels(sheet, spread, dials, rng)
    start = rng.normal(0, 0.5, (sheet["donor"].nunique(), MOLECULES))[_codes(sheet)]
    own, repeated = _own_outcome(sheet, spread, dials, rng)
    drivers = _drivers(sheet, sessions, levels + start, own, repeated)
    respond = np.where(sheet["number"].eq(0), dials.strong, 1.0)
    courses = [f"{group}@{time}" for group in GROUPS for time in TIMES]
    drivers[courses] = drivers[courses].mul(respond, axis=0)
    log2 = level + drivers.to_numpy() @ effects.to_numpy().T
    log2 += _responses(sheet, spread, dials, rng)
    place = _place(sheet)
    depth = rng.normal(0, dials.depth_sd, len(sheet)) / np.log(2) + place * np.log2(dials.deeper)
    counts = _counts(level, log2 + depth[:, None], dials, rng)
    outcome = _thickness(sheet, own, dials, rng)
    panel = np.exp2(_medians() + start + levels + rng.normal(0, 0.08, levels.shape))
    names = [f"m{number:02d}" for number in range(MOLECULES)]
    index = pd.Index(sheet["sample"])
    return DesignCohort(
        counts=pd.DataFrame(counts, index=index, columns=genes),
        sheet=sheet.drop(columns="number").assign(sessions=sessions, thickness_mm=outcome),
        panel=pd.DataFrame(panel.round(2), index=index, columns=names).reset_index(),
        genes=_genes_truth(effects, dials),
        molecules=_molecules_truth(names, genes, dials),
    )


def _sheet(dials: DesignDials, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        (f"{group}{number:02d}_{time}", f"{group}{number:02d}", group, time, number)
        for group in GROUPS
        for number in range(dials.donors)
        for time in (BEFORE, *TIMES)
        if time == BEFORE or rng.random() >= dials.missing
    ]
    return pd.DataFrame(rows, columns=["sample", "donor", "group", "timepoint", "number"])


def _codes(sheet: pd.DataFrame) -> np.ndarray:
    codes: np.ndarray = pd.factorize(sheet["donor"])[0]
    return codes


def _place(sheet: pd.DataFrame) -> np.ndarray:
    return pd.Index((BEFORE, *TIMES)).get_indexer(sheet["timepoint"])


def _effects(dials: DesignDials, genes: pd.Index, rng: np.random.Generator) -> pd.DataFrame:
    """Return the effect of each driver on each gene; no target is in a block drawn at random."""
    courses = [f"{group}@{time}" for group in GROUPS for time in TIMES]
    others = ["m00", "m02", "dose[AT]", "dose[RT]", "outcome", "before"]
    found = pd.DataFrame(0.0, index=genes, columns=[*courses, *others])
    if dials.null:
        return found
    free = iter(rng.permutation(np.arange(TARGETS, len(genes))))

    def plant(share: float, low: float, high: float, drivers: Iterator[str] | list[str]) -> None:
        chosen = [next(free) for _ in range(round(share * len(genes)))]
        size = rng.uniform(low, high, len(chosen)) * rng.choice([-1.0, 1.0], len(chosen))
        for driver in drivers:
            found.iloc[chosen, found.columns.get_loc(driver)] = size

    plant(0.05, 0.4, 1.0, [c for c in courses if not c.startswith("control")])
    plant(0.05, 0.4, 1.0, courses)
    for group in TRAINED:
        plant(0.03, 0.4, 1.0, [c for c in courses if c.startswith(group)])
    plant(0.04, 0.4, 1.0, ["AT@week8", "RT@week8"])
    plant(0.03, 0.03, 0.06, ["dose[AT]", "dose[RT]"])
    plant(0.02, 0.03, 0.06, ["dose[RT]"])
    plant(0.03, 0.6, 1.2, ["m00"])
    plant(0.02, 0.6, 1.2, ["m02"])
    plant(0.04, 4.0, 7.0, ["outcome"])
    plant(0.03, 4.0, 7.0, ["before"])
    for target, slopes in FOLLOW.items():
        for molecule, slope in slopes.items():
            found.iloc[target, found.columns.get_loc(molecule)] = slope
    for target, slope in WITH_OUTCOME.items():
        found.iloc[target, found.columns.get_loc("outcome")] = slope
    found.loc[genes[4], [c for c in courses if not c.startswith("control")]] = 0.4
    return found


def _own(sheet: pd.DataFrame, drawn: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return own changes of variance 1 after, 0 before, and what a donor's times share of them.

    drawn: a function of a number of rows that gives independent values of variance 1.
    """
    of_donor = np.sqrt(REPEAT) * drawn(sheet["donor"].nunique())[_codes(sheet)]
    of_sample = np.sqrt(1 - REPEAT) * drawn(len(sheet))
    return (_place(sheet) > 0)[:, None] * (of_donor + of_sample), of_donor


def _sessions(sheet: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    share = rng.beta(2, 1.5, sheet["donor"].nunique())[_codes(sheet)]
    first = rng.binomial(SESSIONS[0], share)
    both = pd.Series(first).groupby(_codes(sheet)).transform("first").to_numpy()
    second = rng.binomial(SESSIONS[1] - SESSIONS[0], share)
    so_far = np.where(_place(sheet) == 2, both + second, both)
    return np.where(sheet["group"].isin(TRAINED) & (_place(sheet) > 0), so_far, 0)


def _mean_sessions(place: int) -> float:
    return SESSIONS[place] * 2 / 3.5


def _medians() -> np.ndarray:
    """Return the log2 medians of the molecules: one of them mostly below the limit."""
    medians = np.log2(np.linspace(100, 5000, MOLECULES))
    medians[int(MOSTLY_BELOW[1:])] = np.log2(0.7 * LIMIT)
    return medians


def _course(molecule: str, group: str, dials: DesignDials) -> tuple[float, float]:
    return (0.0, 0.0) if dials.null else COURSES.get(molecule, {}).get(group, (0.0, 0.0))


def _mean_levels(sheet: pd.DataFrame, dials: DesignDials) -> np.ndarray:
    return np.array(
        [
            [(0.0, *_course(f"m{m:02d}", group, dials))[place] for m in range(MOLECULES)]
            for group, place in zip(sheet["group"], _place(sheet), strict=True)
        ]
    )


def _own_levels(
    sheet: pd.DataFrame, spread: np.ndarray, dials: DesignDials, rng: np.random.Generator
) -> np.ndarray:
    """Return own changes of log2 levels: heavy-tailed; from the eleventh on they correlate."""

    def drawn(rows: int) -> np.ndarray:
        values = rng.standard_t(TAILS, (rows, MOLECULES)) / np.sqrt(TAILS / (TAILS - 2))
        common = rng.standard_normal((rows, 1))
        values[:, 10:] = np.sqrt(1 - COMMON) * values[:, 10:] + np.sqrt(COMMON) * common
        return values

    own, _ = _own(sheet, drawn)
    found: np.ndarray = dials.molecule_sd * spread[:, None] * own
    return found


def _own_outcome(
    sheet: pd.DataFrame, spread: np.ndarray, dials: DesignDials, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return own changes of the outcome, and what a donor's times share of them, in mm."""

    def drawn(rows: int) -> np.ndarray:
        shape = (rows, 1)
        return rng.exponential(1, shape) - 1 if dials.skewed else rng.standard_normal(shape)

    own, repeated = _own(sheet, drawn)
    scale = dials.outcome_sd * spread
    return scale * own[:, 0], scale * repeated[:, 0]


def _drivers(
    sheet: pd.DataFrame,
    sessions: np.ndarray,
    levels: np.ndarray,
    own: np.ndarray,
    repeated: np.ndarray,
) -> pd.DataFrame:
    """Return the value of each driver in each sample, in the order of `_effects`' columns."""
    group, time = sheet["group"], sheet["timepoint"]
    values = {f"{g}@{t}": (group.eq(g) & time.eq(t)).astype(float) for g in GROUPS for t in TIMES}
    values |= {"m00": pd.Series(levels[:, 0]), "m02": pd.Series(levels[:, 2])}
    values |= {f"dose[{g}]": sessions * group.eq(g) for g in TRAINED}
    values |= {"outcome": pd.Series(own), "before": pd.Series(repeated)}
    return pd.DataFrame(values)


def _responses(
    sheet: pd.DataFrame, spread: np.ndarray, dials: DesignDials, rng: np.random.Generator
) -> np.ndarray:
    """Return donors' levels and responses (samples × genes), which are larger in some groups."""
    donors, codes = sheet["donor"].nunique(), _codes(sheet)
    later = (_place(sheet) > 0)[:, None] * spread[:, None]
    uneven = rng.lognormal(0, 0.3, dials.genes)
    own = dials.response * rng.normal(0, 1, (donors, dials.genes))[codes]
    own += dials.visit * rng.normal(0, 1, (len(sheet), dials.genes))
    inside = rng.random((MODULES, dials.genes)) < MODULE_SHARE
    loading = dials.module * inside * rng.choice([-1.0, 1.0], (MODULES, dials.genes))

    def drawn(rows: int) -> np.ndarray:
        return rng.standard_t(TAILS, (rows, MODULES)) / np.sqrt(TAILS / (TAILS - 2))

    factors, _ = _own(sheet, drawn)
    level = rng.normal(0, dials.donor_sd, (donors, dials.genes))[codes]
    found: np.ndarray = level + later * (uneven * own + factors @ loading)
    return found


def _counts(
    level: np.ndarray, log2: np.ndarray, dials: DesignDials, rng: np.random.Generator
) -> np.ndarray:
    dispersion = (dials.dispersion + np.exp2(-level)) * rng.lognormal(0, dials.scatter, len(level))
    rate = np.exp2(log2) * rng.gamma(1 / dispersion, dispersion, log2.shape)
    return rng.poisson(rate).astype(np.int64)


def _thickness(
    sheet: pd.DataFrame, own: np.ndarray, dials: DesignDials, rng: np.random.Generator
) -> np.ndarray:
    start = rng.normal(1.4, 0.2, sheet["donor"].nunique())[_codes(sheet)]
    mean = 0.0 if dials.null else 0.05 * _place(sheet) * sheet["group"].eq("RT").to_numpy()
    measured: np.ndarray = (start + mean + own + rng.normal(0, 0.01, len(sheet))).round(3)
    return measured


def _sums(changes: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    """Return the truth of each contrast from that of each `group@time`."""
    return {
        name: sum(weight * changes[at] for at, weight in weights.items()).round(9)
        for name, weights in contrasts().items()
    }


def _genes_truth(effects: pd.DataFrame, dials: DesignDials) -> pd.DataFrame:
    changes = {}
    for group in GROUPS:
        for place, time in enumerate(TIMES):
            change = effects[f"{group}@{time}"] * (1 + (dials.strong - 1) / dials.donors)
            for molecule in ("m00", "m02"):
                change = change + effects[molecule] * _course(molecule, group, dials)[place]
            if group in TRAINED:
                change = change + effects[f"dose[{group}]"] * _mean_sessions(place)
            changes[f"{group}@{time}"] = change
    slopes = {f"{group}_dose_slope": effects[f"dose[{group}]"] for group in TRAINED}
    slopes |= {"outcome_slope": effects["outcome"]}
    slopes |= {"outcome_before_slope": REPEAT * effects["before"]}
    none = pd.Series(0.0, effects.index)
    slopes |= {f"{group}_vs_{other}_{BEFORE}": none for other, group in combinations(GROUPS, 2)}
    return pd.DataFrame(_sums(changes) | slopes)


def _molecules_truth(names: list[str], genes: pd.Index, dials: DesignDials) -> pd.DataFrame:
    changes = {
        f"{group}@{time}": pd.Series([_course(n, group, dials)[place] for n in names], names)
        for group in GROUPS
        for place, time in enumerate(TIMES)
    }
    found = pd.DataFrame(_sums(changes), index=pd.Index(names, name="molecule"))
    for target in range(TARGETS):
        own = {} if dials.null else FOLLOW.get(target, {})
        found[f"{genes[target]}_slope"] = pd.Series(own, dtype=float).reindex(names, fill_value=0.0)
    return found
