"""A first plan without a cohort: power and detectable effects from what public cohorts vary.

A typical gene of a mean count has the dispersion and the between-donor variance of change that a
public cohort shows (`resources/planning`). Genes differ, and so does serum from exercise: a pilot's
own `flags/planning.tsv` is better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.targets.noise import Noise, slope_noise
from fibroserum.targets.planning import Panel, planning_rows
from fibroserum.targets.planning_words import SLOPE
from fibroserum.targets.power import Effect
from fibroserum.targets.verdict import Rule

#: the groups of a difference and of a slope
GROUPS = 2
#: genes whose variances are moderated together: any large number
GENES = 10_000


def typical_noise(mean: float, dispersion: float, change_sd: float, prior_df: float) -> list[Noise]:
    """Return the noise of a typical gene in a change, a difference of two groups and a slope.

    mean: normalized count; dispersion: negative binomial; change_sd: between-donor sd of the
    change, log2, counting noise included; prior_df: of the moderated variance. A sample's log2
    count has the variance (1 / mean + dispersion) / ln(2)².
    """

    def noise(groups: int) -> Noise:
        whole = np.ones(groups)
        return Noise(
            main=whole * 2 * (1 / mean + dispersion) / np.log(2) ** 2,
            second=whole * change_sd**2,
            lost=whole,
            prior_df=whole * prior_df,
            pooled_prior_df=prior_df,
            groups=groups,
            genes=GENES,
        )

    return [noise(1), noise(GROUPS), slope_noise([noise(1)] * GROUPS, np.inf)]


def plan_table(public: pd.DataFrame, panel: Panel, rule: Rule, effect: float) -> pd.DataFrame:
    """Return `plan.tsv`; public: `resources/planning/public_cohorts.tsv`."""
    rows = []
    for one in public.to_dict("records"):
        numbers = (one[name] for name in ("mean_count", "dispersion", "change_sd", "prior_df"))
        for kind, noise in zip(
            ("change", "difference", SLOPE), typical_noise(*numbers), strict=True
        ):
            key = {"cohort": one["cohort"], "mean_count": one["mean_count"], "kind": kind}
            rows += [
                key | row for row in planning_rows(noise, panel, rule, Effect(effect, "fixed"))
            ]
    return tables.check("plan", pd.DataFrame(rows)[tables.schemas()["plan"].names])
