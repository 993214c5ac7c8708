"""The bundled human gene table and its index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from fibroserum.data import data_file

HUMAN_TABLE = data_file("human.tsv.gz")
PREVIOUS_SYMBOLS = data_file("previous_symbols.tsv")

# What tables hold where they hold no name; NA is an alias of a gene, too.
NOT_A_NAME = frozenset({"", "NA", "N/A", "nan", "NaN", "None", "NULL", "-", "---"})


@dataclass(frozen=True)
class Lookup:
    """Dictionaries over a gene table; values are row numbers of `table`.

    symbol: official symbols. ensembl: every Ensembl id, the primary and the others. entrez: Entrez
    ids. alias: previous and alias symbols that are nobody's official symbol and belong to one
    gene. ambiguous: aliases of several genes, to these genes' official symbols.
    """

    table: pd.DataFrame
    symbol: dict[str, int]
    ensembl: dict[str, int]
    entrez: dict[str, int]
    alias: dict[str, int]
    ambiguous: dict[str, tuple[str, ...]]

    @cached_property
    def symbols(self) -> list[str]:
        """Official symbol of each row."""
        return self.table["symbol"].tolist()

    @cached_property
    def entrez_ids(self) -> list[str]:
        """Entrez id of each row."""
        return self.table["entrez"].tolist()

    @cached_property
    def primary(self) -> list[str]:
        """Primary Ensembl id of each row, "" where it has none."""
        return self.table["ensembl"].str.partition("|")[0].tolist()

    @cached_property
    def capitals(self) -> dict[str, int]:
        """Symbols and aliases with small letters (C9orf72) in capitals, where that is one gene."""
        taken = self.symbol.keys() | self.alias.keys() | self.ambiguous.keys()
        found: dict[str, int] = {}
        for names in (self.symbol, self.alias):
            owners: dict[str, set[int]] = defaultdict(set)
            for name, row in names.items():
                if name.upper() not in taken:
                    owners[name.upper()].add(row)
            alone = {name: min(rows) for name, rows in owners.items() if len(rows) == 1}
            several = dict.fromkeys(owners.keys() - alone.keys(), -1)
            found = alone | several | found
        return {name: row for name, row in found.items() if row >= 0}

    def find(self, name: str) -> int:
        """Return the row of a symbol, Ensembl id, Entrez id or alias, in this order; -1: none.

        A name in capitals is sought without regard to case last.
        """
        for index in (self.symbol, self.ensembl, self.entrez, self.alias, self.capitals):
            if name in index:
                return index[name]
        return -1


@lru_cache(maxsize=1)
def load_table() -> pd.DataFrame:
    """Return the bundled human genes, one row a gene, all columns text. Do not change it.

    Columns: symbol, ensembl (ids separated by `|`, the primary first), entrez, chromosome (`X|Y`
    in the pseudoautosomal regions), type, name, aliases (separated by `|`). Missing is "".
    """
    return pd.read_csv(HUMAN_TABLE, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")


@lru_cache(maxsize=1)
def bundled() -> Lookup:
    """Return the index of the bundled human table, built once a process."""
    previous = pd.read_csv(PREVIOUS_SYMBOLS, sep="\t", dtype=str, keep_default_na=False)
    pairs = zip(previous["previous"], previous["symbol"], strict=True)
    return build_lookup(load_table(), dict(pairs))


def build_lookup(table: pd.DataFrame, previous: Mapping[str, str] | None = None) -> Lookup:
    """Index a gene table with the columns of `load_table`.

    previous: symbols that once were official, to today's; they are taken where several genes use
    them as an alias. Of genes that share a symbol or an Ensembl id, a protein-coding gene with a
    name wins, then the one whose primary id it is, then the one named first.
    """
    ids = [text.split("|") if text else [] for text in table["ensembl"]]
    unnamed = table["symbol"].str.startswith("LOC").to_numpy(dtype=np.int64)
    rank = np.where(table["type"] == "protein-coding", 0, 2) + unnamed
    lengths = np.array([len(own) for own in ids], dtype=np.int64)
    rows = np.repeat(np.arange(len(ids)), lengths)
    later = np.minimum(np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths), 1)
    symbols = _first(table["symbol"].tolist(), np.arange(len(ids)), rank, lengths == 0)
    official = {symbol: row for symbol, row in symbols.items() if symbol}
    alias, ambiguous = _index_aliases(table, official, previous or {})
    return Lookup(
        table=table,
        symbol=official,
        ensembl=_first([one for own in ids for one in own], rows, rank[rows], later),
        entrez={entrez: row for row, entrez in enumerate(table["entrez"]) if entrez},
        alias=alias,
        ambiguous=ambiguous,
    )


def _first(
    names: Sequence[str], rows: np.ndarray, rank: np.ndarray, then: np.ndarray
) -> dict[str, int]:
    """Return the row of each name that has the lowest rank, the lowest `then`, and is first."""
    order = np.lexsort((rows, then, rank))[::-1].tolist()
    found = dict.fromkeys(names, -1)
    found.update(zip([names[one] for one in order], rows[order].tolist(), strict=True))
    return found


def _index_aliases(
    table: pd.DataFrame, official: Mapping[str, int], previous: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    owner: dict[str, str] = {}
    several: dict[str, set[str]] = defaultdict(set)
    for symbol, aliases in zip(table["symbol"], table["aliases"], strict=True):
        for name in aliases.split("|"):
            if name in official or name in NOT_A_NAME:
                continue
            other = owner.setdefault(name, symbol)
            if other != symbol:
                several[name] |= {other, symbol}
    for name, symbol in previous.items():
        if name not in official and symbol in official:
            owner[name] = symbol
            several.pop(name, None)
    alias = {name: official[symbol] for name, symbol in owner.items() if name not in several}
    return alias, {name: tuple(sorted(several[name])) for name in owner if name in several}
