"""A table of genes that the user brings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fibroserum.errors import InputError
from fibroserum.genes import mapping as genes


def test_own_annotation_decides_the_symbol(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("gene_id\tsymbol\tnote\nG1\tBGN\tx\nENSG00000108821.9\tMINE\t\nG9\t\t\n")
    own = genes.read_annotation(path)
    assert list(own) == ["gene_id", "symbol"]
    found = genes.annotate_with(own, ["G1", "G2X", "DCN"], "symbol")
    assert found["symbol"].tolist() == ["BGN", "G2X", "DCN"]
    assert found["entrez"].tolist() == ["633", "", "1634"]
    assert found["match"].tolist() == ["official", "unknown", "official"]
    assert genes.resolve(["BGN", "ENSG00000182492"], found)[0] == {
        "BGN": ["G1"],
        "ENSG00000182492": ["G1"],
    }
    found = genes.annotate_with(own, ["ENSG00000108821", "ENSG00000182492"], "ensembl")
    assert found["symbol"].tolist() == ["MINE", "BGN"]
    assert found["ensembl"].tolist() == ["ENSG00000108821", "ENSG00000182492"]


def test_own_annotation_with_further_ids(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,symbol,ensembl,entrez\nG1,XYZ1,ENSG00000000001,\n")
    found = genes.annotate_with(genes.read_annotation(path), ["G1"], "symbol")
    assert found.loc["G1", ["symbol", "ensembl", "entrez"]].tolist() == [
        "XYZ1",
        "ENSG00000000001",
        "",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("gene_id\tsymbl\nG1\tBGN\n", "has no column 'symbol'"),
        ("gene_id,symbol\nG1,BGN\nG1,DCN\n", "'G1' has several symbols"),
        ("", "is empty"),
        ("gene_id,symbol\na,b,c,d\ne,f,g,h,i,j\n", "row 2: has 4 cells; expected 2"),
    ],
)
def test_bad_own_annotations_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        genes.read_annotation(path)


def test_own_annotation_of_other_genes_is_refused() -> None:
    own = pd.DataFrame({"gene_id": ["X"], "symbol": ["BGN"]})
    with pytest.raises(InputError, match="none of the gene ids of the count matrix"):
        genes.annotate_with(own, ["G1"], "symbol")


@given(st.binary(max_size=200))
@example(b"gene_id\tsymbol\n\x00\t\xff")
@example(b'gene_id,symbol\n"')
def test_read_annotation_answers_or_refuses(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("own") / "own.tsv"
    path.write_bytes(content)
    try:
        columns = set(genes.read_annotation(path))
    except InputError:
        columns = {"gene_id", "symbol"}
    assert columns >= {"gene_id", "symbol"}


@pytest.mark.parametrize(
    ("rows", "entrez"),
    [
        # BioMart writes a row for each Entrez id; the bundled table says which is BGN's
        ("G1,BGN,ENSG1,100\nG1,BGN,ENSG1,633\n", "633"),
        ("G1,BGN,ENSG1,633\nG1,BGN,ENSG2,100\n", "633"),
        ("G1,XYZ1,ENSG1,7\nG1,XYZ1,ENSG1,8\n", "7"),
        ("G1,,ENSG1,100\nG1,BGN,ENSG1,\n", "633"),
    ],
)
def test_several_other_ids_of_one_gene_are_accepted(rows: str, entrez: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,symbol,ensembl,entrez\nG0,DCN,,\n" + rows)
    own = genes.read_annotation(path)
    assert own["gene_id"].tolist() == ["G0", "G1"]
    found = genes.annotate_with(own, ["G1", "G0"], "symbol")
    assert found["entrez"].tolist() == [entrez, "1634"]
    assert found["symbol"].tolist()[0] in ("BGN", "XYZ1")


def test_symbols_that_a_spreadsheet_changed_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,symbol\nENSG00000182492,BGN\nENSG00000168385,2-sept.\n")
    with pytest.raises(InputError, match=r"column 'symbol', gene 2: gene id '2-sept.' is a symbol"):
        genes.read_annotation(path)
