"""A short calibration of the calls on a serum panel; benchmarks/calibrate_serum_panel.py is long.

Changes of levels have heavy tails and correlate, RT varies four times as much, one gene varies far
more than others, and every gene and molecule responds in RT without any slope.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum import linear
from fibroserum.serum_panel.changes import changes_of, with_calls
from fibroserum.slopes.design import slope_design
from fibroserum.slopes.model import OWN_VARIANCE, SlopeSteps, slope_test

ALPHA = 0.05


@pytest.mark.parametrize("donors", [6, 10, 28])
@pytest.mark.parametrize("ratio", [1, 4])
def test_changes_keep_their_false_discovery_rate(donors: int, ratio: int) -> None:
    """20 molecules, of which 4 fall in RT; the difference is tested."""
    rng, cohorts = np.random.default_rng([donors, ratio]), 150
    shares = []
    for _ in range(cohorts):
        loading, sd = rng.normal(0, 0.5, (3, 20)), np.sqrt(6 / rng.chisquare(6, 20))
        groups = [
            sd * spread * (rng.normal(size=(donors, 3)) @ loading + rng.standard_t(5, (donors, 20)))
            for spread in (1.0, np.sqrt(ratio))
        ]
        groups[1][:, :4] -= 3 * sd[:4]
        values = [pd.DataFrame(groups[1]), -pd.DataFrame(groups[0])]
        missing = rng.random((donors, 20)) < 0.1
        called = with_calls(changes_of([values[0].mask(missing), values[1]]), ALPHA)["call"]
        wrong = (called.iloc[4:] != "none").sum()
        shares.append(wrong / max((called != "none").sum(), 1))
    assert np.mean(shares) <= ALPHA + 2 * np.std(shares, ddof=1) / np.sqrt(cohorts)
    # a bound that a test without a level would pass holds nothing
    assert np.std(shares, ddof=1) / np.sqrt(cohorts) < 0.02


def _pvalues(donors: int, ratio: int, steps: SlopeSteps, cohorts: int) -> np.ndarray:
    """Return p values of the slope of a variable target in cohorts without any slope."""
    rng, found = np.random.default_rng([donors, ratio]), []
    people = [(f"{g}{n}", g) for g in ("AT", "RT") for n in range(donors)]
    obs = pd.DataFrame(
        [(d, g, t) for d, g in people for t in ("pre", "post")],
        columns=["donor", "group", "time"],
    )
    obs.index = obs["donor"] + obs["time"]
    settings = {"groups": ["AT", "RT"], "after": "post", "crossover": False, "covariates": []}
    after = (obs["time"] == "post").to_numpy(float)[:, None]
    in_rt = (obs["group"] == "RT").to_numpy(float)[:, None]
    spread = np.where(in_rt > 0, np.sqrt(ratio), 1.0)
    for _ in range(cohorts):
        sd = np.sqrt(8 / rng.chisquare(8, 100))
        sd[0] = 3.0
        change = rng.standard_t(5, len(people)) * np.repeat([1.0, np.sqrt(ratio)], donors)
        level = pd.Series(change, index=pd.MultiIndex.from_tuples(people))
        response = after * spread * sd * rng.normal(size=(len(obs), 100)) + after * in_rt * 2
        design = slope_design(obs, settings, level)
        fit = linear.fit_weighted(pd.DataFrame(response, obs.index), design)
        found.append(slope_test(fit, obs["group"], steps)[0]["pvalue"].iloc[0])
    return np.array(found)


@pytest.mark.parametrize("donors", [6, 10])
@pytest.mark.parametrize("ratio", [1, 4])
def test_a_variable_target_has_no_more_false_slopes(donors: int, ratio: int) -> None:
    """One target is tested against every molecule: its p value must hold for itself."""
    cohorts = 100
    own = _pvalues(donors, ratio, OWN_VARIANCE, cohorts)
    for level in (0.05, 0.01):
        error = np.sqrt(level * (1 - level) / cohorts)
        assert (own < level).mean() <= level + 2.5 * error


def test_a_variance_moderated_across_genes_would_have_more() -> None:
    moderated = _pvalues(6, 1, SlopeSteps(pair_ratio=False, hc3_beyond=np.inf, deletion=False), 100)
    assert (moderated < 0.01).mean() > 0.03
