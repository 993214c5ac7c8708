"""What two contrasts share: intersection-union p values, on p values with a known truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fibroserum.de.overlap import SHOWN, shown_in
from fibroserum.multiple_testing import benjamini_hochberg

ALPHA = 0.05


def contrast(
    z: Sequence[float] | np.ndarray, second: Sequence[float] | None = None
) -> pd.DataFrame:
    """Return the columns of `de` that matter, of estimates with a standard error of 1."""
    z = np.asarray(z, dtype=float)
    other = z if second is None else np.asarray(second, dtype=float)
    frame = pd.DataFrame(
        {
            "gene_id": [f"g{number}" for number in range(len(z))],
            "log2FoldChange": z,
            "ci_low": z - 1.96,
            "ci_high": z + 1.96,
            "pvalue": 2 * norm.sf(np.abs(z)),
            "second_log2FoldChange": other,
            "second_pvalue": 2 * norm.sf(np.abs(other)),
        }
    )
    found = np.maximum(
        *(benjamini_hochberg(frame[f"{m}pvalue"].to_numpy()) for m in ("", "second_"))
    )
    way = np.where(z > 0, "up", "down")
    return frame.assign(
        call=np.where((found < ALPHA) & (np.sign(z) == np.sign(other)), way, "none")
    )


def test_each_word_has_its_gene() -> None:
    # many null genes, so that adjusting matters
    null = np.linspace(-1.5, 1.5, 40)
    first = contrast([8, 8, 8, 0.1, 3.4, *null])
    second = contrast([8, -8, 0.1, 8, 0.2, *null[::-1]])
    found = shown_in(first, second, ALPHA)
    assert list(found["shown"][:5]) == ["both", "opposite", "first", "second", "first"]
    assert set(found["shown"][5:]) == {"neither"}
    assert set(found["shown"]) <= set(SHOWN)
    # the p value is the larger one, adjusted over all genes
    expected = np.maximum(first["pvalue"], second["pvalue"]).to_numpy()
    np.testing.assert_allclose(found["pvalue"], expected)
    np.testing.assert_allclose(found["padj"], benjamini_hochberg(expected))


def test_a_gene_of_two_lists_need_not_be_shown_in_both() -> None:
    # in each contrast 20 strong genes carry a weak one into the list; its p values are .02 and .01,
    # and no other gene is in both
    null = np.zeros(20)
    weak = norm.isf(np.array([0.02, 0.01]) / 2)
    first = contrast([*np.full(20, 9.0), *null, weak[0]])
    second = contrast([*null, *np.full(20, -9.0), weak[1]])
    assert list(first["call"][-1:]) == list(second["call"][-1:]) == ["up"]
    found = shown_in(first, second, ALPHA)
    assert found["shown"].iloc[-1] == "each"
    assert not found["shown"].isin(["both", "opposite"]).any()


def test_models_must_agree_and_intervals_exclude_zero() -> None:
    null = np.linspace(-1, 1, 10)
    other = contrast([8, 8, 8, *null])
    disagree = contrast([8, 8, 8, *null], [-8, 8, 8, *null])
    disagree.loc[1, "ci_low"] = -0.1
    assert list(shown_in(disagree, other, ALPHA)["shown"][:3]) == ["second", "each", "both"]
    # where the main model decides alone, the second one has no say
    alone = shown_in(disagree, other, ALPHA, alone=True)["shown"]
    assert list(alone[:3]) == ["both", "each", "both"]


def test_a_gene_that_was_not_tested_is_shown_nowhere() -> None:
    first, second = contrast([8, 8, 0]), contrast([8, 8, 0])
    first.loc[0, ["pvalue", "second_pvalue"]] = np.nan
    first.loc[0, "call"] = "none"
    found = shown_in(first, second.iloc[:2], ALPHA)
    assert list(found.index) == ["g0", "g1"]
    assert list(found["shown"]) == ["second", "both"]
    assert np.isnan(found["padj"].iloc[0])


@pytest.mark.parametrize("effect", [4.0, 5.0])
def test_the_false_discovery_rate_of_both_is_kept(effect: float) -> None:
    rng = np.random.default_rng(7)
    shares, power = [], []
    for _ in range(60):
        truth = rng.choice(4, size=1500, p=[0.8, 0.08, 0.08, 0.04])
        means = [np.where(np.isin(truth, own), effect, 0.0) for own in ((1, 3), (2, 3))]
        found = shown_in(*(contrast(mean + rng.normal(size=1500)) for mean in means), ALPHA)
        both = found["shown"].isin(["both", "opposite"]).to_numpy()
        shares.append((both & (truth != 3)).sum() / max(both.sum(), 1))
        power.append(both[truth == 3].mean())
    assert np.mean(shares) < ALPHA
    assert np.mean(power) > (0.75 if effect > 4 else 0.2)
