"""The simulator: what is drawn is what the truth says, and the toy cohort is what it draws."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.genes.mapping import annotate
from fibroserum.simulate import Arm, CohortSpec, Effect, simulate_cohort, write_cohort
from fibroserum.simulate.__main__ import main
from fibroserum.simulate.cohort import SimulatedCohort
from fibroserum.simulate.gene_lists import RISING_COLLAGENS, TARGETS
from fibroserum.simulate.panel import build_panel, truth_table

TOY_SEED = 1


@pytest.fixture(scope="module")
def toy() -> SimulatedCohort:
    return simulate_cohort(CohortSpec(), TOY_SEED)


def test_the_same_seed_gives_the_same_bytes(toy: SimulatedCohort, tmp_path: Path) -> None:
    first = write_cohort(toy, tmp_path / "a")
    second = write_cohort(simulate_cohort(CohortSpec(), TOY_SEED), tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def test_the_bundled_toy_is_what_the_generator_draws(
    toy: SimulatedCohort, tmp_path: Path, repository: Path
) -> None:
    folder = repository / "resources" / "toy"
    written = write_cohort(toy, tmp_path)
    assert {p.name for p in folder.iterdir()} == {p.name for p in written} | {"README.md"}
    for path in written:
        drawn, bundled = path.read_bytes(), (folder / path.name).read_bytes()
        if path.suffix == ".gz":
            # Compressed bytes depend on the zlib that Python was built with.
            drawn, bundled = gzip.decompress(drawn), gzip.decompress(bundled)
        assert drawn == bundled, path.name
    assert sum(p.stat().st_size for p in folder.iterdir()) < 1.5e6


def test_packed_files_hold_neither_name_nor_time(repository: Path) -> None:
    for path in sorted((repository / "resources" / "toy").glob("*.gz")):
        header = path.read_bytes()[:10]
        assert header[3] == 0
        assert header[4:8] == b"\0\0\0\0"


def test_files_read_back_as_they_were_drawn(toy: SimulatedCohort, repository: Path) -> None:
    folder = repository / "resources" / "toy"
    for arm in ("AT", "RT"):
        found = pd.read_csv(folder / f"{arm}.counts.tsv.gz", sep="\t", index_col="gene_id")
        drawn = toy.counts[(toy.samples["group"] == arm).to_numpy()]
        assert list(found.columns) == list(drawn.index)
        assert list(found.index) == list(toy.truth.index)
        assert (drawn.to_numpy() == found.to_numpy().T).all()
    sets = [
        line.split("\t")
        for line in (folder / "null_sets.gmt").read_text(encoding="utf-8").splitlines()
    ]
    assert {name: tuple(genes) for name, _, *genes in sets} == toy.null_sets


def test_the_command_takes_other_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--out", str(tmp_path), "--seed", "2", "--donors", "AT=6", "RT=7"])
    sheet = pd.read_csv(tmp_path / "samples.tsv", sep="\t")
    assert sheet.groupby("group")["donor"].nunique().to_dict() == {"AT": 6, "RT": 7}
    assert str(tmp_path / "truth.tsv") in capsys.readouterr().out


@pytest.mark.parametrize("text", ["XX=3", "AT", "AT=many"])
def test_the_command_refuses_unknown_arms(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--out", "nowhere", "--seed", "1", "--donors", text])
    assert f"'{text}': expected GROUP=NUMBER" in capsys.readouterr().err


def test_seeds_differ_in_donors_and_share_the_truth(toy: SimulatedCohort) -> None:
    other = simulate_cohort(CohortSpec(), 2)
    assert (other.counts.to_numpy() != toy.counts.to_numpy()).mean() > 0.9
    assert (other.samples["ccl28"] != toy.samples["ccl28"]).all()
    pd.testing.assert_frame_equal(other.truth, toy.truth)
    assert other.null_sets == toy.null_sets


def test_truth_seed_draws_other_effects(toy: SimulatedCohort) -> None:
    other = simulate_cohort(CohortSpec(truth_seed=1), TOY_SEED)
    shared = toy.truth.index.intersection(other.truth.index)
    assert set(other.null_sets["NULL_SET_1"]) != set(toy.null_sets["NULL_SET_1"])
    assert (other.truth.loc[shared, "block"] != toy.truth.loc[shared, "block"]).any()


def test_toy_design(toy: SimulatedCohort) -> None:
    sheet = toy.samples
    assert sheet.groupby("group")["donor"].nunique().to_dict() == {"AT": 8, "RT": 10}
    assert list(sheet["sample"]) == list(toy.counts.index)
    times = sheet.groupby("donor")["timepoint"].agg(tuple)
    assert list(times.index[times == ("pre",)]) == ["RT10"]
    assert (times.drop("RT10") == ("pre", "post")).all()
    assert (sheet[["ccl28", "cxcl4"]] > 0).to_numpy().all()
    assert list(toy.stimulation_samples["treatment"]) == ["vehicle", "ccl28"] * 4
    assert toy.stimulation_samples["culture"].nunique() == 4
    assert list(toy.stimulation_counts.columns) == list(toy.counts.columns)


def test_descriptive_columns_are_not_confounded(toy: SimulatedCohort) -> None:
    sheet = toy.samples
    assert (sheet.groupby("donor")[["passage", "plate"]].nunique() == 1).to_numpy().all()
    for column in ("passage", "plate"):
        donors = sheet.drop_duplicates("donor")
        table = pd.crosstab(donors["group"], donors[column])
        assert table.shape == (2, 2)
        assert (table.max(axis=1) - table.min(axis=1)).max() <= 2


def test_every_toy_gene_is_found_by_its_symbol(toy: SimulatedCohort) -> None:
    found = annotate(list(toy.truth.index), "ensembl")
    assert list(found["symbol"]) == list(toy.truth["symbol"])
    assert (found["match"] == "official").all()
    assert toy.truth["symbol"].is_unique
    assert len(toy.truth) == 3000


def test_toy_levels_are_a_female_fibroblast_lines(toy: SimulatedCohort) -> None:
    counts = toy.counts.set_axis(toy.truth["symbol"], axis=1)
    mean = counts.mean()
    assert (counts[["RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY"]] == 0).to_numpy().all()
    assert counts["XIST"].min() > 100
    assert mean[["COL1A1", "COL1A2", "FN1", "VIM", "SPARC"]].min() > mean.quantile(0.98)
    assert mean[["PDGFRA", "LUM"]].min() > 100
    assert mean[["PTPRC", "PECAM1", "KRT14", "HBB", "PF4", "CCR3"]].max() < 5
    mitochondrial = counts.filter(like="MT-").sum(axis=1) / counts.sum(axis=1)
    assert mitochondrial.between(0.02, 0.15).all()
    assert 4e6 < counts.sum(axis=1).median() < 12e6
    genes_on_y = annotate(list(toy.truth.index), "ensembl")["chromosome"].eq("Y").sum()
    assert genes_on_y == 5


def test_has1_is_always_a_low_count_target() -> None:
    spec = CohortSpec(genes=1000, stimulation_cultures=0)
    has1 = annotate(["HAS1"], "symbol")["ensembl"].iloc[0]
    totals = [int(simulate_cohort(spec, seed).counts[has1].sum()) for seed in range(1, 21)]
    assert max(totals) < 10


def test_toy_truth_is_what_the_readme_says(toy: SimulatedCohort, repository: Path) -> None:
    truth = toy.truth.set_index("symbol")
    bgn = truth.loc["BGN"]
    assert bgn["RT_post_vs_pre"] == pytest.approx(0.45)
    assert bgn["AT_post_vs_pre"] == 0
    assert bgn["RT_vs_AT_change"] == pytest.approx(0.45)
    assert bgn["average_post_vs_pre"] == pytest.approx(0.225)
    assert bgn["RT_vs_AT_pre"] == pytest.approx(np.log2(0.9), abs=1e-3)
    assert (bgn["ccl28_slope"], bgn["ccl28_stimulation"]) == (-0.6, -0.6)
    collagens = truth.loc[list(RISING_COLLAGENS)]
    assert collagens["AT_post_vs_pre"].between(0.25, 0.35).all()
    assert (collagens["RT_vs_AT_change"] == 0).all()
    assert tuple(truth.index[truth["target"]].sort_values()) == tuple(sorted(TARGETS))
    sizes = truth["block"].value_counts()
    assert sizes[["ccl28_suppressed", "ccl28_induced", "AT_only", "RT_only"]].tolist() == [
        40,
        10,
        60,
        60,
    ]
    readme = (repository / "resources" / "toy" / "README.md").read_text(encoding="utf-8")
    assert "simulated" in readme
    assert "RT +0.45, AT 0" in readme
    unchanged = ["DCN", "VCAN", "HAS2", "HAS1", "CCL28", "PF4"]
    contrasts = [c for c in truth if "_vs_" in c]
    assert (truth.loc[unchanged, contrasts] == 0).to_numpy().all()


def test_truth_agrees_with_itself(toy: SimulatedCohort) -> None:
    truth = toy.truth
    responsive = truth["ccl28_responsive"]
    assert responsive.sum() == 51
    suppressed = truth["ccl28_direction"] == "suppressed"
    assert (truth.loc[suppressed, ["RT_post_vs_pre"]] > 0).to_numpy().all()
    assert (truth.loc[suppressed, ["ccl28_slope", "ccl28_stimulation"]] < 0).to_numpy().all()
    block = truth["block"].str.startswith("ccl28_")
    expected = truth["ccl28_slope"] * -0.415
    assert np.allclose(truth.loc[block, "RT_post_vs_pre"], expected[block], atol=1e-6)
    ratio = truth.loc[block, "ccl28_stimulation"] / truth.loc[block, "ccl28_slope"]
    assert ratio.between(0.8 - 1e-3, 1.2 + 1e-3).all()
    difference = truth["RT_post_vs_pre"] - truth["AT_post_vs_pre"]
    assert np.allclose(truth["RT_vs_AT_change"], difference)
    only_at = truth["block"] == "AT_only"
    assert (truth.loc[only_at, "RT_post_vs_pre"] == 0).all()
    assert truth.loc[only_at, "AT_post_vs_pre"].abs().between(0.4, 1).all()
    nulls = truth[truth["block"].str.startswith("null_set_")]
    assert len(nulls) == 180
    assert set(nulls["symbol"]) == {g for genes in toy.null_sets.values() for g in genes}
    assert (nulls[[c for c in truth if "_vs_" in c]] == 0).to_numpy().all()


def test_contrasts_of_the_truth_are_the_pipelines() -> None:
    arms = (Arm("C", 3), Arm("RT", 3), Arm("T", 3))
    for size in (1, 2, 3):
        spec = CohortSpec(arms=arms[:size], genes=1200, incomplete_donors=0)
        names = [c for c in truth_table(build_panel(spec), spec) if "_vs_" in c]
        groups = [arm.name for arm in arms[:size]]
        assert names == [c.name for c in contrasts_of(groups, "pre", "post")]


def test_dispersion_falls_with_the_mean(toy: SimulatedCohort) -> None:
    truth = toy.truth
    trend = np.minimum(0.025 + 2 / truth["base_mean"].clip(lower=1e-3), 4)
    scatter = np.log(truth["dispersion"] / trend)[truth["base_mean"] > 10]
    assert abs(scatter.mean()) < 0.05
    assert 0.45 < scatter.std() < 0.55
    targets = truth["target"] & (truth["base_mean"] > 10)
    assert np.allclose(scatter[targets[targets].index], 0, atol=1e-4)


def test_stimulation_can_contradict_serum() -> None:
    spec = CohortSpec(stimulation_dose=-1.0)
    truth = truth_table(build_panel(spec), spec)
    responsive = truth[truth["ccl28_responsive"]]
    assert (np.sign(responsive["ccl28_stimulation"]) == -np.sign(responsive["ccl28_slope"])).all()


def test_scale_and_shares_of_effects() -> None:
    plain, scaled = CohortSpec(), CohortSpec(effect_scale=0.5)
    full = truth_table(build_panel(plain), plain)
    half = truth_table(build_panel(scaled), scaled)
    assert np.allclose(half["RT_post_vs_pre"], full["RT_post_vs_pre"] / 2, atol=1e-3)
    wide = CohortSpec(arm_only_share=0.1)
    assert (truth_table(build_panel(wide), wide)["block"] == "AT_only").sum() == 300


def test_crossover_gives_every_donor_both_arms() -> None:
    arms = (Arm("AT", 5), Arm("RT", 5, -0.415))
    spec = CohortSpec(arms=arms, incomplete_donors=0, crossover=True, genes=1200)
    sheet = simulate_cohort(spec, 1).samples
    assert (sheet.groupby("donor")["group"].nunique() == 2).all()
    assert sheet["sample"].is_unique
    assert len(sheet) == 20


def test_more_genes_than_there_are_get_made_up_ids() -> None:
    panel = build_panel(CohortSpec(genes=20_000))
    assert len(panel.genes) == 20_000
    assert panel.genes.index.is_unique
    made_up = panel.genes.index.str.startswith("SIMULATED")
    assert 0 < made_up.sum() < 5000
    assert set(TARGETS) <= set(panel.genes["symbol"])


def test_planted_genes_are_what_was_asked() -> None:
    effects = (
        Effect("BGN"),
        Effect("DCN", change={"AT": 0.4, "RT": 0.4}),
        Effect("COL1A1", change={"RT": -1.0}, slope=0.5, baseline={"RT": 0.3}),
    )
    spec = CohortSpec(effects=effects, genes=1200)
    truth = truth_table(build_panel(spec), spec).set_index("symbol")
    assert truth.loc["BGN", "RT_post_vs_pre"] == 0
    assert truth.loc["DCN", "RT_vs_AT_change"] == 0
    assert truth.loc["DCN", "average_post_vs_pre"] == pytest.approx(0.4)
    assert truth.loc["COL1A1", "AT_post_vs_pre"] == 0
    assert truth.loc["COL1A1", "RT_post_vs_pre"] == pytest.approx(-1 + 0.5 * -0.415)
    assert truth.loc["COL1A1", "RT_vs_AT_pre"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arms": ()}, "distinct names"),
        ({"arms": (Arm("A", 3), Arm("A", 3))}, "distinct names"),
        ({"arms": (Arm("A", 3), Arm("B", 4)), "crossover": True}, "need the same donors"),
        ({"arms": (Arm("A", 0), Arm("B", 4))}, "needs a donor"),
        ({"incomplete_donors": 10}, "a complete donor"),
        ({"set_correlation": 1.0}, r"set_correlation must be in \[0, 1\)"),
        ({"arm_only_share": 0.5}, "at most 0.7"),
    ],
)
def test_impossible_cohorts_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CohortSpec(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genes": 100}, "genes must be at least"),
        ({"genes": 700}, "make the blocks smaller"),
        ({"effects": (Effect("NOT_A_GENE"),)}, "NOT_A_GENE is not among"),
    ],
)
def test_panels_without_room_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_panel(CohortSpec(**options))
