"""How often is a false mediation claimed, and how often does its interval contain the truth?

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
from uneven_studies import mediation_section, panel_study

from fibroserum.factors.mediation import Mediation, between_groups, within_subjects
from fibroserum.factors.mediation_slope import between_slope, within_slope
from fibroserum.intervals import one_sample_t, welch_t
from fibroserum.slopes.influence import HALF
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
    tested = [joint_pvalue(sides) < ALPHA for sides in drawn]
    claimed, covered = [], []
    for number, sides in enumerate(drawn[:intervals]):
        found = mediation(sides, number)
        if found.resampled is None or found.kept is None:
            raise ValueError(f"not assessable: {found.note}")
        low, high = found.resampled.interval(ALPHA)
        apart = low > 0 or high < 0
        claimed.append(bool(found.pvalue < ALPHA and apart and found.kept.min() >= HALF))
        covered.append(bool(low <= cell.a * cell.b <= high))
    return tested, claimed, covered


def joint_pvalue(sides: list[np.ndarray]) -> float:
    """Return the larger p value of both paths; sides: as `draw` returns them."""
    if len(sides) == 1:
        return max(one_sample_t(sides[0][:, 0]).pvalue, within_slope(sides[0]).pvalue())
    group, reference = sides
    first = welch_t(group[:, 0], reference[:, 0]).pvalue
    return max(first, between_slope(group, reference).pvalue())


def mediation(sides: list[np.ndarray], seed: int) -> Mediation:
    """Return the mediation of a drawn cohort."""
    if len(sides) == 1:
        return within_subjects(sides[0], seed, "calibration")
    group, reference = sides
    return between_groups(group, reference, seed, "calibration")


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
        f"`benchmarks/calibrate_mediation.py`: {tests} simulated cohorts per row, with a bootstrap "
        f"interval for {intervals} of them. Changes are normal; the factor's change varies between "
        f"donors with a standard deviation of {FACTOR_SD:g}, the target's about the regression "
        f"line with {TARGET_SD:g}. *factor* is the difference of the factor's change between two "
        "groups, or from 0 with one group; *slope* is the target's slope on it. A mediation is "
        f"true if neither is 0. *Tests*: both paths have p < {ALPHA:g}. *Claimed*: in addition "
        "the interval excludes 0, and half of the effect remains without any donor (for one "
        "target and factor, without adjustment).",
        "",
        "| form | donors per group | factor | slope | tests | claimed | interval covers |",
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
        f"if there is none, both paths' tests claim one in at most {share(tests)}, and with the "
        f"interval in at most {share(claims)}. Intervals cover {min(cover):.2f} to "
        f"{max(cover):.2f} (nearly always if both paths are empty)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--intervals", type=int, default=300)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=Path, default=Path("results/calibration/panels.jsonl"))
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
        uneven = panel_study(asked.rows, pool)
        found = list(pool.map(replicate, tasks))
    section = markdown(cells, found, asked.tests, asked.intervals) + mediation_section(uneven)
    print(section)
    print(took(start))
    if asked.write:
        write_section(asked.write, section, finding(cells, found))


if __name__ == "__main__":
    main()
