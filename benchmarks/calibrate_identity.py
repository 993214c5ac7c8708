"""How often do the identity checks detect a mix-up, and how often report one that is not there?

    python benchmarks/calibrate_identity.py                              # some 6 minutes on 2 cores
    python benchmarks/calibrate_identity.py --write docs/calibration.md

Cohorts of two groups, drawn from their own seeds; each is checked clean, and with one mix-up made.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.size_factors import size_factors
from fibroserum.qc.checks import identity
from fibroserum.simulate import AFTER, BEFORE, Arm, CohortSpec, simulate_cohort
from fibroserum.simulate.panel import generator
from sections import took, write_section

ARMS = ("AT", "RT")
DONORS = (4, 8, 16)
#: log2 standard deviation of donors' effects: none but serum CCL28's, weak, as the toy cohort's.
SDS = (0.0, 0.1, 0.25)
#: Share of the genes that change in each group only: no gene changes, as in the toy cohort, much.
CHANGED = (0.0, 0.02, 0.1)
CHECKS = (
    "pairs", "swapped donors", "swapped times", "duplicated sample", "mixed sample"
)  # fmt: skip

READING = """
Copies and exact mixtures are detected whatever the donor effects. To detect a swap of donors,
donor effects of some 0.1 log2 within a group and 0.25 between groups are needed; between groups of
four it is not detected even then, and the check says that it may stay hidden. A sample mixed half
with another donor's is detected less often if donors differ more and are few. Swapped times are
detected in most groups of at least eight donors that respond and in half to all groups of four,
and never if nothing responds, which the check says.
"""


@dataclass(frozen=True)
class Cell:
    """A kind of cohort: complete donors per group, sd of donor effects (log2), share changed."""

    donors: int
    donor_sd: float
    changed: float
    genes: int = 3000

    def spec(self) -> CohortSpec:
        """Return what the simulator draws."""
        return CohortSpec(
            arms=(Arm("AT", self.donors), Arm("RT", self.donors, -0.415)),
            incomplete_donors=0,
            genes=self.genes,
            donor_sd=(0.8 * self.donor_sd, 1.2 * self.donor_sd),
            arm_only_share=self.changed,
            effect_scale=float(self.changed > 0),
            stimulation_cultures=0,
        )


def cohort_of(counts: pd.DataFrame, sheet: pd.DataFrame) -> ad.AnnData:
    """Return a cohort (samples × genes) as the pipeline makes it, with what the checks read."""
    obs = pd.DataFrame(
        {
            "donor": sheet["donor"].to_numpy(),
            "group": sheet["group"].to_numpy(),
            "time": sheet["timepoint"].to_numpy(),
            "used_for": "change",
        },
        index=sheet["sample"].to_numpy(str),
    )
    adata = ad.AnnData(X=counts.to_numpy(np.int64), obs=obs)
    factors, _ = size_factors(adata.X)
    adata.layers["normalized"] = (adata.X / factors[:, None]).astype(np.float32)
    lists = dict.fromkeys(("covariates", "lines", "notes", "targets", "target_genes"), ())
    adata.uns["fibroserum"] = lists | {
        "before": BEFORE, "after": AFTER, "groups": ARMS, "crossover": False,
    }  # fmt: skip
    return adata


def exchanged(counts: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return the counts with two samples' names exchanged."""
    swapped = counts.copy()
    swapped.loc[[one, other]] = counts.loc[[other, one]].to_numpy()
    return swapped


def resequenced(row: np.ndarray, depth: float, rng: np.random.Generator) -> np.ndarray:
    """Return another sequencing run of a library, `depth` times as deep."""
    return rng.poisson(row * depth)


def pooled(one: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what sequencing equal amounts of two libraries gives, as deep as the first."""
    return rng.poisson((one / one.sum() + other / other.sum()) / 2 * one.sum())


def mix_ups(
    counts: pd.DataFrame, rng: np.random.Generator, donors: int
) -> Iterator[tuple[str, str, pd.DataFrame, set[str]]]:
    """Yield name, check, counts and the samples meant, for each mix-up."""
    one, other, third = rng.choice(donors, size=3, replace=False) + 1
    arm, far = rng.permutation(ARMS)

    def named(group: str, number: int, time: str) -> str:
        return f"{group}{number:02d}_{time}"

    def changed(name: str, row: np.ndarray) -> pd.DataFrame:
        new = counts.copy()
        new.loc[name] = row
        return new

    mine, its = named(arm, one, AFTER), named(arm, other, AFTER)
    away, apart = named(far, other, AFTER), named(arm, third, BEFORE)
    before = named(arm, one, BEFORE)
    values = {name: counts.loc[name].to_numpy() for name in (mine, its, away, apart, before)}
    yield (
        "two donors' after samples, one group",
        "swapped donors",
        exchanged(counts, mine, its),
        {mine, its},
    )
    yield (
        "two donors' after samples, two groups",
        "swapped donors",
        exchanged(counts, mine, away),
        {mine, away},
    )
    yield (
        "one donor's before and after",
        "swapped times",
        exchanged(counts, before, mine),
        {before, mine},
    )
    copied = "duplicated sample"
    yield "identical copy", copied, changed(mine, values[its]), {mine, its}
    again = resequenced(values[its], 1.0, rng)
    yield "copy, sequenced again", copied, changed(mine, again), {mine, its}
    again = resequenced(values[its], 0.3, rng)
    yield "copy, sequenced again at 0.3 of the depth", copied, changed(mine, again), {mine, its}
    thinned = rng.binomial(values[its], 0.5)
    yield "copy, half of its reads", copied, changed(mine, thinned), {mine, its}
    mixed = "mixed sample"
    new = pooled(values[its], values[apart], rng)
    yield "50:50 of two other samples", mixed, changed(mine, new), {mine}
    new = pooled(values[mine], values[its], rng)
    yield "50:50 of itself and another donor's", mixed, changed(mine, new), {mine}


def warned(adata: ad.AnnData) -> dict[str, list[str]]:
    """Return subjects of warnings, and of checks that are not assessed, by check."""
    found: dict[str, list[str]] = {name: [] for name in CHECKS}
    for check in identity(adata):
        if check.level == "warning":
            found[check.check].append(check.subject)
        elif check.level == "not_assessed" and check.subject != "between groups":
            found.setdefault(f"{check.check}: silent", []).append(check.subject)
    return found


def replicate(task: tuple[Cell, int, bool]) -> list[dict[str, object]]:
    """Return one cohort's rows: mix-up, check, found, silent, beside (another check warns).

    task: cell, seed, and whether mix-ups are made in the cohort.
    """
    cell, seed, spoil = task
    drawn = simulate_cohort(cell.spec(), seed)
    shared = {"donors": cell.donors, "sd": cell.donor_sd, "changed": cell.changed}

    def row(mix_up: str, check: str, found: bool, said: dict[str, list[str]]) -> dict[str, object]:
        beside = any(said[other] for other in CHECKS if other != check)
        silent = f"{check}: silent" in said
        return shared | {
            "mix_up": mix_up, "check": check, "found": found, "silent": silent, "beside": beside
        }  # fmt: skip

    clean = warned(cohort_of(drawn.counts, drawn.samples))
    rows = [row("none", check, bool(clean[check]), clean) for check in CHECKS]
    if not spoil:
        return rows
    for name, check, counts, meant in mix_ups(
        drawn.counts, generator(seed, "mix-ups"), cell.donors
    ):
        said = warned(cohort_of(counts, drawn.samples))
        hit = any(meant <= set(subject.split(", ")) for subject in said[check])
        rows.append(row(name, check, hit, said))
    return rows


def study(cohorts: int, clean: int, processes: int) -> pd.DataFrame:
    """Return the rows of all cells: `cohorts` with mix-ups and `clean` in all."""
    cells = [Cell(n, sd, changed) for n in DONORS for sd in SDS for changed in CHANGED]
    tasks = [(cell, seed, seed < cohorts) for seed in range(clean) for cell in cells]
    with ProcessPoolExecutor(processes) as pool:
        return pd.DataFrame([row for rows in pool.map(replicate, tasks) for row in rows])


def share(values: pd.Series) -> str:
    """Return a share with its Monte Carlo standard error, that of (k + 1) / (n + 2)."""
    mean = (values.sum() + 1) / (len(values) + 2)
    return f"{values.mean():.3f} ± {np.sqrt(mean * (1 - mean) / len(values)):.3f}"


def rows_of(part: pd.DataFrame, keys: list[str], column: str) -> list[str]:
    """Return Markdown rows: keys, then the share of `column` at each number of donors."""
    text = []
    for values, rows in part.groupby(keys, sort=False):
        cells = [share(rows.loc[rows["donors"] == n, column]) for n in DONORS]
        text.append("| " + " | ".join([*map(str, values), *cells]) + " |")
    return text


def table(title: str, heads: list[str], rows: list[str]) -> list[str]:
    """Return a Markdown table with a title."""
    columns = [*heads, *(f"{n} donors per group" for n in DONORS)]
    return ["", title, "", "| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|", *rows]


def markdown(result: pd.DataFrame, cohorts: int, clean: int) -> str:
    """Return the section of docs/calibration.md."""
    none = result[result["mix_up"] == "none"]
    spoilt = result[result["mix_up"] != "none"]
    late = spoilt["check"] == "swapped times"
    text = [
        "## Identity checks",
        "",
        "`python benchmarks/calibrate_identity.py`: simulated cohorts of two groups, 3,000 genes, "
        f"{clean}\nclean and {cohorts} with each mix-up for every number of donors, sd of donor "
        "effects (log2; 0: donors differ\nonly by their serum CCL28) and share of the genes that "
        "change in each group only (0: none). ± is the Monte Carlo\nstandard error. Found: "
        "a warning of the right check that names the right samples.",
    ]  # fmt: skip
    text += table(
        "False alarms: share of clean cohorts with a warning, over all sds and shares",
        ["check"], rows_of(none, ["check"], "found"),
    )  # fmt: skip
    quiet = none[none["check"].isin(["swapped donors", "swapped times"])]
    text += table(
        "Clean cohorts that the check cannot assess (times: in at least one group)",
        ["check", "donor sd", "changed"], rows_of(quiet, ["check", "sd", "changed"], "silent"),
    )  # fmt: skip
    text += table(
        "Found, over all shares of changing genes",
        ["mix-up", "donor sd"], rows_of(spoilt[~late], ["mix_up", "sd"], "found"),
    )  # fmt: skip
    text += table(
        "Found: one donor's before and after swapped",
        ["changed", "donor sd"], rows_of(spoilt[late], ["changed", "sd"], "found"),
    )  # fmt: skip
    text += table(
        "Mix-ups for which another check also warns, over all sds and shares",
        ["mix-up"], rows_of(spoilt, ["mix_up"], "beside"),
    )  # fmt: skip
    return "\n".join([*text, READING.rstrip()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=6)
    parser.add_argument("--clean", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    result = study(asked.cohorts, asked.clean, asked.processes)
    section = markdown(result, asked.cohorts, asked.clean)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section)


if __name__ == "__main__":
    main()
