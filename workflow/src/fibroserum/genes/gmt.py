"""Gene sets: reading their files, and finding their genes in a count matrix."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from fibroserum.errors import InputError, Problem, capped, nearest, refuse
from fibroserum.genes.ids import canonical_ensembl, mangled_at
from fibroserum.genes.mapping import resolve
from fibroserum.genes.table import bundled

# A GMT of all of MSigDB has 8 MB; more than this is not a GMT, or a decompression bomb.
MAX_BYTES = 256 * 2**20

# Share of a file's genes from which on, none being written as human genes are, it is refused.
ALIEN_SHARE = 0.8

_EXPECTED = "tab-separated text (GMT): name, description, genes"
# a set's name as databases write it
_ONE_WORD = re.compile(r"[\w.:/()+-]+")
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


#: A set as a file gives it: where it stands, its name, description and genes.
_Entry = tuple[str, str, str, list[str]]


def read_gmt(path: Path) -> list[GeneSet]:
    """Read gene sets, plain or gzip: GMT, MSigDB's JSON, or GMX (a set a column).

    A byte-order mark, Windows or old Mac line ends, empty lines, trailing tabs and a missing
    final newline are all in order; a gene that a set names twice is kept once. Quotes about a
    field and zero-width characters are taken away. The collection is the file's name without its
    ending. A set without genes among others with genes is kept, and later left out with its reason.
    Raises InputError, with every problem found and its line, for anything else: an unreadable or
    binary file, lines that hold no genes, two sets of one name, no set at all, genes where
    descriptions should be, and genes that a spreadsheet turned into dates.
    """
    path = Path(path)
    entries = list(_entries(path))
    few = 2 * sum(not genes for *_, genes in entries) <= len(entries)
    sets: list[GeneSet] = []
    problems: list[Problem] = []
    first_place: dict[str, str] = {}
    for where, name, description, genes in entries:
        if not name:
            problems.append(Problem("the gene set has no name", where, _EXPECTED))
        elif not genes and not (few and (description or _ONE_WORD.fullmatch(name))):
            what = f"gene set '{name[:60]}' has no genes"
            hint = "Replace the commas by tabs." if name.count(",") > 1 else ""
            problems.append(Problem(what, where, _EXPECTED, hint))
        elif name in first_place:
            what = f"gene set '{name}' is already on {first_place[name]}"
            problems.append(Problem(what, where, "each name only once", "Rename or remove one."))
        else:
            first_place[name] = where.rpartition(", ")[2]
            sets.append(
                GeneSet(collection_name(path), name, description, tuple(dict.fromkeys(genes)))
            )
    problems += _mangled_genes(sets, path)
    if problems:
        raise InputError(capped(problems, str(path)))
    if not sets:
        raise refuse("contains no gene set", str(path), _EXPECTED)
    _check_descriptions(sets, path)
    return sets


def _entries(path: Path) -> Iterator[_Entry]:
    lines = _read_lines(path)
    start = "".join(lines[:50]).lstrip()
    if re.match(r'\[\s*[\[{"\]]', start) and "\t" not in lines[0]:
        hint = 'Write {"name of a set": ["gene", "gene"], ...}, or use a GMT file.'
        raise refuse(
            "is JSON with a list, but it must have sets by name", str(path), _EXPECTED, hint
        )
    if re.match(r'\{\s*"', start) or start.rstrip() == "{}":
        yield from _json_entries("\n".join(lines), path)
        return
    if re.match(r"<\?xml|<msigdb", start, re.IGNORECASE):
        hint = "Use the GMT or the JSON file of the same collection."
        raise refuse("is XML (MSigDB's own, or a web page)", str(path), _EXPECTED, hint)
    rows = [
        (number, [_bare(field) for field in line.split("\t")])
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if _is_gmx(rows, path):
        yield from _columns([fields for _, fields in rows], path)
        return
    for number, fields in rows:
        name, description, *genes = (*fields, "", "")
        yield f"{path}, line {number}", name, description, [gene for gene in genes if gene]


def _columns(rows: Sequence[Sequence[str]], path: Path) -> Iterator[_Entry]:
    """Yield the sets of a GMX file: names in its first row, descriptions in the second."""
    columns: list[list[str]] = [[] for _ in range(max(map(len, rows)))]
    for fields in rows[2:]:
        for column, gene in zip(columns, fields, strict=False):
            if gene:
                column.append(gene)
    heads = itertools.zip_longest(*rows[:2], [""], fillvalue="")
    for number, ((name, description, *_), genes) in enumerate(zip(heads, columns, strict=False), 1):
        if name or genes:
            yield f"{path}, column {number}", name, description, genes


def _is_gmx(rows: Sequence[tuple[int, list[str]]], path: Path) -> bool:
    """Tell whether sets stand in columns: names and descriptions in two rows, genes below them."""
    if rows and re.search(r"\.gmx(\.gz)?$", path.name, re.IGNORECASE):
        return True
    if len(rows) < 3 or len(rows[0][1]) != len(rows[1][1]):
        return False
    heads = [field for _, fields in rows[:2] for field in fields if field]
    genes = [fields[0] for _, fields in rows[2:12] if fields[0]]
    # the table of genes is read only where the first column looks like genes
    if not genes or not all(map(_HUMAN.fullmatch, genes)) or any("_" in gene for gene in genes):
        return False
    index = bundled()
    below = sum(index.find(gene) >= 0 for gene in genes)
    return below > 0.5 * len(genes) and not any(index.find(name) >= 0 for name in heads)


def _json_entries(text: str, path: Path) -> Iterator[_Entry]:
    """Yield the sets of MSigDB's JSON: by name, each with `geneSymbols`, or a list of genes."""
    expected = "sets by name, each with 'geneSymbols' (MSigDB's JSON)"
    try:
        pairs = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:
        raise refuse(f"is not valid JSON ({error})", str(path), expected) from error
    for name, about in pairs:
        known = dict(about) if isinstance(about, tuple) else {"geneSymbols": about}
        genes = known.get("geneSymbols")
        if not isinstance(genes, list) or not all(isinstance(gene, str) for gene in genes):
            raise refuse(f"'{name[:60]}' has no list of genes", str(path), expected)
        description = str(known.get("msigdbURL") or known.get("systematicName") or "")
        bare = [_bare(gene) for gene in genes]
        yield f"{path}, set '{name}'", _bare(name), description, [gene for gene in bare if gene]


def _mangled_genes(sets: Sequence[GeneSet], path: Path) -> list[Problem]:
    """Return a problem for each gene that a spreadsheet turned into a date or a number."""
    owners: dict[str, str] = {}
    for one in sets:
        for gene in one.genes:
            owners.setdefault(gene, one.name)
    names = list(owners)
    return [
        replace(problem, where=f"{path}, gene set '{owners[names[place]]}'")
        for place, problem in mangled_at(names)
    ]


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
                f"the second column contains genes ('{said[0]}' in set '{sets[0].name}'), but "
                "it is read as descriptions",
                str(path),
                _EXPECTED,
                "Insert a column of descriptions, which may be empty, after the names.",
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
            f"{len(strange)} of its {len(names)} genes, such as '{strange[0]}', are not human "
            "genes",
            str(path),
            "symbols, Ensembl or Entrez ids of human genes",
            nearest(strange[0], index.symbol, ""),
        )


def collection_name(path: Path) -> str:
    """Return a file's collection: its name without `.gz`, and `.gmt`, `.gmx` or `.json`."""
    name = path.name
    for ending in (".gz", ".gmt", ".gmx", ".json"):
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
            "Save it as UTF-8.",
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
