"""Candidates: molecules that change in a contrast and are associated with a target.

Both must hold, so that the p value is the larger of the two (intersection-union test; Berger 1982,
Technometrics 24:295). The slope is taken within groups, and says nothing about their mean changes:
a molecule is not a candidate because both it and the target respond to the intervention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.multiple_testing import benjamini_hochberg


def candidates_of(
    contrast: Contrast,
    changes: pd.DataFrame,
    slopes: pd.DataFrame,
    de: pd.DataFrame,
    alpha: float,
) -> pd.DataFrame:
    """Return a row for each molecule and target in one contrast.

    changes: `changes_of` the contrast; slopes: `slopes_at` its time; de: its result table. Columns:
    molecule, contrast, target, gene_id, change_log2, slope, predicted_lfc (their product),
    log2FoldChange (the target's own change), pvalue, padj (BH over molecules × targets), call,
    concordance and reason.
    """
    own = changes.reindex(slopes["molecule"])
    result = de.drop_duplicates("gene_id").set_index("gene_id").reindex(slopes["gene_id"])
    rows = pd.DataFrame(
        {
            "molecule": slopes["molecule"].to_numpy(),
            "contrast": contrast.name,
            "target": slopes["target"].to_numpy(),
            "gene_id": slopes["gene_id"].to_numpy(),
            "change_log2": own["change_log2"].to_numpy(float),
            "slope": slopes["slope"].to_numpy(float),
            "log2FoldChange": result["log2FoldChange"].to_numpy(float),
            "pvalue": np.maximum(own["pvalue"].to_numpy(float), slopes["pvalue"].to_numpy(float)),
        }
    )
    rows["predicted_lfc"] = rows["change_log2"] * rows["slope"]
    first = rows.dropna(subset=["pvalue"]).drop_duplicates(["molecule", "gene_id"])
    padj = pd.Series(np.nan, rows.index)
    padj[first.index] = benjamini_hochberg(first["pvalue"].to_numpy(float))
    rows["padj"] = padj.groupby([rows["molecule"], rows["gene_id"]], dropna=False).transform("max")
    call = pd.Series(np.where(rows["padj"] < alpha, "candidate", "none"), dtype=object)
    rows["call"] = call.where(rows["padj"].notna(), None)
    sign = np.sign(rows["predicted_lfc"]) * np.sign(rows["log2FoldChange"])
    words = pd.Series(np.where(sign > 0, "as_predicted", "opposite"), dtype=object)
    rows["concordance"] = words.where(sign.abs() > 0, None)
    parts = (
        rows.to_dict("records"),
        own[["pvalue", "reason"]].to_dict("records"),
        slopes[["pvalue", "reason"]].to_dict("records"),
        result["padj"].astype(float).tolist(),
    )
    rows["reason"] = [reason(*part) for part in zip(*parts, strict=True)]
    return rows


def reason(
    row: Mapping[Any, Any], change: Mapping[Any, Any], slope: Mapping[Any, Any], target_padj: float
) -> str:
    """Return why a row has its call, in words."""
    if row["call"] is None:
        halves = [("change", change["reason"]), ("slope", slope["reason"])]
        return "; ".join(f"{name} not tested: {why}" for name, why in halves if why)
    if row["call"] == "none":
        larger, name = max((change["pvalue"], "change"), (slope["pvalue"], "slope"))
        return f"the larger of the two p values is {larger:.2g} ({name})"
    moves = "falls" if row["change_log2"] < 0 else "rises"
    slopes = "increases" if row["slope"] > 0 else "decreases"
    text = (
        f"{row['molecule']} {moves}, and {row['target']} {slopes} with {row['molecule']} among "
        f"donors of a group: predicted log2 fold change {row['predicted_lfc']:+.2f}"
    )
    if row["concordance"] is None:
        return text
    seen = f"{row['log2FoldChange']:+.2f}"
    seen += "" if np.isnan(target_padj) else f" (adjusted p value {target_padj:.2g})"
    if row["concordance"] == "opposite":
        return f"{text}. The target's own change, {seen}, has the opposite sign"
    return f"{text}, estimated {seen}"
