"""Packed numbers say what Python's formatting prints, and nothing else."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fibroserum.report.page.pack import (
    MISSING_FIXED,
    MISSING_MANTISSA,
    Pack,
    fixed,
    folded,
    planes,
    printable,
    significant,
    squeeze_json,
)
from helpers.page_blocks import packed, unsqueezed

finite = st.floats(-2000, 2000, allow_nan=False)
positive = st.one_of(st.just(0.0), st.floats(1e-300, 1e9, allow_nan=False))


@given(st.lists(st.one_of(finite, st.just(math.nan)), max_size=30), st.integers(0, 3))
def test_fixed_is_what_is_printed(values: list[float], decimals: int) -> None:
    for value, whole in zip(values, fixed(values, decimals), strict=True):
        if math.isnan(value):
            assert whole == MISSING_FIXED
        else:
            assert whole / 10**decimals == float(f"{value:.{decimals}f}")


@given(st.lists(st.one_of(positive, st.just(math.nan)), max_size=30), st.integers(1, 4))
def test_significant_is_what_is_printed(values: list[float], digits: int) -> None:
    mantissa, power = significant(values, digits)
    for value, whole, ten in zip(values, mantissa, power, strict=True):
        if math.isnan(value):
            assert whole == MISSING_MANTISSA
        else:
            assert float(f"{whole}e{ten}") == float(f"{value:.{digits - 1}e}")


def test_p_values_of_any_smallness_are_packed() -> None:
    mantissa, power = significant([1e-300, 5e-324, 0.0], 3)
    shown = [float(f"{m}e{p}") for m, p in zip(mantissa, power, strict=True)]
    assert shown == [1e-300, 5e-324, 0]


@pytest.mark.parametrize(("values", "digits"), [([-1.0], 3), ([1.0], 5), ([1.0], 0)])
def test_what_cannot_be_packed_is_refused(values: list[float], digits: int) -> None:
    with pytest.raises(ValueError, match=r"negative|digits"):
        significant(values, digits)


def test_a_fold_change_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        fixed([1e10], 3)


@given(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=50))
def test_planes_of_folded_numbers_can_be_read_again(numbers: list[int]) -> None:
    data = np.frombuffer(planes(folded(np.array(numbers, dtype=int)), 2), dtype=np.uint8)
    low, high = data[: len(numbers)].astype(int), data[len(numbers) :].astype(int)
    joined = low + 256 * high
    assert [(n >> 1) ^ -(n & 1) for n in joined.tolist()] == numbers


def test_a_block_says_where_its_columns_are() -> None:
    pack = Pack()
    pack.fixed("lfc", [0.5, math.nan, -1.25], 2)
    pack.fixed("low", [0.25, math.nan, -2.0], 2, ("lfc",))
    pack.fixed("high", [0.75, 1.0, -0.49], 2, ("lfc", "low"))
    pack.significant("p", [0.0123, 1.0, math.nan], 3)
    pack.words("call", pd.Series(["up", None, "none"]))
    raw = unsqueezed(pack.block())
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    body = raw[4 + length :]
    assert header["lfc"] == {"at": 0, "kind": "fixed", "n": 3, "width": 2, "digits": 2}
    assert list(body[:6]) == [100, 255, 249, 0, 255, 0]
    # 25 below and 75 below; the upper end mirrors the lower, but for one hundredth
    assert header["low"]["expected"] == ["lfc"]
    assert list(body[6:12]) == [49, 255, 149, 0, 255, 0]
    assert list(body[12:18]) == [0, 200, 2, 0, 0, 0]
    assert header["p"]["at"] == 18
    assert header["call"]["words"] == ["", "none", "up"]
    assert list(body[header["call"]["at"] :]) == [2, 0, 1]


def test_json_blocks_hold_no_markup() -> None:
    text = squeeze_json({"name": "</script><script>alert(1)</script>"})
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set("<>& ")


@given(st.binary(max_size=60))
def test_bytes_come_back_from_text(data: bytes) -> None:
    text = printable(data)
    assert packed(text) == data
    # two characters hold 13 bits
    assert len(text) <= math.ceil(8 * len(data) / 13) * 2
