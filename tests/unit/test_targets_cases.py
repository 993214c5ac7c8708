"""Designed cohorts, each with the verdict that an expert would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import GLM
from statsmodels.genmod.families import NegativeBinomial

from fibroserum import tables
from fibroserum.de.settings import FitSettings, Steps
from fibroserum.input.published import read_published
from fibroserum.targets.study import TargetTables
from helpers.target_cohorts import Drawn, Planted, draw, flagged, verdict

TARGETS = {
    "BOTH": Planted(change={"AT": 0.6, "RT": 0.6}),
    "RT_ONLY": Planted(change={"RT": 0.8}),
    "FALLS": Planted(change={"RT": -0.9}),
    "FLAT": Planted(mean=3000),
    "OUTLIER": Planted(samples={"RT03_RT_post": 4.0}),
    "ZERO": Planted(counts=0),
    "FEW": Planted(mean=0.1),
    "LOW": Planted(mean=3.0),
}


NAMES = [*TARGETS, "NOWHERE"]


MIRRORED = {"up": "down", "down": "up"}


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(TARGETS, {"AT": 8, "RT": 9}, seed=3)


@pytest.fixture(scope="module")
def flags(drawn: Drawn, repository: Path) -> TargetTables:
    published = read_published(repository / "resources/published/nishikori_2023_table2.tsv")
    published.loc[published["gene"] == "BGN", "gene"] = "RT_ONLY"
    return flagged(drawn, NAMES, equivalence_lfc=0.4, published=published)


def test_every_target_has_a_row_in_every_contrast(flags: TargetTables) -> None:
    rows = flags.targets
    assert len(rows) == 9 * 5
    assert not rows.duplicated(["target", "contrast"]).any()


@pytest.mark.parametrize(
    ("target", "contrast", "word"),
    [
        ("BOTH", "AT_post_vs_pre", "up"),
        ("BOTH", "RT_post_vs_pre", "up"),
        ("BOTH", "average_post_vs_pre", "up"),
        ("BOTH", "RT_vs_AT_change", "no_change"),
        ("RT_ONLY", "AT_post_vs_pre", "no_change"),
        ("RT_ONLY", "RT_post_vs_pre", "up"),
        ("RT_ONLY", "RT_vs_AT_change", "up"),
        ("FALLS", "RT_post_vs_pre", "down"),
        ("FALLS", "RT_vs_AT_change", "down"),
        ("FLAT", "AT_post_vs_pre", "no_change"),
        ("FLAT", "average_post_vs_pre", "no_change"),
        ("OUTLIER", "RT_post_vs_pre", "inconclusive"),
        ("ZERO", "RT_post_vs_pre", "untestable"),
        ("FEW", "RT_post_vs_pre", "untestable"),
        ("LOW", "RT_post_vs_pre", "inconclusive"),
        ("NOWHERE", "RT_vs_AT_pre", "absent"),
    ],
)
def test_verdicts(flags: TargetTables, target: str, contrast: str, word: str) -> None:
    assert verdict(flags, target, contrast)["verdict"] == word


@pytest.mark.parametrize(
    ("target", "pattern", "group"),
    [
        ("BOTH", "both", None),
        ("RT_ONLY", "specific", "RT"),
        ("FALLS", "specific", "RT"),
        ("FLAT", "neither", None),
        ("NOWHERE", "not_assessable", None),
    ],
)
def test_patterns(flags: TargetTables, target: str, pattern: str, group: str | None) -> None:
    row = flags.patterns.set_index("target").loc[target]
    assert row["pattern"] == pattern
    assert (None if pd.isna(row["specific_to"]) else row["specific_to"]) == group
    change = [verdict(flags, target, f"{name}_post_vs_pre") for name in ("AT", "RT")]
    if pattern == "both":
        assert row["both_pvalue"] == max(part["pvalue"] for part in change)


def test_the_outlying_donor_is_named(flags: TargetTables) -> None:
    for contrast in ("RT_post_vs_pre", "RT_vs_AT_change", "average_post_vs_pre"):
        assert verdict(flags, "OUTLIER", contrast)["outlier_donor"] == "RT03"
    assert pd.isna(verdict(flags, "OUTLIER", "AT_post_vs_pre")["outlier_donor"])
    loo = flags.loo[(flags.loo["target"] == "OUTLIER") & flags.loo["worst"]]
    assert loo.set_index("contrast").loc["RT_post_vs_pre", "left_out"] == "RT03"


def test_models_in_disagreement(drawn: Drawn) -> None:
    def disagree(de: dict[str, pd.DataFrame]) -> None:
        table = de["RT_post_vs_pre"]
        table.loc[table["gene_id"] == "RT_ONLY", "second_pvalue"] = 0.7

    row = verdict(flagged(drawn, NAMES, de_edit=disagree), "RT_ONLY", "RT_post_vs_pre")
    assert row["verdict"] == "inconclusive"
    assert "the second model does not confirm it" in row["reason"]


def test_without_a_second_opinion(drawn: Drawn) -> None:
    found = flagged(drawn, NAMES, settings=FitSettings(second_opinion="none"))
    row = verdict(found, "RT_ONLY", "RT_post_vs_pre")
    assert row["verdict"] == "up"
    assert "Only the main model is used" in row["reason"]
    assert np.isnan(row["second_panel_padj"])
    assert found.patterns.set_index("target").loc["RT_ONLY", "specific_to"] == "RT"
    assert found.power["detectable_lfc"].notna().sum() > 0


def test_equivalence_is_never_said_unasked(drawn: Drawn) -> None:
    assert not (flagged(drawn, NAMES).targets["verdict"] == "no_change").any()


def test_donors_up(flags: TargetTables) -> None:
    own = flags.donors
    delta = own[(own["target"] == "RT_ONLY") & (own["group"] == "RT")]["delta"]
    row = verdict(flags, "RT_ONLY", "RT_post_vs_pre")
    assert (row["donors_up"], row["donors"]) == ((delta > 0).sum(), 9)
    difference = verdict(flags, "RT_ONLY", "RT_vs_AT_change")
    # no donor has a difference between groups: both groups' are counted in words
    assert (difference["donors"], pd.isna(difference["donors_up"])) == (17, True)
    other = own[(own["target"] == "RT_ONLY") & (own["group"] == "AT")]["delta"]
    told = f"Donors with a rise: {(delta > 0).sum()} of 9 in RT, {(other > 0).sum()} of 8 in AT."
    assert difference["reason"].endswith(told)
    assert pd.isna(verdict(flags, "RT_ONLY", "RT_vs_AT_pre")["donors_up"])
    np.testing.assert_allclose(own["delta"], own["after"] - own["before"])


def test_panel_fdr_is_bh_over_fitted_targets(flags: TargetTables) -> None:
    for _, rows in flags.targets.groupby("contrast"):
        for prefix in ("", "second_"):
            fitted = rows[rows[f"{prefix}pvalue"].notna()]
            assert len(fitted) == 6
            expected = stats.false_discovery_control(fitted[f"{prefix}pvalue"].astype(float))
            np.testing.assert_allclose(fitted[f"{prefix}panel_padj"].astype(float), expected)


def test_a_gene_named_twice_counts_once(drawn: Drawn) -> None:
    once = flagged(drawn, ["BOTH", "FLAT"]).targets
    twice = flagged(drawn, {"BOTH": "BOTH", "FLAT": "FLAT", "AGAIN": "BOTH"}).targets
    columns = ["verdict", "panel_padj", "second_panel_padj"]
    rows = {name: part[columns].to_numpy().tolist() for name, part in twice.groupby("target")}
    assert rows["AGAIN"] == rows["BOTH"]
    assert rows["BOTH"] == once[once["target"] == "BOTH"][columns].to_numpy().tolist()


def test_leaving_out_is_a_refit_with_the_dispersion_given(drawn: Drawn) -> None:
    # with the size factors of all genes, which are computed here anew
    flags = flagged(drawn, NAMES, settings=FitSettings(steps=Steps(renormalise=False)))
    rows = flags.loo[(flags.loo["target"] == "RT_ONLY") & (flags.loo["left_out"] == "RT04")]
    rows = rows.set_index("contrast")
    sheet = drawn.sheet[drawn.sheet["donor"] != "RT04"]
    design = pd.get_dummies(sheet["donor"]).astype(float)
    for group in ("AT", "RT"):
        design[group] = ((sheet["group"] == group) & (sheet["time"] == "post")).astype(float)
    counts = drawn.counts[drawn.counts.sum(axis=1) > 0]
    logs = np.log(counts.loc[:, (counts > 0).all()])
    factors = np.median(logs - logs.mean(axis=0), axis=1)
    offset = pd.Series(factors, index=counts.index).loc[sheet["sample"]].to_numpy()
    alpha = rows.loc["RT_post_vs_pre", "dispersion"]
    model = GLM(
        drawn.counts.loc[sheet["sample"], "RT_ONLY"].to_numpy(),
        design.to_numpy(),
        family=NegativeBinomial(alpha=alpha),
        offset=offset,
    ).fit(tol=1e-12)
    found = rows.loc[["RT_post_vs_pre", "RT_vs_AT_change"], "log2FoldChange"]
    expected = np.array([model.params[-1], model.params[-1] - model.params[-2]]) / np.log(2)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert rows.loc["RT_post_vs_pre", "lfcSE"] == pytest.approx(model.bse[-1] / np.log(2), rel=2e-3)
    full = verdict(flags, "RT_ONLY", "RT_post_vs_pre")["log2FoldChange"]
    assert rows.loc["RT_post_vs_pre", "share_kept"] == pytest.approx(found.iloc[0] / full)


def test_leaving_out_keeps_the_counts_that_the_fit_replaced(drawn: Drawn) -> None:
    counts = drawn.counts.copy()
    sample = drawn.sheet.query("donor == 'AT02' and time == 'pre'")["sample"].iloc[0]
    counts.loc[sample, "FLAT"] = 300 * counts["FLAT"].max()
    flags = flagged(replace(drawn, counts=counts), NAMES)
    full = verdict(flags, "FLAT", "RT_vs_AT_pre")["log2FoldChange"]
    rows = flags.loo.query("target == 'FLAT' and contrast == 'RT_vs_AT_pre'")
    assert len(rows) == 17
    assert (rows["log2FoldChange"] - full).abs().max() < 0.5


def test_leaving_out_concerns_a_contrasts_own_donors(flags: TargetTables) -> None:
    left = flags.loo[flags.loo["target"] == "FLAT"].groupby("contrast")["left_out"].agg(set)
    assert all(name.startswith("RT") for name in left["RT_post_vs_pre"])
    assert len(left["RT_vs_AT_change"]) == len(left["RT_vs_AT_pre"]) == 17
    worst = flags.loo[flags.loo["worst"]].groupby(["target", "contrast"]).size()
    assert (worst == 1).all()


def test_whether_the_verdict_stands_without_each_donor(drawn: Drawn, flags: TargetTables) -> None:
    loo = flags.loo.set_index(["target", "contrast", "left_out"]).sort_index()
    assert loo.loc[("RT_ONLY", "RT_post_vs_pre"), "verdict_stands"].eq(True).all()
    key = ("RT_ONLY", "RT_post_vs_pre", "RT04")
    panel = flags.targets[flags.targets["contrast"] == "RT_post_vs_pre"].set_index("target")
    pvalues = panel["pvalue"].dropna().astype(float)
    pvalues["RT_ONLY"] = loo.loc[key, "pvalue"]
    expected = pd.Series(stats.false_discovery_control(pvalues), pvalues.index)["RT_ONLY"]
    assert loo.loc[key, "panel_padj"] == pytest.approx(expected)
    alone = FitSettings(second_opinion="none")
    targets = {"T": Planted(mean=2000.0, samples={"RT03_RT_post": 1.5}, change={"RT": 0.12})}
    found = flagged(draw(targets, {"AT": 8, "RT": 8}, seed=5), ["T"], settings=alone).loo
    stands = found.set_index(["contrast", "left_out"])["verdict_stands"]["RT_post_vs_pre"]
    assert stands["RT03"] == False  # noqa: E712 (a missing value is neither)
    assert stands["RT01"] == True  # noqa: E712


def test_robust(flags: TargetTables) -> None:
    assert verdict(flags, "RT_ONLY", "RT_post_vs_pre")["robust"] is True
    assert verdict(flags, "OUTLIER", "RT_post_vs_pre")["robust"] is False
    assert pd.isna(verdict(flags, "ZERO", "RT_post_vs_pre")["robust"])
    few = flagged(draw({"T": Planted(change={"RT": 2.0})}, {"AT": 4, "RT": 5}), ["T"])
    assert verdict(few, "T", "RT_post_vs_pre")["robust"] is True
    assert pd.isna(verdict(few, "T", "AT_post_vs_pre")["robust"])
    assert pd.isna(verdict(few, "T", "RT_vs_AT_change")["robust"])


def test_relabelling_before_and_after_mirrors_every_sign(drawn: Drawn, flags: TargetTables) -> None:
    sheet = drawn.sheet.assign(time=drawn.sheet["time"].map({"pre": "post", "post": "pre"}))
    turned = flagged(Drawn(drawn.counts, sheet), NAMES, equivalence_lfc=0.4)
    paired = flags.targets["kind"] != "baseline"
    one, other = flags.targets[paired], turned.targets[paired]
    assert other["verdict"].tolist() == [MIRRORED.get(w, w) for w in one["verdict"]]
    np.testing.assert_allclose(
        other["log2FoldChange"].astype(float), -one["log2FoldChange"].astype(float), atol=1e-4
    )
    np.testing.assert_allclose(
        other["second_log2FoldChange"].astype(float),
        -one["second_log2FoldChange"].astype(float),
        atol=1e-4,
    )
    assert other["outlier_donor"].tolist() == one["outlier_donor"].tolist()
    assert turned.patterns["pattern"].tolist() == flags.patterns["pattern"].tolist()
    np.testing.assert_allclose(turned.donors["delta"], -flags.donors["delta"])


def test_order_and_names_of_donors_change_nothing(drawn: Drawn, flags: TargetTables) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(len(drawn.sheet))
    donors = sorted(drawn.sheet["donor"].unique())
    names = dict(zip(donors, rng.permutation([f"P{n}" for n in range(len(donors))]), strict=True))
    sheet = drawn.sheet.iloc[order].assign(donor=lambda t: t["donor"].map(names))
    counts = drawn.counts.iloc[rng.permutation(len(order)), ::-1]
    again = flagged(Drawn(counts, sheet), NAMES, equivalence_lfc=0.4).targets
    for column in ("verdict", "robust", "donors_up", "donors"):
        assert again[column].isna().tolist() == flags.targets[column].isna().tolist()
        assert again[column].dropna().tolist() == flags.targets[column].dropna().tolist()
    for column in ("log2FoldChange", "panel_padj", "second_panel_padj", "ci_low"):
        np.testing.assert_allclose(
            again[column].astype(float), flags.targets[column].astype(float), rtol=1e-5, atol=1e-8
        )
    expected = [names.get(name) for name in flags.targets["outlier_donor"]]
    assert again["outlier_donor"].where(again["outlier_donor"].notna(), None).tolist() == expected


def test_the_threshold_of_the_models_is_the_verdicts(drawn: Drawn) -> None:
    found = flagged(drawn, NAMES, settings=FitSettings(lfc_threshold=0.5))
    assert verdict(found, "FALLS", "RT_post_vs_pre")["verdict"] == "down"
    assert verdict(found, "BOTH", "RT_post_vs_pre")["verdict"] == "inconclusive"
    loo = found.loo[found.loo["target"] == "BOTH"]
    beyond = (loo["log2FoldChange"].abs() - 0.5).clip(lower=0) / loo["lfcSE"]
    np.testing.assert_allclose(loo["pvalue"], np.minimum(2 * stats.norm.sf(beyond), 1), rtol=1e-6)
    plain = flagged(drawn, NAMES).power["detectable_lfc"].dropna()
    assert (found.power["detectable_lfc"].dropna() > plain + 0.4).all()


def test_published_effects_stand_beside(flags: TargetTables) -> None:
    power = flags.power[flags.power["target"] == "RT_ONLY"].set_index("contrast")
    assert power.loc["RT_post_vs_pre", "effect"] == pytest.approx(np.log2(0.723 / 0.653))
    assert power.loc["AT_post_vs_pre", "effect"] == pytest.approx(np.log2(0.750 / 0.722))
    difference = np.log2(0.723 / 0.653) - np.log2(0.750 / 0.722)
    assert power.loc["RT_vs_AT_change", "effect"] == pytest.approx(difference)
    assert power.loc["average_post_vs_pre", "effect"] == pytest.approx(np.log2(0.736 / 0.685))
    # signs are kept
    assert power.loc["RT_vs_AT_pre", "effect"] == pytest.approx(np.log2(0.653 / 0.722))
    assert (power["effect_source"] == "published").all()
    other = flags.power[flags.power["target"] == "BOTH"]
    assert (other["effect"] == 0.15).all()
    assert (other["effect_source"] == "fixed").all()


def test_tables_are_written_and_read_again(flags: TargetTables, tmp_path: Path) -> None:
    for name in ("targets", "donors", "loo", "power", "baseline", "patterns"):
        schema = name if name == "targets" else f"target_{name}"
        frame = getattr(flags, name)
        tables.write(schema, frame, tmp_path / f"{name}.tsv")
        again = tables.read(schema, tmp_path / f"{name}.tsv")
        assert len(frame) > 0
        for column in again:
            assert again[column].isna().tolist() == frame[column].isna().tolist(), column
            read, kept = (table[column].dropna().tolist() for table in (again, frame))
            if column in again.select_dtypes("number"):
                read, kept = read, pytest.approx([float(value) for value in kept], rel=1e-9)
            assert read == kept, column
