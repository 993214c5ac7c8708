"""What is true in the population from which the donors of the designs are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import pandas as pd

from fibroserum.simulate.designs_spec import (
    CONTROL,
    FACTORS,
    HEALTHY,
    LATER,
    OWN_CONTRAST,
    DesignsSpec,
)
from fibroserum.simulate.gene_lists import TARGETS
from fibroserum.simulate.panel import Panel
from fibroserum.simulate.spec import BEFORE


def change_contrasts(spec: DesignsSpec) -> dict[str, dict[str, float]]:
    """Return the contrasts of changes by name: the weight of each `group@time`."""
    found: dict[str, dict[str, float]] = {}
    for time in LATER:
        found |= {f"{g}_{time}_vs_{BEFORE}": {f"{g}@{time}": 1.0} for g in spec.groups}
    for time in LATER:
        found |= {
            f"{g}_vs_{reference}_change_{time}": {f"{g}@{time}": 1.0, f"{reference}@{time}": -1.0}
            for reference, g in combinations(spec.groups, 2)
        }
    share = 1 / len(spec.trained)
    for time in LATER:
        found[f"average_{time}_vs_{BEFORE}"] = {f"{g}@{time}": share for g in spec.trained}
    last = LATER[-1]
    found[OWN_CONTRAST] = {f"{g}@{last}": share for g in spec.trained} | {f"{CONTROL}@{last}": -1.0}
    return found


def _weighted(changes: Mapping[str, pd.Series], weights: Mapping[str, float]) -> pd.Series:
    total = sum(weight * changes[place] for place, weight in weights.items())
    # Sums of rounded effects: nothing below 1e-6 is meant, and -0.0 would be written as "-0".
    return total.round(6) + 0.0


def genes_truth(panel: Panel, spec: DesignsSpec) -> pd.DataFrame:
    """Return what is true in the population from which donors are drawn, indexed by gene_id.

    Columns: symbol, block, target, base_mean (expected count before, at mean depth), dispersion;
    one per contrast (log2 fold change); {group}_dose_slope (log2 per session); outcome_slope and
    outcome_before_slope (log2 per mm of the donor's true change); {molecule}_slope (log2 per
    doubling). A change is its direct part, and for each molecule and for the sessions the slope ×
    the group's mean change.
    """
    genes = panel.genes
    mean_change = {m.name: m.change for m in spec.molecules if m.name in FACTORS}
    changes = {}
    for group in spec.groups:
        for place, time in enumerate(LATER):
            change = genes[f"{group}@{time}"].copy()
            for name in FACTORS:
                change += genes[name] * mean_change[name].get(group, (0.0, 0.0))[place]
            if group in spec.trained:
                change += genes[f"dose[{group}]"] * spec.sessions(group)[place]
            changes[f"{group}@{time}"] = change
    out = genes[["symbol", "block"]].copy()
    out["target"] = genes["symbol"].isin(TARGETS)
    out["base_mean"] = (genes["cpm"] * spec.base.depth / 1e6).round(6)
    out["dispersion"] = genes["dispersion"].round(6)
    for name, weights in change_contrasts(spec).items():
        out[name] = _weighted(changes, weights)
    for reference, group in combinations((*spec.groups, HEALTHY), 2):
        out[f"{group}_vs_{reference}_{BEFORE}"] = genes[HEALTHY] if group == HEALTHY else 0.0
    for group in spec.trained:
        out[f"{group}_dose_slope"] = genes[f"dose[{group}]"]
    out["outcome_slope"] = genes["outcome"]
    # Before, only what a donor's times share of the change is there to be predicted.
    out["outcome_before_slope"] = (genes["outcome_before"] * spec.repeat).round(6)
    for name in FACTORS:
        out[f"{name}_slope"] = genes[name]
    return out


def molecules_truth(spec: DesignsSpec) -> pd.DataFrame:
    """Return what is true of each molecule, a row each.

    Columns: molecule, role, level (population median before); one per contrast of changes (log2);
    {target}_slope for each target that follows a molecule (log2 expression per doubling).
    """
    courses = pd.DataFrame(
        {
            f"{group}@{time}": [m.change.get(group, (0.0, 0.0))[place] for m in spec.molecules]
            for group in spec.groups
            for place, time in enumerate(LATER)
        }
    )
    rows = [(m.name, m.role, m.level) for m in spec.molecules]
    out = pd.DataFrame(rows, columns=["molecule", "role", "level"])
    for name, weights in change_contrasts(spec).items():
        out[name] = _weighted(courses, weights)
    for planted in spec.planted:
        if planted.slopes:
            slope = out["molecule"].map(dict(planted.slopes)).fillna(0.0)
            out[f"{planted.symbol}_slope"] = slope * spec.base.effect_scale
    return out
