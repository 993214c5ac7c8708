"""The second model: linear models with donors eliminated, and effects for the set tests."""

from __future__ import annotations

from fibroserum.linear.depth import depth_matched, kept_shares
from fibroserum.linear.effects import Effects, genewise_effects
from fibroserum.linear.group_variance import (
    UNEQUAL,
    GroupVariance,
    group_variances,
    group_wise_t,
    spread_ratio,
    unequal,
)
from fibroserum.linear.voom import (
    LinearFit,
    estimates,
    filter_by_expr,
    fit_weighted,
    moderated_t,
    posterior_variance,
    tmm_factors,
    voom_fit,
)

__all__ = [
    "UNEQUAL",
    "Effects",
    "GroupVariance",
    "LinearFit",
    "depth_matched",
    "estimates",
    "filter_by_expr",
    "fit_weighted",
    "genewise_effects",
    "group_variances",
    "group_wise_t",
    "kept_shares",
    "moderated_t",
    "posterior_variance",
    "spread_ratio",
    "tmm_factors",
    "unequal",
    "voom_fit",
]
