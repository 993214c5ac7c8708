"""Targets that go with molecules, candidates, and the tables of a whole cohort."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort.accessors import all_contrasts, counts_of, keep_panel, panel_of, settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.storage import read_h5ad, write_h5ad
from fibroserum.input.serum_panel import KEYS, SerumPanel
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.serum_panel import stage
from fibroserum.serum_panel.candidates import candidates_of
from fibroserum.serum_panel.levels import pair_changes
from fibroserum.serum_panel.stage import SCHEMAS, PanelTables, flag_panel
from fibroserum.serum_panel.target_slopes import slopes_at
from fibroserum.slopes.shared import weighted_expression
from helpers.factor_cohort import GENES, Options, de_of, fits_of, make_cohort


@cache
def cohort() -> ad.AnnData:
    """Return a cohort with a panel: the factor, one that falls in RT, noise, one mostly unseen."""
    made = make_cohort(Options(change=np.where(np.arange(GENES) == 0, 1.2, 0.0)))
    rng = np.random.default_rng(8)
    obs = made.obs.astype(str)
    fall = (obs["group"] == "RT") & (obs["time"] == "post")
    levels = pd.DataFrame(
        {
            "CCL28": obs["factor"].astype(float),
            "falls": np.exp2(rng.normal(6, 0.3, len(obs)) - 1.5 * fall),
            **{f"noise{n}": np.exp2(rng.normal(6, 0.5, len(obs))) for n in range(6)},
            "unseen": np.exp2(rng.normal(6, 0.5, len(obs))),
        }
    ).reset_index(drop=True)
    levels.loc[[0, 5], "noise0"] = np.nan
    below = pd.DataFrame(False, levels.index, levels.columns)
    below["unseen"] = np.arange(len(obs)) % 5 != 0
    keep_panel(made, SerumPanel(obs[list(KEYS)].reset_index(drop=True), levels, below, "linear"))
    return made


@cache
def fitted() -> tuple[ad.AnnData, dict[str, pd.DataFrame]]:
    paired = fits_of(cohort())["paired"]
    return paired, de_of(cohort(), paired)


@cache
def found() -> PanelTables:
    return flag_panel(cohort(), *fitted(), {"CCL28": "panel:CCL28", "CXCL4": "cxcl4"}, 0.05)


def test_tables_fit_their_schemas_and_name_the_declared_factor() -> None:
    for field, schema in SCHEMAS.items():
        table = tables.check(schema, getattr(found(), field))
        assert set(table.loc[table["factor"].notna(), "molecule"]) == {"CCL28"}
    # nine molecules; two changes, a difference and an average; three targets
    assert [len(getattr(found(), field)) for field in SCHEMAS] == [36, 27, 108]


def test_the_molecule_that_falls_and_suppresses_its_target_is_the_candidate() -> None:
    rows = found().candidates
    calls = rows[rows["call"] == "candidate"]
    assert set(calls["molecule"]) == {"CCL28"}
    assert set(calls["target"]) == {"g000"}
    assert "RT_post_vs_pre" in set(calls["contrast"])
    own = calls[calls["contrast"] == "RT_post_vs_pre"].iloc[0]
    # the level falls by 1, g000 by 1.2 for each doubling, and rises by another 1.2 of itself
    assert own["change_log2"] == pytest.approx(-1, abs=0.4)
    assert own["predicted_lfc"] == pytest.approx(own["change_log2"] * own["slope"])
    assert own["log2FoldChange"] > own["predicted_lfc"] > 0.8
    assert own["concordance"] == "as_predicted"
    assert own["reason"].startswith(
        "CCL28 falls, and g000 decreases with CCL28 among donors of a group"
    )
    changed = found().changes.set_index(["contrast", "molecule"])["call"]
    assert changed["RT_post_vs_pre"]["falls"] == "down"
    assert changed["RT_vs_AT_change"]["falls"] == "down"
    assert changed["AT_post_vs_pre"].drop("unseen").eq("none").all()


def test_what_is_not_tested_says_why_in_every_table() -> None:
    why = "32 of its 40 levels are below the limit of detection"
    for field in ("changes", "targets"):
        own = getattr(found(), field).query("molecule == 'unseen'")
        assert own["pvalue"].isna().all()
        assert set(own["reason"]) == {why}
    own = found().candidates.query("molecule == 'unseen'")
    assert own["call"].isna().all()
    assert set(own["reason"]) == {f"change not tested: {why}; slope not tested: {why}"}
    absent = found().targets.query("target == 'NOPE' and molecule == 'CCL28'").iloc[0]
    assert absent["reason"] == "the target is not in the count matrix or has too few counts"


def test_a_missing_level_takes_a_pair_out_of_its_molecule_alone() -> None:
    donors = found().targets.drop_duplicates("molecule").set_index("molecule")["donors"]
    assert donors["noise0"] == 18
    assert set(donors.drop(["noise0", "unseen"])) == {20}


def test_a_slope_is_the_weighted_regression_of_pair_changes() -> None:
    """By hand: pair differences on groups and the centred change, weights of both samples."""
    made, settings = cohort(), settings_of(cohort())
    paired, _ = fitted()
    counts = counts_of(paired)
    kept = made.var["target"].astype(bool)
    values = weighted_expression(counts, made.obs, settings, kept)
    assert values.weights is not None
    obs = made.obs.loc[values.samples]
    before, after = (obs[obs["time"] == t].index for t in ("pre", "post"))
    one, two = (values.samples.get_indexer(names) for names in (before, after))
    gene = values.genes.get_loc("g250")
    change = values.log2[two, gene] - values.log2[one, gene]
    root = np.sqrt(1 / (1 / values.weights[one, gene] + 1 / values.weights[two, gene]))
    panel_changes = pair_changes(_panel(), settings, "post")["noise1"]
    level = panel_changes[
        list(zip(obs.loc[before, "donor"], obs.loc[before, "group"], strict=True))
    ]
    groups = pd.get_dummies(obs.loc[before, "group"]).to_numpy(float)
    design = np.column_stack([groups, level])
    by_hand = np.linalg.lstsq(design * root[:, None], change * root, rcond=None)[0][-1]
    own = found().targets.query("molecule == 'noise1' and target == 'g250'").iloc[0]
    assert own["slope"] == pytest.approx(by_hand, rel=1e-8)


def _panel() -> SerumPanel:
    noted = cohort().uns["serum_panel"]
    rows = pd.DataFrame({key: noted[key] for key in KEYS})
    frames = [pd.DataFrame(noted[key], columns=noted["molecules"]) for key in ("levels", "below")]
    return SerumPanel(rows, *frames, "linear")


def test_donors_that_share_blocks_have_no_slope() -> None:
    settings = settings_of(cohort()) | {"block": "plate"}
    counts = counts_of(fitted()[0])
    kept = cohort().var["target"].astype(bool)
    own = slopes_at(_panel(), counts, cohort().obs, settings, "post", kept, {})
    assert own["pvalue"].isna().all()
    assert own["reason"].str.startswith("donors share blocks").all()


def test_a_contrast_over_several_times_has_rows_that_say_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned = all_contrasts(settings_of(cohort()))
    *others, last = [one for one in planned if one.model == "paired"]
    over = [*others, replace(last, time=None)]
    monkeypatch.setattr(stage, "all_contrasts", lambda _: over)
    rows = flag_panel(cohort(), *fitted(), {}, 0.05).candidates
    rows = tables.check("candidates", rows).set_index("contrast").loc[last.name]
    assert len(rows) == 27
    assert rows["call"].isna().all()
    assert rows["slope"].isna().all()
    assert rows["reason"].str.contains("a slope is estimated at one time").all()


def test_a_candidates_p_value_is_the_larger_one_over_molecules_and_targets() -> None:
    contrast = contrasts_of(["AT", "RT"], "pre", "post")[1]
    changes = pd.DataFrame(
        {"change_log2": [-1.0, 1.0], "pvalue": [1e-4, 0.04], "reason": None}, index=["a", "b"]
    )
    # two targets are one gene: one test
    slopes = pd.DataFrame(
        {
            "molecule": list("aaabbb"),
            "target": ["X", "Y", "Y2"] * 2,
            "gene_id": ["x", "y", "y"] * 2,
            "slope": [-1.0, 0.5, 0.5] * 2,
            "pvalue": [1e-3, 0.5, 0.5, 0.02, np.nan, np.nan],
            "reason": [None, None, None, None, "why", "why"],
        }
    )
    de = pd.DataFrame({"gene_id": ["x", "y"], "log2FoldChange": [-0.3, 0.2], "padj": [0.01, 0.5]})
    rows = candidates_of(contrast, changes, slopes, de, 0.05)
    np.testing.assert_array_equal(rows["pvalue"], [1e-3, 0.5, 0.5, 0.04, np.nan, np.nan])
    padj = benjamini_hochberg(np.array([1e-3, 0.5, 0.04]))
    np.testing.assert_allclose(rows["padj"][:4], padj[[0, 1, 1, 2]])
    assert rows["call"].tolist() == ["candidate", "none", "none", "none", None, None]
    assert rows["reason"][0].endswith(
        "The target's own change, -0.30 (adjusted p value 0.01), has the opposite sign"
    )
    assert (
        rows["concordance"].tolist()
        == ["opposite"] * 3 + ["as_predicted"] * 1 + ["as_predicted"] * 2
    )
    assert rows["reason"][3] == "the larger of the two p values is 0.04 (change)"
    assert rows["reason"][4] == "slope not tested: why"


def test_the_panel_survives_the_file(tmp_path: Path) -> None:
    write_h5ad(cohort(), tmp_path / "cohort.h5ad")
    again = panel_of(read_h5ad(tmp_path / "cohort.h5ad"))
    assert again is not None
    pd.testing.assert_frame_equal(again.log2, _panel().log2)
    assert again.rows.equals(_panel().rows)
