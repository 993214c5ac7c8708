"""The conditions of a call, and which of them a gene that is not called does not meet."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum.multiple_testing import NORMAL_975, benjamini_hochberg

# adjusted p values that calls rest on
ADJUSTED = ("weighted_padj", "second_weighted_padj")
# of a gene without a test there is one reason; codes by status, without and with a p value
UNTESTED = {
    "low_count": ("l", "f"),
    "all_zero": ("z", "z"),
    "not_converged": ("n", "n"),
    "outlier": ("x", "x"),
    "not_estimable": ("e", "e"),
}
#: A sentence for each code; in braces: columns of the result table, alpha, and the threshold.
WORDS = {
    "m": "The main model is not significant (adjusted p value {weighted_padj}; the limit is "
    "{alpha}).",
    "s": "The second model is not significant (adjusted p value {second_weighted_padj}; the limit "
    "is {alpha}).",
    "d": "The two models disagree on the direction of change.",
    "i": "The 95 % interval includes 0 ({ci_low} to {ci_high}).",
    "b": "The estimated change does not exceed the threshold of {threshold}.",
    "t": "The second model did not test the gene, because its counts are too low.",
    "r": "The second model did not test this contrast, because too few donors inform it.",
    "w": "The gene has a low weight; with equal weights for all genes it would be called.",
    "o": "The size factors did not converge, and with the last ones the second model does not "
    "agree.",
    "l": "The counts are too low to fit the gene.",
    "f": "The mean count is too low: independent filtering removed the gene.",
    "z": "No sample has a count of the gene.",
    "n": "The fit of the main model did not converge.",
    "x": "A single sample drives the fit (Cook's distance), so there is no p value.",
    "e": "The contrast is not estimable.",
}


def conditions(
    table: pd.DataFrame,
    alpha: float,
    *,
    main_only: bool,
    other: pd.DataFrame | None = None,
    weighted: bool = False,
) -> dict[str, np.ndarray]:
    """Return whether each gene meets each condition of a call, by the condition's code in WORDS.

    The arguments are those of `call_genes`. A missing number does not meet a condition.
    """
    estimate = table["log2FoldChange"].to_numpy(float)
    padj, second_padj = ADJUSTED if weighted else ("padj", "second_padj")
    met = {"m": table[padj].to_numpy(float) < alpha}
    if main_only:
        error = table["lfcSE"].to_numpy(float)
        return met | {"i": np.abs(estimate) > NORMAL_975 * error}
    second = table["second_log2FoldChange"].to_numpy(float)
    met["s"] = table[second_padj].to_numpy(float) < alpha
    met["d"] = np.sign(second) == np.sign(estimate)
    met["i"] = (table["ci_low"] * table["ci_high"]).to_numpy(float) > 0
    if other is not None:
        adjusted = benjamini_hochberg(other["other_pvalue"].to_numpy(float))
        last = other["other_log2FoldChange"].to_numpy(float)
        met["o"] = (adjusted < alpha) & (np.sign(last) == np.sign(estimate))
    return met


def reasons(
    table: pd.DataFrame, alpha: float, *, main_only: bool, threshold: float = 0.0
) -> pd.Series:
    """Return why each gene of a result table is not called: codes of WORDS, none where it is.

    table: `de/{contrast}.tsv`, or rows with the status `not_estimable`; main_only: whether there
    is no second model; threshold: |log2 fold change| beyond which both models test. A gene
    without a test has one code, every other one a letter for each condition that it does not meet.
    """
    met = conditions(table, alpha, main_only=main_only, weighted=True)
    failed = {code: ~holds for code, holds in met.items()}
    if threshold > 0:
        failed["b"] = np.abs(table["log2FoldChange"].to_numpy(float)) <= threshold
    if not main_only:
        lacks = table["second_pvalue"].isna().to_numpy()
        failed["s"] &= ~lacks
        failed["d"] &= ~lacks
        failed["i"] &= table["ci_low"].notna().to_numpy()
        failed["r" if lacks.all() else "t"] = lacks
        alone = ~np.logical_or.reduce(list(failed.values()))
        # all other conditions are met: what is left are the size factors that were not kept
        failed["o"] = alone
        equal = conditions(table, alpha, main_only=False)
        failed["w"] = ~alone & np.logical_and.reduce(list(equal.values()))
    codes = np.full(len(table), "", dtype=object)
    for code in WORDS:
        if code in failed:
            codes = codes + np.where(failed[code], code, "")
    known = table["pvalue"].notna().to_numpy()
    for status, (without, having) in UNTESTED.items():
        here = (table["status"] == status).to_numpy()
        codes[here] = np.where(known[here], having, without)
    codes[(table["call"] != "none").to_numpy()] = ""
    return pd.Series(codes, index=table.index, dtype=object)
