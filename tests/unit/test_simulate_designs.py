"""The cohort of the designs: what is drawn is what its truth says, seen from counts and tables."""

from __future__ import annotations

import dataclasses
import gzip
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fibroserum.cohort.contrasts import contrasts_of, order_groups
from fibroserum.genes.mapping import annotate
from fibroserum.simulate import (
    Arm,
    DesignsSpec,
    SimulatedDesigns,
    simulate_designs,
)
from fibroserum.simulate.__main__ import main
from fibroserum.simulate.designs_truth import change_contrasts

GROUPS = ("control", "AT", "RT")
TIMES = ("week8", "week16")
CHANGES = [f"{group}_{time}_vs_pre" for time in TIMES for group in GROUPS]


@pytest.fixture(scope="module")
def toy() -> SimulatedDesigns:
    return simulate_designs(DesignsSpec(), 1)


@cache
def large() -> SimulatedDesigns:
    """Return 250 complete donors a group, for means and slopes with small errors."""
    arms = tuple(Arm(group, 250) for group in GROUPS)
    base = dataclasses.replace(DesignsSpec().base, arms=arms, depth_sd=0.0)
    return simulate_designs(DesignsSpec(base=base, healthy=250, missing=(), unmeasured=()), 7)


@cache
def log2_expression() -> pd.DataFrame:
    """Return log2 counts of `large` of genes with enough reads, donors × (gene, time)."""
    drawn = large()
    counts = drawn.counts.loc[:, (drawn.truth["base_mean"] > 200).to_numpy()]
    sheet = drawn.samples.set_index("sample")
    frame = np.log2(counts + 0.5).join(sheet[["group", "donor", "timepoint"]])
    return frame.pivot_table(index=["group", "donor"], columns="timepoint")


def change(group: str, time: str) -> pd.DataFrame:
    """Return the change of log2 counts of each donor of a group, donors × genes."""
    own = log2_expression().loc[group]
    return own.xs(time, axis=1, level="timepoint") - own.xs("pre", axis=1, level="timepoint")


def values(column: pd.Series, group: str, time: str) -> pd.Series:
    """Return the later value of a column of the sheet, or of the panel, less the value before."""
    sheet = large().samples.assign(value=column.to_numpy())
    own = sheet[sheet["group"].eq(group)]
    wide = own.pivot_table(index="donor", columns="timepoint", values="value", dropna=False)
    return wide[time] - wide["pre"]


def slopes(x: pd.Series, y: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return least-squares slopes of each column on x, and their standard errors."""
    centred = x - x.mean()
    slope = centred @ (y - y.mean()) / (centred @ centred)
    residual = (y - y.mean()) - np.outer(centred, slope)
    error = np.sqrt((residual**2).sum() / (len(x) - 2) / (centred @ centred))
    return slope, error


def test_the_bundled_files_are_what_the_generator_draws(tmp_path: Path, repository: Path) -> None:
    folder = repository / "resources" / "toy_designs"
    main(["--designs", "--seed", "1", "--out", str(tmp_path)])
    written = sorted(tmp_path.iterdir())
    assert {p.name for p in folder.iterdir()} == {p.name for p in written} | {"README.md"}
    for path in written:
        drawn, bundled = path.read_bytes(), (folder / path.name).read_bytes()
        if path.suffix == ".gz":
            # Compressed bytes depend on the zlib that Python was built with.
            assert drawn[3:8] == b"\0\0\0\0\0"
            drawn, bundled = gzip.decompress(drawn), gzip.decompress(bundled)
        assert drawn == bundled, path.name
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1.5e6


def test_the_command_draws_one_kind_of_cohort(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--out", "nowhere", "--seed", "1", "--designs", "--donors", "AT=6"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_design(toy: SimulatedDesigns) -> None:
    sheet = toy.samples
    assert list(sheet["sample"]) == list(toy.counts.index)
    assert sheet["sample"].is_unique
    donors = sheet.groupby("group")["donor"].nunique()
    assert donors.to_dict() == {"control": 12, "AT": 12, "RT": 12, "healthy": 8}
    times = sheet.groupby("donor")["timepoint"].agg(tuple)
    assert set(times[times.index.str.startswith("healthy")]) == {("pre",)}
    others = times[~times.index.str.startswith("healthy")]
    incomplete = others[others.map(len) < 3]
    assert incomplete.to_dict() == {"AT12": ("pre", "week8"), "RT11": ("pre", "week16")}
    assert (sheet.groupby("donor")[["passage", "plate"]].nunique() == 1).to_numpy().all()
    assert list(sheet["sample"][sheet["thickness_mm"].isna()]) == ["control04_week16"]
    assert sheet["thickness_mm"].dropna().gt(0.5).all()
    found = annotate(list(toy.truth.index), "ensembl")
    assert list(found["symbol"]) == list(toy.truth["symbol"])


def test_sessions_add_up_and_differ_between_donors(toy: SimulatedDesigns) -> None:
    sheet = toy.samples
    trained = sheet["group"].isin(["AT", "RT"])
    assert (sheet.loc[~trained | sheet["timepoint"].eq("pre"), "sessions"] == 0).all()
    own = sheet[trained]
    wide = own.pivot_table(index="donor", columns="timepoint", values="sessions").dropna()
    more = wide["week16"] - wide["week8"]
    assert wide["week8"].between(0, 24).all()
    assert more.between(0, 24).all()
    assert wide["week16"].std() > 6
    # a donor who attends one half attends the other
    assert np.corrcoef(wide["week8"], more)[0, 1] > 0.6


def test_panel(toy: SimulatedDesigns) -> None:
    panel = toy.serum_panel.set_index("sample")
    assert panel.shape == (len(toy.samples) - 1, 30)
    assert set(toy.samples["sample"]) - set(panel.index) == {"AT05_week16"}
    assert list(panel.columns) == list(toy.molecules["molecule"])
    below = (panel < toy.spec.limit).mean()
    assert below["IL17A"] > 0.5
    assert 0.02 < below["IL10"] < 0.4
    assert (below.drop(["IL17A", "IL10"]) == 0).all()
    assert (panel > 0).to_numpy().all()


def test_seeds_differ_in_donors_and_share_the_truth(toy: SimulatedDesigns) -> None:
    other = simulate_designs(DesignsSpec(), 2)
    assert (other.counts.to_numpy() != toy.counts.to_numpy()).mean() > 0.9
    pd.testing.assert_frame_equal(other.truth, toy.truth)
    pd.testing.assert_frame_equal(other.molecules, toy.molecules)
    again = simulate_designs(DesignsSpec(), 2)
    pd.testing.assert_frame_equal(other.counts, again.counts)
    pd.testing.assert_frame_equal(other.serum_panel, again.serum_panel)


def test_truth_of_the_named_genes(toy: SimulatedDesigns, repository: Path) -> None:
    truth = toy.truth.set_index("symbol")
    bgn = truth.loc["BGN"]
    assert bgn["RT_week8_vs_pre"] == pytest.approx(0.1 - 0.8 * -0.25)
    assert bgn["RT_week16_vs_pre"] == pytest.approx(0.1 - 0.8 * -0.5)
    assert (bgn[[name for name in CHANGES if not name.startswith("RT")]] == 0).all()
    assert bgn["exercise_vs_control_change"] == pytest.approx(0.25)
    assert (bgn["outcome_slope"], bgn["CCL28_slope"], bgn["IGF1_slope"]) == (3.5, -0.8, 0.7)
    assert (truth.loc[["DCN", "VCAN", "HAS1", "CCL28", "PF4"], CHANGES] == 0).to_numpy().all()
    readme = (repository / "resources" / "toy_designs" / "README.md").read_text(encoding="utf-8")
    assert "RT +0.3 at week 8 and +0.5 at week 16" in readme
    for block, size in DesignsSpec().blocks.items():
        assert f"`{block}`" in readme
        assert (toy.truth["block"] == block).sum() == size


def test_contrasts_of_the_truth_are_the_pipelines(toy: SimulatedDesigns, repository: Path) -> None:
    config = yaml.safe_load((repository / "config" / "toy_designs.yaml").read_text("utf-8"))
    found = contrasts_of(
        order_groups(toy.samples["group"].unique(), config["design"]["reference_group"]),
        config["design"]["before"],
        config["design"]["after"],
        only_before=["healthy"],
        pairwise=config["differences"] == "pairwise",
        control=config["design"]["control"],
        own=config["contrasts"],
    )
    assert {contrast.name for contrast in found} == {name for name in toy.truth if "_vs_" in name}
    weights = {
        contrast.name: {f"{group}@{time}": weight for (group, time), weight in contrast.weights}
        for contrast in found
        if contrast.model == "paired"
    }
    assert weights == change_contrasts(toy.spec)


def test_truth_agrees_with_itself(toy: SimulatedDesigns) -> None:
    truth = toy.truth
    for name, weights in change_contrasts(toy.spec).items():
        parts = [w * truth["{}_{}_vs_pre".format(*at.split("@"))] for at, w in weights.items()]
        assert np.allclose(truth[name], sum(parts), atol=2e-6), name
        molecules = toy.molecules
        parts = [w * molecules["{}_{}_vs_pre".format(*at.split("@"))] for at, w in weights.items()]
        assert np.allclose(molecules[name], sum(parts), atol=2e-6), name
    of = truth.groupby("block")
    exercise = of.get_group("exercise")
    assert (exercise["RT_vs_AT_change_week16"] == 0).all()
    assert exercise["exercise_vs_control_change"].abs().between(0.5, 1).all()
    assert (of.get_group("all_groups")["exercise_vs_control_change"] == 0).all()
    assert (of.get_group("week8_only")["average_week16_vs_pre"] == 0).all()
    dose = of.get_group("dose")
    assert np.allclose(dose["AT_week16_vs_pre"], 2 * dose["AT_week8_vs_pre"], atol=2e-6)
    nulls = truth[truth["block"].str.startswith("null_set_")]
    assert len(nulls) == 120
    effects = [c for c in truth if "_vs_" in c or c.endswith("_slope")]
    assert (nulls[effects] == 0).to_numpy().all()
    assert (of.get_group("background")[effects] == 0).to_numpy().all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("group", GROUPS)
def test_mean_changes_of_the_counts_are_the_truths(group: str, time: str) -> None:
    own = change(group, time)
    truth = large().truth.loc[own.columns, f"{group}_{time}_vs_pre"]
    error = own.std() / np.sqrt(len(own))
    z = (own.mean() - truth) / error
    # within-group means share donors and a few drivers: not independent, but of sd about 1
    assert z.abs().max() < 6
    assert 0.8 < z.std() < 1.4
    assert np.corrcoef(own.mean(), truth)[0, 1] > 0.6
    changed = truth != 0
    assert (np.sign(own.mean()[changed]) == np.sign(truth[changed])).mean() > 0.98


@pytest.mark.parametrize(
    ("column", "truth", "group", "time"),
    [
        ("thickness_mm", "outcome_slope", "control", "week8"),
        ("thickness_mm", "outcome_slope", "RT", "week16"),
        ("sessions", "AT_dose_slope", "AT", "week16"),
        ("sessions", "RT_dose_slope", "RT", "week8"),
        ("CCL28", "CCL28_slope", "AT", "week8"),
        ("CCL28", "CCL28_slope", "RT", "week16"),
        ("IGF1", "IGF1_slope", "control", "week16"),
        ("CXCL4", "", "RT", "week16"),
        ("IL6", "", "AT", "week8"),
    ],
)
def test_slopes_of_the_counts_are_the_truths(
    column: str, truth: str, group: str, time: str
) -> None:
    drawn = large()
    source = drawn.samples if column in drawn.samples else np.log2(drawn.serum_panel[[column]])
    x = values(source[column], group, time).dropna()
    slope, error = slopes(x, change(group, time).loc[x.index])
    true = drawn.truth.loc[slope.index, truth] if truth else pd.Series(0.0, slope.index)
    # Measurement error of x shrinks a slope.
    noise = {"thickness_mm": (0.07, 0.01), "sessions": (1.0, 0.0)}.get(column, (0.35, 0.08))
    kept = noise[0] ** 2 / (noise[0] ** 2 + 2 * noise[1] ** 2)
    z = (slope - kept * true) / error
    assert z.abs().max() < 5
    assert 0.8 < z.std() < 1.3
    assert bool(truth) == (true != 0).any()
    assert (slope * true >= 0).mean() > 0.99


@pytest.mark.parametrize("time", TIMES)
def test_expression_before_goes_with_the_later_change_of_the_outcome(time: str) -> None:
    drawn = large()
    x = values(drawn.samples["thickness_mm"], "RT", time)
    before = log2_expression().loc["RT"].xs("pre", axis=1, level="timepoint")
    slope, error = slopes(x, before.loc[x.index])
    truth = drawn.truth.loc[slope.index, "outcome_before_slope"]
    kept = 0.07**2 / (0.07**2 + 2 * 0.01**2)
    z = (slope - kept * truth) / error
    assert z.abs().max() < 5
    assert 0.8 < z.std() < 1.3


def test_later_samples_share_the_donors_response() -> None:
    wide = log2_expression().loc["control"]
    unchanged = large().truth["block"].eq("background")
    genes = [g for g in wide.columns.unique(0) if unchanged[g]]
    at = {t: wide.xs(t, axis=1, level="timepoint")[genes] for t in ("pre", *TIMES)}
    centred = {t: own - own.mean() for t, own in at.items()}

    def covariance(a: str, b: str) -> np.ndarray:
        product: np.ndarray = (centred[a] * centred[b]).sum().to_numpy() / (len(wide) - 1)
        return product

    extra = covariance("week8", "week16") - covariance("pre", "week8") / 2
    extra -= covariance("pre", "week16") / 2
    error = extra.std() / np.sqrt(len(extra))
    assert extra.mean() == pytest.approx(0.12**2, abs=6 * error)
    assert 6 * error < 0.12**2 / 2


def test_healthy_donors_differ_in_their_own_genes_alone() -> None:
    wide = log2_expression().xs("pre", axis=1, level="timepoint")
    difference = wide.loc["healthy"].mean() - wide.loc["control"].mean()
    error = np.sqrt(wide.loc["healthy"].var() / 250 + wide.loc["control"].var() / 250)
    truth = large().truth.loc[difference.index, "healthy_vs_control_pre"]
    assert ((difference - truth) / error).abs().max() < 5
    assert (truth != 0).sum() >= 20


def test_molecules_change_as_the_truth_says() -> None:
    drawn = large()
    molecules = drawn.molecules.set_index("molecule")
    levels = np.log2(drawn.serum_panel.drop(columns="sample"))
    own = pd.DataFrame({m: values(levels[m], "RT", "week16") for m in levels})
    z = (own.mean() - molecules["RT_week16_vs_pre"]) / (own.std() / np.sqrt(len(own)))
    assert z.abs().max() < 4
    sd = np.sqrt(0.35**2 + 2 * 0.08**2)
    assert own.std().between(0.85 * sd, 1.15 * sd).all()
    correlated = own[["IL6", "TNF", "CRP"]].corr().to_numpy()[np.triu_indices(3, 1)]
    assert correlated == pytest.approx(0.4 * 0.35**2 / sd**2, abs=0.15)
    alone = own[["CCL28", "IGF1", "CXCL4", "GDF15"]].corr().to_numpy()[np.triu_indices(4, 1)]
    assert np.abs(alone).max() < 0.25
    earlier = pd.DataFrame({m: values(levels[m], "RT", "week8") for m in levels})
    repeat = [np.corrcoef(own[m], earlier[m])[0, 1] for m in own]
    assert np.mean(repeat) == pytest.approx((0.6 * 0.35**2 + 0.08**2) / sd**2, abs=0.05)


def test_spread_and_scale_of_effects() -> None:
    base = dataclasses.replace(DesignsSpec().base, effect_scale=0.0)
    drawn = simulate_designs(DesignsSpec(base=base), 3)
    effects = [c for c in drawn.truth if "_vs_" in c or c.endswith("_slope")]
    assert (drawn.truth[effects] == 0).to_numpy().all()
    assert (
        (drawn.molecules[[c for c in drawn.molecules if c.endswith("_slope")]] == 0)
        .to_numpy()
        .all()
    )
    assert drawn.molecules["RT_week16_vs_pre"].ne(0).sum() == 3
