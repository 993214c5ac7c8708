"""The table that names each cell's sample: how it is read, and that it is an input of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fibroserum.counts import read_counts
from fibroserum.files.companions import read_along
from fibroserum.input import config as configuration
from fibroserum.input.paths import input_paths
from fibroserum.input.schema import config_schema
from helpers import count_files as files
from helpers.small_cohort import good

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


def test_the_table_beside_single_cells_is_an_input(tmp_path: Path) -> None:
    """An edit of it must run the counts again; an edit of any other file must not."""
    h5 = files.ten_x_h5(tmp_path)
    mtx = files.ten_x_mtx(tmp_path)
    (tmp_path / "h5" / "notes.txt").write_text("donor_time is a column of the other table\n")
    (tmp_path / "h5" / "folder").mkdir()
    column = "donor_time"
    assert read_along(h5, column) == [str(tmp_path / "h5" / "metadata.csv")]
    names = ["barcodes.tsv.gz", "features.tsv.gz", "metadata.csv"]
    assert read_along(mtx / "matrix.mtx.gz", column) == [str(mtx / name) for name in names]
    assert read_along(mtx, column) == []
    assert read_along(tmp_path / "nowhere" / "x.h5", column) == []
    config = {**configuration.resolve(good().config, config_schema())[0], "counts": [str(h5)]}
    config["cells"] = {"sample": column, "min_cells": 10}
    assert input_paths(config)["cells"] == [str(tmp_path / "h5" / "metadata.csv")]
