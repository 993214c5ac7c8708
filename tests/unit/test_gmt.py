"""Reading GMT files: an answer or an InputError, never anything else."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fibroserum.enrichment.membership import restrict
from fibroserum.errors import InputError, Problem
from fibroserum.genes import gmt
from fibroserum.genes.gmt import GeneSet, check_human, map_sets, read_gmt
from fibroserum.genes.mapping import annotate

TWO = [
    GeneSet("two", "A", "first", ("BGN", "DCN")),
    GeneSet("two", "B", "", ("LUM", "BGN", "VCAN")),
]


@pytest.mark.parametrize(
    "content",
    [
        b"A\tfirst\tBGN\tDCN\nB\t\tLUM\tBGN\tVCAN\n",
        b"A\tfirst\tBGN\tDCN\nB\t\tLUM\tBGN\tVCAN",
        b"A\tfirst\tBGN\tDCN\r\nB\t\tLUM\tBGN\tVCAN\r\n",
        b"A\tfirst\tBGN\tDCN\rB\t\tLUM\tBGN\tVCAN\r",
        b"\xef\xbb\xbfA\tfirst\tBGN\tDCN\nB\t\tLUM\tBGN\tVCAN\n",
        b"\n\nA\tfirst\tBGN\tDCN\n\t\n  \nB\t\tLUM\tBGN\tVCAN\n\n",
        b"A\tfirst\tBGN\tDCN\tBGN\t\t\nB\t\tLUM\tBGN\tVCAN\tLUM\n",
        b" A \tfirst\t BGN\tDCN \nB\t\t\tLUM\tBGN\t\tVCAN\n",
        b'"A"\t"first"\t"BGN"\t"DCN"\nB\t""\t\'LUM\'\tBGN\tVCAN\n',
        "A\tfirst\tB\u200bGN\tDCN\u200b\nB\t\u200b\t\ufeffLUM\tBGN\t\u200d\tVCAN\n".encode(),
    ],
    ids=[
        *("plain", "no-newline", "windows", "mac", "bom", "empty-lines", "duplicates", "spaces"),
        *("quotes", "zero-width"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_reads_every_honest_variant(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = tmp_path / ("two.gmt.gz" if packed else "two.gmt")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_gmt(path) == TWO


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "two.gmt"
    path.write_bytes(gzip.compress(b"A\tfirst\tBGN\tDCN\nB\t\tLUM\tBGN\tVCAN\n", mtime=0))
    assert read_gmt(path) == TWO


def test_all_problems_are_listed_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "bad.gmt"
    path.write_text("A\td\tBGN\n\nA\td\tDCN\nB,b\nC\td\nD\td\t\t\n\td\tLUM\nE\td\tLUM\n")
    with pytest.raises(InputError) as caught:
        read_gmt(path)
    assert [(p.where, p.what) for p in caught.value.problems] == [
        (f"{path}, line 3", "gene set 'A' is already on line 1"),
        (f"{path}, line 4", "gene set 'B,b' has no genes"),
        (f"{path}, line 7", "the gene set has no name"),
    ]


@pytest.mark.parametrize(
    ("content", "said", "line"),
    [
        (b"", "no gene set", ""),
        (b"\n\r\n", "no gene set", ""),
        (b"A\td\tBGN\nB\td\tCOL\xff\n", "not UTF-8 text (byte 0xff)", ", line 2"),
        (b"\xff\xfeA\x00\t\x00", "not UTF-8", ", line 1"),
        (b"A\td\tBGN\nB\td\tC\x00D\n", "not text", ", line 2"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8", ", line 1"),
        (b"\x1f\x8bgarbage", "cannot be read", ""),
        (gzip.compress(b"A\td\tBGN\n", mtime=0)[:-6], "cannot be read", ""),
        (gzip.compress(b"A\td\tBGN\n", mtime=0)[:12] + b"\x00" * 20, "cannot be read", ""),
        (b"set,description,gene\nA,d,BGN\n", "has no genes", ", line 1"),
    ],
)
def test_refuses(tmp_path: Path, content: bytes, said: str, line: str) -> None:
    path = tmp_path / "bad.gmt"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_gmt(path)
    assert said in caught.value.problems[0].what
    assert caught.value.problems[0].where == f"{path}{line}"


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.gmt", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_gmt(path)


def test_a_bomb_does_not_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmt, "MAX_BYTES", 2**20)
    path = tmp_path / "bomb.gmt.gz"
    path.write_bytes(gzip.compress(b"A" * 2**22, mtime=0))
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_gmt(path)


HIDDEN = ["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]
FIELD = st.text(st.characters(blacklist_categories=HIDDEN, blacklist_characters="\"'"), min_size=1)
FIELD = FIELD.filter(lambda text: text == text.strip())
# without digits no name is a date or a number of a spreadsheet
GENE = FIELD.filter(lambda text: not any(map(str.isdigit, text)))


@given(
    st.dictionaries(
        FIELD,
        st.tuples(FIELD, st.lists(GENE, min_size=1, max_size=6, unique=True)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    sets: dict[str, tuple[str, list[str]]],
    ending: str,
    mark: bool,
) -> None:
    lines = ["\t".join((name, about, *members)) for name, (about, members) in sets.items()]
    path = tmp_path_factory.mktemp("gmt") / "x.gmt"
    path.write_bytes(ending.join(lines).encode("utf-8-sig" if mark else "utf-8"))
    assert read_gmt(path) == [
        GeneSet("x", name, about, tuple(members)) for name, (about, members) in sets.items()
    ]


@given(
    st.one_of(st.binary(max_size=300), st.text("A\t\n\r\x00\ufeffé ,", max_size=60).map(str.encode))
)
@example(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
@example(b"\x1f\x8b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\xef\xbb\xbf\xef\xbb\xbfA\tB\tC")
def test_any_bytes_are_answered_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("gmt") / "x.gmt"
    path.write_bytes(content)
    sets: list[GeneSet] = []
    problems: tuple[Problem, ...] = ()
    try:
        sets = read_gmt(path)
    except InputError as error:
        problems = error.problems
    assert bool(sets) != bool(problems)
    assert all(problem.where.startswith(str(path)) for problem in problems)
    assert all(a_set.name and a_set.genes for a_set in sets)
    assert len({a_set.name for a_set in sets}) == len(sets)


def test_genes_in_place_of_descriptions_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "bare.gmt"
    path.write_text("A\tBGN\tDCN\nB\tLUM\tVCAN\n")
    with pytest.raises(InputError, match=r"second column contains genes \('BGN' in set 'A'\)"):
        read_gmt(path)
    for said in ("", "na", "ECM", "1", "BGN and others"):
        path.write_text(f"A\tBGN\tDCN\nB\t{said}\tVCAN\n")
        assert [one.description for one in read_gmt(path)] == ["BGN", said]


@pytest.mark.parametrize(
    ("genes", "refused"),
    [
        (("Bgn", "Dcn"), True),
        (("Bgn", "DCN"), False),
        (("C1orf43",), False),
        (("ENSG00000011465.3",), False),
        (("633",), False),
        (("ENSMUSG00000031375", "ENSMUSG00000019929.5"), True),
        (("ensg00000011465",), True),
    ],
)
def test_sets_of_no_human_gene_are_refused(
    tmp_path: Path, genes: tuple[str, ...], refused: bool
) -> None:
    sets = [GeneSet("c", "A", "", genes)]
    if not refused:
        check_human(sets, tmp_path)
        return
    with pytest.raises(InputError) as caught:
        check_human(sets, tmp_path)
    problem = caught.value.problems[0]
    many = f"{len(genes)} of its {len(genes)} genes, such as '{genes[0]}', are not human genes"
    assert many in problem.what
    if genes[0] == "Bgn":
        assert problem.hint == "Did you mean 'BGN'?"


def test_maps_sets_given_in_any_ids() -> None:
    matrix = annotate(["ENSG00000182492", "ENSG00000011465", "ENSG00000118523"], "ensembl")
    sets = [
        GeneSet("c", "mixed", "", ("BGN", "633", "ENSG00000011465.3", "CTGF", "CCN2", "NOGENE")),
        GeneSet("c", "lost", "", ("COL1A1", "NOGENE")),
    ]
    mapped, unmapped = map_sets(sets, matrix)
    assert mapped == [
        GeneSet("c", "mixed", "", ("ENSG00000182492", "ENSG00000011465", "ENSG00000118523")),
        GeneSet("c", "lost", "", ()),
    ]
    assert list(unmapped) == ["collection", "gene_set", "gene"]
    assert unmapped.to_numpy().tolist() == [
        ["c", "mixed", "NOGENE"],
        ["c", "lost", "COL1A1"],
        ["c", "lost", "NOGENE"],
    ]


def test_nothing_unmapped_is_an_empty_table() -> None:
    mapped, unmapped = map_sets(TWO[:1], annotate(["BGN", "DCN"], "symbol"))
    assert mapped == TWO[:1]
    assert unmapped.shape == (0, 3)


def test_public_collections(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("genesets")
    sizes = {path.name: len(read_gmt(path)) for path in folder.glob("*.gmt")}
    assert sizes["ReactomePathways_30oct24.gmt"] == 2725
    assert sizes["h.all.v7.4.symbols.gmt"] == 50
    assert sizes["matrisome_human.gmt"] == 8


def test_a_set_without_genes_among_others_stays_and_is_left_out_later(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_text("A\td\tBGN\tDCN\nEMPTY\tno genes\nB\td\tLUM\nNONE\n")
    assert [(one.name, one.genes) for one in read_gmt(path)] == [
        ("A", ("BGN", "DCN")), ("EMPTY", ()), ("B", ("LUM",)), ("NONE", ())
    ]  # fmt: skip
    path.write_text("EMPTY\tno genes\nB\td\tLUM\nNONE\n")
    with pytest.raises(InputError, match="gene set 'EMPTY' has no genes"):
        read_gmt(path)


def test_a_set_without_genes_has_a_row_in_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_text("A\td\tBGN\tDCN\nEMPTY\tno genes\n")
    genes = annotate(["BGN", "DCN"], "symbol")
    mapped, lost = map_sets(read_gmt(path), genes)
    found = restrict(mapped, genes.index, genes.index, min_size=2, max_size=9)
    assert found.table["gene_set"].tolist() == ["A"]
    assert lost.empty
    assert found.left_out.to_numpy().tolist() == [
        ["x", "EMPTY", "", "0 tested genes, fewer than min_size (2)"]
    ]


def test_genes_that_a_spreadsheet_changed_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_text("A\td\tBGN\t2-Sep\nB\td\tLUM\t1-mrt\t2-Sep\n")
    with pytest.raises(InputError) as caught:
        read_gmt(path)
    assert [(p.where, p.what[:15]) for p in caught.value.problems] == [
        (f"{path}, gene set 'A'", "gene id '2-Sep'"),
        (f"{path}, gene set 'B'", "gene id '1-mrt'"),
    ]


MSIGDB = """{"A": {"systematicName": "M1", "geneSymbols": ["BGN", "DCN", "BGN"],
 "msigdbURL": "https://x/A"}, "B": {"systematicName": "M2", "geneSymbols": ["LUM"]}}"""
GMX = "A\tB\nhttps://x/A\tM2\nBGN\tLUM\nDCN\t\nBGN\t\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [("x.json", MSIGDB), ("x.gmt", MSIGDB), ("x.gmx", GMX), ("x.gmt", GMX), ("x.gmx.gz", GMX)],
)
def test_other_formats_of_msigdb_give_the_same_sets(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    assert read_gmt(path) == [
        gmt.GeneSet("x", "A", "https://x/A", ("BGN", "DCN")),
        gmt.GeneSet("x", "B", "M2", ("LUM",)),
    ]


def test_a_gmt_whose_sets_are_named_after_genes_is_no_gmx(tmp_path: Path) -> None:
    path = tmp_path / "x.gmt"
    path.write_text("SP1\ttargets\tBGN\nSP2\ttargets\tDCN\nSP3\ttargets\tLUM\n")
    assert [one.name for one in read_gmt(path)] == ["SP1", "SP2", "SP3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"A": {"geneSymbols": "BGN"}}', "'A' has no list of genes"),
        ('{"A": [1]}', "'A' has no list of genes"),
        ('{"A": ["BGN"]', "is not valid JSON"),
        ("{}", "no gene set"),
        ('{"A": ["BGN"], "A": ["DCN"]}', "gene set 'A' is already on set 'A'"),
        ("[" * 9 + "{", "is JSON with a list, but it must have sets by name"),
        ('[{"name": "A", "genes": ["BGN"]}]', "is JSON with a list, but it must have sets by name"),
        ('[\n  {\n "name": "A"\n }]', "is JSON with a list, but it must have sets by name"),
        ('[["A", "BGN"]]', "is JSON with a list, but it must have sets by name"),
        ("[]", "is JSON with a list, but it must have sets by name"),
        ('{"A":' + "[" * 100_000, "is not valid JSON"),
        ("<?xml version='1.0'?><MSIGDB></MSIGDB>", "is XML"),
        ("<MSIGDB NAME='x'></MSIGDB>", "is XML"),
    ],
)
def test_what_is_no_json_of_sets_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_gmt(path)
    assert said in caught.value.problems[0].what
