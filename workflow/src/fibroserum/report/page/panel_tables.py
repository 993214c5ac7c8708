"""Rows of the page's tables on the serum panel."""

from __future__ import annotations

from typing import Any

from fibroserum.input.names import file_name
from fibroserum.report.loading import RunTables
from fibroserum.report.theme import records

MOST_ROWS = 200


def panel_views(run: RunTables) -> dict[str, Any]:
    """Return the rows that the section on candidates writes out; without a panel they are empty."""
    panel, candidates = run.panel, run.candidates
    hits = candidates[candidates["call"] == "candidate"]
    tested = panel[panel["pvalue"].notna()]
    changed = tested[tested["call"].isin(["up", "down"]) | tested["factor"].notna()]
    untested = panel[~panel["molecule"].isin(tested["molecule"])].drop_duplicates("molecule")
    contrasts = [name for name in run.contrast_names if name in set(panel["contrast"])]
    return {
        "panel": {
            "molecules": panel["molecule"].nunique(),
            "tested": tested["molecule"].nunique(),
            "candidates": len(hits[["molecule", "target"]].drop_duplicates()),
        },
        "candidates": records(hits.sort_values("padj", kind="stable").head(MOST_ROWS)),
        "panel_changed": records(changed.sort_values("padj", kind="stable").head(MOST_ROWS)),
        "panel_untested": records(untested.head(MOST_ROWS)),
        "panel_contrasts": contrasts,
        "panel_figures": [
            (run.contrast_names.index(name), f"panel_volcano_{file_name(name)}")
            for name in contrasts
        ],
    }
