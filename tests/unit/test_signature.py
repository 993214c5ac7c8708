"""Signatures of a factor: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fibroserum.errors import InputError
from fibroserum.input.signature import on_genes, read_signature


def _signature(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_signature_is_read_and_found_in_the_matrix(tmp_path: Path) -> None:
    text = "gene\tdirection\nBGN\tdown\nENSG00000011465\tup\nNOSUCH1\tup\n"
    table = read_signature(_signature(tmp_path / "s.tsv", text))
    assert list(table.columns) == ["gene", "direction"]
    older = "gene\tdirection\tweight\tsource\nBGN\tdown\t\t\nENSG00000011465\tup\t2\tours\n"
    older += "NOSUCH1\tup\t-1\tours\n"
    pd.testing.assert_frame_equal(read_signature(_signature(tmp_path / "o.tsv", older)), table)
    annotation = pd.DataFrame(
        {
            "symbol": ["BGN", "DCN"],
            "ensembl": ["ENSG00000182492", "ENSG00000011465"],
            "entrez": ["633", "1634"],
            "match": "official",
        },
        index=["BGN", "DCN"],
    )
    directions, left_out = on_genes(table, annotation)
    assert dict(directions) == {"BGN": "down", "DCN": "up"}
    assert list(left_out) == ["NOSUCH1"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("BGN\tsideways", "column 'direction': "),
        ("\tup", "column 'gene': "),
        ("DCN\tup", "gene 'DCN' appears more than once"),
    ],
)
def test_a_wrong_signature_is_refused(tmp_path: Path, row: str, said: str) -> None:
    text = f"gene\tdirection\nDCN\tup\n{row}\n"
    with pytest.raises(InputError) as error:
        read_signature(_signature(tmp_path / "s.tsv", text))
    assert said in str(error.value)
    assert "row 3" in str(error.value)
    assert len(error.value.problems) == 1


def test_a_signature_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_signature(_signature(tmp_path / "s.tsv", "gene\tdirecton\nBGN\tup\n"))
    assert "has no column 'direction'" in str(error.value)
    assert "Did you mean 'directon'?" in str(error.value)
    assert len(error.value.problems) == 1
