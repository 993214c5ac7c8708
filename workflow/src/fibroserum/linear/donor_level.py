"""The linear model of a contrast over one value per donor.

Without weights the prior of the variances is a trend over mean expression: limma-trend (Law, Chen,
Shi & Smyth 2014, Genome Biol 15:R29). With voom's precision weights of the samples it is limma-voom
on the same values; where a value is a pair's change, that is voom with donors as fixed effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fibroserum.cohort.designs import Design
from fibroserum.cohort.donor_values import DonorValues, donor_values
from fibroserum.cohort.models import Model
from fibroserum.cohort.rank import aliased_columns
from fibroserum.inference.chunks import over_genes
from fibroserum.linear.group_variance import GroupVariance, group_variances, group_wise_t
from fibroserum.linear.voom import LinearFit, fit_weighted


@dataclass(frozen=True)
class ContrastFit:
    """The linear model of a contrast.

    fit: over donor values (over samples, where the model has no units). vector: (p,), the contrast
    over the design's columns. groups: of each value, or None where all have one variance.
    """

    fit: LinearFit
    vector: np.ndarray
    groups: pd.Series | None


@dataclass(frozen=True)
class Expression:
    """Values that linear models are fitted to.

    log2: (n, G), samples × genes. weights: likewise, voom's, or None without them. quality: (n,),
    quality weights of the samples, or None where all count alike.
    """

    samples: pd.Index
    genes: pd.Index
    log2: np.ndarray
    weights: np.ndarray | None
    quality: np.ndarray | None = None

    @property
    def variances(self) -> np.ndarray | None:
        """Variances of the values up to a factor, (n, G) or (n, 1); None where all are alike."""
        if self.weights is None:
            return None if self.quality is None else 1.0 / self.quality[:, None]
        weights = self.weights if self.quality is None else self.weights * self.quality[:, None]
        return 1.0 / weights

    def of(self, genes: np.ndarray | slice) -> Expression:
        """Return some of the genes, by position."""
        weights = None if self.weights is None else self.weights[:, genes]
        return Expression(
            self.samples, self.genes[genes], self.log2[:, genes], weights, self.quality
        )

    def of_samples(self, kept: np.ndarray) -> Expression:
        """Return some of the samples; kept: (n,) mask."""
        weights = None if self.weights is None else self.weights[kept]
        quality = None if self.quality is None else self.quality[kept]
        return Expression(self.samples[kept], self.genes, self.log2[kept], weights, quality)


def fit_values(
    expression: Expression, values: DonorValues, *, n_cpus: int = 1
) -> ContrastFit | None:
    """Return the linear model of donor values; None where the donors are too few for it."""
    design = values.design
    if not len(values.vector) or design.residual_df < 1 or aliased_columns(design):
        return None
    # rows of arrays as a fit takes them are filled without a copy
    log2 = np.empty((len(expression.genes), values.matrix.shape[0]))

    def work(genes: slice) -> None:
        log2[genes] = (values.matrix @ expression.log2[:, genes]).T

    over_genes(work, len(log2), n_cpus)
    fit = fit_weighted(
        pd.DataFrame(log2.T, design.samples, expression.genes, copy=False),
        design,
        _donor_weights(expression, values, n_cpus),
        n_cpus=n_cpus,
        amean=expression.log2.mean(axis=0),
        trended=expression.weights is None,
    )
    return ContrastFit(fit, values.vector, values.groups)


def _donor_weights(expression: Expression, values: DonorValues, n_cpus: int) -> np.ndarray | None:
    """Return the weights (u, G) of donor values; None where all values are alike."""
    if expression.weights is None and expression.quality is None:
        return None
    weights = np.empty((len(expression.genes), values.matrix.shape[0]))
    squares = values.matrix.power(2)

    def work(genes: slice) -> None:
        weights[genes] = (1.0 / (squares @ expression.of(genes).variances)).T

    over_genes(work, len(weights), n_cpus)
    return weights.T


def contrast_fits(
    expression: Expression, model: Model, *, n_cpus: int = 1
) -> dict[str, ContrastFit]:
    """Return the linear model of each contrast of a model that the donors allow.

    One fit serves all contrasts where no donor is in several groups, or where the model has no
    units.
    """
    if model.units is None:
        whole = _fit_samples(expression, model.design, n_cpus)
        return {
            name: ContrastFit(whole, vector, model.groups)
            for name, vector in model.contrasts.items()
        }
    found: dict[str, ContrastFit] = {}
    shared: list[tuple[DonorValues, ContrastFit]] = []
    for name in model.contrasts:
        values = donor_values(model, name)
        if values.informing < model.fewest:
            continue
        for other, fit in shared:
            if values.same_data(other):
                found[name] = ContrastFit(fit.fit, values.vector, fit.groups)
                break
        else:
            own = fit_values(expression, values, n_cpus=n_cpus)
            if own is not None:
                found[name] = own
                shared.append((values, own))
    return found


def contrast_test(
    own: ContrastFit, *, priors: GroupVariance | None = None, n_cpus: int = 1
) -> pd.DataFrame:
    """Return the moderated t of a contrast by gene, as `group_wise_t` returns it.

    priors: as `group_variances` takes them.
    """
    spread = group_variances(own.fit, own.groups, priors=priors, n_cpus=n_cpus)
    return group_wise_t(own.fit, own.vector, spread, n_cpus=n_cpus)


def _fit_samples(expression: Expression, design: Design, n_cpus: int) -> LinearFit:
    frame = pd.DataFrame(expression.log2, expression.samples, expression.genes)
    variances, weights = expression.variances, None
    if variances is not None:
        weights = np.broadcast_to(1.0 / variances, frame.shape)
    trended = expression.weights is None
    return fit_weighted(frame, design, weights, n_cpus=n_cpus, trended=trended)
