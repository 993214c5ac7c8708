"""The calibration harness: its sources, its measures, its results that resume."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from calibration import judging, measures, plasmodes, results, runner
from calibration.cohort import AFTER, thinned
from calibration.plan import FRESH, Row, read_plan
from calibration.results import Line
from calibration.simulator import Dials, simulate
from calibration.sources import draw
from fibroserum.multiple_testing import benjamini_hochberg

seeds = st.integers(0, 10_000)
TEN = {"AT": 10, "RT": 10}


def some_pairs(seed: int, donors: int = 5, genes: int = 40) -> plasmodes.Pairs:
    rng = np.random.default_rng(seed)
    before, after = rng.negative_binomial(5, 0.05, (2, donors, genes))
    return plasmodes.Pairs("AT", [f"D{n}" for n in range(donors)], before, after)


@given(seeds, st.floats(-4, 0))
def test_thinning_keeps_counts_below_the_original(seed: int, log2: float) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.negative_binomial(5, 0.05, (6, 30))
    found = thinned(counts, np.full(30, log2), rng)
    assert ((found >= 0) & (found <= counts)).all()
    total = counts.sum()
    sd = np.sqrt(total * 2**log2 * (1 - 2**log2))
    assert abs(found.sum() - total * 2**log2) <= 6 * sd + 1e-9


def test_thinning_refuses_to_raise_counts() -> None:
    with pytest.raises(ValueError, match="must not be positive"):
        thinned(np.ones((2, 2), dtype=int), np.array([0.0, 0.1]), np.random.default_rng(0))


@given(seeds)
def test_a_flip_twice_is_none_and_keeps_each_pair(seed: int) -> None:
    pairs = some_pairs(seed)
    which = np.random.default_rng(seed).random(len(pairs.donors)) < 0.5
    once = plasmodes.flipped(pairs, which)
    twice = plasmodes.flipped(once, which)
    assert np.array_equal(twice.before, pairs.before)
    assert np.array_equal(twice.after, pairs.after)
    assert np.array_equal(once.before + once.after, pairs.before + pairs.after)
    assert np.array_equal(once.before[which], pairs.after[which])


@pytest.mark.parametrize(("donors", "flips"), [(4, 8), (10, 512), (17, 65_536)])
def test_flips_are_counted_up_to_the_sign_of_all(donors: int, flips: int) -> None:
    assert some_pairs(0, donors).flips == flips


def test_effects_come_back_in_expectation() -> None:
    pairs = some_pairs(3, donors=400, genes=60)
    rng = np.random.default_rng(1)
    log2 = rng.uniform(-1, 1, 60)
    found = plasmodes.with_effects(pairs, log2, rng)
    ratio = np.log2(found.after.sum(axis=0) / found.before.sum(axis=0))
    before = np.log2(pairs.after.sum(axis=0) / pairs.before.sum(axis=0))
    assert np.abs(ratio - before - log2).max() < 0.05


def test_the_mean_change_of_a_cohort_is_taken_away() -> None:
    rng = np.random.default_rng(2)
    strong = rng.uniform(-1.5, 1.5, 300)
    level = rng.uniform(7, 11, 300)
    before, after = (rng.poisson(2 ** (level + s), (30, 300)) for s in (0 * strong, strong))
    pairs = plasmodes.Pairs("AT", [f"D{n}" for n in range(30)], before, after)
    plain = plasmodes.without_change(pairs, rng)
    logs = plasmodes.log_cpm(np.vstack([plain.before, plain.after]))
    change = (logs[30:] - logs[:30]).mean(axis=0)
    assert np.abs(change).max() < 0.1
    assert (plain.before <= pairs.before).all()
    assert (plain.after <= pairs.after).all()


def test_counts_have_the_means_and_variances_of_their_description() -> None:
    alike = {"donor_sd": 0.0, "depth_sd": 0.0, "scatter": 0.0, "level_sd": 0.0}
    dials = Dials({"AT": 600}, genes=60, median_count=100.0, null=True, **alike)
    counts = simulate(dials, 1).counts.to_numpy()
    mean, dispersion = 100.0, 0.03 + 0.01
    variance = mean + dispersion * mean**2
    assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / counts.size))
    assert counts.var(axis=0).mean() == pytest.approx(variance, rel=0.03)


def test_true_changes_come_back_in_the_counts() -> None:
    dials = Dials({"AT": 150, "RT": 150}, genes=400, donor_sd=0.0, depth_sd=0.0, scatter=0.0)
    cohort = simulate(dials, 2)
    for group in cohort.groups:
        own = cohort.sheet["group"] == group
        after = cohort.sheet["time"] == AFTER
        means = [cohort.counts[own & when].mean() for when in (after, ~after)]
        found = np.log2(means[0] / means[1])
        strong = means[1] > 50
        error = (found - cohort.change[group])[strong]
        assert np.abs(error).max() < 0.3
        slope = np.polyfit(cohort.change[group][strong], found[strong], 1)[0]
        assert slope == pytest.approx(1.0, abs=0.05)


SETTINGS: list[dict[str, Any]] = [
    {"rising": 0.3},
    {"crossover": True, "donor_time_sd": 0.3},
    {"crossover": True, "visit_sd": 0.3},
    {"depth_after": {"AT": 0.25}},
    {"spread": {"RT": 0.4}, "spread_share": 0.2},
    {"plates": 0.4},
    {"module": 0.3, "module_groups": ("RT",)},
    {"zero_inflation": 0.05},
    {"outlier_share": 0.01},
    {"dominant": 0.12},
    {"missing_after": 0.2},
    {"responders": 0.3},
    {"inverse_gamma": True},
    {"batch": 0.4, "batch_design": "confounded"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda own: "-".join(own))
def test_a_dial_changes_the_cohort_and_a_seed_repeats_it(settings: dict[str, Any]) -> None:
    dials = Dials(TEN, genes=200, **settings)
    first, second = simulate(dials, 5), simulate(dials, 5)
    pd.testing.assert_frame_equal(first.counts, second.counts)
    plain = simulate(Dials(TEN, genes=200), 5)
    assert not first.counts.equals(plain.counts)
    assert (first.counts >= 0).all(axis=None)
    sets = [gene for genes in first.sets.values() for gene in genes]
    assert len(set(sets)) == len(sets)
    assert not first.change.loc[sets].any(axis=None)


def test_rising_genes_all_rise_and_partial_ones_follow() -> None:
    rising = simulate(Dials(TEN, genes=1000, rising=0.3, rt_only=0, at_only=0, weak=0), 1).change
    assert (rising["AT"] > 0).mean() == pytest.approx(0.3)
    assert not (rising < 0).any(axis=None)
    partial = simulate(Dials(TEN, genes=1000, shared=0, at_only=0, weak=0, partial=0.35), 1).change
    both = partial[(partial != 0).all(axis=1)]
    assert len(both) == 25
    np.testing.assert_allclose(both["AT"], 0.35 * both["RT"])


def test_plates_are_shared_by_six_donors_and_hold_one_time() -> None:
    sheet = simulate(Dials(TEN, genes=50, plates=0.4), 1).sheet
    assert (sheet.groupby("plate")["time"].nunique() == 1).all()
    assert sheet.groupby("block")["donor"].nunique().tolist() == [6, 6, 6, 2]


def test_the_truth_of_each_contrast_follows_from_the_changes() -> None:
    cohort = simulate(Dials(TEN, genes=300), 1)
    change = cohort.change
    truths = {contrast.kind: cohort.truth(contrast) for contrast in cohort.contrasts}
    assert np.array_equal(truths["difference"], change["RT"] - change["AT"])
    assert np.array_equal(truths["average"], (change["RT"] + change["AT"]) / 2)


@given(seeds)
def test_rows_are_adjusted_as_one_panel_each(seed: int) -> None:
    pvalues = np.random.default_rng(seed).random((5, 12)) ** 2
    expected = np.vstack([benjamini_hochberg(row) for row in pvalues])
    np.testing.assert_allclose(measures.adjusted_rows(pvalues), expected)


def test_a_wrong_sign_is_a_false_call() -> None:
    cohort = simulate(Dials({"AT": 3}, genes=200, shared=0.02, at_only=0), 1)
    truth = cohort.change["AT"]
    changed, same = truth.index[truth != 0], truth.index[truth == 0]
    call = pd.Series("none", index=truth.index, dtype=object)
    call[changed[0]] = "up" if truth[changed[0]] > 0 else "down"
    call[changed[1]] = "down" if truth[changed[1]] > 0 else "up"
    call[same[0]] = "up"
    table = pd.DataFrame(
        {"log2FoldChange": truth, "call": call, "ci_low": truth + 0.1, "ci_high": truth + 0.2}
    )
    table.loc[same[:98], "ci_low"] = -0.1
    tested = pd.Series(True, index=truth.index)
    found = measures.gene_measures(cohort, {cohort.contrasts[0].name: table}, tested)
    assert (found["AT.V"], found["AT.R"], found["AT.signs"]) == (2, 3, 1)
    assert found["AT.fdp"] == pytest.approx(2 / 3)
    assert found["AT.power"] == pytest.approx(1 / 4)
    assert found["AT.cover"] == pytest.approx(98 / 200)
    assert found["AT.cover_null"] == pytest.approx(98 / 196)


def test_the_plan_is_whole_and_its_seeds_are_apart() -> None:
    plan = read_plan()
    fields = {field.name for field in dataclasses.fields(Dials)}
    for row in plan.rows:
        if row.source == "simulator":
            assert set(row.settings) <= fields, row.name
        assert set(row.seeds()).isdisjoint(row.seeds(again=True))
    assert max(row.seed + row.cohorts for row in plan.rows) < FRESH
    null = [row.cohorts for row in plan.rows if row.null]
    assert set(null) == {200}
    assert {row.source for row in plan.rows} == {"simulator", "toy", "plasmode"}
    with pytest.raises(KeyError, match="no row 'nosuch'"):
        plan.chosen(["nosuch"])


@pytest.fixture
def small() -> Row:
    settings = {"genes": 150}
    return Row("small", "small", "small", "simulator", {"AT": 3, "RT": 3}, settings, 3, 7)


def test_a_run_writes_each_cohort_and_resumes(
    small: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said = tmp_path / "results.tsv", list[str]()
    runner.run([small], ["none", "voom", "pairs"], out, most=1, say=said.append)
    first = out.read_bytes()
    assert results.done(out) == {("small", name, 7) for name in ("none", "voom", "pairs")}
    # a run that was killed while it wrote
    out.write_bytes(first + b"small\tnone\t8\t0.1")
    assert results.done(out) == {("small", name, 7) for name in ("none", "voom", "pairs")}
    drawn = list[int]()
    real = draw
    monkeypatch.setattr(runner, "draw", lambda row, seed: drawn.append(seed) or real(row, seed))
    runner.run([small], ["none", "voom"], out, most=2, say=said.append)
    assert drawn == [8]
    assert out.read_bytes().startswith(first)
    assert len(results.read(out)) == 5
    runner.run([small], ["none", "voom"], out, most=2, say=said.append)
    assert drawn == [8]
    assert said == ["1 cohorts to do", "1 cohorts to do", "0 cohorts to do"]
    table = results.long_table(results.read(out))
    assert {"fdp", "power", "cover", "panel_fdp"} <= set(table["measure"])
    assert set(table["kind"]) == {"AT", "RT", "difference", "average"}


def test_variants_are_chosen_by_name_or_group() -> None:
    chain = list(runner.chain_variants())
    assert runner.chosen_variants(["chain", "voom", "none"]) == [*chain, "voom"]
    assert runner.chosen_variants(["every"]) == [*chain, *runner.COMPARATORS]
    with pytest.raises(KeyError, match="no variant nosuch"):
        runner.chosen_variants(["voom", "nosuch"])


def test_another_file_is_not_taken_for_results(tmp_path: Path) -> None:
    other = tmp_path / "other.tsv"
    other.write_text("gene\tcount\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not a file of results"):
        results.read(other)


def test_measures_survive_their_file(tmp_path: Path) -> None:
    out = tmp_path / "results.tsv"
    results.append(out, [Line("1a-n6", "none", 3, 0.5, {"AT.fdp": 0.25, "AT.slope": np.nan})])
    assert results.read(out) == [Line("1a-n6", "none", 3, 0.5, {"AT.fdp": 0.25})]


def figure(measure: str, mean: float, error: float, cohorts: int = 200) -> judging.Figure:
    return judging.Figure("row", False, "none", "AT", measure, cohorts, mean, error)


def test_a_claim_passes_by_its_error_and_never_above_the_ceiling() -> None:
    z = stats.norm.isf(0.05 / 100)
    assert judging.passes(figure("fdp", 0.05 + z * 0.005 - 1e-9, 0.005), 100)
    assert not judging.passes(figure("fdp", 0.05 + z * 0.005 + 1e-9, 0.005), 100)
    assert not judging.passes(figure("fdp", 0.0701, 0.05), 100)
    assert judging.passes(figure("fdp", 0.2, float("nan"), 1), 100) is None


def test_null_rows_are_judged_by_the_exact_binomial() -> None:
    most = next(
        k for k in range(200) if stats.binomtest(k, 200, 0.05, "greater").pvalue < 0.05 / 100
    )
    assert judging.passes(figure("any", (most - 1) / 200, 0.01), 100)
    assert not judging.passes(figure("any", most / 200, 0.01), 100)


def test_differences_of_variants_are_paired_by_cohort() -> None:
    values = {"none": [0.1, 0.2, 0.3], "all": [0.0, 0.1, 0.1]}
    rows = [
        ("row", variant, seed, "AT", "fdp", value)
        for variant, own in values.items()
        for seed, value in enumerate(own)
    ]
    table = pd.DataFrame(rows, columns=["row", "variant", "seed", "kind", "measure", "value"])
    wide = judging.side_by_side(table)
    mean, error = judging.paired_difference(wide, ("row", "AT", "fdp"), "all", "none")
    assert mean == pytest.approx(-0.4 / 3)
    assert error == pytest.approx(np.std([-0.1, -0.1, -0.2], ddof=1) / np.sqrt(3))


def test_real_cohorts_keep_their_counts_whole(shared_data: Any) -> None:
    folder = shared_data("airway/counts.tsv.gz").parents[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIBROSERUM_DATA", str(folder))
        plasmodes.read_pairs.cache_clear()
        (real,) = plasmodes.read_pairs("airway")
        cohort = plasmodes.plasmode("airway", 1, genes=500)
    plasmodes.read_pairs.cache_clear()
    assert (len(real.donors), real.flips) == (4, 8)
    assert cohort.counts.shape == (8, 500)
    assert (cohort.change["AT"] != 0).sum() == 25
    both = (real.before + real.after).sum()
    assert 0 < cohort.counts.to_numpy().sum() < both
