"""The outlying donor of each target and contrast, and the second model's estimate without it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import design_of
from fibroserum.targets import donor_values, outliers
from fibroserum.targets.leave_one_out_voom import estimates_without
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
            own = donor_values.own_changes(study.samples, design, trend)
        groups = sorted(set(study.members[contrast.name].index.get_level_values("group")))
        prior = outliers.prior_df(float(fit.uns["model"]["prior_variance"]))
        named = outliers.outlying_donors(own, groups, prior)
        found |= {(gene, contrast.name): who for gene, who in zip(genes, named, strict=True)}
    return found


def second_without(
    study: Study, numbers: pd.DataFrame, named: Mapping[tuple[str, str], str | None], n_cpus: int
) -> dict[tuple[str, str], float]:
    """Return by (gene, contrast) the second model's estimate without the outlying donor.

    Only where both models are significant over the panel: elsewhere no verdict is up or down.
    numbers: a row a target and contrast; named: `named_outliers`.
    """
    if study.rule.alone:
        return {}
    alpha = study.rule.alpha
    both = (numbers["panel_padj"] < alpha) & (numbers["second_panel_padj"] < alpha)
    keys = set(zip(numbers["gene_id"][both], numbers["contrast"][both], strict=True))
    targets = [gene for gene in dict.fromkeys(study.genes.values()) if gene is not None]
    found: dict[tuple[str, str], float] = {}
    for model, fit in study.fits.items():
        names = {c.file: c.name for c in study.contrasts if c.model == model}
        asked = [
            (gene, file, str(named[gene, name]))
            for file, name in names.items()
            for gene in targets
            if (gene, name) in keys and named.get((gene, name)) is not None
        ]
        values = estimates_without(fit, asked, study.samples.obs["donor"], targets, n_cpus)
        found |= {(gene, names[file]): value for (gene, file), value in values.items()}
    return found
