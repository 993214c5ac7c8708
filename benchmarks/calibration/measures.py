"""What a cohort's tables show against the truth: false calls, power, coverage, panels, sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from calibration.chain import ALPHA
from calibration.cohort import Cohort, kind_of
from fibroserum.cohort.contrasts import Contrast

PANEL_SIZE, CHANGED, PANEL_COUNT = 12, 4, 10.0
NORMAL_95 = 1.6448536269514722
#: |log2 fold change| within which a change counts as none; some genes change by just that
BOUND = 0.3


def gene_measures(
    cohort: Cohort, tables: Mapping[str, pd.DataFrame], tested: pd.Series
) -> dict[str, float]:
    """Return the measures of each contrast, `kind.measure`.

    tables: by contrast, by gene, with log2FoldChange, call, ci_low, ci_high. tested: by gene,
    whether the second model tests it; intervals are of these.
    """
    found: dict[str, float] = {}
    for contrast in cohort.contrasts:
        table, kind = tables[contrast.name], kind_of(contrast, cohort.groups)
        truth = cohort.truth(contrast).reindex(table.index).to_numpy()
        own = _calls(table["call"].to_numpy(object), truth)
        own |= _intervals(table, truth, tested.reindex(table.index).to_numpy(bool))
        found |= {f"{kind}.{name}": value for name, value in own.items()}
    return found


def _calls(call: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return V, R, their ratio, whether V > 0, and power; a wrong sign is false."""
    sign = (call == "up").astype(int) - (call == "down").astype(int)
    calls, right = int(np.abs(sign).sum()), int(((sign * truth) > 0).sum())
    false, changed = calls - right, int((truth != 0).sum())
    found = {
        "V": float(false),
        "R": float(calls),
        "fdp": false / max(calls, 1),
        "any": float(false > 0),
        "signs": float(((sign * truth) < 0).sum()),
    }
    return found | ({"power": right / changed} if changed else {})


def _intervals(table: pd.DataFrame, truth: np.ndarray, tested: np.ndarray) -> dict[str, float]:
    """Return the coverage of intervals of tested genes, and what unchanged genes show.

    Nothing where a contrast has no intervals.
    """
    low, high = table["ci_low"].to_numpy(float), table["ci_high"].to_numpy(float)
    estimate = table["log2FoldChange"].to_numpy(float)
    known = tested & np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return {}
    inside, null = (low <= truth) & (truth <= high), known & (truth == 0)
    found = {
        "tested": float(known.sum()),
        "cover": float(inside[known].mean()),
        "cover_null": float(inside[null].mean()),
        "bias_null": float(estimate[null].mean()),
    }
    bound = known & np.isclose(np.abs(truth), BOUND)
    if "lfcSE" in table and bound.any():
        reach = np.abs(estimate) + NORMAL_95 * table["lfcSE"].to_numpy(float)
        found["no_change_at_bound"] = float((reach[bound] <= BOUND).mean())
    changed = known & (truth != 0)
    if changed.any():
        x, y = estimate[changed], truth[changed]
        found["slope"] = float((x * y).sum() / (y * y).sum())
    return found


def panels_of(cohort: Cohort, contrast: Contrast, seed: int) -> np.ndarray:
    """Return disjoint panels of 12 well counted genes (panels × 12, positions in the counts).

    Four of each change in the contrast and come first, where anything changes.
    """
    rng = np.random.default_rng([31, seed])
    truth = cohort.truth(contrast).reindex(cohort.counts.columns).to_numpy()
    enough = cohort.counts.to_numpy().mean(axis=0) >= PANEL_COUNT
    changed = rng.permutation(np.flatnonzero(enough & (truth != 0)))
    same = rng.permutation(np.flatnonzero(enough & (truth == 0)))
    some = CHANGED if len(changed) >= CHANGED else 0
    number = len(same) // (PANEL_SIZE - some)
    if some:
        number = min(number, len(changed) // some)
    parts = [changed[: number * some], same[: number * (PANEL_SIZE - some)]]
    return np.hstack([part.reshape(number, -1) for part in parts])


def adjusted_rows(pvalues: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p values within each row; missing ones count as 1."""
    p = np.where(np.isfinite(pvalues), pvalues, 1.0)
    order = np.argsort(-p, axis=1, kind="stable")
    number = p.shape[1]
    scaled = np.take_along_axis(p, order, axis=1) * (number / np.arange(number, 0, -1))
    falling = np.minimum(np.minimum.accumulate(scaled, axis=1), 1.0)
    out = np.empty_like(p)
    np.put_along_axis(out, order, falling, axis=1)
    return out


def panel_signs(table: pd.DataFrame, panels: np.ndarray) -> np.ndarray:
    """Return the calls on panels without the rules on outliers: 1, -1 or 0 (panels × 12).

    A table without second p values is judged by its own alone; an interval has to exclude 0.
    """
    estimate = table["log2FoldChange"].to_numpy(float)
    found = adjusted_rows(table["pvalue"].to_numpy(float)[panels]) < ALPHA
    if "second_pvalue" in table and table["second_pvalue"].notna().any():
        second = table["second_log2FoldChange"].to_numpy(float)
        found &= adjusted_rows(table["second_pvalue"].to_numpy(float)[panels]) < ALPHA
        found &= (np.sign(second) == np.sign(estimate))[panels]
    found &= (table["ci_low"] * table["ci_high"] > 0).to_numpy()[panels]
    return np.where(found, np.sign(np.nan_to_num(estimate))[panels], 0.0)


def panel_measures(
    cohort: Cohort, tables: Mapping[str, pd.DataFrame], seed: int
) -> dict[str, float]:
    """Return the mean FDP and power of panels, by contrast.

    Where nothing is true, `family.panel_any`: the share of panels with a call in any contrast of
    the tables, the baseline's included.
    """
    found: dict[str, float] = {}
    for contrast in cohort.contrasts:
        panels = panels_of(cohort, contrast, seed)
        if not len(panels):
            continue
        kind = kind_of(contrast, cohort.groups)
        # panels hold positions in the counts: rows of the table in that order
        table = tables[contrast.name].reindex(cohort.counts.columns)
        signs = panel_signs(table, panels)
        truth = cohort.truth(contrast).reindex(cohort.counts.columns).to_numpy()[panels]
        calls, right = np.abs(signs).sum(axis=1), (signs * truth > 0).sum(axis=1)
        found[f"{kind}.panel_fdp"] = float(((calls - right) / np.maximum(calls, 1)).mean())
        if truth.any():
            found[f"{kind}.panel_power"] = float(right.sum() / (truth != 0).sum())
    if not cohort.change.to_numpy().any():
        panels = panels_of(cohort, cohort.contrasts[0], seed)
        every = [panel_signs(t.reindex(cohort.counts.columns), panels) for t in tables.values()]
        found["family.panel_any"] = float(np.any(every, axis=(0, 2)).mean())
    return found


def set_measures(cohort: Cohort, tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Return by contrast whether any set is called, and shares of sets with p below alpha.

    No gene of the sets changes. The name of a set begins with its class.
    """
    found: dict[str, float] = {}
    for contrast in cohort.contrasts:
        table, kind = tables[contrast.name], kind_of(contrast, cohort.groups)
        own = {
            "set_any": float((table["call"] != "none").any()),
            "enriched_any": float((table["enriched"] != "none").any()),
            "competitive": float((table["competitive_pvalue"] < ALPHA).mean()),
        }
        for label, rows in table.groupby(table["gene_set"].str.split(" ").str[0]):
            own[f"fry_{label}"] = float((rows["fry_pvalue"] < ALPHA).mean())
        found |= {f"{kind}.{name}": value for name, value in own.items()}
    return found
