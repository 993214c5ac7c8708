"""What the simulator draws against what its truth says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from fibroserum.simulate import Arm, CohortSpec, simulate_cohort
from fibroserum.simulate.cohort import SimulatedCohort

PER_ARM = 150


LARGE = CohortSpec(
    arms=(Arm("AT", PER_ARM), Arm("RT", PER_ARM, -0.415)),
    incomplete_donors=0,
    genes=1500,
    stimulation_cultures=100,
)


@pytest.fixture(scope="module")
def large() -> SimulatedCohort:
    return simulate_cohort(LARGE, 7)


def log2_expression(counts: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Log2 of counts over size factors from genes that do not change, samples × genes."""
    effects = truth[[c for c in truth if "_vs_" in c or c == "ccl28_slope"]]
    steady = ((effects == 0).all(axis=1) & (truth["base_mean"] > 100)).to_numpy()
    ratios = np.log2(counts.to_numpy(float)[:, steady] + 0.5)
    size = np.median(ratios - ratios.mean(axis=0), axis=1)
    return np.log2(counts + 0.5).sub(size, axis=0)


def changes(cohort: SimulatedCohort, arm: str) -> pd.DataFrame:
    """Change of log2 expression, complete pairs × genes."""
    x = log2_expression(cohort.counts, cohort.truth)
    sheet = cohort.samples.set_index("sample")
    x.index = pd.MultiIndex.from_frame(sheet.loc[x.index, ["group", "donor", "timepoint"]])
    x = x.xs(arm, level="group")
    return (x.xs("post", level="timepoint") - x.xs("pre", level="timepoint")).dropna()


def well_counted(cohort: SimulatedCohort) -> np.ndarray:
    return (cohort.truth["base_mean"] > 100).to_numpy()


def mean_correlation(values: pd.DataFrame) -> float:
    matrix = np.corrcoef(values.to_numpy().T)
    return float(matrix[np.triu_indices_from(matrix, 1)].mean())


@pytest.mark.parametrize("arm", ["AT", "RT"])
def test_changes_are_as_planted(large: SimulatedCohort, arm: str) -> None:
    delta = changes(large, arm)
    well = well_counted(large)
    error = delta.mean().to_numpy() - large.truth[f"{arm}_post_vs_pre"].to_numpy()
    z = (error / (delta.std().to_numpy() / np.sqrt(len(delta))))[well]
    assert abs(np.median(z)) < 0.3
    assert 0.85 < z.std() < 1.2
    assert np.abs(error[well]).max() < 0.25


def test_baselines_are_as_planted(large: SimulatedCohort) -> None:
    x = log2_expression(large.counts, large.truth).to_numpy()
    before = (large.samples["timepoint"] == "pre").to_numpy()
    in_rt = (large.samples["group"] == "RT").to_numpy()
    groups = x[before & in_rt], x[before & ~in_rt]
    error = groups[0].mean(0) - groups[1].mean(0) - large.truth["RT_vs_AT_pre"].to_numpy()
    se = np.sqrt(sum(group.var(0, ddof=1) / len(group) for group in groups))
    z = (error / se)[well_counted(large)]
    assert 0.85 < z.std() < 1.25
    planted = (large.truth["block"] == "RT_baseline").to_numpy()
    assert planted.sum() == 15
    assert np.abs(error[planted]).max() < 0.25


def test_base_means_and_dispersions_are_as_planted(large: SimulatedCohort) -> None:
    # A pair's difference has twice the variance of a sample: dispersion + 1/mean.
    well = well_counted(large)
    truth = large.truth[well]
    unchanging = (truth["ccl28_slope"] == 0).to_numpy()
    within = changes(large, "AT").var().to_numpy()[well] * np.log(2) ** 2 / 2
    ratio = (within / (truth["dispersion"] + 1 / truth["base_mean"]).to_numpy())[unchanging]
    assert 0.97 < np.median(ratio) < 1.10
    assert np.quantile(ratio, 0.05) > 0.75
    unaffected = (truth[[c for c in truth if "_vs_" in c]] == 0).all(axis=1).to_numpy()
    level = np.log(large.counts.to_numpy()[:, well].mean(0) / truth["base_mean"])[unaffected]
    assert abs(np.median(level)) < 0.06
    assert level.std() < 0.06


def test_donors_differ_as_planted(large: SimulatedCohort) -> None:
    well = well_counted(large)
    before = (large.samples["timepoint"] == "pre") & (large.samples["group"] == "AT")
    total = log2_expression(large.counts, large.truth)[before.to_numpy()].var().to_numpy()[well]
    donor = np.median(total - changes(large, "AT").var().to_numpy()[well] / 2)
    # Uniform between 0.2 and 0.3.
    assert donor == pytest.approx((0.3**3 - 0.2**3) / 0.3, rel=0.1)


def test_null_sets_correlate_as_planted(large: SimulatedCohort) -> None:
    for arm in ("AT", "RT"):
        delta = changes(large, arm).set_axis(large.truth["symbol"], axis=1)
        found = [mean_correlation(delta[list(genes)]) for genes in large.null_sets.values()]
        assert np.mean(found) == pytest.approx(0.2, abs=0.03)
        assert min(found) > 0.1


def test_background_does_not_correlate_on_average(large: SimulatedCohort) -> None:
    background = (large.truth["block"] == "background").to_numpy() & well_counted(large)
    assert abs(mean_correlation(changes(large, "AT").loc[:, background])) < 0.02


def test_correlation_can_be_set_to_none() -> None:
    spec = dataclasses.replace(LARGE, set_correlation=0.0, stimulation_cultures=0)
    cohort = simulate_cohort(spec, 8)
    delta = changes(cohort, "AT").set_axis(cohort.truth["symbol"], axis=1)
    found = [mean_correlation(delta[list(genes)]) for genes in cohort.null_sets.values()]
    assert abs(np.mean(found)) < 0.02


def test_serum_falls_in_rt_alone(large: SimulatedCohort) -> None:
    measured = np.log2(large.samples.set_index("sample")[["ccl28", "cxcl4"]])
    change = measured.to_numpy()[1::2] - measured.to_numpy()[::2]
    in_rt = (large.samples["group"] == "RT").to_numpy()[::2]
    sd = np.sqrt(0.3**2 + 2 * 0.08**2)
    standard_error = sd / np.sqrt(PER_ARM)
    assert change[in_rt, 0].mean() == pytest.approx(-0.415, abs=4 * standard_error)
    for other in (change[~in_rt, 0], change[in_rt, 1], change[~in_rt, 1]):
        assert abs(other.mean()) < 4 * standard_error
        assert other.std() == pytest.approx(sd, rel=0.2)
    error = measured.to_numpy() - large.levels.to_numpy()
    assert error.std() == pytest.approx(0.08, rel=0.1)


def test_genes_follow_the_donors_own_change_of_ccl28(large: SimulatedCohort) -> None:
    numerator, denominator = 0.0, 0.0
    for arm in ("AT", "RT"):
        delta = changes(large, arm)
        level = large.levels["ccl28"][(large.samples["group"] == arm).to_numpy()].to_numpy()
        shift = level[1::2] - level[::2]
        shift = shift - shift.mean()
        numerator = numerator + shift @ (delta - delta.mean()).to_numpy()
        denominator += float(shift @ shift)
    error = numerator / denominator - large.truth["ccl28_slope"].to_numpy()
    well = well_counted(large)
    responsive = large.truth["ccl28_responsive"].to_numpy()
    # Residual sd of a change is about 0.35 log2.
    assert np.abs(error[responsive]).max() < 5 * 0.35 / np.sqrt(denominator)
    assert abs(np.mean(error[well])) < 0.05


def test_stimulation_is_as_planted(large: SimulatedCohort) -> None:
    x = log2_expression(large.stimulation_counts, large.truth).to_numpy()
    delta = x[1::2] - x[::2]
    error = delta.mean(0) - large.truth["ccl28_stimulation"].to_numpy()
    z = (error / (delta.std(0, ddof=1) / np.sqrt(len(delta))))[well_counted(large)]
    assert 0.85 < z.std() < 1.2
    assert abs(np.median(z)) < 0.3


def test_null_has_no_effect_and_serum_still_falls() -> None:
    cohort = simulate_cohort(LARGE.null(), 9)
    columns = [c for c in cohort.truth if "_vs_" in c or c.startswith("ccl28_s")]
    assert (cohort.truth[columns] == 0).to_numpy().all()
    assert not cohort.truth["ccl28_responsive"].any()
    delta = changes(cohort, "RT")
    z = (delta.mean() / delta.std() * np.sqrt(len(delta))).to_numpy()[well_counted(cohort)]
    assert 0.85 < z.std() < 1.2
    shift = cohort.levels["ccl28"].to_numpy()[1::2] - cohort.levels["ccl28"].to_numpy()[::2]
    assert shift[PER_ARM:].mean() == pytest.approx(-0.415, abs=0.1)


def test_outliers_are_where_they_are_said_to_be() -> None:
    spec = CohortSpec(outlier_share=0.1, stimulation_cultures=0)
    spiked, plain = simulate_cohort(spec, 3), simulate_cohort(CohortSpec(), 3)
    assert len(spiked.outliers) == 300
    assert spiked.outliers["gene_id"].is_unique
    assert not spiked.outliers["sample"].str.startswith("RT10").any()
    pd.testing.assert_frame_equal(spiked.truth, plain.truth)
    x = log2_expression(spiked.counts, spiked.truth)
    seen = [
        x.loc[row.sample, row.gene_id] - x[row.gene_id].median()
        for row in spiked.outliers.itertuples()
        if spiked.truth.loc[row.gene_id, "base_mean"] > 100
    ]
    assert np.median(seen) == pytest.approx(4, abs=0.3)
    assert min(seen) > 2
