"""One value per donor, molecule and contrast, from the levels of a serum panel.

A donor's value is a weighted sum of its log2 levels: of a change, after minus before. Where donors
are in several groups, a comparison of groups is a sum within donors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Arm, Contrast
from fibroserum.input.serum_panel import KEYS, SerumPanel


def contrast_values(
    panel: SerumPanel, contrast: Contrast, settings: Mapping[str, Any]
) -> list[pd.DataFrame]:
    """Return the donors' values of a contrast of changes, donors × molecules, NaN where unknown.

    One table for each group that is compared; one of all where donors are in several groups. Their
    means sum to the contrast.
    """
    weights = dict(contrast.weights)
    parts = [weights]
    if not settings["crossover"]:
        groups = dict.fromkeys(group for group, _ in weights)
        parts = [{arm: w for arm, w in weights.items() if arm[0] == one} for one in groups]
    return [_weighted(panel, part, settings["before"]) for part in parts]


def pair_changes(panel: SerumPanel, settings: Mapping[str, Any], time: str) -> pd.DataFrame:
    """Return the change of each pair's log2 levels from before to one time, pairs × molecules.

    The index is donor and group, NaN where a change is unknown.
    """
    parts = [
        _weighted(panel, {(group, time): 1.0}, settings["before"]).assign(**{KEYS[1]: group})
        for group in settings["groups"]
    ]
    whole = pd.concat(parts)
    return whole.set_index(KEYS[1], append=True)


def _weighted(panel: SerumPanel, weights: Mapping[Arm, float], before: str) -> pd.DataFrame:
    """Return the weighted sum of the donors' changes, donors × molecules.

    NaN where a level is missing, or where all levels are below the limit of detection. A level
    before whose weights cancel is not needed.
    """
    at = dict(weights)
    for group in dict.fromkeys(group for group, _ in weights):
        total = sum(weight for (name, _), weight in weights.items() if name == group)
        if abs(total) > 1e-9:
            at[group, before] = -total
    index = pd.MultiIndex.from_frame(panel.rows[list(KEYS)])
    log2 = panel.log2.set_axis(index)
    below = panel.below.astype(float).set_axis(index)
    donors = list(_donors(panel, at))
    total = pd.DataFrame(0.0, index=donors, columns=log2.columns)
    unknown = pd.DataFrame(1.0, index=donors, columns=log2.columns)
    for (group, time), weight in at.items():
        place = pd.MultiIndex.from_tuples([(donor, group, time) for donor in donors], names=KEYS)
        total += weight * log2.reindex(place).to_numpy()
        unknown *= below.reindex(place).to_numpy()
    return total.mask(unknown.to_numpy() > 0, np.nan)


def _donors(panel: SerumPanel, arms: Mapping[Arm, float]) -> Iterator[str]:
    """Yield the donors that have a row at every group and time, sorted."""
    own = panel.rows.groupby("donor", sort=True)
    for donor, rows in own:
        if set(arms) <= set(zip(rows["group"], rows["time"], strict=True)):
            yield str(donor)
