"""Numbers packed for the page: exact to the digits that are shown, and small.

Two encodings. `fixed`: an integer count of 10^-decimals. `significant`: a mantissa of so many
digits and a power of ten. Both are exactly what Python's formatting prints, so that the
page, which only puts the decimal point, can show nothing else than the tables hold. Bytes of equal
weight stand together, which gzip likes.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

# 13 bits are two of these characters, which HTML leaves as they are
ALPHABET = np.array([n for n in range(33, 127) if chr(n) not in "<>&"], dtype=np.uint8)
GROUP = 13
MISSING_FIXED = -(2**31)
MISSING_MANTISSA = 0xFFFF
# so near to half way (of products below 2^31) that the rounding is left to Python
HALF_WAY = 1e-5


def printable(data: bytes) -> str:
    """Return bytes as text, in groups of 13 bits: 8 % shorter than base64.

    A last group of six bits or less is one character.
    """
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    rest = len(bits) % GROUP
    groups = np.zeros(-(-len(bits) // GROUP), dtype=np.int32)
    for place in range(GROUP):
        column = bits[place::GROUP]
        groups[: len(column)] |= column.astype(np.int32) << (GROUP - 1 - place)
    short = 0 < rest <= 6
    if short:
        groups[-1] = (groups[-1] >> (GROUP - rest)) * len(ALPHABET)
    pairs = ALPHABET[np.column_stack(np.divmod(groups, len(ALPHABET)))].tobytes().decode("ascii")
    return pairs[:-1] if short else pairs


def squeeze(data: bytes) -> str:
    """Return bytes as text of their gzip, the same for the same bytes.

    The highest level, 9, takes five times as long as 7, for a page that is 0.7 % smaller.
    """
    return printable(gzip.compress(data, compresslevel=7, mtime=0))


def squeeze_json(value: Any) -> str:
    """Return a JSON value as text of its gzip."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return squeeze(text.encode("utf-8"))


def planes(numbers: np.ndarray, width: int) -> bytes:
    """Return whole numbers of so many bytes: all their lowest bytes, then all second ones, …"""
    packed = np.ascontiguousarray(numbers.astype(np.int64).astype(f"<u{width}"))
    return packed.view(np.uint8).reshape(-1, width).T.tobytes()


def folded(numbers: np.ndarray) -> np.ndarray:
    """Return signed numbers as 0, -1, 1, -2, 2 … → 0, 1, 2, 3, 4 …: small ones have few bits."""
    signed = numbers.astype(np.int64)
    return np.where(signed < 0, -2 * signed - 1, 2 * signed)


def significant(values: Sequence[float] | np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mantissa (uint16) and power of ten (int16) of each value, to `digits` digits.

    value = mantissa × 10^power. A missing value has the mantissa 65535. Negative values are not
    packed so. Raises ValueError for one, and for more than four digits.
    """
    numbers = np.asarray(values, dtype=float)
    if not 1 <= digits <= 4:
        raise ValueError(f"one to four digits, not {digits}")
    if np.nanmin(numbers, initial=0.0) < 0:
        raise ValueError("negative values are packed as fixed decimals")
    mantissa = np.full(len(numbers), MISSING_MANTISSA, dtype=np.int64)
    power = np.zeros(len(numbers), dtype=np.int64)
    known = np.flatnonzero(np.isfinite(numbers))
    mantissa[known] = 0
    known = known[numbers[known] > 0]
    # the power is the printed one, but for a rounding up to the next: 9.996 has the mantissa 1000
    exponent = np.floor(np.log10(numbers[known])).astype(np.int64) - (digits - 1)
    whole, unsure = _rounded(numbers[known], -exponent)
    # a logarithm near a whole number may have fallen on its other side
    unsure |= (whole < 10 ** (digits - 1)) | (whole >= 10**digits)
    mantissa[known], power[known] = whole, exponent
    for i in known[unsure]:
        digits_text, power_text = f"{numbers[i]:.{digits - 1}e}".split("e")
        mantissa[i] = int(digits_text.replace(".", ""))
        power[i] = int(power_text) - digits + 1
    return mantissa.astype(np.uint16), power.astype(np.int16)


def fixed(values: Sequence[float] | np.ndarray, decimals: int) -> np.ndarray:
    """Return values as integers of 10^-decimals (int32), rounded as Python prints them."""
    numbers = np.asarray(values, dtype=float)
    out = np.full(len(numbers), MISSING_FIXED, dtype=np.int64)
    known = np.flatnonzero(np.isfinite(numbers))
    if (np.abs(numbers[known]) * 10.0**decimals >= 2**31 - 1).any():
        raise ValueError("a value is too large for fixed decimals")
    out[known], unsure = _rounded(numbers[known], np.full(len(known), decimals))
    for i in known[unsure]:
        out[i] = int(f"{numbers[i]:.{decimals}f}".replace(".", ""))
    return out.astype(np.int32)


def _rounded(numbers: np.ndarray, decimals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers × 10^decimals as whole ones, and which of them may not be what is printed.

    Printing rounds the exact binary value, a product of two doubles its own: the two can differ
    only where the product is nearly half way between two whole numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product = numbers * 10.0**decimals
        whole = np.rint(product)
        unsure = ~(np.abs(np.abs(product - whole) - 0.5) > HALF_WAY)
    return np.where(unsure, 0, whole).astype(np.int64), unsure


@dataclass
class Pack:
    """Columns of one length, packed one after the other, with a header that says where."""

    parts: list[bytes] = field(default_factory=list)
    header: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: int = 0
    whole: dict[str, np.ndarray] = field(default_factory=dict)

    def _add(self, name: str, data: bytes, **about: Any) -> None:
        self.header[name] = {"at": self.size, **about}
        self.parts.append(data)
        self.size += len(data)

    def fixed(
        self,
        name: str,
        values: Sequence[float] | np.ndarray,
        decimals: int,
        expected: tuple[str, ...] = (),
    ) -> None:
        """Add a column with so many decimals.

        expected: one earlier column, which this one lies near to, or two, of which the first lies
        in the middle between the second and this one: only the difference is kept, exactly.
        """
        numbers = fixed(values, decimals).astype(np.int64)
        self.whole[name] = numbers
        near = [self.whole[other] for other in expected]
        guess = near[0] if len(near) == 1 else 2 * near[0] - near[1] if near else 0 * numbers
        known = np.logical_and.reduce([column != MISSING_FIXED for column in (numbers, *near)])
        # where a neighbour is missing the number stands for itself
        rest = np.where(known, numbers - guess, numbers)
        present = rest[numbers != MISSING_FIXED]
        width = 2 if np.abs(present).max(initial=0) < 2**15 else 4
        rest = np.where(numbers == MISSING_FIXED, -(2 ** (8 * width - 1)), rest)
        about = {"expected": list(expected)} if expected else {}
        data = planes(folded(rest), width)
        self._add(name, data, kind="fixed", n=len(numbers), width=width, digits=decimals, **about)

    def significant(self, name: str, values: Sequence[float] | np.ndarray, digits: int = 3) -> None:
        """Add a column of values that are not negative, with so many significant digits."""
        mantissa, power = significant(values, digits)
        data = planes(mantissa, 2) + planes(folded(power), 2)
        self._add(name, data, kind="significant", n=len(mantissa), digits=digits)

    def words(self, name: str, values: pd.Series) -> None:
        """Add a column of few different words; a missing one is the empty word."""
        text = values.fillna("").astype(str)
        codes, words = pd.factorize(text, sort=True)
        if len(words) > 255:
            raise ValueError(f"{name}: more than 255 different words")
        self._add(
            name,
            codes.astype(np.uint8).tobytes(),
            kind="words",
            n=len(codes),
            words=[str(word) for word in words],
        )

    def same(self, name: str, block: str) -> None:
        """Add a column that another block of the page holds under the same name."""
        self.header[name] = {"at": self.size, "kind": "same", "block": block}

    def block(self) -> str:
        """Return header and columns as one block for the page."""
        head = json.dumps(self.header, separators=(",", ":")).encode("utf-8")
        start = len(head).to_bytes(4, "little")
        return squeeze(b"".join([start, head, *self.parts]))
