"""Whether a verdict's word is the same in each leave-one-donor-out refit.

The refit's p value takes the target's place in the panel; the other targets' p values and the
second model are those of all donors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.targets.verdict import Evidence, Rule, plain_word


def with_verdicts(
    loo: pd.DataFrame, numbers: pd.DataFrame, rule: Rule, wider: Mapping[str, float]
) -> pd.DataFrame:
    """Return the refits with `panel_padj` and `verdict_stands`.

    loo: columns gene_id, contrast, log2FoldChange, lfcSE, pvalue; numbers: a row a target and
    contrast, with both models' estimates and panel FDRs; wider: by contrast, what the verdict
    multiplies standard errors by (`unequal_variance.widening`).
    """
    table = loo.assign(panel_padj=np.nan, verdict_stands=None)
    whole = numbers.dropna(subset=["gene_id"]).drop_duplicates(["gene_id", "contrast"])
    panels = dict(list(whole.set_index("gene_id").groupby("contrast")))
    for (gene, contrast), rows in loo.groupby(["gene_id", "contrast"], sort=False):
        panel = panels[contrast]
        full = _evidence(panel.loc[gene], wider[str(contrast)])
        word = plain_word(full, rule)
        others = panel["pvalue"].drop(gene).to_numpy(float)
        adjusted = [
            benjamini_hochberg(np.append(pvalue, others))[0]
            for pvalue in rows["pvalue"].astype(float)
        ]
        table.loc[rows.index, "panel_padj"] = adjusted
        stands = [
            plain_word(replace(full, estimate=estimate, se=se, panel_padj=padj), rule) == word
            if np.isfinite(padj)
            else None
            for estimate, se, padj in zip(
                rows["log2FoldChange"].astype(float),
                rows["lfcSE"].astype(float) * wider[str(contrast)],
                adjusted,
                strict=True,
            )
        ]
        table.loc[rows.index, "verdict_stands"] = pd.Series(stands, rows.index, dtype=object)
    return table


def _evidence(row: pd.Series, wider: float) -> Evidence:
    return Evidence(
        status=row["status"],
        estimate=row["log2FoldChange"],
        se=row["lfcSE"] * wider,
        panel_padj=row["panel_padj"],
        second_estimate=row["second_log2FoldChange"],
        second_panel_padj=row["second_panel_padj"],
    )
