"""A target's association with an outcome, in one or two sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fibroserum.slopes.influence import HALF


def reason(row: Mapping[str, Any], *, per: str, panel: int) -> str:
    """Return the reason of a target's call.

    row: of `outcome_targets`, tested; per: one step of the outcome, such as "each unit"; panel:
    how many targets were tested.
    """
    slope, outcome, target = row["slope"], row["outcome"], row["target"]
    numbers = (
        f"slope {slope:.3g} log2 (95 % {row['ci_low']:.3g} to {row['ci_high']:.3g}) for {per} of "
        f"{outcome}, panel FDR {row['panel_padj']:.2g} over {panel} "
        f"{'target' if panel == 1 else 'targets'}, {row['pairs']} pairs"
    )
    if row["call"] == "none":
        said = f"No association is established: {numbers}."
    elif row["question"] == "change":
        direction = "rises" if slope > 0 else "falls"
        said = (
            f"Within groups, {target} {direction} more in donors whose {outcome} rises more: "
            f"{numbers}."
        )
    else:
        level = "higher" if slope > 0 else "lower"
        said = (
            f"Within groups, {target} was {level} before the intervention in donors whose "
            f"{outcome} later rose more: {numbers}."
        )
    if row["call"] != "none" and row["share_kept"] < HALF:
        left = f"only {row['share_kept']:.0%} of the slope remains".replace("%", " %")
        if row["share_kept"] < 0:
            left = "the slope changes its sign"
        said += f" Without the pair of {row['left_out']}, {left}."
    return said


def not_tested(why: str) -> str:
    """Return the reason of a target that was not tested."""
    return f"Not assessed: {why}."
