"""An independent simulator: gamma-Poisson counts of paired samples, one dial for each hazard.

It shares nothing with `fibroserum.simulate`. log2 mean of a sample's gene: the gene's level, the
donor's effect, the change of its group after treatment, and what the dials add.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from calibration.cohort import AFTER, BEFORE, REFERENCE, Cohort, gene_names

#: log2 fold changes of the genes that change, and of the weak ones
EFFECT, WEAK = (0.4, 1.0), 0.3
SET_SIZE, RANDOM_SETS, WEAK_SETS = 30, 20, 10
#: least expected count, at usual depth, of genes in sets: fewer are not tested
SET_COUNT = 12.0


@dataclass(frozen=True)
class Dials:
    """What a simulated cohort is like; standard deviations in log2 unless said.

    Size: `donors` by group, all complete but for the share `missing_after`; `crossover`: the same
    donors in all groups.

    Counts: `median_count` of genes at usual depth, log-normal with `level_sd` (natural log).
    Dispersion `dispersion` + 1 / mean, with a log-normal scatter of sd `scatter` (natural log) or,
    `inverse_gamma`, with inverse gamma scatter of shape 3. `depth_sd`: of library sizes (natural
    log). `depth_after`: by group, how much deeper the after libraries are. `zero_inflation`: share
    of counts set to 0. `outlier_share` of the genes have one sample multiplied by `outlier_fold`.
    `dominant`: share of the library that two genes have, which change by 1 log2 in all groups.

    Truth: shares of the genes that change in all groups (`shared`; of `rising` all rise), in RT
    alone, in AT only, by sizes within `effect`, and by ±0.3 in RT (`weak`). `partial`: half of
    RT's own genes change in AT too, by this share. `responders`: share of the donors whose genes
    change, in whom they change by as much more: the mean of a group is as without it. `strong`: how
    much more than others the first donor of each group responds (1: as they do).

    Donors: `donor_sd` of levels; `donor_time_sd` of a donor's own change, alike in all groups;
    `visit_sd` of what both samples of a donor in a group share; `spread`: by group, sd of the
    donor's own change in `spread_share` of the genes; `module`: sd of one donor × time factor in
    a fifth of the genes, in `module_groups` (all where empty), of the first `module_donors` of each
    group (0: of all). `poor` donors, taken from the groups in turn, have after samples with own
    noise of sd `poor_sd` in all genes. `plates`: sd of a plate's effect in
    a third of the genes, donors in batches of 6, before and after on different plates. `batch`:
    sd of a declared batch that is `crossed` with time, or `confounded` with it 3 to 1.
    """

    donors: Mapping[str, int]
    crossover: bool = False
    missing_after: float = 0.0
    genes: int = 1500
    median_count: float = 120.0
    level_sd: float = 1.3
    dispersion: float = 0.03
    scatter: float = 0.4
    inverse_gamma: bool = False
    depth_sd: float = 0.2
    depth_after: Mapping[str, float] = field(default_factory=dict)
    zero_inflation: float = 0.0
    outlier_share: float = 0.0
    outlier_fold: float = 100.0
    dominant: float = 0.0
    shared: float = 0.05
    rising: float = 0.0
    rt_only: float = 0.05
    at_only: float = 0.03
    weak: float = 0.03
    partial: float = 0.0
    effect: tuple[float, float] = EFFECT
    responders: float = 1.0
    strong: float = 1.0
    donor_sd: float = 0.4
    donor_time_sd: float = 0.0
    visit_sd: float = 0.0
    spread: Mapping[str, float] = field(default_factory=dict)
    spread_share: float = 1.0
    module: float = 0.0
    module_groups: tuple[str, ...] = ()
    module_donors: int = 0
    poor: int = 0
    poor_sd: float = 0.8
    plates: float = 0.0
    batch: float = 0.0
    batch_design: Literal["crossed", "confounded"] = "crossed"
    null: bool = False

    def __post_init__(self) -> None:
        if next(iter(self.donors)) != REFERENCE:
            raise ValueError(f"the first group is the reference, {REFERENCE}")
        if self.crossover and len(set(self.donors.values())) > 1:
            raise ValueError("the groups of a crossover hold the same donors")


def simulate(dials: Dials, seed: int) -> Cohort:
    """Draw a cohort; the same dials and seed give the same cohort."""
    rng = np.random.default_rng([20240617, seed])
    sheet = _sheet(dials, rng)
    groups = tuple(dials.donors)
    genes = gene_names(dials.genes)
    level = np.log2(dials.median_count) + rng.normal(0, dials.level_sd, len(genes)) / np.log(2)
    change, respond = _truth(dials, groups, genes, rng), _responders(dials, sheet, rng)
    if dials.dominant:
        level[:2] = np.log2(dials.dominant / 2 / (1 - dials.dominant) * np.exp2(level[2:]).sum())
        change.iloc[:2] = 0.0 if dials.null else 1.0
    log2, classes = _donor_parts(dials, sheet, genes, rng)
    codes = sheet["group"].map({group: place for place, group in enumerate(groups)}).to_numpy()
    after = sheet["time"].eq(AFTER).to_numpy()
    log2 += level + (after * respond)[:, None] * change.to_numpy().T[codes]
    depth = rng.normal(0, dials.depth_sd, len(sheet)) / np.log(2)
    deeper = np.log2([dials.depth_after.get(group, 1.0) for group in groups])[codes]
    log2 += (depth + after * deeper)[:, None]
    counts = _counts(dials, level, log2, rng)
    sets = _sets(genes[(change == 0).all(axis=1).to_numpy()], pd.Series(level, genes), rng)
    covariates = ("batch",) if dials.batch else ()
    frame = pd.DataFrame(counts, index=sheet.index, columns=genes)
    return Cohort(frame, sheet, groups, change, covariates, sets, classes)


def _sheet(dials: Dials, rng: np.random.Generator) -> pd.DataFrame:
    """Return the sheet: donors in order of group, each in a batch of 6, before and after."""
    rows: list[tuple[object, ...]] = []
    place = 0
    for group, number in dials.donors.items():
        missing = set(rng.permutation(number)[: round(dials.missing_after * number)])
        for person in range(number):
            donor = f"D{person:03d}" if dials.crossover else f"{group}{person:03d}"
            times = (BEFORE,) if person in missing else (BEFORE, AFTER)
            rows += [(f"{group}_{donor}_{t}", donor, group, t, place // 6) for t in times]
            place += 1
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "time", "block"])
    sheet = sheet.set_index("sample")
    sheet["plate"] = [f"P{b}{t}" for b, t in zip(sheet["block"], sheet["time"], strict=True)]
    sheet["block"] = sheet["block"].map("B{}".format)
    if dials.batch:
        sheet["batch"] = _batches(dials, sheet)
    return sheet


def _batches(dials: Dials, sheet: pd.DataFrame) -> np.ndarray:
    """Return the batch of each sample: halves of both times, or three quarters of one time."""
    number = pd.factorize(sheet["donor"] + sheet["group"])[0]
    after = sheet["time"].eq(AFTER).to_numpy()
    if dials.batch_design == "crossed":
        first = (number % 2 == 0) != (after & (number % 4 < 2))
    else:
        first = np.where(after, number % 4 == 0, number % 4 != 1)
    return np.where(first, "a", "b")


def _truth(
    dials: Dials, groups: tuple[str, ...], genes: pd.Index, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the log2 change of every gene in every group; genes of a kind are drawn at random."""
    change = pd.DataFrame(0.0, index=genes, columns=list(groups))
    if dials.null:
        return change
    free = iter(rng.permutation(len(genes)))

    def some(share: float) -> list[int]:
        return [next(free) for _ in range(round(share * len(genes)))]

    def effects(number: int) -> np.ndarray:
        return rng.uniform(*dials.effect, number) * rng.choice([-1.0, 1.0], number)

    rising, shared = some(dials.rising), some(0.0 if dials.rising else dials.shared)
    change.iloc[rising] = rng.uniform(*dials.effect, len(rising))[:, None]
    change.iloc[shared] = effects(len(shared))[:, None]
    for place, group in enumerate(groups):
        own = some(dials.at_only if group == REFERENCE else dials.rt_only)
        change.iloc[own, place] = effects(len(own))
        if group != REFERENCE and dials.partial:
            half = own[: len(own) // 2]
            change.iloc[half, 0] = dials.partial * change.iloc[half, place]
    if "RT" in groups:
        weak = some(dials.weak)
        change.loc[genes[weak], "RT"] = WEAK * rng.choice([-1.0, 1.0], len(weak))
    return change


def _responders(dials: Dials, sheet: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return 0 for samples of donors who do not respond, else one over the share of those who do.

    The mean change of a group is that of its genes.
    """
    chosen: set[tuple[str, str]] = set()
    for group, rows in sheet.groupby("group", sort=False):
        donors = rng.permutation(rows["donor"].unique())
        number = round(dials.responders * len(donors))
        chosen |= {(str(group), donor) for donor in donors[:number]}
    pairs = zip(sheet["group"], sheet["donor"], strict=True)
    respond = np.array([(pair in chosen) / dials.responders for pair in pairs])
    return respond * np.where(_place(sheet) == 0, dials.strong, 1.0)


def _place(sheet: pd.DataFrame) -> np.ndarray:
    """Return the place of each sample's donor among those of its group, from 0."""
    places = sheet.groupby("group", sort=False)["donor"].transform(lambda d: pd.factorize(d)[0])
    return places.to_numpy(int)


def _donor_parts(
    dials: Dials, sheet: pd.DataFrame, genes: pd.Index, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, tuple[str, ...]]]:
    """Return what donors, visits, plates and batches add (samples × genes), and gene classes."""
    after = sheet["time"].eq(AFTER).to_numpy(float)[:, None]
    number = len(genes)
    classes: dict[str, tuple[str, ...]] = {}

    def per(key: pd.Series, sd: float) -> np.ndarray:
        codes, levels = pd.factorize(key)
        drawn: np.ndarray = rng.normal(0, sd, (len(levels), number))[codes]
        return drawn

    visit = sheet["donor"] + "/" + sheet["group"]
    log2 = per(sheet["donor"], dials.donor_sd)
    if dials.donor_time_sd:
        log2 += after * per(sheet["donor"], dials.donor_time_sd)
    if dials.visit_sd:
        log2 += per(visit, dials.visit_sd)
    if dials.spread:
        own = rng.random(number) < dials.spread_share
        sds = sheet["group"].map(dials.spread).fillna(0.0).to_numpy()[:, None]
        log2 += after * sds * own * per(visit, 1.0)
        classes["spread"] = tuple(genes[own])
    if dials.module:
        inside = rng.random(number) < 0.2
        groups = dials.module_groups or tuple(dials.donors)
        factor = rng.normal(0, 1, visit.nunique())[pd.factorize(visit)[0]]
        factor *= sheet["group"].isin(groups).to_numpy()
        if dials.module_donors:
            factor *= _place(sheet) < dials.module_donors
        loading = inside * dials.module * rng.choice([-1.0, 1.0], number)
        log2 += after * np.outer(factor, loading)
        classes["module"] = tuple(genes[inside])
    if dials.poor:
        own = sheet["group"].map({group: place for place, group in enumerate(dials.donors)})
        turn = (_place(sheet) * len(dials.donors) + own).to_numpy()
        log2 += after * (turn < dials.poor)[:, None] * per(visit, dials.poor_sd)
    if dials.plates:
        log2 += (rng.random(number) < 1 / 3) * per(sheet["plate"], dials.plates)
    if dials.batch:
        log2 += per(sheet["batch"], dials.batch)
    return log2, classes


def _counts(
    dials: Dials, level: np.ndarray, log2: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return gamma-Poisson counts (samples × genes), with their zeros and outliers."""
    samples, genes = log2.shape
    if dials.inverse_gamma:
        scatter = 2.0 / rng.gamma(3.0, 1.0, genes)
    else:
        scatter = rng.lognormal(0, dials.scatter, genes)
    dispersion = (dials.dispersion + np.exp2(-level)) * scatter
    mean = np.exp2(log2)
    counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, (samples, genes)))
    if dials.zero_inflation:
        counts[rng.random(counts.shape) < dials.zero_inflation] = 0
    if dials.outlier_share:
        hit = rng.permutation(genes)[: round(dials.outlier_share * genes)]
        sample = rng.integers(0, samples, len(hit))
        counts[sample, hit] = np.rint(counts[sample, hit] * dials.outlier_fold)
    return counts.astype(np.int64)


def _sets(
    unchanged: pd.Index, level: pd.Series, rng: np.random.Generator
) -> dict[str, tuple[str, ...]]:
    """Return disjoint sets of unchanged genes with enough counts: of the weakest third, any."""
    enough = unchanged[(level[unchanged] >= np.log2(SET_COUNT)).to_numpy()]
    ordered = enough[np.argsort(level[enough].to_numpy(), kind="stable")]
    third = len(ordered) // 3
    weak = ordered[rng.permutation(third)][: WEAK_SETS * SET_SIZE]
    rest = enough.difference(weak)
    random = rest[rng.permutation(len(rest))]
    found = {}
    for label, pool, number in (("weak", weak, WEAK_SETS), ("random", random, RANDOM_SETS)):
        for place in range(min(number, len(pool) // SET_SIZE)):
            own = pool[place * SET_SIZE : (place + 1) * SET_SIZE]
            found[f"{label} {place:02d}"] = tuple(sorted(own))
    return found
