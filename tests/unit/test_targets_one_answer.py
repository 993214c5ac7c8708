"""One answer for each target and contrast, and words against reading it as another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.targets.all_groups import all_groups_sentence
from fibroserum.targets.baseline import to_report
from fibroserum.targets.genome_wide import genome_wide_sentence
from fibroserum.targets.leave_one_out_words import LeftOut, leave_one_out_sentence, left_out
from fibroserum.targets.study import TargetTables
from fibroserum.targets.verdict import Verdict
from helpers.target_cohorts import Drawn, Planted, draw, flagged, verdict

# RT rises clearly; AT and CON do not change
TARGETS = {
    "RISES": Planted(mean=2000, change={"RT": 0.9}),
    "FLAT": Planted(mean=2000),
    "ONE_DONOR": Planted(mean=2000, samples={"RT03_RT_post": 4.0}),
}
NAMES = [*TARGETS, "NOWHERE"]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(TARGETS, {"CON": 7, "AT": 7, "RT": 7}, seed=8)


@pytest.fixture(scope="module")
def flags(drawn: Drawn) -> TargetTables:
    def filtered(de: dict[str, pd.DataFrame]) -> None:
        """Let the genome-wide call of RISES in RT miss its level, and make one of ONE_DONOR."""
        table = de["RT_post_vs_pre"]
        rises, one = (table["gene_id"] == name for name in ("RISES", "ONE_DONOR"))
        table.loc[rises, ["call", "weighted_padj", "second_weighted_padj"]] = ["none", 0.08, 0.06]
        table.loc[one, ["call", "weighted_padj", "second_weighted_padj"]] = ["up", 0.01, 0.02]

    return flagged(drawn, NAMES, de_edit=filtered, reference="CON")


def test_a_verdict_says_what_the_genome_wide_call_is_where_it_differs(flags: TargetTables) -> None:
    row = verdict(flags, "RISES", "RT_post_vs_pre")
    assert row["verdict"] == "up"
    assert row["genome_wide"].startswith(
        "Genome-wide call: none (larger adjusted p value of both models 0.08 over "
    )
    assert row["genome_wide"].endswith(
        " genes); the verdict uses the panel of 3 targets, declared in advance."
    )
    one = verdict(flags, "ONE_DONOR", "RT_post_vs_pre")
    assert one["verdict"] == "inconclusive"
    assert one["genome_wide"].startswith(
        "Genome-wide call: up (larger adjusted p value of both models 0.02 over "
    )
    agreeing = flags.targets[flags.targets["genome_wide"].isna()]
    assert verdict(flags, "FLAT", "RT_post_vs_pre").name in agreeing.index
    assert verdict(flags, "NOWHERE", "RT_post_vs_pre").name in agreeing.index


def test_the_genome_wide_call_without_an_adjusted_p_value() -> None:
    row = {"call": "none", "weighted_padj": np.nan, "second_weighted_padj": 0.01}
    said = genome_wide_sentence(Verdict("down", "called"), row, 9000, 1, 0.05)
    assert said == (
        "Genome-wide call: none (its counts are too low for the genome-wide test); the verdict "
        "uses the one target, declared in advance."
    )
    called = row | {"call": "up", "weighted_padj": 0.02}
    for ground in ("outlier", "few_pairs", "one_pair"):
        said = genome_wide_sentence(Verdict("inconclusive", ground), called, 9000, 12, 0.05)
        assert said.endswith("is inconclusive, because it depends on a single donor.")
    assert genome_wide_sentence(Verdict("no_change", "within_bounds"), row, 9000, 1, 0.05) == ""
    assert genome_wide_sentence(Verdict("absent", "absent"), None, 9000, 1, 0.05) == ""


def test_the_call_counts_the_genes_that_have_an_adjusted_p_value(drawn: Drawn) -> None:
    tested = {}

    def filtered(de: dict[str, pd.DataFrame]) -> None:
        """Take the adjusted p value of some genes, as independent filtering does."""
        table = de["RT_post_vs_pre"]
        table.loc[table["gene_id"] == "RISES", ["call", "weighted_padj"]] = ["none", 0.08]
        others = table.index[~table["gene_id"].isin(NAMES) & table["padj"].notna()]
        table.loc[others[:7], "padj"] = np.nan
        tested["genes"] = int(table["padj"].notna().sum())
        assert table["pvalue"].notna().sum() >= tested["genes"] + 7

    said = verdict(flagged(drawn, NAMES, de_edit=filtered, reference="CON"), "RISES",
                   "RT_post_vs_pre")["genome_wide"]  # fmt: skip
    assert f"(larger adjusted p value of both models 0.08 over {tested['genes']:,} genes)" in said


def test_a_small_p_value_and_no_call_are_explained_by_size_factors() -> None:
    row = {"call": "none", "weighted_padj": 0.01, "second_weighted_padj": 0.02}
    said = genome_wide_sentence(Verdict("up", "called"), row, 9000, 12, 0.05)
    assert said.startswith(
        "Genome-wide call: none (larger adjusted p value of both models "
        "0.02 over 9,000 genes, but not with the size "
        "factors of the last step, which did not converge); "
    )
    above = row | {"second_weighted_padj": 0.05}
    assert "size factors" not in genome_wide_sentence(
        Verdict("up", "called"), above, 9000, 12, 0.05
    )


def test_the_detectable_effect_is_the_one_of_the_power_table(flags: TargetTables) -> None:
    keys = ["target", "contrast"]
    power = flags.power.set_index(keys)["detectable_lfc"]
    found = flags.targets.set_index(keys)["detectable_lfc"]
    pd.testing.assert_series_equal(found, power.reindex(found.index), check_dtype=False)
    assert found["FLAT"].notna().all()
    assert found["NOWHERE"].isna().all()


def test_leaving_out_a_donor_is_one_sentence(flags: TargetTables) -> None:
    rises = verdict(flags, "RISES", "RT_post_vs_pre")["leave_one_out"]
    assert rises == "Sign, size and significance hold without any single donor."
    one = verdict(flags, "ONE_DONOR", "RT_post_vs_pre")["leave_one_out"]
    assert one.startswith("Without ")
    assert "RT03" in one
    # it is empty exactly where robust is
    both = flags.targets[["robust", "leave_one_out"]]
    assert (both["robust"].isna() == both["leave_one_out"].isna()).all()
    holds = both["leave_one_out"].dropna().str.startswith("Sign")
    assert (holds == both["robust"].dropna().astype(bool)).all()


def test_what_the_refits_show_is_read_from_their_rows() -> None:
    loo = pd.DataFrame(
        {
            "gene_id": "G",
            "contrast": "c",
            "left_out": ["D1", "D2", "D3", "D4"],
            "log2FoldChange": [0.5, 0.1, np.nan, 0.4],
            "share_kept": [1.0, 0.2, np.nan, 0.8],
            "sign_holds": [True, True, None, True],
            "verdict_stands": [True, False, None, False],
        }
    )
    found = left_out(loo)
    assert found == {("G", "c"): LeftOut(4, ("D3",), ("D2",), ("D2", "D4"), complete=False)}
    assert leave_one_out_sentence("up", found["G", "c"]) == (
        "Without D3, the effect cannot be estimated. Without D2, the estimate changes its sign or "
        "loses more than half its size. Significance does not hold without D4."
    )


@pytest.mark.parametrize(
    ("word", "found", "said"),
    [
        (
            "down",
            LeftOut(9, falls=("SK-108",)),
            "Sign and size hold without any single donor; significance does not without SK-108.",
        ),
        (
            "up",
            LeftOut(9, falls=("A", "B", "C")),
            "Sign and size hold without any single donor; significance does not without A, B or C.",
        ),
        (
            "up",
            LeftOut(9, falls=("A", "B", "C", "D")),
            "Sign and size hold without any single donor; significance does not without any one "
            "of 4 of the 9 donors.",
        ),
        # nothing is claimed of a significance that some refit could not give
        ("up", LeftOut(9, complete=False), "Sign and size hold without any single donor."),
        ("inconclusive", LeftOut(9, falls=("A",)), "Sign and size hold without any single donor."),
    ],
)
def test_the_sentence_on_leaving_out(word: str, found: LeftOut, said: str) -> None:
    assert leave_one_out_sentence(word, found) == said


def test_three_groups_have_one_answer(flags: TargetTables) -> None:
    rows = flags.patterns.set_index(["target", "group"])["all_groups"]
    assert rows["RISES", "RT"] == rows["RISES", "AT"]
    said = rows["RISES", "RT"]
    estimate = {
        name: f"{verdict(flags, 'RISES', name)['log2FoldChange']:.2f}"
        for name in ("RT_post_vs_pre", "AT_post_vs_pre", "CON_post_vs_pre", "RT_vs_CON_change")
    }
    assert (
        f"Changes (log2 fold changes): established in RT ({estimate['RT_post_vs_pre']}); " in said
    )
    assert (
        f"; not established in CON ({estimate['CON_post_vs_pre']}) and AT "
        f"({estimate['AT_post_vs_pre']})." in said
    )
    assert f"Differences: established for RT against CON ({estimate['RT_vs_CON_change']}); " in said
    assert "; not established for AT against CON (" in said
    assert "Not established does not mean absent or alike: 80 % of studies" in said
    largest = max(
        verdict(flags, "RISES", f"{group}_post_vs_pre")["detectable_lfc"] for group in ("AT", "CON")
    )
    assert f"would detect a change of {largest:.2f} or more (log2) and a difference of " in said


def test_two_groups_have_no_sentence_on_all(drawn: Drawn) -> None:
    two = Drawn(
        drawn.counts[~drawn.counts.index.str.startswith("CON")],
        drawn.sheet[drawn.sheet["group"] != "CON"].reset_index(drop=True),
    )
    patterns = flagged(two, ["RISES", "FLAT"]).patterns
    assert "all_groups" not in patterns
    flat = patterns.set_index("target").loc["FLAT", "sentence"]
    assert "This does not show that the changes are alike: 80 % of studies of this size" in flat


def test_what_is_not_tested_is_said_and_nothing_detectable_claimed() -> None:
    none = {"verdict": "absent", "log2FoldChange": None, "detectable_lfc": None}
    groups = {"A": none, "B": none, "C": none}
    said = all_groups_sentence(groups, {"B against A": none})
    tested = "Changes (log2 fold changes): not tested in A, B and C."
    assert said == f"{tested} Differences: not tested for B against A."


@pytest.mark.parametrize(
    ("randomised", "adjusted"),
    [
        (True, "; the baseline-adjusted one is a sensitivity analysis."),
        (False, ", and not the baseline-adjusted one."),
        (None, ", and not the baseline-adjusted one."),
        (np.nan, ", and not the baseline-adjusted one."),
    ],
)
def test_one_of_two_estimates_is_to_be_reported(randomised: object, adjusted: str) -> None:
    start = "Report the estimate of the verdict, which was chosen in advance"
    assert to_report(randomised) == start + adjusted


def test_notes_on_the_baseline_say_which_estimate_to_report(flags: TargetTables) -> None:
    notes = flags.baseline["note"]
    assert len(notes) == 2 * len(TARGETS)
    assert notes.str.endswith(to_report(True)).all()
