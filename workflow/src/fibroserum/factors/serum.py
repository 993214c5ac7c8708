"""Serum evidence: does expression change where the factor's serum level changes?

The slope of expression on each pair's change of the log2 level, within groups (`slopes.model`): the
change of log2 expression per doubling of the level, among donors of one group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fibroserum.factors.calls import UNAVAILABLE
from fibroserum.factors.combine import Evidence, signed_z
from fibroserum.slopes.design import keys_of
from fibroserum.slopes.model import STEPS, SlopeSteps, slope_model


@dataclass(frozen=True)
class SerumModel:
    """The serum evidence on one factor.

    table: by gene id, serum_slope with ci_low and ci_high, serum_pvalue; empty where it is
    unavailable, and `unavailable` says why. pairs: `level_pairs` with the pairs that the model
    used, their leverage and relative_variance. df_prior, df_residual: of its moderated t test, in a
    typical gene. norm_factors: of its samples, None where it is unavailable.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    unavailable: str
    df_prior: float = np.inf
    df_residual: float = np.inf
    norm_factors: pd.Series | None = None

    def evidence(self) -> Evidence:
        """Return it as evidence on the factor's genes."""
        z = signed_z(self.table["serum_slope"], self.table["serum_pvalue"])
        return Evidence("serum", z, self.df_prior, self.df_residual)


def level_values(pairs: pd.DataFrame) -> pd.Series:
    """Return the usable pairs' changes of the log2 level by donor and group."""
    used = pairs[pairs["used"]]
    return pd.Series(used["change_log2"].to_numpy(float), index=keys_of(used))


def serum_model(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    pairs: pd.DataFrame,
    force_kept: pd.Series,
    *,
    norm_factors: pd.Series | None = None,
    n_cpus: int = 1,
    steps: SlopeSteps = STEPS,
) -> SerumModel:
    """Return the serum evidence.

    pairs: `level_pairs`; other arguments as `slope_model` takes them.
    """
    levels = pairs.loc[pairs["used"], ["before_log2", "after_log2"]].to_numpy(float)
    found = slope_model(
        counts,
        obs,
        settings,
        level_values(pairs),
        force_kept,
        name="the level",
        magnitude=max(1.0, float(np.abs(levels).max(initial=0))),
        norm_factors=norm_factors,
        n_cpus=n_cpus,
        steps=steps,
    )
    columns = ["slope", "ci_low", "ci_high", "pvalue"]
    table = found.table[columns].rename(columns={c: f"serum_{c}" for c in ("slope", "pvalue")})
    if found.unavailable:
        reason = pairs["reason"].where(~pairs["used"], f"{UNAVAILABLE}{found.unavailable}")
        return SerumModel(table, pairs.assign(used=False, reason=reason), found.unavailable)
    described = found.pairs.reindex(keys_of(pairs))
    pairs = pairs.assign(**{name: described[name].to_numpy() for name in described})
    return SerumModel(table, pairs, "", found.df_prior, found.df_residual, found.norm_factors)


def serum_models(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    settings: Mapping[str, Any],
    pairs: Mapping[str, pd.DataFrame],
    force_kept: pd.Series,
    *,
    n_cpus: int = 1,
) -> dict[str, SerumModel]:
    """Return the serum evidence by factor; pairs: by factor, others as in `serum_model`."""
    found: dict[str, SerumModel] = {}
    known = None
    for name, own in pairs.items():
        one = serum_model(counts, obs, settings, own, force_kept, norm_factors=known, n_cpus=n_cpus)
        # most factors of a cohort are measured in the same samples
        known = known if one.norm_factors is None else one.norm_factors
        found[name] = one
    return found
