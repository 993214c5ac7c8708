"""How precisely a study of the same kind would know a contrast, with more pairs or fewer.

Such a study has this cohort's variances and another number of pairs. The second model's variance of
each group is taken as it is moderated here (Smyth 2004, SAGMB 3:3) and divided by the new number of
pairs, on the degrees of freedom that so many pairs and the same prior have; groups are summed as in
Welch's test (Satterthwaite 1946, Biometrics Bull 2:110). The main model's standard error shrinks
likewise. No observed effect has a part in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fibroserum import linear
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.donor_values import donor_values
from fibroserum.cohort.models import Model, model_of
from fibroserum.distributions import chi2_ppf
from fibroserum.linear import GroupVariance
from fibroserum.targets.planning_words import SLOPE
from fibroserum.targets.power import Precision
from fibroserum.targets.study import Study


@dataclass(frozen=True)
class Noise:
    """The variances behind an estimate, by group (k,), and what the degrees of freedom come from.

    main, second: variance of the estimate with one pair in each group, in either model: their sums
    over the number of pairs are the squared standard errors. NaN where a model has no part. lost:
    degrees of freedom that a group has fewer than pairs. prior_df: of the groups' moderated
    variances; pooled_prior_df: of the variance of all groups together, of which there are
    `groups`. genes: whose variances are moderated together. used: pairs that the estimate itself
    takes: 0, of a slope 1. df: degrees of freedom of the second model's variance in this cohort.
    """

    main: np.ndarray
    second: np.ndarray
    lost: np.ndarray
    prior_df: np.ndarray
    pooled_prior_df: float
    groups: int
    genes: int
    used: int = 0
    df: float = np.nan

    def at(self, pairs: int) -> Precision:
        """Return the precision with so many pairs in each group."""
        main = float(np.sqrt(self.main.sum() / pairs))
        parts = self.second / (pairs - self.used)
        if not np.isfinite(parts).all():
            return Precision(main, np.nan, np.nan)
        own = pairs - self.lost
        df = np.minimum(own + self.prior_df, own * self.genes)
        whole = self.groups * float(own.mean())
        pooled = min(whole + self.pooled_prior_df, whole * self.genes)
        found = satterthwaite(parts, df, pooled)
        return Precision(main, float(np.sqrt(parts.sum())), found)

    def interval(self) -> tuple[Noise, Noise] | None:
        """Return the same with the ends of the variances' 95 % interval; None: they have none.

        A moderated variance over the true one is chi-square over its degrees of freedom. Both
        models see the same donors: both are scaled alike.
        """
        if not np.isfinite(self.df):
            return None
        low, high = (
            replace(self, main=self.main * share, second=self.second * share)
            for share in self.df / chi2_ppf([0.975, 0.025], self.df)
        )
        return low, high


def satterthwaite(parts: np.ndarray, df: np.ndarray, pooled: float) -> float:
    """Return the degrees of freedom of a sum of variances; of several, at most the pooled one's.

    parts, df: (k,), as in `linear.contrast_variance`.
    """
    found = float(parts.sum() ** 2 / (parts**2 / df).sum())
    return min(found, pooled) if (parts > 1e-12 * parts.sum()).sum() > 1 else found


@dataclass(frozen=True)
class Estimated:
    """What a study estimates: a contrast of changes, or (contrast: None) a slope of the change.

    noise: by target, of those that were fitted.
    """

    name: str
    contrast: Contrast | None
    noise: dict[str, Noise]


def study_noise(study: Study, n_cpus: int = 1) -> Iterator[Estimated]:
    """Yield the contrasts of changes, and then a slope for each time after.

    A slope is of the targets' change on something that varies with an sd of 1 within each group. It
    is the second model's alone, and of cohorts whose donors are in one group each and share no
    block.
    """
    model = model_of(study.fits["paired"])
    second = study.second
    fits, places = ({}, {}) if second is None else (second.fits, second.place_of)
    spreads = {
        id(own.fit): linear.group_variances(own.fit, own.groups, n_cpus=n_cpus)
        for own in fits.values()
    }
    levels: dict[int, list[Estimated]] = {}
    for contrast in study.contrasts:
        fitted = study.rule.alone or contrast.file in fits
        if contrast.model != "paired" or contrast.name in study.few_blocks or not fitted:
            continue
        se = study.de[contrast.name]["lfcSE"]
        known = {target: gene for target, gene in study.genes.items() if gene in se.dropna().index}
        shares = _shares(model, contrast.file)
        if study.rule.alone:
            noise = {target: _main_alone(se[gene] ** 2 * shares) for target, gene in known.items()}
            yield Estimated(contrast.name, contrast, noise)
            continue
        own, spread = fits[contrast.file], spreads[id(fits[contrast.file].fit)]
        parts = linear.variance_parts(own.fit, own.vector, spread, n_cpus=n_cpus)
        noise = {
            target: _noise(se[gene] ** 2 * shares, parts[places[gene]], spread, places[gene])
            for target, gene in known.items()
            if gene in places
        }
        found = Estimated(contrast.name, contrast, noise)
        yield found
        if contrast.kind == "change" and own.groups is not None and model.fewest == 1:
            levels.setdefault(id(own.fit), []).append(found)
    for fit, changes in levels.items():
        assert changes[0].contrast is not None, "a change is a contrast"
        time = getattr(changes[0].contrast, "time", None)
        name = SLOPE if len(levels) == 1 else f"{SLOPE}_{time}"
        yield Estimated(name, None, _slopes(changes, spreads[fit]))


def _shares(model: Model, contrast: str) -> np.ndarray:
    """Return by group what a contrast's variance is with one pair in each, over what it is now."""
    values = donor_values(model, contrast)
    rows = values.design.dense_values
    influence = rows @ np.linalg.solve(rows.T @ rows, values.vector)
    group = np.zeros(len(rows), dtype=np.int64)
    if values.groups is not None:
        group = pd.factorize(values.groups, sort=True)[0]
    part = np.bincount(group, influence**2)
    return np.asarray(part / part.sum() * np.bincount(group))


def _main_alone(main: np.ndarray) -> Noise:
    nothing = np.full(len(main), np.nan)
    return Noise(main, nothing, nothing, nothing, np.nan, len(main), 0)


def _noise(main: np.ndarray, parts: np.ndarray, spread: GroupVariance, place: int) -> Noise:
    """Return the noise of a gene; parts: (k,), `linear.variance_parts`; place: of it in the fit."""
    variances, genes = spread.variances[place], len(spread.variances)
    pairs = np.bincount(spread.of_sample, minlength=len(spread.groups))
    own = np.array([prior.most / genes for prior in spread.priors[:-1]])
    alone = [group in spread.pooled for group in spread.groups]
    return Noise(
        main=main,
        second=parts * pairs * variances,
        lost=np.where(alone, 1.0, pairs - own),
        prior_df=np.array([prior.df for prior in spread.priors[:-1]]),
        pooled_prior_df=spread.priors[-1].df,
        groups=len(spread.groups),
        genes=genes,
        df=satterthwaite(parts * variances, spread.df, spread.df_pooled),
    )


def _slopes(changes: Sequence[Estimated], spread: GroupVariance) -> dict[str, Noise]:
    """Return the noise of slopes by target, from that of the groups' changes."""
    return {
        target: slope_noise([change.noise[target] for change in changes], spread.df_pooled)
        for target in changes[0].noise
    }


def slope_noise(changes: Sequence[Noise], df_pooled: float) -> Noise:
    """Return the noise of a slope within groups on something of sd 1, from the groups' changes.

    With n pairs in each of k groups, an sd of 1 is a sum of squares of k (n - 1), and the slope has
    a k-th of a degree of freedom of each. df_pooled: of the variance of all groups.
    """
    count = len(changes)
    place = [int(np.argmax(one.second)) for one in changes]
    second = np.array([one.second.sum() for one in changes]) / count**2
    own = list(zip(changes, place, strict=True))
    return replace(
        changes[0],
        main=np.full(count, np.nan),
        second=second,
        lost=np.array([one.lost[at] + 1 / count for one, at in own]),
        prior_df=np.array([one.prior_df[at] for one, at in own]),
        groups=max(count, changes[0].groups),
        used=1,
        df=satterthwaite(second, np.array([one.df for one in changes]), df_pooled),
    )
