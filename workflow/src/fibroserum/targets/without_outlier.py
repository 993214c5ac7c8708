"""The outlying donor of each target and contrast."""

from __future__ import annotations

import numpy as np

from fibroserum.cohort.designs import design_of
from fibroserum.targets import donor_values, outliers
from fibroserum.targets.study import Study


def named_outliers(study: Study) -> dict[tuple[str, str], str | None]:
    """Return by (gene, contrast) the donor whose own value is an outlier."""
    found: dict[tuple[str, str], str | None] = {}
    genes = list(study.samples.log2.columns)
    if not genes:
        return found
    for contrast in study.contrasts:
        fit = study.fits[contrast.model]
        trend = fit.var["fitted_dispersions"].reindex(genes)
        # a gene without a trend was not fitted: it has no verdict
        trend = trend.fillna(float(np.nanmedian(fit.var["fitted_dispersions"]))).to_numpy(float)
        design = design_of(fit)
        if contrast.kind == "baseline":
            own = donor_values.own_levels(study.samples, contrast, design, trend)
        else:
            own = donor_values.own_changes(study.samples, contrast, study.changing, design, trend)
        groups = sorted(set(study.members[contrast.name].index.get_level_values("group")))
        prior = outliers.prior_df(float(fit.uns["model"]["prior_variance"]))
        named = outliers.outlying_donors(own, groups, prior)
        found |= {(gene, contrast.name): who for gene, who in zip(genes, named, strict=True)}
    return found
