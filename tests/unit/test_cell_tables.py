"""The table that names each cell's sample: comments above its header, as in any other table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fibroserum.counts import read_counts
from helpers import count_files as files

CELLS = {"sample": "donor_time", "min_cells": 10}


@pytest.mark.parametrize("build", [files.ten_x_h5, files.ten_x_mtx], ids=["h5", "mtx"])
def test_comments_above_the_header_are_left_out(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = build(tmp_path)
    folder = path if path.is_dir() else path.parent
    plain = read_counts([path], cells=CELLS).counts
    (table,) = [one for one in folder.iterdir() if one.suffix == ".csv"]
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    text = "# exported on Monday\n# by hand\n" + rows.to_csv(index=False, quoting=1)
    table.write_text(text, encoding="utf-8")
    pd.testing.assert_frame_equal(read_counts([path], cells=CELLS).counts, plain)
