"""Donors without a pair: the mixed models, against nlme (tests/golden/mixed) and mathematics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.targets.sensitivity import Assumption, _interval, mixed_model
from helpers.target_cohorts import Drawn, Planted, draw, flagged

GROUPS = ["AT", "RT"]
WEIGHTS = {"AT": (1, 0), "RT": (0, 1), "difference": (-1, 1), "average": (0.5, 0.5)}


def interval(
    obs: pd.DataFrame,
    values: np.ndarray,
    weights: tuple[float, ...],
    assumption: Assumption = "missing_at_random",
    groups: list[str] = GROUPS,
) -> tuple[float, float, float]:
    """Return estimate and interval of a contrast of the groups' changes."""
    model = mixed_model(obs, groups, "pre", [], assumption)
    sizes = obs.groupby(["group", "donor"]).size()
    pairs = sizes[sizes == 2].groupby("group").size().reindex(groups).to_numpy(float)
    vector = np.zeros(model.design.shape[1])
    vector[model.design.columns.get_indexer([f"after[{g}]" for g in groups])] = weights
    return _interval(*model.fit(values), vector, np.array(weights, float), pairs, 0)


@pytest.mark.parametrize("assumption", ["missing_at_random", "equal_starts"])
@pytest.mark.parametrize("covariate", ["", "rin"])
def test_mixed_models_are_those_of_nlme(
    repository: Path, covariate: str, assumption: Assumption
) -> None:
    golden = repository / "tests/golden/mixed"
    obs = pd.read_csv(golden / "samples.tsv", sep="\t")
    effects = pd.read_csv(golden / "effects.tsv", sep="\t", keep_default_na=False)
    own = effects[(effects["covariate"] == covariate) & (effects["assumption"] == assumption)]
    model = mixed_model(obs, GROUPS, "pre", [covariate] if covariate else [], assumption)
    places = model.design.columns.get_indexer(["after[AT]", "after[RT]"])
    assert len(own) == 12
    for value, rows in own.groupby("value"):
        coefficients, covariance, _ = model.fit(obs[value].to_numpy())
        for row in rows.itertuples():
            weights = np.array(WEIGHTS[row.contrast])
            se = np.sqrt(weights @ covariance[np.ix_(places, places)] @ weights)
            assert se == pytest.approx(row.se, rel=2e-4)
            assert weights @ coefficients[places] == pytest.approx(row.estimate, abs=1e-3 * row.se)


def test_the_interval_of_one_group_is_that_of_nlme(repository: Path) -> None:
    golden = repository / "tests/golden/mixed"
    obs = pd.read_csv(golden / "samples.tsv", sep="\t").query("group == 'AT'")
    found = interval(obs, obs["usual"].to_numpy(), (1,), groups=["AT"])
    assert found == pytest.approx(np.loadtxt(golden / "one_group.tsv"), abs=2e-5)


def test_pairs_alone_give_the_paired_t_test(repository: Path) -> None:
    obs = pd.read_csv(repository / "tests/golden/mixed/samples.tsv", sep="\t")
    obs = obs[obs.groupby("donor")["time"].transform("size") == 2]
    wide = obs.set_index(["group", "donor", "time"])["usual"].unstack()  # noqa: PD010
    change = (wide["post"] - wide["pre"]).groupby("group").agg(list)
    for group, weights in (("AT", (1, 0)), ("RT", (0, 1))):
        expected = stats.ttest_1samp(change[group], 0).confidence_interval()
        found = interval(obs, obs["usual"].to_numpy(), weights)
        assert found == pytest.approx((np.mean(change[group]), *expected), abs=1e-4)
    welch = stats.ttest_ind(change["RT"], change["AT"], equal_var=False).confidence_interval()
    assert interval(obs, obs["usual"].to_numpy(), (-1, 1))[1:] == pytest.approx(welch, abs=1e-4)


def test_values_that_do_not_vary_and_single_pairs_have_no_interval(repository: Path) -> None:
    obs = pd.read_csv(repository / "tests/golden/mixed/samples.tsv", sep="\t")
    assert np.isnan(interval(obs, np.full(len(obs), 3.0), (1, 0))).all()
    single = obs[(obs["group"] == "RT") | ~obs["donor"].isin([f"AT{n:02d}" for n in range(2, 10)])]
    assert np.isnan(interval(single, single["usual"].to_numpy(), (1, 0))).all()
    assert np.isfinite(interval(single, single["usual"].to_numpy(), (0, 1))).all()


@pytest.mark.parametrize(
    ("assumption", "weights", "true"),
    [("missing_at_random", (0, 1), 0.5), ("equal_starts", (-1, 1), 0.3)],
)
def test_intervals_cover_where_samples_are_missing_at_random(
    assumption: Assumption, weights: tuple[int, int], true: float
) -> None:
    rng = np.random.default_rng(3)
    donors, cohorts = 14, 120
    names = pd.DataFrame(
        [(f"{g}{n}", g, time) for g in GROUPS for n in range(donors) for time in ("pre", "post")],
        columns=["donor", "group", "time"],
    )
    covered, errors, of_pairs = [], [], []
    for _ in range(cohorts):
        level = np.repeat(rng.normal(0, 0.4, 2 * donors), 2)
        later, rt = (names["time"] == "post").to_numpy(), (names["group"] == "RT").to_numpy()
        sd = np.where(rt, 0.35, 0.2)
        values = level + later * np.where(rt, 0.5, 0.2) + rng.normal(0, sd)
        # donors who start high in RT seldom have an after sample
        start = np.repeat(values[~later], 2)
        gone = later & (rng.random(len(names)) < np.where(rt & (start > 0.1), 0.7, 0.05))
        obs, own = names[~gone], values[~gone]
        kept = ~np.repeat(gone[later], 2)
        change = (values[later] - values[~later])[kept[later]]
        of_rt = rt[later][kept[later]]
        by_group = change[~of_rt].mean(), change[of_rt].mean()
        value, low, high = interval(obs, own, weights, assumption)
        covered.append(low <= true <= high)
        errors.append(value - true)
        of_pairs.append(np.dot(weights, by_group) - true)
    assert 0.9 <= np.mean(covered) <= 0.99
    assert abs(np.mean(errors)) < 0.03
    # the pairs that are left regress to the mean
    assert np.mean(of_pairs) > np.mean(errors) + 0.03


def without(drawn: Drawn, *samples: str) -> Drawn:
    """Return a cohort without some samples."""
    sheet = drawn.sheet[~drawn.sheet["sample"].isin(samples)].reset_index(drop=True)
    assert len(sheet) == len(drawn.sheet) - len(samples)
    return Drawn(drawn.counts.loc[sheet["sample"]], sheet)


TARGETS = {"T1": Planted(change={"RT": 1.0}), "T2": Planted()}


@pytest.fixture(scope="module")
def whole() -> Drawn:
    return draw(TARGETS, {"AT": 5, "RT": 6}, 4)


def test_rows_are_of_contrasts_whose_donors_lack_a_pair(whole: Drawn) -> None:
    drawn = without(whole, "RT01_RT_post", "RT02_RT_pre")
    flags = flagged(drawn, list(TARGETS), randomised=True)
    table = flags.sensitivity.set_index(["target", "contrast", "assumption"])
    changed = ["RT_post_vs_pre", "RT_vs_AT_change", "average_post_vs_pre"]
    for target in TARGETS:
        own = table.loc[target]
        assert sorted(own.xs("missing_at_random", level=1).index) == sorted(changed)
        assert sorted(own.xs("equal_starts", level=1).index) == sorted(["AT_post_vs_pre", *changed])
    assert table.loc[("T1", "RT_post_vs_pre", "missing_at_random"), "donors"] == 6
    assert table.loc[("T1", "RT_vs_AT_change", "equal_starts"), "donors"] == 11
    found = table.loc[("T1", "RT_post_vs_pre", "missing_at_random")]
    assert found["ci_low"] < 1.0 < found["ci_high"]
    assert found["ci_low"] > 0
    alone = flagged(drawn, list(TARGETS), randomised=False).sensitivity
    assert set(alone["assumption"]) == {"missing_at_random"}
    # the sample after of a donor without one before has no part in a verdict
    less = flagged(without(drawn, "RT02_RT_post"), list(TARGETS), randomised=True)
    pd.testing.assert_frame_equal(flags.targets, less.targets)


def test_one_group_uses_donors_with_either_sample(whole: Drawn) -> None:
    rt = Drawn(whole.counts, whole.sheet)
    rt = without(rt, *whole.sheet.loc[whole.sheet["group"] == "AT", "sample"])
    lost = without(rt, "RT01_RT_post", "RT02_RT_pre")
    table = flagged(lost, list(TARGETS), reference="RT", randomised=True).sensitivity
    assert table["assumption"].tolist() == ["missing_at_random"] * 2
    assert table["donors"].tolist() == [6, 6]


def test_nothing_is_said_where_every_donor_has_a_pair_or_effects_are_shared(whole: Drawn) -> None:
    assert flagged(whole, list(TARGETS)).sensitivity.empty
    plates = whole.sheet["donor"].str[-2:].astype(int) % 5
    blocked = Drawn(whole.counts, whole.sheet.assign(plate=plates.map("P{}".format)))
    lost = without(blocked, "RT01_RT_post")
    assert flagged(lost, list(TARGETS), block="plate").sensitivity.empty
    crossed = draw(TARGETS, {"AT": 5, "RT": 5}, 4, crossover=True)
    lost = without(crossed, "D01_RT_post")
    table = flagged(lost, list(TARGETS), crossover=True).sensitivity
    assert table.empty
    assert list(table.columns)[:3] == ["target", "contrast", "assumption"]
