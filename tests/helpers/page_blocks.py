"""What a report's page holds in its blocks of data, unpacked as its own script does."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import numpy as np
import pandas as pd

LETTERS = (chr(code) for code in range(33, 127) if chr(code) not in "<>&")
DIGITS = {letter: digit for digit, letter in enumerate(LETTERS)}


def packed(text: str) -> bytes:
    """Return the bytes of a text in which two characters are 13 bits, a last one fewer."""
    digits = list(map(DIGITS.__getitem__, text))
    pairs = zip(digits[::2], digits[1::2], strict=False)
    bits = "".join(f"{91 * first + second:013b}" for first, second in pairs)
    if len(digits) % 2:
        lacking = -len(bits) % 8
        bits += f"{digits[-1]:0{lacking}b}"
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))


def unsqueezed(text: str) -> bytes:
    """Return what a block's text holds."""
    return gzip.decompress(packed(text))


def block(page: str, name: str) -> bytes:
    """Return a block's bytes."""
    found = re.search(rf'id="block-{name}">([^<]*)</script>', page)
    assert found, name
    return unsqueezed(found.group(1))


def signed(data: bytes, count: int, width: int) -> np.ndarray:
    """Return `count` whole numbers of `width` bytes each, which lie in planes."""
    planes = np.frombuffer(data[: count * width], dtype=np.uint8).reshape(width, count)
    whole = sum(planes[i].astype(np.int64) << (8 * i) for i in range(width))
    return np.where(whole % 2, -(whole + 1) // 2, whole // 2)


def _fixed(body: bytes, about: dict[str, Any], made: dict[str, Any]) -> np.ndarray:
    rest = signed(body[about["at"] :], about["n"], about["width"]).astype(float)
    rest[rest == -(2 ** (8 * about["width"] - 1))] = np.nan
    near = [made[name] for name in about.get("expected", ())]
    guess = near[0] if len(near) == 1 else 2 * near[0] - near[1] if near else 0 * rest
    return rest + np.nan_to_num(guess)


def _significant(body: bytes, about: dict[str, Any]) -> np.ndarray:
    count = about["n"]
    data = body[about["at"] :]
    low, high = (
        np.frombuffer(data[i * count : (i + 1) * count], dtype=np.uint8).astype(int) for i in (0, 1)
    )
    mantissa = low + 256 * high
    power = signed(data[2 * count :], count, 2)
    return np.array(
        [np.nan if m == 0xFFFF else float(f"{m}e{p}") for m, p in zip(mantissa, power, strict=True)]
    )


def header(data: str) -> dict[str, dict[str, Any]]:
    """Return where the columns of a contrast's block are."""
    raw = unsqueezed(data)
    return json.loads(raw[4 : 4 + int.from_bytes(raw[:4], "little")])


def columns(page: str, number: int) -> dict[str, np.ndarray]:
    """Return the columns of a contrast that the page holds."""
    name = f"contrast-{number}"
    raw = block(page, name)
    length = int.from_bytes(raw[:4], "little")
    body = raw[4 + length :]
    whole: dict[str, Any] = {}
    made: dict[str, np.ndarray] = {}
    for column, about in json.loads(raw[4 : 4 + length]).items():
        if about["kind"] == "same":
            made[column] = columns(page, int(about["block"].removeprefix("contrast-")))[column]
        elif about["kind"] == "fixed":
            whole[column] = _fixed(body, about, whole)
            made[column] = whole[column] / 10 ** about["digits"]
        elif about["kind"] == "significant":
            made[column] = _significant(body, about)
        else:
            codes = body[about["at"] : about["at"] + about["n"]]
            made[column] = np.array([about["words"][code] for code in codes])
    return made


def levels(page: str) -> pd.DataFrame:
    """Return the levels that the page shows of each gene, genes × samples."""
    held = json.loads(block(page, "genes"))
    ids, samples = held["index"]["id"], [one["sample"] for one in held["samples"]]
    middle = signed(block(page, "levels-middle"), len(ids), 2)
    rest = signed(block(page, "levels-rest"), len(ids) * len(samples), 2)
    order = np.argsort(middle, kind="stable")
    shown = np.empty((len(ids), len(samples)))
    shown[order] = (middle[order, None] + rest.reshape(shown.shape)) / 100
    return pd.DataFrame(shown, ids, samples)
