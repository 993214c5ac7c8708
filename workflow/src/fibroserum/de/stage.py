"""The result table of each contrast, and the calls. The fit before it is in `fitting`."""

from __future__ import annotations

from collections.abc import Mapping

import anndata as ad
import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fibroserum import tables
from fibroserum.cohort.accessors import all_contrasts, settings_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import design_of
from fibroserum.cohort.members import pairs_of
from fibroserum.de.confident import confident_lfc
from fibroserum.de.hypothesis_weights import COVARIATE, hypothesis_weights
from fibroserum.de.reasons import ADJUSTED, conditions
from fibroserum.input.names import file_name
from fibroserum.multiple_testing import (
    NORMAL_975,
    benjamini_hochberg,
    independent_filtering,
    weighted_benjamini_hochberg,
)

# fewer calls without weights leave all weights at 1: with nothing to learn from they would only
# make false calls (docs/calibration.md)
FEWEST_CALLS = 3


def call_genes(
    table: pd.DataFrame,
    alpha: float,
    *,
    main_only: bool,
    other: pd.DataFrame | None = None,
    weighted: bool = False,
) -> pd.Series:
    """Return `up`, `down` or `none` for each gene.

    A gene is called where both models are significant with the same sign, and the interval
    excludes 0. main_only: the main model alone decides, and its interval. other: the second model
    with the factors that were not kept (`other_log2FoldChange`, `other_pvalue`), where factors did
    not settle: it has to agree as well. weighted: whether the adjusted p values are the weighted.
    """
    sign = np.sign(table["log2FoldChange"])
    met = conditions(table, alpha, main_only=main_only, other=other, weighted=weighted)
    called = np.logical_and.reduce(list(met.values()))
    words = np.where(called & (sign > 0), "up", np.where(called & (sign < 0), "down", "none"))
    return pd.Series(words, index=table.index, dtype=object)


def unweighted_calls(table: pd.DataFrame, alpha: float) -> pd.Series:
    """Return the calls of a result table as they are where all weights are 1."""
    if (table["weight"] == 1.0).all():
        return table["call"]
    # weights imply a second model, and factors that settled
    return call_genes(table, alpha, main_only=False)


def half_width(numbers: pd.DataFrame) -> pd.Series:
    """Return half the width of the 95 % interval of each log2 fold change.

    numbers: lfcSE, second_lfcSE, second_df. The larger of the two models' standard errors, times
    the quantile of the second model's t; of the main model alone where the second does not test.
    """
    se, df = numbers["second_lfcSE"].astype(float), numbers["second_df"].astype(float)
    both = np.fmax(numbers["lfcSE"].astype(float), se)
    return both * stdtrit(df.where(se.notna(), np.inf), 0.975)


def result_table(
    fit: ad.AnnData,
    contrast: str,
    symbols: pd.Series,
    alpha: float,
    *,
    weighted: bool = True,
    interval: bool = True,
) -> pd.DataFrame:
    """Return `de/{contrast}.tsv`: one row a gene of the input, in the order of the fit.

    weighted: whether genes have weights from the other groups. interval: False gives the main
    model's own intervals, which no call needs, for comparison.
    """
    numbers = fit.varm[file_name(contrast)]
    table = pd.DataFrame({"gene_id": fit.var_names, "symbol": symbols.reindex(fit.var_names)})
    table = table.set_index(fit.var_names)
    table["symbol"] = table["symbol"].where(table["symbol"] != "", None)
    table["baseMean"] = fit.var["baseMean"]
    for name in ("log2FoldChange", "lfcSE", "stat", "pvalue", "log2FoldChange_shrunken"):
        table[name] = numbers[name]
    main_only = str(fit.uns["model"]["second_opinion"]) == "none"
    half = half_width(numbers) if interval else NORMAL_975 * table["lfcSE"]
    if not main_only and numbers["second_lfcSE"].isna().all():
        # too few donors or blocks inform the contrast: the main model's error is not theirs
        half = half * np.nan
    table["ci_low"] = table["log2FoldChange"] - half
    table["ci_high"] = table["log2FoldChange"] + half
    pvalues, means = table["pvalue"].to_numpy(float), table["baseMean"].to_numpy(float)
    table["padj"] = independent_filtering(pvalues, means, alpha)
    table["dispersion"] = fit.var["dispersions"]
    status = fit.var["status"].astype(object)
    filtered = (status == "tested") & table["pvalue"].notna() & table["padj"].isna()
    outlying = (status == "tested") & table["pvalue"].isna()
    table["status"] = status.mask(filtered, "low_count").mask(outlying, "outlier")
    for name in ("second_log2FoldChange", "second_pvalue"):
        table[name] = numbers[name]
    table["second_padj"] = benjamini_hochberg(table["second_pvalue"].to_numpy(float))
    second = numbers[["second_log2FoldChange", "second_lfcSE", "second_df"]].to_numpy(float).T
    table["confident_lfc"] = confident_lfc(second[0], second[1], second[2], alpha)
    other = numbers if "other_pvalue" in numbers else None
    table["weight"] = 1.0
    call = call_genes(table, alpha, main_only=main_only, other=other)
    weighted = weighted and other is None and bool(numbers[COVARIATE].notna().any())
    if weighted and (call != "none").sum() >= FEWEST_CALLS:
        table["weight"] = hypothesis_weights(table["second_pvalue"], numbers[COVARIATE], alpha)
    kept = table["pvalue"].where(table["padj"].notna())
    for name, pvalue in zip(ADJUSTED, (kept, table["second_pvalue"]), strict=True):
        table[name] = weighted_benjamini_hochberg(pvalue.to_numpy(), table["weight"].to_numpy())
    if (table["weight"] != 1.0).any():
        call = call_genes(table, alpha, main_only=False, weighted=True)
    table["call"] = call
    return table.reset_index(drop=True)


def _about(contrast: Contrast, pairs: int) -> dict[str, object]:
    return {
        "contrast": contrast.name,
        "kind": contrast.kind,
        "group": contrast.group,
        "reference": contrast.reference,
        "pairs": pairs,
    }


def contrast_row(
    contrast: Contrast, table: pd.DataFrame, fit: ad.AnnData, pairs: int, alpha: float
) -> dict[str, object]:
    """Return the row of `contrasts.tsv`."""
    main = call_genes(table, alpha, main_only=True)
    return _about(contrast, pairs) | {
        "status": "estimated",
        "residual_df": design_of(fit).residual_df,
        "tested": int((table["status"] == "tested").sum()),
        "up": int((table["call"] == "up").sum()),
        "down": int((table["call"] == "down").sum()),
        "up_main": int((main == "up").sum()),
        "down_main": int((main == "down").sum()),
        "spread_ratio": float(fit.uns["model"]["spread_ratio"][contrast.file]),
    }


def result_tables(
    cohort: ad.AnnData, fits: Mapping[str, ad.AnnData], alpha: float, *, weighted: bool = True
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the result table of each contrast by its name, and the table of contrasts.

    fits: by model, as `fitting.fit_model` returns them; weighted: as `result_table` takes it.
    """
    noted = settings_of(cohort)
    found, rows = {}, []
    for contrast in all_contrasts(noted):
        pairs = pairs_of(contrast, cohort.obs)
        if reason := noted["not_estimable"].get(contrast.name):
            found[contrast.name] = tables.empty("de")
            rows.append(_about(contrast, pairs) | {"status": "not_estimable", "reason": reason})
            continue
        fit = fits[contrast.model]
        table = result_table(fit, contrast.name, cohort.var["symbol"], alpha, weighted=weighted)
        found[contrast.name] = table
        rows.append(contrast_row(contrast, table, fit, pairs, alpha))
    return found, pd.DataFrame(rows, columns=tables.schemas()["contrasts"].names)
