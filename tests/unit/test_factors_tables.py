"""All tables on factors, from a small cohort with planted genes."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.factors.sentences import no_set_sentence
from fibroserum.factors.stage import SCHEMAS, FactorSettings, FactorTables, flag_factors
from fibroserum.factors.stimulation import stimulation_table
from helpers.factor_cohort import (
    ARM,
    GENES,
    NAMES,
    SLOPES,
    Options,
    de_of,
    fits_of,
    make_arm,
    make_cohort,
)

Everything = tuple[ad.AnnData, ad.AnnData, dict[str, pd.DataFrame]]
SUPPRESSED, INDUCED = list(NAMES[:10]), list(NAMES[10:20])
ENTRY: dict[str, Any] = {
    "gene": "g030",
    "serum": "factor",
    "serum_scale": "linear",
    "stimulation": None,
    "signature": None,
}


@pytest.fixture(scope="module")
def falling() -> Everything:
    """A cohort in which the factor falls in RT."""
    cohort = make_cohort(Options())
    paired = fits_of(cohort)["paired"]
    return cohort, paired, de_of(cohort, paired)


@pytest.fixture(scope="module")
def arm() -> pd.DataFrame:
    return stimulation_table(make_arm(SLOPES), ARM, alpha=0.05, min_count=10)


def _flag(
    data: Everything,
    entry: dict[str, Any],
    stimulation: pd.DataFrame | None = None,
    signature: pd.DataFrame | None = None,
) -> FactorTables:
    found = flag_factors(
        *data,
        {} if stimulation is None else {"F": stimulation},
        {} if signature is None else {"F": signature},
        {"F": entry},
        FactorSettings(alpha=0.05, seed=1),
    )
    for field, schema in SCHEMAS.items():
        tables.check(schema, getattr(found, field))
    return found


def _calls(found: FactorTables) -> pd.DataFrame:
    return found.factors.set_index("gene_id")


def test_the_stimulation_arm_has_a_whole_table(arm: pd.DataFrame) -> None:
    tables.check("stimulation", arm)
    assert list(arm["gene_id"]) == list(NAMES)
    own = arm.set_index("gene_id")
    assert (own.loc[SUPPRESSED, "log2FoldChange"] < -0.8).all()
    assert (own.loc[INDUCED, "second_log2FoldChange"] > 0.8).all()
    assert set(own["second_residual_df"].dropna()) == {3.0}


def test_both_kinds_of_evidence_confirm_and_the_factor_predicts_the_signs(
    falling: Everything, arm: pd.DataFrame
) -> None:
    found = _flag(falling, ENTRY | {"stimulation": ARM}, arm)
    calls = _calls(found)
    assert (calls.loc[SUPPRESSED + INDUCED, "call"] == "confirmed").sum() >= 18
    assert set(calls.loc[SUPPRESSED, "direction"]) == {"suppressed"}
    assert set(calls.loc[INDUCED, "direction"]) == {"induced"}
    assert (calls["call"].isin(["confirmed", "responsive"])).sum() <= 22
    assert set(calls["evidence"]) == {"stimulation and serum"}
    levels = found.levels.set_index("contrast")
    assert levels.loc["RT_post_vs_pre", "ci_high"] < 0
    assert levels.loc["AT_post_vs_pre", "donors"] == 10
    assert set(levels["own_gene"]) == {"g030"}
    own = falling[2]["RT_post_vs_pre"].set_index("gene_id").loc["g030", "log2FoldChange"]
    assert levels.loc["RT_post_vs_pre", "own_gene_log2FoldChange"] == pytest.approx(own)
    rows = found.concordance.set_index(["contrast", "gene_id"]).loc["RT_post_vs_pre"]
    assert (rows.loc[SUPPRESSED, "concordance"] == "as_predicted").sum() >= 9
    assert (rows.loc[SUPPRESSED, "log2FoldChange"] > 0).all()
    assert "opposite" not in set(rows["concordance"].dropna())
    still = found.concordance[found.concordance["contrast"] == "AT_post_vs_pre"]
    assert levels.loc["AT_post_vs_pre", "pvalue"] > 0.05
    assert still["concordance"].isna().all()
    sets = found.sets.set_index("contrast")
    assert sets.loc["RT_post_vs_pre", "direction"] == "with_less"
    assert sets.loc["RT_post_vs_pre", "concordance"] == "as_predicted"
    assert sets.loc["RT_post_vs_pre", "fry_pvalue"] < 0.01
    # g000 is a target, and is left out of the set that stands beside the targets' verdicts
    called = calls["call"].isin(["confirmed", "responsive"])
    assert (
        sets.loc["RT_post_vs_pre", "genes"]
        == called.sum() - calls.loc["g000":"g000", "call"].isin(["confirmed", "responsive"]).sum()
    )


def test_the_targets_change_goes_through_the_factor(falling: Everything) -> None:
    rows = _flag(falling, ENTRY).mediation.set_index("target")
    assert rows.loc["g000", "call"] == "mediated"
    assert rows.loc["g000", "indirect"] > 0.5
    assert rows.loc["g250", "call"] == "not_mediated"
    assert rows.loc["NOPE", "call"] == "not_assessable"
    assert rows.loc["NOPE", "note"] == "the target is not in the count matrix"
    assert set(rows["group"]) == {"RT"}
    assert set(rows["reference"]) == {"AT"}


def test_genes_that_move_against_the_factor_are_opposite(arm: pd.DataFrame) -> None:
    """The factor falls in RT, and something else moves its genes the other way."""
    options = Options(slopes=np.zeros(GENES), change=0.8 * np.sign(SLOPES), seed=3)
    cohort = make_cohort(options)
    paired = fits_of(cohort)["paired"]
    found = _flag((cohort, paired, de_of(cohort, paired)), ENTRY | {"stimulation": ARM}, arm)
    called = found.factors["call"].isin(["confirmed", "responsive"])
    assert not (found.factors["call"] == "confirmed").any()
    assert called.sum() >= 5
    rows = found.concordance[found.concordance["contrast"] == "RT_post_vs_pre"]
    counted = rows["concordance"].value_counts()
    assert counted["opposite"] > counted.get("as_predicted", 0)
    # more of the factor induces them, there is less of it, and they rise
    risen = rows.set_index("gene_id").reindex(INDUCED).dropna(subset=["concordance"])
    assert (risen["direction"] == "induced").all()
    assert (risen["log2FoldChange"] > 0).sum() >= 2
    assert (risen.loc[risen["log2FoldChange"] > 0, "concordance"] == "opposite").all()
    sets = found.sets.set_index("contrast")
    assert sets.loc["RT_post_vs_pre", "concordance"] == "opposite"
    assert "against what a fall of F predicts" in sets.loc["RT_post_vs_pre", "sentence"]


def test_a_factor_that_does_not_change_predicts_nothing(arm: pd.DataFrame) -> None:
    cohort = make_cohort(Options(fall=0.0, change=0.8 * np.sign(SLOPES), seed=11))
    paired = fits_of(cohort)["paired"]
    found = _flag((cohort, paired, de_of(cohort, paired)), ENTRY | {"stimulation": ARM}, arm)
    levels = found.levels.set_index("contrast").loc["RT_post_vs_pre"]
    assert levels["ci_low"] < 0 < levels["ci_high"]
    rows = found.concordance[found.concordance["contrast"] == "RT_post_vs_pre"]
    assert len(rows) >= 10
    assert rows["concordance"].isna().all()
    sets = found.sets.set_index("contrast").loc["RT_post_vs_pre"]
    assert sets["fry_pvalue"] < 0.05
    assert sets["concordance"] is None
    assert "A change of F itself is not shown" in sets["sentence"]


def test_stimulation_against_serum_is_not_confirmed(falling: Everything) -> None:
    against = stimulation_table(make_arm(-SLOPES), ARM, alpha=0.05, min_count=10)
    calls = _calls(_flag(falling, ENTRY | {"stimulation": ARM}, against))
    assert not (calls["call"] == "confirmed").any()
    assert (calls.loc[SUPPRESSED + INDUCED, "confirmed_pvalue"] > 0.9).all()


def test_an_unmeasured_factor_has_one_line_and_no_concordance(
    falling: Everything, arm: pd.DataFrame
) -> None:
    found = _flag(falling, ENTRY | {"serum": None, "stimulation": ARM}, arm)
    calls = _calls(found)
    assert (calls.loc[SUPPRESSED, "call"] == "responsive").sum() >= 8
    assert not (calls["call"] == "confirmed").any()
    assert set(calls["evidence"].dropna()) == {"stimulation"}
    assert set(found.levels["donors"]) == {0}
    assert found.levels["change_log2"].isna().all()
    assert found.pairs.empty
    assert found.concordance["concordance"].isna().all()
    assert len(found.concordance) > 0
    assert found.sets["concordance"].isna().all()
    assert found.sets["fry_pvalue"].notna().all()
    rt = found.sets.set_index("contrast").loc["RT_post_vs_pre", "sentence"]
    assert rt.endswith("The level of F was not measured, so no direction is predicted.")
    assert set(found.mediation["call"]) == {"not_assessable"}


def test_serum_alone_is_one_line(falling: Everything) -> None:
    calls = _calls(_flag(falling, ENTRY))
    assert (calls.loc[SUPPRESSED, "call"] == "responsive").sum() >= 8
    assert calls["confirmed_pvalue"].isna().all()
    assert calls["stimulation_pvalue"].isna().all()


def test_a_constant_level_leaves_stimulation_alone(falling: Everything, arm: pd.DataFrame) -> None:
    cohort = falling[0].copy()
    cohort.obs["factor"] = "500"
    found = _flag((cohort, *falling[1:]), ENTRY | {"stimulation": ARM}, arm)
    assert set(_calls(found)["evidence"].dropna()) == {"stimulation"}
    assert not found.pairs["used"].astype(bool).any()
    assert (found.levels["change_log2"] == 0).all()
    assert found.levels["ci_low"].isna().all()
    assert found.concordance["concordance"].isna().all()


def test_missing_and_zero_levels_have_their_rows(falling: Everything) -> None:
    cohort = falling[0].copy()
    cohort.obs["factor"] = cohort.obs["factor"].astype(object)
    cohort.obs.loc["AT0_pre", "factor"] = ""
    cohort.obs.loc["RT1_post", "factor"] = "0"
    found = _flag((cohort, *falling[1:]), ENTRY)
    unused = found.pairs[~found.pairs["used"].astype(bool)].set_index("donor")["reason"]
    assert dict(unused) == {
        "AT0": "the level before (pre) is missing",
        "RT1": "the level after (post) is 0; a logarithm needs a positive value",
    }
    assert found.levels.set_index("contrast").loc["RT_vs_AT_change", "donors"] == 18
    assert (_calls(found).loc[SUPPRESSED, "call"] == "responsive").sum() >= 6
    assert set(found.mediation["call"]) == {"not_assessable"}


def _signature() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["g000", "g010", "g100", "NOSUCH9"],
            "direction": ["down", "down", "up", "up"],
        }
    )


def test_a_signature_supports_or_contradicts_and_never_calls(falling: Everything) -> None:
    plain, calls = _calls(_flag(falling, ENTRY)), _calls(_flag(falling, ENTRY, None, _signature()))
    assert calls.loc["g000", "signature"] == "supports"
    assert calls.loc["g010", "signature"] == "contradicts"
    assert calls.loc["g200", "signature"] == "none"
    assert list(calls.loc[plain.index, "call"]) == list(plain["call"])
    assert calls.loc["NOSUCH9", "call"] == "not_assessable"
    assert "not a recognised human gene" in calls.loc["NOSUCH9", "reason"]


def test_a_signature_alone_assesses_nothing(falling: Everything) -> None:
    found = _flag(falling, ENTRY | {"serum": None}, None, _signature())
    calls = _calls(found)
    assert set(calls["call"]) == {"not_assessable"}
    assert calls.loc["g000", "signature_direction"] == "suppressed"
    assert calls.loc["g000", "signature"] is None
    assert calls.loc["g200", "signature"] == "none"
    assert found.concordance.empty
    assert set(found.sets["genes"]) == {0}
    assert set(found.sets["sentence"]) == {no_set_sentence("F")}


def test_no_line_assesses_nothing(falling: Everything) -> None:
    found = _flag(falling, ENTRY | {"serum": None, "gene": None})
    assert set(found.factors["call"]) == {"not_assessable"}
    assert len(found.factors) == GENES
    assert found.levels["own_gene_log2FoldChange"].isna().all()


def test_without_factors_every_table_is_empty(falling: Everything) -> None:
    found = flag_factors(*falling, {}, {}, {}, FactorSettings(alpha=0.05, seed=1))
    for field, schema in SCHEMAS.items():
        table = getattr(found, field)
        assert list(table.columns) == tables.schemas()[schema].names
        assert table.empty


def test_a_gene_of_the_stimulation_arm_alone_has_its_row(
    falling: Everything, arm: pd.DataFrame
) -> None:
    extra = arm.assign(gene_id=arm["gene_id"].replace("g015", "x015"))
    found = _flag(falling, ENTRY | {"serum": None, "stimulation": ARM}, extra)
    calls = _calls(found)
    assert calls.loc["x015", "call"] == "responsive"
    assert calls.loc["g015", "call"] == "not_assessable"
    rows = found.concordance[found.concordance["gene_id"] == "x015"]
    assert rows["log2FoldChange"].isna().all()


def test_exchanging_before_and_after_mirrors_every_sign(
    falling: Everything, arm: pd.DataFrame
) -> None:
    cohort = falling[0].copy()
    cohort.obs["time"] = cohort.obs["time"].map({"pre": "post", "post": "pre"})
    paired = fits_of(cohort)["paired"]
    entry = ENTRY | {"stimulation": ARM}
    first = _flag(falling, entry, arm)
    second = _flag((cohort, paired, de_of(cohort, paired)), entry, arm)
    np.testing.assert_allclose(
        second.levels["change_log2"].astype(float), -first.levels["change_log2"].astype(float)
    )
    assert list(first.factors["call"]) == list(second.factors["call"])
    assert list(first.factors["direction"]) == list(second.factors["direction"])
    assert list(first.concordance["concordance"]) == list(second.concordance["concordance"])
    turned = {"with_more": "with_less", "with_less": "with_more"}
    assert list(first.sets["rise"]) == list(second.sets["fall"])
    assert list(first.sets["direction"].map(turned)) == list(second.sets["direction"])
    measured = first.mediation["indirect"].notna()
    np.testing.assert_allclose(
        second.mediation.loc[measured, "ci_high"].astype(float),
        -first.mediation.loc[measured, "ci_low"].astype(float),
        rtol=1e-6,
    )


def test_order_and_names_of_donors_change_nothing(falling: Everything) -> None:
    names = {
        donor: f"P{i * 7 % 23:02d}" for i, donor in enumerate(sorted(set(falling[0].obs["donor"])))
    }
    cohort = falling[0][::-1].copy()
    cohort.obs["donor"] = cohort.obs["donor"].map(names)
    paired = fits_of(cohort)["paired"]
    first = _flag(falling, ENTRY)
    second = _flag((cohort, paired, de_of(cohort, paired)), ENTRY)
    assert len(set(names.values())) == len(names)
    first.mediation["left_out"] = first.mediation["left_out"].replace(names)
    first.mediation["note"] = first.mediation["note"].replace(
        {f"donor {donor}": f"donor {name}" for donor, name in names.items()}, regex=True
    )
    for field in ("levels", "factors", "concordance", "sets", "mediation"):
        pd.testing.assert_frame_equal(
            getattr(first, field), getattr(second, field), rtol=1e-6, check_dtype=False
        )


def test_a_crossover_and_a_single_group_have_their_tables() -> None:
    crossed = make_cohort(Options())
    crossed.obs["donor"] = crossed.obs["donor"].str[2:]
    crossed.uns["fibroserum"]["crossover"] = True
    paired = fits_of(crossed)["paired"]
    found = _flag((crossed, paired, de_of(crossed, paired)), ENTRY)
    assert len(found.pairs) == 20
    assert found.levels.set_index("contrast").loc["RT_vs_AT_change", "donors"] == 10
    assert (_calls(found).loc[SUPPRESSED, "call"] == "responsive").sum() >= 8
    assert found.mediation.set_index("target").loc["g000", "donors"] == 10
    assert "Montoya" in found.mediation.set_index("target").loc["g000", "note"]

    single = make_cohort(Options(donors={"RT": 12}))
    paired = fits_of(single)["paired"]
    found = _flag((single, paired, de_of(single, paired)), ENTRY)
    assert list(found.levels["contrast"]) == ["RT_post_vs_pre"]
    rows = found.mediation.set_index("target")
    assert rows.loc["g000", "call"] == "mediated"
    assert rows["reference"].isna().all()
    assert set(found.sets["contrast"]) == {"RT_post_vs_pre"}
