"""What a report's page holds in its blocks of data, unpacked as its own script does."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import numpy as np
import pandas as pd


def block(page: str, name: str) -> bytes:
    """Return a block's bytes."""
    found = re.search(rf'id="block-{name}">([^<]*)</script>', page)
    assert found, name
    return gzip.decompress(base64.b64decode(found.group(1)))


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
    raw = gzip.decompress(base64.b64decode(data))
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
    shown = (middle[:, None] + rest.reshape(len(ids), len(samples))) / 100
    return pd.DataFrame(shown, ids, samples)
