"""Planned studies in words: imports nothing that fits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fibroserum.targets.phrases import number

#: the study that is described, in pairs a group
DESCRIBED = 20
SLOPE = "slope"


def slope_label(name: str) -> str:
    """Return the words for a slope: `slope`, or `slope_TIME` with several times after."""
    time = name.removeprefix(SLOPE).removeprefix("_")
    return f"{time}: slope, per sd" if time else "slope, per sd"


def planning_sentences(planning: pd.DataFrame, target: str, labels: Mapping[str, str]) -> list[str]:
    """Return what studies of `DESCRIBED` pairs a group find of a target, a sentence a contrast.

    planning: `flags/planning.tsv`; labels: words for each contrast by its name.
    """
    rows = planning[(planning["target"] == target) & (planning["pairs"] == DESCRIBED)]
    said = []
    for row in rows.to_dict("records"):
        name = str(row["contrast"])
        ends = (row["power_low"], row["power_high"])
        within = f" ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)" if np.isfinite(ends[0]) else ""
        said.append(
            f"{labels.get(name) or slope_label(name)}: with {DESCRIBED} pairs per group, "
            f"{100 * row['power']:.0f} %{within} of studies would detect an effect of "
            f"{number(row['effect'])} on {target}, and 80 % would detect one of "
            f"{number(row['detectable_lfc'])}."
        )
    return said
