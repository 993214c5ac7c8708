"""Changes of the molecules of a serum panel: against limma, and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.input.serum_panel import SerumPanel
from fibroserum.serum_panel.changes import CONSTANT, changes_of, with_calls
from fibroserum.serum_panel.levels import contrast_values, pair_changes

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "serum_panel"


@pytest.mark.parametrize("contrast", ["AT", "RT", "difference"])
def test_one_variance_gives_limmas_test(contrast: str) -> None:
    """Missing levels too: each molecule has degrees of freedom of its own."""
    values = pd.read_csv(GOLDEN / "values.tsv", sep="\t").set_index("donor")
    parts = {name: part.drop(columns="group") for name, part in values.groupby("group")}
    own = [parts["RT"], -parts["AT"]] if contrast == "difference" else [parts[contrast]]
    found = changes_of(own, group_wise=False)
    reference = pd.read_csv(GOLDEN / "changes.tsv", sep="\t")
    reference = reference[reference["contrast"] == contrast].set_index("molecule")
    columns = {"change_log2": "change", "ci_low": "low", "ci_high": "high", "pvalue": "p"}
    for name, other in columns.items():
        np.testing.assert_allclose(found[name], reference[other], rtol=1e-6, atol=1e-9)


def _values(*sizes: int, molecules: int = 2, seed: int = 3) -> list[pd.DataFrame]:
    rng = np.random.default_rng(seed)
    names = [f"m{n}" for n in range(molecules)]
    return [
        pd.DataFrame(rng.normal(0, 1 + 3 * k, (n, molecules)), columns=names)
        for k, n in enumerate(sizes)
    ]


def test_two_molecules_have_plain_t_tests() -> None:
    """Of one group the paired t test; of two Welch's, but for a cap on its degrees of freedom."""
    one, two = _values(7, 9)
    found = changes_of([one])
    np.testing.assert_allclose(found["pvalue"], stats.ttest_1samp(one, 0).pvalue)
    both = changes_of([one, -two])
    np.testing.assert_allclose(both["change_log2"], one.mean() - two.mean())
    np.testing.assert_allclose(both["pvalue"], stats.ttest_ind(one, two, equal_var=False).pvalue)
    assert list(both["donors"]) == [16, 16]


def test_what_cannot_be_tested_says_why_and_leaves_the_others_alone() -> None:
    one, two = _values(6, 6, molecules=20)
    whole = changes_of([one, two])
    few, same = one.copy(), two.copy()
    few.iloc[1:, 0] = np.nan
    few.iloc[:, 1] = same.iloc[:, 1] = 0.5
    found = changes_of([few, same])
    assert found["reason"].iloc[0] == "a change needs the levels of at least 2 donors in each group"
    assert found["reason"].iloc[1] == CONSTANT
    assert found["pvalue"].isna().tolist() == [True, True] + [False] * 18
    alone = changes_of([one.iloc[:, 2:], two.iloc[:, 2:]])
    pd.testing.assert_frame_equal(found.iloc[2:], alone)
    assert not np.allclose(whole["pvalue"].iloc[2:], alone["pvalue"])
    calls = with_calls(found, 0.05)
    assert calls["call"].isna().tolist() == [True, True] + [False] * 18
    empty = changes_of([one * np.nan])
    assert empty["pvalue"].isna().all()
    assert set(empty["donors"]) == {0}


def _panel(rows: list[tuple[str, str, str, float, bool]], scale: str = "linear") -> SerumPanel:
    frame = pd.DataFrame(rows, columns=["donor", "group", "time", "x", "low"])
    return SerumPanel(
        frame[["donor", "group", "time"]],
        frame[["x"]],
        frame[["low"]].set_axis(["x"], axis=1),
        scale,
    )


SETTINGS = {"groups": ["AT", "RT"], "before": "pre", "after": "post", "crossover": False}


@pytest.mark.parametrize(("scale", "expected"), [("linear", -2.0), ("log2", -5.0)])
def test_half_the_limit_is_used_and_two_limits_are_no_change(scale: str, expected: float) -> None:
    panel = _panel(
        [
            ("D1", "RT", "pre", 8.0, False),
            ("D1", "RT", "post", 4.0, True),
            ("D2", "RT", "pre", 4.0, True),
            ("D2", "RT", "post", 4.0, True),
            ("D3", "RT", "pre", 4.0, False),
        ],
        scale,
    )
    changes = pair_changes(panel, SETTINGS, "post")["x"]
    assert changes["D1", "RT"] == expected
    assert np.isnan(changes["D2", "RT"])
    assert "D3" not in changes.index.get_level_values(0)


def test_groups_are_compared_between_donors_or_within() -> None:
    levels = {("AT", "pre"): 1.0, ("AT", "post"): 2.0, ("RT", "pre"): 1.0, ("RT", "post"): 8.0}
    panel = _panel([(d, g, t, x, False) for d in "ab" for (g, t), x in levels.items()])
    contrasts = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}
    between = contrast_values(panel, contrasts["difference"], SETTINGS)
    assert sorted(frame["x"].tolist() for frame in between) == [[-1.0, -1.0], [3.0, 3.0]]
    within = contrast_values(panel, contrasts["difference"], SETTINGS | {"crossover": True})
    assert [frame["x"].tolist() for frame in within] == [[2.0, 2.0]]
    average = contrast_values(panel, contrasts["average"], SETTINGS | {"crossover": True})
    assert [frame["x"].tolist() for frame in average] == [[2.0, 2.0]]
