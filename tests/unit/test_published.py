"""The published values: read, and what their log2 ratios are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibroserum.errors import InputError
from fibroserum.input.published import read_published


def test_bgn_is_as_in_the_paper(repository: Path) -> None:
    table = read_published(repository / "resources/published/nishikori_2023_table2.tsv")
    bgn = table.set_index(["gene", "group"]).loc["BGN"]
    assert bgn.loc["RT", "log2_ratio"] == pytest.approx(0.147, abs=5e-4)
    assert bgn.loc["AT", "log2_ratio"] == pytest.approx(0.055, abs=5e-4)
    by_hand = np.hypot(0.024 / 0.723, 0.019 / 0.653) / np.log(2)
    assert bgn.loc["RT", "log2_ratio_se"] == pytest.approx(by_hand)


def test_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text("gene\tgruop\nBGN\tRT\n")
    with pytest.raises(InputError, match="Did you mean 'gruop'"):
        read_published(path)
    head = "gene\tgroup\tpairs\tbefore\tbefore_se\tafter\tafter_se\tp\n"
    path.write_text(head + "BGN\tRT\t30\t-1\t0.1\tx\t0.1\t0.2\n")
    said = r"column 'before': '-1' is no[\s\S]*column 'after': 'x' is"
    with pytest.raises(InputError, match=said):
        read_published(path)


def test_spaces_around_names_mean_nothing_and_a_gene_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    head = "gene,group,pairs,before,before_se,after,after_se,p\n"
    path.write_text(head + "BGN , RT,30,1,0.1,2,0.1,0.2\n")
    table = read_published(path)
    assert table.loc[0, ["gene", "group", "log2_ratio"]].tolist() == ["BGN", "RT", 1.0]
    path.write_text(head + " ,RT,30,1,0.1,2,0.1,0.2\n")
    with pytest.raises(InputError, match="column 'gene': the cell is empty"):
        read_published(path)
