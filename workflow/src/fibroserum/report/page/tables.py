"""Rows of the page's smaller tables: which, in which order, with what said in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fibroserum.errors import listed
from fibroserum.factors.calls import UNAVAILABLE
from fibroserum.report.figures.sets import keys_of, relatives
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables, labels_of
from fibroserum.report.page.chain import chain_views
from fibroserum.report.page.factors import factor_columns, factor_rows, factor_views
from fibroserum.report.page.methods_words import (
    counts_in_words,
    default_choices,
    levels_in_words,
    samples_in_words,
    set_sources,
)
from fibroserum.report.page.outcomes import COLUMNS as OUTCOME_COLUMNS
from fibroserum.report.page.outcomes import outcome_genes, outcome_views
from fibroserum.report.page.panel_tables import panel_views
from fibroserum.report.page.verdicts import first_verdicts, verdict_rows
from fibroserum.report.theme import records
from fibroserum.targets.planning_words import planning_sentences

P_VALUE = re.compile(r"padj|pvalue")
# headings of the contrasts to choose from
KINDS = {
    "change": "Change in a group",
    "difference": "Difference between groups",
    "average": "Average of groups",
    "own": "Contrasts of the config",
    "dose": "Slope on the dose",
    "dose_difference": "Difference of slopes",
    "baseline": "Before the intervention",
}
# called genes of an own list that a row names
MOST_NAMED = 20
# columns of the sample sheet that the methods print where they are present
SHEET_WORDS = (
    *("serum", "plasma", "serum_or_plasma", "medium", "percent", "serum_percent", "percent_serum"),
    *("hours", "passage", "plate", "lot", "batch", "library_kit", "sequencer"),
)
SETS_COLUMNS = {
    "gene_set": "Set",
    "call": "Its genes change",
    "enriched": "More than other genes",
    "mean_log2FoldChange": "Mean log2 fold change",
    "fry_padj": "fry FDR",
    "mixed_padj": "FDR, in any direction",
    "competitive_padj": "Set against rest, FDR",
    "tested": "Genes tested",
    "carried_by": "Not called: depends on this gene",
    "fry_pvalue_without_strongest": "fry p, without the strongest gene",
    "mixed_pvalue_without_strongest": "p in any direction, without the strongest gene",
    "camera_padj": "camera FDR",
    "collection": "Collection",
    "family": "Family",
    "others": "Others of its family",
}


def targets_of_genes(run: RunTables) -> dict[str, str]:
    """Return the target that each gene id is, for those that are one."""
    rows = run.targets.dropna(subset=["gene_id"])
    return dict(zip(rows["gene_id"], rows["target"], strict=True))


def sheet_facts(run: RunTables) -> list[tuple[str, str]]:
    """Return what the sample sheet says of the treatment: column and its values."""
    facts = []
    for name in run.obs.columns:
        if str(name).casefold().removeprefix("sheet.") in SHEET_WORDS:
            values = sorted({str(value) for value in run.obs[name]} - {"", "nan"})
            if values:
                facts.append((str(name), listed(values, 8, quote="")))
    return facts


def contrast_choices(run: RunTables, names: list[str]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return contrasts to choose from, by kind in words: each its number in the run, and label."""
    labels, kinds = labels_of(run), run.contrasts.set_index("contrast")["kind"]
    found: dict[str, list[dict[str, Any]]] = {}
    for number, name in enumerate(run.contrast_names):
        if name in names:
            entry = {"number": number, "label": labels[name]}
            found.setdefault(KINDS[kinds[name]], []).append(entry)
    return list(found.items())


def over_all_groups(patterns: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is established over all groups, once a target and time; none with two groups."""
    if "all_groups" not in patterns:
        return []
    rows = patterns.assign(time=patterns.get("time", ""))
    rows = rows.dropna(subset=["all_groups"]).drop_duplicates(["target", "time"])
    return records(rows[["target", "time", "all_groups"]])


def _by_verdict(sensitivity: pd.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the rows of `sensitivity` by target and contrast."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in records(sensitivity):
        found.setdefault((row["target"], row["contrast"]), []).append(row)
    return found


def views(run: RunTables, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of the tables that the templates write out."""
    warnings = run.checks[run.checks["level"].isin(["error", "warning"])]
    lost = run.samples[(run.samples["used_for"] != "change") | run.samples["reason"].notna()]
    fit = {name: frame["status"].value_counts().to_dict() for name, frame in run.de.items()}
    names, panel = target_names(run), panel_views(run)
    return {
        "warnings": records(warnings),
        "checks": records(run.checks),
        "samples_noted": records(lost),
        "left_out_genes": records(run.left_out_genes.head(500)),
        "contrasts": records(run.contrasts),
        "choices": contrast_choices(run, run.contrast_names),
        "tested_differ": run.contrasts["tested"].nunique() > 1,
        "targets": verdict_rows(run),
        "first_verdicts": first_verdicts(run),
        "patterns": records(run.patterns),
        "all_groups": over_all_groups(run.patterns),
        "context": records(run.context),
        "sensitivity": _by_verdict(run.sensitivity),
        "baseline": records(run.baseline),
        "power": records(run.power.dropna(subset=["sentence"])),
        "planning": planning_sentences(run.planning, names[0], labels_of(run)) if names else [],
        **factor_views(run),
        "calibration": records(run.calibration),
        "omnibus": omnibus_counts(run.omnibus),
        "omnibus_targets": omnibus_targets(run),
        "gene_lists": called_of_lists(run.gene_lists),
        "left_out": records(run.left_out),
        "few_found": few_found(run),
        "score_tests": records(run.score_tests),
        "counting": counts_in_words(run.settings["notes"]),
        "lost_samples": samples_in_words(run.samples),
        "levels_used": levels_in_words(run.pairs),
        "sheet": sheet_facts(run),
        "spread": spread_of_groups(run.contrasts),
        "unused": unused_levels(run.pairs),
        "covariates": covariates_in_words(run),
        "default_choices": default_choices(run, config),
        "set_sources": set_sources(run.provenance),
        "lines": [line for line in run.settings["lines"] if line],
        "status": fit,
        "factors": list(config["factors"]),
        "outcomes": outcome_views(run, config),
        "chain": chain_views(run, config),
        "published": run.published is not None,
        "stimulated": [name for name, frame in run.stimulation.items() if len(frame)],
        **panel,
        "choices_of_panel": contrast_choices(run, panel["panel_contrasts"]),
    }


QUESTIONS = {"groups": "between groups", "times": "over the times"}


def omnibus_counts(omnibus: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many genes differ in each omnibus question."""
    rows = omnibus.assign(time=omnibus["time"].fillna(""), differs=omnibus["call"] == "differs")
    counted = rows.groupby(["question", "time"], sort=False)["differs"].agg(["size", "sum"])
    return [
        {"question": QUESTIONS[question], "time": time, "tested": row["size"], "differ": row["sum"]}
        for (question, time), row in counted.iterrows()
    ]


def omnibus_targets(run: RunTables) -> list[dict[str, Any]]:
    """Return the targets' rows of `omnibus`."""
    named = targets_of_genes(run)
    rows = run.omnibus[run.omnibus["gene_id"].isin(list(named))]
    rows = rows.assign(
        target=rows["gene_id"].map(named), question=rows["question"].replace(QUESTIONS)
    )
    return records(rows.sort_values("target", kind="stable"))


def called_of_lists(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each own list and contrast how many genes it has, and those that are called.

    rows: `flags/gene_lists.tsv`.
    """
    return [
        {
            "list": name,
            "contrast": contrast,
            "genes": len(own),
            "absent": int(own["gene_id"].isna().sum()),
            "tested": int((own["status"] == "tested").sum()),
            **{
                call: listed(own.loc[own["call"] == call, "gene"], MOST_NAMED, quote="") or None
                for call in ("up", "down")
            },
        }
        for (name, contrast), own in rows.groupby(["list", "contrast"], sort=False)
    ]


def covariates_in_words(run: RunTables) -> list[str]:
    """Return each covariate with its kind, and of categories how many there are."""
    said = []
    for name in run.settings["covariates"]:
        kind = "numeric, one slope"
        if name in run.settings["categorical"]:
            kind = f"categorical, {run.obs[name].nunique()} categories"
        said.append(f"{name.removeprefix('sheet.')} ({kind})")
    return said


def spread_of_groups(contrasts: pd.DataFrame) -> dict[str, Any]:
    """Return the spread ratios of all contrasts, none with one group or without a second model.

    contrasts: `contrasts.tsv`.
    """
    rows = contrasts.dropna(subset=["spread_ratio"])
    rows = rows if len(contrasts) > 1 else rows.head(0)
    return {"ratios": [float(ratio) for ratio in rows["spread_ratio"]]}


def unused_levels(pairs: pd.DataFrame) -> dict[str, str]:
    """Return by factor why its measured level is no evidence; factors whose level is are left out.

    pairs: `factor_pairs`, a row a factor and pair.
    """
    found = {}
    for factor, rows in pairs.groupby("factor", sort=False):
        if not rows["used"].astype(bool).any():
            said = [reason for reason in rows["reason"].dropna() if reason.startswith(UNAVAILABLE)]
            found[str(factor)] = (
                said[0].removeprefix(UNAVAILABLE) if said else "no pair has a usable level"
            )
    return found


def few_found(run: RunTables) -> list[dict[str, Any]]:
    """Return the collections of which less than half the genes are in the matrix.

    Each: collection, found and named: how many of its genes are, and how many it has.
    """
    lost = run.left_out.dropna(subset=["gene"]).groupby("collection")["gene"].nunique()
    found: dict[str, set[str]] = {}
    for one in run.gene_sets:
        found.setdefault(one.collection, set()).update(one.genes)
    counted = [(name, len(genes), int(lost.get(name, 0))) for name, genes in found.items()]
    return [
        {"collection": name, "found": here, "named": here + away}
        for name, here, away in counted
        if here < away
    ]


def long_tables(run: RunTables) -> dict[str, Any]:
    """Return the tables that the page draws row by row: gene sets, and a factor's genes.

    Each: names and titles of the columns, kinds (text, word, number or p), and rows.
    """
    numbers = (
        "tested",
        "mean_log2FoldChange",
        "stimulation_log2FoldChange",
        "serum_slope",
        "slope",
    )
    # words of a schema, in which an underscore stands for a space
    words = ("direction", "signature", "call", "enriched")
    known = dict.fromkeys(numbers, "number") | dict.fromkeys(words, "word")
    made = {}

    def table(frame: pd.DataFrame, columns: dict[str, str]) -> dict[str, Any]:
        kinds = ["p" if P_VALUE.search(name) else known.get(name, "text") for name in columns]
        rows = [list(row.values()) for row in records(frame[list(columns)])]
        return {
            "names": list(columns),
            "titles": list(columns.values()),
            "kinds": kinds,
            "rows": rows,
        }

    for number, contrast in enumerate(run.contrast_names):
        sets = run.enrichment[contrast]
        beside = relatives(sets) if len(sets) else {}
        others = [", ".join(beside[key]) for key in keys_of(sets)]
        made[f"sets-{number}"] = table(sets.assign(others=others), SETS_COLUMNS)
    for number, factor in enumerate(dict.fromkeys(run.factors["factor"])):
        rows = factor_rows(run.factors[run.factors["factor"] == factor], targets_of_genes(run))
        made[f"factor-{number}"] = table(rows, factor_columns(rows))
    for name, rows in outcome_genes(run).items():
        made[name] = table(rows, OUTCOME_COLUMNS)
    return made
