"""Gene sets: reading GMT files, and finding their genes in a count matrix."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from fibroserum.errors import InputError, Problem, capped, nearest, refuse
from fibroserum.genes.ids import canonical_ensembl
from fibroserum.genes.mapping import resolve
from fibroserum.genes.table import bundled

# A GMT of all of MSigDB has 8 MB; more than this is not a GMT, or a decompression bomb.
MAX_BYTES = 256 * 2**20

# Share of a file's genes from which on, none being written as human genes are, it is refused.
ALIEN_SHARE = 0.8

_EXPECTED = "tab-separated text (GMT): name, description, genes"
_GZIP = b"\x1f\x8b"
# zero-width characters, which copying from web pages and documents leaves behind
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
# how human symbols, Ensembl and Entrez ids are written; mice have small letters, and ENSMUSG
_HUMAN = re.compile(r"(?!ENS[A-Z]{3}G\d)[A-Z0-9][A-Z0-9._@-]*|C\d+orf\d+")


@dataclass(frozen=True)
class GeneSet:
    """A named set of genes.

    collection: the file it comes from; sets of one collection share one FDR family. genes: as
    given in the file (symbols, Ensembl or Entrez ids), or matrix gene ids after `map_sets`; each
    once, in the order of the file.
    """

    collection: str
    name: str
    description: str
    genes: tuple[str, ...]


def read_gmt(path: Path) -> list[GeneSet]:
    """Read a GMT file, plain or gzip: one set a line, name, description, genes, tab-separated.

    A byte-order mark, Windows or old Mac line ends, empty lines, trailing tabs and a missing
    final newline are all in order; a gene that a set names twice is kept once. Quotes about a
    field and zero-width characters are taken away. The collection is the file's name without its
    ending. Raises InputError, with every problem found and its line, for anything else: an
    unreadable or binary file, a line without genes, two sets of one name, no set at all, and genes
    where descriptions should be.
    """
    path = Path(path)
    sets: list[GeneSet] = []
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        name, description, *genes = (*map(_bare, line.split("\t")), "", "")
        genes = [gene for gene in genes if gene]
        if not name:
            problems.append(Problem("the gene set has no name", where, _EXPECTED))
        elif not genes:
            what = f"gene set '{name[:60]}' has no genes"
            hint = "Put tabs in place of the commas." if name.count(",") > 1 else ""
            problems.append(Problem(what, where, _EXPECTED, hint))
        elif name in first_line:
            what = f"gene set '{name}' is already on line {first_line[name]}"
            problems.append(Problem(what, where, "each name once", "Rename or remove one"))
        else:
            first_line[name] = number
            sets.append(
                GeneSet(collection_name(path), name, description, tuple(dict.fromkeys(genes)))
            )
    if problems:
        raise InputError(capped(problems, str(path)))
    if not sets:
        raise refuse("there is no gene set in the file", str(path), _EXPECTED)
    _check_descriptions(sets, path)
    return sets


def read_collections(paths: Iterable[str]) -> list[GeneSet]:
    """Return the sets of several GMT files, in the order of the files."""
    return [one for path in paths for one in read_gmt(Path(path))]


def _bare(field: str) -> str:
    """Return a field without spaces and quotes about it, and without zero-width characters."""
    text = field.translate(_INVISIBLE).strip()
    for quote in "\"'":
        if len(text) > 1 and text[0] == text[-1] == quote:
            text = text[1:-1].strip()
    return text


def _check_descriptions(sets: Sequence[GeneSet], path: Path) -> None:
    """Raise InputError where every description is an official symbol: each set's first gene."""
    said = [one.description for one in sets]
    # the table of genes is read only where they look like symbols
    if all(text and _HUMAN.fullmatch(text) for text in said):
        known = bundled().symbol
        if all(text in known for text in said):
            raise refuse(
                f"the second column holds genes ('{said[0]}' in set '{sets[0].name}'), which would "
                "be lost as descriptions",
                str(path),
                _EXPECTED,
                "Put a column of descriptions, which may be empty, behind the names.",
            )


def check_human(sets: Sequence[GeneSet], path: Path) -> None:
    """Raise InputError where hardly a gene of a file's sets is a human gene, as with those of mice.

    A few of any genome's symbols are aliases of some human gene.
    """
    names = list(dict.fromkeys(gene for one in sets for gene in one.genes))
    # the table of genes is read only where no name looks like a human gene's
    if any(_HUMAN.fullmatch(name) for name in names):
        return
    index = bundled()
    strange = [name for name in names if index.find(canonical_ensembl(name)) < 0]
    if len(strange) > ALIEN_SHARE * len(names):
        raise refuse(
            f"{len(strange)} of its {len(names)} genes, such as '{strange[0]}', are no human genes",
            str(path),
            "symbols, Ensembl or Entrez ids of human genes",
            nearest(strange[0], index.symbol),
        )


def collection_name(path: Path) -> str:
    """Return a GMT file's collection: its name without `.gz` and `.gmt`."""
    name = path.name
    for ending in (".gz", ".gmt"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name


def _read_lines(path: Path) -> list[str]:
    """Return a text file's lines, split at line ends alone (not at form feeds and the like)."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if raw.startswith(_GZIP):
            with gzip.open(path, "rb") as packed:
                raw = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise refuse(f"cannot be read: {reason}", str(path), _EXPECTED) from error
    if len(raw) > MAX_BYTES:
        raise refuse(f"is larger than {MAX_BYTES // 2**20} MB", str(path), _EXPECTED)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise refuse(
            f"is not UTF-8 text (byte 0x{raw[error.start]:02x})",
            f"{path}, line {line}",
            _EXPECTED,
            "Save it as UTF-8",
        ) from error
    control = next((c for c in text if c < " " and c not in "\t\r\n\f\v"), "")
    if control:
        line = text[: text.index(control)].count("\n") + 1
        what = f"is not text (character {control!r})"
        raise refuse(what, f"{path}, line {line}", _EXPECTED)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def map_sets(
    sets: Sequence[GeneSet], annotation: pd.DataFrame
) -> tuple[list[GeneSet], pd.DataFrame]:
    """Find the sets' genes in a matrix.

    annotation: of the matrix (`genes.mapping.annotate`). Returns the sets with matrix gene ids in
    place of their own, in the same order, each id once (a set may lose all its genes), and a table
    of what was not found: collection, gene_set, gene.
    """
    found, _ = resolve((gene for a_set in sets for gene in a_set.genes), annotation)
    mapped = [
        replace(
            a_set,
            genes=tuple(dict.fromkeys(row for gene in a_set.genes for row in found.get(gene, ()))),
        )
        for a_set in sets
    ]
    lost = [
        (a_set.collection, a_set.name, gene)
        for a_set in sets
        for gene in a_set.genes
        if gene not in found
    ]
    columns = ["collection", "gene_set", "gene"]
    return mapped, pd.DataFrame(lost, columns=columns, dtype=object)
