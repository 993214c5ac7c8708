"""Rows of the page's tables on factors."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fibroserum.errors import listed
from fibroserum.factors.calls import RESPONSIVE
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import records

MOST_GENES = 500
# a column without a value in a factor's table is left out of it
COLUMNS = {
    "symbol": "Gene",
    "gene_id": "Gene id",
    "target": "Target",
    "call": "Call",
    "direction": "Direction",
    "stimulation_log2FoldChange": "Stimulation, log2 fold change",
    "serum_slope": "Serum, log2 per doubling",
    "responsive_padj": "Responsive, FDR",
    "confirmed_padj": "Confirmed, FDR",
    "signature": "Signature",
}


def factor_views(run: RunTables) -> dict[str, Any]:
    """Return the rows that the template of factors writes out."""
    return {
        "levels": records(run.levels),
        "factor_sets": records(run.sets),
        "mediation": records(run.mediation[run.mediation["call"] != "not_assessable"]),
        "no_mediation": _not_assessed(run.mediation),
    }


def _not_assessed(mediation: pd.DataFrame) -> dict[str, list[str]]:
    """Return by factor for which targets mediation was not assessed: a sentence for each reason."""
    found: dict[str, list[str]] = {}
    for factor, own in mediation.groupby("factor", sort=False):
        rows = own[own["call"] == "not_assessable"]
        for note, part in rows.groupby("note", sort=False, dropna=False):
            targets = list(dict.fromkeys(part["target"]))
            every = len(part) == len(own)
            which = "any target" if every else listed(targets, 5, quote="")
            why = f": {note}" if isinstance(note, str) else ""
            sentence = f"Mediation by {factor} was not assessed for {which}{why}."
            found.setdefault(str(factor), []).append(sentence)
    return found


def factor_rows(frame: pd.DataFrame, targets: dict[str, str]) -> pd.DataFrame:
    """Return a factor's called genes, its targets, and of the others the smallest p values.

    targets: names by gene id.
    """
    ranked = frame.sort_values(["responsive_pvalue", "gene_id"], kind="stable")
    hits, declared = ranked["call"].isin(RESPONSIVE), ranked["gene_id"].isin(list(targets))
    rest = ranked[~hits & ~declared & ranked["responsive_pvalue"].notna()].head(MOST_GENES)
    rows = pd.concat([ranked[hits], ranked[~hits & declared], rest])
    symbols = rows["symbol"].fillna("")
    return rows.assign(
        symbol=symbols.where(symbols != "", rows["gene_id"]),
        target=rows["gene_id"].isin(list(targets)).map({True: "yes", False: ""}),
        signature=rows["signature"].replace("none", None),
    )


def factor_columns(rows: pd.DataFrame) -> dict[str, str]:
    """Return the columns of a factor's table, with titles: those that have a value."""
    values = rows.replace("", None)
    return {name: title for name, title in COLUMNS.items() if values[name].notna().any()}
