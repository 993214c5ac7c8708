"""Fixed-effect and random-effects meta-analysis of one quantity over cohorts.

The variance between cohorts is Paule and Mandel's (1982), by statsmodels. Random-effects intervals
and p values are Hartung's and Knapp's, on k - 1 degrees of freedom, whose variance is never taken
to be below the classical one (Röver et al. 2015, BMC Med Res Methodol 15:99): with Paule and
Mandel's variance their factor is 1 wherever that variance is above 0, and below 1 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from fibroserum.distributions import chi2_ppf, chi2_sf, normal_ppf, normal_sf, t_ppf, t_sf

LEVEL = 0.95


@dataclass(frozen=True)
class Pooled:
    """What k cohorts say together of one quantity, in its own unit; None where it has no meaning.

    cohorts: k. positive: cohorts with a positive estimate. fixed_…: common effect, inverse
    variances as weights, normal quantiles. random_…: mean of the cohorts' effects. tau2: variance
    between cohorts, with its 95 % interval by the Q profile. Q: Cochran's. I2: share of the
    variance that is between cohorts. prediction_…: 95 % interval of a further cohort's effect,
    from three cohorts on.
    """

    cohorts: int
    positive: int
    fixed_estimate: float | None = None
    fixed_se: float | None = None
    fixed_ci_low: float | None = None
    fixed_ci_high: float | None = None
    fixed_pvalue: float | None = None
    random_estimate: float | None = None
    random_se: float | None = None
    random_ci_low: float | None = None
    random_ci_high: float | None = None
    random_pvalue: float | None = None
    tau2: float | None = None
    tau2_ci_low: float | None = None
    tau2_ci_high: float | None = None
    Q: float | None = None
    Q_pvalue: float | None = None
    I2: float | None = None
    I2_ci_low: float | None = None
    I2_ci_high: float | None = None
    prediction_low: float | None = None
    prediction_high: float | None = None


def _around(estimate: float, error: float, quantile: float) -> tuple[float, float]:
    return float(estimate - quantile * error), float(estimate + quantile * error)


def _generalised_q(tau2: float, effects: np.ndarray, variances: np.ndarray) -> float:
    """Return Q with the weights 1 / (variance + tau2)."""
    weights = 1 / (variances + tau2)
    mean = weights @ effects / weights.sum()
    return float(weights @ (effects - mean) ** 2)


def _tau2_at(bound: float, effects: np.ndarray, variances: np.ndarray) -> float:
    """Return the variance between cohorts at which the generalised Q is `bound`, 0 if it is less.

    Q falls as that variance grows.
    """
    if _generalised_q(0.0, effects, variances) <= bound:
        return 0.0
    # Q is at most the sum of squares about the plain mean over the variance
    high = 2 * float(((effects - effects.mean()) ** 2).sum() / bound)
    excess = partial(_generalised_q, effects=effects, variances=variances)
    return float(
        optimize.brentq(lambda tau2: excess(tau2) - bound, 0.0, high, xtol=1e-15, rtol=1e-13)
    )


def tau2_interval(effects: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the variance between cohorts, by the Q profile.

    Viechtbauer (2007) Stat Med 26:37. Both ends are 0 where the effects lie nearer to each other
    than their errors let one expect of equal ones.
    """
    low, high = chi2_ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], len(effects) - 1)
    return _tau2_at(low, effects, variances), _tau2_at(high, effects, variances)


def typical_variance(variances: np.ndarray) -> float:
    """Return the variance within a typical cohort (Higgins and Thompson 2002, Stat Med 21:1539)."""
    weights = 1 / variances
    return float((len(weights) - 1) * weights.sum() / (weights.sum() ** 2 - weights @ weights))


def _alone(estimate: float, error: float) -> Pooled:
    """Return what one cohort says: itself."""
    low, high = _around(estimate, error, normal_ppf((1 + LEVEL) / 2))
    pvalue = float(2 * normal_sf(abs(estimate / error)))
    own = (estimate, error, low, high, pvalue)
    return Pooled(1, int(estimate > 0), *own, *own)


def pool(estimates: ArrayLike, errors: ArrayLike) -> Pooled:
    """Return the synthesis of the cohorts' estimates of one quantity.

    Parameters
    ----------
    estimates, errors : array_like
        One estimate and its standard error a cohort, (k,), in any order: of log2 fold changes, or
        in another unit.

    Returns
    -------
    Pooled
        Fixed and random effects with 95 % intervals and p values, the variance between cohorts
        (`tau2`), `Q`, `I2` and the prediction interval. None where a number has no meaning for so
        few cohorts.

    Raises
    ------
    ValueError
        For a missing estimate, and for an error that is not above 0.

    Notes
    -----
    The variance between cohorts is Paule and Mandel's [1]_. Random-effects intervals are Hartung's
    and Knapp's with the variance at least the classical one [2]_.

    References
    ----------
    .. [1] Paule, Mandel (1982) Journal of Research of the National Bureau of Standards 87:377,
       doi:10.6028/jres.087.022
    .. [2] Röver, Knapp, Friede (2015) BMC Medical Research Methodology 15:99,
       doi:10.1186/s12874-015-0091-1

    Examples
    --------
    >>> pooled = pool([0.45, 0.30, 0.38], [0.10, 0.12, 0.09])
    >>> round(pooled.random_estimate, 3), pooled.tau2
    (0.385, 0.0)
    """
    effects, errors = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    if not (np.isfinite(effects).all() and np.isfinite(errors).all() and (errors > 0).all()):
        raise ValueError("every cohort needs an estimate and a standard error above 0")
    if not len(effects):
        return Pooled(0, 0)
    if len(effects) == 1:
        return _alone(float(effects[0]), float(errors[0]))
    # sums depend on their order in the last digit
    order = np.lexsort((errors, effects))
    return _together(effects[order], errors[order] ** 2)


def _together(effects: np.ndarray, variances: np.ndarray) -> Pooled:
    """Return the synthesis of two cohorts or more."""
    from statsmodels.stats.meta_analysis import combine_effects

    # its own I2, unused here, divides by Q; its tolerance stays as it is, since
    # where more digits are asked for the iteration may end at 0 by rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        found = combine_effects(effects, variances, method_re="pm")
    df, tau2 = len(effects) - 1, float(found.tau2)
    normal, student = normal_ppf((1 + LEVEL) / 2), float(t_ppf((1 + LEVEL) / 2, df))
    fixed, fixed_se = float(found.mean_effect_fe), float(found.sd_eff_w_fe)
    random = float(found.mean_effect_re)
    random_se = float(found.sd_eff_w_re) * max(1.0, float(found.scale_hksj_re)) ** 0.5
    q = _generalised_q(0.0, effects, variances)
    tau2_ends, within = tau2_interval(effects, variances), typical_variance(variances)
    ends = _around(random, (tau2 + random_se**2) ** 0.5, student) if df > 1 else (None, None)
    return Pooled(
        len(effects),
        int((effects > 0).sum()),
        fixed,
        fixed_se,
        *_around(fixed, fixed_se, normal),
        float(2 * normal_sf(abs(fixed / fixed_se))),
        random,
        random_se,
        *_around(random, random_se, student),
        float(2 * t_sf(abs(random / random_se), df)),
        tau2,
        *tau2_ends,
        q,
        float(chi2_sf(q, df)),
        *(part / (part + within) for part in (tau2, *tau2_ends)),
        *ends,
    )


def random_weights(errors: np.ndarray, tau2: float | None) -> np.ndarray:
    """Return each cohort's share of the random-effects mean; they sum to 1."""
    weights = 1 / (np.asarray(errors, dtype=float) ** 2 + (tau2 or 0.0))
    return weights / weights.sum()
