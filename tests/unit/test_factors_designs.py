"""The design of the serum model in a crossover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.models import paired_model
from fibroserum.errors import InputError
from fibroserum.factors.levels import level_pairs
from fibroserum.factors.serum import level_values
from fibroserum.slopes.design import VALUE, slope_design

SETTINGS = {
    "groups": ["A", "B"],
    "before": "pre",
    "after": "post",
    "crossover": True,
    "covariates": [],
}


def crossed(donors: list[str]) -> pd.DataFrame:
    """Return the samples of donors who are in both groups, each with a serum level."""
    rng = np.random.default_rng(1)
    rows = [(d, g, t) for d in donors for g in ("A", "B") for t in ("pre", "post")]
    obs = pd.DataFrame(rows, columns=["donor", "group", "time"])
    obs["level"] = rng.uniform(1, 9, len(obs)).round(3).astype(str)
    return obs.assign(used_for="change").set_axis([f"S{i:02d}" for i in range(len(obs))])


def test_names_of_donors_and_groups_may_be_the_same() -> None:
    matrices = []
    for donors in (list("ABCDEF"), [f"D{n}" for n in range(6)]):
        obs = crossed(donors)
        design = slope_design(
            obs, SETTINGS, level_values(level_pairs(obs, SETTINGS, "level", "linear"))
        )
        assert design.dense.columns.is_unique
        assert design.dense.columns[-1] == VALUE
        matrices.append(design.matrix.to_numpy())
    np.testing.assert_array_equal(*matrices)


def test_a_covariate_named_as_a_column_of_the_model_is_refused() -> None:
    obs = crossed(list("ABCDEF"))
    obs["after[A]"] = np.arange(len(obs), dtype=float)
    with pytest.raises(InputError, match=r"the name of a model coefficient: 'after\[A\]'"):
        paired_model(obs, ["A", "B"], "post", [], crossover=True, covariates=["after[A]"])
