"""Why a gene is not called: every condition alone, several at once, and the calls themselves."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum import tables
from fibroserum.de.reasons import UNTESTED, WORDS, conditions, reasons
from fibroserum.de.stage import call_genes
from helpers.call_reasons import in_words

CALLED = {
    "log2FoldChange": 0.8,
    "lfcSE": 0.2,
    "ci_low": 0.3,
    "ci_high": 1.3,
    "pvalue": 1e-4,
    "padj": 0.01,
    "weighted_padj": 0.01,
    "second_log2FoldChange": 0.7,
    "second_pvalue": 2e-4,
    "second_padj": 0.02,
    "second_weighted_padj": 0.02,
    "status": "tested",
    "call": "up",
}
NAN = float("nan")


def why(main_only: bool = False, threshold: float = 0.0, **changes: object) -> str:
    """Return the codes of a gene that differs from a called one, beside a called one."""
    table = pd.DataFrame([CALLED | changes, CALLED])
    found = reasons(table, 0.05, main_only=main_only, threshold=threshold)
    assert found[1] == ""
    return found[0]


@pytest.mark.parametrize(
    ("codes", "changes"),
    [
        ("", {}),
        ("m", {"weighted_padj": 0.05, "padj": 0.05}),
        ("s", {"second_weighted_padj": 0.08, "second_padj": 0.08}),
        ("d", {"second_log2FoldChange": -0.7}),
        ("i", {"ci_low": -0.01}),
        ("t", {"second_pvalue": NAN, "second_padj": NAN, "second_weighted_padj": NAN}
         | {"second_log2FoldChange": NAN}),
        ("sw", {"second_weighted_padj": 0.08}),
        ("mw", {"weighted_padj": 0.08}),
        ("o", {}),
        ("msdi", {"weighted_padj": 0.9, "padj": 0.9, "second_weighted_padj": 0.9,
                  "second_padj": 0.9, "second_log2FoldChange": -0.1, "ci_low": -0.2}),
        ("l", {"status": "low_count", "pvalue": NAN, "weighted_padj": NAN, "ci_low": NAN}),
        ("f", {"status": "low_count", "weighted_padj": NAN, "padj": NAN}),
        ("z", {"status": "all_zero", "pvalue": NAN, "weighted_padj": NAN}),
        ("n", {"status": "not_converged", "pvalue": NAN, "weighted_padj": NAN}),
        ("x", {"status": "outlier", "pvalue": NAN, "weighted_padj": NAN}),
        ("e", {"status": "not_estimable", "pvalue": NAN, "log2FoldChange": NAN}),
    ],
)  # fmt: skip
def test_each_condition_has_its_code(codes: str, changes: dict[str, object]) -> None:
    call = "none" if codes else "up"
    assert why(call=call, **changes) == codes


def test_a_threshold_is_named_where_the_estimate_does_not_exceed_it() -> None:
    small = {"weighted_padj": 1.0, "padj": 1.0, "call": "none"}
    assert why(threshold=0.7, **small) == "m"
    assert why(threshold=0.8, **small) == "mb"
    assert why(threshold=0.8, **small, log2FoldChange=-0.8, second_log2FoldChange=-0.7) == "mb"


def test_without_a_second_model_its_conditions_are_none() -> None:
    nothing = dict.fromkeys([name for name in CALLED if name.startswith("second_")], NAN)
    table = pd.DataFrame([CALLED, CALLED | {"weighted_padj": 0.2, "lfcSE": 0.5, "call": "none"}])
    table = table.assign(**nothing)
    assert list(reasons(table, 0.05, main_only=True)) == ["", "mi"]


def test_a_contrast_that_too_few_donors_inform_has_a_reason_of_its_own() -> None:
    lacking = dict.fromkeys([name for name in CALLED if name.startswith(("second_", "ci_"))], NAN)
    table = pd.DataFrame([CALLED, CALLED | {"weighted_padj": 0.2}]).assign(**lacking, call="none")
    assert list(reasons(table, 0.05, main_only=False)) == ["r", "mr"]


def test_every_status_and_code_has_words() -> None:
    (status,) = [one for one in tables.schemas()["de"].columns if one.name == "status"]
    assert set(UNTESTED) == (set(status.words) | {"not_estimable"}) - {"tested"}
    assert {code for pair in UNTESTED.values() for code in pair} < set(WORDS)
    fields = {name for text in WORDS.values() for name in re.findall(r"{(\w+)}", text)}
    assert fields == {
        "weighted_padj", "second_weighted_padj", "alpha", "ci_low", "ci_high", "threshold"
    }  # fmt: skip
    said = in_words(
        "si", {"second_weighted_padj": ".08", "alpha": 0.05, "ci_low": -1, "ci_high": 2}
    )
    assert said == (
        "The second model is not significant (adjusted p value .08; the limit is 0.05). "
        "The 95 % interval includes 0 (-1 to 2)."
    )


NUMBERS = st.sampled_from([-1.2, -0.4, -0.04, 0.0, 0.003, 0.04, 0.05, 0.06, 0.5, 1.2, NAN])
ADJUSTED = st.sampled_from([0.0, 0.01, 0.05, 0.06, 0.9, NAN])
ROWS = st.fixed_dictionaries(
    dict.fromkeys(("log2FoldChange", "ci_low", "ci_high", "second_log2FoldChange"), NUMBERS)
    | dict.fromkeys(("weighted_padj", "second_weighted_padj", "second_pvalue"), ADJUSTED)
)


@given(rows=st.lists(ROWS, min_size=1, max_size=12), main_only=st.booleans())
def test_a_gene_has_a_reason_where_it_is_not_called(
    rows: list[dict[str, float]], main_only: bool
) -> None:
    table = pd.DataFrame(rows).assign(status="tested", lfcSE=0.2)
    table["padj"], table["pvalue"] = table["weighted_padj"], table["weighted_padj"]
    table["second_padj"] = table["second_weighted_padj"]
    lacks = table["second_pvalue"].isna()
    table.loc[lacks, ["second_log2FoldChange", "second_padj", "second_weighted_padj"]] = NAN
    call = call_genes(table, 0.05, main_only=main_only, weighted=True)
    found = reasons(table.assign(call=call), 0.05, main_only=main_only)
    assert list(found == "") == list(call != "none")
    for codes, row in zip(found, table.itertuples(), strict=True):
        if codes:
            assert ("m" in codes) == (not row.weighted_padj < 0.05)
        if codes and not main_only and not np.isnan(row.second_pvalue):
            assert ("s" in codes) == (not row.second_weighted_padj < 0.05)
            assert ("i" in codes) == (not row.ci_low * row.ci_high > 0 and row.ci_low == row.ci_low)


def test_the_last_size_factors_are_a_condition_of_the_call() -> None:
    table = pd.DataFrame([CALLED, CALLED, CALLED])
    other = pd.DataFrame(
        {"other_pvalue": [0.001, 0.9, 0.001], "other_log2FoldChange": [0.5, 0.5, -0.5]}
    )
    met = conditions(table, 0.05, main_only=False, other=other)
    assert list(met["o"]) == [True, False, False]
    calls = call_genes(table, 0.05, main_only=False, other=other)
    assert list(calls) == ["up", "none", "none"]
    assert list(reasons(table.assign(call=calls), 0.05, main_only=False)) == ["", "o", "o"]
