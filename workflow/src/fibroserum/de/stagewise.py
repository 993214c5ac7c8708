"""Stage-wise adjusted p values of contrasts that an omnibus test screens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.questions import questions_of, spanned
from fibroserum.multiple_testing import stagewise_adjusted


def with_stages(
    results: dict[str, pd.DataFrame], contrasts: list[Contrast], omnibus: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return result tables with `stage_padj` where a question screens their contrast.

    results: by contrast, as `de.stage.result_table` returns them; omnibus: `omnibus_table`. The
    larger of both models', as the omnibus itself.
    """
    found = dict(results)
    for question in questions_of(contrasts):
        rows = omnibus[omnibus["question"] == question.name]
        if question.time is not None and omnibus["time"].notna().any():
            rows = rows[rows["time"] == question.time]
        rows = rows.set_index("gene_id")
        own = {name: results[name].set_index("gene_id") for name in question.contrasts}
        if rows.empty or not own:
            continue
        staged = [
            stagewise_adjusted(
                np.column_stack([own[name][column].reindex(rows.index) for name in own]),
                rows[screen].to_numpy(float),
                spanned=spanned(question, contrasts),
            )
            for column, screen in (("second_pvalue", "F_pvalue"), ("pvalue", "lrt_pvalue"))
        ]
        larger = pd.DataFrame(np.maximum(*staged), rows.index, list(own))
        for name in own:
            stage = larger[name].reindex(results[name]["gene_id"]).to_numpy()
            found[name] = results[name].assign(stage_padj=stage)
    return found
