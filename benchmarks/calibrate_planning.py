"""Does the planned power equal the share of studies that find the effect? Simulated cohorts.

    python benchmarks/calibrate_planning.py                         # some 15 minutes on 2 cores
    python benchmarks/calibrate_planning.py --write docs/calibration.md

Pilot cohorts of one size plan studies of several sizes; studies of those sizes, drawn from other
seeds, go through the pipeline's own functions to the verdicts on a panel, outlier rule included.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# before numpy: it keeps BLAS to one thread
from target_cohorts import ALPHA, CONTRASTS, DESIGN, PANEL_SIZE, analyse, study_of  # isort: skip

import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import counts_of
from fibroserum.factors.levels import PAIR_COLUMNS
from fibroserum.factors.serum import serum_model
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.targets.noise import study_noise
from fibroserum.targets.planning import Panel, panel_power
from fibroserum.targets.planning_words import SLOPE
from fibroserum.targets.stage import refit_table, verdict_table
from fibroserum.targets.verdict import Rule
from sections import took, write_section

BACKGROUND = 600
# a panel's targets: those that change, in RT only, and those that do not
MOVED = 12
SLOPING = 6
PILOT_PAIRS = 8
# effects on the targets, by pairs in each group: a change has a power of some .7
EFFECTS = {6: 0.50, 12: 0.36, 20: 0.28}
SLOPES = {6: 0.36, 12: 0.23, 20: 0.17}
CHANGED = (1, 4)
LIMIT = 0.05


@dataclass(frozen=True)
class Genes:
    """Mean counts, dispersions and donors' own changes (sd, log2) of the genes; fixed by a seed."""

    names: list[str]
    mean: np.ndarray
    dispersion: np.ndarray
    change_sd: np.ndarray


def genes_of(seed: int = 1) -> Genes:
    """Return the genes: targets (T moved, N not, S sloping) and a background."""
    rng = np.random.default_rng(seed)
    names = [
        *(f"T{n}" for n in range(MOVED)),
        *(f"N{n}" for n in range(PANEL_SIZE - 1)),
        *(f"S{n}" for n in range(SLOPING)),
        *(f"G{n}" for n in range(BACKGROUND)),
    ]
    mean = np.exp(rng.normal(5.5, 0.8, len(names)))
    dispersion = (0.02 + 2 / mean) * np.exp(rng.normal(0, 0.4, len(names)))
    return Genes(names, mean, dispersion, rng.uniform(0.05, 0.25, len(names)))


GENES = genes_of()


@dataclass(frozen=True)
class Drawn:
    """A cohort: counts, samples × genes; its sheet; by pair, what the slopes are on (sd 1)."""

    counts: pd.DataFrame
    sheet: pd.DataFrame
    level: np.ndarray


def draw(pairs: int, effect: float, slope: float, seed: int) -> Drawn:
    """Return a cohort of AT and RT with so many pairs each."""
    rng = np.random.default_rng([17, seed])
    donors, size = 2 * pairs, len(GENES.names)
    group = np.repeat(["AT", "RT"], pairs)
    kind = np.array([name[0] for name in GENES.names])
    # the slope is planned per sd of the study's own donors
    level = rng.normal(size=(2, pairs))
    level = (level - level.mean(axis=1, keepdims=True)) / level.std(axis=1, ddof=1, keepdims=True)
    start = rng.normal(0, 0.3, (donors, size))
    change = rng.normal(0, 1, (donors, size)) * GENES.change_sd
    change += effect * np.outer(group == "RT", kind == "T")
    change += slope * np.outer(level.ravel(), kind == "S")
    parts, rows = [], []
    for name, log2 in (("pre", start), ("post", start + change)):
        depth = np.exp(rng.normal(0, 0.2, (donors, 1)))
        shape = 1 / GENES.dispersion
        parts.append(rng.poisson(rng.gamma(shape, GENES.mean / shape * depth * 2**log2)))
        rows += [
            {"sample": f"d{n:03d}_{name}", "donor": f"d{n:03d}", "group": own, "timepoint": name}
            for n, own in enumerate(group)
        ]
    sheet = pd.DataFrame(rows)
    counts = pd.DataFrame(np.vstack(parts), pd.Index(sheet["sample"]), GENES.names)
    return Drawn(counts, sheet, level.ravel())


def planned(seed: int) -> pd.DataFrame:
    """Return what one pilot plans: a row a contrast, changed targets, pairs and target."""
    drawn = draw(PILOT_PAIRS, 0.0, 0.0, 100_000 + seed)
    targets = [name for name in GENES.names if name[0] in "TS"]
    study = study_of(*analyse(drawn.counts, drawn.sheet), targets)
    names = {name: kind for kind, name in CONTRASTS.items()} | {SLOPE: SLOPE}
    rows = []
    for found in study_noise(study):
        kind = names.get(found.name)
        sizes = SLOPES if kind == SLOPE else EFFECTS
        for target in targets:
            if kind is None or (target[0] == "S") != (kind == SLOPE):
                continue
            ends = found.noise[target].interval()
            assert ends is not None, "there is a second model"
            for pairs, size in sizes.items():
                for changed in CHANGED if kind != SLOPE else (1,):
                    panel = Panel(PANEL_SIZE, changed)
                    powers = [
                        panel_power(size, noise, pairs, panel, Rule(ALPHA))
                        for noise in (found.noise[target], *ends)
                    ]
                    rows.append((kind, changed, pairs, target, *powers))
    columns = ["contrast", "changed", "pairs", "target", "power", "power_high", "power_low"]
    return pd.DataFrame(rows, columns=columns).assign(pilot=seed)


def realised(pairs: int, seed: int) -> pd.DataFrame:
    """Return what one study finds: a row a contrast, changed targets and target."""
    drawn = draw(pairs, EFFECTS[pairs], SLOPES[pairs], seed)
    analysed = analyse(drawn.counts, drawn.sheet)
    moved, still = ([n for n in GENES.names if n[0] == kind] for kind in "TN")
    refitted = refit_table(study_of(*analysed, [*moved, *still]))
    rows = []
    for changed in CHANGED:
        # with one changed target the study's number says which ones are looked at
        first = [(seed + n) % MOVED for n in range(0, MOVED, MOVED // 3)]
        panels = [[moved[(n + k) % MOVED] for k in range(changed)] for n in first]
        for panel in panels:
            study = study_of(*analysed, [*panel, *still[: PANEL_SIZE - changed]])
            verdicts = verdict_table(study, refitted=refitted)[0].set_index(["contrast", "target"])
            for kind, name in CONTRASTS.items():
                for target in panel:
                    up = verdicts.loc[(name, target), "verdict"] == "up"
                    rows.append((kind, changed, target, up))
    rows += [(SLOPE, 1, target, up) for target, up in slopes_found(drawn, analysed[0]).items()]
    table = pd.DataFrame(rows, columns=["contrast", "changed", "target", "found"])
    return table.assign(pairs=pairs, seed=seed)


def slopes_found(drawn: Drawn, cohort: object) -> dict[str, bool]:
    """Return by sloping target whether its slope is found among the unchanged targets' slopes."""
    settings = DESIGN | {"groups": ["AT", "RT"]}
    obs = drawn.sheet.set_index("sample").rename(columns={"timepoint": "time"})
    first = obs[obs["time"] == "pre"]
    pairs = pd.DataFrame(
        {
            "donor": first["donor"].to_numpy(),
            "group": first["group"].to_numpy(),
            "before_log2": 0.0,
            "after_log2": drawn.level,
            "change_log2": drawn.level,
            "used": True,
        }
    ).reindex(columns=PAIR_COLUMNS)
    counts = counts_of(cohort)  # type: ignore[arg-type]
    never = pd.Series(False, index=counts.columns)
    table = serum_model(counts, obs.loc[counts.index], settings, pairs, never).table
    still = [name for name in GENES.names if name[0] == "N"]
    found = {}
    for target in (name for name in GENES.names if name[0] == "S"):
        own = table.loc[[target, *still]]
        adjusted = benjamini_hochberg(own["serum_pvalue"].to_numpy(float))[0]
        found[target] = bool(adjusted < ALPHA and own["serum_slope"].iloc[0] > 0)
    return found


def study(cohorts: int, pilots: int, processes: int) -> pd.DataFrame:
    """Return planned and realised power: a row a contrast, changed targets and pairs."""
    jobs = [(pairs, seed) for pairs in EFFECTS for seed in range(cohorts)]
    with ProcessPoolExecutor(processes) as pool:
        plans = pd.concat(pool.map(planned, range(pilots)))
        found = pd.concat(pool.map(realised, *zip(*jobs, strict=True), chunksize=4))
    keys = ["contrast", "changed", "pairs"]
    # targets count alike in both, whatever panels they were in
    by_target = [*keys, "target"]
    shares = found.groupby(by_target)["found"].mean()
    merged = plans.join(shares.rename("share"), on=by_target)
    inside = merged["share"].between(merged["power_low"], merged["power_high"])
    by_study = found.groupby([*keys, "seed"])["found"].mean().groupby(keys)
    return pd.DataFrame(
        {
            "planned": plans.groupby(keys)["power"].mean(),
            "realised": shares.groupby(keys).mean(),
            "error": by_study.sem(),
            "inside": inside.groupby([merged[key] for key in keys]).mean(),
        }
    ).reset_index()


def markdown(result: pd.DataFrame, cohorts: int, pilots: int) -> str:
    """Return the section of docs/calibration.md."""
    lines = [
        "## Planning",
        "",
        f"`benchmarks/calibrate_planning.py`, {pilots} pilot cohorts of {PILOT_PAIRS} pairs per "
        f"group, {cohorts} studies per size. Two groups, {len(GENES.names)} genes with different "
        "dispersions and donors' own changes; panels of "
        f"{PANEL_SIZE} targets, of which 1 or 4 change in RT. Planned: the mean power that the "
        "pilots predict for a study of that size. Realised: the share of verdicts `up` (outlier "
        "rule included); for a slope, the share below the panel FDR in the model of the serum "
        "level with all its steps. In the interval: how often the pilot's interval of the power "
        "contains the share of studies that found a target.",
        "",
        "| contrast | changed | pairs per group | effect | planned | realised | in the interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result.itertuples():
        effect = (SLOPES if row.contrast == SLOPE else EFFECTS)[row.pairs]
        lines.append(
            f"| {row.contrast} | {row.changed} | {row.pairs} | {effect:g} | {row.planned:.3f} | "
            f"{row.realised:.3f} ± {row.error:.3f} | {row.inside:.2f} |"
        )
    return "\n".join(lines)


def finding(result: pd.DataFrame) -> str:
    """Return what the study shows, made from its figures."""
    off = result["planned"] - result["realised"]
    far = result[off.abs() > LIMIT]
    said = (
        f"planned power of changes, differences and slopes is {off.min():+.3f} to {off.max():+.3f} "
        "from the realised share"
    )
    if far.empty:
        return f"{said}, within {LIMIT:g} everywhere."
    where = ", ".join(
        f"{r.contrast} with {r.pairs} pairs, {r.changed} changed" for r in far.itertuples()
    )
    return f"{said}; by more than {LIMIT:g} in: {where}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--pilots", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    result = study(asked.cohorts, asked.pilots, asked.processes)
    section = markdown(result, asked.cohorts, asked.pilots)
    print(section)
    print(finding(result))
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(result))


if __name__ == "__main__":
    main()
