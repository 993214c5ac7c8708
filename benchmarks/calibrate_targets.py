"""How often are verdicts on targets wrong? Simulated cohorts with known truth.

    python benchmarks/calibrate_targets.py                               # some 5 minutes on 2 cores
    python benchmarks/calibrate_targets.py --write docs/calibration.md

Cohorts of two groups, drawn from their own seeds, go through the pipeline's own functions: size
factors, both models, calls, verdicts. Errors are standard errors between cohorts.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# before numpy: processes share the cores, and sums must not depend on their number
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from target_cohorts import (
    ALPHA,
    CHANGED,
    CONTRASTS,
    FALSE,
    MIN_MEAN,
    PANEL_SIZE,
    POWER,
    analyse,
    outcome,
    panel_calls,
    panels_of,
    rate,
    study_of,
)

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.designs import design_of
from fibroserum.de.stage import call_genes
from fibroserum.simulate import Arm, CohortSpec, SimulatedCohort, simulate_cohort
from fibroserum.targets.stage import refit_table, verdict_table
from fibroserum.targets.without_outlier import named_outliers
from sections import took, write_section

GENES = 2000
DONORS = (4, 8, 16)
# panels a cohort whose verdicts are made where genes change; whose outliers are looked for
PANELS, NAMED = 6, 30
OUTLIER_SHARE = 0.1
READING = """\
Outliers cost power and add hardly any error: they inflate dispersions, and a spiked target rarely
passes both models. The outlier rule therefore withdraws few verdicts; what it adds is the donor's
name. The interval of a change is the main model's, which is not protected against a spike: see the
last column of the third table, and read `outlier_donor` before such an interval."""
LIMIT = 0.06


@dataclass(frozen=True)
class Cell:
    """One kind of cohort: complete donors in each of two groups, and what is true."""

    donors: int
    effects: bool
    outliers: bool

    @property
    def spec(self) -> CohortSpec:
        """Return the simulated cohort's specification."""
        spec = CohortSpec(
            arms=(Arm("AT", self.donors), Arm("RT", self.donors, -0.415)),
            incomplete_donors=0,
            genes=GENES,
            arm_only_share=0.05,
            outlier_share=OUTLIER_SHARE if self.outliers else 0.0,
            stimulation_cultures=0,
        )
        return spec if self.effects else spec.null()


def replicate(cell: Cell, seed: int) -> pd.DataFrame:
    """Return what one cohort shows: a row per contrast, columns by measure."""
    simulated = simulate_cohort(cell.spec, seed)
    cohort, fits, tables = analyse(simulated.counts, simulated.samples)
    truth = simulated.truth
    spiked = _spiked(simulated)
    rows = {
        kind: _genome_wide(tables[name], truth[name], spiked[kind])
        for kind, name in CONTRASTS.items()
    }
    panels = panels_of(truth, tables[CONTRASTS["change"]], seed)
    judged = _judged(panels, tables, cell.effects)
    study = study_of(cohort, fits, tables, [gene for panel in panels[:NAMED] for gene in panel])
    named = named_outliers(study)
    every = [gene for place in judged for gene in panels[place]]
    refitted = refit_table(study_of(cohort, fits, tables, every)) if every else None
    flags = {
        place: verdict_table(study_of(cohort, fits, tables, panels[place]), refitted=refitted)[0]
        for place in judged
    }
    for kind, name in CONTRASTS.items():
        plain = [_models(tables[name].loc[panel], truth[name]) for panel in panels]
        found = [_verdicts(flags[place], truth[name], name) for place in judged]
        if not cell.effects:
            # where the models make no call there is no verdict to be false
            found += [{FALSE.format("verdicts"): 0.0}] * (len(panels) - len(judged))
        rows[kind] |= pd.DataFrame(plain).mean().to_dict() | pd.DataFrame(found).mean().to_dict()
        rows[kind] |= _naming(named, name, spiked[kind])
    table = pd.DataFrame([rows[kind] | {"contrast": kind} for kind in CONTRASTS])
    return table.assign(seed=seed, **dataclasses.asdict(cell))


def _judged(panels: list[list[str]], tables: dict[str, pd.DataFrame], effects: bool) -> list[int]:
    """Return which panels are given verdicts: some where genes change, else all that may matter.

    The rules on outliers and small groups only take words back: a panel of unchanged genes for
    which the two models make no call has no false verdict.
    """
    if effects:
        return list(range(min(PANELS, len(panels))))
    return [
        place
        for place, panel in enumerate(panels)
        if any(
            (panel_calls(tables[name].loc[panel])[0] != "none").any() for name in CONTRASTS.values()
        )
    ]


def _spiked(simulated: SimulatedCohort) -> dict[str, pd.Series]:
    """Return by kind of contrast the genes of which a sample that it concerns is spiked."""
    spikes = simulated.outliers
    group_of = simulated.samples.set_index("sample")["group"]
    in_group = spikes["sample"].map(group_of) == "RT"
    return {"change": spikes["gene_id"][in_group], "difference": spikes["gene_id"]}


def _genome_wide(table: pd.DataFrame, truth: pd.Series, spiked: pd.Series) -> dict[str, float]:
    """Return how calls and intervals do over all genes of a contrast."""
    row = outcome(table["call"], truth, "genome-wide calls")
    plain = call_genes(table, ALPHA, main_only=True)
    row |= outcome(plain, truth, "the main model only")
    tested = table.index[table["baseMean"] >= MIN_MEAN]
    own = table.loc[tested]
    inside = own["ci_low"].le(truth[tested]) & own["ci_high"].ge(truth[tested])
    row["coverage"] = inside.mean()
    if len(spiked):
        row["coverage, spiked genes"] = inside[tested.intersection(spiked)].mean()
    return row


def _models(rows: pd.DataFrame, truth: pd.Series) -> dict[str, float]:
    """Return how the models do on one panel when outliers are not looked for."""
    both, alone = panel_calls(rows)
    return outcome(both, truth, "both models") | outcome(alone, truth, "panel, main model")


def _verdicts(flags: pd.DataFrame, truth: pd.Series, contrast: str) -> dict[str, float]:
    """Return how the verdicts on one panel do in one contrast."""
    own = flags[flags["contrast"] == contrast].set_index("target")
    return outcome(own["verdict"], truth, "verdicts")


def _naming(
    named: dict[tuple[str, str], str | None], contrast: str, spiked: pd.Series
) -> dict[str, float]:
    """Return how often a donor is named for a gene of which no sample is spiked, or one is."""
    found = pd.Series({gene: who is not None for (gene, c), who in named.items() if c == contrast})
    hit = found.index.isin(spiked)
    part = {"outliers named where there are none": found[~hit].mean()}
    if hit.any():
        part["outliers named where there are"] = found[hit].mean()
    return part


def plain_pydeseq2(seed: int) -> dict[str, float]:
    """Return the same of stock PyDESeq2 on a cohort of 4 donors per group with effects."""
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    cell = Cell(4, effects=True, outliers=False)
    simulated = simulate_cohort(cell.spec, seed)
    cohort, fits, tables = analyse(simulated.counts, simulated.samples)
    design = design_of(fits["paired"]).matrix
    counts = counts_of(cohort).loc[design.index]
    counts = counts.loc[:, counts.sum() >= 10]
    inference = DefaultInference(n_cpus=1)
    dds = DeseqDataSet(
        counts=counts,
        metadata=cohort.obs.loc[design.index],
        design=design,
        inference=inference,
        quiet=True,
    )
    dds.deseq2()
    found = {}
    for kind, name in CONTRASTS.items():
        vector = np.asarray(fits["paired"].uns["model"]["contrasts"][name])
        stats = DeseqStats(dds, contrast=vector, alpha=ALPHA, inference=inference, quiet=True)
        stats.summary()
        words = call_genes(stats.results_df, ALPHA, main_only=True)
        truth = simulated.truth[name]
        found |= {f"{kind}: {k}": v for k, v in outcome(words, truth, "PyDESeq2").items()}
        ours = outcome(tables[name]["call"], truth, "calls")
        found |= {f"{kind}: {k}": v for k, v in ours.items()}
    return found


def cells() -> list[Cell]:
    """Return every kind of cohort of the study."""
    kinds = [(False, False), (True, False), (False, True), (True, True)]
    return [Cell(donors, *kind) for donors in DONORS for kind in kinds]


def study(cohorts: int, processes: int) -> pd.DataFrame:
    """Return one row per cohort and contrast, with the columns of `replicate`."""
    jobs = [(cell, seed) for cell in cells() for seed in range(cohorts)]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(replicate, *zip(*jobs, strict=True), chunksize=4))
    return pd.concat(parts, ignore_index=True)


def _table(result: pd.DataFrame, measures: dict[str, str]) -> list[str]:
    """Return a Markdown table: a row per kind of cohort and contrast; measures: title to column."""
    lines = [f"| donors per group | effects | outliers | contrast | {' | '.join(measures)} |"]
    lines.append("| --- " * (4 + len(measures)) + "|")
    keys = ["donors", "outliers", "effects", "contrast"]
    for (donors, outliers, effects, contrast), rows in result.groupby(keys):
        shown = [rate(rows[column]) if column in rows else "" for column in measures.values()]
        words = ["yes" if yes else "no" for yes in (effects, outliers)]
        lines.append(f"| {donors} | {' | '.join([*words, contrast, *shown])} |")
    return [*lines, ""]


def markdown(result: pd.DataFrame, plain: pd.DataFrame, cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    named = "outliers named where there are"
    text = [
        "## Target verdicts",
        "",
        f"`benchmarks/calibrate_targets.py`, {cohorts} cohorts per row, seeds 0 to {cohorts - 1}; "
        f"means ± standard errors between cohorts. Two groups, {GENES} genes, donor effects, genes "
        f"correlated within modules; with effects, 5 % of the genes change in one group only by "
        f"0.4 to 1 log2; with outliers, one sample of {OUTLIER_SHARE * 100:g} % of the genes is "
        f"multiplied by 16. Verdicts: panels of {PANEL_SIZE} targets, disjoint in a cohort; with "
        f"effects {CHANGED} of them change, and {PANELS} panels per cohort are used; without "
        f"effects, all. False share: mean of V / max(R, 1) at {ALPHA:g}; a call with the wrong "
        "sign counts as false. Without effects it is the probability of any call among the "
        f"{PANEL_SIZE}. The columns without the outlier rule, which can only withdraw verdicts, "
        "use all panels.",
        "",
        f"Largest mean false share of any row: verdicts {largest(result, 'verdicts')}; genome-wide "
        f"calls {largest(result, 'genome-wide calls')}.",
        "",
        READING,
        "",
        "**Verdicts**",
        "",
        *_table(
            result,
            {
                "false share": FALSE.format("verdicts"),
                "power": POWER.format("verdicts"),
                "false share, no outlier rule": FALSE.format("both models"),
                "power, no outlier rule": POWER.format("both models"),
                "false share, main model only": FALSE.format("panel, main model"),
            },
        ),
        "**Outlier rule**: how often a donor is named for a target and contrast",
        "",
        *_table(
            result,
            {"no sample spiked": f"{named} none", "one sample spiked": named},
        ),
        "**Genome-wide calls and 95 % intervals** (coverage: genes of base mean at least "
        f"{MIN_MEAN:g})",
        "",
        *_table(
            result,
            {
                "false share": FALSE.format("genome-wide calls"),
                "power": POWER.format("genome-wide calls"),
                "false share, main model only": FALSE.format("the main model only"),
                "power, main model only": POWER.format("the main model only"),
                "coverage": "coverage",
                "coverage, spiked genes": "coverage, spiked genes",
            },
        ),
        f"**Compared with PyDESeq2** ({len(plain)} of the cohorts with 4 donors per group, "
        "effects, no outliers)",
        "",
        "| contrast | false share, PyDESeq2 | false share, calls | power, PyDESeq2 "
        "| power, calls |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in CONTRASTS:
        columns = [
            f"{kind}: {m.format(of)}" for m in (FALSE, POWER) for of in ("PyDESeq2", "calls")
        ]
        text.append(f"| {kind} | {' | '.join(rate(plain[column]) for column in columns)} |")
    return "\n".join(text)


def largest(result: pd.DataFrame, of: str) -> str:
    """Return the largest mean false share of a kind of calls, with its error, and where it is."""
    column = FALSE.format(of)
    keys = ["donors", "outliers", "effects", "contrast"]
    where = result.groupby(keys)[column].mean().idxmax()
    own = result[(result[keys] == list(where)).all(axis=1)]
    donors, outliers, effects, contrast = where
    said = f"{contrast}, {donors} donors per group, {'effects' if effects else 'no effects'}"
    return f"{rate(own[column])} ({said}{', outliers' if outliers else ''})"


def finding(result: pd.DataFrame) -> str:
    """Return what the study shows, made from its figures."""
    keys = ["donors", "outliers", "effects", "contrast"]
    means = result.groupby(keys)[FALSE.format("verdicts")].mean()
    over = int((means > LIMIT).sum())
    held = f"{over} of {len(means)} rows are above {LIMIT:g}" if over else "no row is above 0.06"
    cover = result.groupby(keys)["coverage"].mean()
    spiked = result.groupby(["donors", "contrast"])["coverage, spiked genes"].mean().dropna()
    short = [
        f"{value:.2f} ({contrast}, {donors} donors per group)"
        for (donors, contrast), value in spiked.items()
        if value < 0.93
    ]
    plain = cover.xs(False, level="outliers")
    spoilt = cover.xs(True, level="outliers")
    text = (
        f"the mean false share of verdicts is at most {largest(result, 'verdicts')}; {held}. "
        f"95 % intervals cover {plain.min():.3f} to {plain.max():.3f} without outliers and "
        f"{spoilt.min():.3f} to {spoilt.max():.3f} with, over all genes"
    )
    return (
        f"{text}; for spiked genes by themselves coverage is too low: {', '.join(short)}."
        if short
        else f"{text}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=12)
    parser.add_argument("--plain", type=int, default=12, help="cohorts for stock PyDESeq2")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    result = study(asked.cohorts, asked.processes)
    with ProcessPoolExecutor(asked.processes) as pool:
        plain = pd.DataFrame(pool.map(plain_pydeseq2, range(asked.plain)))
    section = markdown(result, plain, asked.cohorts)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(result))


if __name__ == "__main__":
    main()
