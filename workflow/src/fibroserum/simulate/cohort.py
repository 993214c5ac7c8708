"""Drawing a cohort: sample sheet, serum levels, counts, the stimulation arm.

A sample's count of a gene is negative binomial with log2 mean

    log2(library size × level) + donor effect + arm's baseline + after × change[arm]
        + slope × (log2 CCL28 of this serum - its population mean before) + module residual

Of the total dispersion, a share rho is the module's residual, common to the genes of a module in
one sample; the rest is drawn gene by gene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.simulate.panel import Panel, build_panel, generator, truth_table
from fibroserum.simulate.spec import AFTER, BEFORE, CohortSpec

# Population medians of the serum levels before, in pg/ml.
CCL28_MEDIAN = 500.0
CXCL4_MEDIAN = 5e6

# Cultures of one line differ less than the sera of several people.
_CULTURE_SD = 0.5
# Genes are drawn this many at a time: bounds the memory, and is part of the random stream.
_CHUNK = 1000


@dataclass(frozen=True)
class SimulatedCohort:
    """A cohort and what is true of it.

    counts: samples × genes (int32). samples: the sample sheet, one row a sample in the order of
    counts: sample, donor, group, timepoint, ccl28, cxcl4 (pg/ml, as measured), serum_percent,
    hours, passage, plate. levels: indexed by sample, true log2 levels of ccl28 and cxcl4 (pg/ml).
    truth: see `truth_table`. null_sets: name to symbols. stimulation_counts, stimulation_samples:
    likewise (sample, culture, treatment), empty without the arm. outliers: gene_id, symbol,
    sample, log2 of each spike.
    """

    spec: CohortSpec
    seed: int
    counts: pd.DataFrame
    samples: pd.DataFrame
    levels: pd.DataFrame
    truth: pd.DataFrame
    null_sets: dict[str, tuple[str, ...]]
    stimulation_counts: pd.DataFrame
    stimulation_samples: pd.DataFrame
    outliers: pd.DataFrame


@dataclass(frozen=True)
class Draw:
    """Samples to be drawn.

    unit: index of the donor or culture of each sample. terms: samples × k; effects: k × genes,
    log2; their product is the sample's deviation. spikes: log2 by (sample, gene) position.
    own_sd: of each sample, the sd of a deviation of its own in every gene, log2.
    """

    unit: np.ndarray
    terms: np.ndarray
    effects: np.ndarray
    unit_scale: float
    spikes: pd.DataFrame
    own_sd: np.ndarray


def simulate_cohort(spec: CohortSpec, seed: int) -> SimulatedCohort:
    """Draw a cohort with known truth; the same spec and seed give the same cohort.

    Parameters
    ----------
    spec : CohortSpec
        Groups, genes, effects and noise. What is true of the genes depends on its `truth_seed`.
    seed : int
        Of donors, serum levels and counts.

    Returns
    -------
    SimulatedCohort
        `counts` (samples × genes), `samples` (the sample sheet), `truth` (a row for each gene: its
        planted changes, log2), `levels` (true log2 serum levels, pg/ml), `null_sets`,
        `stimulation_counts`, `stimulation_samples` and `outliers`.

    Raises
    ------
    ValueError
        Where the spec has too few genes for its planted effects.

    Examples
    --------
    >>> drawn = simulate_cohort(CohortSpec(genes=1500, arms=(Arm("AT", 4), Arm("RT", 5))), seed=1)
    >>> drawn.counts.shape
    (17, 1500)
    """
    panel = build_panel(spec)
    sheet = _sheet(spec)
    levels = _serum_levels(sheet, spec, seed)
    outliers = _outliers(sheet, panel, spec, seed)
    terms, effects = _cohort_effects(sheet, levels, panel, spec)
    unit = pd.factorize(sheet["donor"])[0]
    draw = Draw(unit, terms, effects, 1.0, outliers, _own_sd(sheet, spec))
    counts = draw_counts(draw, panel, spec, seed, "cohort")
    noise = generator(seed, "measurement").normal(0, spec.serum_noise, size=levels.shape)
    measured = 2 ** (levels.to_numpy() + noise)
    sheet.insert(4, "ccl28", measured[:, 0].round(1))
    sheet.insert(5, "cxcl4", measured[:, 1].round().astype(np.int64))
    stimulation_counts, stimulation_samples = _stimulation(panel, spec, seed)
    spikes = outliers.assign(
        gene_id=panel.genes.index[outliers["gene"]],
        symbol=panel.genes["symbol"].to_numpy()[outliers["gene"]],
        sample=sheet["sample"].to_numpy()[outliers["sample"]],
    )
    return SimulatedCohort(
        spec=spec,
        seed=seed,
        counts=_frame(counts, sheet, panel),
        samples=sheet,
        levels=levels,
        truth=truth_table(panel, spec),
        null_sets=panel.null_sets,
        stimulation_counts=stimulation_counts,
        stimulation_samples=stimulation_samples,
        outliers=spikes[["gene_id", "symbol", "sample", "log2"]],
    )


def _frame(counts: np.ndarray, sheet: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    index = pd.Index(sheet["sample"], name="sample")
    return pd.DataFrame(counts, index=index, columns=panel.genes.index)


def _sheet(spec: CohortSpec) -> pd.DataFrame:
    """Return the sheet without levels, by arm, donor and time.

    A donor's samples share passage and plate, and both alternate over donors, so that neither
    goes with group or time.
    """
    rows = []
    width = max(2, len(str(max(arm.donors for arm in spec.arms))))
    for arm in spec.arms:
        complete = arm.donors - (spec.incomplete_donors if arm is spec.arms[-1] else 0)
        for number in range(arm.donors):
            person = f"{number + 1:0{width}d}"
            donor = f"D{person}" if spec.crossover else f"{arm.name}{person}"
            library = f"{donor}_{arm.name}" if spec.crossover else donor
            for time in (BEFORE, AFTER) if number < complete else (BEFORE,):
                rows.append(
                    {
                        "sample": f"{library}_{time}",
                        "donor": donor,
                        "group": arm.name,
                        "timepoint": time,
                        "serum_percent": 10,
                        "hours": 48,
                        "passage": 4 + number % 2,
                        "plate": "AB"[number // 2 % 2],
                    }
                )
    return pd.DataFrame(rows)


def _serum_levels(sheet: pd.DataFrame, spec: CohortSpec, seed: int) -> pd.DataFrame:
    """Return true log2 levels (pg/ml) by sample: a donor's own, and a change of the donor's own."""
    donors = list(dict.fromkeys(sheet["donor"]))
    pairs = list(dict.fromkeys(zip(sheet["donor"], sheet["group"], strict=True)))
    mean_change = {arm.name: arm.ccl28_change for arm in spec.arms}
    out = pd.DataFrame(index=pd.Index(sheet["sample"]))
    after = sheet["timepoint"].eq(AFTER).to_numpy()
    for name, median, has_change in (
        ("ccl28", CCL28_MEDIAN, True),
        ("cxcl4", CXCL4_MEDIAN, False),
    ):
        rng = generator(seed, name)
        start = dict(zip(donors, rng.normal(0, spec.serum_between_sd, len(donors)), strict=True))
        change = dict(zip(pairs, rng.normal(0, spec.serum_change_sd, len(pairs)), strict=True))
        level = np.log2(median) + sheet["donor"].map(start).to_numpy()
        shift = [
            change[donor, group] + (mean_change[group] if has_change else 0.0)
            for donor, group in zip(sheet["donor"], sheet["group"], strict=True)
        ]
        out[name] = level + after * np.array(shift)
    return out


def _outliers(sheet: pd.DataFrame, panel: Panel, spec: CohortSpec, seed: int) -> pd.DataFrame:
    """Return spikes (gene and sample as positions, log2), each in one sample of a complete pair."""
    count = round(spec.outlier_share * len(panel.genes))
    rng = generator(seed, "outliers")
    genes = np.sort(rng.choice(len(panel.genes), size=count, replace=False))
    in_pair = sheet.groupby(["donor", "group"])["sample"].transform("size").eq(2)
    samples = rng.choice(np.flatnonzero(in_pair), size=count)
    return pd.DataFrame({"gene": genes, "sample": samples, "log2": spec.outlier_log2})


def _cohort_effects(
    sheet: pd.DataFrame, levels: pd.DataFrame, panel: Panel, spec: CohortSpec
) -> tuple[np.ndarray, np.ndarray]:
    terms, effects = [], []
    after = sheet["timepoint"].eq(AFTER).to_numpy(float)
    for arm in spec.arms:
        in_arm = sheet["group"].eq(arm.name).to_numpy(float)
        terms += [in_arm, in_arm * after]
        effects += [panel.genes[f"baseline[{arm.name}]"], panel.genes[f"change[{arm.name}]"]]
    terms.append(levels["ccl28"].to_numpy() - np.log2(CCL28_MEDIAN))
    effects.append(panel.genes["slope"])
    return np.column_stack(terms), np.vstack([effect.to_numpy() for effect in effects])


def _own_sd(sheet: pd.DataFrame, spec: CohortSpec) -> np.ndarray:
    """Return the sd of the donors' own changes, which after samples hold."""
    sds = sheet["group"].map({arm.name: arm.change_sd for arm in spec.arms}).to_numpy(float)
    return np.where(sheet["timepoint"].eq(AFTER), sds, 0.0)


def _stimulation(panel: Panel, spec: CohortSpec, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {
            "sample": f"C{number + 1}_{treatment}",
            "culture": f"C{number + 1}",
            "treatment": treatment,
        }
        for number in range(spec.stimulation_cultures)
        for treatment in ("vehicle", "ccl28")
    ]
    sheet = pd.DataFrame(rows, columns=["sample", "culture", "treatment"])
    no_spikes = pd.DataFrame({"gene": [], "sample": [], "log2": []}, dtype=int)
    draw = Draw(
        unit=np.arange(len(sheet)) // 2,
        terms=sheet["treatment"].eq("ccl28").to_numpy(float)[:, None],
        effects=panel.genes["stimulation"].to_numpy()[None, :],
        unit_scale=_CULTURE_SD,
        spikes=no_spikes,
        own_sd=np.zeros(len(sheet)),
    )
    return _frame(draw_counts(draw, panel, spec, seed, "stimulation"), sheet, panel), sheet


def log_depths(samples: int, spec: CohortSpec, seed: int, purpose: str) -> np.ndarray:
    """Return the log of each sample's depth over the mean depth, (samples,)."""
    return generator(seed, f"{purpose} depth").normal(0, spec.depth_sd, size=samples)


def draw_counts(draw: Draw, panel: Panel, spec: CohortSpec, seed: int, purpose: str) -> np.ndarray:
    """Return counts, samples × genes (int32), a chunk of genes at a time."""
    samples, genes = len(draw.unit), len(panel.genes)
    units = int(draw.unit.max(initial=-1)) + 1
    modules = int(panel.genes["module"].max()) + 1
    rng = generator(seed, f"{purpose} modules")
    unit_factors = rng.standard_normal((units, modules))
    sample_factors = rng.standard_normal((samples, modules))
    depth = log_depths(samples, spec, seed, purpose)
    # Scaled to a mean library of `depth`.
    size = spec.depth / 1e6 * np.exp(depth - spec.depth_sd**2 / 2)
    counts = np.empty((samples, genes), dtype=np.int32)
    for start in range(0, genes, _CHUNK):
        part = slice(start, min(start + _CHUNK, genes))
        chunk = panel.genes.iloc[part]
        rng = generator(seed, f"{purpose} genes from {start}")
        log2 = draw.terms @ draw.effects[:, part]
        if draw.own_sd.any():
            own = generator(seed, f"{purpose} own changes from {start}")
            log2 += draw.own_sd[:, None] * own.standard_normal(log2.shape)
        log2 += draw.unit_scale * unit_effects(chunk, unit_factors, spec, rng)[draw.unit]
        spikes = draw.spikes[draw.spikes["gene"].between(start, part.stop - 1)]
        log2[spikes["sample"], spikes["gene"] - start] += spikes["log2"].to_numpy()
        mean = size[:, None] * chunk["cpm"].to_numpy() * np.exp2(log2)
        counts[:, part] = _negative_binomial(mean, chunk, sample_factors, spec, rng)
    return counts


def unit_effects(
    chunk: pd.DataFrame, factors: np.ndarray, spec: CohortSpec, rng: np.random.Generator
) -> np.ndarray:
    """Return log2 effects, units × genes, correlated within modules."""
    shared = factors[:, chunk["module"]] * chunk["sign"].to_numpy()
    own = rng.standard_normal(shared.shape)
    rho = spec.donor_correlation
    return chunk["donor_sd"].to_numpy() * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)


def _negative_binomial(
    mean: np.ndarray,
    chunk: pd.DataFrame,
    factors: np.ndarray,
    spec: CohortSpec,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return counts around `mean` (samples × genes) with the genes' total dispersion.

    The module's residual is log-normal with mean 1 and takes the share rho of the variance of
    log counts (dispersion + 1/mean), at most nine tenths of the dispersion; a gamma takes the
    rest, so that both together have the squared coefficient of variation `dispersion`.
    """
    total = chunk["dispersion"].to_numpy()
    level = np.maximum(chunk["cpm"].to_numpy() * spec.depth / 1e6, 1e-3)
    shared = np.minimum(chunk["rho"].to_numpy() * (total + 1 / level), 0.9 * np.log1p(total))
    residual = factors[:, chunk["module"]] * chunk["sign"].to_numpy() * np.sqrt(shared)
    own = (1 + total) / np.exp(shared) - 1
    rate = mean * np.exp(residual - shared / 2) * rng.gamma(1 / own, own, size=mean.shape)
    # Rounded to single precision: the last bit of exp differs between processors, and must not
    # decide a count.
    return rng.poisson(rate.astype(np.float32).astype(np.float64))
