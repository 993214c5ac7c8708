"""Turn results into the tables of docs/calibration.md: setting × claim, and the ablation.

python benchmarks/calibration/report.py results.tsv
python benchmarks/calibration/report.py results.tsv --write docs/calibration.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from scipy import stats

from calibration import results
from calibration.chain import STEPS
from calibration.comparators import COMPARATORS
from calibration.judging import (
    BESIDE,
    CEILING,
    FAMILY,
    FDP,
    LEVEL,
    NULL,
    Figure,
    family_size,
    figures,
    is_judged,
    paired_difference,
    passes,
    side_by_side,
)
from calibration.plan import FRESH, PLAN, Plan, read_plan
from calibration.runner import ALL, NONE
from sections import write_section

COVERAGE = 0.93
POWER = {"fdp": "power", "panel_fdp": "panel_power", "verdict_fdp": "verdict_power"}
Key = tuple[str, bool, str, str, str]


def line(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def by_key(found: Sequence[Figure]) -> dict[Key, Figure]:
    """Return figures by row, again, variant, kind and measure."""
    return {(f.row, f.again, f.variant, f.kind, f.measure): f for f in found}


def size_of(plan: Plan, name: str) -> str:
    """Return the donors of a row's groups in words."""
    donors = plan.by_name[name].donors
    same = len(set(donors.values())) == 1
    sizes = [str(next(iter(donors.values())))] if same else list(map(str, donors.values()))
    return " v ".join(sizes)


def claims_table(plan: Plan, found: Sequence[Figure], variant: str) -> list[str]:
    """Return the table of settings and claims: a line for each judged figure of a variant.

    Comparators stand beside the claims that they can make.
    """
    known, tests = by_key(found), family_size(list(found), plan.by_name, variant)
    others = [name for name in COMPARATORS if any(f.variant == name for f in found)]
    titles = ["setting", "donors", "claim", "cohorts", "error", "power", "coverage", "passes"]
    lines = [line([*titles, *others]), "| --- " * (len(titles) + len(others)) + "|"]
    for figure in found:
        row = plan.by_name[figure.row]
        if figure.variant != variant or not is_judged(figure, row):
            continue
        place = (figure.row, figure.again)
        power = known.get((*place, variant, figure.kind, POWER.get(figure.measure, "")))
        cover = known.get((*place, variant, figure.kind, "cover"))
        shown = cover if figure.measure in ("fdp", "any") else None
        word = {True: "yes", False: "**no**", None: "open"}[passes(figure, tests)]
        if shown is not None and shown.mean < COVERAGE:
            word += ", **coverage low**"
        lines.append(
            line(
                [
                    row.title + (" (again)" if figure.again else ""),
                    size_of(plan, figure.row),
                    figure.claim,
                    str(figure.cohorts),
                    figure.text,
                    "" if power is None else f"{power.mean:.3f}",
                    "" if shown is None else f"{shown.mean:.3f}",
                    word,
                    *(_beside(known, figure, name) for name in others),
                ]
            )
        )
    return lines


def _beside(known: dict[Key, Figure], figure: Figure, other: str) -> str:
    """Return a comparator's error and power for the same claim, where it makes one."""
    place = (figure.row, figure.again, other, figure.kind)
    error = known.get((*place, figure.measure))
    if error is None:
        return ""
    power = known.get((*place, POWER.get(figure.measure, "")))
    return error.text + ("" if power is None else f" / {power.mean:.3f}")


def ablation_table(plan: Plan, table: pd.DataFrame, found: Sequence[Figure]) -> list[str]:
    """Return the ablation: each judged figure without steps, and each step's paired difference.

    A difference in bold is an error raised by more than two paired standard errors.
    """
    variants = [*STEPS, *([ALL] if STEPS else [])]
    lines = [line(["setting", "donors", "claim", NONE, *variants])]
    lines.append("| --- " * (4 + len(variants)) + "|")
    wide = side_by_side(table[table["seed"] < FRESH])
    for figure in found:
        row = plan.by_name[figure.row]
        if figure.variant != NONE or figure.again or not is_judged(figure, row):
            continue
        cells = [row.title, size_of(plan, figure.row), figure.claim, figure.text]
        for variant in variants:
            key = (figure.row, figure.kind, figure.measure)
            mean, error = paired_difference(wide, key, variant, NONE)
            text = "" if pd.isna(mean) else f"{mean:+.3f} ± {error:.3f}"
            cells.append(f"**{text}**" if text and mean > 2 * error else text)
        lines.append(line(cells))
    return lines


def section(plan: Plan, table: pd.DataFrame, variant: str) -> str:
    """Return the section of docs/calibration.md."""
    order = {row.name: place for place, row in enumerate(plan.rows)}
    found = [f for f in figures(table) if f.row in order]
    found.sort(key=lambda f: (order[f.row], f.again))
    tests = family_size(found, plan.by_name, variant)
    if not tests:
        raise ValueError(f"the results hold no figure of the variant '{variant}'")
    z = stats.norm.isf(FAMILY / tests)
    text = [
        "## Settings and claims",
        "",
        "`benchmarks/calibration/run.py`; settings, numbers of cohorts and seeds are in "
        "`benchmarks/calibration/plan.toml`. Error: the mean share of false calls, V / max(R, 1), "
        "± its standard error between cohorts; a wrong sign is false. Where nothing is true it is "
        "the share of cohorts with a call. Coverage: of nominal 95 % intervals over all tested "
        f"genes. A claim passes with an error of at most {LEVEL} + {z:.2f} standard errors "
        f"(one-sided {FAMILY} by Bonferroni over the {tests} claims of the table), and never "
        f"above {CEILING}; where nothing is true, by the exact binomial test at the same level. "
        "Comparators: error / power.",
        "",
        *claims_table(plan, found, variant),
    ]
    if STEPS:
        text += [
            "",
            "**Ablation**: the error without any step, and the paired difference that each step "
            "makes, and all. Bold: raised by more than two standard errors.",
            "",
            *ablation_table(plan, table, found),
        ]
    return "\n".join(text)


def main() -> None:
    """Write the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--variant", default=ALL if STEPS else NONE)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    lines = [one for path in asked.results for one in results.read(path)]
    made = section(
        read_plan(asked.plan), results.long_table(lines, {*FDP, *NULL, *BESIDE}), asked.variant
    )
    print(made)
    if asked.write:
        write_section(asked.write, made)


if __name__ == "__main__":
    main()
