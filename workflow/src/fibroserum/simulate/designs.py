"""Drawing the cohort of the designs: three groups, three times, a dose, an outcome, a serum panel.

A sample's count of a gene is drawn as in `simulate.cohort`, with log2 mean

    log2(library size × level) + donor effect + the donor's response and the sample's own (later)
        + sum over the gene's drivers: effect × value of the driver in this sample

The drivers are the samples of a group at a time, membership of the healthy group, log2 levels of
molecules less their medians, sessions attended in a group, and the donor's own change of thickness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.simulate.cohort import Draw, draw_counts, log_depths
from fibroserum.simulate.designs_spec import (
    FACTORS,
    HEALTHY,
    LATER,
    LATER_SESSIONS,
    DesignsSpec,
    Planted,
)
from fibroserum.simulate.designs_truth import genes_truth, molecules_truth
from fibroserum.simulate.gene_lists import RISING_COLLAGENS
from fibroserum.simulate.panel import (
    Panel,
    assign_modules,
    assign_noise,
    choose_genes,
    generator,
    plant_null_sets,
    signed,
    take_genes,
)
from fibroserum.simulate.spec import BEFORE


@dataclass(frozen=True)
class SimulatedDesigns:
    """A cohort of the designs and what is true of it.

    counts: samples × genes (int32). samples: the sample sheet in the order of counts: sample,
    donor, group, timepoint, sessions (attended until then), thickness_mm (as measured), passage,
    plate. serum_panel: sample, then a column a molecule (relative units, as measured). truth: see
    `genes_truth`. molecules: see `molecules_truth`. null_sets: name to symbols. drivers: samples ×
    drivers, true values.
    """

    spec: DesignsSpec
    seed: int
    counts: pd.DataFrame
    samples: pd.DataFrame
    serum_panel: pd.DataFrame
    truth: pd.DataFrame
    molecules: pd.DataFrame
    null_sets: dict[str, tuple[str, ...]]
    drivers: pd.DataFrame


def simulate_designs(spec: DesignsSpec, seed: int) -> SimulatedDesigns:
    """Draw a cohort; the same spec and seed give the same cohort.

    seed: of donors, sessions, levels, thickness and counts. What is true of the genes depends on
    `spec.base.truth_seed`. Raises ValueError where the genes have no room for the blocks.
    """
    panel = designs_panel(spec)
    sheet = _sheet(spec)
    sheet["sessions"] = _sessions(sheet, spec, seed)
    levels = _levels(sheet, spec, seed)
    outcome, before = _own_thickness(sheet, spec, seed)
    drivers = _drivers(sheet, levels, outcome, before, spec)
    sheet["thickness_mm"] = _thickness(sheet, outcome, spec, seed)
    sheet["spike_in_factor"] = _spike_in_factors(len(sheet), spec, seed)
    sheet["passage"] = 4 + sheet["number"] % 2
    sheet["plate"] = np.where(sheet["number"] // 2 % 2 == 0, "A", "B")
    sheet = sheet.drop(columns="number")
    index = pd.Index(sheet["sample"], name="sample")
    return SimulatedDesigns(
        spec=spec,
        seed=seed,
        counts=pd.DataFrame(
            _counts(sheet, drivers, panel, spec, seed), index=index, columns=panel.genes.index
        ),
        samples=sheet,
        serum_panel=_measured(levels, spec, seed),
        truth=genes_truth(panel, spec),
        molecules=molecules_truth(spec),
        null_sets=panel.null_sets,
        drivers=drivers,
    )


def driver_names(spec: DesignsSpec) -> list[str]:
    """Return the drivers: `RT@week8`, `healthy`, `CCL28`, `dose[RT]`, `outcome`, …"""
    return [
        *(f"{group}@{time}" for group in spec.groups for time in LATER),
        HEALTHY,
        *FACTORS,
        *(f"dose[{group}]" for group in spec.trained),
        "outcome",
        "outcome_before",
    ]


def designs_panel(spec: DesignsSpec) -> Panel:
    """Choose genes, levels, dispersions and effects from `spec.base.truth_seed` alone.

    The panel's genes have a column a driver (`driver_names`), the effect in log2 per unit of it.
    """
    genes = choose_genes(spec.base)
    genes["block"] = genes["category"]
    names = driver_names(spec)
    genes[names] = 0.0
    rng = generator(spec.base.truth_seed, "designs blocks")
    collagens = genes["symbol"].isin(RISING_COLLAGENS)
    genes.loc[collagens, "block"] = "collagen"
    rise = rng.uniform(*spec.rise, size=int(collagens.sum()))
    for name in _courses(spec.trained):
        genes.loc[collagens, name] = rise
    for block, count in spec.blocks.items():
        chosen = take_genes(genes, block, count, rng, spec.base)
        low_high, driven = _block(block, spec)
        size = signed(rng, *low_high, count)
        if block.startswith("ccl28_"):
            size = np.abs(size) * (-1 if block == "ccl28_suppressed" else 1)
        for name in driven:
            genes.loc[chosen, name] = size
    null_sets = plant_null_sets(genes, spec.base)
    for planted in spec.planted:
        _plant(genes, planted)
    assign_modules(genes, spec.base)
    assign_noise(genes, spec.base)
    # -0.0 would be written as "-0".
    genes[names] = (genes[names] * spec.base.effect_scale).round(4) + 0.0
    return Panel(genes.drop(columns="category"), null_sets)


def _courses(groups: Iterable[str], times: Iterable[str] = LATER) -> list[str]:
    return [f"{group}@{time}" for time in times for group in groups]


def _block(block: str, spec: DesignsSpec) -> tuple[tuple[float, float], list[str]]:
    """Return the range of a block's effects and the drivers they are on."""
    blocks: dict[str, tuple[tuple[float, float], list[str]]] = {
        "exercise": (spec.strong, _courses(spec.trained)),
        "week8_only": (spec.strong, _courses(spec.trained, LATER[:1])),
        "all_groups": (spec.strong, _courses(spec.groups)),
        "dose": (spec.dose_slope, [f"dose[{group}]" for group in spec.trained]),
        "RT_dose": (spec.dose_slope, ["dose[RT]"]),
        "ccl28_suppressed": (spec.factor_slope, ["CCL28"]),
        "ccl28_induced": (spec.factor_slope, ["CCL28"]),
        "igf1": (spec.factor_slope, ["IGF1"]),
        "outcome": (spec.outcome_slope, ["outcome"]),
        "outcome_before": (spec.outcome_slope, ["outcome_before"]),
        HEALTHY: (spec.strong, [HEALTHY]),
    }
    blocks |= {f"{group}_only": (spec.strong, _courses([group])) for group in spec.trained}
    return blocks[block]


def _plant(genes: pd.DataFrame, planted: Planted) -> None:
    gene = genes.index[genes["symbol"].eq(planted.symbol)]
    genes.loc[gene, "block"] = "named"
    for group, course in planted.change.items():
        for time, change in zip(LATER, course, strict=True):
            genes.loc[gene, f"{group}@{time}"] = change
    for molecule, slope in planted.slopes.items():
        genes.loc[gene, molecule] = slope
    genes.loc[gene, "outcome"] = planted.outcome


def _sheet(spec: DesignsSpec) -> pd.DataFrame:
    """Return sample, donor, group, timepoint and the donor's number in the group, from 0."""
    sizes = {arm.name: arm.donors for arm in spec.base.arms}
    rows = []
    for group, donors in {**sizes, HEALTHY: spec.healthy}.items():
        times = (BEFORE,) if group == HEALTHY else (BEFORE, *LATER)
        for number in range(donors):
            donor = f"{group}{number + 1:02d}"
            rows += [(f"{donor}_{time}", donor, group, time, number) for time in times]
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "timepoint", "number"])
    return sheet[~sheet["sample"].isin(spec.missing)].reset_index(drop=True)


def _sessions(sheet: pd.DataFrame, spec: DesignsSpec, seed: int) -> np.ndarray:
    """Return the sessions attended until each sample: none before, or without training."""
    rng = generator(seed, "sessions")
    donors = list(dict.fromkeys(sheet["donor"]))
    share = rng.uniform(*spec.attendance, size=len(donors))
    steps = np.diff((0, *LATER_SESSIONS))
    attended = rng.binomial(steps, share[:, None]).cumsum(axis=1)
    so_far = np.column_stack([np.zeros(len(donors), dtype=int), attended])
    person = pd.Index(donors).get_indexer(sheet["donor"])
    return np.where(sheet["group"].isin(spec.trained), so_far[person, _place(sheet)], 0)


def _place(sheet: pd.DataFrame) -> np.ndarray:
    """Return the place of each sample's time: 0 before, 1, 2 later."""
    return pd.Index((BEFORE, *LATER)).get_indexer(sheet["timepoint"])


def _own_changes(
    sheet: pd.DataFrame, count: int, spec: DesignsSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return donors' own changes (samples × count), standardised, and what a donor's times share.

    The first is 0 before, has variance 1 later and correlates by `spec.repeat` between a donor's
    later samples. The second is part of it later, and stands before as well.
    """
    person, donors = pd.factorize(sheet["donor"])
    of_donor = np.sqrt(spec.repeat) * rng.standard_normal((len(donors), count))[person]
    of_sample = np.sqrt(1 - spec.repeat) * rng.standard_normal((len(sheet), count))
    later = (_place(sheet) > 0)[:, None]
    return later * (of_donor + of_sample), of_donor


def _mean_course(sheet: pd.DataFrame, change: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Return the population mean of a change in each sample: 0 before and in other groups."""
    return np.array(
        [
            (0.0, *change.get(group, (0.0, 0.0)))[place]
            for group, place in zip(sheet["group"], _place(sheet), strict=True)
        ]
    )


def _levels(sheet: pd.DataFrame, spec: DesignsSpec, seed: int) -> pd.DataFrame:
    """Return true log2 levels, samples × molecules."""
    rng = generator(seed, "molecules")
    count = len(spec.molecules)
    person, donors = pd.factorize(sheet["donor"])
    start = rng.normal(0, spec.panel_between_sd, size=(len(donors), count))[person]
    drawn, _ = _own_changes(sheet, count + 1, spec, rng)
    own, common = drawn[:, :-1], drawn[:, -1:]
    mixed = np.sqrt(spec.shared) * common + np.sqrt(1 - spec.shared) * own
    own = np.where([molecule.shared for molecule in spec.molecules], mixed, own)
    mean = np.column_stack([_mean_course(sheet, molecule.change) for molecule in spec.molecules])
    level = np.log2([molecule.level for molecule in spec.molecules])
    return pd.DataFrame(
        level + start + mean + spec.panel_change_sd * own,
        index=pd.Index(sheet["sample"]),
        columns=[molecule.name for molecule in spec.molecules],
    )


def _measured(levels: pd.DataFrame, spec: DesignsSpec, seed: int) -> pd.DataFrame:
    noise = generator(seed, "panel").normal(0, spec.panel_noise, size=levels.shape)
    measured = np.exp2(levels + noise).round(1)
    return measured[~measured.index.isin(spec.unmeasured)].reset_index()


def _own_thickness(
    sheet: pd.DataFrame, spec: DesignsSpec, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the donors' own changes of thickness, and the part that their times share (mm)."""
    own, of_donor = _own_changes(sheet, 1, spec, generator(seed, "outcome"))
    followed = sheet["group"].ne(HEALTHY).to_numpy()
    return spec.outcome_change_sd * own[:, 0], spec.outcome_change_sd * followed * of_donor[:, 0]


def _thickness(sheet: pd.DataFrame, own: np.ndarray, spec: DesignsSpec, seed: int) -> np.ndarray:
    """Return thickness as measured (mm)."""
    rng = generator(seed, "thickness")
    person, donors = pd.factorize(sheet["donor"])
    level = rng.normal(spec.thickness, spec.thickness_sd, size=len(donors))[person]
    noise = rng.normal(0, spec.outcome_noise, size=len(sheet))
    measured = (level + _mean_course(sheet, spec.outcome_change) + own + noise).round(3)
    return np.where(sheet["sample"].isin(spec.no_outcome), np.nan, measured)


def _spike_in_factors(samples: int, spec: DesignsSpec, seed: int) -> np.ndarray:
    """Return size factors as spike-ins measure them, with an error of 5 %."""
    error = generator(seed, "spike-ins").normal(0, 0.05, size=samples)
    return np.exp(log_depths(samples, spec.base, seed, "designs") + error).round(4)


def _drivers(
    sheet: pd.DataFrame,
    levels: pd.DataFrame,
    outcome: np.ndarray,
    before: np.ndarray,
    spec: DesignsSpec,
) -> pd.DataFrame:
    """Return the value of each driver in each sample."""
    group, time = sheet["group"], sheet["timepoint"]
    median = {molecule.name: np.log2(molecule.level) for molecule in spec.molecules}
    values: dict[str, np.ndarray] = {
        f"{g}@{t}": (group.eq(g) & time.eq(t)).to_numpy(float) for g in spec.groups for t in LATER
    }
    values[HEALTHY] = group.eq(HEALTHY).to_numpy(float)
    values |= {name: levels[name].to_numpy() - median[name] for name in FACTORS}
    sessions = sheet["sessions"].to_numpy(float)
    values |= {f"dose[{g}]": sessions * group.eq(g).to_numpy() for g in spec.trained}
    values |= {"outcome": outcome, "outcome_before": before}
    return pd.DataFrame(values, index=pd.Index(sheet["sample"]))[driver_names(spec)]


def _counts(
    sheet: pd.DataFrame, drivers: pd.DataFrame, panel: Panel, spec: DesignsSpec, seed: int
) -> np.ndarray:
    """Return counts: the drivers' effects, and a response of each donor in all later samples."""
    unit, donors = pd.factorize(sheet["donor"])
    later = _place(sheet) > 0
    responds = later[:, None] * (unit[:, None] == np.arange(len(donors)))
    rng = generator(seed, "responses")
    genes = panel.genes
    modules = rng.standard_normal((len(donors), int(genes["module"].max()) + 1))
    common = modules[:, genes["module"]] * genes["sign"].to_numpy()
    own = rng.standard_normal(common.shape)
    rho = spec.base.donor_correlation
    responses = spec.response_sd * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
    draw = Draw(
        unit=unit,
        terms=np.column_stack([drivers.to_numpy(), responds]),
        effects=np.vstack([genes[driver_names(spec)].to_numpy().T, responses]),
        unit_scale=1.0,
        spikes=pd.DataFrame({"gene": [], "sample": [], "log2": []}, dtype=int),
        own_sd=np.where(later, spec.visit_sd, 0.0),
    )
    return draw_counts(draw, panel, spec.base, seed, "designs")
