"""The headline figures of a run: for `summary.json`, and the sentences at the page's top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fibroserum.factors.calls import RESPONSIVE
from fibroserum.factors.sentences import target_sentence, why_unconfirmed
from fibroserum.qc.soundness import soundness
from fibroserum.report.figures.sets import first_collection, set_rows
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables
from fibroserum.report.story import story
from fibroserum.report.theme import records, value

MOST_NAMED = 5


def _plain(row: pd.Series, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: value(row[name]) for name in columns}


def _strongest(hits: pd.DataFrame) -> list[list[str]]:
    """Return symbol and id of the strongest genes, confirmed ones first."""
    ranked = hits.sort_values(["call", "responsive_pvalue", "gene_id"], kind="stable")
    first = ranked.head(MOST_NAMED)
    return [
        [str(symbol or gene), str(gene)]
        for symbol, gene in zip(first["symbol"], first["gene_id"], strict=True)
    ]


def _factor(run: RunTables, factor: str) -> dict[str, Any]:
    calls = run.factors.loc[run.factors["factor"] == factor, "call"].value_counts()
    counted = {name: int(calls.get(name, 0)) for name in RESPONSIVE}
    own = run.factors[run.factors["factor"] == factor]
    hits = own[own["call"].isin(RESPONSIVE)]
    sets = run.sets[run.sets["factor"] == factor]
    assessable = bool((calls.drop("not_assessable", errors="ignore") > 0).any())
    why = why_unconfirmed(
        factor,
        stimulated=bool(own["stimulation_log2FoldChange"].notna().any()),
        measured=bool(own["serum_slope"].notna().any()),
    )
    return {
        "responsive": sum(counted.values()),
        "confirmed": counted["confirmed"],
        "induced": int((hits["direction"] == "induced").sum()),
        "suppressed": int((hits["direction"] == "suppressed").sum()),
        "strongest": _strongest(hits),
        "assessable": assessable,
        "unconfirmed": why if assessable else "",
        "sets": dict(sets[["contrast", "sentence"]].itertuples(index=False, name=None)),
        "target": _on_target(run, factor, own),
    }


def _on_target(run: RunTables, factor: str, rows: pd.DataFrame) -> str:
    """Return what the evidence on a factor shows of the first target; nothing without a target."""
    names = target_names(run)
    if not names:
        return ""
    ids = run.targets.loc[run.targets["target"] == names[0], "gene_id"].dropna()
    own = rows[rows["gene_id"].isin(ids)]
    return target_sentence(names[0], factor, records(own)[0] if len(own) else None)


def _standing(run: RunTables, target: str, contrast: str) -> dict[str, Any]:
    """Return how many refits without one donor were made, and the donors without whom it falls."""
    loo = run.loo[(run.loo["target"] == target) & (run.loo["contrast"] == contrast)]
    known = loo[loo["verdict_stands"].notna()]
    falls = ~known["verdict_stands"].astype(bool)
    return {
        # where one of them cannot be made, nothing is said of them all
        "refits": len(loo) if len(known) == len(loo) else 0,
        "needs": sorted(map(str, known.loc[falls, "left_out"])),
    }


def _sets(run: RunTables) -> dict[str, Any]:
    rows = set_rows(run)
    return {
        contrast: {
            call: sorted(
                rows.loc[(rows["contrast"] == contrast) & (rows["call"] == call), "gene_set"]
            )
            if len(rows)
            else []
            for call in ("up", "down", "mixed")
        }
        for contrast in run.contrast_names
    }


def summary(run: RunTables, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headline figures of a run.

    story: one paragraph, see `report.story`; cohort, version; pairs: complete pairs by group;
    warnings: of the checks; soundness: of the experiment, in words; contrasts: by name, kind,
    status, reason (of one that is not estimable), pairs, tested, up, down (both models), up_main,
    down_main (main model alone); target: the first target's name and, by contrast, its verdict,
    headline, log2FoldChange, ci_low, ci_high, detectable_lfc, robust, leave_one_out, reason and
    genome_wide, refits (without one donor each) and needs (the donors without whom the refit gives
    another verdict); factors: by name, responsive (confirmed ones included), confirmed, induced,
    suppressed, strongest (symbol and id of a few), assessable, unconfirmed (why no gene can be),
    target (what the evidence shows of the first target), sets (by contrast, what its genes did, as
    a sentence); gene_sets: the first collection and, by contrast, the sets called up, down and
    mixed.
    """
    changes = run.contrasts[run.contrasts["kind"] == "change"]
    names = target_names(run)
    first = run.targets[run.targets["target"] == names[0]] if names else run.targets
    numbers = ("kind", "status", "reason", "pairs", "tested", "up", "down", "up_main", "down_main")
    said = (
        "verdict",
        "headline",
        "log2FoldChange",
        "ci_low",
        "ci_high",
        "detectable_lfc",
        "robust",
        "leave_one_out",
        "reason",
        "genome_wide",
    )
    made = {
        "cohort": config["cohort"],
        "version": run.provenance.get("versions", {}).get("fibroserum", ""),
        # with several times after, of the time with the most pairs
        "pairs": {
            str(group): int(rows["pairs"].max())
            for group, rows in changes.groupby("group", sort=False)
        },
        "warnings": int((run.checks["level"] == "warning").sum()),
        "soundness": soundness(run.checks),
        "contrasts": {row["contrast"]: _plain(row, numbers) for _, row in run.contrasts.iterrows()},
        "target": {
            "name": names[0] if names else "",
            "contrasts": {
                row["contrast"]: _plain(row, said) | _standing(run, names[0], row["contrast"])
                for _, row in first.iterrows()
            },
        },
        "factors": {name: _factor(run, name) for name in config["factors"]},
        "gene_sets": {"collection": first_collection(run), "contrasts": _sets(run)},
    }
    return {"story": story(run, made, config), **made}
