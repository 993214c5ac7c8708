"""The second model: linear models with donors eliminated, and effects for the set tests."""

from __future__ import annotations

from fibroserum.linear.composition import filter_by_expr, tmm_factors
from fibroserum.linear.depth import depth_matched, fixed_norm_factors, kept_shares
from fibroserum.linear.donor_level import (
    ContrastFit,
    Expression,
    contrast_fits,
    contrast_test,
    fit_values,
)
from fibroserum.linear.effects import Effects, genewise_effects
from fibroserum.linear.group_variance import (
    UNEQUAL,
    GroupVariance,
    contrast_variance,
    group_variances,
    group_wise_t,
    satterthwaite,
    spread_ratio,
    typical_variances,
    unequal,
    variance_parts,
)
from fibroserum.linear.joint import contrasts_f, vectors_f
from fibroserum.linear.moderation import VariancePrior, posterior_variance, variance_prior
from fibroserum.linear.quality import pair_weights
from fibroserum.linear.voom import (
    LinearFit,
    estimates,
    fit_weighted,
    log_cpm,
    lowess_span,
    moderated_t,
    precision_weights,
    voom_fit,
)

__all__ = [
    "UNEQUAL",
    "ContrastFit",
    "Effects",
    "Expression",
    "GroupVariance",
    "LinearFit",
    "VariancePrior",
    "contrast_fits",
    "contrast_test",
    "contrast_variance",
    "contrasts_f",
    "depth_matched",
    "estimates",
    "filter_by_expr",
    "fit_values",
    "fit_weighted",
    "fixed_norm_factors",
    "genewise_effects",
    "group_variances",
    "group_wise_t",
    "kept_shares",
    "log_cpm",
    "lowess_span",
    "moderated_t",
    "pair_weights",
    "posterior_variance",
    "precision_weights",
    "satterthwaite",
    "spread_ratio",
    "tmm_factors",
    "typical_variances",
    "unequal",
    "variance_parts",
    "variance_prior",
    "vectors_f",
    "voom_fit",
]
