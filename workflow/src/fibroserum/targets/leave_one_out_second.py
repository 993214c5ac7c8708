"""The second model of the targets without each donor in turn.

Normalisation factors, precision weights and the priors of the variances are those of all donors;
the gene's own variance and estimate are of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.models import Model, model_of
from fibroserum.de.second_model import COLUMNS, second_columns
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.linear import Expression, GroupVariance

KEYS = ["gene_id", "contrast", "left_out"]


def second_without_each(
    fit: ad.AnnData,
    genes: Sequence[str],
    force_kept: pd.Series,
    contrasts: Sequence[Contrast],
    members: Mapping[str, pd.DataFrame],
    donor_of: pd.Series,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return the second model's refits: a row a gene, contrast and donor, KEYS and COLUMNS.

    fit: of the contrasts' model, as `de.fitting.fit_model` makes it; genes: targets that were
    fitted; force_kept: by gene; members: by contrast, `Samples.members`; donor_of: by sample.
    COLUMNS are NaN where the second model does not test the gene, or cannot be fitted without the
    donor.
    """
    parts = [pd.DataFrame(columns=[*KEYS, *COLUMNS])]
    if fit.uns["model"]["second_opinion"] == "none" or not len(genes):
        return parts[0]
    expression = expression_of_calls(fit, force_kept)
    place = np.flatnonzero(expression.genes.isin(list(genes)))
    if not len(place):
        return parts[0]
    own, model = expression.of(place), model_of(fit)
    fits = linear.contrast_fits(expression, model, n_cpus=n_cpus)
    priors: dict[int, GroupVariance] = {}
    threshold = float(fit.uns["model"]["lfc_threshold"])
    for contrast in contrasts:
        if contrast.file not in fits:
            continue
        whole = fits[contrast.file]
        if id(whole.fit) not in priors:
            found = linear.group_variances(whole.fit, whole.groups, n_cpus=n_cpus)
            priors[id(whole.fit)] = found.of(place)
        for donor in sorted(set(members[contrast.name].index.get_level_values("donor"))):
            kept = (donor_of.loc[own.samples] != donor).to_numpy()
            rest = model.of(kept)
            asked = {contrast.file: rest.contrasts[contrast.file]}
            found = priors[id(whole.fit)]
            part = _numbers(
                own.of_samples(kept), replace(rest, contrasts=asked), found, threshold, n_cpus
            )
            keys = {"gene_id": own.genes, "contrast": contrast.name, "left_out": donor}
            parts.append(pd.DataFrame(keys).join(part, on="gene_id"))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def _numbers(
    expression: Expression, model: Model, priors: GroupVariance, threshold: float, n_cpus: int
) -> pd.DataFrame:
    """Return the second model's COLUMNS of a model's one contrast, by gene."""
    fits = linear.contrast_fits(expression, model, n_cpus=n_cpus)
    own = next(iter(fits.values()), None)
    if own is None or not own.vector.any():
        return pd.DataFrame(np.nan, expression.genes, COLUMNS)
    return second_columns(linear.contrast_test(own, priors=priors, n_cpus=n_cpus), threshold)
