"""The rows of the study of designs, and how their figures are judged and printed."""

from __future__ import annotations

import calibrate_designs
import pandas as pd
import pytest


def test_rows_have_seeds_of_their_own_and_the_harness_rule() -> None:
    known = calibrate_designs.rows()
    seeds = [range(row.seed, row.seed + row.cohorts) for row in known.values()]
    assert len({seed for own in seeds for seed in own}) == sum(map(len, seeds))
    assert {calibrate_designs.setting_of(name) for name in known} == {
        *("toy", "toy-null", "equal", "unequal", "strong", "null", "null-unequal")
    }


def test_figures_of_a_setting_are_judged_over_all_cohorts() -> None:
    # by row: the value of a measure in each of a claim's two contrasts, in 40 cohorts
    shares = {
        "equal-n6": ("fdp", 0.02, 0.04),
        "equal-n10": ("fdp", 0.04, 0.06),
        "unequal-n6": ("fdp", 0.04, 0.20),
        "null-n6": ("any", 0.0, 0.0),
        "null-unequal-n6": ("any", 0.0, 0.5),
    }
    table = pd.DataFrame(
        [
            (row, "library", seed, kind, measure, float(seed < 40 * value) if null else value)
            for row, (measure, *values) in shares.items()
            for null in [measure == "any"]
            for kind, value in zip(("RT_week8_vs_pre", "AT_week8_vs_pre"), values, strict=True)
            for seed in range(40)
        ],
        columns=["row", "variant", "seed", "kind", "measure", "value"],
    )
    # with the few cohorts of the other rows a candidate is not judged
    candidate = table[table["row"].eq("equal-n6") | (table["seed"] < 5)]
    candidate = candidate.assign(kind="candidate RT_week8_vs_pre", value=0.01)
    table = pd.concat([table, candidate.drop_duplicates(["row", "seed"])])
    table = pd.concat([table, table[table["measure"].eq("fdp")].assign(measure="power")])
    table["seed"] += 1000 * table["row"].map({row: i for i, row in enumerate(shares)})
    judged = calibrate_designs.judged(table)
    verdicts = {f.row: (f.mean, passed) for f, passed in judged if f.kind == "change"}
    assert verdicts == {
        "equal": (pytest.approx(0.04), True),
        "unequal": (pytest.approx(0.12), False),
        "null": (0.0, True),
        # the mean of a claim's contrasts hides none of them
        "null-unequal": (0.25, False),
    }
    page = calibrate_designs.section(table)
    assert "| change | 0.040 ± 0.001 | **0.120 ± 0.000** | 0.000 ± 0.000 | **0.250" in page
    assert "equal (80)" in page
    assert calibrate_designs.finding(table) == (
        "3 of 5 figures pass. Of the others, these exceed 0.05 by more than two standard errors: "
        "change (unequal, 0.120 ± 0.000), change (null-unequal, 0.250 ± 0.040). Candidates: mean "
        "FDP at most 0.010."
    )
