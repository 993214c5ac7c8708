"""Where groups started, and what an analysis adjusted for it says: regression to the mean, visible.

Everything here is on log2(normalized + 0.5) of donors with a complete pair, with Student's t; it
is shown beside the verdicts and decides none. Where it disagrees, their reasons say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from fibroserum import tables
from fibroserum.intervals import Estimate, one_sample_t, sign_of_interval, welch_t
from fibroserum.targets.phrases import number
from fibroserum.targets.study import Study
from fibroserum.targets.verdict import CALLED

# log2(normalized + 0.5) of a sample without a count
NO_COUNT = -1.0
# a p value of the groups' start that randomisation hardly gives
UNLIKELY = 0.001
HALF = 0.5


@dataclass(frozen=True)
class Adjusted:
    """The ANCOVA: the groups' difference after, adjusted for before, and the slope."""

    difference: Estimate
    slope: float


def _estimate(value: float, se: float, df: float) -> Estimate:
    if not (df > 0 and se > 0):
        return Estimate(value)
    half = student.ppf(0.975, df) * se
    return Estimate(value, value - half, value + half, float(2 * student.sf(abs(value / se), df)))


def ancova(before: np.ndarray, after: np.ndarray, in_group: np.ndarray | None) -> Adjusted:
    """Return the difference after, adjusted for before, by least squares with one slope.

    in_group: whether each donor is in the group rather than the reference; None: before and after
    are within-donor differences between the groups (crossover), and the difference is the
    intercept.
    """
    columns = [np.ones(len(before)), before]
    if in_group is not None:
        columns.insert(0, in_group.astype(float))
    design = np.column_stack(columns)
    df = len(before) - design.shape[1]
    if df < 0 or np.linalg.matrix_rank(design) < design.shape[1]:
        return Adjusted(Estimate(), np.nan)
    coefficients = np.linalg.lstsq(design, after, rcond=None)[0]
    slope = float(coefficients[-1])
    if df < 1:
        return Adjusted(Estimate(float(coefficients[0])), slope)
    residual = after - design @ coefficients
    variance = (residual @ residual) / df * np.linalg.inv(design.T @ design)[0, 0]
    return Adjusted(_estimate(float(coefficients[0]), float(np.sqrt(variance)), df), slope)


def baseline_row(
    levels: pd.DataFrame, group: str, reference: str, *, crossover: bool, randomised: bool | None
) -> dict[str, object]:
    """Return a row of `target_baseline` without its target.

    levels: index (donor, group), columns before and after, log2, complete pairs of both groups;
    randomised: None where the config does not state it.
    """
    if crossover:
        steps = (levels.xs(group, level="group") - levels.xs(reference, level="group")).dropna()
        before, after = steps["before"].to_numpy(), steps["after"].to_numpy()
        start, change = one_sample_t(before), one_sample_t(after - before)
        adjusted = ancova(before, after, None)
    else:
        in_group = (levels.index.get_level_values("group") == group).astype(bool)
        before, after = levels["before"].to_numpy(), levels["after"].to_numpy()
        delta = after - before
        start = welch_t(before[in_group], before[~in_group])
        change = welch_t(delta[in_group], delta[~in_group])
        adjusted = ancova(before, after, in_group)
    return {
        "group": group,
        "reference": reference,
        "baseline_difference": start.value,
        "baseline_ci_low": start.low,
        "baseline_ci_high": start.high,
        "baseline_pvalue": start.pvalue,
        "change_difference": change.value,
        "change_difference_pvalue": change.pvalue,
        "ancova_difference": adjusted.difference.value,
        "ancova_ci_low": adjusted.difference.low,
        "ancova_ci_high": adjusted.difference.high,
        "ancova_pvalue": adjusted.difference.pvalue,
        "slope": adjusted.slope,
        "randomised": randomised,
        "note": _note(start, change, adjusted, group, reference, randomised)
        if np.isfinite(adjusted.difference.value)
        else _unadjusted(levels, len(before) - (2 if crossover else 3)),
    }


def baseline_table(study: Study, randomised: bool | None) -> pd.DataFrame:
    """Return `target_baseline`: a row for each target and estimated difference of changes."""
    estimable = [c for c in study.contrasts if c.kind == "difference"]
    rows = []
    for target, gene in study.genes.items():
        if gene is None:
            continue
        for contrast in estimable:
            pairs, samples = study.samples.pairs(str(contrast.time)), study.samples
            pairs = pairs[pairs.index.get_level_values("group").isin(contrast.groups)]
            levels = pd.DataFrame(
                {
                    time: samples.log2.loc[pairs[time], gene].to_numpy()
                    for time in ("before", "after")
                },
                index=pairs.index,
            )
            row = baseline_row(
                levels,
                str(contrast.group),
                str(contrast.reference),
                crossover=study.crossover,
                randomised=randomised,
            )
            at = {"time": contrast.time} if len(study.times) > 1 else {}
            rows.append({"target": target} | at | row)
    return pd.DataFrame(rows) if rows else tables.empty("target_baseline")


def _unadjusted(levels: pd.DataFrame, df: int) -> str:
    """Return why nothing is adjusted for the start; df: the residual degrees of freedom."""
    if len(levels) and bool((levels == NO_COUNT).all(axis=None)):
        return "It has no count in any sample of these pairs: there is nothing to compare."
    if df < 0:
        return "Too few pairs for an analysis adjusted for the start."
    return "Its level before does not vary within the groups: there is no start to adjust for."


def _note(
    start: Estimate,
    change: Estimate,
    adjusted: Adjusted,
    group: str,
    reference: str,
    randomised: bool | None,
) -> str:
    """Return how to read the row: what regression to the mean would make of the difference."""
    # exact in least squares: change difference = adjusted difference + (slope - 1) × start
    expected = (adjusted.slope - 1) * start.value
    text = _started(start.value, group, reference)
    if np.isfinite(start.pvalue):
        text += f" (p = {start.pvalue:.2g})"
    # a steeper slope than 1, or one below 0, is not what regression to the mean looks like
    why = ": regression to the mean" if 0 <= adjusted.slope < 1 else ""
    text += (
        f"; the start alone would make a difference in change of {number(expected)} (slope "
        f"{number(adjusted.slope)}{why}), and {number(change.value)} is seen"
    )
    if randomised:
        return f"{text}. {_by_chance(start.pvalue)}"
    if randomised is None:
        return (
            f"{text}. Whether donors were randomised is not stated (design.randomised): the "
            "adjusted estimate is unbiased only if they were, and may mislead if not (Lord's "
            "paradox)."
        )
    return (
        f"{text}. Groups were not randomised: adjusting assumes that donors who start alike would "
        "have gone alike, and may mislead (Lord's paradox)."
    )


def _by_chance(pvalue: float) -> str:
    """Return what a difference at the start, of the given p value, is in randomised groups."""
    known = np.isfinite(pvalue)
    if known and pvalue < UNLIKELY:
        rare = float(f"{1 / max(pvalue, 1e-12):.1g}")
        return (
            "Randomised groups differ at the start by chance alone, but this much in only about "
            f"one of {rare:,.0f} trials: look at how donors and samples were assigned. The "
            "adjusted estimate is unbiased only if they were assigned at random."
        )
    often = f" (this much or more in {pvalue:.0%} of trials)" if known else ""
    often = often.replace("%", " %")
    return (
        f"Groups were randomised: they differ at the start by chance{often}, and the adjusted "
        "estimate is unbiased."
    )


def _started(difference: float, group: str, reference: str) -> str:
    size = number(abs(difference))
    if size == number(0.0):
        return f"{group} and {reference} started alike"
    return f"{group} started {size} {'higher' if difference > 0 else 'lower'} than {reference}"


def regression_clause(row: Mapping[str, Any], called: bool) -> str:
    """Return what a verdict on the groups' difference must say of the start, or nothing.

    row: of `target_baseline`; called: whether the difference has the verdict up or down. It is
    said where the groups started apart (the 95 % interval excludes 0, or the start alone would make
    half of what is seen) and the adjusted estimate decides otherwise than the verdict.
    """
    low, high = row["ancova_ci_low"], row["ancova_ci_high"]
    if not np.isfinite([low, high, row["baseline_difference"]]).all():
        return ""
    clear = sign_of_interval(row["baseline_ci_low"], row["baseline_ci_high"]) != 0
    expected = (row["slope"] - 1) * row["baseline_difference"]
    matters = abs(expected) >= HALF * max(
        abs(row["change_difference"]), abs(row["ancova_difference"])
    )
    disagrees = called != (sign_of_interval(low, high) != 0)
    if not (disagrees and (clear or matters)):
        return ""
    adjusted = f"{number(row['ancova_difference'])} (95 % interval {number(low)} to {number(high)})"
    started = _started(row["baseline_difference"], row["group"], row["reference"])
    text = f"{started}, and adjusted for the start the difference is {adjusted}"
    if called:
        text += ", not established: regression to the mean may be part of what is seen"
    else:
        text += ": the start may hide a difference"
    if row["randomised"] is None or pd.isna(row["randomised"]):
        text += "; whether donors were randomised is not stated"
    elif not row["randomised"]:
        text += "; groups were not randomised, so that the adjusted estimate misleads as easily"
    return f"{text}."


def _at(row: dict[str, Any]) -> str:
    """Return how the name of a difference's contrast ends: with its time, if there are several."""
    return f"_{row['time']}" if "time" in row else ""


def with_clauses(verdicts: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Return the `targets` table with what the start has to say of differences in their reasons.

    baseline: `target_baseline`. No verdict changes. The clause is also in the column `start`.
    """
    rows = {
        (row["target"], f"{row['group']}_vs_{row['reference']}_change" + _at(row)): row
        for row in baseline.to_dict("records")
    }
    table = verdicts.copy()
    table["start"] = [
        regression_clause(rows[key], verdict in CALLED)
        if (key := (target, contrast)) in rows and np.isfinite(padj)
        else ""
        for target, contrast, verdict, padj in zip(
            table["target"],
            table["contrast"],
            table["verdict"],
            table["panel_padj"],
            strict=True,
        )
    ]
    said = table["start"] != ""
    table.loc[said, "reason"] = table.loc[said, "reason"] + " " + table.loc[said, "start"]
    return table
