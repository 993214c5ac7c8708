"""The bundled gene sets: what they hold, and how they stand to the public ones."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fibroserum.genes.gmt import GeneSet, read_gmt
from fibroserum.genes.table import bundled
from fibroserum.targets import context

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
COLLECTIONS = ("dermal_ecm", "go_ecm")
CLASSES = [
    "FIBRILLAR",
    "FACIT",
    "NETWORK",
    "BEADED_FILAMENT",
    "MULTIPLEXIN",
    "TRANSMEMBRANE",
    "OTHER",
]


@pytest.fixture(scope="module")
def collections(repository: Path) -> dict[str, dict[str, GeneSet]]:
    folder = repository / "resources/gene_sets"
    return {
        name: {a_set.name: a_set for a_set in read_gmt(folder / f"{name}.gmt")}
        for name in COLLECTIONS
    }


@pytest.fixture(scope="module")
def dermal(collections: dict[str, dict[str, GeneSet]]) -> dict[str, set[str]]:
    return {name: set(a_set.genes) for name, a_set in collections["dermal_ecm"].items()}


@pytest.fixture(scope="module")
def go(collections: dict[str, dict[str, GeneSet]]) -> dict[str, set[str]]:
    return {name[:10]: set(a_set.genes) for name, a_set in collections["go_ecm"].items()}


def public(path: Path) -> dict[str, set[str]]:
    """Return public sets with today's symbols."""
    index = bundled()
    return {
        a_set.name: {index.symbols[index.find(g)] if index.find(g) >= 0 else g for g in a_set.genes}
        for a_set in read_gmt(path)
    }


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_gene_is_an_official_symbol_and_every_set_is_described(
    collections: dict[str, dict[str, GeneSet]], collection: str
) -> None:
    official = bundled().symbol
    sets = collections[collection].values()
    assert len(sets) >= 33
    for a_set in sets:
        assert [gene for gene in a_set.genes if gene not in official] == []
        assert len(a_set.description) > 15


def test_curated_sets_are_built_from_their_definitions(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = repository / "resources/build"
    monkeypatch.syspath_prepend(str(build))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    script = runpy.run_path(str(build / "build_resources.py"))
    text = script["curated_text"]()
    assert text == (repository / "resources/gene_sets/dermal_ecm.gmt").read_text(encoding="utf-8")
    # the library's own copy of two of them
    assert set(script["FOOTPRINTS"]) == set(context.FOOTPRINTS)
    assert script["curated_text"](script["FOOTPRINTS"]) == context.SETS.read_text(encoding="utf-8")
    assert set(context.SETS.read_text("utf-8").splitlines()) < set(text.splitlines())


def test_collagens_fall_into_classes(dermal: dict[str, set[str]]) -> None:
    classes = [dermal[f"COLLAGENS_{name}"] for name in CLASSES]
    assert sum(map(len, classes)) == len(dermal["COLLAGENS"]) == 44
    assert set().union(*classes) == dermal["COLLAGENS"]
    assert all(gene.startswith("COL") for gene in dermal["COLLAGENS"])


def test_panel(dermal: dict[str, set[str]]) -> None:
    assert dermal["DERMAL_PANEL"] == set(PANEL)
    # What shall help to explain the panel must not contain it.
    assert not dermal["TGF_BETA_RESPONSE"] & set(PANEL)
    structural = set(PANEL) - {"HAS1", "HAS2"}
    assert structural <= dermal["CORE_ECM"]
    assert {"HAS1", "HAS2"} <= dermal["HYALURONAN_METABOLISM"]


def test_core_is_the_union_of_its_parts(dermal: dict[str, set[str]]) -> None:
    parts = ("COLLAGENS", "ECM_GLYCOPROTEINS", "SMALL_LEUCINE_RICH_PROTEOGLYCANS")
    union = set().union(*(dermal[name] for name in (*parts, "OTHER_SECRETED_PROTEOGLYCANS")))
    assert dermal["CORE_ECM"] - union == {"HAPLN1", "HAPLN2", "HAPLN3", "HAPLN4"}
    assert union < dermal["CORE_ECM"]


def test_families_are_complete(dermal: dict[str, set[str]]) -> None:
    coding = bundled().table.query("type == 'protein-coding'")["symbol"]

    def family(form: str) -> set[str]:
        return set(coding[coding.str.fullmatch(form)])

    assert dermal["COLLAGENS"] == family(r"COL\d+A\d+")
    assert dermal["ADAMTS_PROTEASES"] == family(r"ADAMTS\d+")
    assert dermal["MATRIX_METALLOPROTEINASES"] == family(r"MMP\d+B?")
    assert dermal["METALLOPROTEINASE_INHIBITORS"] == family(r"TIMP\d") | {"RECK"}
    assert family(r"LAM[ABC]\d") <= dermal["BASEMENT_MEMBRANE"] & dermal["ECM_GLYCOPROTEINS"]
    assert family(r"HAS\d|HAPLN\d|HYAL[1-4]") <= dermal["HYALURONAN_METABOLISM"]
    assert family(r"P4HA\d|PLOD\d|P3H\d|LOX|LOXL\d") <= dermal["COLLAGEN_BIOSYNTHESIS"]
    assert family(r"SDC\d|GPC\d") <= dermal["CELL_SURFACE_PROTEOGLYCANS"]


def test_go_sets_agree_with_annotationdbi(repository: Path, go: dict[str, set[str]]) -> None:
    reference = pd.read_csv(repository / "tests/golden/genes/go.tsv", sep="\t", dtype=str)
    terms = reference.groupby("GOALL")["SYMBOL"].agg(set)
    assert len(terms) == 6
    for term, members in terms.items():
        assert go[str(term)] == members


def test_go_holds_the_terms_of_the_matrix(repository: Path, go: dict[str, set[str]]) -> None:
    asked = {"GO:0030199", "GO:0030198", "GO:0031012", "GO:0062023", "GO:0005581", "GO:0005201"}
    assert asked <= set(go)
    listed = (repository / "resources/build/go_terms.tsv").read_text().split()[1:]
    assert list(go) == listed
    # BGN is a structural constituent, but in none of the collagen terms.
    assert "BGN" in go["GO:0062023"] & go["GO:0005201"]
    assert "BGN" not in go["GO:0030199"] | go["GO:0030198"] | go["GO:0005581"]


def test_matrisome(shared_data: Callable[[str], Path], dermal: dict[str, set[str]]) -> None:
    theirs = public(shared_data("genesets/matrisome_human.gmt"))
    assert dermal["COLLAGENS"] == theirs["MATRISOME_COLLAGENS"]
    proteoglycans = (
        dermal["SMALL_LEUCINE_RICH_PROTEOGLYCANS"]
        | dermal["OTHER_SECRETED_PROTEOGLYCANS"]
        | {"HAPLN1", "HAPLN2", "HAPLN3", "HAPLN4"}
    )
    # PRG2 and PRG3 are eosinophil granule proteins; AGRN, ECM2, TSKU stand elsewhere in theirs.
    assert theirs["MATRISOME_PROTEOGLYCANS"] - proteoglycans == {"PRG2", "PRG3"}
    assert proteoglycans - theirs["MATRISOME_PROTEOGLYCANS"] == {"AGRN", "ECM2", "TSKU"}
    assert dermal["CORE_ECM"] <= theirs["MATRISOME_CORE_MATRISOME"]
    assert dermal["ECM_GLYCOPROTEINS"] <= theirs["MATRISOME_ECM_GLYCOPROTEINS"]
    assert not theirs["MATRISOME_CORE_MATRISOME"] & {"HAS1", "HAS2"}


@pytest.mark.parametrize(
    ("ours", "file", "theirs", "shared"),
    [
        ("SENESCENCE", "SAUL_SEN_MAYO.v2023.1.Hs.gmt", ["SAUL_SEN_MAYO"], 0.6),
        (
            "INFLAMMATION",
            "h.all.v7.4.symbols.gmt",
            ["HALLMARK_TNFA_SIGNALING_VIA_NFKB", "HALLMARK_INFLAMMATORY_RESPONSE"],
            0.6,
        ),
        (
            "PROLIFERATION",
            "h.all.v7.4.symbols.gmt",
            ["HALLMARK_G2M_CHECKPOINT", "HALLMARK_E2F_TARGETS"],
            0.6,
        ),
        (
            "INTERFERON_RESPONSE",
            "h.all.v7.4.symbols.gmt",
            ["HALLMARK_INTERFERON_ALPHA_RESPONSE", "HALLMARK_INTERFERON_GAMMA_RESPONSE"],
            0.8,
        ),
        (
            "TGF_BETA_RESPONSE",
            "h.all.v7.4.symbols.gmt",
            ["HALLMARK_TGF_BETA_SIGNALING", "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION"],
            0.5,
        ),
    ],
)
def test_response_sets_resemble_the_public_ones(
    shared_data: Callable[[str], Path],
    dermal: dict[str, set[str]],
    ours: str,
    file: str,
    theirs: list[str],
    shared: float,
) -> None:
    sets = public(shared_data(f"genesets/{file}"))
    union = set().union(*(sets[name] for name in theirs))
    assert len(dermal[ours] & union) / len(dermal[ours]) > shared
