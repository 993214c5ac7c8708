"""Gene identity: the bundled table, recognising, mapping and finding genes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fibroserum.errors import InputError
from fibroserum.genes import ids as gene_ids
from fibroserum.genes import mapping as genes
from fibroserum.genes.table import PREVIOUS_SYMBOLS, build_lookup, bundled, load_table

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


def test_previous_symbols_are_no_official_ones_and_lead_somewhere() -> None:
    table = pd.read_csv(PREVIOUS_SYMBOLS, sep="\t", dtype=str)
    index = bundled()
    for previous, symbol in zip(table["previous"], table["symbol"], strict=True):
        assert previous not in index.symbol
        assert index.symbols[index.alias[previous]] == symbol


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


def test_names_in_capitals_are_read_where_they_are_one_gene() -> None:
    found = genes.annotate(["C9ORF72", "BGN", "c9orf72", "Bgn"], "symbol")
    assert list(found["match"]) == ["alias", "official", "unknown", "unknown"]
    assert found["symbol"]["C9ORF72"] == "C9orf72"
    assert found["entrez"]["C9ORF72"] == load_table().set_index("symbol").loc["C9orf72", "entrez"]
    assert genes.capitals_note(found) == [
        "symbols in capitals are matched to their genes (1): C9ORF72 is C9orf72"
    ]
    # and a set or a target in capitals finds the gene, whatever the matrix calls it
    for row in ("C9ORF72", "C9orf72"):
        named, _ = genes.resolve(["C9ORF72", "C9orf72"], genes.annotate([row], "symbol"))
        assert named == {"C9ORF72": [row], "C9orf72": [row]}
    both = genes.annotate(["C9ORF72", "C9orf72"], "symbol")
    assert list(both["match"]) == ["shadowed", "official"]


def test_no_name_in_capitals_is_another_genes() -> None:
    index = bundled()
    assert len(index.capitals) > 1000
    assert not index.capitals.keys() & (index.symbol.keys() | index.alias.keys())
    table = small_table(("Ab", "", "1", ""), ("aB", "", "2", "Cd"), ("x", "", "3", "cD|Ef"))
    lookup = build_lookup(table)
    assert lookup.capitals == {"X": 2, "EF": 2}


def test_names_near_a_gene_are_found() -> None:
    found = genes.annotate(["bgn", "DCN", "GRCh38_BGN", "B.G.N", "BGNX"], "symbol")
    assert genes.near_names("BGN", found) == ["bgn", "GRCh38_BGN", "B.G.N"]
    assert genes.near_names("DCN", found) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        *((name, True) for name in ("BGN (human)", "BGN-001", "Human-BGN", "gene-BGN", "bgn-hsa",
                                    "BGN [Homo sapiens]", "hg38-BGN", "BGN.human", "BGN 633")),
        *((name, False) for name in ("BGN-AS1", "BGN-DT2", "LNC-BGN", "BGN-BGNL", "BGN-2X")),
    ],
)  # fmt: skip
def test_names_with_more_around_a_gene(name: str, near: bool) -> None:
    found = genes.annotate([name, "DCN"], "symbol")
    assert genes.near_names("BGN", found) == [name] * near


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("gene-{}", "They begin with 'gene-'. Remove this text."),
        ("hg38_{}", "They begin with 'hg38_'. Remove this text."),
        ("{} (human)", "They end with ' (human)'. Remove this text."),
        ("{}-001", "They end with '-001'. Remove this text."),
        ("{}xyz", "Provide genes.annotation"),
    ],
)
def test_a_text_around_all_symbols_is_named(form: str, hint: str) -> None:
    names = ["BGN", "DCN", "VCAN", "LUM", "HLA-A", "NKX2-1", "COL1A1", "FN1"]
    with pytest.raises(InputError) as error:
        gene_ids.recognise([form.format(name) for name in names])
    assert hint in str(error.value)
    assert gene_ids.recognise(names) == "symbol"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (
            ["BGN", "BGN.1", "BGN.2", "DCN", "DCN-1"],
            {"BGN.1": "BGN", "BGN.2": "BGN", "DCN-1": "DCN"},
        ),
        (["633", "633.1"], {"633.1": "633"}),
        (["BGN", "BGN.1", "BGN.1-1"], {"BGN.1": "BGN", "BGN.1-1": "BGN.1"}),
        (["ENSG00000182492", "ENSG00000182492-1"], {"ENSG00000182492-1": "ENSG00000182492"}),
        (["BGN.1", "DCN.0", "DCN", "DCN.01"], {}),
        # names that end in a number of their own, with their stems beside them
        (["NKX2", "NKX2-1", "HLA-DQB1", "KRTAP5", "KRTAP5-1", "OCT", "OCT-2"], {}),
        (
            ["RP11-34P13", "RP11-34P13.7", "AC012345", "AC012345.1", "CTD-2135J3", "CTD-2135J3.4"],
            {},
        ),
        (["vector", "vector-1"], {"vector-1": "vector"}),
        # capitals beside the gene's own spelling, numbered or not
        (["CXorf66", "CXORF66"], {"CXORF66": "CXorf66"}),
        (["CXORF66", "CXorf66.1"], {"CXorf66.1": "CXORF66"}),
        (["CXorf66", "CXORF66-1"], {"CXORF66-1": "CXorf66"}),
        (["CXORF66", "CXORF66.1"], {"CXORF66.1": "CXORF66"}),
        (["CXORF66", "C9ORF72", "MIR21", "mir21"], {}),
    ],
)
def test_ids_that_a_tool_made_unique(ids: list[str], expected: dict[str, str]) -> None:
    assert genes.copies(ids) == expected
    assert genes.copies(ids, own=set(ids)) == {}
