"""What the page says of the chains: a paragraph a change, and the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fibroserum.chain.links import chained, links_of
from fibroserum.chain.sentences import CAVEAT, chain_words
from fibroserum.report.figures.catalogue import chain_figures
from fibroserum.report.figures.chain import chain_rows
from fibroserum.report.loading import RunTables, labels_of
from fibroserum.report.theme import records


def chain_views(run: RunTables, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page says of the chains of the first target and the first outcome.

    factors: of each that is drawn, its name, figure, paragraphs (one a change) and rows of `chain`
    of all contrasts; empty without chains. caveat: what holds for all.
    """
    labels, changes = labels_of(run), run.of_kind("change")
    found = []
    for figure, factor in chain_figures(chained(config)).items():
        rows = chain_rows(run, factor)
        said = [
            chain_words(
                links_of(own),
                labels[contrast],
                (factor, own["target"].iloc[0], own["outcome"].iloc[0]),
            )
            for contrast, own in rows.groupby("contrast", sort=False)
            if contrast in changes
        ]
        found.append({"name": factor, "figure": figure, "said": said, "rows": records(rows)})
    return {"factors": found, "caveat": CAVEAT}
