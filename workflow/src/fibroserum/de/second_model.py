"""The second model: limma-voom on the genes with enough counts, its estimates and p values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.models import Model
from fibroserum.de.settings import FitSettings
from fibroserum.inference.wald import beyond
from fibroserum.linear import LinearFit


@dataclass(frozen=True)
class Second:
    """What the second opinion says.

    tables: by contrast, a row a gene that it tests: second_log2FoldChange, second_pvalue,
    second_lfcSE, second_df. spread_ratio: by contrast, `linear.spread_ratio`, NaN without voom.
    group_wise: whether each group has a variance of its own. pooled_groups: groups too
    small for one.
    """

    tables: dict[str, pd.DataFrame]
    spread_ratio: dict[str, float]
    group_wise: bool = False
    pooled_groups: tuple[str, ...] = ()


def second_opinion(
    counts: pd.DataFrame,
    model: Model,
    force_kept: pd.Series,
    settings: FitSettings,
    factors: pd.Series,
) -> Second:
    """Return the second model's estimates and p values, contrast by contrast.

    Where donors of one group spread more than those of others, genome-wide, voom has a residual
    variance for each group: the main model has one for all, and the two must agree. Elsewhere the
    test is limma's own. counts: samples × genes that are fitted; genes below filterByExpr's bound
    are not tested, as limma's authors advise, the targets aside. factors: `norm_factors`.
    """
    columns = ["second_log2FoldChange", "second_pvalue", "second_lfcSE", "second_df"]
    unknown = dict.fromkeys(model.contrasts, float("nan"))
    if settings.second_opinion == "none":
        nothing = pd.DataFrame(np.nan, index=counts.columns[:0], columns=columns)
        return Second(dict.fromkeys(model.contrasts, nothing), unknown)
    fit = linear_model(counts, model, force_kept, factors, settings.n_cpus)
    spread = linear.group_variances(fit, model.groups, n_cpus=settings.n_cpus)
    ratios = {
        name: linear.spread_ratio(fit, vector, spread, n_cpus=settings.n_cpus)
        for name, vector in model.contrasts.items()
    }
    own = linear.unequal(ratios.values())
    tables = {
        name: linear.group_wise_t(fit, vector, spread, n_cpus=settings.n_cpus)
        if own
        else linear.moderated_t(fit, vector)
        for name, vector in model.contrasts.items()
    }
    found = {name: _second_columns(table, settings) for name, table in tables.items()}
    return Second(found, ratios, own, spread.pooled)


def _second_columns(table: pd.DataFrame, settings: FitSettings) -> pd.DataFrame:
    estimate, se, df = (table[name] for name in ("log2FoldChange", "se", "df_total"))
    return pd.DataFrame(
        {
            "second_log2FoldChange": estimate,
            "second_pvalue": beyond(estimate, se, settings.lfc_threshold, df),
            "second_lfcSE": se,
            "second_df": df,
        }
    )


def well_counted(counts: pd.DataFrame, model: Model, force_kept: pd.Series) -> pd.DataFrame:
    """Return the model's samples and its genes: passed by edgeR's filterByExpr, or force-kept."""
    own = counts.loc[model.design.samples]
    keep = linear.filter_by_expr(own, model.design, keep=force_kept[own.columns].to_numpy())
    return own.loc[:, keep]


def norm_factors(counts: pd.DataFrame, model: Model, force_kept: pd.Series) -> pd.Series:
    """Return TMM factors of the model's samples, over the genes that are `well_counted`."""
    well = well_counted(counts, model, force_kept)
    return pd.Series(linear.tmm_factors(well), index=well.index)


def linear_model(
    counts: pd.DataFrame, model: Model, force_kept: pd.Series, factors: pd.Series, n_cpus: int
) -> LinearFit:
    """Return the voom fit that serves the second opinion and the set tests.

    factors: `norm_factors` of these counts, by sample, as a fit's `obs` has them.
    """
    well = well_counted(counts, model, force_kept)
    factor = factors.loc[well.index].to_numpy(float)
    return linear.voom_fit(well, model.design, norm_factors=factor, n_cpus=n_cpus)
