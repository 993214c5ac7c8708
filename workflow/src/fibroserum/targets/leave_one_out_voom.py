"""The second model's estimates without one donor, for verdicts that may be driven by one donor.

The fit is not repeated: its precision weights, which belong to the samples, are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.designs import design_of
from fibroserum.de.stored_fit import linear_model_of
from fibroserum.targets.leave_one_out import estimable


def estimates_without(
    fit: ad.AnnData,
    asked: Iterable[tuple[str, str, str]],
    donor_of: pd.Series,
    targets: Iterable[str],
    n_cpus: int = 1,
) -> dict[tuple[str, str], float]:
    """Return by (gene, contrast) voom's log2 fold change without a donor.

    fit: of the model, as `de.fitting.fit_model` makes it; asked: gene, contrast as in file names,
    donor; donor_of: by sample; targets: genes that the second model keeps whatever their counts.
    NaN where the model cannot be fitted without the donor, or does not test the gene. One fit
    serves all: where nothing is asked, none is made.
    """
    wanted = list(asked)
    if not wanted:
        return {}
    design = design_of(fit)
    force_kept = pd.Series(fit.var_names.isin(list(targets)), index=fit.var_names)
    whole = linear_model_of(fit, force_kept, n_cpus)
    donors = donor_of.loc[design.samples].astype(str).to_numpy()
    found = {}
    for gene, contrast, donor in wanted:
        keep = donors != donor
        rest = design.of(keep)
        if gene not in whole.genes or not estimable(rest.matrix):
            found[gene, contrast] = float("nan")
            continue
        place = [whole.genes.get_loc(gene)]
        values = pd.DataFrame(whole.E[np.ix_(keep, place)], index=rest.samples, columns=[gene])
        refit = linear.fit_weighted(values, rest, whole.weights[np.ix_(keep, place)])
        weights = design.dense_contrast(fit.uns["model"]["contrasts"][contrast])
        vector = rest.contrast(weights)
        found[gene, contrast] = float(linear.estimates(refit, vector)[0][0])
    return found
