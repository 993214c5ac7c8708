"""Headlines: verdicts that hold over all contrasts of a panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fibroserum.de.settings import FitSettings
from fibroserum.multiple_testing import (
    benjamini_hochberg,
    holm_after_screening,
    simes,
    stagewise_adjusted,
)
from fibroserum.targets.headlines import headline_padj, with_headlines
from fibroserum.targets.verdict import Rule
from helpers.target_cohorts import Planted, draw, flagged


def read(repository: Path, name: str) -> np.ndarray:
    """Return a table of R's, empty cells as NaN."""
    file = repository / "tests/golden/stagewise" / f"{name}.tsv"
    return pd.read_csv(file, sep="\t", skip_blank_lines=False).to_numpy(float)


@pytest.mark.parametrize("name", ["panel", "one"])
def test_adjusted_p_values_are_those_of_r(repository: Path, name: str) -> None:
    found = stagewise_adjusted(read(repository, name))
    np.testing.assert_allclose(found, read(repository, f"{name}_adjusted"), rtol=1e-9)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_decisions_are_those_of_r(repository: Path, level: float) -> None:
    found = stagewise_adjusted(read(repository, "panel")) <= level
    assert (found == read(repository, f"panel_confirmed_{level:g}").astype(bool)).all()


def test_simes_and_holm_by_hand() -> None:
    p = np.array([[0.01, 0.04, 0.3, np.nan], [np.nan] * 4, [0.5, np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(simes(p), [0.03, np.nan, 0.5])
    # 3 values: × 2, × 2, × 1, never falling
    np.testing.assert_allclose(holm_after_screening(p[0]), [0.02, 0.08, 0.3, np.nan])
    np.testing.assert_allclose(holm_after_screening(np.array([0.04, 0.03])), [0.04, 0.03])
    np.testing.assert_allclose(holm_after_screening(np.array([0.04])), [0.04])


P_VALUES = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=8).map(
    np.array
)


@given(P_VALUES)
def test_no_smaller_than_the_screening_and_p_itself(p: np.ndarray) -> None:
    found = stagewise_adjusted(p)
    assert (found >= benjamini_hochberg(simes(p))[:, None]).all()
    assert (found >= p).all()
    assert (found <= 1).all()
    # one contrast: nothing to choose from
    alone = stagewise_adjusted(p[:, :1])[:, 0]
    np.testing.assert_allclose(alone, benjamini_hochberg(p[:, 0]), rtol=1e-12)


def test_twelve_unchanged_targets_have_a_headline_in_five_of_a_hundred_panels() -> None:
    rng = np.random.default_rng(8)
    change = rng.normal(size=(4000, 12, 2))
    start = rng.normal(size=(4000, 12, 1))
    both = np.stack(
        [change[..., 0], change[..., 1], np.diff(change)[..., 0] / 2**0.5, change.sum(-1) / 2**0.5]
    )
    z = np.concatenate([np.moveaxis(both, 0, -1), start], axis=-1)
    p = 2 * norm.sf(np.abs(z))
    each = np.mean([(benjamini_hochberg(column) < 0.05).any() for column in p[..., 0]])
    anywhere = np.mean(
        [any((benjamini_hochberg(c) < 0.05).any() for c in panel.T) for panel in p[:1500]]
    )
    headlines = np.mean([(stagewise_adjusted(panel) < 0.05).any() for panel in p])
    assert each == pytest.approx(0.05, abs=0.012)
    assert anywhere > 0.14
    assert headlines < 0.05 + 2 * (0.05 * 0.95 / 4000) ** 0.5


def rows_of(
    pvalues: dict[str, list[float]], second: list[float], **columns: list[str]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene_id": [gene for gene, values in pvalues.items() for _ in values],
            "contrast": [f"C{n}" for values in pvalues.values() for n in range(len(values))],
            "pvalue": [value for values in pvalues.values() for value in values],
            "second_pvalue": second,
            **columns,
        }
    )


def test_the_larger_of_both_models_counts() -> None:
    rows = rows_of({"A": [0.001, 0.6], "B": [0.5, 0.8]}, [0.02, 0.6, 0.5, np.nan])
    both = headline_padj(rows, Rule())
    alone = headline_padj(rows, Rule(second_opinion="none"))
    # Simes .002 and .8, BH .004: a half is screened, Holm's first of two is × 1
    assert alone[0] == pytest.approx(0.004)
    # Simes .04 and .5, BH .08
    assert both[0] == pytest.approx(0.08)
    assert np.isnan(both[3])


def test_a_headline_is_a_verdict_and_says_when_it_is_none() -> None:
    rows = rows_of(
        {"A": [1e-5, 0.6], "B": [0.028, 0.8]},
        [1e-5, 0.6, 0.028, 0.8],
        verdict=["down", "no_change", "up", "inconclusive"],
        reason=["It falls.", "No.", "It rises.", "Open."],
    )
    found = with_headlines(rows, Rule())
    assert found["headline"].tolist() == ["down", "none", "none", "none"]
    assert found["verdict"].tolist() == rows["verdict"].tolist()
    assert found.loc[[0, 1, 3], "reason"].tolist() == ["It falls.", "No.", "Open."]
    assert found.loc[2, "reason"] == (
        "It rises. It is not established when all 2 contrasts and all targets are considered "
        "together (headline "
        f"FDR {found.loc[2, 'headline_padj']:.3g})."
    )


def test_a_target_of_two_names_counts_once() -> None:
    once = rows_of({"A": [0.01, 0.6], "B": [0.5, 0.8]}, [0.01, 0.6, 0.5, 0.8])
    twice = pd.concat([once, once.iloc[:2]], ignore_index=True)
    np.testing.assert_array_equal(headline_padj(twice, Rule())[:4], headline_padj(once, Rule()))
    np.testing.assert_array_equal(headline_padj(twice, Rule())[4:], headline_padj(once, Rule())[:2])


@pytest.mark.parametrize("second", ["voom", "none"])
def test_from_counts_to_headlines(second: str) -> None:
    targets = {
        "UP": Planted(change={"AT": 0.9, "RT": 0.9}),
        "FLAT": Planted(),
        "ZERO": Planted(counts=0),
    }
    drawn = draw(targets, {"AT": 6, "RT": 6})
    named = dict.fromkeys(["UP", "AGAIN"], "UP") | {"FLAT": "FLAT", "ZERO": "ZERO", "NOWHERE": "?"}
    rows = flagged(drawn, named, settings=FitSettings(second_opinion=second)).targets
    table = rows.set_index(["target", "contrast"])
    for target in ("UP", "AGAIN"):
        for contrast in ("AT_post_vs_pre", "RT_post_vs_pre", "average_post_vs_pre"):
            assert table.loc[(target, contrast), "headline"] == "up"
            assert table.loc[(target, contrast), "headline_padj"] < 0.05
    assert (table.loc[["FLAT", "ZERO", "NOWHERE"], "headline"] == "none").all()
    assert table.loc[["ZERO", "NOWHERE"], "headline_padj"].isna().all()


def test_with_one_contrast_verdict_and_headline_are_one() -> None:
    targets = {f"T{n}": Planted(change={"all": 0.12 * n}) for n in range(6)}
    rows = flagged(draw(targets, {"all": 6}), list(targets), reference=None).targets
    called = rows["verdict"].isin(["up", "down"])
    assert 0 < called.sum() < len(rows)
    assert (rows["headline"] == rows["verdict"].where(called, "none")).all()
    wanted = rows[["panel_padj", "second_panel_padj"]].max(axis=1)
    np.testing.assert_allclose(rows["headline_padj"], wanted, rtol=1e-12)
