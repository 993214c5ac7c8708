"""Names of genes on the page: which the lookup knows, and how the run mapped them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fibroserum.genes.table import bundled
from fibroserum.report.loading import RunTables

# earlier names that the page holds: those like a symbol; others are of clones and proteins
EARLIER = re.compile(r"[A-Z]{2}[A-Z0-9]{0,5}|C(\d+|X|Y)orf\d+")
CLONE = re.compile(r"(KIAA|FLJ|DKFZ|MGC|HSPC|PRO|UNQ|MST|NET|HSA|CT)\d+")
# names of left-out rows that the page holds
MOST_LEFT_OUT = 2_000
KINDS = {"ensembl": "Ensembl ids", "entrez": "Entrez ids", "symbol": "symbols"}
# what became of ids that are not the official one; {s}: of one id or of several
MATCHES = {
    "secondary": "{n} {is_} another Ensembl id of a gene",
    "alias": "{n} {is_} a previous or alias symbol of one gene, whose official symbol is shown",
    "shadowed": "{n} {is_} an alias of a gene that has a row of its own, and {is_} not mapped",
    "ambiguous": "{n} {is_} an alias of several genes, and {is_} not mapped",
    "unknown": "{n} {is_} not in the table, and keep{s} the name in the counts",
}


def id_kind(run: RunTables) -> str:
    """Return the kind of gene id that most rows of the counts have."""
    ids = run.genes.index
    shares = {
        kind: float((run.genes[kind].astype(str) == ids).mean())
        for kind in ("ensembl", "entrez", "symbol")
    }
    return max(shares, key=lambda kind: shares[kind])


def mapping_words(run: RunTables, config: Mapping[str, Any]) -> str:
    """Return in sentences how the rows of the counts were mapped to genes."""
    total, counted = len(run.genes), run.genes["match"].value_counts()
    own = config["genes"]["annotation"]
    source = "fibroserum's table of human genes (NCBI Gene and Ensembl)"
    said = [
        f"The counts name the genes by {KINDS[id_kind(run)]}.",
        f"Symbols are from {f'your table {Path(own).name}, or else from ' if own else ''}{source}.",
    ]
    parts = [
        words.format(
            n=f"{counted[match]:,}",
            is_="is" if counted[match] == 1 else "are",
            s="s" if counted[match] == 1 else "",
        )
        for match, words in MATCHES.items()
        if match in counted
    ]
    official = int(counted.get("official", 0))
    said.append(
        f"{official:,} of {total:,} rows {'has' if official == 1 else 'have'} an official id or "
        f"symbol{'; ' if parts else ''}{'; '.join(parts)}."
    )
    return " ".join(said)


def earlier_names(symbols: list[str], taken: set[str]) -> list[str]:
    """Return the previous and alias symbols of each gene, joined by `|`.

    symbols: official symbols; taken: names in capitals that mean a gene of the matrix already.
    """
    index = bundled()
    by_row: dict[int, list[str]] = {}
    for name, row in index.alias.items():
        like = EARLIER.fullmatch(name) and not CLONE.fullmatch(name)
        if like and name.upper() not in taken:
            by_row.setdefault(row, []).append(name)
    return ["|".join(by_row.get(index.symbol.get(symbol, -1), [])) for symbol in symbols]


def unusual_matches(run: RunTables, ids: list[str]) -> dict[str, list[int]]:
    """Return by kind of match the places of the genes whose id is not the official one."""
    matches = run.genes["match"].reindex(ids)
    return {
        match: [place for place, own in enumerate(matches) if own == match]
        for match in MATCHES
        if (matches == match).any()
    }


def left_out_names(run: RunTables) -> dict[str, list[str]]:
    """Return the names of rows that are left out of the analysis, by the reason."""
    rows = run.left_out_genes.head(MOST_LEFT_OUT)
    return {str(reason): list(part["gene"]) for reason, part in rows.groupby("reason", sort=False)}
