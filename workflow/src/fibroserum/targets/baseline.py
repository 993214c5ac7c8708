"""The groups' baseline levels and the analysis adjusted for them (ANCOVA).

Everything here is on log2(normalized + 0.5) of donors with a complete pair, with Student's t; it
is shown beside the verdicts and decides none. Where it disagrees, their reasons say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.distributions import t_ppf, t_sf
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
    half = t_ppf(0.975, df) * se
    return Estimate(value, value - half, value + half, float(2 * t_sf(abs(value / se), df)))


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
    """Return why there is no adjusted estimate; df: the residual degrees of freedom."""
    if len(levels) and bool((levels == NO_COUNT).all(axis=None)):
        return "It has no counts in these pairs, so there is nothing to compare."
    if df < 0:
        return "There are too few pairs to adjust for the baseline."
    return "Its baseline level does not vary within the groups, so it cannot be adjusted for."


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
        ". The baseline difference alone would produce a difference in change of "
        f"{number(expected)} (slope {number(adjusted.slope)}{why}); the observed difference is "
        f"{number(change.value)}."
    )
    if randomised:
        text += f" {_by_chance(start.pvalue)}"
    elif randomised is None:
        text += (
            " The config does not state whether donors were randomised (design.randomised). The "
            "adjusted estimate is unbiased only if they were, and may mislead otherwise (Lord's "
            "paradox)."
        )
    else:
        text += (
            " Groups were not randomised. The adjustment assumes that donors with the same "
            "baseline would have changed alike, and may mislead (Lord's paradox)."
        )
    return f"{text} {to_report(randomised)}"


def to_report(randomised: object) -> str:
    """Return which of the two estimates of a difference to report, and in which role.

    The rule is fixed in advance and looks at no number: choosing the estimate that is larger, or
    significant, would not keep the false discovery rate.
    """
    text = "Report the estimate of the verdict, which was chosen in advance"
    if randomised is None or pd.isna(randomised) or not randomised:
        return f"{text}, and not the baseline-adjusted one."
    return f"{text}; the baseline-adjusted one is a sensitivity analysis."


def _by_chance(pvalue: float) -> str:
    """Return how to read a baseline difference with the given p value in randomised groups."""
    known = np.isfinite(pvalue)
    if known and pvalue < UNLIKELY:
        rare = float(f"{1 / max(pvalue, 1e-12):.1g}")
        return (
            "Randomised groups differ at baseline only by chance, and a difference this large "
            f"occurs in only about one of {rare:,.0f} trials. Check how donors and samples were "
            "assigned: the adjusted estimate is unbiased only if they were assigned at random."
        )
    often = f" (by this much or more in {pvalue:.0%} of trials)" if known else ""
    often = often.replace("%", " %")
    return (
        f"Groups were randomised: they differ at baseline by chance{often}, and the adjusted "
        "estimate is unbiased."
    )


def _started(difference: float, group: str, reference: str) -> str:
    size = number(abs(difference))
    if size == number(0.0):
        return f"At baseline, the difference between {group} and {reference} is {size}"
    return (
        f"At baseline, {group} is {size} {'higher' if difference > 0 else 'lower'} than {reference}"
    )


def regression_clause(row: Mapping[str, Any], called: bool) -> str:
    """Return the caveat of a verdict on the groups' difference about the baseline, or nothing.

    row: of `target_baseline`; called: whether the difference has the verdict up or down. There is a
    caveat where the groups differ at baseline (the 95 % interval excludes 0, or the baseline
    difference alone would produce half the observed one) and the adjusted estimate disagrees with
    the verdict.
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
    text = f"{started}. Adjusted for the baseline, the difference is {adjusted}"
    if called:
        text += (
            " and is not established: regression to the mean may explain part of the difference."
        )
    else:
        text += ": the baseline may mask a difference."
    if row["randomised"] is None or pd.isna(row["randomised"]):
        text += " The config does not state whether donors were randomised."
    elif not row["randomised"]:
        text += " Groups were not randomised, so the adjusted estimate may mislead as well."
    return f"{text} {to_report(row['randomised'])}"


def _at(row: dict[str, Any]) -> str:
    """Return how the name of a difference's contrast ends: with its time, if there are several."""
    return f"_{row['time']}" if "time" in row else ""


def with_clauses(verdicts: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Return the `targets` table with the caveats about the baseline in the reasons of differences.

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
