"""What the responsive genes did, in words: every branch, and cohorts with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.factors.levels import Change
from fibroserum.factors.sentences import (
    Moves,
    With,
    moves_of,
    places_of,
    set_sentence,
    target_sentence,
    why_unconfirmed,
)
from fibroserum.factors.stage import FactorSettings, flag_factors
from fibroserum.factors.stimulation import stimulation_table
from helpers.factor_cohort import ARM, GENES, SLOPES, Options, de_of, fits_of, make_arm, make_cohort

RT = Contrast("RT_c", "change", "RT", None, "paired", ((("RT", "post"), 1.0),), "pre", "post")
DIFFERENCE = Contrast(
    "RT_vs_AT",
    "difference",
    "RT",
    "AT",
    "paired",
    ((("RT", "post"), 1.0), (("AT", "post"), -1.0)),
    "pre",
    "post",
)
FALLS = Change(9, -0.35, -0.64, -0.07, 0.02)
RISES = Change(9, 0.35, 0.07, 0.64, 0.02)
STILL = Change(8, -0.03, -0.29, 0.22, 0.77)
UNMEASURED = Change(0, np.nan, np.nan, np.nan, np.nan)
CONSTANT = Change(8, 0.0, np.nan, np.nan, np.nan)
SUPPRESSED_RISE = Moves(suppressed_rise=11)
BOTH = Moves(induced_rise=2, induced_fall=7, suppressed_rise=31, suppressed_fall=5)


@pytest.mark.parametrize(
    ("moves", "direction", "change", "pvalue", "expected"),
    [
        (
            SUPPRESSED_RISE,
            "with_less",
            FALLS,
            0.006,
            "11 of 11 responsive genes rise in RT, as a fall of CCL28 predicts.",
        ),
        (
            Moves(induced_rise=9, induced_fall=1),
            "with_more",
            RISES,
            0.006,
            "9 of 10 responsive genes rise in RT, as a rise of CCL28 predicts.",
        ),
        (
            SUPPRESSED_RISE,
            "with_less",
            RISES,
            0.006,
            "11 of 11 responsive genes rise in RT, although a rise of CCL28 predicts a fall.",
        ),
        (
            Moves(induced_fall=1),
            "with_less",
            FALLS,
            0.04,
            "1 of 1 responsive gene falls in RT, as a fall of CCL28 predicts.",
        ),
        (
            BOTH,
            "with_less",
            FALLS,
            0.006,
            "38 of 45 responsive genes change in RT as a fall of CCL28 predicts: 31 of 36 "
            "suppressed genes rise, and 7 of 9 induced genes fall.",
        ),
        (
            BOTH,
            "with_less",
            RISES,
            0.006,
            "38 of 45 responsive genes change in RT against what a rise of CCL28 predicts: 31 of "
            "36 suppressed genes rise, and 7 of 9 induced genes fall.",
        ),
        (
            BOTH,
            "with_less",
            STILL,
            0.006,
            "38 of 45 responsive genes change in RT as with less CCL28: 31 of 36 suppressed genes "
            "rise, and 7 of 9 induced genes fall. A change of CCL28 itself is not shown (-0.03 "
            "log2, 95 % interval -0.29 to 0.22), so no direction is predicted.",
        ),
        (
            SUPPRESSED_RISE,
            "with_less",
            UNMEASURED,
            0.006,
            "11 of 11 responsive genes rise in RT, as with less CCL28. The level of CCL28 was not "
            "measured, so no direction is predicted.",
        ),
        (
            Moves(suppressed_fall=4),
            "with_more",
            CONSTANT,
            0.006,
            "4 of 4 responsive genes fall in RT, as with more CCL28. The change of CCL28 has no "
            "interval, so no direction is predicted.",
        ),
        (
            Moves(suppressed_fall=4),
            "with_more",
            None,
            0.006,
            "4 of 4 responsive genes fall in RT, as with more CCL28. The change of CCL28 is not "
            "estimated in this contrast.",
        ),
        (
            BOTH,
            "with_less",
            FALLS,
            0.47,
            "CCL28 falls in RT, but no common shift of its responsive genes is found (p = 0.47): "
            "33 of 45 rise and 12 fall.",
        ),
        (
            BOTH,
            "with_more",
            RISES,
            0.47,
            "CCL28 rises in RT, but no common shift of its responsive genes is found (p = 0.47): "
            "33 of 45 rise and 12 fall.",
        ),
        (
            BOTH,
            "with_less",
            STILL,
            0.47,
            "No common shift of the responsive genes is found in RT (p = 0.47): 33 of 45 rise and "
            "12 fall.",
        ),
    ],
)
def test_what_the_genes_did(
    moves: Moves, direction: With, change: Change | None, pvalue: float, expected: str
) -> None:
    said = set_sentence("CCL28", RT, "in RT", moves, direction, change, pvalue, 0.05)
    assert said == expected


def test_a_difference_compares_with_the_reference() -> None:
    place = places_of([RT, DIFFERENCE])["RT_vs_AT"]
    said = set_sentence("CCL28", DIFFERENCE, place, SUPPRESSED_RISE, "with_less", FALLS, 0.01, 0.05)
    assert said == (
        "11 of 11 responsive genes rise in RT relative to AT, as a fall of CCL28 relative to AT "
        "predicts."
    )


def test_places() -> None:
    two = contrasts_of(["AT", "RT"], "pre", ["week8", "week16"])
    found = places_of(two)
    assert "in RT at week16" in found.values()
    assert "in RT relative to AT at week8" in found.values()
    assert "on average over the groups at week8" in found.values()
    (one, *_) = contrasts_of(["all"], "pre", ["post"])
    assert places_of([one]) == {one.name: "from pre to post"}


def test_moves_count_kinds_and_ways() -> None:
    moves = moves_of(np.array([1, 1, -1, -1, -1]), np.array([0.2, -0.1, 0.3, np.nan, 0.0]))
    assert moves == Moves(1, 1, 1, 0)
    assert (moves.rise, moves.fall, moves.induced, moves.suppressed) == (2, 1, 2, 1)


def _flagged(options: Options, stimulated: bool) -> Any:
    cohort = make_cohort(options)
    paired = fits_of(cohort)["paired"]
    arm = stimulation_table(make_arm(SLOPES), ARM, alpha=0.05, min_count=10)
    entry = {"gene": None, "serum": "factor", "serum_scale": "linear", "signature": None}
    return flag_factors(
        cohort,
        paired,
        de_of(cohort, paired),
        {"F": arm} if stimulated else {},
        {},
        {"F": entry | {"stimulation": ARM if stimulated else None}},
        FactorSettings(alpha=0.05, seed=1),
    )


@pytest.mark.parametrize("stimulated", [True, False])
@pytest.mark.parametrize("fall", [-0.8, 0.8])
def test_genes_follow_a_factor_that_falls_or_rises(fall: float, stimulated: bool) -> None:
    """Genes 0-9 are suppressed by the factor and 10-19 induced: the truth of the cohort."""
    row = _flagged(Options(fall=fall), stimulated).sets.set_index("contrast").loc["RT_post_vs_pre"]
    assert row["concordance"] == "as_predicted"
    assert row["direction"] == ("with_less" if fall < 0 else "with_more")
    word, suppressed, induced = ("fall", "rise", "fall") if fall < 0 else ("rise", "fall", "rise")
    assert f"responsive genes change in RT as a {word} of F predicts: " in row["sentence"]
    assert f"suppressed genes {suppressed}, and " in row["sentence"]
    assert row["sentence"].endswith(f"induced genes {induced}.")
    assert row["rise"] + row["fall"] == row["genes"]
    assert min(row["rise"], row["fall"]) >= 5


def test_only_suppressed_genes_rise_where_the_factor_falls() -> None:
    slopes = np.where(np.arange(GENES) < 10, SLOPES, 0.0)
    row = _flagged(Options(slopes=slopes), False).sets.set_index("contrast").loc["RT_post_vs_pre"]
    assert row["fall"] == 0
    assert row["sentence"] == (
        f"{row['rise']} of {row['rise']} responsive genes rise in RT, as a fall of F predicts."
    )


def test_why_no_gene_can_be_confirmed() -> None:
    assert why_unconfirmed("CCL28", stimulated=True, measured=True) == ""
    assert why_unconfirmed("CCL28", stimulated=False, measured=True) == (
        "There was no stimulation experiment, so no gene can be confirmed."
    )
    assert why_unconfirmed("CCL28", stimulated=True, measured=False) == (
        "The serum level of CCL28 was not measured or could not be used, so no gene can be "
        "confirmed."
    )


def test_what_the_evidence_shows_of_a_target() -> None:
    row = pd.Series(
        {
            "call": "not_responsive",
            "reason": None,
            "serum_slope": -0.12,
            "serum_pvalue": 0.38,
            "stimulation_log2FoldChange": 0.2,
            "stimulation_pvalue": 0.41,
        }
    )
    assert target_sentence("BGN", "CCL28", row) == (
        "BGN itself is not called responsive to CCL28: it changes by -0.12 log2 per doubling of "
        "the serum level (p = 0.38) and by 0.20 log2 in the stimulation experiment (p = 0.41)."
    )
    row[["stimulation_log2FoldChange", "call"]] = [np.nan, "responsive"]
    assert target_sentence("BGN", "CCL28", row) == (
        "BGN itself is responsive to CCL28: it changes by -0.12 log2 per doubling of the serum "
        "level (p = 0.38)."
    )
    row[["call", "reason"]] = ["not_assessable", "not tested: serum"]
    assert target_sentence("BGN", "CCL28", row) == (
        "Whether BGN itself responds to CCL28 was not assessed (not tested: serum)."
    )
    assert target_sentence("BGN", "CCL28", None) == "BGN is not in the count matrix."
