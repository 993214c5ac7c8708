"""Which kind of id a matrix has, and what is no human gene."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fibroserum.errors import InputError
from fibroserum.genes import ids as gene_ids
from fibroserum.genes import mapping as genes
from fibroserum.genes.table import bundled, load_table


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["BGN", "DCN", "COL1A1"], "symbol"),
        (["BGN", "AC012345.1", "RP11-34P13.7", "DCN"], "symbol"),
        (["CTGF", "CYR61"], "symbol"),
        (["ENSG00000182492.14", "ENSG00000108821"], "ensembl"),
        (["ENSG00000182378.14_PAR_Y", "ENSGR0000182378.10"], "ensembl"),
        (["ENSG00000182492.14_2"], "ensembl"),
        (["633", "1634", "1462"], "entrez"),
        (["__no_feature", "N_unmapped", "ERCC-00002", "BGN"], "symbol"),
        (["ENSG00000182492", "ENSG00000108821", "ERCC-00002", "eGFP"], "ensembl"),
    ],
)
def test_recognises(ids: list[str], kind: str) -> None:
    assert gene_ids.recognise(ids) == kind


@pytest.mark.parametrize(
    ("ids", "said", "advised"),
    [
        ([], "no gene ids", ""),
        (["ENSMUSG00000031375.18"], "Ensembl ids of mouse", "orthologues"),
        (["ENSABCG00000031375"], "another species, ABC", "orthologues"),
        (["Bgn", "Dcn", "Col1a1", "Vcan"], "mouse or rat symbols", "orthologues"),
        (["ENST00000331595.9"], "Ensembl transcripts", "tx2gene"),
        (["NM_001711.6", "NM_000088"], "RefSeq transcripts", "tx2gene"),
        (["ENSP00000327336"], "Ensembl proteins", ""),
        (["213905_x_at", "1007_s_at"], "microarray probes", ""),
        (["ILMN_1651209"], "microarray probes", ""),
        (["ENSG00000182492|BGN"], "joined", "one kind of id"),
        (["ENSG00000182492_BGN"], "joined", "one kind of id"),
        (["BGN|633", "DCN|1634"], "joined", "one kind of id"),
        (["0", "1", "2"], "row numbers", "first"),
        (["1", "2", "3", "4"], "row numbers", "first"),
        (["99999999", "99999997"], "human Entrez ids", ""),
        (["foo", "bar1", "baz-2"], "human gene symbols", "genes.annotation"),
        (["ENSG00000182492", "633", "BGN"], "several kinds", ""),
    ],
)
def test_refuses_what_is_no_human_gene(ids: list[str], said: str, advised: str) -> None:
    with pytest.raises(InputError) as caught:
        gene_ids.recognise(ids, "counts.tsv")
    (problem,) = caught.value.problems
    assert said in problem.what
    assert problem.where == "counts.tsv"
    assert advised in problem.hint


def test_own_annotation_lets_any_ids_in() -> None:
    assert gene_ids.recognise(["ENSMUSG00000031375"], own={"ENSMUSG00000031375"}) == "symbol"
    assert gene_ids.recognise(["99999999"], own={"99999999"}) == "entrez"


@given(st.lists(st.text(max_size=12), max_size=20))
@example(["1" * 10, "٣"])
def test_recognise_answers_or_refuses(ids: list[str]) -> None:
    try:
        kind = gene_ids.recognise(ids)
    except InputError as error:
        assert len(error.problems) == 1  # noqa: PT017 (both ends are right)
    else:
        assert len(genes.annotate(ids, kind)) == len(ids)


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("2-Sep", "SEPTIN2"),
        ("Sep-02", "SEPTIN2"),
        ("02-Sep-19", "SEPTIN2"),
        ("2. Sep", "SEPTIN2"),
        ("2019-09-02", "SEPTIN2"),
        ("2019-09-02 00:00:00", "SEPTIN2"),
        ("9/2/2019", "SEPTIN2"),
        ("1-Mar", "MARCHF1 or MTARC1"),
        ("10. Mrz", "MARCHF10"),
        ("7-Mars", "MARCHF7"),
        ("01.03.2020", "MARCHF1 or MTARC1"),
        ("44075", "SEPTIN1"),
        ("15-Sep", "SELENOF"),
        ("1-Dec", "DELEC1"),
        ("2.31E+13", ""),
        ("1.00E+08", ""),
        ("633.0", "633"),
        ("23100000000000", ""),
        # as spreadsheets of other countries write 2 September, 2 March and 1 December
        *(
            (text, "SEPTIN2.")
            for text in (
                "2006/09/02",
                "2006.9.2",
                "02/09/2006",
                "02-09-06",
                "02.09.",
                "2.9",
                "9/2",
                "02-set",
                "2 de set",
                "2 de setembro de 2006",
                "2-sept.-06",
                "02-SEP",
                "2. září",
                "2-wrz",
                "2.syys",
                "2. rujna 2006",
                "2-сен",
                "2-Eyl",
                "9月2日",
                "2006年9月2日",
                "9월 2일",
                "September 2, 2006",
                "2006-09-02T00:00:00",
            )
        ),
        *(
            (text, "MARCHF2 or MTARC2")
            for text in ("2-mrt", "2 mars", "2-мар", "2. März", "2-marzo")
        ),
        *((text, "DELEC1") for text in ("1-déc", "1. prosince", "1-dic")),
    ],
)
def test_mangled_ids_are_found(name: str, likely: str) -> None:
    (problem,) = gene_ids.mangled(["BGN", name, "DCN"], "counts.tsv")
    assert f"'{name}'" in problem.what
    assert problem.where == "counts.tsv, gene 2"
    assert likely in problem.hint


def test_no_gene_of_the_table_is_mangled() -> None:
    table = load_table()
    names = [*bundled().alias, *table["symbol"], *bundled().ensembl]
    assert gene_ids.mangled(names) == []
    assert gene_ids.mangled(table["entrez"].tolist()) == []


@pytest.mark.parametrize(
    "name", ["NKX2-1", "OCT-2", "APR-1", "DEC-205", "RP11-34P13.7", "AC012345.1", "7SK", "MARC1"]
)
def test_names_with_numbers_are_no_dates(name: str) -> None:
    assert gene_ids.mangled(["BGN", name]) == []


def test_all_septins_and_marches_are_named_again() -> None:
    for number in range(1, 13):
        (problem,) = gene_ids.mangled(["BGN", f"{number}-Sep"])
        assert f"SEPTIN{number}." in problem.hint
    for number in range(1, 12):
        (problem,) = gene_ids.mangled(["BGN", f"{number}-Mar"])
        assert f"MARCHF{number}" in problem.hint


@given(st.lists(st.text(max_size=24), max_size=10))
def test_mangled_never_fails(ids: list[str]) -> None:
    assert len(gene_ids.mangled(ids)) <= len(ids)
