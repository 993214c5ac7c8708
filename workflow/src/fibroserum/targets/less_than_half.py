"""Is one group's change less than half as large as another's?

With `other` and `this` two changes of a target, |other| < |this| / 2 is what two one-sided tests
say together: other - this / 2 is below 0 and other + this / 2 above it (for a fall, the reverse).
Its p value is the larger of the two (intersection-union; Berger 1982, Technometrics 24:295).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.models import Model, model_of
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.distributions import t_cdf, t_sf
from fibroserum.linear import ContrastFit, Expression
from fibroserum.targets.study import Study
from fibroserum.targets.verdict import HALF

SUM = "other and a part of this"


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
    above = t_sf(sign * plus.estimate / plus.se, plus.df)
    below = t_cdf(sign * minus.estimate / minus.se, minus.df)
    return np.where(sign == 0, 1.0, np.maximum(above, below))


def in_linear_model(
    expression: Expression, model: Model, smaller: Contrast, larger: Contrast, n_cpus: int = 1
) -> Combine:
    """Return the combinations of two groups' changes by the test that makes calls.

    expression: that the second model tests; model: its contrasts by the names that they have in
    file names; smaller, larger: changes of two groups.
    """

    def combine(weight: float) -> Combination:
        vector = model.contrasts[smaller.file] + weight * model.contrasts[larger.file]
        profiles = model.profiles[smaller.file] | model.profiles[larger.file]
        scales = {str(smaller.group): 1.0, str(larger.group): weight}
        own = replace(
            model, contrasts={SUM: vector}, profiles={SUM: profiles}, scales={SUM: scales}
        )
        fits = linear.contrast_fits(expression, own, n_cpus=n_cpus)
        if SUM not in fits:
            nothing = np.full(len(expression.genes), np.nan)
            return Combination(nothing, nothing, nothing)
        return _combination(linear.contrast_test(fits[SUM], n_cpus=n_cpus))

    return combine


def in_one_fit(
    fits: Mapping[str, ContrastFit], smaller: Contrast, larger: Contrast, n_cpus: int = 1
) -> Combine | None:
    """Return the same from the linear model that two changes share; None where they share none.

    fits: by the names of contrasts in file names.
    """
    own, other = fits.get(smaller.file), fits.get(larger.file)
    if own is None or other is None or own.fit is not other.fit or own.groups is None:
        return None
    spread = linear.group_variances(own.fit, own.groups, n_cpus=n_cpus)

    def combine(weight: float) -> Combination:
        vector = own.vector + weight * other.vector
        return _combination(linear.group_wise_t(own.fit, vector, spread, n_cpus=n_cpus))

    return combine


def _combination(table: pd.DataFrame) -> Combination:
    return Combination(*(table[name].to_numpy() for name in ("log2FoldChange", "se", "df_total")))


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
    The second model decides, and without one the main model."""
    if not differences:
        return {}
    genes = list(study.samples.log2.columns)
    changes = {(c.group, c.time): c for c in study.contrasts if c.kind == "change"}
    second, found = study.second, {}
    for difference in differences:
        columns = {}
        names = (str(difference.group), str(difference.reference))
        for larger, smaller in (names, names[::-1]):
            pair = (changes[smaller, difference.time], changes[larger, difference.time])
            if second is None:
                tables = [study.de[c.name].loc[genes] for c in (*pair, difference)]
                pvalues = pd.Series(less_than_half_pvalue(in_main_model(*tables)), index=genes)
            else:
                combine = in_one_fit(second.fits, *pair, n_cpus)
                if combine is None:
                    combine = in_linear_model(*_of_changes(study), *pair, n_cpus)
                own = less_than_half_pvalue(combine)[second.places]
                pvalues = pd.Series(own, index=second.targets.genes).reindex(genes)
            columns[larger] = pvalues
        found[difference.name] = pd.DataFrame(columns)
    return found


def _of_changes(study: Study) -> tuple[Expression, Model]:
    """Return what `in_linear_model` takes of the second model of changes."""
    fit = study.fits["paired"]
    kept = pd.Series(fit.var_names.isin(study.samples.log2.columns), index=fit.var_names)
    return expression_of_calls(fit, kept), model_of(fit)
