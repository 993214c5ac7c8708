"""The serum line: does expression change where the factor's serum level changes?

The model of changes within donors gets one more column: each pair's change of the log2 level,
centred within its group, on the after sample. Its coefficient is the change of log2 expression per
doubling of the level, among donors of one group. Centring leaves the groups' own mean changes to
the groups' columns, so that a group's response to its intervention is no evidence here, and the
slope says nothing about the contrasts that it is later compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import paired_model
from fibroserum.cohort.rank import check_rank
from fibroserum.errors import InputError
from fibroserum.factors.combine import Evidence, signed_z
from fibroserum.factors.influence import (
    ASKED,
    HALF,
    PairVariances,
    hc3_pvalue,
    pair_variances,
    without_each_pair,
)
from fibroserum.intervals import ROUNDING
from fibroserum.linear.robust import WHOLE

LEVEL = "level"
# A ratio (`PairVariances`) beyond which pairs with leverage vary more: HC3 is asked as well. In
# simulated cohorts whose pairs vary alike, none extreme, it is below 1.03 from 8 donors a group on.
UNLIKE = 1.05


@dataclass(frozen=True)
class SerumSteps:
    """Which steps the slope's test takes beyond one variance a gene; all but in an ablation.

    group_wise: a residual variance for each group. pair_ratio: the variance times the ratio that
    the pairs' variances show. hc3_beyond: the ratio beyond which the larger of the p value and
    HC3's is taken; infinite: nowhere.
    """

    group_wise: bool = True
    pair_ratio: bool = True
    hc3_beyond: float = UNLIKE


STEPS = SerumSteps()


@dataclass(frozen=True)
class SerumModel:
    """The serum line of one factor.

    table: by gene id, serum_slope and serum_pvalue; empty where the line is unavailable, and
    `unavailable` says why. pairs: `level_pairs` with the pairs that the model used, their leverage
    and relative_variance. df_prior, df_residual: of its moderated t test, in a typical gene.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    unavailable: str
    df_prior: float = np.inf
    df_residual: float = np.inf

    def evidence(self) -> Evidence:
        """Return it as a line of evidence."""
        z = signed_z(self.table["serum_slope"], self.table["serum_pvalue"])
        return Evidence("serum", z, self.df_prior, self.df_residual)


BLOCKED = "donors share blocks (design.block), and their levels are not independent"


def centred_changes(pairs: pd.DataFrame) -> pd.Series:
    """Return the usable pairs' changes of the log2 level less their group's mean, by row."""
    change = pairs.loc[pairs["used"], "change_log2"].astype(float)
    groups = pairs.loc[pairs["used"], "group"]
    return change - change.groupby(groups).transform("mean")


def serum_design(obs: pd.DataFrame, settings: Mapping[str, Any], pairs: pd.DataFrame) -> Design:
    """Return the design of the serum model, `level` last.

    obs: samples × (donor, group, time, covariates) of complete pairs; settings: `groups`, `after`,
    `crossover`, `covariates`; pairs: `level_pairs`. In a crossover each pair is a block and each
    donor has a mean change of its own, so that a donor's several pairs do not count as several
    donors. Raises InputError where the slope cannot be estimated.
    """
    used = pairs[pairs["used"]]
    level = dict(zip(_keys(used), centred_changes(pairs), strict=True))
    kept = obs[[key in level for key in _keys(obs)]]
    groups = [group for group in settings["groups"] if (used["group"] == group).any()]
    crossover = settings["crossover"]
    blocks = kept.assign(donor=["|".join(key) for key in _keys(kept)]) if crossover else kept
    model = paired_model(
        blocks,
        groups,
        settings["after"],
        [],
        crossover=False,
        covariates=settings["covariates"],
        categorical=settings.get("categorical", ()),
    )
    after = (kept["time"] == settings["after"]).to_numpy(float)
    dense = model.design.dense
    if crossover:
        changes = {
            f"donor_after[{donor}]": after * (kept["donor"] == donor)
            for donor in sorted(kept["donor"].unique())
        }
        dense = dense.drop(columns=f"after[{groups[0]}]").assign(**changes)
    own = np.array([level[key] for key in _keys(kept)], dtype=float)
    design = Design(dense.assign(**{LEVEL: after * own}), model.design.blocks)
    check_rank(design, "the model of the serum level")
    return design


def _keys(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["donor"].astype(str), frame["group"].astype(str), strict=True))


def _why_constant(pairs: pd.DataFrame) -> str:
    used = pairs[pairs["used"]]
    if used.empty:
        return "no pair has a usable level at both times"
    size = float(np.abs(used[["before_log2", "after_log2"]].to_numpy(float)).max())
    if np.abs(centred_changes(pairs)).max() <= ROUNDING * max(1.0, size):
        return (
            "the level changes by the same in every donor of a group: there is no slope to estimate"
        )
    return ""


def _why_one_pair(design: Design) -> str:
    """Return why the slope rests on a pair that decides its own fitted value, or nothing."""
    centred = design.centred(design.dense_values)
    basis, triangle = np.linalg.qr(centred)
    # two samples a pair: each has half of the pair's leverage
    leverage = 2 * (basis**2).sum(axis=1)
    influence = basis @ np.linalg.inv(triangle)[design.dense.columns.get_loc(LEVEL)]
    alone = (leverage >= WHOLE) & (np.abs(influence) > ROUNDING * np.abs(influence).max())
    if not alone.any():
        return ""
    pair = design.labels[design.codes[alone][0]].replace("|", ", ")
    return (
        f"the slope rests on the pair of {pair} alone: without it the level changes by the same "
        "in every donor of a group"
    )


def serum_fit(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    design: Design,
    force_kept: pd.Series,
    *,
    n_cpus: int = 1,
) -> linear.LinearFit:
    """Return limma-voom with the serum level beside the donors; arguments as `serum_model`'s."""
    own = counts.loc[design.samples]
    # which genes have counts enough is a matter of the groups, not of donors or the level
    after = obs.loc[own.index, "group"].where(obs.loc[own.index, "time"] == settings["after"])
    plain = pd.DataFrame({f"after[{group}]": (after == group) * 1.0 for group in after.unique()})
    keep = linear.filter_by_expr(
        own,
        Design(plain.loc[:, plain.any()]),
        keep=force_kept[counts.columns].to_numpy(bool),
    )
    return linear.voom_fit(own.loc[:, keep], design, n_cpus=n_cpus)


def serum_model(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    pairs: pd.DataFrame,
    force_kept: pd.Series,
    *,
    n_cpus: int = 1,
    steps: SerumSteps = STEPS,
) -> SerumModel:
    """Fit limma-voom with the serum level beside the donors, and test its slope in every gene.

    counts: samples × fitted genes, raw; obs: of the same samples, complete pairs; force_kept: by
    gene, kept whatever its counts (the targets). The moderated t test keeps its level with few
    donors, which the negative binomial Wald test does not (docs/calibration.md). Each group has a
    variance of its own; where pairs with leverage vary more than others of their group, by the
    residuals of all genes, the slope's variance is multiplied by that ratio, and beyond `UNLIKE`
    the p value is at least that of HC3. Where one pair makes more than half of a slope with p <
    0.05, its p value is that of the slope without the pair, if that is larger.
    """
    nothing = pd.DataFrame({"serum_slope": [], "serum_pvalue": []}, index=counts.columns[:0])
    why = BLOCKED if settings.get("block") else _why_constant(pairs)
    if not why:
        try:
            design = serum_design(obs, settings, pairs)
        except InputError as error:
            why = "; ".join(problem.what for problem in error.problems)
    why = why or _why_one_pair(design)
    if why:
        unused = pairs.assign(
            used=False, reason=pairs["reason"].where(~pairs["used"], f"line unavailable: {why}")
        )
        return SerumModel(nothing, unused, why)
    fit = serum_fit(counts, obs, settings, design, force_kept, n_cpus=n_cpus)
    groups = obs.loc[fit.samples, "group"].astype(str)
    tested, alike = slope_test(fit, groups, steps, n_cpus=n_cpus)
    table = tested.rename(columns={"log2FoldChange": "serum_slope", "pvalue": "serum_pvalue"})
    _, pooled = linear.posterior_variance(fit.sigma**2, fit.df_residual)
    # with a variance a group a typical gene has fewer degrees of freedom than the pooled fit
    typical = float(table["df_total"].median()) / pooled
    return SerumModel(
        table[["serum_slope", "serum_pvalue"]],
        _described(pairs, obs.loc[fit.samples], design, alike),
        "",
        (pooled - fit.df_residual) * typical,
        fit.df_residual * typical,
    )


def slope_test(
    fit: linear.LinearFit, groups: pd.Series, steps: SerumSteps = STEPS, *, n_cpus: int = 1
) -> tuple[pd.DataFrame, PairVariances]:
    """Return the slope's test, columns of `moderated_t`, and the pairs' variances.

    fit: `serum_fit`; groups: by sample.
    """
    column = fit.design.dense.columns.get_loc(LEVEL)
    slope = fit.design.contrast((fit.design.dense.columns == LEVEL).astype(float))
    of_pair = groups.groupby(fit.design.codes).first().to_numpy(str)
    if steps.group_wise:
        spread = linear.group_variances(fit, groups, n_cpus=n_cpus)
        tested = linear.group_wise_t(fit, slope, spread, n_cpus=n_cpus)
    else:
        tested, of_pair = linear.moderated_t(fit, slope), np.zeros(len(of_pair))
    alike = pair_variances(fit, column, of_pair)
    statistic, pvalue = np.abs(tested["t"]), tested["pvalue"]
    if steps.pair_ratio:
        pvalue = 2 * student.sf(statistic / np.sqrt(alike.ratio), tested["df_total"])
    if alike.ratio > steps.hc3_beyond:
        pvalue = np.maximum(pvalue, hc3_pvalue(fit, column))
    alone = without_each_pair(fit, column)
    made = (alone.share < HALF) & (tested["pvalue"] < ASKED)
    return tested.assign(pvalue=np.where(made, np.maximum(pvalue, alone.pvalue), pvalue)), alike


def _described(
    pairs: pd.DataFrame, obs: pd.DataFrame, design: Design, alike: PairVariances
) -> pd.DataFrame:
    """Return the pairs with their leverage and relative variance; obs: of the design's samples."""
    first = np.unique(design.codes, return_index=True)[1]
    known = pd.DataFrame(
        {"leverage": alike.leverage, "relative_variance": alike.variances},
        index=pd.MultiIndex.from_tuples(_keys(obs.iloc[first])),
    )
    found = known.reindex(pd.MultiIndex.from_tuples(_keys(pairs)))
    return pairs.assign(**{name: found[name].to_numpy() for name in found})
