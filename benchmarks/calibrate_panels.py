"""Are claims about several groups or contrasts right: the pattern `specific`, headlines?

    python benchmarks/calibrate_panels.py                         # half an hour on one core
    python benchmarks/calibrate_panels.py --write docs/calibration.md

Cohorts of two groups from an independent generator: gamma-Poisson counts, donors' levels with sd
0.4 log2, dispersions 0.03 + 1 / mean with log-normal scatter. Numbers of cohorts and seeds are
fixed in panels_plan.tsv. Each cohort's rows are appended to build/panels.tsv as it ends, and a
study that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

# before numpy: sums must not depend on the number of threads
os.environ.update(dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "1"))

import numpy as np
import pandas as pd
from target_cohorts import ALPHA, MIN_MEAN, PANEL_SIZE, analyse, panel_calls, rate, study_of

from fibroserum.targets.headlines import headline_padj
from fibroserum.targets.stage import patterns, refit_table, verdict_table
from fibroserum.targets.verdict import Rule
from sections import took, write_section

HERE = Path(__file__).parent
GENES = 1500
# of a panel: RT only changes; AT changes too, by `ratio` of RT's; both by as much; the rest do not
ALONE, SHARED, BOTH = 2, 2, 1
PANELS = 8
MAYBE_HALF = "may be half as large"


def draw(donors: int, ratio: float, seed: int, *, changed: bool) -> tuple[pd.DataFrame, ...]:
    """Return counts (samples × genes), the sheet, and each gene's log2 change in AT and RT."""
    rng = np.random.default_rng(seed)
    genes = [f"G{n:04d}" for n in range(GENES)]
    mean = np.exp(rng.normal(5.5, 1.2, GENES))
    dispersion = (0.03 + 1 / mean) * np.exp(rng.normal(0, 0.5, GENES))
    truth = pd.DataFrame(0.0, index=genes, columns=["AT", "RT"])
    if changed:
        sizes = rng.uniform(0.4, 1, GENES) * rng.choice([-1, 1], GENES)
        kind = rng.permutation(
            np.repeat(["alone", "shared", "both", ""], [60, 60, 30, GENES - 150])
        )
        truth["RT"] = np.where(kind != "", sizes, 0.0)
        share = pd.Series(kind).map({"alone": 0.0, "shared": ratio, "both": 1.0, "": 0.0})
        truth["AT"] = truth["RT"] * share.to_numpy()
        truth["kind"] = kind
    counts, rows = [], []
    for group in ("AT", "RT"):
        for n in range(donors):
            level = rng.normal(0, 0.4, GENES)
            for time_ in ("pre", "post"):
                log2 = level + truth[group].to_numpy() * (time_ == "post")
                own = mean * 2**log2 * np.exp(rng.normal(0, 0.3))
                counts.append(rng.poisson(own * rng.gamma(1 / dispersion, dispersion)))
                rows.append((f"{group}{n}_{time_}", f"{group}{n}", group, time_))
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "timepoint"])
    return pd.DataFrame(counts, index=sheet["sample"], columns=genes), sheet, truth


def _usable(table: pd.DataFrame) -> pd.Index:
    """Return the genes that both models test and that are well counted."""
    return table.index[table["second_pvalue"].notna() & (table["baseMean"] >= MIN_MEAN)]


def specific(donors: int, ratio: float, seed: int) -> dict[str, float]:
    """Return how one cohort's panels of targets do, over all rules of the verdicts.

    For comparison, the same rule without the test of half the change.
    """
    counts, sheet, truth = draw(donors, ratio, seed, changed=True)
    cohort, fits, tables = analyse(counts, sheet)
    usable = _usable(tables["RT_post_vs_pre"])
    rng = np.random.default_rng(seed)
    by_kind = {
        kind: list(rng.permutation(usable[truth.loc[usable, "kind"] == kind]))
        for kind in ("alone", "shared", "both", "")
    }
    counted = {"alone": ALONE, "shared": SHARED, "both": BOTH}
    counted[""] = PANEL_SIZE - sum(counted.values())
    panels = [
        [gene for kind, size in counted.items() for gene in by_kind[kind][n * size :][:size]]
        for n in range(PANELS)
    ]
    refitted = refit_table(study_of(cohort, fits, tables, [g for panel in panels for g in panel]))
    rows = []
    for panel in panels:
        study = study_of(cohort, fits, tables, panel)
        verdicts = verdict_table(study, refitted=refitted)[0].assign(start="")
        found = patterns(study, verdicts).set_index("target")
        now = found["pattern"] == "specific"
        before = now | found["sentence"].str.contains(MAYBE_HALF, regex=False)
        kind = truth.loc[found.index, "kind"]
        # right only where one group alone changes, and it is the one that is named
        right = (kind == "alone") & (found["specific_to"].fillna("RT") == "RT")
        row = {}
        for name, said in (("", now), ("before: ", before)):
            row |= {
                f"{name}false share": (said & ~right).sum() / max(said.sum(), 1),
                f"{name}power": (said & right).sum() / ALONE,
                f"{name}said": said.sum(),
                f"{name}false": (said & ~right).sum(),
                f"{name}shared": (said & (kind == "shared")).sum() / SHARED,
            }
        rows.append(row)
    return pd.DataFrame(rows).mean().to_dict()


def unchanged(donors: int, ratio: float, seed: int) -> dict[str, float]:
    """Return the share of panels of unchanged targets with any call, and with any headline.

    Over the five contrasts, without the rules on single donors, which only take calls back.
    """
    counts, sheet, _ = draw(donors, ratio, seed, changed=False)
    _, _, tables = analyse(counts, sheet, models=("paired", "baseline"))
    usable = _usable(tables["RT_post_vs_pre"]).intersection(_usable(tables["RT_vs_AT_pre"]))
    genes = np.random.default_rng(seed).permutation(usable)
    panels = genes[: len(genes) // PANEL_SIZE * PANEL_SIZE].reshape(-1, PANEL_SIZE)
    rows = []
    for panel in panels:
        own = {name: table.loc[panel] for name, table in tables.items()}
        called = {name: panel_calls(table)[0] != "none" for name, table in own.items()}
        numbers = pd.concat([t.assign(contrast=name) for name, t in own.items()], ignore_index=True)
        words = np.concatenate([called[name].to_numpy() for name in own])
        headlines = words & (headline_padj(numbers, Rule(ALPHA)) < ALPHA)
        rows.append(
            {
                "one contrast": np.mean([own.any() for own in called.values()]),
                "any contrast": words.any(),
                "headline": headlines.any(),
            }
        )
    return pd.DataFrame(rows).mean().to_dict()


def study(kept: Path) -> pd.DataFrame:
    """Return a row per cohort and measure; cohorts that `kept` holds are not drawn again."""
    plan = pd.read_csv(HERE / "panels_plan.tsv", sep="\t")
    keys = ["study", "donors", "ratio", "seed"]
    done = set()
    if kept.exists():
        done = set(pd.read_csv(kept, sep="\t")[keys].itertuples(index=False, name=None))
    kept.parent.mkdir(parents=True, exist_ok=True)
    for row in _interleaved(plan):
        if tuple(row[key] for key in keys) in done:
            continue
        found = {"specific": specific, "unchanged": unchanged}[row["study"]](
            row["donors"], row["ratio"], row["seed"]
        )
        table = pd.DataFrame([row | {"measure": name, "value": v} for name, v in found.items()])
        table.to_csv(kept, sep="\t", index=False, mode="a", header=not kept.exists())
    return pd.read_csv(kept, sep="\t")


def _interleaved(plan: pd.DataFrame) -> Iterator[dict[str, float | str]]:
    """Yield the cohorts of all rows in turn: a study that is stopped has some of each."""
    for n in range(int(plan["cohorts"].max())):
        for row in plan.to_dict("records"):
            if n < row["cohorts"]:
                yield {key: row[key] for key in ("study", "donors", "ratio")} | {
                    "seed": row["first_seed"] + n
                }


def markdown(result: pd.DataFrame) -> str:
    """Return the section of docs/calibration.md."""
    cells = result.pivot_table(
        index=["study", "donors", "ratio", "seed"], columns="measure", values="value"
    )
    text = [
        "## Panels over groups and contrasts",
        "",
        "`benchmarks/calibrate_panels.py`: an independent generator (gamma-Poisson counts, donors' "
        f"levels with sd 0.4 log2), {GENES} genes, two groups; cohorts and seeds as in "
        "`benchmarks/panels_plan.tsv`; means ± standard errors between cohorts.",
        "",
        f"**`specific`**, panels of {PANEL_SIZE} targets: {ALONE} change in RT only by 0.4 to 1 "
        f"log2, {SHARED} also in AT by *ratio* of that, {BOTH} equally in both. Every claim on "
        "other targets than those of RT only counts as false, so with a ratio below a half a claim "
        "can be true (less than half) and still count as false. In parentheses: without the test "
        "of half the change, on the same data.",
        "",
        "| donors per group | ratio | false share per panel | false of all | power | called of "
        "those that share |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (donors, ratio), rows in cells.loc["specific"].groupby(["donors", "ratio"]):
        shown = [
            f"{rate(rows[name])} ({rate(rows[f'before: {name}'])})"
            for name in ("false share", "power", "shared")
        ]
        of_all = [
            f"{rows[f'{p}false'].sum() / max(rows[f'{p}said'].sum(), 1e-9):.2f}"
            for p in ("", "before: ")
        ]
        parts = [shown[0], f"{of_all[0]} ({of_all[1]})", *shown[1:]]
        text.append(f"| {donors} | {ratio:g} | {' | '.join(parts)} |")
    text += [
        "",
        f"**Headlines**: share of panels of {PANEL_SIZE} unchanged targets with a false call",
        "",
        "| donors per group | in one contrast | in any of five | headline in any |",
        "| --- | --- | --- | --- |",
    ]
    for donors, rows in cells.loc["unchanged"].groupby("donors"):
        columns = ("one contrast", "any contrast", "headline")
        text.append(f"| {donors} | {' | '.join(rate(rows[name]) for name in columns)} |")
    return "\n".join(text)


def finding(result: pd.DataFrame) -> str:
    """Return what the study shows, made from its figures."""
    means = result.groupby(["study", "measure", "ratio", "donors"])["value"].mean()
    null = means.loc["unchanged"].groupby("measure").agg(["min", "max"])
    share, power = (means.loc["specific", name] for name in ("false share", "power"))
    return (
        f"of panels of {PANEL_SIZE} unchanged targets {null.loc['any contrast', 'min']:.3f} to "
        f"{null.loc['any contrast', 'max']:.3f} have a false call in some contrast and "
        f"{null.loc['headline', 'min']:.3f} to {null.loc['headline', 'max']:.3f} a headline. If "
        "the other group changes half as much, the false share of `specific` is at most "
        f"{share.loc[0.5].max():.3f}; if it changes a third as much (less than half, but counted "
        f"as false), {share.loc[0.35].max():.3f}. Its power is {power.min():.2f} to "
        f"{power.max():.2f}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kept", type=Path, default=Path("build/panels.tsv"))
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    result = study(asked.kept)
    section = markdown(result)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(result))


if __name__ == "__main__":
    main()
