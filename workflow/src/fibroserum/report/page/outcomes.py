"""Rows of the page's tables on outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fibroserum.cohort.accessors import change_times
from fibroserum.input.outcomes import UNAVAILABLE
from fibroserum.report.figures.catalogue import outcome_figures
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import records

MOST_GENES = 500
COLUMNS = {
    "symbol": "Gene",
    "gene_id": "Gene id",
    "call": "Call",
    "slope": "Slope",
    "padj": "FDR",
    "question": "Question",
    "time": "Time after",
}


def outcome_views(run: RunTables, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the page says of each outcome.

    name; figures: their names; unused: times at which no pair could be used, with the reason;
    counts: by question and time, genes tested, with and against; targets: rows of
    `outcome_targets`; sets: called rows of `outcome_sets`.
    """
    times, found = change_times(run.settings), []
    for name in config["outcomes"]:
        own = {
            field: frame[frame["outcome"] == name]
            for field in ("outcomes", "outcome_targets", "outcome_sets", "outcome_pairs")
            for frame in [getattr(run, field)]
        }
        genes, pairs = own["outcomes"], own["outcome_pairs"]
        calls = pd.crosstab([genes["question"], genes["time"]], genes["call"])
        calls = calls.reindex(columns=["with", "against", "none"], fill_value=0)
        found.append(
            {
                "name": name,
                "figures": [figure for figure, *_ in outcome_figures([name], times)],
                "unused": _unused(pairs),
                "counts": [
                    (*key, f"{row.sum():,}", f"{row['with']:,}", f"{row['against']:,}")
                    for key, row in calls.iterrows()
                ],
                "targets": records(own["outcome_targets"]),
                "sets": records(own["outcome_sets"][own["outcome_sets"]["call"] != "none"]),
            }
        )
    return found


def _unused(pairs: pd.DataFrame) -> list[dict[str, str]]:
    """Return the times at which no pair is used, and why; pairs: of one outcome."""
    found = []
    for time, rows in pairs.groupby("time", sort=False):
        if not rows["used"].any():
            said = [why for why in rows["reason"].dropna() if why.startswith(UNAVAILABLE)]
            reason = (said or ["no pair has a usable change"])[0].removeprefix(UNAVAILABLE)
            found.append({"time": str(time), "reason": reason})
    return found


def outcome_genes(run: RunTables) -> dict[str, pd.DataFrame]:
    """Return the called genes of each outcome, and of the others those with the smallest p values.

    By the name of the page's table.
    """
    found = {}
    names = dict.fromkeys(run.outcome_pairs["outcome"])
    for number, name in enumerate(names):
        rows = run.outcomes[run.outcomes["outcome"] == name]
        rows = rows.sort_values(["pvalue", "gene_id"], kind="stable")
        hits = rows["call"] != "none"
        shown = pd.concat([rows[hits], rows[~hits].head(MOST_GENES)])
        symbols = shown["symbol"].fillna("")
        found[f"outcome-{number}"] = shown.assign(
            symbol=symbols.where(symbols != "", shown["gene_id"])
        )
    return found
