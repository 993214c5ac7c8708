"""Reading a cohort's input: everything is checked before any model is fitted.

`plan` is what the workflow needs to know when it starts; when all is well it reads no counts.
`read_all` reads these too. Both raise one InputError with every problem that could be found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum.cohort.annotation import (
    annotated,
    as_in_cohort,
    excluded,
    find_targets,
    kept_rows,
    named_genes,
    near_context,
    unfitted,
    unknown_genes,
    unknown_in_lists,
)
from fibroserum.cohort.samples import canonical_sheet, check_design
from fibroserum.counts import CountTable, read_counts
from fibroserum.errors import Collector, InputError, Problem, listed
from fibroserum.files.left_out import EXCLUDED, SPIKE_IN, fits
from fibroserum.genes.gmt import check_human, collection_name, read_gmt
from fibroserum.genes.ids import canonical_ensembl
from fibroserum.genes.mapping import read_annotation
from fibroserum.genes.table import bundled
from fibroserum.input.config import Config
from fibroserum.input.gene_lists import read_gene_lists
from fibroserum.input.outcomes import outcome_problems
from fibroserum.input.published import read_published
from fibroserum.input.serum_levels import serum_notes
from fibroserum.input.serum_panel import SerumPanel, molecule_of, read_panel
from fibroserum.input.sheet import DESIGN_KEYS, IGNORED, SAMPLE, missing_names, read_sample_sheet
from fibroserum.input.sheet_checks import check_sheet
from fibroserum.input.sheet_design import turned_times
from fibroserum.input.signature import read_signature
from fibroserum.input.stimulation_sheet import check_stimulation, left_out
from fibroserum.input.too_few_cells import problems_without


def sheet_and_panel(config: Config) -> tuple[pd.DataFrame, SerumPanel | None, tuple[Problem, ...]]:
    """Return the cohort's sample sheet, the serum panel, and what is wrong with the panel.

    The levels of factors that the panel holds are columns of the sheet. A sheet without the columns
    of the design has no panel.
    """
    design = config["design"]
    sheet = read_sample_sheet(Path(config["samples"]), design)
    columns = {SAMPLE, *(design[key] for key in DESIGN_KEYS if design[key])}
    if not config["serum_panel"] or not columns <= set(sheet.columns):
        return sheet, None, ()
    samples = canonical_sheet(sheet, design)
    samples = samples[~samples.index.duplicated()]
    try:
        panel = read_panel(config, samples, sheet.attrs.get(IGNORED, ()))
    except InputError as error:
        return sheet, None, error.problems
    for entry in config["factors"].values():
        if molecule := molecule_of(entry["serum"]):
            levels = panel.cells(molecule, samples)
            sheet[entry["serum"]] = sheet[SAMPLE].map(levels)
    return sheet, panel, ()


def checked_sheet(config: Config, counted: list[str] | None = None) -> pd.DataFrame:
    """Read and check the sample sheets that the config names; return the cohort's."""
    found = Collector()
    sheet = pd.DataFrame()
    with found.collecting():
        sheet, _, of_panel = sheet_and_panel(config)
        in_sheet = {
            name: entry
            for name, entry in config["factors"].items()
            if molecule_of(entry["serum"]) is None
        }
        own = (config["design"], in_sheet)
        problems = check_sheet(sheet, *own, counted, config["normalization"]["column"])
        problems += tuple(outcome_problems(sheet, *own, config["outcomes"]))
        found.problems += [*problems, *of_panel]
        if not problems:
            check_design(sheet, config)
    for name, factor in config["factors"].items():
        if factor["stimulation"]:
            with found.collecting():
                found.problems += check_stimulation(name, factor["stimulation"], None)
    found.finish()
    return sheet


def check_tables(config: Config) -> None:
    """Read gene sets and lists, published values and signatures. Raise InputError for mistakes."""
    found = Collector()
    with found.collecting():
        read_gene_lists(config["gene_lists"])
    for path in config["gene_sets"]:
        with found.collecting():
            sets = read_gmt(Path(path))
            if not config["genes"]["annotation"] and config["genes"]["id_type"] != "symbol":
                check_human(sets, Path(path))
    if config["published"]:
        with found.collecting():
            read_published(Path(config["published"]))
    for factor in config["factors"].values():
        if factor["signature"]:
            with found.collecting():
                read_signature(Path(factor["signature"]))
    seen: dict[str, str] = {}
    for path in config["gene_sets"]:
        other = seen.setdefault(collection_name(Path(path)), path)
        if other != path:
            what = (
                f"'{other}' and '{path}' both become the collection '{collection_name(Path(path))}'"
            )
            found.problems.append(Problem(what, "gene_sets", "files with different names"))
    found.finish()


def lists_in_doubt(config: Config) -> bool:
    """Return whether an own list has a gene that only the counts can know.

    That is a name of no gene in the bundled table or in the user's annotation: a mistake, or a row
    of the counts that no table has.
    """
    lists = read_gene_lists(config["gene_lists"])
    asked = {canonical_ensembl(gene) for genes in lists.values() for gene in genes}
    if not asked:
        return False
    index, own = bundled(), config["genes"]["annotation"]
    unknown = {gene for gene in asked if index.find(gene) < 0}
    if unknown and own:
        table = read_annotation(Path(own))
        unknown -= {*map(canonical_ensembl, table["gene_id"]), *table["symbol"]}
    return bool(unknown)


@dataclass(frozen=True)
class Inputs:
    """Everything a cohort brings.

    counts: samples × genes; annotation: index gene ids; targets: name to gene id, or None where it
    is not in the matrix; stimulation: by factor, counts (samples × genes) and sheet; notes: what
    was done on the way, in words; dropped: samples of the sheet without enough cells, and why;
    left_out: samples × rows that are no genes, or are left out as the config asks; reasons: why,
    by row; unlisted: samples that were counted and have no row in the sheet; panel: levels of
    circulating molecules, where there are any; remarks: those of the notes that only say how files
    were read.
    """

    counts: pd.DataFrame
    sheet: pd.DataFrame
    annotation: pd.DataFrame
    targets: dict[str, str | None]
    stimulation: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    notes: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    reasons: dict[str, str] = field(default_factory=dict)
    unlisted: tuple[str, ...] = ()
    panel: SerumPanel | None = None
    remarks: tuple[str, ...] = ()


def _read(
    paths: Sequence[str],
    config: Config,
    samples: Sequence[str] | None,
    kept: Collection[str],
    **single_cells: Any,
) -> CountTable:
    """Read count files with what the config says of all of them; kept: as of `kept_rows`."""
    return read_counts(
        [Path(path) for path in paths],
        fractional=config["fractional"],
        tx2gene=Path(config["tx2gene"]) if config["tx2gene"] else None,
        layer=config["layer"],
        known_samples=samples,
        exclude=[
            canonical_ensembl(name)
            for name in (*config["genes"]["exclude"], *(config["normalization"]["genes"] or ()))
        ],
        named=kept,
        **single_cells,
    )


def _stimulation(
    config: Config,
    annotation: pd.DataFrame | None,
    without: Sequence[str],
    kept: Collection[str],
) -> tuple[dict[str, tuple[pd.DataFrame, pd.DataFrame]], frozenset[str], list[str]]:
    """Read every stimulation arm; its genes must be the cohort's, named likewise.

    annotation: of the cohort's matrix, or None where that could not be read. without: its genes
    that are left out by name. Returns also which keys of the config the count files needed, and
    notes on what was done and left out.
    """
    found = Collector()
    arms: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    used: frozenset[str] = frozenset()
    notes: list[str] = []
    for name, factor in config["factors"].items():
        arm = factor["stimulation"]
        if not arm:
            continue
        with found.collecting():
            sheet = read_sample_sheet(Path(arm["samples"]), arm)
            samples = list(sheet["sample"]) if "sample" in sheet else []
            table = _read([arm["counts"]], config, samples, kept)
            used |= table.used
            found.problems += check_stimulation(name, arm, [*table.counts.index, *table.unlisted])
            if annotation is not None:
                counts, joined = as_in_cohort(table.counts, annotation, arm["counts"], without)
                notes += [*sheet.attrs.get("notes", ()), *table.notes, *joined]
                arms[name] = (counts.sort_index(axis=1), sheet)
            what = f"stimulation experiment with {name}: excluded"
            if table.unlisted:
                notes.append(f"{what} samples without a row in its sheet: {listed(table.unlisted)}")
            if table.reasons:
                notes.append(f"{what} rows that are not genes: {listed(table.reasons)}")
    found.finish()
    return arms, used, notes


def _unused_cells(config: Config, used: frozenset[str]) -> Iterator[Problem]:
    """Yield a problem where the config speaks of single cells and every input is of samples."""
    if config["cells"] and "cells" not in used:
        yield Problem(
            "cells is set, but no count input contains single cells",
            "config, cells",
            "a single-cell .h5ad, a 10x .h5 or an MTX folder in counts",
            "Write 'cells: null', or remove the key.",
        )


def read_all(config: Config, summed: Sequence[Path] = ()) -> Inputs:
    """Read and check everything the config names. Raises InputError with every problem found.

    summed: single cells that other jobs have read (`counts.stage`).
    """
    found = Collector()
    sheet, table, annotation, panel = pd.DataFrame(), None, None, None
    counts, genes_said, arms_said = pd.DataFrame(), list[str](), list[str]()
    without: dict[str, str] = {}
    arms: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    used: frozenset[str] = frozenset()
    with found.collecting():
        # what is wrong with the panel, `checked_sheet` says
        sheet, panel, _ = sheet_and_panel(config)
    samples = list(sheet["sample"]) if "sample" in sheet else None
    kept: frozenset[str] | None = None
    with found.collecting():
        kept = kept_rows(config)
    with found.collecting():
        table = _read(
            config["counts"], config, samples, kept or (), cells=config["cells"], summed=summed
        )
    dropped = table.dropped if table is not None else {}
    counted = [*table.counts.index, *dropped, *table.unlisted] if table is not None else None
    with found.collecting():
        checked_sheet(config, counted)
    if table is not None and dropped and not found.problems:
        found.problems += problems_without(sheet, config["design"], dropped)
    if table is not None and kept is not None:
        with found.collecting():
            counts, annotation, genes_said = annotated(table.counts, config)
    if annotation is not None:
        found.problems += unknown_genes(named_genes(config), annotation)
        with found.collecting():
            # the workflow gives `counts` no list: an edit of one makes no model run again
            lists = read_gene_lists(config.get("gene_lists", {}))
            found.problems += unknown_in_lists(lists, annotation)
        without, wrong = excluded(config, annotation)
        found.problems += wrong
    with found.collecting():
        arms, used, arms_said = _stimulation(config, annotation, [*without], kept or ())
    if table is not None:
        found.problems += _unused_cells(config, table.used)
    found.finish()
    assert table is not None, "a table that could not be read is a problem"
    assert annotation is not None, "an annotation that could not be made is a problem"
    aside = pd.concat([table.left_out, counts[[*without]]], axis=1)
    reasons = table.reasons | dict.fromkeys(without, EXCLUDED)
    own = [canonical_ensembl(name) for name in config["genes"]["exclude"]]
    reasons |= {
        row: SPIKE_IN
        for row, reason in table.reasons.items()
        if reason == EXCLUDED and not fits(row, own)
    }
    counts, annotation = counts.drop(columns=[*without]), annotation.drop(index=[*without])
    targets, notes = find_targets(config["targets"], annotation, counts)
    notes += unfitted(config, annotation, [*aside], without)
    notes += near_context(config, annotation)
    notes += serum_notes(sheet, config["design"], config["factors"])
    notes += missing_names(sheet, config["design"])
    for name, (_, arm_sheet) in arms.items():
        notes += left_out(name, arm_sheet, config["factors"][name]["stimulation"])
    notes += turned_times(config["design"])
    if config["tx2gene"] and "tx2gene" not in table.used | used:
        notes.append(
            f"tx2gene ({config['tx2gene']}) is not used, because no count input is a folder of "
            "Salmon or kallisto"
        )
    remarks = (*sheet.attrs.get("notes", ()), *table.notes, *genes_said)
    notes = [*remarks, *arms_said, *notes]
    return Inputs(
        counts,
        sheet,
        annotation,
        targets,
        arms,
        tuple(notes),
        dropped,
        aside,
        reasons,
        table.unlisted,
        panel,
        remarks,
    )
