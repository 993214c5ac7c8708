"""The claims on factors if donors vary unequally, with no step, each step, and all steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom
from stored_rows import Key, stored_rows
from two_groups import SETTINGS
from uneven_donors import (
    DIALS,
    SerumCohort,
    muscle_pairs,
    panel,
    real_cohort,
    serum_cohort,
)

from fibroserum.factors.levels import level_pairs
from fibroserum.factors.mediation_calls import (
    COLUMNS,
    Complete,
    MediationSteps,
    described,
    with_calls,
)
from fibroserum.factors.mediation_slope import panel_ratio
from fibroserum.factors.serum import level_values
from fibroserum.intervals import welch_t
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.slopes.design import slope_design
from fibroserum.slopes.model import SlopeSteps, slope_fit, slope_test

ALPHA = 0.05
NEVER, EVERYWHERE = np.inf, 0.0
REAL = "real counts (muscle, 17 and 20 pairs)"
SERUM = {
    "none": SlopeSteps(False, False, NEVER),
    "group-wise": SlopeSteps(True, False, NEVER),
    "ratio": SlopeSteps(False, True, NEVER),
    "HC3 everywhere": SlopeSteps(False, False, EVERYWHERE),
    "group-wise, ratio": SlopeSteps(True, True, NEVER),
    "all": SlopeSteps(),
}
MEDIATION = {
    "none": MediationSteps(False, False, False),
    "HC3": MediationSteps(False, False, False, hc3=True),
    "ratio": MediationSteps(True, False, False),
    "interval": MediationSteps(False, True, False),
    "leave-one-out": MediationSteps(False, False, True),
    "HC3, interval, leave-one-out": MediationSteps(False, True, True, hc3=True),
    "ratio, interval, leave-one-out": MediationSteps(),
    "all": MediationSteps(hc3=True),
}
# false, called and true calls, and nulls with p < .001, of one cohort
Counts = tuple[float, float, float, float]


def serum_tests(cohort: SerumCohort) -> dict[str, Counts]:
    """Return what the serum evidence alone calls in a cohort with each set of steps."""
    obs = cohort.obs
    pairs = level_pairs(obs, SETTINGS, "level", "log2")
    never = pd.Series(False, index=cohort.counts.columns)
    design = slope_design(obs, SETTINGS, level_values(pairs))
    fit, _ = slope_fit(cohort.counts, obs, SETTINGS, design, never)
    true = cohort.true[fit.genes].to_numpy()
    found = {}
    for name, steps in SERUM.items():
        pvalue = slope_test(fit, obs.loc[fit.samples, "group"], steps)[0]["pvalue"].to_numpy()
        called = benjamini_hochberg(pvalue) < ALPHA
        small = float((pvalue[~true] < 0.001).mean())
        found[name] = (
            float((called & ~true).sum()),
            float(called.sum()),
            float((called & true).sum() / max(cohort.true.sum(), 1)),
            small,
        )
    return found


@cache
def _muscle(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return muscle_pairs(folder)


def one_serum(key: Key, folder: Path | None, seed: int) -> dict[str, Counts]:
    """Return `serum_tests` of a cohort of a row."""
    setting, donors, null = key
    if setting != REAL:
        return serum_tests(serum_cohort(setting, donors, null=null, seed=seed))
    if folder is None:
        raise ValueError(f"the row '{REAL}' needs a folder of data")
    return serum_tests(real_cohort(*_muscle(folder), null=null, seed=seed))


def one_panel(key: Key, seed: int) -> dict[str, Counts]:
    """Return what is called mediated in a panel with each set of steps."""
    setting, donors, true = key
    group, reference = panel(setting, donors, true, seed)
    names = [f"D{n:02d}" for n in range(2 * donors)]
    targets = [
        Complete(names, (group[:, [0, n]], reference[:, [0, n]])) for n in range(1, group.shape[1])
    ]
    slopes = [own.slope() for own in targets]
    ratio = panel_ratio(slopes)
    path = welch_t(group[:, 0], reference[:, 0]).pvalue
    least = np.maximum(path, [slope.pvalue() for slope in slopes])
    asked = benjamini_hochberg(least) < ALPHA
    if not asked.any():
        # no step lowers a p value
        return dict.fromkeys(MEDIATION, (0.0, 0.0, 0.0, np.nan))
    rows = pd.DataFrame(
        [
            described(own, own.mediation(seed, f"m{n}")) if asked[n] else {}
            for n, own in enumerate(targets)
        ]
    ).reindex(columns=COLUMNS)
    rows = rows.assign(note="", resampled=rows["resampled"].where(asked, None))
    found = {}
    for name, steps in MEDIATION.items():
        slope = [
            own.pvalue(ratio=ratio if steps.panel_ratio else 1.0, hc3=steps.hc3) for own in slopes
        ]
        tested = rows.assign(pvalue=np.maximum(path, slope))
        called = (with_calls(tested, ALPHA, steps)["call"] == "mediated").to_numpy()
        power = float(called[:true].mean()) if true else 0.0
        found[name] = float(called[true:].sum()), float(called.sum()), power, np.nan
    return found


def summary(parts: Sequence[dict[str, Counts]]) -> dict[str, Any]:
    """Return by set of steps: mean FDP with its error, cohorts with a false call, power, tails."""
    row: dict[str, Any] = {"cohorts": len(parts)}
    for name in parts[0]:
        false, called, power, small = np.array([part[name] for part in parts]).T
        fdp = false / np.maximum(called, 1)
        row[name] = {
            "fdp": float(fdp.mean()),
            "se": float(fdp.std(ddof=1) / np.sqrt(len(fdp))),
            "any": int((false > 0).sum()),
            "calls": float(called.mean()),
            "power": float(power.mean()),
            "small": None if np.isnan(small).all() else float(np.nanmean(small)),
        }
    return row


def serum_keys(real: bool) -> Iterable[Key]:
    """Yield setting, donors per group and whether nothing is true, of every row."""
    dial = DIALS["serum"]
    for null in (False, True):
        settings = [s for s, own in dial["settings"].items() if own.get("null", True) or not null]
        yield from ((s, n, null) for s in settings for n in dial["donors"])
        if real:
            yield REAL, 17, null


def panel_keys() -> Iterable[Key]:
    """Yield setting, donors per group and number of true targets, of every row."""
    dial = DIALS["panels"]
    yield from ((s, n, true) for true in (3, 0) for s in dial["settings"] for n in dial["donors"])


def study(
    path: Path,
    keys: Iterable[Key],
    one: Callable[[Key, int], dict[str, Counts]],
    cohorts: Callable[[Key], int],
    pool: Executor,
) -> list[tuple[Key, dict[str, Any]]]:
    """Return every row of a study, each stored in `path` as it ends."""

    def run(key: Key) -> dict[str, Any]:
        return summary(list(pool.map(partial(one, key), range(cohorts(key)), chunksize=5)))

    every = list(keys)
    return list(zip(every, stored_rows(path, every, run), strict=True))


def serum_study(path: Path, data: Path | None, pool: Executor) -> list[tuple[Key, dict[str, Any]]]:
    """Return the rows of the serum evidence; data: folder of the real counts, if there is one."""
    folder = data / "muscle_exercise_t2d" if data else None
    folder = folder if folder and folder.exists() else None

    def cohorts(key: Key) -> int:
        dial = DIALS["real" if key[0] == REAL else "serum"]
        return int(dial["null"] if key[2] and "null" in dial else dial["k"])

    return study(path, serum_keys(folder is not None), _SerumRow(folder), cohorts, pool)


class _SerumRow:
    """`one_serum` with its folder, for a pool of processes."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def __call__(self, key: Key, seed: int) -> dict[str, Counts]:
        return one_serum(key, self.folder, seed)


def panel_study(path: Path, pool: Executor) -> list[tuple[Key, dict[str, Any]]]:
    """Return the rows of mediation."""
    dial = DIALS["panels"]
    return study(
        path, panel_keys(), one_panel, lambda key: int(dial["k" if key[2] else "null"]), pool
    )


def table(rows: Sequence[tuple[Key, dict[str, Any]]], *, null: bool) -> list[str]:
    """Return a Markdown table: FDP ± error / power, or the share of cohorts with a call."""
    own = [(key, row) for key, row in rows if _nothing(key) == null]
    steps = [name for name, value in own[0][1].items() if isinstance(value, dict)]
    lines = [
        f"| setting | donors per group | cohorts | {' | '.join(steps)} |",
        "| --- " * (3 + len(steps)) + "|",
    ]
    for (setting, donors, _), row in own:
        cells = [_cell(row[name], row["cohorts"], null=null) for name in steps]
        lines.append(f"| {setting} | {donors} | {row['cohorts']} | {' | '.join(cells)} |")
    return lines


def _nothing(key: Key) -> bool:
    """Return whether a row has no true effect: null is true, or no target is mediated."""
    return bool(key[2]) if isinstance(key[2], bool) else key[2] == 0


def _cell(found: dict[str, Any], cohorts: int, *, null: bool) -> str:
    if not null:
        return f"{found['fdp']:.3f} ± {found['se']:.3f} / {found['power']:.2f}"
    # the chance of so many or more at a level of .05
    tail = binom.sf(found["any"] - 1, cohorts, ALPHA)
    small = "" if found["small"] is None else f", {1000 * found['small']:.2f}"
    return f"{found['any'] / cohorts:.3f} (p {tail:.2g}){small}"


SERUM_INTRODUCTION = """

### Donors who vary unequally: serum level

Settings, seeds and numbers are those of `benchmarks/uneven_donors.toml`, fixed before the first
run; the cohorts share nothing with the toy's generator. Numbers in settings are the rows of the
study that found the errors in the code without these steps (*none*). *group-wise*: a residual
variance for each group; *ratio*: the slope's variance times the ratio that the pairs' variances
show; *HC3 everywhere*: the larger of t's and HC3's p value in every gene, instead of the other
steps; *all*, as in a run: group-wise, ratio, and HC3 if the ratio is above 1.05, for settings in
which part of the genes varies with the level. The rule on a pair that determines more than half of
a slope applies in every column. The real counts are pairs before and after exercise, with drawn
levels, and slopes thinned into some genes. FDP ± standard error / power of the serum evidence by
itself; if few genes are called (6 donors per group) the error is large:
"""
SERUM_NULL = """
If no gene follows the level: share of cohorts with any call (exact binomial p value of at least so
many at a level of .05), null genes with p < .001 per thousand:
"""
MEDIATION_INTRODUCTION = """

### Donors who vary unequally: mediation

Panels of 12 targets, of which 3 follow the factor, which differs between the groups (settings,
seeds and numbers: `benchmarks/uneven_donors.toml`). *none*: t test of the slope and a 95 %
interval; *HC3*: the larger of t's and HC3's p value; *ratio*: the slope's variance times the
ratio that the donors' variances show, over all targets; *interval*: of the adjusted level; *leave-
one-out*: half of the indirect effect remains without any donor. A run uses *ratio, interval,
leave-one-out*. HC3 is not used: instead of the ratio it costs more power and is not closer to
the level, and in addition to it (*all*) it costs power and corrects no row. FDP ± standard error /
power:
"""
MEDIATION_NULL = """
If no target follows the factor: share of panels with any call (exact binomial p value of at least
so many at a level of .05):
"""


def serum_section(rows: Sequence[tuple[Key, dict[str, Any]]]) -> str:
    """Return the part of docs/calibration.md on the serum evidence."""
    return "\n".join(
        [SERUM_INTRODUCTION, *table(rows, null=False), SERUM_NULL, *table(rows, null=True)]
    )


def mediation_section(rows: Sequence[tuple[Key, dict[str, Any]]]) -> str:
    """Return the part of docs/calibration.md on mediation."""
    return "\n".join(
        [MEDIATION_INTRODUCTION, *table(rows, null=False), MEDIATION_NULL, *table(rows, null=True)]
    )
