"""What a report's page holds in its blocks of data, unpacked as its own script does."""

from __future__ import annotations

import base64
import gzip
import json
import re

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


def levels(page: str) -> pd.DataFrame:
    """Return the levels that the page shows of each gene, genes × samples."""
    held = json.loads(block(page, "genes"))
    ids, samples = held["index"]["id"], [one["sample"] for one in held["samples"]]
    middle = signed(block(page, "levels-middle"), len(ids), 2)
    rest = signed(block(page, "levels-rest"), len(ids) * len(samples), 2)
    shown = (middle[:, None] + rest.reshape(len(ids), len(samples))) / 100
    return pd.DataFrame(shown, ids, samples)
