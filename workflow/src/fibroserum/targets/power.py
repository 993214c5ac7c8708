"""What a cohort of this size can detect under the verdict's own rule.

From the standard errors (dispersions, depth, number of pairs) and never from the observed effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from fibroserum.cohort.contrasts import SINGLE_GROUP, Contrast
from fibroserum.targets.phrases import number, percent
from fibroserum.targets.verdict import Rule

WANTED = 0.8


class Effect(NamedTuple):
    """An effect whose power is given: log2 fold change, and where it is from."""

    log2: float
    source: Literal["published", "fixed"]


@dataclass(frozen=True)
class Precision:
    """How precisely a contrast is known: standard errors (log2) of both models.

    se: NaN where the second model decides alone. second_se, second_df (its degrees of freedom): NaN
    where the main model does.
    """

    se: float
    second_se: float
    second_df: float


def power_of(effect: float, precision: Precision, alpha: float, threshold: float = 0.0) -> float:
    """Return the chance that both models reach p <= alpha for a true |log2 fold change|.

    The main model's statistic is normal, the second's is noncentral t; the 95 % interval, of the
    larger standard error, has to exclude 0. All rest on the same data, so the chance of all at once
    is taken as the smallest of them. threshold: as in `Rule`.
    """
    return _power(precision, alpha, threshold)(effect)


def _power(precision: Precision, alpha: float, threshold: float) -> Callable[[float], float]:
    """Return `power_of` as a function of the effect, on which no quantile depends."""
    se, second_se, df = precision.se, precision.second_se, precision.second_df
    main, second = bool(np.isfinite(se)), bool(np.isfinite(second_se))
    quantile, largest, of_main, of_second = -ndtri(0.025), se, ndtri(alpha / 2), np.nan
    if second:
        quantile, largest = -stdtrit(df, 0.025), max(se, second_se)
        of_second = -stdtrit(df, alpha / 2)

    def power(effect: float) -> float:
        beyond = effect - threshold
        chances = []
        if main:
            chances = [ndtr(beyond / se + of_main), ndtr((effect - quantile * largest) / se)]
        if second:
            chances.append(1 - nctdtr(df, beyond / second_se, of_second))
        return float(min(chances))

    return power


def detectable(precision: Precision, alpha: float, threshold: float = 0.0) -> float:
    """Return the |log2 fold change| that has a power of 80 %."""
    # imported where it is used, as it takes as long as numpy
    from scipy.optimize import brentq

    unit = np.nanmax([precision.se, precision.second_se])
    power, high = _power(precision, alpha, threshold), threshold + 4 * unit
    while power(high) < WANTED:
        high += 4 * unit
    return float(brentq(lambda size: power(size) - WANTED, threshold, high))


def published_effect(
    published: pd.DataFrame | None, target: str, contrast: Contrast, groups: Sequence[str]
) -> float | None:
    """Return the published log2 effect on a target in such a contrast, with its sign, or None.

    published: as `fibroserum.input.published.read_published` returns it; groups: of the cohort.
    Groups are matched by name alone: a group that was not studied has no published effect. The
    average takes the row of all groups where each of the cohort's groups was studied.
    """
    if published is None or contrast.dose:
        return None
    of_target = (published["gene"] == target).to_numpy(bool, na_value=False)
    groups_of = published["group"].to_numpy()
    rows: dict[str, int] = {}
    for row in np.flatnonzero(of_target).tolist():
        rows.setdefault(str(groups_of[row]), row)
    own, other = contrast.group, contrast.reference
    if contrast.kind == "average" and set(groups) <= set(groups_of):
        own = SINGLE_GROUP
    if own not in rows or (other is not None and other not in rows):
        return None
    ratio, before = published["log2_ratio"].to_numpy(), published["before"].to_numpy()
    if contrast.kind == "difference":
        return float(ratio[rows[own]] - ratio[rows[str(other)]])
    if contrast.kind == "baseline":
        return float(np.log2(before[rows[own]] / before[rows[str(other)]]))
    return float(ratio[rows[own]])


def power_row(
    target: str,
    contrast: Contrast,
    members: dict[str, int],
    precision: Precision | None,
    panel: int,
    rule: Rule,
    effect: Effect,
    *,
    testable: bool = True,
) -> dict[str, object]:
    """Return a row of `target_power`; precision is None for a target that was not fitted.

    testable: False where too few blocks inform the contrast.

    members: pairs (baseline: donors) by group. The p value to be reached is alpha over the panel:
    what BH asks of a target that changes alone, and less than it asks when others change too.
    """
    rule = rule.of(contrast.kind)
    row: dict[str, object] = {
        "target": target,
        "contrast": contrast.name,
        "pairs": sum(members.values()),
        "alpha_effective": rule.alpha / panel if panel else None,
        "detectable_lfc": None,
        "effect": None if contrast.dose else effect.log2,
        "power": None,
        "effect_source": None if contrast.dose else effect.source,
    }
    if precision is None:
        sentence = "It has no p value, so its detectable effect is unknown."
        return row | {"sentence": sentence}
    if not testable:
        sentence = (
            "This contrast has too few independent blocks for a verdict, however large the effect."
        )
        return row | {"power": 0.0, "sentence": sentence}
    unit = "donor" if contrast.kind == "baseline" else "pair"
    lonely = [group for group, count in members.items() if count == 1]
    if lonely:
        where = "There is" if lonely[0] == SINGLE_GROUP else f"{lonely[0]} has"
        sentence = f"{where} only one {unit}: too few for a verdict, however large the effect."
        return row | {"power": 0.0, "sentence": sentence}
    alpha, threshold = rule.alpha / panel, rule.lfc_threshold
    size = detectable(precision, alpha, threshold)
    pairs = " + ".join(str(count) for count in members.values())
    if contrast.dose:
        # the effects whose power is given are fold changes, and not per unit of a dose
        sentence = (
            f"With {pairs} pairs, 80 % of studies would detect a slope of at least {size:.2g} "
            f"(log2 per unit of {contrast.dose}, in either direction)."
        )
        return row | {"detectable_lfc": size, "sentence": sentence}
    power = power_of(abs(effect.log2), precision, alpha, threshold)
    source = "the published effect" if effect.source == "published" else "an effect"
    sentence = (
        f"With {pairs} {unit}s, 80 % of studies would detect |log2FC| ≥ {number(size)} "
        f"(+{percent(size)} or -{percent(-size)}), and {100 * power:.0f} % would detect {source} "
        f"of {number(effect.log2)}."
    )
    return row | {"detectable_lfc": size, "power": power, "sentence": sentence}


def members_by_group(members: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows by group of `Samples.members`."""
    return {str(k): int(v) for k, v in members.groupby(level="group").size().items()}
