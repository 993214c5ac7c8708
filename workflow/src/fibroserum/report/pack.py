"""Numbers packed for the page: exact to the digits that are shown, and small.

Two encodings. `fixed`: an integer count of 10^-decimals. `significant`: a mantissa of so many
digits and a power of ten. Both are exactly what Python's formatting prints, so that the
page, which only puts the decimal point, can show nothing else than the tables hold. Bytes of equal
weight stand together, which gzip likes.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

MISSING_FIXED = -(2**31)
MISSING_MANTISSA = 0xFFFF


def squeeze(data: bytes) -> str:
    """Return bytes as base64 of gzip, the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode("ascii")


def squeeze_json(value: Any) -> str:
    """Return a JSON value as base64 of gzip."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return squeeze(text.encode("utf-8"))


def planes(numbers: np.ndarray, width: int) -> bytes:
    """Return little-endian integers: all their first bytes, then all second bytes, and so on."""
    packed = np.ascontiguousarray(numbers.astype(f"<i{width}"))
    return packed.view(np.uint8).reshape(-1, width).T.tobytes()


def significant(values: Sequence[float] | np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mantissa (uint16) and power of ten (int8) of each value, to `digits` digits.

    value = mantissa × 10^power. A missing value has the mantissa 65535. Negative values are not
    packed so. Raises ValueError for one, and for more than four digits.
    """
    numbers = np.asarray(values, dtype=float)
    if not 1 <= digits <= 4:
        raise ValueError(f"one to four digits, not {digits}")
    if np.nanmin(numbers, initial=0.0) < 0:
        raise ValueError("negative values are packed as fixed decimals")
    mantissa = np.full(len(numbers), MISSING_MANTISSA, dtype=np.uint16)
    power = np.zeros(len(numbers), dtype=np.int8)
    for i in np.flatnonzero(np.isfinite(numbers)):
        digits_text, power_text = f"{numbers[i]:.{digits - 1}e}".split("e")
        mantissa[i] = int(digits_text.replace(".", ""))
        # a double below 1e-128 is a p value nobody tells from zero; int8 holds no more
        power[i] = max(int(power_text) - digits + 1, -128) if mantissa[i] else 0
    return mantissa, power


def fixed(values: Sequence[float] | np.ndarray, decimals: int) -> np.ndarray:
    """Return values as integers of 10^-decimals (int32), rounded as Python prints them."""
    numbers = np.asarray(values, dtype=float)
    out = np.full(len(numbers), MISSING_FIXED, dtype=np.int64)
    for i in np.flatnonzero(np.isfinite(numbers)):
        out[i] = int(f"{numbers[i]:.{decimals}f}".replace(".", ""))
    if (np.abs(out[out != MISSING_FIXED]) >= 2**31).any():
        raise ValueError("a value is too large for fixed decimals")
    return out.astype(np.int32)


@dataclass
class Pack:
    """Columns of one length, packed one after the other, with a header that says where."""

    parts: list[bytes] = field(default_factory=list)
    header: dict[str, dict[str, Any]] = field(default_factory=dict)
    size: int = 0

    def _add(self, name: str, data: bytes, **about: Any) -> None:
        self.header[name] = {"at": self.size, **about}
        self.parts.append(data)
        self.size += len(data)

    def fixed(self, name: str, values: Sequence[float] | np.ndarray, decimals: int) -> None:
        """Add a column with so many decimals."""
        numbers = fixed(values, decimals)
        present = numbers[numbers != MISSING_FIXED]
        width = 2 if np.abs(present).max(initial=0) < 2**15 else 4
        missing = -(2 ** (8 * width - 1))
        numbers = np.where(numbers == MISSING_FIXED, missing, numbers)
        self._add(
            name, planes(numbers, width), kind="fixed", n=len(numbers), width=width, digits=decimals
        )

    def significant(self, name: str, values: Sequence[float] | np.ndarray, digits: int = 3) -> None:
        """Add a column of values that are not negative, with so many significant digits."""
        mantissa, power = significant(values, digits)
        data = planes(mantissa.astype(np.int32), 4)[: 2 * len(mantissa)] + power.tobytes()
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

    def block(self) -> str:
        """Return header and columns as one block for the page."""
        head = json.dumps(self.header, separators=(",", ":")).encode("utf-8")
        start = len(head).to_bytes(4, "little")
        return squeeze(b"".join([start, head, *self.parts]))
