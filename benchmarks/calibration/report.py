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
    WORDS,
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
KINDS = ("AT", "RT", "difference", "average")
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
    """Return the table of settings and claims of a variant: error ± standard error / power.

    A line for each setting and kind of claim, a column for each contrast. Comparators are beside
    it with their largest error over the contrasts.
    """
    known, tests = by_key(found), family_size(list(found), plan.by_name, variant)
    others = [name for name in COMPARATORS if any(f.variant == name for f in found)]
    titles = ["setting", "donors", "claim", "cohorts", *KINDS, "others", "coverage", "passes"]
    lines = [line([*titles, *others]), "| --- " * (len(titles) + len(others)) + "|"]
    claims: dict[tuple[str, bool, str], list[Figure]] = {}
    for figure in found:
        if figure.variant == variant and is_judged(figure, plan.by_name[figure.row]):
            claims.setdefault((figure.row, figure.again, figure.measure), []).append(figure)
    for (name, again, measure), own in claims.items():
        cells = {figure.kind: _with_power(known, figure, variant) for figure in own}
        rest = "; ".join(f"{kind} {text}" for kind, text in cells.items() if kind not in KINDS)
        cover = [
            known[name, again, variant, figure.kind, "cover"].mean
            for figure in own
            if measure in ("fdp", "any") and (name, again, variant, figure.kind, "cover") in known
        ]
        lines.append(
            line(
                [
                    plan.by_name[name].title + (" (again)" if again else ""),
                    size_of(plan, name),
                    WORDS.get(measure, measure),
                    str(max(figure.cohorts for figure in own)),
                    *(cells.get(kind, "") for kind in KINDS),
                    rest,
                    f"{min(cover):.3f}" if cover else "",
                    _verdict(own, tests, min(cover, default=1.0)),
                    *(_beside(known, own, name) for name in others),
                ]
            )
        )
    return lines


def _with_power(known: dict[Key, Figure], figure: Figure, variant: str) -> str:
    power = known.get(
        (figure.row, figure.again, variant, figure.kind, POWER.get(figure.measure, ""))
    )
    return figure.text + ("" if power is None else f" / {power.mean:.2f}")


def _verdict(own: Sequence[Figure], tests: int, cover: float) -> str:
    """Return whether all contrasts pass, or which do not."""
    failed = [figure.kind for figure in own if passes(figure, tests) is False]
    word = f"**no**: {', '.join(failed)}" if failed else "yes"
    return word + (", **coverage**" if cover < COVERAGE else "")


def _beside(known: dict[Key, Figure], own: Sequence[Figure], other: str) -> str:
    """Return a comparator's largest error over the contrasts of a claim, with its power there."""
    errors = [
        known[place]
        for figure in own
        if (place := (figure.row, figure.again, other, figure.kind, figure.measure)) in known
    ]
    if not errors:
        return ""
    return _with_power(known, max(errors, key=lambda figure: figure.mean), other)


def ablation_table(plan: Plan, table: pd.DataFrame, found: Sequence[Figure]) -> list[str]:
    """Return the ablation: the error without steps, and each step's paired difference.

    A line for each setting and kind of claim: of the contrast whose error is the largest without
    steps. A difference in bold is an error raised by more than two paired standard errors.
    """
    variants = [*STEPS, ALL]
    lines = [line(["setting", "donors", "claim", NONE, *variants])]
    lines.append("| --- " * (4 + len(variants)) + "|")
    wide = side_by_side(table[table["seed"] < FRESH])
    worst: dict[tuple[str, str], Figure] = {}
    for figure in found:
        row = plan.by_name[figure.row]
        if figure.variant == NONE and not figure.again and is_judged(figure, row):
            claim = (figure.row, figure.measure)
            if claim not in worst or figure.mean > worst[claim].mean:
                worst[claim] = figure
    for figure in worst.values():
        cells = [plan.by_name[figure.row].title, size_of(plan, figure.row), figure.claim]
        cells.append(figure.text)
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
        "Made by `benchmarks/calibration/run.py`. Settings, numbers of cohorts and seeds are in "
        "`benchmarks/calibration/plan.toml`. Error: mean share of false calls, V / max(R, 1), "
        "± its standard error between cohorts; a call with the wrong sign is false. If nothing is "
        "true, it is the share of cohorts with a call. Coverage: lowest coverage of nominal 95 % "
        "intervals over all tested genes, among the contrasts. A claim passes with an error of at "
        f"most {LEVEL} + {z:.2f} standard errors (one-sided {FAMILY} by Bonferroni over the "
        f"{tests} claims of the table), and never above {CEILING}; if nothing is true, by the "
        "exact binomial test at the same level. A cell shows error ± standard error / power. AT "
        "and RT are the groups' changes. Comparators use the same cohorts and show the largest "
        "error over the contrasts, with the power there; *voom* has donors as columns, *pairs* is "
        "limma-trend on unweighted differences.",
        "",
        *claims_table(plan, found, variant),
    ]
    text += [
        "",
        "**Ablation**: for the contrast with the largest error, the error without any step, and "
        "the paired difference made by each step by itself and by all steps. Bold: the error is "
        "higher by more than two standard errors.",
        "",
        *ablation_table(plan, table, found),
    ]
    return "\n".join(text)


def main() -> None:
    """Write the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--variant", default=ALL)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    lines = [one for path in asked.results for one in results.read(path)]
    table = results.long_table(lines, {*FDP, *NULL, *BESIDE})
    # a cohort that is in several files counts once
    table = table.drop_duplicates(["row", "variant", "seed", "kind", "measure"])
    made = section(read_plan(asked.plan), table, asked.variant)
    print(made)
    if asked.write:
        write_section(asked.write, made, first=True)


if __name__ == "__main__":
    main()
