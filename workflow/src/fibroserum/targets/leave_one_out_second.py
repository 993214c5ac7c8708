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
from fibroserum.linear import ContrastFit, Expression, GroupVariance
from fibroserum.linear.robust import WHOLE
from fibroserum.targets.study import SecondFits, second_fits

KEYS = ["gene_id", "contrast", "left_out"]


def second_without_each(
    fit: ad.AnnData,
    genes: Sequence[str],
    force_kept: pd.Series,
    contrasts: Sequence[Contrast],
    members: Mapping[str, pd.DataFrame],
    donor_of: pd.Series,
    n_cpus: int = 1,
    known: SecondFits | None = None,
) -> pd.DataFrame:
    """Return the second model's refits: a row a gene, contrast and donor, KEYS and COLUMNS.

    fit: of the contrasts' model, as `de.fitting.fit_model` makes it; genes: targets that were
    fitted; force_kept: by gene; members: by contrast, `Samples.members`; donor_of: by sample;
    known: `second_fits` where they are at hand. COLUMNS are NaN where the second model does not
    test the gene, or cannot be fitted without the donor.
    """
    parts = [pd.DataFrame(columns=[*KEYS, *COLUMNS])]
    if fit.uns["model"]["second_opinion"] == "none" or not len(genes):
        return parts[0]
    second = known or second_fits(fit, genes, force_kept, n_cpus)
    chosen = np.flatnonzero(second.targets.genes.isin(list(genes)))
    if not len(chosen):
        return parts[0]
    fits, own, place = second.fits, second.targets.of(chosen), second.places[chosen]
    model = model_of(fit)
    sharing: dict[int, list[Contrast]] = {}
    for contrast in contrasts:
        if contrast.file in fits:
            sharing.setdefault(id(fits[contrast.file].fit), []).append(contrast)
    donors = {
        name: sorted(set(table.index.get_level_values("donor"))) for name, table in members.items()
    }
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for same in sharing.values():
        whole = fits[same[0].file]
        priors = linear.group_variances(whole.fit, whole.groups, n_cpus=n_cpus).of(place)
        one = replace(whole, fit=whole.fit.of(place))
        alone = _rows_alone(one, model)
        for donor in sorted(set().union(*(donors[contrast.name] for contrast in same))):
            asked = [contrast for contrast in same if donor in donors[contrast.name]]
            if donor in alone:
                rest = _without(one, alone[donor], n_cpus)
                spread = linear.group_variances(rest.fit, rest.groups, priors=priors, n_cpus=n_cpus)
                tests = [
                    linear.group_wise_t(rest.fit, fits[c.file].vector, spread, n_cpus=n_cpus)
                    for c in asked
                ]
            else:
                kept = (donor_of.loc[own.samples] != donor).to_numpy()
                samples, left = own.of_samples(kept), model.of(kept)
                tests = [_refitted(samples, left, c.file, priors, n_cpus) for c in asked]
            found |= {(c.name, donor): test for c, test in zip(asked, tests, strict=True)}
    order = [(c.name, donor) for c in contrasts if c.file in fits for donor in donors[c.name]]
    if not order:
        return parts[0]
    table = pd.concat({key: found[key] for key in order}, names=["contrast", "left_out", "gene_id"])
    threshold = float(fit.uns["model"]["lfc_threshold"])
    return second_columns(table, threshold).reset_index()[[*KEYS, *COLUMNS]]


def _rows_alone(own: ContrastFit, model: Model) -> dict[str, int]:
    """Return the donors whose value is a row of the linear model that others do not need.

    Without it the model is that of the other samples: each coefficient has other rows, and a
    residual degree of freedom is left. With `design.block` donors share values, and none is alone.
    """
    if model.units is None or model.fewest > 1 or own.fit.df_residual < 2:
        return {}
    if own.groups is None:
        samples = pd.DataFrame({"unit": model.units, "group": model.groups})
        # the last donor in several groups decides whether values compare a donor's groups
        if samples.drop_duplicates()["unit"].duplicated().sum() < 2:
            return {}
    basis, _ = np.linalg.qr(own.fit.design.dense_values)
    leverage = (basis**2).sum(axis=1)
    return {str(donor): row for row, donor in enumerate(own.fit.samples) if leverage[row] < WHOLE}


def _without(own: ContrastFit, row: int, n_cpus: int) -> ContrastFit:
    """Return the linear model without a row."""
    kept = np.arange(len(own.fit.samples)) != row
    rest = linear.fit_weighted(
        pd.DataFrame(own.fit.E[kept], own.fit.samples[kept], own.fit.genes),
        own.fit.design.of(kept),
        own.fit.weights[kept],
        n_cpus=n_cpus,
        amean=own.fit.amean,
        trended=own.fit.trended,
    )
    return ContrastFit(rest, own.vector, None if own.groups is None else own.groups[kept])


def _refitted(
    expression: Expression, model: Model, contrast: str, priors: GroupVariance, n_cpus: int
) -> pd.DataFrame:
    """Return the test of a contrast, by its file's name, in the samples that are left."""
    only = replace(model, contrasts={contrast: model.contrasts[contrast]})
    own = linear.contrast_fits(expression, only, n_cpus=n_cpus).get(contrast)
    if own is None or not own.vector.any():
        return pd.DataFrame(np.nan, expression.genes, ["log2FoldChange", "se", "df_total"])
    return linear.contrast_test(own, priors=priors, n_cpus=n_cpus)
