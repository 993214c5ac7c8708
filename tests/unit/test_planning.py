"""Planned studies: their precision, their power by simulation, and a plan without a cohort."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum import tables
from fibroserum.de.settings import FitSettings
from fibroserum.input.planning import names_no_counts
from fibroserum.targets.noise import Noise, slope_noise, study_noise
from fibroserum.targets.planning import PAIRS, Panel, panel_detectable, panel_power, planning_table
from fibroserum.targets.planning_words import planning_sentences, slope_label
from fibroserum.targets.power import power_of
from fibroserum.targets.public_plan import plan_table, typical_noise
from fibroserum.targets.study import Study, rule_of, target_study
from fibroserum.targets.verdict import Rule
from helpers.target_cohorts import Planted, analysed, draw

ALONE = FitSettings(second_opinion="none")
RULE = Rule()
ONE = Panel(12, 1)


def study(
    donors: dict[str, int], *, seed: int = 1, crossover: bool = False, **options: object
) -> Study:
    """Return a cohort of four unchanged targets and one that is in no matrix."""
    drawn = draw(
        {f"T{n}": Planted(mean=100.0 * 3**n) for n in range(4)}, donors, seed, crossover=crossover
    )
    if options.get("covariates"):
        drawn.sheet["hours"] = np.random.default_rng(seed).normal(size=len(drawn.sheet)).astype(str)
    names = [*(f"T{n}" for n in range(4)), "NOT_THERE"]
    cohort, fits, results = analysed(drawn, names, crossover=crossover, **options)  # type: ignore[arg-type]
    return target_study(cohort, fits, results, rule_of(fits["paired"], 0.05, None))


@pytest.mark.parametrize(
    ("donors", "options"),
    [
        ({"AT": 7, "RT": 7}, {}),
        ({"AT": 7, "RT": 7}, {"settings": FitSettings(second_opinion="voom")}),
        ({"AT": 7, "RT": 7}, {"covariates": ["hours"]}),
        ({"AT": 5, "RT": 5, "control": 5}, {}),
        ({"AT": 9, "RT": 9}, {"crossover": True}),
        ({"all": 6}, {"reference": "all"}),
        ({"AT": 7, "RT": 7}, {"settings": ALONE}),
    ],
)
def test_with_its_own_pairs_a_study_has_its_own_precision(
    donors: dict[str, int], options: dict[str, object]
) -> None:
    own = study(donors, **options)  # type: ignore[arg-type]
    pairs = next(iter(donors.values()))
    seen = 0
    for found in study_noise(own):
        if found.contrast is None:
            continue
        assert set(found.noise) == {"T0", "T1", "T2", "T3"}
        fit = own.fits["paired"].varm[found.contrast.file]
        for target, noise in found.noise.items():
            now = noise.at(pairs)
            row = fit.loc[target]
            assert now.se == pytest.approx(row["lfcSE"])
            wanted = row[["second_lfcSE", "second_df"]].to_numpy(float)
            np.testing.assert_allclose([now.second_se, now.second_df], wanted, rtol=1e-6)
            assert (noise.interval() is None) == own.rule.alone
            seen += 1
    assert seen == 4 * {1: 1, 2: 4, 3: 6}[len(donors)]


def test_more_pairs_shrink_the_errors_and_add_degrees_of_freedom() -> None:
    own = study({"AT": 5, "RT": 9})
    found = {one.name: one.noise["T1"] for one in study_noise(own)}
    fit = own.fits["paired"].varm
    at, rt = (fit[f"{group}_post_vs_pre"].loc["T1"] for group in ("AT", "RT"))
    later = found["RT_post_vs_pre"].at(36)
    assert later.se == pytest.approx(rt["lfcSE"] / 2)
    assert later.second_se == pytest.approx(rt["second_lfcSE"] / 2)
    # the prior's stay, and 35 are its own
    assert later.second_df == pytest.approx(rt["second_df"] - 8 + 35)
    both = found["RT_vs_AT_change"].at(45)
    wanted = np.sqrt(at["second_lfcSE"] ** 2 / 9 + rt["second_lfcSE"] ** 2 / 5)
    assert both.second_se == pytest.approx(wanted)
    assert both.se == pytest.approx(np.sqrt(at["lfcSE"] ** 2 / 9 + rt["lfcSE"] ** 2 / 5), rel=0.02)


def known(sd: float, groups: int = 1, df: float = np.nan) -> Noise:
    """Return the noise of changes with a known sd and no prior: Student's t."""
    whole, nothing = np.full(groups, sd**2), np.zeros(groups)
    return Noise(whole / 1e6, whole, nothing + 1, nothing, 0.0, groups, 1, df=df)


@pytest.mark.parametrize("pairs", [5, 15])
def test_a_slope_has_the_power_of_a_regression_within_groups(pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    sd, size, alpha, times = 0.4, 0.35, 0.01, 4000
    x = rng.normal(size=(2, pairs))
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, ddof=1, keepdims=True)
    y = size * x + rng.normal(0, sd, (times, 2, pairs))
    y -= y.mean(axis=2, keepdims=True)
    square, df = (x**2).sum(), 2 * pairs - 3
    slope = (x * y).sum(axis=(1, 2)) / square
    rss = (y**2).sum(axis=(1, 2)) - slope**2 * square
    seen = (slope / np.sqrt(rss / df / square) > stats.t.isf(alpha / 2, df)).mean()
    precision = slope_noise([known(sd)] * 2, np.inf).at(pairs)
    # groups' own variances: Satterthwaite's degrees of freedom, here of the two groups together
    assert precision.second_df == pytest.approx(df)
    assert np.isnan(precision.se)
    assert power_of(size, precision, alpha) == pytest.approx(seen, abs=0.025)


@pytest.mark.parametrize(("changed", "size"), [(1, 3.0), (4, 3.0), (8, 2.5), (12, 2.5)])
def test_power_is_the_share_of_changed_targets_that_pass_bh(changed: int, size: float) -> None:
    rng = np.random.default_rng(changed)
    z = rng.normal(size=(6000, 12))
    z[:, :changed] += size
    adjusted = stats.false_discovery_control(2 * stats.norm.sf(np.abs(z)), axis=1)
    seen = ((adjusted < 0.05) & (z > 0))[:, :changed].mean()
    # with very many degrees of freedom and a sd of 1 an estimate of 100 pairs has an error of 0.1
    noise = Noise(np.ones(1), np.ones(1), np.ones(1), np.full(1, 1e9), 1e9, 1, 10**9)
    found = panel_power(size / 10, noise, 100, Panel(12, changed), RULE)
    assert found == pytest.approx(seen, abs=0.05)
    detected = panel_detectable(noise, 100, Panel(12, changed), RULE)
    assert panel_power(detected, noise, 100, Panel(12, changed), RULE) == pytest.approx(0.8)


def test_the_interval_holds_the_true_power_in_19_of_20_cohorts() -> None:
    rng = np.random.default_rng(5)
    df, sd = 7.0, 0.4
    truth = panel_power(0.3, known(sd), 20, ONE, RULE)
    inside = []
    for share in rng.chisquare(df, 600) / df:
        ends = known(sd * np.sqrt(share), df=df).interval()
        assert ends is not None
        high, low = (panel_power(0.3, end, 20, ONE, RULE) for end in ends)
        inside.append(low <= truth <= high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_the_planned_power_is_the_share_of_verdicts() -> None:
    """The long form is benchmarks/calibrate_planning.py."""
    pairs, size = 10, 0.36
    nulls = [f"N{n}" for n in range(11)]
    moved = [f"T{n}" for n in range(12)]
    still = {name: Planted(mean=300.0) for name in nulls}
    plans = []
    for seed in range(3):
        drawn = draw(still | {n: Planted(mean=300.0) for n in moved}, {"AT": 6, "RT": 6}, 90 + seed)
        cohort, fits, results = analysed(drawn, [*moved, *nulls])
        own = target_study(cohort, fits, results, RULE)
        for found in study_noise(own):
            if found.name in ("RT_post_vs_pre", "RT_vs_AT_change"):
                powers = [panel_power(size, found.noise[n], pairs, ONE, RULE) for n in moved]
                plans.append((found.name, np.mean(powers)))
    planned = pd.DataFrame(plans, columns=["contrast", "power"]).groupby("contrast")["power"].mean()
    seen = []
    for seed in range(6):
        changed = {name: Planted(mean=300.0, change={"RT": size}) for name in moved}
        drawn = draw(still | changed, {"AT": pairs, "RT": pairs}, seed)
        results = analysed(drawn, [*moved, *nulls])[2]
        for contrast in planned.index:
            own_rows = results[contrast].set_index("gene_id")
            for name in moved:
                panel = own_rows.loc[[name, *nulls]]
                both = [
                    stats.false_discovery_control(panel[column].astype(float))[0] < 0.05
                    for column in ("pvalue", "second_pvalue")
                ]
                clear = panel["ci_low"].iloc[0] > 0
                seen.append((contrast, all(both) and clear))
    realised = pd.DataFrame(seen, columns=["contrast", "found"]).groupby("contrast")["found"].mean()
    assert planned["RT_vs_AT_change"] < planned["RT_post_vs_pre"] - 0.2
    # 72 verdicts each: a standard error of up to 0.06
    np.testing.assert_allclose(planned, realised[planned.index], atol=0.12)


def test_the_table() -> None:
    published = pd.DataFrame(
        {"gene": "T0", "group": ["AT", "RT"], "before": 1.0, "log2_ratio": [0.05, -0.147]}
    )
    own = study({"AT": 7, "RT": 9})
    table = planning_table(own, published, changed=9, power_lfc=0.2)
    kinds = table.drop_duplicates("contrast")["kind"].tolist()
    assert kinds == ["change", "change", "difference", "average", "slope"]
    assert set(table.groupby(["target", "contrast"])["pairs"].apply(tuple)) == {PAIRS}
    # all fitted targets at most
    assert set(table["changed"]) == {4}
    keyed = table.set_index(["target", "contrast", "pairs"])
    assert keyed.loc[("T0", "RT_post_vs_pre", 20), "effect"] == -0.147
    assert keyed.loc[("T0", "slope", 20), ["effect", "effect_source"]].tolist() == [0.2, "fixed"]
    assert keyed.loc[("T1", "RT_post_vs_pre", 20), "effect"] == 0.2
    for _, part in table.groupby(["target", "contrast"]):
        assert part["detectable_lfc"].is_monotonic_decreasing
        assert part["power"].is_monotonic_increasing
        assert part["power"].between(part["power_low"], part["power_high"]).all()
        between = part["detectable_lfc"].between(part["detectable_low"], part["detectable_high"])
        assert between.all()
    fewer = planning_table(own, published, changed=1, power_lfc=0.2)
    assert (fewer["power"] <= table["power"]).all()
    said = planning_sentences(table, "T0", {"RT_post_vs_pre": "RT: post vs pre"})
    row = keyed.loc[("T0", "RT_post_vs_pre", 20)]
    assert said[1] == (
        f"RT: post vs pre: with 20 pairs per group, {100 * row['power']:.0f} % "
        f"({100 * row['power_low']:.0f} to {100 * row['power_high']:.0f} %) of studies would "
        "detect an effect of -0.15 on T0, and 80 % would detect one of "
        f"{row['detectable_lfc']:.2f}."
    )
    assert said[-1].startswith("slope, per sd: with 20 pairs")
    assert slope_label("slope_week8") == "week8: slope, per sd"


@pytest.mark.parametrize(
    "options",
    [{"settings": ALONE}, {"crossover": True}, {"block": "plate"}],
    ids=["alone", "crossover", "blocks"],
)
def test_a_slope_is_planned_where_each_donor_is_in_one_group(options: dict[str, object]) -> None:
    donors = {"AT": 8, "RT": 8}
    drawn = draw({"T0": Planted()}, donors, crossover="crossover" in options)
    drawn.sheet["plate"] = (drawn.sheet["donor"].str[-1].astype(int) % 4).astype(str)
    cohort, fits, results = analysed(drawn, ["T0"], **options)  # type: ignore[arg-type]
    own = target_study(cohort, fits, results, rule_of(fits["paired"], 0.05, None))
    table = planning_table(own, None, changed=1, power_lfc=0.15)
    assert "slope" not in set(table["kind"])
    assert table["power_low"].isna().all() == (options == {"settings": ALONE})


def test_no_target_no_plan() -> None:
    own = dataclasses.replace(study({"AT": 4, "RT": 4}), genes={})
    table = planning_table(own, None, changed=1, power_lfc=0.15)
    assert table.empty
    assert list(table.columns) == tables.schemas()["planning"].names
    assert planning_sentences(table, "BGN", {}) == []


@pytest.fixture(scope="module")
def build(repository: Path) -> dict[str, object]:
    return runpy.run_path(str(repository / "resources/build/build_planning.py"))


def test_a_plan_without_a_cohort(repository: Path) -> None:
    public = pd.read_csv(repository / "resources/planning/public_cohorts.tsv", sep="\t")
    per_cohort = public.groupby("cohort")[["pairs", "prior_df"]].nunique().sum(axis=1)
    assert (per_cohort + public.groupby("cohort").size() * 3 <= 20).all()
    assert public["licence"].notna().all()
    plan = plan_table(public, ONE, RULE, 0.15)
    keyed = plan.set_index(["cohort", "mean_count", "kind", "pairs"])
    one = public[public["mean_count"] == 300].iloc[0]
    change, difference, slope = (
        noise.at(20)
        for noise in typical_noise(300, one["dispersion"], one["change_sd"], one["prior_df"])
    )
    se = np.sqrt(2 * (1 / 300 + one["dispersion"]) / 20) / np.log(2)
    second, df = one["change_sd"] / np.sqrt(20), 19 + one["prior_df"]
    assert dataclasses.astuple(change) == pytest.approx((se, second, df))
    assert (difference.se, difference.second_se) == pytest.approx((2**0.5 * se, 2**0.5 * second))
    assert difference.second_df == pytest.approx(38 + one["prior_df"])
    assert slope.second_se == pytest.approx(one["change_sd"] / np.sqrt(2 * 19))
    found = keyed.loc[(one["cohort"], 300, "change", 20)]
    assert found["power"] == pytest.approx(power_of(0.15, change, 0.05 / 12))
    # more counts, less noise; a difference is harder than a change
    for _, part in plan[plan["mean_count"] <= 300].groupby(["cohort", "kind", "pairs"]):
        assert part["detectable_lfc"].is_monotonic_decreasing
    kinds = dict(list(keyed.groupby("kind")["detectable_lfc"]))
    change_lfc, difference_lfc = (kinds[kind].to_numpy() for kind in ("change", "difference"))
    assert (difference_lfc > change_lfc).all()


@pytest.mark.long
@pytest.mark.parametrize("name", ["muscle_exercise_t2d", "lung_fibroblast_hypoxia"])
def test_the_public_numbers_are_those_of_the_data(
    name: str,
    build: dict[str, Callable[..., pd.DataFrame]],
    shared_data: Callable[[str], Path],
    repository: Path,
) -> None:
    bundled = pd.read_csv(repository / "resources/planning/public_cohorts.tsv", sep="\t")
    own = bundled[bundled["cohort"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(build["cohort_rows"](name, shared_data(name)), own, rtol=1e-3)


@pytest.mark.parametrize(
    ("keys", "plan_alone"),
    [
        (["planning"], True),
        (["differential_expression", "targets"], True),
        (["cohort", "planning"], True),
        ([], False),
        (["planning", "counts"], False),
    ],
)
def test_a_config_of_a_plan_alone_needs_no_cohort(keys: list[str], plan_alone: bool) -> None:
    assert names_no_counts(dict.fromkeys(keys)) == plan_alone
