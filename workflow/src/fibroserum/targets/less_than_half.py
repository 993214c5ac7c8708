"""Is one group's change less than half as large as another's?

With `other` and `this` two changes of a target, |other| < |this| / 2 is what two one-sided tests
say together: other - this / 2 is below 0 and other + this / 2 above it (for a fall, the reverse).
Its p value is the larger of the two (intersection-union; Berger 1982, Technometrics 24:295).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
from scipy.stats import t as student

from fibroserum import linear
from fibroserum.cohort.contrasts import Contrast
from fibroserum.de.stored_fit import linear_model_of
from fibroserum.linear import LinearFit
from fibroserum.targets.study import Study
from fibroserum.targets.verdict import HALF


@dataclass(frozen=True)
class Combination:
    """A linear combination of G genes' coefficients: estimate, standard error, df; each (G,)."""

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray


#: Returns other + weight × this.
Combine = Callable[[float], Combination]


def less_than_half_pvalue(combine: Combine) -> np.ndarray:
    """Return the p value (G,) that the other change is less than half as large as this one."""
    plus, minus = combine(HALF), combine(-HALF)
    # their distance is this change
    sign = np.sign(plus.estimate - minus.estimate)
    above = student.sf(sign * plus.estimate / plus.se, plus.df)
    below = student.cdf(sign * minus.estimate / minus.se, minus.df)
    return np.where(sign == 0, 1.0, np.maximum(above, below))


def in_linear_model(
    fit: LinearFit,
    groups: pd.Series | None,
    other: np.ndarray,
    this: np.ndarray,
    n_cpus: int = 1,
) -> Combine:
    """Return the combinations of two contrasts of a linear fit, by the test that makes its calls.

    groups: of each sample, each with a variance of its own; None: one variance for all.
    """
    spread = None if groups is None else linear.group_variances(fit, groups, n_cpus=n_cpus)

    def combine(weight: float) -> Combination:
        vector = other + weight * this
        if spread is None:
            table = linear.moderated_t(fit, vector)
        else:
            table = linear.group_wise_t(fit, vector, spread, n_cpus=n_cpus)
        return Combination(
            *(table[name].to_numpy() for name in ("log2FoldChange", "se", "df_total"))
        )

    return combine


def in_main_model(other: pd.DataFrame, this: pd.DataFrame, difference: pd.DataFrame) -> Combine:
    """Return the same from the main model's result tables of two changes and their difference.

    The three standard errors give the covariance of the changes.
    """
    first, second, between = (t["lfcSE"].to_numpy(float) for t in (other, this, difference))
    covariance = (first**2 + second**2 - between**2) / 2
    estimates = [t["log2FoldChange"].to_numpy(float) for t in (other, this)]

    def combine(weight: float) -> Combination:
        variance = first**2 + weight**2 * second**2 + 2 * weight * covariance
        estimate = estimates[0] + weight * estimates[1]
        return Combination(estimate, np.sqrt(variance), np.full(len(first), np.inf))

    return combine


def less_than_half(
    study: Study, differences: Sequence[Contrast], n_cpus: int = 1
) -> dict[str, pd.DataFrame]:
    """Return by difference the p values that one group's change is less than half the other's.

    Tables of targets' genes × the two groups: a column is of the group whose change is the larger.
    The second model decides, and without one the main model. One fit serves all differences; where
    there is none, none is made.
    """
    if not differences:
        return {}
    genes = list(study.samples.log2.columns)
    changes = {c.group: c for c in study.contrasts if c.kind == "change"}
    fit = study.fits["paired"]
    whole = None if study.rule.alone else _linear_fit(fit, genes, n_cpus)
    groups = fit.obs["group"] if fit.uns["model"]["own_spread"] else None
    found = {}
    for difference in differences:
        columns = {}
        names = (str(difference.group), str(difference.reference))
        for larger, smaller in (names, names[::-1]):
            pair = (changes[smaller], changes[larger])
            if whole is None:
                tables = [study.de[c.name].loc[genes] for c in (*pair, difference)]
                pvalues = pd.Series(less_than_half_pvalue(in_main_model(*tables)), index=genes)
            else:
                vectors = [np.asarray(fit.uns["model"]["contrasts"][c.file]) for c in pair]
                combine = in_linear_model(whole, groups, vectors[0], vectors[1], n_cpus)
                own = pd.Series(less_than_half_pvalue(combine), index=whole.genes)
                pvalues = own.reindex(genes)
            columns[larger] = pvalues
        found[difference.name] = pd.DataFrame(columns)
    return found


def _linear_fit(fit: ad.AnnData, genes: Sequence[str], n_cpus: int) -> LinearFit:
    kept = pd.Series(fit.var_names.isin(list(genes)), index=fit.var_names)
    return linear_model_of(fit, kept, n_cpus)
