"""Levels and order of the checks, and the statement on the soundness of the experiment."""

from __future__ import annotations

from collections.abc import Sequence

import anndata as ad
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.qc.check import Check, check_table, not_assessed, note, ok, over_times, warning
from fibroserum.qc.design import group_sizes, notes, used_samples
from fibroserum.qc.soundness import soundness

LOST = warning("samples used", "RT10_pre", "no after sample", "Check whether it exists.")
SWAP = warning("swapped donors", "A_post, B_post", "fit better when exchanged", "Check the labels.")
FEW = "needs at least 4 pairs, in groups of 3 or more"


def said(*checks: Check) -> str:
    return soundness(tables.check("checks", check_table(checks)))


def test_a_cohort_without_a_problem() -> None:
    assert said(ok("pairs", "fine"), note("input", "a file")) == "No check found a problem."


def test_warnings_are_counted_and_named_by_importance() -> None:
    assert said(LOST, ok("pairs", "fine")) == "1 check found a problem: samples used (RT10_pre)."
    assert said(LOST, SWAP) == "2 checks found 2 problems: swapped donors, samples used."
    assert said(LOST, LOST) == "1 check found 2 problems: samples used."


def test_what_is_not_assessed_is_not_excluded() -> None:
    weak = "donors differ too little in their effects on the cells to reveal a swap. Numbers: 1.2"
    both = [not_assessed("pairs", weak), not_assessed("swapped donors", weak)]
    assert said(*both) == (
        "No check found a problem. Swaps between donors cannot be excluded (donors differ too "
        "little in their effects on the cells to reveal a swap)."
    )
    # what is not assessed and hides no mix-up has its row, and no part in the statement
    sex = not_assessed("sex of the cell line", "none was declared")
    assert said(LOST, sex) == said(LOST)


def test_a_single_group_has_no_name_and_no_other_groups() -> None:
    few = not_assessed("swapped donors", FEW, subject="all")
    expected = "No check found a problem. Swaps between donors cannot be excluded (the check needs "
    assert said(few).startswith(expected)
    for pairs, words in ((1, "is only 1 pair, so all results depend on one donor"),
                         (2, "are only 2 pairs, so all results depend on two donors")):  # fmt: skip
        donors = [f"D{number // 2}" for number in range(2 * pairs)]
        obs = pd.DataFrame({"donor": donors, "group": "all", "used_for": "change"})
        (row,) = group_sizes(ad.AnnData(obs=obs.set_index(obs.index.astype(str))))
        assert (row.subject, row.message) == ("", f"there {words}")


def test_reasons_are_given_once_with_the_groups_and_times_concerned() -> None:
    few = [
        not_assessed("swapped donors", FEW, subject="AT"),
        not_assessed("swapped times", FEW, subject="AT"),
    ]
    assert said(*few) == (
        "No check found a problem. Swaps between donors in AT and swaps of before and after in AT "
        f"cannot be excluded (the check {FEW})."
    )
    late = {"week4": [ok("swapped times", "none")], "week8": [not_assessed("swapped times", FEW)]}
    assert said(*over_times(late)) == (
        "No check found a problem. Swaps of before and after at week8 cannot be excluded (the "
        f"check {FEW})."
    )
    hidden = not_assessed(
        "swapped donors", "fewer than 8 pairs in RT. Details", subject="between groups"
    )
    assert "Swaps between donors between groups cannot" not in said(hidden)
    assert said(hidden).endswith(
        "Swaps between donors of different groups cannot be excluded (fewer than 8 pairs in RT)."
    )


def test_a_lost_sample_comes_before_a_remark_on_a_file() -> None:
    remark, decided = "counts.tsv: 3 fractional values rounded", "CCL28: half the limit is used"
    noted = dict.fromkeys(("groups", "covariates", "lines", "targets", "target_genes"), ())
    noted |= {"notes": [remark, decided], "remarks": [remark], "crossover": False}
    adata = ad.AnnData(uns={"fibroserum": noted})
    samples = pd.DataFrame(
        [["a", "D1", "AT", "pre", "baseline", "no after sample"]],
        columns=["sample", "donor", "group", "time", "used_for", "reason"],
    )
    table = check_table([*notes(adata), *used_samples(samples, [])])
    rows = table[["check", "level"]].to_numpy().tolist()
    assert rows == [["samples used", "warning"], ["input", "warning"], ["input", "note"]]
    assert table["advice"].iloc[0].startswith("Check whether the donor's other sample exists.")
    assert table["advice"].iloc[1].startswith("Check that this is what you intended.")
    assert table["advice"].iloc[2] == ""


@pytest.mark.parametrize(
    ("checks", "level"),
    [((LOST, SWAP), "warning"), ((ok("pairs", "x"), not_assessed("pairs", "y")), "not_assessed")],
)
def test_the_first_row_is_the_worst(checks: Sequence[Check], level: str) -> None:
    assert check_table(checks)["level"].iloc[0] == level
    assert isinstance(check_table([]), pd.DataFrame)
