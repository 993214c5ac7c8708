"""Gene identity: the bundled table, recognising, mapping and finding genes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fibroserum.errors import InputError
from fibroserum.genes import ids as gene_ids
from fibroserum.genes import mapping as genes
from fibroserum.genes.table import bundled, load_table

PANEL = [
    "BGN",
    "DCN",
    "VCAN",
    "HAS1",
    "HAS2",
    "COL1A1",
    "COL1A2",
    "COL3A1",
    "COL5A1",
    "COL6A1",
    "COL12A1",
    "COL14A1",
]


def small_table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Return a gene table of (symbol, ensembl, entrez, aliases)."""
    table = pd.DataFrame(rows, columns=["symbol", "ensembl", "entrez", "aliases"])
    return table.assign(chromosome="1", type="protein-coding", name="a gene")


# --- the table -----------------------------------------------------------------------------------


def test_table_has_one_row_a_gene() -> None:
    table = load_table()
    assert list(table) == ["symbol", "ensembl", "entrez", "chromosome", "type", "name", "aliases"]
    assert len(table) == 63_805
    assert table["entrez"].is_unique
    assert (table["symbol"] != "").all()
    ids = table["ensembl"].str.split("|").explode()
    assert ids[ids != ""].str.fullmatch(r"ENSG\d{11}").all()


def test_table_agrees_with_annotationdbi(repository: Path) -> None:
    with (repository / "tests/golden/genes/genes.tsv").open(newline="") as file:
        reference = list(csv.DictReader(file, delimiter="\t"))
    table = load_table().set_index("symbol")
    for row in reference:
        ours = table.loc[row["SYMBOL"]]
        assert ours["entrez"] == row["ENTREZID"]
        assert row["ENSEMBL"] in ours["ensembl"].split("|")
    assert len(reference) >= 21


def test_primary_ensembl_ids_are_those_of_the_reference_genome() -> None:
    primary = load_table().set_index("symbol")["ensembl"].str.partition("|")[0]
    assert primary["HLA-A"] == "ENSG00000206503"
    assert primary["CYP2D6"] == "ENSG00000100197"
    assert primary["BGN"] == "ENSG00000182492"


def test_mitochondrial_genes_have_their_hgnc_names() -> None:
    table = load_table()
    mitochondrial = table[table["chromosome"] == "MT"]
    assert len(mitochondrial) == 37
    assert mitochondrial["symbol"].str.startswith("MT-").all()
    assert {"MT-CO1", "MT-CYB", "MT-RNR2", "MT-TL1", "MT-ND4L"} <= set(mitochondrial["symbol"])


def test_shared_ensembl_id_goes_to_the_named_protein_coding_gene() -> None:
    found = genes.annotate(["ENSG00000100197", "ENSG00000086200", "ENSG00000063587"], "ensembl")
    assert list(found["symbol"]) == ["CYP2D6", "IPO11", "ZNF275"]


def test_previous_symbols_are_no_official_ones_and_lead_somewhere(repository: Path) -> None:
    table = pd.read_csv(repository / "resources/genes/previous_symbols.tsv", sep="\t", dtype=str)
    index = bundled()
    for previous, symbol in zip(table["previous"], table["symbol"], strict=True):
        assert previous not in index.symbol
        assert index.symbols[index.alias[previous]] == symbol


# --- recognising ---------------------------------------------------------------------------------


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


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=20))
@example(["1" * 10, "٣"])
def test_recognise_answers_or_refuses(ids: list[str]) -> None:
    try:
        kind = gene_ids.recognise(ids)
    except InputError as error:
        refused, mapped = len(error.problems), 0
    else:
        refused, mapped = 0, len(genes.annotate(ids, kind))
    assert (refused, mapped) in ((1, 0), (0, len(ids)))


# --- mapping -------------------------------------------------------------------------------------


def test_versions_come_off_and_par_y_stays_apart() -> None:
    ids = [
        "ENSG00000182492.14",
        "ENSG00000182378.15_PAR_Y",
        "ENSGR0000182378.10",
        " ENSG00000182378",
    ]
    assert gene_ids.canonical(ids, "ensembl") == [
        "ENSG00000182492",
        "ENSG00000182378_PAR_Y",
        "ENSG00000182378_PAR_Y",
        "ENSG00000182378",
    ]
    found = genes.annotate(ids[:2] + ids[3:], "ensembl")
    assert list(found["match"]) == ["official", "secondary", "official"]
    assert list(found["symbol"]) == ["BGN", "PLCXD1", "PLCXD1"]
    assert list(found["ensembl"])[1:] == ["ENSG00000182378", "ENSG00000182378"]


def test_official_symbols_come_before_aliases() -> None:
    found = genes.annotate(["CCL28", "ENC1", "PF4"], "symbol")
    assert list(found["entrez"]) == ["56477", "8507", "5196"]
    assert set(found["match"]) == {"official"}
    # Without CCL28 in the matrix, CCL28 is still no other gene.
    named, unmapped = genes.resolve(["CCL28"], genes.annotate(["ENC1", "PF4"], "symbol"))
    assert named == {}
    assert unmapped == ["CCL28"]


def test_aliases() -> None:
    found = genes.annotate(["CTGF", "COX1", "NOV", "SEPT2", "novel", "CYR61", "CCN1"], "symbol")
    assert found["match"].to_dict() == {
        "CTGF": "alias",
        "COX1": "ambiguous",
        "NOV": "alias",
        "SEPT2": "alias",
        "novel": "unknown",
        "CYR61": "shadowed",
        "CCN1": "official",
    }
    assert list(found["symbol"]) == ["CCN2", "COX1", "CCN3", "SEPTIN2", "novel", "CYR61", "CCN1"]
    assert found.loc["COX1", "entrez"] == found.loc["CYR61", "entrez"] == ""


def test_what_is_no_name_is_no_gene() -> None:
    found = genes.annotate(["NA", "", "BGN"], "symbol")
    assert list(found["match"]) == ["unknown", "unknown", "official"]
    assert genes.resolve(["NA", ""], found) == ({}, ["NA", ""])


@pytest.mark.parametrize("id_type", ["symbol", "ensembl", "entrez"])
def test_every_kind_of_id_leads_to_the_same_genes(id_type: gene_ids.IdType) -> None:
    table = load_table().set_index("symbol", drop=False).loc[PANEL]
    ids = table[id_type].str.partition("|")[0].tolist()
    found = genes.annotate(ids, id_type)
    assert list(found.columns) == ["symbol", "ensembl", "entrez", "chromosome", "type", "match"]
    assert found.index.tolist() == ids
    assert found["symbol"].tolist() == PANEL
    assert found["entrez"].tolist() == table["entrez"].tolist()
    assert found["ensembl"].tolist() == table["ensembl"].str.partition("|")[0].tolist()
    for names in (PANEL, table["entrez"], table["ensembl"].str.partition("|")[0] + ".7"):
        named, unmapped = genes.resolve(names, found)
        assert unmapped == []
        assert list(named.values()) == [[gene_id] for gene_id in ids]


def test_empty_matrix() -> None:
    for id_type in ("symbol", "ensembl", "entrez"):
        assert genes.annotate([], id_type).shape == (0, 6)
    assert genes.resolve(["BGN"], genes.annotate([], "symbol")) == ({}, ["BGN"])


def test_annotates_with_any_table() -> None:
    table = small_table(("AAA", "ENSG00000000001", "11", "OLD|BOTH"), ("BBB", "", "12", "BOTH"))
    found = genes.annotate(["OLD", "BBB", "BOTH"], "symbol", table)
    assert found["symbol"].tolist() == ["AAA", "BBB", "BOTH"]
    assert found["match"].tolist() == ["alias", "official", "ambiguous"]
    assert genes.resolve(["AAA", "11", "BOTH"], found, table)[0] == {
        "AAA": ["OLD"],
        "11": ["OLD"],
        "BOTH": ["BOTH"],
    }


def test_the_official_row_of_a_gene_is_taken() -> None:
    table = load_table().set_index("symbol")
    ids = table.loc["HLA-A", "ensembl"].split("|")
    named, _ = genes.resolve(["HLA-A", ids[2]], genes.annotate(ids[::-1], "ensembl"))
    assert named == {"HLA-A": [ids[0]], ids[2]: [ids[2]]}
    # Where the official one is not in the matrix, the others are.
    named, _ = genes.resolve(["HLA-A"], genes.annotate(ids[1:3], "ensembl"))
    assert named == {"HLA-A": ids[1:3]}


def test_why_a_name_was_not_found() -> None:
    found = genes.annotate(["BGN", "DCN"], "symbol")
    assert "alias of several genes: MT-CO1, PTGS1" in genes.why_unmapped("COX1", found)
    assert "'CCL28' is a human gene, but not in" in genes.why_unmapped("CCL28", found)
    assert "'CTGF' (CCN2) is a human gene" in genes.why_unmapped("CTGF", found)
    assert "Did you mean 'BGN'?" in genes.why_unmapped("BGNN", found)


def test_older_symbols_find_their_entrez_ids(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("lung_fibroblast_hypoxia/genes.tsv")
    reference = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    reference = reference[~reference["hgnc_symbol"].isin(["", "NA"])]
    reference = reference[~reference["hgnc_symbol"].duplicated(keep=False)]
    reference = reference[reference["entrez"].isin(load_table()["entrez"])]
    found = genes.annotate(reference["hgnc_symbol"].tolist(), "symbol")
    mapped = (found["entrez"] != "").to_numpy()
    assert mapped.mean() > 0.99
    assert (found["entrez"].to_numpy() == reference["entrez"].to_numpy())[mapped].mean() > 0.99


@pytest.mark.parametrize(
    ("name", "kind", "mapped"),
    [
        ("airway/counts.tsv.gz", "ensembl", 0.54),
        ("lung_fibroblast_hypoxia/counts.tsv.gz", "entrez", 0.97),
    ],
)
def test_real_matrices(
    shared_data: Callable[[str], Path], name: str, kind: gene_ids.IdType, mapped: float
) -> None:
    ids = pd.read_csv(shared_data(name), sep="\t", usecols=[0], dtype=str).iloc[:, 0].tolist()
    assert gene_ids.recognise(ids) == kind
    assert gene_ids.mangled(ids) == []
    found = genes.annotate(ids, kind)
    assert found.index.tolist() == ids
    assert (found["match"] != "unknown").mean() > mapped
    named, unmapped = genes.resolve([*PANEL, "CCL28", "PF4"], found)
    assert unmapped == []
    assert all(len(rows) == 1 for rows in named.values())


# --- spreadsheets --------------------------------------------------------------------------------


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


def test_all_septins_and_marches_are_named_again() -> None:
    for number in range(1, 13):
        (problem,) = gene_ids.mangled(["BGN", f"{number}-Sep"])
        assert f"SEPTIN{number}." in problem.hint
    for number in range(1, 12):
        (problem,) = gene_ids.mangled(["BGN", f"{number}-Mar"])
        assert f"MARCHF{number}" in problem.hint


@settings(deadline=None)
@given(st.lists(st.text(max_size=24), max_size=10))
def test_mangled_never_fails(ids: list[str]) -> None:
    assert len(gene_ids.mangled(ids)) <= len(ids)


# --- own annotation ------------------------------------------------------------------------------


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
        ("gene_id\tsymbl\nG1\tBGN\n", "column 'symbol' is missing"),
        ("gene_id,symbol\nG1,BGN\nG1,DCN\n", "'G1' has several symbols"),
        ("", "is empty"),
        ("gene_id,symbol\na,b,c,d\ne,f,g,h,i,j\n", "row 2: has 4 fields; expected 2"),
    ],
)
def test_bad_own_annotations_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        genes.read_annotation(path)


def test_own_annotation_of_other_genes_is_refused() -> None:
    own = pd.DataFrame({"gene_id": ["X"], "symbol": ["BGN"]})
    with pytest.raises(InputError, match="none of the matrix' gene ids"):
        genes.annotate_with(own, ["G1"], "symbol")


@settings(deadline=None)
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
