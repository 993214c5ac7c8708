"""Runs rows of the plan: cohort by cohort, every variant on the same cohort, and resumes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from calibration import results
from calibration.chain import STEPS, Chain, run_chain, set_tables
from calibration.cohort import Cohort
from calibration.comparators import COMPARATORS
from calibration.measures import gene_measures, panel_measures, set_measures
from calibration.plan import Row
from calibration.results import Line
from calibration.sources import can_draw, draw
from calibration.verdicts import verdict_measures

NONE, ALL = "none", "all"
#: steps that find more at the same error: each is also taken away from all, and both
MORE = ("quality", "other_contrast")
MOST_JOBS = 2


def chain_variants() -> dict[str, frozenset[str]]:
    """Return the steps of each variant of the chain: none, each alone, all, all but some."""
    every = frozenset(STEPS)
    found = {NONE: frozenset[str]()} | {step: frozenset({step}) for step in STEPS} | {ALL: every}
    return (
        found
        | {f"without {step}": every - {step} for step in MORE}
        | {"without both": every - set(MORE)}
    )


def chosen_variants(names: Sequence[str]) -> list[str]:
    """Return variants by name; `every`: all there are; `chain`: all but the comparators.

    Raises KeyError for an unknown name.
    """
    chain = list(chain_variants())
    known = [*chain, *COMPARATORS]
    groups = {"every": known, "chain": chain} | {name: [name] for name in known}
    if unknown := [name for name in names if name not in groups]:
        raise KeyError(f"no variant {', '.join(unknown)}: {', '.join(groups)}")
    return list(dict.fromkeys(variant for name in names for variant in groups[name]))


def run_cohort(row: Row, seed: int, variants: Sequence[str]) -> list[Line]:
    """Return what one cohort shows under each variant."""
    cohort = draw(row, seed)
    chains: dict[frozenset[str], Chain] = {}

    def chain_of(steps: frozenset[str]) -> Chain:
        if steps not in chains:
            chains[steps] = run_chain(
                cohort.counts,
                cohort.sheet,
                steps,
                covariates=cohort.covariates,
                baseline=row.baseline,
                block=row.block,
                earlier=list(chains.values()),
            )
        return chains[steps]

    # all variants test the same genes
    first = next((chain_variants()[name] for name in variants if name not in COMPARATORS), None)
    start = time.monotonic()
    plain = chain_of(first or frozenset())
    fitted = time.monotonic() - start
    tested = plain.tables[cohort.contrasts[0].name]["second_pvalue"].notna()
    lines = []
    for variant in variants:
        start = time.monotonic()
        if variant in COMPARATORS:
            tables = COMPARATORS[variant](cohort, chain_of(frozenset()))
            measures = _of_tables(cohort, tables, tested, seed)
        else:
            chain = chain_of(chain_variants()[variant])
            measures = _of_tables(cohort, chain.tables, tested, seed)
            if row.sets:
                measures |= set_measures(cohort, set_tables(chain, cohort.sets))
            if row.verdicts:
                measures |= verdict_measures(cohort, chain, seed, row.verdicts)
        seconds = time.monotonic() - start + (fitted if variant == variants[0] else 0.0)
        lines.append(Line(row.name, variant, seed, seconds, measures))
    return lines


def _of_tables(
    cohort: Cohort, tables: dict[str, pd.DataFrame], tested: pd.Series, seed: int
) -> dict[str, float]:
    return gene_measures(cohort, tables, tested) | panel_measures(cohort, tables, seed)


def tasks(
    rows: Sequence[Row],
    variants: Sequence[str],
    finished: set[tuple[str, str, int]],
    *,
    most: int | None = None,
    again: bool = False,
) -> Iterator[tuple[Row, int, list[str]]]:
    """Yield what is to be done: a row, a seed, and the variants that are not finished there."""
    for row in rows:
        for seed in list(row.seeds(again=again))[:most]:
            left = [name for name in variants if (row.name, name, seed) not in finished]
            if left:
                yield row, seed, left


def run(
    rows: Sequence[Row],
    variants: Sequence[str],
    out: Path,
    *,
    jobs: int = 1,
    most: int | None = None,
    again: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Run rows of the plan and append their lines to `out` as each cohort ends.

    most: cohorts per row, the first of the plan's. Rows whose real counts are absent are skipped,
    and named.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise ValueError(f"jobs must be 1 to {MOST_JOBS}")
    for row in rows:
        if not can_draw(row):
            say(f"{row.name} is skipped: its counts are not in FIBROSERUM_DATA")
    results.repair(out)
    present = [row for row in rows if can_draw(row)]
    left = list(tasks(present, variants, results.done(out), most=most, again=again))
    say(f"{len(left)} cohorts to do")
    if jobs == 1:
        for task in left:
            results.append(out, run_cohort(*task))
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for future in as_completed([pool.submit(run_cohort, *task) for task in left]):
                results.append(out, future.result())
        finally:
            # an error ends the run: what has not begun is left for the next
            pool.shutdown(cancel_futures=True)
