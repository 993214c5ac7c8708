"""Rebuild the bundled gene table and gene sets.

    python resources/build/build_resources.py

needs Rscript with org.Hs.eg.db, GO.db and DBI for the gene table and the GO sets;
`--curated` rebuilds the curated sets alone, without R. Then run update_sources.py.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from dermal_sets import SETS

BUILD = Path(__file__).resolve().parent
RESOURCES = BUILD.parent
DATA = RESOURCES.parent / "workflow" / "src" / "fibroserum" / "data"
# what flags/context.tsv scores, whatever gene sets the config names
FOOTPRINTS = ("TGF_BETA_RESPONSE", "PROLIFERATION")
ONTOLOGIES = {"BP": "biological process", "CC": "cellular component", "MF": "molecular function"}


def gmt_text(sets: Iterable[tuple[str, str, Iterable[str]]]) -> str:
    """Return GMT lines of (name, description, genes), each gene once, in the order given."""
    return "".join(
        "\t".join((name, description, *dict.fromkeys(genes))) + "\n"
        for name, description, genes in sets
    )


def curated_text(names: Collection[str] = frozenset(name for name, *_ in SETS)) -> str:
    """Return the curated sets of these names, all by default, as a GMT file's text."""
    return gmt_text(
        (name, description, genes.split()) for name, description, genes in SETS if name in names
    )


def go_text(table: Path) -> str:
    """Return the GO collection as a GMT file's text, from go.tsv of export_annotation.R."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return gmt_text(
        (
            f"{row['go_id']} {row['term']}",
            f"GO {ONTOLOGIES[row['ontology']]} with its offspring terms; "
            f"{row['electronic_only']} of {row['genes'].count('|') + 1} genes by electronic "
            "annotation alone",
            row["genes"].split("|"),
        )
        for row in rows
    )


def write_gzip(text: bytes, path: Path) -> None:
    """Write a gzip file without time and name, so that the same text gives the same bytes."""
    path.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))


def main() -> None:
    """Write the gene table and the footprints of the library, and resources/gene_sets/*.gmt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curated", action="store_true", help="the curated sets alone")
    arguments = parser.parse_args()
    sets = RESOURCES / "gene_sets"
    curated = {
        sets / "dermal_ecm.gmt": curated_text(),
        DATA / "footprints.gmt": curated_text(FOOTPRINTS),
    }
    for path, text in curated.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    if arguments.curated:
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["Rscript", str(BUILD / "export_annotation.R"), folder], check=True)
        write_gzip(Path(folder, "genes.tsv").read_bytes(), DATA / "human.tsv.gz")
        text = go_text(Path(folder, "go.tsv"))
        (sets / "go_ecm.gmt").write_text(text, encoding="utf-8", newline="\n")
        sys.stdout.write(Path(folder, "versions.tsv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
