"""The second model: moderated t tests of limma over one value per donor and contrast."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.cohort.donor_values import pair_changes
from fibroserum.cohort.models import Model
from fibroserum.de.evidence import other_evidence
from fibroserum.de.hypothesis_weights import COVARIATE
from fibroserum.de.settings import FitSettings
from fibroserum.inference.wald import beyond
from fibroserum.linear import ContrastFit, Expression, GroupVariance
from fibroserum.slopes.contrast import contrast_slope

COLUMNS = ["second_log2FoldChange", "second_pvalue", "second_lfcSE", "second_df"]


@dataclass(frozen=True)
class Second:
    """What the second model says.

    tables: by contrast, a row a gene that it tests: second_log2FoldChange, second_pvalue,
    second_lfcSE, second_df, and weight_covariate (`other_evidence`), NaN where the contrast
    has none. spread_ratio: by contrast, `linear.spread_ratio`, NaN without a second
    model. pooled_groups: groups too small for a variance of their own.
    """

    tables: dict[str, pd.DataFrame]
    spread_ratio: dict[str, float] = field(default_factory=dict)
    pooled_groups: tuple[str, ...] = ()


def no_second_model(model: Model, genes: pd.Index) -> Second:
    """Return the second model's part where there is none."""
    nothing = pd.DataFrame(np.nan, index=genes[:0], columns=[*COLUMNS, COVARIATE])
    return Second(
        dict.fromkeys(model.contrasts, nothing), dict.fromkeys(model.contrasts, float("nan"))
    )


def second_model(expression: Expression, model: Model, settings: FitSettings) -> Second:
    """Return the second model's estimates and p values, contrast by contrast.

    expression: of the genes with enough counts (`well_counted`), which it tests.
    """
    nothing = no_second_model(model, expression.genes)
    fits = linear.contrast_fits(expression, model, n_cpus=settings.n_cpus)
    spread = _group_variances(fits, settings.n_cpus)
    ratios = _spread_ratios(expression, model, fits, spread, settings.n_cpus)
    separate = settings.steps.group_wise or linear.unequal(ratios.values())
    if model.name == "dose":
        slopes = {name: contrast_slope(own, n_cpus=settings.n_cpus) for name, own in fits.items()}
        tables = {name: second_columns(table, 0.0) for name, table in slopes.items()}
    else:
        tables = _tables(fits, spread if separate else None, settings)
    evidence = other_evidence(fits, model, spread, n_cpus=settings.n_cpus)
    for name, table in tables.items():
        table[COVARIATE] = evidence.get(name, np.nan)
    pooled = {group for own in spread.values() for group in own.pooled}
    return Second(
        nothing.tables | tables,
        nothing.spread_ratio | ratios,
        tuple(sorted(pooled)) if separate else (),
    )


def second_tables(
    expression: Expression, model: Model, settings: FitSettings
) -> dict[str, pd.DataFrame]:
    """Return the tables of `second_model` alone, of the contrasts that the donors allow."""
    fits = linear.contrast_fits(expression, model, n_cpus=settings.n_cpus)
    separate = settings.steps.group_wise
    return _tables(fits, _group_variances(fits, settings.n_cpus) if separate else None, settings)


def _tables(
    fits: dict[str, ContrastFit], spread: dict[str, GroupVariance] | None, settings: FitSettings
) -> dict[str, pd.DataFrame]:
    """Return the tests of contrasts; spread: None for one variance of all groups."""
    tests = {
        name: linear.moderated_t(own.fit, own.vector)
        if spread is None
        else linear.group_wise_t(own.fit, own.vector, spread[name], n_cpus=settings.n_cpus)
        for name, own in fits.items()
    }
    return {name: second_columns(table, settings.lfc_threshold) for name, table in tests.items()}


def _group_variances(fits: dict[str, ContrastFit], n_cpus: int) -> dict[str, GroupVariance]:
    """Return the groups' variances of each contrast; contrasts of one fit share them."""
    found: dict[int, GroupVariance] = {}
    for own in fits.values():
        if id(own.fit) not in found:
            found[id(own.fit)] = linear.group_variances(own.fit, own.groups, n_cpus=n_cpus)
    return {name: found[id(own.fit)] for name, own in fits.items()}


def _spread_ratios(
    expression: Expression,
    model: Model,
    fits: dict[str, ContrastFit],
    spread: dict[str, GroupVariance],
    n_cpus: int,
) -> dict[str, float]:
    """Return by contrast how much larger its typical variance is than a pooled model says.

    Where donors are in several groups, the pooled model takes each pair for a donor of its own.
    """
    alone = {name: own for name, own in fits.items() if own.groups is None}
    ratios = {
        name: linear.spread_ratio(own.fit, own.vector, spread[name], n_cpus=n_cpus)
        for name, own in fits.items()
        if name not in alone
    }
    if alone and model.name == "paired" and model.units is not None:
        pairs = replace(model, units=model.units + "|" + model.groups)
        pooled = {
            name: replace(own, groups=None)
            for name, own in linear.contrast_fits(expression, pairs, n_cpus=n_cpus).items()
        }
        of_all = _group_variances(pooled, n_cpus)
        for name, own in alone.items():
            typical, _ = linear.typical_variances(own.fit, own.vector, spread[name], n_cpus=n_cpus)
            every = pooled[name]
            _, by_pair = linear.typical_variances(
                every.fit, every.vector, of_all[name], n_cpus=n_cpus
            )
            ratios[name] = typical / by_pair
        return ratios
    return ratios | dict.fromkeys(alone, 1.0)


def second_columns(table: pd.DataFrame, lfc_threshold: float) -> pd.DataFrame:
    """Return COLUMNS of a contrast's test; table: as `linear.group_wise_t` returns it."""
    estimate, se, df = (table[name] for name in ("log2FoldChange", "se", "df_total"))
    return pd.DataFrame(
        {
            "second_log2FoldChange": estimate,
            "second_pvalue": beyond(estimate, se, lfc_threshold, df),
            "second_lfcSE": se,
            "second_df": df,
        }
    )


def well_counted(counts: pd.DataFrame, model: Model, force_kept: pd.Series) -> pd.DataFrame:
    """Return the model's samples and its genes: passed by edgeR's filterByExpr, or force-kept.

    Which genes have enough counts is a matter of donors and groups, not of doses.
    """
    samples = model.design.samples
    own = counts if counts.index.equals(samples) else counts.loc[samples]
    dense = model.design.dense
    design = Design(dense.loc[:, ~dense.columns.str.startswith("dose[")], model.design.blocks)
    keep = linear.filter_by_expr(own, design, keep=force_kept[own.columns].to_numpy())
    return own.loc[:, keep]


def expression_of(
    well: pd.DataFrame, model: Model, factors: pd.Series, *, weighted: bool, n_cpus: int = 1
) -> Expression:
    """Return log2 counts per million of a model's samples, weighted: with voom's weights.

    well: `well_counted`; factors: TMM factors by sample, as a fit's `obs` has them.
    """
    factor = factors.loc[well.index].to_numpy(float)
    values, size = linear.log_cpm(well, factor, n_cpus=n_cpus)
    weights = None
    if weighted:
        span = linear.lowess_span(well.shape[1])
        seen = well.to_numpy().any(axis=0)
        weights = linear.precision_weights(values, size, model.design, seen, span, n_cpus=n_cpus)
    return Expression(well.index, well.columns, values, weights)


def quality_weights(expression: Expression, model: Model) -> pd.Series:
    """Return the quality weight of each sample: that of its pair among the pairs of its group.

    1 in models of levels. A sample before is in a pair for each time after. It has the excess
    variance that its donor's pairs share, and each sample after the rest of its own pair's, so that
    a poor sample at one time does not count against the other times.
    """
    weights = np.ones(len(expression.samples))
    if model.name != "paired" or model.groups is None:
        return pd.Series(weights, expression.samples)
    pairs: dict[int, dict[int, float]] = {}
    for _, steps in pair_changes(model):
        own = linear.pair_weights(np.asarray(steps @ expression.log2))
        later, before = (part.tocoo() for part in (steps.maximum(0), (-steps).maximum(0)))
        start = dict(zip(before.row, before.col, strict=True))
        for pair, after in zip(later.row, later.col, strict=True):
            pairs.setdefault(start[pair], {})[after] = float(own[pair])
    for before, of_pair in pairs.items():
        if len(set(of_pair.values())) == len(of_pair) == 1:
            weights[[before, *of_pair]] = next(iter(of_pair.values()))
            continue
        # a pair's variance is 2 where its weight is 1: one of each of its samples
        variance = {after: 2.0 / weight for after, weight in of_pair.items()}
        shared = min(variance.values()) - 1.0
        weights[before] = 1.0 / shared
        for after, total in variance.items():
            weights[after] = 1.0 / (total - shared)
    return pd.Series(weights, expression.samples)


def with_quality(expression: Expression, obs: pd.DataFrame) -> Expression:
    """Return values with the quality weights that a fit's `obs` has; none where all are 1."""
    quality = obs.loc[expression.samples, "quality_weight"].to_numpy(float)
    return replace(expression, quality=None if (quality == 1.0).all() else quality)
