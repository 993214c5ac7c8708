"""Power under the verdict's own rule: its arithmetic, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.targets.power import Effect, Precision, detectable, power_of, power_row
from fibroserum.targets.verdict import Rule
from helpers.target_cohorts import Planted, draw, flagged

CHANGE = contrasts_of(["RT"], "pre", "post")[0]


def test_the_main_model_alone_is_a_z_test() -> None:
    precision = Precision(0.1, np.nan, np.nan)
    expected = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    assert detectable(precision, 0.05) == pytest.approx(0.1 * expected)
    assert power_of(0.1 * expected, precision, 0.05) == pytest.approx(0.8)


def test_the_second_model_is_a_t_test() -> None:
    # nothing in the way but the second model
    precision = Precision(1e-6, 0.1, 12.0)
    size = detectable(precision, 0.05)
    rng = np.random.default_rng(1)
    estimate = rng.normal(size, 0.1, 200_000)
    spread = 0.1 * np.sqrt(rng.chisquare(12, 200_000) / 12)
    seen = np.mean(estimate / spread > stats.t.isf(0.025, 12))
    assert seen == pytest.approx(0.8, abs=0.005)


def test_power_grows_with_effect_and_falls_with_the_panel() -> None:
    precision = Precision(0.1, 0.095, 15.0)
    powers = [power_of(size, precision, 0.05 / 12) for size in (0.0, 0.1, 0.3, 0.5, 1.0)]
    assert powers == sorted(powers)
    assert powers[0] < 0.01
    assert powers[-1] > 0.999
    assert detectable(precision, 0.05 / 12) > detectable(precision, 0.05)
    one = detectable(precision, 0.05 / 12)
    assert detectable(precision, 0.05 / 12, threshold=0.5) == pytest.approx(0.5 + one, rel=1e-6)


def test_the_interval_has_to_exclude_0() -> None:
    # at alpha itself the main model's p value asks less than the interval, which is of t
    size = detectable(Precision(0.1, 0.095, 15.0), 0.05)
    assert size == pytest.approx(0.1 * (stats.t.isf(0.025, 15) + stats.norm.ppf(0.8)))


def test_the_sentence() -> None:
    precision = Precision(0.07, np.nan, np.nan)
    rule, effect = Rule(second_opinion="none"), Effect(0.147, "published")
    row = power_row("BGN", CHANGE, {"RT": 10}, precision, 1, rule, effect)
    assert row["sentence"] == (
        "With 10 pairs, 80 % of studies would detect |log2FC| ≥ 0.20 (+15 % or -13 %), and 56 % "
        "would detect the published effect of 0.15."
    )
    assert row["alpha_effective"] == 0.05
    own = power_row("BGN", CHANGE, {"RT": 10}, precision, 1, rule, Effect(0.25, "fixed"))
    assert (own["effect"], own["effect_source"]) == (0.25, "fixed")
    assert ", and 95 % would detect an effect of 0.25." in str(own["sentence"])


def test_the_detectable_effect_is_seen_in_four_of_five_studies() -> None:
    donors = {"AT": 6, "RT": 6}
    nulls = [f"N{n}" for n in range(11)]
    still = {name: Planted(mean=300.0) for name in nulls}
    # the size is taken from one cohort, the studies are others
    first = flagged(draw(still | {"T0": Planted(mean=300.0)}, donors, seed=100), ["T0", *nulls])
    own = first.power[first.power["contrast"] == "RT_post_vs_pre"]
    size = float(own["detectable_lfc"].median())
    moved = [f"T{n}" for n in range(16)]
    changed = {name: Planted(mean=300.0, change={"RT": size}) for name in moved}
    seen = []
    for seed in range(7):
        rows = flagged(draw(still | changed, donors, seed=seed), [*moved, *nulls]).targets
        rows = rows[rows["contrast"] == "RT_post_vs_pre"].set_index("target")
        # each in turn is the one of twelve that changes
        for name in moved:
            panel = rows.loc[[name, *nulls]]
            both = [
                stats.false_discovery_control(panel[column].astype(float))[0] < 0.05
                for column in ("pvalue", "second_pvalue")
            ]
            seen.append(all(both) and panel["log2FoldChange"].iloc[0] > 0)
    # 112 verdicts: a standard error of 0.04
    assert 0.70 < np.mean(seen) < 0.92
