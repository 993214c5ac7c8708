"""Whether a verdict's word is the same in each leave-one-donor-out refit of both models.

The refit's p values take the target's place in the panel; the other targets' are those of all
donors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fibroserum.multiple_testing import adjusted_beside
from fibroserum.targets.verdict import Evidence, Rule, plain_word

# of all donors, where size factors did not settle
OTHER_NUMBERS = ("unsettled", "other_log2FoldChange", "other_panel_padj")


def with_verdicts(loo: pd.DataFrame, numbers: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return the refits with `panel_padj`, `second_panel_padj`, `verdict` and `verdict_stands`.

    loo: columns gene_id, contrast, and the numbers of both models' refits; numbers: a row a target
    and contrast, with both models' numbers and panel FDRs.
    """
    padj = {"": np.full(len(loo), np.nan), "second_": np.full(len(loo), np.nan)}
    words, stands = np.full((2, len(loo)), None, dtype=object)
    records = loo.to_dict("records")
    genes = numbers.dropna(subset=["gene_id"]).drop_duplicates(["gene_id", "contrast"])
    panels = dict(list(genes.set_index("gene_id").groupby("contrast")))
    for (gene, contrast), places in loo.groupby(
        ["gene_id", "contrast"], sort=False
    ).indices.items():
        panel = panels[contrast]
        own = rule.of(panel["kind"].iloc[0])
        for prefix, adjusted in padj.items():
            others = panel[f"{prefix}pvalue"].drop(gene).to_numpy(float)
            pvalues = loo[f"{prefix}pvalue"].to_numpy(float)[places]
            adjusted[places] = adjusted_beside(pvalues, others)
        whole = panel.loc[gene]
        full = evidence_of(whole, ci_low=whole["ci_low"], ci_high=whole["ci_high"])
        word = plain_word(full, own)
        held = {name: whole.get(name, np.nan) for name in OTHER_NUMBERS}
        for place in places[np.isfinite(padj[""][places])]:
            found = {f"{prefix}panel_padj": adjusted[place] for prefix, adjusted in padj.items()}
            evidence = evidence_of({"status": "tested"} | records[place] | found | held)
            words[place] = plain_word(evidence, own)
            stands[place] = words[place] == word
    return loo.assign(
        panel_padj=padj[""],
        second_panel_padj=padj["second_"],
        verdict=words,
        verdict_stands=stands,
    )


def evidence_of(row: Mapping[str, Any] | pd.Series, **more: Any) -> Evidence:
    """Return the evidence in a row of both models' numbers.

    more: what else it holds; its interval takes the place of the one that the numbers give.
    """
    estimate, second_se = float(row["log2FoldChange"]), float(row["second_lfcSE"])
    se = float(np.fmax(float(row["lfcSE"]), second_se))
    df = float(row["second_df"]) if np.isfinite(second_se) else np.inf
    half = float(se * stdtrit(df, 0.975))
    own = {"ci_low": estimate - half, "ci_high": estimate + half} | more
    return Evidence(
        status=row["status"],
        estimate=estimate,
        se=se,
        df=df,
        panel_padj=float(row["panel_padj"]),
        second_estimate=float(row["second_log2FoldChange"]),
        second_panel_padj=float(row["second_panel_padj"]),
        unsettled=bool(row.get("unsettled", False)),
        other_estimate=float(row.get("other_log2FoldChange", np.nan)),
        other_panel_padj=float(row.get("other_panel_padj", np.nan)),
        **own,
    )
