"""How often is a mediation claimed that is none, and how often does its interval hold the truth?

    python benchmarks/calibrate_mediation.py --write docs/calibration.md

Normal changes of a factor and a target are drawn; a: by how much the factor's change differs
between the groups (in one group: from none), b: the target's slope on it. Seeded.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fibroserum.factors.mediation import (
    between_groups,
    two_group_pvalues,
    within_subject_pvalues,
    within_subjects,
)
from sections import took, write_section

ALPHA = 0.05
DONORS = (10, 16)
# sds of the factor's change between donors, and of the target's about its line
FACTOR_SD, TARGET_SD = 0.3, 0.2
PATHS = ((0.0, 0.0), (0.0, -0.8), (-0.4, 0.0), (-0.4, -0.8))


@dataclass(frozen=True)
class Cell:
    """Donors a group, one group or two, and both paths."""

    donors: int
    within: bool
    a: float
    b: float


def draw(cell: Cell, rng: np.random.Generator) -> list[np.ndarray]:
    """Return one cohort, as `between_groups` or `within_subjects` takes it."""
    sides = []
    for shift in (cell.a,) if cell.within else (cell.a, 0.0):
        factor = shift + rng.normal(0, FACTOR_SD, cell.donors)
        target = cell.b * factor + rng.normal(0, TARGET_SD, cell.donors)
        columns = [factor, target] + ([rng.normal(size=cell.donors)] if cell.within else [])
        sides.append(np.column_stack(columns))
    return sides


def replicate(task: tuple[Cell, int, int]) -> tuple[list[bool], list[bool], list[bool]]:
    """Return of many cohorts whether both paths' tests, and of some of them whether those and the
    interval, claim a mediation; and whether the interval holds it.
    """
    cell, tests, intervals = task
    rng = np.random.default_rng(
        [cell.donors, cell.within, *(int(-100 * v) for v in (cell.a, cell.b))]
    )
    drawn = [draw(cell, rng) for _ in range(tests)]
    paths = within_subject_pvalues if cell.within else two_group_pvalues
    tested = [max(paths(*sides)) < ALPHA for sides in drawn]
    whole = within_subjects if cell.within else between_groups
    claimed, covered = [], []
    for number, sides in enumerate(drawn[:intervals]):
        found = whole(*sides, number, "calibration")
        apart = found.ci_low > 0 or found.ci_high < 0
        claimed.append(bool(found.pvalue < ALPHA and apart))
        covered.append(bool(found.ci_low <= cell.a * cell.b <= found.ci_high))
    return tested, claimed, covered


def share(values: list[bool]) -> str:
    """Return a share with its standard error, that of (k + 1) / (n + 2)."""
    mean = (sum(values) + 1) / (len(values) + 2)
    return f"{np.mean(values):.3f} ± {np.sqrt(mean * (1 - mean) / len(values)):.3f}"


def markdown(
    cells: list[Cell],
    found: list[tuple[list[bool], list[bool], list[bool]]],
    tests: int,
    intervals: int,
) -> str:
    """Return the section of docs/calibration.md."""
    lines = [
        "## Mediation",
        "",
        f"`benchmarks/calibrate_mediation.py`: {tests} simulated cohorts a row, of {intervals} of "
        "them the bootstrap interval. Normal changes; the factor's vary between donors with a "
        f"standard deviation of {FACTOR_SD:g}, the target's about their line with {TARGET_SD:g}. "
        "*factor* is by how much the factor's change differs between two groups, or within one "
        "from none; *slope* the target's on it. A mediation is true in the rows where neither is "
        f"0. *Tests*: both paths have p < {ALPHA:g}; *claimed*: the interval leaves 0 out, too "
        "(for one target and factor, so that there is nothing to adjust for).",
        "",
        "| form | donors a group | factor | slope | tests | claimed | interval covers |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell, (tested, claimed, covered) in zip(cells, found, strict=True):
        form = "one group" if cell.within else "two groups"
        shown = " | ".join(map(share, (tested, claimed, covered)))
        lines.append(f"| {form} | {cell.donors} | {cell.a:g} | {cell.b:g} | {shown} |")
    return "\n".join(lines)


def finding(cells: list[Cell], found: list[tuple[list[bool], list[bool], list[bool]]]) -> str:
    """Return what the study shows, made from its figures."""
    null = [part for cell, part in zip(cells, found, strict=True) if not cell.a * cell.b]
    tests, claims = (max((part[n] for part in null), key=np.mean) for n in (0, 1))
    cover = [float(np.mean(part[2])) for part in found]
    return (
        f"where there is none, both paths' tests claim one in at most {share(tests)}, with the "
        f"interval in at most {share(claims)}; intervals cover {min(cover):.2f} to "
        f"{max(cover):.2f} (nearly always where both paths are empty)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--intervals", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file whose section is replaced")
    asked = parser.parse_args()
    start = time.monotonic()
    cells = [
        Cell(donors, within, a, b)
        for within in (False, True)
        for donors in DONORS
        for a, b in PATHS
    ]
    tasks = [(cell, asked.tests, asked.intervals) for cell in cells]
    with ProcessPoolExecutor(asked.processes) as pool:
        found = list(pool.map(replicate, tasks))
    section = markdown(cells, found, asked.tests, asked.intervals)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(cells, found))


if __name__ == "__main__":
    main()
