"""How often is a molecule falsely claimed to change, to be associated with a target, or both?

    python benchmarks/calibrate_serum_panel.py --write docs/calibration.md

Cohorts of two groups are drawn: log2 levels of molecules that correlate and have heavy tails, and
counts of genes. In RT some molecules fall without effect, some do not change and targets follow
them, one does both. False discovery proportions are means over cohorts of false calls over calls.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.input.serum_panel import SerumPanel
from fibroserum.serum_panel.candidates import candidates_of
from fibroserum.serum_panel.changes import changes_of, with_calls
from fibroserum.serum_panel.levels import contrast_values
from fibroserum.serum_panel.target_slopes import slopes_at
from sections import took, write_section

ALPHA = 0.05
MOLECULES, GENES, TARGETS = 20, 150, 6
GROUPS = ("AT", "RT")
SETTINGS = {
    "groups": list(GROUPS),
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
    "targets": {f"g{n}": f"g{n}" for n in range(TARGETS)},
}
#: Molecules by what they do: fall in RT only; go with the first two targets alone; both; nothing.
FALLS, GOES, BOTH = range(3), range(3, 6), range(6, 7)
FOLLOWERS = range(2)
CLAIMS = ("change in RT", "difference", "slope", "candidate")


@dataclass(frozen=True)
class Cell:
    """donors: a group's. ratio: of the variance in RT over that in AT, of levels and of genes.

    signal: False draws cohorts in which nothing is true but that the group's other genes respond:
    every target changes in RT, and every molecule does, without any slope.
    """

    donors: int
    ratio: float
    signal: bool = True


def draw(cell: Cell, seed: int) -> tuple[SerumPanel, pd.DataFrame, pd.DataFrame]:
    """Return a panel, counts (samples × genes) and their samples."""
    rng = np.random.default_rng([seed, cell.donors, int(cell.ratio), cell.signal])
    rows, levels, means = [], [], []
    # what goes with a target correlates with nothing that does not: all other slopes are 0
    loading = rng.normal(0, 0.5, (3, MOLECULES))
    apart = np.isin(np.arange(MOLECULES), [*GOES, *BOTH])
    loading[0, ~apart] = loading[1:, apart] = 0.0
    size = np.sqrt(0.15 * 6 / rng.chisquare(6, MOLECULES))
    base, gene_sd = rng.uniform(5, 11, GENES), np.sqrt(0.02 * 8 / rng.chisquare(8, GENES))
    shared = rng.normal(0, 0.1, (2, GENES))
    fall, slope = np.zeros(MOLECULES), np.zeros((MOLECULES, GENES))
    if cell.signal:
        fall[[*FALLS, *BOTH]] = -2.0 * size[[*FALLS, *BOTH]]
        for molecule in (*GOES, *BOTH):
            slope[molecule, list(FOLLOWERS)] = rng.choice([-1, 1]) * 0.6 / size[molecule] * 0.3
    else:
        fall[:] = -2.0 * size
    for group in GROUPS:
        spread = np.sqrt(cell.ratio) if group == "RT" else 1.0
        for number in range(cell.donors):
            tails = rng.standard_t(5, MOLECULES) / np.sqrt(5 / 3)
            change = spread * size * (rng.normal(size=3) @ loading + 0.7 * tails)
            response = spread * (gene_sd * rng.normal(size=GENES) + rng.normal(size=2) @ shared)
            response = response + change @ slope
            if not cell.signal and group == "RT":
                response[:TARGETS] += 0.5
            change = change + fall * (group == "RT")
            start, own = rng.normal(8, 1, MOLECULES), base + rng.normal(0, 0.3, GENES)
            for time_point, weight in (("pre", 0.0), ("post", 1.0)):
                rows.append((f"{group}{number:02d}", group, time_point))
                levels.append(start + weight * change)
                means.append(np.exp2(own + weight * response))
    obs = pd.DataFrame(rows, columns=["donor", "group", "time"]).assign(used_for="change")
    values = pd.DataFrame(levels).rename(columns=lambda n: f"m{n}")
    # one level in twenty is missing
    values = values.mask(rng.random(values.shape) < 0.05)
    depth = np.exp(rng.normal(0, 0.2, len(rows)))[:, None]
    counts = rng.poisson(rng.gamma(50.0, np.array(means) * depth / 50.0))
    genes = [f"g{n}" for n in range(GENES)]
    names = pd.Index([f"s{n:03d}" for n in range(len(rows))])
    panel = SerumPanel(obs[["donor", "group", "time"]], values, values.isna() & False, "log2")
    return panel, pd.DataFrame(counts, names, genes), obs.set_index(names)


def claims(cell: Cell, seed: int) -> dict[str, tuple[int, int, int]]:
    """Return false calls, calls and truths found, by claim, of one cohort."""
    panel, counts, obs = draw(cell, seed)
    contrasts = {c.name: c for c in contrasts_of(list(GROUPS), "pre", "post")}
    own: dict[str, Contrast] = {
        "change in RT": contrasts["RT_post_vs_pre"],
        "difference": contrasts["RT_vs_AT_change"],
    }
    changes = {
        name: with_calls(changes_of(contrast_values(panel, contrast, SETTINGS)), ALPHA)
        for name, contrast in own.items()
    }
    kept = pd.Series(True, counts.columns)
    slopes = slopes_at(panel, counts, obs, SETTINGS, "post", kept, {})
    nothing = pd.DataFrame({"gene_id": counts.columns, "log2FoldChange": 0.0, "padj": 1.0})
    found = candidates_of(own["change in RT"], changes["change in RT"], slopes, nothing, ALPHA)
    number = found["molecule"].str.removeprefix("m").astype(int)
    follows = found["gene_id"].isin([f"g{n}" for n in FOLLOWERS])
    truth = {
        "slope": number.isin([*GOES, *BOTH]) & follows & cell.signal,
        "candidate": number.isin(BOTH) & follows & cell.signal,
    }
    called = {"slope": slopes["padj"] < ALPHA, "candidate": found["call"] == "candidate"}
    falls = np.isin(np.arange(MOLECULES), [*FALLS, *BOTH]) | (not cell.signal)
    for name, table in changes.items():
        truth[name] = pd.Series(falls, table.index)
        called[name] = table["call"].isin(["up", "down"])
    return {
        name: (
            int((called[name] & ~truth[name]).sum()),
            int(called[name].sum()),
            int((called[name] & truth[name]).sum()),
        )
        for name in CLAIMS
    }


def proportions(cell: Cell, seeds: range) -> dict[str, tuple[float, float, float]]:
    """Return by claim the mean false discovery proportion, its standard error, and calls found."""
    found = [claims(cell, seed) for seed in seeds]
    out = {}
    for name in CLAIMS:
        share = np.array([wrong / max(calls, 1) for wrong, calls, _ in (f[name] for f in found)])
        error = float(share.std(ddof=1) / np.sqrt(len(share)))
        out[name] = (float(share.mean()), error, float(np.mean([f[name][2] for f in found])))
    return out


CELLS = [
    Cell(n, ratio, signal) for signal in (True, False) for n in (6, 10, 28) for ratio in (1, 4)
]


def section(cells: dict[Cell, dict[str, tuple[float, float, float]]], cohorts: int) -> str:
    """Return the study's section of the page."""
    lines = [
        "## Serum panel",
        "",
        f"{cohorts} cohorts per row, {MOLECULES} molecules, {TARGETS} targets, {GENES} genes. "
        "False discovery proportion (its standard error) at a nominal 0.05; in brackets, the true "
        "effects found in a cohort. *Response alone*: every molecule falls and every target rises "
        "in RT, and no target is associated with a molecule.",
        "",
        "| donors per group | variance RT / AT | cohort | " + " | ".join(CLAIMS) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in CLAIMS) + " |",
    ]
    for cell, found in cells.items():
        words = "signal" if cell.signal else "response alone"
        numbers = [
            f"{share:.3f} ({error:.3f}) [{true:.1f}]" for share, error, true in found.values()
        ]
        lines.append(f"| {cell.donors} | {cell.ratio:g} | {words} | " + " | ".join(numbers) + " |")
    return "\n".join(lines)


def finding(cells: dict[Cell, dict[str, tuple[float, float, float]]]) -> str:
    """Return what the study shows."""
    worst = max(share for found in cells.values() for share, _, _ in found.values())
    above = sum(
        share > ALPHA + 2 * error for found in cells.values() for share, error, _ in found.values()
    )
    return (
        f"changes, slopes and candidates of a serum panel: the largest false discovery proportion "
        f"is {worst:.3f}; {above} of {len(cells) * len(CLAIMS)} are above 0.05 by more than two "
        "standard errors."
    )


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    start, seeds = time.monotonic(), range(args.cohorts)
    with ProcessPoolExecutor(args.jobs) as pool:
        found = dict(zip(CELLS, pool.map(proportions, CELLS, [seeds] * len(CELLS)), strict=True))
    text = section(found, args.cohorts)
    print(text, finding(found), took(start), sep="\n\n")
    if args.write:
        write_section(args.write, text, finding(found))


if __name__ == "__main__":
    main()
