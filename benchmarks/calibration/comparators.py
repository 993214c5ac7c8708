"""What other methods call on the same cohort, in tables of one form.

Columns: log2FoldChange, pvalue, padj, call, ci_low, ci_high; index: genes of the matrix, NaN
where a method does not test one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import edgepython
import numpy as np
import pandas as pd
from scipy import stats

from calibration.chain import ALPHA, Chain
from calibration.cohort import AFTER, BEFORE, Cohort
from edger import edger_ql
from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import design_of
from fibroserum.de.stage import call_genes
from fibroserum.de.stored_fit import linear_models_of
from fibroserum.linear import moderated_t
from fibroserum.multiple_testing import benjamini_hochberg

Tables = dict[str, pd.DataFrame]
COLUMNS = ["log2FoldChange", "pvalue", "padj", "call", "ci_low", "ci_high"]


def called(table: pd.DataFrame, genes: pd.Index) -> pd.DataFrame:
    """Return a t test (log2FoldChange, se, pvalue, df_total) as a table with calls by BH."""
    half = stats.t.ppf(0.975, table["df_total"]) * table["se"]
    out = table.assign(
        lfcSE=table["se"],
        padj=benjamini_hochberg(table["pvalue"].to_numpy(float)),
        ci_low=table["log2FoldChange"] - half,
        ci_high=table["log2FoldChange"] + half,
    ).reindex(genes)
    return out.assign(call=call_genes(out, ALPHA, main_only=True))[COLUMNS]


def voom(cohort: Cohort, chain: Chain) -> Tables:
    """limma-voom with donors as columns and one variance a gene: moderated t."""
    fit = chain.fits["paired"]
    linear = linear_models_of(fit, pd.Series(False, index=fit.var_names), 1)
    found = {c.name: linear[c.file] for c in cohort.contrasts}
    return {
        name: called(moderated_t(own.fit, own.vector), fit.var_names) for name, own in found.items()
    }


def deseq2(cohort: Cohort, chain: Chain) -> Tables:
    """The negative binomial model alone, as DESeq2 makes calls, with its normal intervals."""
    found = {c.name: chain.tables[c.name] for c in cohort.contrasts}
    return {
        name: table.assign(call=call_genes(table, ALPHA, main_only=True))[COLUMNS]
        for name, table in found.items()
    }


def edger(cohort: Cohort, chain: Chain) -> Tables:
    """edgeR's quasi-likelihood F test on the genes that the second model tests."""
    fit = chain.fits["paired"]
    design, noted = design_of(fit), fit.uns["model"]["contrasts"]
    tested = chain.tables[cohort.contrasts[0].name]["second_pvalue"].notna()
    counts = counts_of(fit).loc[design.samples, tested]
    contrasts = {c.name: np.asarray(noted[c.file]) for c in cohort.contrasts}
    found = edger_ql(counts, design, contrasts)
    return {name: called(table, fit.var_names) for name, table in found.items()}


def pairs(cohort: Cohort, chain: Chain) -> Tables:
    """limma-trend on unweighted differences of log-cpm within pairs: one value per donor.

    Parallel groups are the columns of one model. In a crossover every contrast is a t test of one
    value per donor: of a group's pair, of the difference of a donor's pairs, or of their mean.
    """
    return pair_tests(cohort, chain, robust=False)


def pairs_robust(cohort: Cohort, chain: Chain) -> Tables:
    """The same with robust empirical Bayes."""
    return pair_tests(cohort, chain, robust=True)


def pair_tests(cohort: Cohort, chain: Chain, *, robust: bool) -> Tables:
    """Return limma-trend on pair differences; covariates enter as their differences."""
    fit = chain.fits["paired"]
    tested = chain.tables[cohort.contrasts[0].name]["second_pvalue"].notna()
    counts = counts_of(fit).loc[:, tested]
    change, mean = pair_changes(counts, cohort, fit.obs["norm_factors"])
    genes = fit.var_names
    tables = {}
    for contrast in cohort.contrasts:
        values, design, weights = _pair_design(change, cohort, contrast)
        table = _trend_t(values, design, weights, mean, robust=robust)
        tables[contrast.name] = called(table.set_index(counts.columns), genes)
    return tables


def pair_changes(
    counts: pd.DataFrame, cohort: Cohort, norm_factors: pd.Series
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return differences of log2 cpm within pairs, (group, donor) × genes, and mean log2 cpm."""
    size = counts.sum(axis=1) * norm_factors
    values = edgepython.cpm(
        counts.to_numpy(float).T, lib_size=size.to_numpy(float), log=True, prior_count=2
    ).T
    sheet = cohort.sheet.loc[counts.index]
    keyed = pd.DataFrame(
        values,
        index=pd.MultiIndex.from_frame(sheet[["group", "donor", "time"]]),
        columns=counts.columns,
    )
    after, before = (keyed.xs(time, level="time") for time in (AFTER, BEFORE))
    return after - before.loc[after.index], values.mean(axis=0)


def _pair_design(
    change: pd.DataFrame, cohort: Cohort, contrast: Contrast
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values (pairs × genes), their design, and the contrast's weights of its columns."""
    if not cohort.crossover:
        group = change.index.get_level_values("group")
        columns = [(group == name).astype(float) for name in cohort.groups]
        weights = [_weight(contrast, name, cohort.groups) for name in cohort.groups]
        columns += _covariate_changes(cohort, change)
        weights += [0.0] * (len(columns) - len(cohort.groups))
        return change.to_numpy(), np.column_stack(columns), np.array(weights)
    weighted = [
        change.xs(name, level="group") * weight
        for name in cohort.groups
        if (weight := _weight(contrast, name, cohort.groups))
    ]
    value = sum(weighted[1:], weighted[0]).dropna(how="all")
    return value.to_numpy(), np.ones((len(value), 1)), np.ones(1)


def _weight(contrast: Contrast, group: str, groups: Sequence[str]) -> float:
    if contrast.kind == "average":
        return 1.0 / len(groups)
    return float(group == contrast.group) - float(group == contrast.reference)


def _covariate_changes(cohort: Cohort, change: pd.DataFrame) -> list[np.ndarray]:
    """Return the differences within pairs of the indicators of declared covariates."""
    found = []
    for name in cohort.covariates:
        levels = sorted(cohort.sheet[name].unique())[1:]
        keyed = cohort.sheet.set_index(["group", "donor", "time"])[name]
        for level in levels:
            own = (keyed == level).astype(float)
            after, before = (own.xs(time, level="time") for time in (AFTER, BEFORE))
            found.append((after - before).loc[change.index].to_numpy())
    return found


def _trend_t(
    values: np.ndarray, design: np.ndarray, weights: np.ndarray, mean: np.ndarray, *, robust: bool
) -> pd.DataFrame:
    """Return limma's moderated t with a trended prior, without weights."""
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ values
    df = len(values) - design.shape[1]
    variance = ((values - design @ beta) ** 2).sum(axis=0) / df
    squeezed = edgepython.squeeze_var(
        variance, np.full(len(variance), float(df)), covariate=mean, robust=robust
    )
    prior = np.broadcast_to(np.asarray(squeezed["df_prior"], float), variance.shape)
    se = np.sqrt(np.asarray(squeezed["var_post"], float) * (weights @ inverse @ weights))
    estimate = weights @ beta
    df_total = np.minimum(df + prior, df * len(variance))
    pvalue = 2 * stats.t.sf(np.abs(estimate / se), df_total)
    return pd.DataFrame(
        {"log2FoldChange": estimate, "se": se, "pvalue": pvalue, "df_total": df_total}
    )


COMPARATORS: dict[str, Callable[[Cohort, Chain], Tables]] = {
    "voom": voom,
    "deseq2": deseq2,
    "edger": edger,
    "pairs": pairs,
    "pairs-robust": pairs_robust,
}
