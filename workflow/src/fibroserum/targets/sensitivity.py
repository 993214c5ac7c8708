"""What the donors without a pair add: a mixed model of all samples, beside the verdicts.

log2 counts per million of a target have a mean for each group and time, a random effect of the
donor and a residual, both with a variance for each group, by restricted maximum likelihood
(Laird & Ware 1982, Biometrics 38:963). It is valid where samples are missing at random. In
randomised groups the means before may be one: the constrained model of Liang & Zeger (2000,
Sankhya B 62:134); see Liu et al. (2009, Stat Med 28:2509). It decides no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anndata as ad
import numpy as np
import pandas as pd
from scipy.optimize import minimize

from fibroserum import linear, tables
from fibroserum.cohort.accessors import (
    all_samples,
    counts_of,
    fixed_size_factors,
    settings_of,
)
from fibroserum.cohort.designs import indicators
from fibroserum.cohort.models import covariate_columns, model_of
from fibroserum.de.normalisation import norm_factors
from fibroserum.de.second_model import well_counted
from fibroserum.de.stored_fit import fitted_genes
from fibroserum.distributions import t_ppf
from fibroserum.input.normalization import FIXED
from fibroserum.targets.study import Study

Assumption = Literal["missing_at_random", "equal_starts"]

# of a variance over that of a plain fit; and of the donors' variance over the residual one
VARIANCES, RATIOS = (1e-8, 1e4), (0.0, 1e8)


@dataclass(frozen=True)
class MixedModel:
    """The samples of a mixed model of donors who are in one group each, rotated.

    A pair's sum and difference, over the root of 2, are independent: with residual variance s² and
    donors' variance r s² they have the variances s² (1 + 2 r) and s²; a sample alone has
    s² (1 + r).

    Attributes
    ----------
    rotation : numpy.ndarray
        Rows × samples.
    times : numpy.ndarray
        What multiplies r in the variance of each row: 0, 1 or 2.
    groups : numpy.ndarray
        The number of each row's group.
    design : pandas.DataFrame
        Samples × fixed effects.
    """

    rotation: np.ndarray
    times: np.ndarray
    groups: np.ndarray
    design: pd.DataFrame

    def fit(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the fixed effects, their covariance, and the residual variance of each group.

        values: (n,), of the samples. Restricted maximum likelihood.
        """
        y, x = self.rotation @ values, self.rotation @ self.design.to_numpy(float)
        number = int(self.groups.max()) + 1
        rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        scale = float(rest @ rest) / len(y)
        if scale <= 1e-12 * max(1.0, float(y @ y)):
            nothing = np.full(x.shape[1], np.nan)
            return nothing, np.diag(nothing), np.zeros(number)

        def solve(theta: np.ndarray) -> tuple[np.ndarray, ...]:
            ratio = np.expm1(theta[number:])
            variance = np.exp(theta[:number])[self.groups] * (1 + self.times * ratio[self.groups])
            q, r = np.linalg.qr(x / np.sqrt(variance)[:, None])
            coefficients = np.linalg.solve(r, q.T @ (y / np.sqrt(scale * variance)))
            return variance, q, r, coefficients

        def deviance(theta: np.ndarray) -> tuple[float, np.ndarray]:
            variance, q, r, coefficients = solve(theta)
            squares = (y / np.sqrt(scale) - x @ coefficients) ** 2 / variance
            value = np.log(variance).sum() + 2 * np.log(np.abs(np.diag(r))).sum() + squares.sum()
            by_row = 1 - (q**2).sum(axis=1) - squares
            growth = np.exp(theta[:number] + theta[number:])[self.groups] * self.times / variance
            slopes = [np.bincount(self.groups, by_row * part, number) for part in (1.0, growth)]
            return value, np.concatenate(slopes)

        start = np.repeat([np.log(0.5), np.log(2.0)], number)
        bounds = [tuple(np.log(VARIANCES))] * number + [tuple(np.log1p(RATIOS))] * number
        found = minimize(
            deviance, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12}
        )
        _, _, r, coefficients = solve(found.x)
        inverse = np.linalg.inv(r)
        variances = scale * np.exp(found.x[:number])
        return coefficients * np.sqrt(scale), scale * inverse @ inverse.T, variances


def mixed_model(
    obs: pd.DataFrame,
    groups: Sequence[str],
    before: str,
    covariates: Sequence[str],
    assumption: Assumption,
    categorical: Sequence[str] = (),
) -> MixedModel:
    """Return the mixed model of samples, one or two of each donor.

    obs: samples × (donor, group, time, covariates). Its fixed effects are `start[group]`, or one
    `start` in equal starts, `after[group]`, and the covariates.
    """
    donors, names = pd.factorize(obs["donor"])
    pairs = np.bincount(donors) == 2
    later = (obs["time"] != before).to_numpy()
    rotation, times = np.zeros((len(obs), len(obs))), np.ones(len(obs))
    rows = np.zeros(len(obs), dtype=int)
    row = 0
    for donor in range(len(names)):
        own = np.flatnonzero(donors == donor)
        own = own[np.argsort(later[own])]
        rows[row : row + len(own)] = own[0]
        if pairs[donor]:
            rotation[row, own], rotation[row + 1, own] = (-(0.5**0.5), 0.5**0.5), 0.5**0.5
            times[row : row + 2] = 0, 2
        else:
            rotation[row, own] = 1
        row += len(own)
    starts = pd.DataFrame({"start": np.ones(len(obs))}, obs.index)
    if assumption == "missing_at_random":
        starts = indicators(obs["group"], "start", list(groups))
    changes = indicators(obs["group"].where(later), "after", list(groups))
    design = pd.concat([starts, changes, covariate_columns(obs, covariates, categorical)], axis=1)
    codes = pd.Index(groups).get_indexer(obs["group"])[rows]
    return MixedModel(rotation, times, codes, design)


def _values(cohort: ad.AnnData, fit: ad.AnnData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return log2 counts per million of all samples (samples × targets), and their obs.

    As in the second model: its genes, and TMM factors without those that change, or fixed factors.
    """
    force_kept = cohort.var["target"].astype(bool)
    tested = well_counted(counts_of(fit)[fitted_genes(fit)], model_of(fit), force_kept).columns
    counts, obs = all_samples(cohort)
    well = counts[tested]
    del counts  # samples × genes, as those that are tested
    if settings_of(cohort)["size_factor_method"] in FIXED:
        fixed = fixed_size_factors(cohort)
        well = well.loc[well.index.isin(fixed.index)]
        factors = linear.fixed_norm_factors(well, fixed)
    else:
        left_out = fit.var_names[fit.var["left_out"].to_numpy(bool)].intersection(well.columns)
        factors = norm_factors(well, left_out)
    targets = force_kept[well.columns].to_numpy(bool)
    values, _ = linear.log_cpm(well, factors.to_numpy(float), genes=targets)
    return pd.DataFrame(values, well.index, well.columns[targets]), obs.loc[well.index]


def sensitivity_table(cohort: ad.AnnData, study: Study, *, randomised: bool | None) -> pd.DataFrame:
    """Return `sensitivity`; empty where every donor has a pair.

    It is empty in a crossover and with `design.block` too: there a donor's, or a block's, samples
    share more than one random effect.
    """
    noted = settings_of(cohort)
    nothing = tables.empty("sensitivity")
    if study.crossover or noted["block"]:
        return nothing
    values, obs = _values(cohort, study.fits["paired"])
    obs = obs[obs["group"].isin(study.changing)]
    rows = [
        row
        for time in study.times
        for row in _rows_at(study, values, obs[obs["time"].isin([noted["before"], time])],
                            noted, time, randomised=randomised)
    ]  # fmt: skip
    if not rows:
        return nothing
    place = {name: number for number, name in enumerate(study.genes)}
    return pd.DataFrame(rows).sort_values("target", key=lambda t: t.map(place), kind="stable")


def _rows_at(
    study: Study,
    values: pd.DataFrame,
    obs: pd.DataFrame,
    noted: Mapping[str, Any],
    time: str,
    *,
    randomised: bool | None,
) -> list[dict[str, object]]:
    """Return the rows of the contrasts of one time after; none where every donor has a pair.

    obs: of the samples before and at that time.
    """
    donors = obs.groupby(["group", "donor"]).size()
    alone = set(donors.index[donors == 1].get_level_values("group"))
    if not alone:
        return []
    values = values.loc[obs.index]
    groups = [group for group in study.changing if (donors[group] == 2).any()]
    pairs = donors[donors == 2].groupby("group").size().reindex(groups).to_numpy(float)
    sizes = donors.groupby("group").size().reindex(groups)
    obs = obs[obs["group"].isin(groups)]
    values = values.loc[obs.index]
    assumptions: list[Assumption] = ["missing_at_random"]
    if randomised and len(groups) > 1:
        assumptions.append("equal_starts")
    rows = []
    for assumption in assumptions:
        model = mixed_model(
            obs,
            groups,
            noted["before"],
            noted["covariates"],
            assumption,
            noted["categorical"],
        )
        fitted = {gene: model.fit(values[gene].to_numpy()) for gene in values}
        spent = model.design.shape[1] - model.design.filter(regex=r"^(start|after)\[?").shape[1]
        for contrast in (c for c in study.contrasts if c.model == "paired" and c.time == time):
            own = np.array([contrast.scale(g) if g in contrast.groups else 0.0 for g in groups])
            compared = [group for group, weight in zip(groups, own, strict=True) if weight]
            if assumption == "missing_at_random" and alone.isdisjoint(compared):
                continue
            vector = np.zeros(model.design.shape[1])
            places = model.design.columns.get_indexer([f"after[{g}]" for g in groups])
            vector[places] = own
            for target, gene in study.genes.items():
                if gene not in fitted:
                    continue
                interval = _interval(*fitted[gene], vector, own, pairs, spent)
                rows.append(
                    {
                        "target": target,
                        "contrast": contrast.name,
                        "assumption": assumption,
                        "donors": int(sizes[compared].sum()),
                        **dict(zip(("log2FoldChange", "ci_low", "ci_high"), interval, strict=True)),
                    }
                )
    return rows


def _interval(
    coefficients: np.ndarray,
    covariance: np.ndarray,
    variances: np.ndarray,
    vector: np.ndarray,
    weights: np.ndarray,
    pairs: np.ndarray,
    spent: int,
) -> tuple[float, float, float]:
    """Return an estimate with its 95 % interval; empty where a compared group has one pair.

    Degrees of freedom are those of the pairs alone, Welch's over groups: each has its pairs less
    one, and less its share of the covariates (spent).
    """
    compared = weights != 0
    df = pairs[compared] - 1 - spent * pairs[compared] / pairs.sum()
    estimate, variance = float(vector @ coefficients), float(vector @ covariance @ vector)
    if (df <= 0).any() or not variance > 0:
        return np.nan, np.nan, np.nan
    parts = weights[compared] ** 2 * variances[compared] / pairs[compared]
    total = float(parts.sum() ** 2 / (parts**2 / df).sum())
    half = float(t_ppf(0.975, total) * np.sqrt(variance))
    return estimate, estimate - half, estimate + half
