"""The rows of `mediation.tsv`: which donors and values go into each mediation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.factors.mediation import (
    FEWEST_DONORS,
    Mediation,
    Resampled,
    between_groups,
    not_assessable,
    within_subjects,
)
from fibroserum.factors.mediation_slope import Slope, between_slope, panel_ratio, within_slope
from fibroserum.intervals import sign_of_interval
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.slopes.influence import HALF
from fibroserum.slopes.model import BLOCKED


@dataclass(frozen=True)
class MediationSteps:
    """Which steps the claim takes beyond t tests and a 95 % interval.

    panel_ratio: the slope's variance is that of donors who vary as all targets show. adjusted_
    interval: the interval has the adjusted level. leave_one_out: no donor makes more than half of
    the indirect effect. hc3: the slope's p value is at least HC3's; not used, for beside the
    others it costs power and repairs nothing (docs/calibration.md).
    """

    panel_ratio: bool = True
    adjusted_interval: bool = True
    leave_one_out: bool = True
    hc3: bool = False


STEPS = MediationSteps()
# of the interval without `adjusted_interval`
UNADJUSTED = 0.05
COLUMNS = [
    "target",
    "group",
    "reference",
    *(field.name for field in fields(Mediation) if field.name != "kept"),
    "left_out",
    "share_kept",
]


@dataclass(frozen=True)
class Complete:
    """The complete donors of a comparison. names: in the order of the rows of all sides.

    sides: two of (donors, 2), factor and target, or one of (donors, 3), factor, target and sum.
    """

    names: list[str]
    sides: tuple[np.ndarray, ...]

    def slope(self) -> Slope:
        """Return the target's slope on the factor."""
        if len(self.sides) == 1:
            return within_slope(self.sides[0])
        group, reference = self.sides
        return between_slope(group, reference)

    def mediation(
        self, seed: int, name: str, ratio: float = 1.0, *, hc3: bool = False
    ) -> Mediation:
        """Return the mediation; arguments as `between_groups` has them."""
        if len(self.sides) == 1:
            return within_subjects(self.sides[0], seed, name, ratio=ratio, hc3=hc3)
        group, reference = self.sides
        return between_groups(group, reference, seed, name, ratio=ratio, hc3=hc3)


def target_changes(
    log2: pd.DataFrame, obs: pd.DataFrame, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the targets' changes of log2 expression by (donor, group), NaN without a pair."""
    pairs = pd.MultiIndex.from_frame(obs[["donor", "group"]])
    own, time = log2.reindex(obs.index).set_axis(pairs), obs["time"].to_numpy()
    return own[time == settings["after"]] - own[time == settings["before"]]


def mediation_rows(
    factor: str,
    pairs: pd.DataFrame,
    log2: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    seed: int,
    steps: MediationSteps = STEPS,
) -> pd.DataFrame:
    """Return the mediation of each target by a factor, for each group against the reference.

    pairs: `level_pairs`, empty where the factor was not measured; log2: samples × present targets;
    settings: `groups`, `before`, `after`, `crossover`, `targets` (name to gene id or None),
    `not_estimable`. `with_calls` makes the calls over all factors, and the intervals.
    """
    reference, *others = settings["groups"]
    comparisons: list[tuple[str, str | None]] = [(g, reference) for g in others]
    comparisons = comparisons or [(reference, None)]
    genes = {} if pairs.empty else {t: g for t, g in settings["targets"].items() if g is not None}
    complete, changes = {}, target_changes(log2, obs, settings)
    for target, gene in genes.items():
        values = _complete(pairs, changes[gene].dropna())
        for group, other in comparisons:
            complete[target, group] = _compared(values, group, other, settings["crossover"])
    ratios = {
        group: _ratio([complete[target, group] for target in genes]) if steps.panel_ratio else 1.0
        for group, _ in comparisons
    }
    rows, lost = [], settings.get("not_estimable", {})
    for target, gene in settings["targets"].items():
        for group, other in comparisons:
            name = f"mediation {factor} {target} {group}"
            if gene is None:
                found = not_assessable(0, "the target is not in the count matrix")
            elif settings.get("block"):
                found = not_assessable(0, BLOCKED)
            elif why := lost.get(f"{group}_vs_{other}_change"):
                found = not_assessable(
                    0, f"the difference of the changes cannot be estimated: {why}"
                )
            elif pairs.empty:
                found = not_assessable(0, "the factor's level was not measured")
            else:
                own = complete[target, group]
                found = own.mediation(seed, name, ratios[group], hc3=steps.hc3)
            keys = {"target": target, "group": group, "reference": other}
            rows.append(keys | described(complete.get((target, group)), found))
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _ratio(panel: Sequence[Complete]) -> float:
    """Return the panel's `panel_ratio`, 1 where donors are too few."""
    if not panel or min(len(side) for side in panel[0].sides) < FEWEST_DONORS:
        return 1.0
    return panel_ratio([own.slope() for own in panel])


def described(own: Complete | None, found: Mediation) -> dict[str, Any]:
    """Return a mediation's numbers, with the donor without whom least of the effect is left.

    own: the donors; without them, nothing is left out. Ties go by name.
    """
    row = vars(found)
    if own is None or found.kept is None:
        return row
    share, donor = min(zip(found.kept.tolist(), own.names, strict=True))
    return row | {"left_out": donor, "share_kept": share}


def with_calls(rows: pd.DataFrame, alpha: float, steps: MediationSteps = STEPS) -> pd.DataFrame:
    """Return the mediations of all factors and targets with `padj`, intervals and `call`.

    rows: `mediation_rows` of all factors. `mediated` needs all of: BH of the joint test over all
    that could be assessed below alpha; half of the indirect effect left, with its sign, without
    any donor; a bootstrap interval without 0. The intervals of all rows have the level 1 - alpha ×
    mediated / assessed (Benjamini & Yekutieli 2005, J Am Stat Assoc 100:71), with one mediated
    where none is.
    """
    pvalue = rows["pvalue"].to_numpy(float)
    padj = benjamini_hochberg(pvalue)
    small = padj < alpha
    driven = rows["share_kept"].to_numpy(float) < HALF
    called = small & ~driven if steps.leave_one_out else small
    assessed = max(int(np.isfinite(pvalue).sum()), 1)
    while True:
        share = max(int(called.sum()), 1) / assessed
        error = alpha * share if steps.adjusted_interval else UNADJUSTED
        intervals = [_interval(found, error) for found in rows["resampled"]]
        low, high = np.array(intervals, dtype=float).reshape(-1, 2).T
        apart = sign_of_interval(low, high) != 0
        if (apart | ~called).all():
            break
        # fewer are mediated: the intervals are wider, and another may hold 0
        called = called & apart
    words = np.where(called, "mediated", "not_mediated")
    held = pd.Series("", index=rows.index)
    held[small & ~apart] = "; not mediated: the interval includes 0"
    if steps.leave_one_out:
        held[small & driven] = [
            f"; not mediated: without donor {donor}, {share:.0%} of the indirect effect remains"
            for donor, share in rows.loc[small & driven, ["left_out", "share_kept"]].to_numpy()
        ]
    return rows.drop(columns="resampled").assign(
        padj=padj,
        ci_low=low,
        ci_high=high,
        ci_level=np.where(np.isnan(pvalue), np.nan, 1 - error),
        note=rows["note"] + held,
        call=np.where(np.isnan(pvalue), "not_assessable", words),
    )


def _interval(found: Resampled | None, error: float) -> tuple[float, float]:
    return (np.nan, np.nan) if found is None else found.interval(error)


def _complete(pairs: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """Return pairs with level and target: donor, group, change_log2, sum_log2, target."""
    known = pairs[pairs["change_log2"].notna()].set_index(["donor", "group"])
    values = known[["change_log2"]].assign(
        sum_log2=known["before_log2"] + known["after_log2"], target=target
    )
    return values.dropna().astype(float).reset_index()


def _compared(values: pd.DataFrame, group: str, other: str | None, crossover: bool) -> Complete:
    """Return the donors of a comparison; values: `_complete`."""
    own = values[values["group"] == group].set_index("donor")
    if other is None:
        rows = own[["change_log2", "target", "sum_log2"]].to_numpy()
        return Complete(own.index.to_list(), (rows,))
    second = values[values["group"] == other].set_index("donor")
    columns = ["change_log2", "target"]
    if not crossover:
        sides = own[columns].to_numpy(), second[columns].to_numpy()
        return Complete([*own.index, *second.index], sides)
    donors = own.index.intersection(second.index)
    mine, theirs = own.loc[donors, columns].to_numpy(), second.loc[donors, columns].to_numpy()
    both = np.column_stack([mine - theirs, (mine + theirs)[:, 0]])
    return Complete(donors.to_list(), (both,))
