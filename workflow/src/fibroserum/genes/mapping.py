"""Gene identity: mapping a matrix' ids to genes, and finding genes that a user names.

Official symbols always come before aliases (an alias table maps CCL28 also to ENC1), an alias of
several genes maps to none. Names in capitals (C9ORF72) are read as the one gene that they can be;
nothing else is guessed from letter case: Bgn is a mouse gene.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from fibroserum.errors import InputError, Problem, capped, listed, nearest, refuse
from fibroserum.files.table import read_sheet
from fibroserum.genes.ids import IdType, canonical, canonical_ensembl, mangled
from fibroserum.genes.table import NOT_A_NAME, Lookup, build_lookup, bundled

Match = Literal["official", "secondary", "alias", "shadowed", "ambiguous", "unknown"]
ANNOTATION_COLUMNS = ("symbol", "ensembl", "entrez", "chromosome", "type", "match")


def annotate(
    ids: Sequence[str], id_type: IdType, table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Map a matrix' gene ids to genes.

    ids: gene ids in the matrix' order. table: a gene table with the columns of `load_table`;
    None: the bundled one. Returns a DataFrame indexed by `canonical(ids)`, in the same order, all
    text, missing "": symbol (of an unknown symbol: itself), ensembl (in an Ensembl matrix: the
    row's own id, without `_PAR_Y`), entrez, chromosome, type, and match:

    * `official`: the gene's official symbol, primary Ensembl id or Entrez id;
    * `secondary`: another Ensembl id of the gene, or its copy on Y (`_PAR_Y`);
    * `alias`: a previous or alias symbol of one gene that is not in the matrix by its own symbol,
      or one of its names in capitals;
    * `shadowed`: likewise, but the gene itself is in the matrix: mapped to nothing;
    * `ambiguous`: an alias of several genes: mapped to nothing;
    * `unknown`: not in the table.
    """
    index = _lookup(table)
    names = canonical(ids, id_type)
    if id_type == "symbol":
        present = frozenset(names)
        found = [_match_symbol(name, index, present) for name in names]
    elif id_type == "ensembl":
        found = [_match_ensembl(name, index) for name in names]
    else:
        found = [_match_entrez(name, index) for name in names]
    out = _rows_of(index, [row for row, _ in found], names)
    if id_type == "symbol":
        out["symbol"] = out["symbol"].where(out["symbol"] != "", out.index)
    if id_type == "ensembl":
        out["ensembl"] = [name.removesuffix("_PAR_Y") for name in names]
    out["match"] = [match for _, match in found]
    return out


def _lookup(table: pd.DataFrame | None) -> Lookup:
    return bundled() if table is None else build_lookup(table)


def _rows_of(index: Lookup, rows: list[int], names: list[str]) -> pd.DataFrame:
    """Return the annotation columns (without match) of table rows, "" where the row is -1."""
    blank = index.table.iloc[:0].reindex([0]).fillna("")
    source = pd.concat([index.table, blank], ignore_index=True)  # row -1 is the blank one
    out = source.iloc[rows][["symbol", "ensembl", "entrez", "chromosome", "type"]]
    out.index = pd.Index(names, name="gene_id", dtype=object)
    out["ensembl"] = [index.primary[row] if row >= 0 else "" for row in rows]
    return out


def _match_symbol(name: str, index: Lookup, present: frozenset[str]) -> tuple[int, Match]:
    if name in index.symbol:
        return index.symbol[name], "official"
    if name in index.ambiguous:
        return -1, "ambiguous"
    row = index.alias.get(name, index.capitals.get(name, -1))
    if row < 0:
        return -1, "unknown"
    return (-1, "shadowed") if index.symbols[row] in present else (row, "alias")


def _match_ensembl(name: str, index: Lookup) -> tuple[int, Match]:
    row = index.ensembl.get(name.removesuffix("_PAR_Y"), -1)
    if row < 0:
        return -1, "unknown"
    return row, "official" if name == index.primary[row] else "secondary"


def _match_entrez(name: str, index: Lookup) -> tuple[int, Match]:
    row = index.entrez.get(name, -1)
    return row, "official" if row >= 0 else "unknown"


def read_annotation(path: Path) -> pd.DataFrame:
    """Read a user's own annotation: TSV, CSV or .xlsx with the columns gene_id and symbol.

    Returns a DataFrame of text with these two columns and `ensembl`, `entrez` where the file has
    them, missing "", a row a gene_id. Of several Entrez or Ensembl ids (as BioMart writes them, a
    row each) the bundled table's is taken, else the first. Raises InputError where the file cannot
    be read, a column is missing, a gene_id has several symbols, or a spreadsheet changed a name.
    """
    table = read_sheet(path)
    missing = [name for name in ("gene_id", "symbol") if name not in table]
    if missing:
        raise InputError(
            Problem(
                f"has no column '{name}'",
                str(path),
                "the columns gene_id and symbol",
                nearest(name, table.columns, "Columns found"),
            )
            for name in missing
        )
    columns = [name for name in ("gene_id", "symbol", "ensembl", "entrez") if name in table]
    table = table[columns].fillna("").apply(lambda column: column.str.strip()).drop_duplicates()
    named = table[table["symbol"] != ""]
    symbols = named.groupby("gene_id", sort=False)["symbol"].nunique()
    problems = [
        Problem(f"gene_id '{name}' has several symbols", str(path), "one symbol per gene_id")
        for name in symbols.index[symbols > 1]
    ]
    for column in ("gene_id", "symbol"):
        problems += mangled(table[column].unique(), f"{path}, column '{column}'")
    if problems:
        raise InputError(capped(problems, str(path)))
    return _one_row_each(table)


def _one_row_each(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a gene_id: with a symbol, with the bundled table's other ids, or the first."""
    if table["gene_id"].is_unique:
        return table
    index = bundled()
    rows = table["symbol"].map(index.symbol)
    rank = (table["symbol"] == "").astype(int)
    for column, known in (("entrez", index.entrez), ("ensembl", index.ensembl)):
        if column in table:
            rank = 2 * rank + (table[column].map(known) != rows)
    best = table.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")
    return best[~best["gene_id"].duplicated()].sort_index()


def annotate_with(own: pd.DataFrame, ids: Sequence[str], id_type: IdType) -> pd.DataFrame:
    """Like `annotate`, but symbols come from the user's own table (`read_annotation`).

    An own row decides the symbol, and the gene behind it is looked up by its official symbol;
    ids that the own table lacks are mapped as `annotate` does. Raises InputError where it has
    none of the ids.
    """
    index = bundled()
    out = annotate(ids, id_type)
    given = own.set_index(pd.Index(canonical(own["gene_id"], id_type)))
    given = given[~given.index.duplicated()]
    rows = np.flatnonzero(out.index.isin(given.index))
    if not len(rows) and len(out):
        raise refuse(
            f"none of the gene ids of the count matrix, such as '{out.index[0]}', is in the "
            "annotation",
            "genes.annotation",
            "the gene ids of the count matrix in column 'gene_id'",
        )
    mine = given.loc[out.index[rows]]
    known = [index.symbol.get(symbol, -1) for symbol in mine["symbol"]]
    filled = _rows_of(index, known, list(mine.index))
    filled["symbol"] = mine["symbol"].to_numpy()
    if id_type == "ensembl":
        filled["ensembl"] = [name.removesuffix("_PAR_Y") for name in filled.index]
    for column in {"ensembl", "entrez"} & set(mine.columns):
        filled[column] = mine[column].where(mine[column] != "", filled[column].to_numpy())
    filled["match"] = "official"
    out.iloc[rows] = filled[list(out.columns)].to_numpy()
    return out


def resolve(
    names: Iterable[str], annotation: pd.DataFrame, table: pd.DataFrame | None = None
) -> tuple[dict[str, list[str]], list[str]]:
    """Find the matrix rows of genes given as matrix ids, symbols, Ensembl or Entrez ids.

    annotation: of the matrix (`annotate`). Returns a dict of name to matrix gene ids, and the
    names that are not in the matrix, both in the order of `names`, each once. A name is first
    sought among the matrix' own ids, then among its symbols, then as a gene of the table:
    official symbol, Ensembl, Entrez, and alias last. Of several rows of one gene the official
    one is taken; there is more than one id only where none is official, or the matrix has
    several rows with the same right.
    """
    index: Lookup | None = None
    own = frozenset(annotation.index)
    by_symbol = _best_rows(annotation, "symbol")
    by_entrez: dict[str, list[str]] | None = None
    found: dict[str, list[str]] = {}
    unmapped: list[str] = []
    for name in dict.fromkeys(str(name) for name in names):
        key = canonical_ensembl(name.strip())
        rows = [key] if key in own else by_symbol.get(key)
        if not rows:
            index = index or _lookup(table)  # takes a second: not for what the matrix has
            row = index.find(key)
            by_entrez = _best_rows(annotation, "entrez") if by_entrez is None else by_entrez
            rows = by_entrez.get(index.entrez_ids[row] if row >= 0 else "")
        if rows and key not in NOT_A_NAME:
            found[name] = list(rows)
        else:
            unmapped.append(name)
    return found, unmapped


def capitals_note(annotation: pd.DataFrame) -> list[str]:
    """Return a note on the matrix' symbols in capitals that are read as genes' own, or none."""
    capitals = bundled().capitals
    aliases = annotation.loc[annotation["match"] == "alias", "symbol"]
    read = [f"{name} is {symbol}" for name, symbol in aliases.items() if name in capitals]
    if not read:
        return []
    what = f"symbols in capitals are matched to their genes ({len(read):,})"
    return [f"{what}: {listed(read, quote='')}"]


def near_names(name: str, annotation: pd.DataFrame) -> list[str]:
    """Return unknown names of the matrix that may be a gene: in other case, or with more around it.

    BGN is near bgn, B-G-N, BGN_human, BGN (human), gene-BGN and BGN-001. Of other names with a
    hyphen only the whole is compared: BGN-AS1 is another gene.
    """
    wanted = _letters_and_digits(name)
    unknown = annotation.index[annotation["match"] == "unknown"]
    return [
        other
        for other in unknown
        if wanted in {_letters_and_digits(part) for part in _parts(other)}
    ]


#: What tools and databases write before or behind a symbol, with a hyphen.
_ABOUT = r"(?:human|homo|sapiens|hsa?|hg\d+|grch\d+|gene|rna|symbol)"


def _parts(name: str) -> list[str]:
    """Return a name, its words, and each without what says of which species or file it is."""
    words = [name, *re.split(r"[_|:;/,\s()\[\]]", name)]
    spare = re.compile(rf"^{_ABOUT}[-.]|[-.](?:{_ABOUT}|0\d+)$", re.IGNORECASE)
    return [*words, *(spare.sub("", word) for word in words)]


def _letters_and_digits(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


#: Genomic clones after which genes are named: their numbers are part of the name.
_CLONE = re.compile(r"(RP\d+|CT[A-D]|KB|GS\d*|LA16c|XX\w*)-\w+\.\d+|[A-Z]{1,2}\d{5,6}\.\d+")
_COPY = re.compile(r"(.+)[.-][1-9]\d*")


def copies(ids: Iterable[str], own: Container[str] = frozenset()) -> dict[str, str]:
    """Return ids made unique (BGN.1, DCN-1) or in capitals, and which other id each is.

    R and scanpy number the rows of one symbol so. A number belongs to the name where a gene is
    called so, a clone is, or `own` (ids of the user's annotation) has it. A symbol in capitals is
    the gene whose own spelling is also in the list.
    """
    index, names = bundled(), dict.fromkeys(ids)
    spelled = {
        name: index.symbols[row]
        for name, row in index.capitals.items()
        if index.symbols[row].upper() == name
    }
    written = {spelled[name]: name for name in names if name in spelled}
    found = {}
    for name in names:
        if name in own:
            continue
        if spelled.get(name) in names:
            found[name] = spelled[name]
        parts = _COPY.fullmatch(name)
        if not parts or _CLONE.fullmatch(name):
            continue
        forms = (spelled.get(parts[1], parts[1]), parts[1], written.get(parts[1]))
        stem = next((form for form in forms if form in names), None)
        if stem and index.find(name) < 0 and name not in index.ambiguous:
            found[name] = stem
    return found


def _best_rows(annotation: pd.DataFrame, column: str) -> dict[str, list[str]]:
    """Return value of `column` to the matrix ids that carry it, the official ones if any."""
    official: dict[str, list[str]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for gene_id, value, match in zip(
        annotation.index, annotation[column], annotation["match"], strict=True
    ):
        if value:
            (official if match == "official" else others)[value].append(gene_id)
    return {**others, **official}


def why_unmapped(name: str, annotation: pd.DataFrame) -> str:
    """Return in words why `resolve` did not find a name, with the nearest symbol or the gene."""
    index = bundled()
    key = canonical_ensembl(name.strip())
    if key in index.ambiguous:
        return f"'{name}' is an alias of several genes: {', '.join(index.ambiguous[key])}"
    row = index.find(key)
    if row >= 0:
        symbol = index.symbols[row]
        known = f"'{name}'" if symbol == key else f"'{name}' ({symbol})"
        return f"{known} is a human gene, but not in the count matrix"
    symbols = [symbol for symbol in annotation["symbol"] if symbol]
    near = nearest(key, dict.fromkeys(symbols), "")
    return f"'{name}' is not a recognised human gene. {near}".strip()
