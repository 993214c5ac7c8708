"""HC3 against R's sandwich, and variances of units from the residuals of many genes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from fibroserum.linear.robust import hc3_parts, slope_ratio, unit_variances

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "robust"


def _weighted(gene: str, *, weights: bool) -> tuple[float, float, int]:
    """Return slope, HC3 error and residual df of a gene of the golden values."""
    donors = pd.read_csv(GOLDEN / "donors.tsv", sep="\t", index_col="donor")
    values = pd.read_csv(GOLDEN / "values.tsv", sep="\t")
    own = values[values["gene"] == gene].set_index("donor").loc[donors.index]
    w = own["weight"].to_numpy() if weights else np.ones(len(own))
    x = np.column_stack([donors["group"] == "AT", donors["group"] == "RT", donors["level"]])
    x = x.astype(float)
    inverse = np.linalg.inv(x.T * w @ x)
    beta = inverse @ (x.T * w) @ own["value"]
    residual = own["value"].to_numpy() - x @ beta
    influence = (x @ inverse)[:, 2] * w
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x) * w
    parts = hc3_parts(influence, residual, leverage)
    return float(beta[2]), float(np.sqrt(parts.sum())), len(x) - 3


@pytest.mark.parametrize(("weights", "prefix"), [(True, ""), (False, "plain_")])
def test_hc3_errors_are_those_of_sandwich(weights: bool, prefix: str) -> None:
    expected = pd.read_csv(GOLDEN / "hc3.tsv", sep="\t", index_col="gene")
    assert len(expected) == 6
    for gene, row in expected.iterrows():
        slope, error, df = _weighted(str(gene), weights=weights)
        assert slope == pytest.approx(row[f"{prefix}slope"], rel=1e-9)
        assert error == pytest.approx(row[f"{prefix}se"], rel=1e-9)
        p = 2 * student.sf(abs(slope / error), df)
        assert p == pytest.approx(row[f"{prefix}p"], rel=1e-8)


def test_a_unit_that_decides_its_own_value_has_an_unknown_part() -> None:
    parts = hc3_parts(np.array([0.3, 0.0, 0.2]), np.array([0.0, 0.0, 1.0]), np.array([1, 1, 0.5]))
    np.testing.assert_allclose(parts, [np.inf, 0.0, 0.16])


def test_unit_variances_are_unbiased_with_leverage() -> None:
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(12), np.r_[5.0, rng.normal(size=11)]])
    hat = x @ np.linalg.pinv(x)
    assert hat[0, 0] > 0.6
    true = np.r_[4.0, np.full(11, 0.7)]
    noise = rng.normal(size=(20_000, 12)) * np.sqrt(true)
    squares = ((noise - noise @ hat) ** 2).mean(axis=0)
    found = unit_variances(squares, hat)
    np.testing.assert_allclose(found, true, rtol=0.15)
    influence = np.linalg.pinv(x)[1]
    ratio = slope_ratio(found, np.ones(12), influence)
    assert ratio == pytest.approx((influence**2 @ true) / (influence**2).sum(), rel=0.1)


def test_no_unit_has_a_negative_variance_and_no_ratio_is_below_1() -> None:
    hat = np.full((4, 4), 0.25)
    found = unit_variances(np.array([0.0, 0.1, 0.2, 5.0]), hat)
    assert (found >= 0).all()
    assert found[3] > found[2]
    assert slope_ratio(np.array([0.2, 1.0]), np.ones(2), np.array([1.0, 0.0])) == 1.0


def test_a_unit_of_leverage_1_does_not_disturb_the_others() -> None:
    hat = np.zeros((4, 4))
    hat[0, 0] = 1
    hat[1:, 1:] = 1 / 3
    found = unit_variances(np.array([0.0, 2 / 3, 2 / 3, 2 / 3]), hat)
    np.testing.assert_allclose(found[1:], 1.0)
    assert found[0] == pytest.approx(0, abs=1e-12)
