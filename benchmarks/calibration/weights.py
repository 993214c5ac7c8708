"""The section of docs/calibration.md on weights of pairs and of hypotheses, from the results.

python benchmarks/calibration/weights.py build/calibration.tsv --panel build/panel_variance.tsv
    --write docs/calibration.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd

from calibration.judging import Figure, figures
from calibration.plan import Row, read_plan
from calibration.results import long_table, read
from sections import write_section

VARIANTS = ("without both", "without other_contrast", "without quality", "all")
FAMILIES = ("h", "poor", "module-one", "strong", "plasmode")
#: and, of the other settings, these
ROWS = ("base-n10", "1a-n10", "1d-n10", "2a-n10", "3-n10", "3v20", "7-4v20", "three")
INTRODUCTION = """## Weights

Calls without weights, with weights of pairs (`quality`), with weights of genes' hypotheses from
the other group, and with both, on the same cohorts of `benchmarks/calibration/plan.toml`: mean
false discovery proportion ± standard error / power; if nothing is true, the share of cohorts
with any call. An empty column means that the variant was not run."""
PANEL = """### A declared gene's variance

`benchmarks/calibrate_panel_variance.py`: panels of 12 targets, of which some change in both
groups by 0.15 × √(28 / donors) log2 (0 changed: the difference between the groups). The table
compares the verdicts' rule with the second model's moderated variance and with the gene's own
variance: false discovery proportion ± standard error over cohorts of 20 panels / power. A quiet
target has dispersion 0.02, a typical one the dispersion of the other genes (0.03), and a variable
one twice that. The gene's own variance gains 0.01 to 0.03 of power for quiet targets from 28 donors
per group on, gains nothing for typical targets, and loses much power with fewer donors. Verdicts
therefore use the moderated variance. The cost: up to 0.11 instead of 0.05 of the verdicts are
false for targets that vary twice as much as other genes at their expression."""


def main() -> None:
    """Write the section, or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    lines = [line for path in asked.results for line in read(path)]
    wanted = long_table(lines, {"fdp", "any", "power"})
    text = f"{INTRODUCTION}\n\n{weights_table(figures(wanted), read_plan().by_name)}"
    if asked.panel:
        text += f"\n\n{PANEL}\n\n{panel_table(pd.read_csv(asked.panel, sep=chr(9)))}"
    if asked.write:
        write_section(asked.write, text)
    else:
        print(text)


def weights_table(found: list[Figure], rows: dict[str, Row]) -> str:
    """Return the table of the rows about weights: a line a setting and contrast."""
    by_key = {(f.row, f.kind, f.variant, f.measure): f for f in found}
    lines = [
        "| setting | donors | contrast | cohorts | neither | pairs | hypotheses | both |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.values():
        if not row.family.startswith(FAMILIES) and row.name not in ROWS:
            continue
        kinds = dict.fromkeys(f.kind for f in found if f.row == row.name and f.variant == "all")
        for kind in kinds:
            cells = [_cell(by_key, row, kind, variant) for variant in VARIANTS]
            number = by_key[row.name, kind, "all", "fdp"].cohorts
            donors = " + ".join(map(str, row.donors.values()))
            lines.append(f"| {row.title} | {donors} | {kind} | {number} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(by_key: dict[tuple[str, str, str, str], Figure], row: Row, kind: str, name: str) -> str:
    error = by_key.get((row.name, kind, name, "any" if row.null else "fdp"))
    power = by_key.get((row.name, kind, name, "power"))
    if error is None:
        return ""
    return error.text if power is None else f"{error.text} / {power.mean:.3f}"


def panel_table(table: pd.DataFrame) -> str:
    """Return the table of the study of a declared gene's variance."""
    lines = [
        "| donors per group | dispersion | changed | moderated | own |",
        "| --- | --- | --- | --- | --- |",
    ]
    keys = ["donors", "dispersion", "changed"]
    for (donors, kind, changed), rows in table.groupby(keys, sort=False):
        own = rows.set_index("rule")
        cells = []
        for rule in ("moderated", "own"):
            one = own.loc[rule]
            power = "" if pd.isna(one["power"]) else f" / {one['power']:.2f}"
            cells.append(f"{one['fdp']:.3f} ± {one['error']:.3f}{power}")
        lines.append(f"| {donors} | {kind} | {changed} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
