"""Contrasts and models: what they estimate is checked on expectations that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum.cohort.contrasts import contrasts_of, order_groups
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import covariate_columns, models_of
from fibroserum.cohort.rank import aliased_columns
from fibroserum.errors import InputError


def sheet(groups: dict[str, list[str]], *, crossover: bool = False) -> pd.DataFrame:
    rows = [
        {"donor": donor, "group": group, "time": time, "used_for": "change"}
        for group, donors in groups.items()
        for donor, time in itertools.product(donors, ("pre", "post"))
    ]
    obs = pd.DataFrame(rows)
    obs.index = [f"s{i}" for i in range(len(obs))]
    return obs


def settings_for(obs: pd.DataFrame, **changes: object) -> dict[str, object]:
    groups = order_groups(list(obs["group"]), "AT")
    base = {
        "groups": groups,
        "before": "pre",
        "after": "post",
        "crossover": False,
        "covariates": [],
    }
    return base | changes


TWO = sheet({"AT": ["a1", "a2", "a3"], "RT": ["r1", "r2"]})


def test_names_and_kinds() -> None:
    found = [(c.name, c.kind) for c in contrasts_of(["AT", "RT"], "pre", "post")]
    assert found == [
        ("AT_post_vs_pre", "change"),
        ("RT_post_vs_pre", "change"),
        ("RT_vs_AT_change", "difference"),
        ("average_post_vs_pre", "average"),
        ("RT_vs_AT_pre", "baseline"),
    ]
    assert [c.name for c in contrasts_of(["all"], "pre", "post")] == ["all_post_vs_pre"]


def test_contrasts_recover_planted_effects() -> None:
    """Noise-free donor, group and time effects: each contrast gives the planted number."""
    effect = {"AT": 0.3, "RT": 0.8}
    donor = dict(zip(TWO["donor"].unique(), [5.0, 1.0, 3.0, 9.0, 2.0], strict=True))
    y = TWO["donor"].map(donor) + TWO["group"].map(effect) * (TWO["time"] == "post")
    paired, baseline = models_of(TWO, settings_for(TWO))
    beta = np.linalg.lstsq(paired.design.matrix.to_numpy(), y.to_numpy(float), rcond=None)[0]
    got = {name: float(vector @ beta) for name, vector in paired.contrasts.items()}
    assert got == pytest.approx(
        {
            "AT_post_vs_pre": 0.3,
            "RT_post_vs_pre": 0.8,
            "RT_vs_AT_change": 0.5,
            "average_post_vs_pre": 0.55,
        }
    )
    first = y[TWO["time"] == "pre"].loc[baseline.design.samples]
    beta = np.linalg.lstsq(baseline.design.matrix.to_numpy(), first.to_numpy(float), rcond=None)[0]
    assert baseline.contrasts["RT_vs_AT_pre"] @ beta == pytest.approx((9 + 2) / 2 - (5 + 1 + 3) / 3)


def test_crossover_blocks_pairs_and_before_donors() -> None:
    obs = sheet({"AT": ["d1", "d2", "d3"], "RT": ["d1", "d2", "d3"]})
    paired, baseline = models_of(obs, settings_for(obs, crossover=True))
    pairs = [f"donor[{donor}|{group}]" for donor in ("d1", "d2", "d3") for group in ("AT", "RT")]
    assert list(paired.design.matrix.columns) == [*pairs, "after[AT]", "after[RT]"]
    names = ["donor[d1]", "donor[d2]", "donor[d3]", "group[RT]"]
    assert list(baseline.design.matrix.columns) == names
    base = {"d1": 1.0, "d2": 4.0, "d3": 2.0}
    y = obs["donor"].map(base) + 0.7 * (obs["group"] == "RT")
    y += 0.2 * (obs["time"] == "post") + 0.5 * ((obs["time"] == "post") & (obs["group"] == "RT"))
    beta = np.linalg.lstsq(paired.design.matrix.to_numpy(), y.to_numpy(float), rcond=None)[0]
    assert paired.contrasts["RT_vs_AT_change"] @ beta == pytest.approx(0.5)
    before = y[obs["time"] == "pre"]
    beta = np.linalg.lstsq(baseline.design.matrix.to_numpy(), before.to_numpy(float), rcond=None)[0]
    assert baseline.contrasts["RT_vs_AT_pre"] @ beta == pytest.approx(0.7)


def test_average_counts_groups_not_donors() -> None:
    paired, _ = models_of(TWO, settings_for(TWO))
    weights = paired.design.dense_contrast(paired.contrasts["average_post_vs_pre"])
    named = dict(zip(paired.design.dense.columns, weights, strict=True))
    assert named["after[AT]"] == named["after[RT]"] == 0.5


def test_a_donor_constant_covariate_is_named() -> None:
    obs = TWO.assign(age=[40, 40, 50, 50, 60, 60, 45, 45, 55, 55])
    with pytest.raises(InputError, match=r"rank-deficient, because 'age'.*does not vary within"):
        models_of(obs, settings_for(obs, covariates=["age"]))


def test_all_models_speak_at_once() -> None:
    obs = TWO.assign(plate=["p1", "p2"] * 5)
    with pytest.raises(InputError) as error:
        models_of(obs, settings_for(obs, covariates=["plate"]))
    assert len(error.value.problems) == 1
    assert "plate[p2]" in str(error.value)


def test_one_pair_leaves_no_degree_of_freedom() -> None:
    obs = sheet({"AT": ["a1"]})
    with pytest.raises(InputError, match="no residual degree of freedom"):
        models_of(obs, settings_for(obs))


def test_numeric_covariates_are_centred_and_categories_less_one() -> None:
    obs = pd.DataFrame({"age": ["1", "3"], "plate": ["b", "a"]}, index=["s1", "s2"])
    columns = covariate_columns(obs, ["age", "plate"])
    assert columns["age"].tolist() == [-1.0, 1.0]
    assert list(columns.columns) == ["age", "plate[b]"]


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_aliased_columns_are_as_many_as_the_rank_lacks(n: int, p: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, size=(n, p)).astype(float)
    dense = pd.DataFrame(values, columns=[f"c{i}" for i in range(p)])
    aliased = aliased_columns(Design(dense))
    assert len(aliased) == p - np.linalg.matrix_rank(values)
    kept = dense.drop(columns=aliased).to_numpy()
    if kept.size:
        assert np.linalg.matrix_rank(kept) == kept.shape[1]


@given(st.lists(st.sampled_from("abcdef"), min_size=1), st.sampled_from("abcdef"))
def test_the_reference_comes_first(groups: list[str], reference: str) -> None:
    ordered = order_groups(groups, reference)
    assert sorted(ordered) == sorted(set(groups))
    if reference in groups:
        assert ordered[0] == reference


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["1", "1", "2", "2", "3", "3", "4", "4", "5", "5"], "does not vary within donors"),
        (["b1", "b2"] * 5, "'x' is confounded with time"),
        (["1", "2", "1", "2", "1", "2", "1", "3", "1", "3"], "Remove 'x' from design.covariates"),
    ],
)
def test_the_reason_for_a_rank_deficiency_is_said(values: list[str], why: str) -> None:
    with pytest.raises(InputError) as error:
        models_of(TWO.assign(x=values), settings_for(TWO, covariates=["x"]))
    paired = str(error.value.problems[0])
    assert paired.startswith("the model of changes: the design is rank-deficient, because 'x")
    assert why in paired


def test_a_batch_that_is_the_group_is_said_of_the_baseline() -> None:
    obs = TWO.assign(x=["p1"] * 6 + ["p2"] * 4)
    with pytest.raises(InputError) as error:
        models_of(obs, settings_for(obs, covariates=["x"]))
    assert "the baseline model" in str(error.value.problems[1])
    assert "'x' is confounded with group" in str(error.value.problems[1])


def test_too_many_columns_are_said_as_such() -> None:
    names = [f"x{n}" for n in range(9)]
    rng = np.random.default_rng(1)
    obs = TWO.assign(**{name: rng.normal(size=10).astype(str) for name in names})
    with pytest.raises(InputError, match="10 samples and 16 model coefficients leave no residual"):
        models_of(obs, settings_for(obs, covariates=names))


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_the_scale_of_a_covariate_does_not_matter(scale: float) -> None:
    dense = pd.DataFrame({"one": [1.0, 1, 1], "x": [scale, -scale, scale / 2]})
    assert aliased_columns(Design(dense)) == []
    assert aliased_columns(Design(dense.assign(y=dense["x"] / 2))) == ["y"]
