"""edgeR's quasi-likelihood F test, which the second model is compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.linear.blocks import check_design


def edger_ql(
    counts: pd.DataFrame,
    design: Design,
    contrasts: Mapping[str, np.ndarray],
    *,
    norm_factors: np.ndarray | None = None,
) -> dict[str, pd.DataFrame]:
    """Return edgeR's quasi-likelihood test (version 4, bias-adjusted deviances) per contrast.

    counts: samples x genes, filtered. contrasts: numeric, over the design's columns.
    One row a gene: log2FoldChange, se (|log2FoldChange / t|), t (signed root of F), pvalue,
    df_total. edgepython treats donors as dense columns: minutes where voom takes a second.
    Raises ValueError for a design that `check_design` refuses.
    """
    import edgepython

    check_design(design)
    for contrast in contrasts.values():
        design.dense_contrast(contrast)
    data = edgepython.make_dgelist(counts.to_numpy(dtype=float).T)
    if norm_factors is None:
        data = edgepython.calc_norm_factors(data)
    else:
        data["samples"]["norm.factors"] = np.asarray(norm_factors, dtype=float)
    fit = edgepython.glm_ql_fit(data, design=design.matrix.to_numpy(dtype=float))
    df = np.asarray(fit["df.prior"], float) + np.asarray(fit["df.residual.adj"], float)
    df_total = np.minimum(df, np.sum(fit["df.residual"]))
    return {
        name: _table(edgepython.glm_ql_ftest(fit, contrast=contrast), df_total, counts.columns)
        for name, contrast in contrasts.items()
    }


def _table(test: Mapping[str, pd.DataFrame], df_total: np.ndarray, genes: pd.Index) -> pd.DataFrame:
    estimate = test["table"]["logFC"].to_numpy(dtype=float)
    statistic = np.sign(estimate) * np.sqrt(test["table"]["F"].to_numpy(dtype=float))
    se = np.full(len(estimate), np.nan)
    np.divide(np.abs(estimate), np.abs(statistic), out=se, where=statistic != 0)
    return pd.DataFrame(
        {
            "log2FoldChange": estimate,
            "se": se,
            "t": statistic,
            "pvalue": test["table"]["PValue"].to_numpy(dtype=float),
            "df_total": df_total,
        },
        index=genes,
    )
