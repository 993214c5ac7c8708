"""Designs with blocks: matrix, codes, centring, parts, contrasts and rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum.cohort.designs import Design, centred_within
from fibroserum.cohort.rank import aliased_columns


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """A design of 1 to 12 samples, with blocks of any size in any order or without blocks.

    Its columns hold small whole numbers, so that many depend on others.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 12)), draw(st.integers(0, 5))
    samples = [f"s{i}" for i in range(n)]
    values = rng.integers(0, 3, size=(n, k)).astype(float)
    dense = pd.DataFrame(values, samples, [f"c{i}" for i in range(k)])
    if draw(st.booleans()):
        return Design(dense)
    return Design(dense, pd.Series(rng.choice(["D1", "D10", "D2", "a/b"], n), samples))


@pytest.fixture
def small() -> Design:
    """Two donors of which the second comes first."""
    dense = pd.DataFrame({"after": [0.0, 1, 0, 1], "age": [1.0, 2, 3, 5]}, list("wxyz"))
    return Design(dense, pd.Series(["D2", "D2", "D1", "D1"], list("wxyz")))


def test_the_matrix_of_a_small_design(small: Design) -> None:
    expected = pd.DataFrame(
        {
            "donor[D1]": [0.0, 0, 1, 1],
            "donor[D2]": [1.0, 1, 0, 0],
            "after": [0.0, 1, 0, 1],
            "age": [1.0, 2, 3, 5],
        },
        list("wxyz"),
    )
    pd.testing.assert_frame_equal(small.matrix, expected)
    assert small.labels == ["D1", "D2"]
    assert small.codes.tolist() == [1, 1, 0, 0]
    assert (small.n_columns, small.residual_df) == (4, 0)
    assert list(small.samples) == list("wxyz")


@given(designs())
def test_matrix_and_codes_agree(design: Design) -> None:
    matrix, blocks = design.matrix, len(design.labels)
    assert matrix.shape == (len(design.samples), design.n_columns)
    assert design.residual_df == len(matrix) - matrix.shape[1]
    np.testing.assert_array_equal(matrix.iloc[:, blocks:], design.dense_values)
    if design.blocks is None:
        assert blocks == 0
        assert (design.codes == -1).all()
        return
    np.testing.assert_array_equal(matrix.iloc[:, :blocks], np.eye(blocks)[design.codes])
    assert [design.labels[code] for code in design.codes] == design.blocks.tolist()


@given(designs(), st.integers(0, 2**32 - 1))
def test_centring_is_the_projection_off_the_blocks(design: Design, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(len(design.samples), 3))
    indicators = design.matrix.to_numpy()[:, : len(design.labels)]
    expected = values - indicators @ np.linalg.pinv(indicators) @ values
    given = values.copy()
    np.testing.assert_allclose(design.centred(values), expected, atol=1e-12)
    np.testing.assert_array_equal(values, given)


def test_values_without_a_code_are_not_centred() -> None:
    values = np.array([[1.0], [5.0], [7.0], [2.0]])
    found = centred_within(values, np.array([1, -1, 1, -1]))
    assert found.ravel().tolist() == [-3.0, 5.0, 3.0, 2.0]


@settings(max_examples=200)
@given(designs())
def test_aliased_columns_are_what_the_rank_of_the_matrix_lacks(design: Design) -> None:
    aliased = aliased_columns(design)
    rank = np.linalg.matrix_rank(design.matrix.to_numpy()) if design.n_columns else 0
    assert design.n_columns - len(aliased) == rank
    kept = design.matrix.drop(columns=aliased)
    assert (np.linalg.matrix_rank(kept.to_numpy()) if kept.size else 0) == kept.shape[1]


@given(designs(), st.data())
def test_some_samples_leave_no_empty_blocks(design: Design, data: st.DataObject) -> None:
    n = len(design.samples)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    part, rows = design.of(kept), design.matrix.loc[kept]
    empty = [name for name in rows.columns[: len(design.labels)] if not rows[name].any()]
    pd.testing.assert_frame_equal(part.matrix, rows.drop(columns=empty))
    assert part.n_columns == design.n_columns - len(empty)


def test_a_contrast_of_dense_columns_and_back(small: Design) -> None:
    vector = small.contrast(np.array([1.0, -0.5]))
    assert vector.tolist() == [0.0, 0.0, 1.0, -0.5]
    assert small.dense_contrast(vector).tolist() == [1.0, -0.5]
    alone = Design(small.dense)
    assert alone.dense_contrast(np.array([0.0, 2.0])).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, 0.0], r"over 4 columns was expected, not \(2,\)"),
        ([[0.0, 0.0, 1.0, 0.0]], r"over 4 columns was expected, not \(1, 4\)"),
        ([1.0, -1.0, 0.0, 0.0], "cannot compare donors"),
        ([0.0, 1e-9, 1.0, 0.0], "cannot compare donors"),
        ([0.0, 0.0, 0.0, 0.0], "all zero"),
    ],
)
def test_contrasts_that_are_refused(small: Design, vector: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small.dense_contrast(np.array(vector))
