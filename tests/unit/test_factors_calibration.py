"""A short calibration of the serum slope where donors vary unequally; the long one is a benchmark.

Log2 values are normal, so that nothing but the variances of donors is tested.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.slopes.design import VALUE
from fibroserum.slopes.model import SlopeSteps, slope_test

GENES, DONORS, COHORTS = 500, 10, 12
NONE = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf)


def _fit(change: np.ndarray, sd: np.ndarray, rng: np.random.Generator) -> linear.LinearFit:
    """Fit two groups whose expression does not follow the level.

    change: (2 × DONORS,), the level's; sd: (2 × DONORS, GENES), of the expression's changes.
    """
    people = 2 * DONORS
    names = [f"D{n:02d}{time}" for time in ("pre", "post") for n in range(people)]
    rt, after = np.tile(np.arange(people) >= DONORS, 2), np.repeat([0.0, 1.0], people)
    centred = change - np.where(rt[:people], change[DONORS:].mean(), change[:DONORS].mean())
    dense = pd.DataFrame(
        {"after[AT]": after * ~rt, "after[RT]": after * rt, VALUE: after * np.tile(centred, 2)},
        index=names,
    )
    base = rng.normal(size=(people, GENES))
    values = np.concatenate([base, base + sd * rng.normal(size=sd.shape)])
    design = Design(dense, pd.Series([name[:3] for name in names], names))
    return linear.fit_weighted(pd.DataFrame(values, index=names), design)


@pytest.mark.parametrize("setting", ["equal", "groups", "magnitude", "poor library"])
def test_the_serum_slope_keeps_its_level(setting: str) -> None:
    rng = np.random.default_rng(len(setting))
    rt = np.arange(2 * DONORS) >= DONORS
    plain, used = [], []
    for _ in range(COHORTS):
        change, sd = rng.normal(0, 0.4, 2 * DONORS), np.full(2 * DONORS, 0.3)
        if setting == "groups":
            change[~rt], sd = change[~rt] / 4, np.where(rt, 0.5, 0.2)
        elif setting == "magnitude":
            sd = 0.1 + 0.6 * np.abs(change)
        elif setting == "poor library":
            change[12], sd[12] = 2.0, 0.7
        fit = _fit(change, np.tile(sd[:, None], GENES), rng)
        groups = pd.Series(np.tile(np.where(rt, "RT", "AT"), 2), fit.samples)
        for steps, found in ((NONE, plain), (SlopeSteps(), used)):
            found.append(float((slope_test(fit, groups, steps)[0]["pvalue"] < 0.01).mean()))
    if setting == "equal":
        assert np.mean(plain) == pytest.approx(0.01, abs=0.003)
        assert np.mean(used) == pytest.approx(0.01, abs=0.003)
    else:
        assert np.mean(plain) > 0.02
        assert np.mean(used) < 0.013
