"""What if the donors of one group respond more unequally than those of the other?

    python benchmarks/calibrate_spread.py --write docs/calibration.md

Cohorts of two arms in which every gene's change varies between the donors of one arm, of both
alike, or of none. The second opinion gives each group a residual variance of its own where the
groups' spreads differ genome-wide; the same model with one variance for both stands beside it.
Errors are standard errors between cohorts.
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

import anndata as ad
import numpy as np
import pandas as pd
from target_cohorts import ALPHA, CONTRASTS, analyse, outcome, panels_of, rate

from fibroserum import linear
from fibroserum.de.stage import call_genes
from fibroserum.de.stored_fit import linear_model_of
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.simulate import Arm, CohortSpec, simulate_cohort
from sections import took, write_section

GENES = 2000
DONORS = (4, 8, 16)
MIN_MEAN = 10.0
#: sd between donors of a change of their own in every gene, log2: AT, RT
SPREADS = {
    "equal": (0.0, 0.0),
    "RT": (0.0, 0.4),
    "AT": (0.4, 0.0),
    "both": (0.4, 0.4),
}
NAMES = {"change": CONTRASTS["change"], "difference": CONTRASTS["difference"]}


READING = """\
With one variance for both arms, the change of the arm that spreads more is called too often, and
both models err together, for they share the assumption. Where the other arm spreads more, it
costs power instead. Differences between arms of one size are hardly touched. The main model's
interval stays as it is: a ratio above 1 says that it is too narrow."""


@dataclass(frozen=True)
class Cell:
    """One kind of cohort: donors an arm, whose changes spread, same donors in both arms or not."""

    donors: int
    spread: str
    effects: bool
    crossover: bool = False

    @property
    def spec(self) -> CohortSpec:
        """Return the simulated cohort's specification."""
        sd = SPREADS[self.spread]
        spec = CohortSpec(
            arms=(Arm("AT", self.donors, 0.0, sd[0]), Arm("RT", self.donors, 0.0, sd[1])),
            incomplete_donors=0,
            crossover=self.crossover,
            genes=GENES,
            arm_only_share=0.05,
            stimulation_cultures=0,
        )
        return spec if self.effects else spec.null()


def replicate(cell: Cell, seed: int) -> pd.DataFrame:
    """Return what one cohort shows: a row per contrast, columns by measure."""
    simulated = simulate_cohort(cell.spec, seed)
    _, fits, tables = analyse(simulated.counts, simulated.samples, crossover=cell.crossover)
    fit = fits["paired"]
    one_variance = _one_variance(fit)
    panels = panels_of(simulated.truth, tables[CONTRASTS["change"]], seed)
    rows = []
    for kind, name in NAMES.items():
        truth, table = simulated.truth[name], tables[name]
        pooled = table.assign(
            second_pvalue=one_variance[name].reindex(table.index),
        ).pipe(_called)
        own = table[table["baseMean"] >= MIN_MEAN]
        null = own[(truth[own.index] == 0) & own["second_pvalue"].notna()]
        inside = own["ci_low"].le(truth[own.index]) & own["ci_high"].ge(truth[own.index])
        row: dict[str, object] = {
            "contrast": kind,
            "spread ratio": fit.uns["model"]["spread_ratio"][name],
            "coverage": inside.mean(),
            "level, main": (null["pvalue"] < ALPHA).mean(),
            "level, used": (null["second_pvalue"] < ALPHA).mean(),
            "level, pooled": (pooled.loc[null.index, "second_pvalue"] < ALPHA).mean(),
        }
        for label, words in (("used", table), ("pooled", pooled)):
            found = outcome(words["call"], truth, "call")
            row |= {f"{measure}, {label}": value for measure, value in found.items()}
            each = pd.DataFrame(
                [outcome(_called(words.loc[p], panel=True)["call"], truth, "panel") for p in panels]
            ).mean()
            row |= {f"{measure}, {label}": value for measure, value in each.items()}
        rows.append(row)
    return pd.DataFrame(rows).assign(seed=seed, **dataclasses.asdict(cell))


def _one_variance(fit: ad.AnnData) -> dict[str, pd.Series]:
    """Return voom's p values with one residual variance for both groups, by contrast."""
    noted = fit.uns["model"]
    never = pd.Series(False, index=fit.var_names)
    voom = linear_model_of(fit, never, 1)
    return {
        name: linear.moderated_t(voom, np.asarray(noted["contrasts"][name]))["pvalue"]
        for name in NAMES.values()
    }


def _called(table: pd.DataFrame, *, panel: bool = False) -> pd.DataFrame:
    """Return a table with its second adjusted p values, and calls, made anew; panel: both."""
    out = table.assign(second_padj=benjamini_hochberg(table["second_pvalue"].to_numpy(float)))
    if panel:
        out["padj"] = benjamini_hochberg(out["pvalue"].to_numpy(float))
    return out.assign(call=call_genes(out, ALPHA, main_only=False))


def cells() -> list[Cell]:
    """Return every kind of cohort of the study."""
    found = [
        Cell(donors, spread, effects)
        for donors in DONORS
        for spread in SPREADS
        for effects in (False, True)
    ]
    return found + [Cell(8, spread, False, crossover=True) for spread in SPREADS]


def study(cohorts: int, processes: int) -> pd.DataFrame:
    """Return one row per cohort and contrast, with the columns of `replicate`."""
    jobs = [(cell, seed) for cell in cells() for seed in range(cohorts)]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(replicate, *zip(*jobs, strict=True), chunksize=4))
    return pd.concat(parts, ignore_index=True)


def _table(result: pd.DataFrame, measures: dict[str, str]) -> list[str]:
    """Return a Markdown table: a row per kind of cohort and contrast; measures: title to column."""
    lines = [f"| design | donors an arm | spread | contrast | {' | '.join(measures)} |"]
    lines.append("| --- " * (4 + len(measures)) + "|")
    keys = ["crossover", "donors", "spread", "contrast"]
    for (crossover, donors, spread, contrast), rows in result.groupby(keys, sort=False):
        shown = [rate(rows[column]) for column in measures.values()]
        design = "crossover" if crossover else "parallel"
        lines.append(f"| {design} | {donors} | {spread} | {contrast} | {' | '.join(shown)} |")
    return [*lines, ""]


def markdown(result: pd.DataFrame, cohorts: int) -> str:
    """Return the section of docs/calibration.md."""
    null, true = result[~result["effects"]], result[result["effects"]]
    equal = result[result["spread"].isin(["equal", "both"])]["spread ratio"]
    text = [
        "## Unequal spread",
        "",
        f"`benchmarks/calibrate_spread.py`, {cohorts} cohorts a row, seeds 0 to {cohorts - 1}; "
        f"means ± standard errors between cohorts. Two arms, {GENES} genes; *spread* names the arm "
        "in which every gene's change varies between donors besides, with a standard deviation of "
        "0.4 log2 (in none: equal). *change* is that of RT. *used* is the second opinion as "
        "it is, with a residual variance for each group where a ratio is beyond "
        f"{linear.UNEQUAL}; *pooled* the same with one for both always. Level: share of unchanged "
        "genes with p < 0.05. A panel holds 12 genes, with "
        "effects 4 of them changed, judged by both models without the outlier rule; false share "
        "without effects: chance of any call.",
        "",
        READING,
        "",
        f"Ratios of cohorts whose arms spread equally lay between {equal.min():.2f} and "
        f"{equal.max():.2f}.",
        "",
        "**Levels and intervals** (no effects; interval: the main model's, nominal 95 %)",
        "",
        *_table(
            null,
            {
                "spread ratio": "spread ratio",
                "interval covers": "coverage",
                "level, main model": "level, main",
                "level, pooled": "level, pooled",
                "level, used": "level, used",
                "false share of panels, pooled": "false share of panel, pooled",
                "false share of panels, used": "false share of panel, used",
            },
        ),
        "**With effects**",
        "",
        *_table(
            true,
            {
                f"{measure} of {what}s, {label}": f"{measure} of {what}, {label}"
                for what in ("panel", "call")
                for measure in ("false share", "power")
                for label in ("pooled", "used")
            },
        ),
    ]
    return "\n".join(text).rstrip("\n")


def finding(result: pd.DataFrame) -> str:
    """Return what the study shows, made from its figures."""
    null = result[(result["contrast"] == "change") & ~result["effects"] & ~result["crossover"]]
    more = null[null["spread"] == "RT"].groupby("donors").mean(numeric_only=True)
    alike = result[(result["spread"] == "equal") & (result["contrast"] == "change")]
    power = alike[alike["effects"]].groupby("donors").mean(numeric_only=True)
    lost = power["power of panel, pooled"] - power["power of panel, used"]

    def span(name: str) -> str:
        return f"{more[name].min():.3f} to {more[name].max():.3f}"

    own, pooled = (span(f"false share of panel, {which}") for which in ("used", "pooled"))
    return (
        "where nothing changes, the share of panels with a false call of the arm that spreads more "
        f"is {own} ({pooled} with one variance for both); the main model's 95 % interval covers "
        f"{span('coverage')} there, which `spread_ratio` says; where arms spread equally, "
        f"{max(lost.max(), 0):.3f} of the panels' power is lost at most."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=6)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    result = study(asked.cohorts, asked.processes)
    section = markdown(result, asked.cohorts)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(result))


if __name__ == "__main__":
    main()
