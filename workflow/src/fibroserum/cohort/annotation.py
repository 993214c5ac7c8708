"""A cohort's genes: the annotation of its matrix, its targets in it, arms named as it is."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from fibroserum.errors import (
    SHOWN,
    Collector,
    InputError,
    Problem,
    capped,
    listed,
    nearest,
    refuse,
)
from fibroserum.files.left_out import fits
from fibroserum.genes.ids import IdType, canonical, canonical_ensembl, recognise
from fibroserum.genes.mapping import (
    annotate,
    annotate_with,
    capitals_note,
    copies,
    near_names,
    read_annotation,
    resolve,
    why_unmapped,
)
from fibroserum.genes.table import bundled
from fibroserum.input.config import Config


def annotated(counts: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the counts, rows of one gene that a tool numbered summed; annotation of genes; notes.

    Raises InputError for ids of no human genes.
    """
    source = f"gene ids of {', '.join(config['counts'])}"
    found = Collector()
    declared = config["genes"]["id_type"]
    own = config["genes"]["annotation"]
    table = None
    if own:
        with found.collecting():
            table = read_annotation(Path(own))
    named = frozenset() if table is None else frozenset(table["gene_id"])
    id_type = declared
    with found.collecting():
        id_type = _id_type(list(counts.columns), declared, source, named)
    found.finish()
    counts, notes = without_copies(counts, named)
    ids = list(counts.columns)
    found_in = annotate(ids, id_type) if table is None else annotate_with(table, ids, id_type)
    return counts.set_axis(found_in.index, axis=1), found_in, [*notes, *capitals_note(found_in)]


def without_copies(
    counts: pd.DataFrame, own: Container[str] = frozenset()
) -> tuple[pd.DataFrame, list[str]]:
    """Return samples × genes, ids made unique or in capitals added to their gene, and a note."""
    stems = copies(counts.columns, own)
    if not stems:
        return counts, []
    # scanpy numbers what R has numbered
    genes = [stems.get(stem, stem) for stem in (stems.get(name, name) for name in counts.columns)]
    summed = counts.astype(np.int64).T.groupby(genes, sort=False).sum().T
    summed.columns.name = counts.columns.name
    kept = summed.astype(np.int32) if summed.max(axis=None) <= np.iinfo(np.int32).max else summed
    unlike = any(not name.startswith(stem) for name, stem in stems.items())
    pairs = [f"{name} to {stem}" for name, stem in stems.items()]
    how = "ids with an added number" + (" or in capitals" if unlike else "")
    what = f"counts of {how} are added to their genes ({len(pairs):,})"
    return kept, [f"{what}: {listed(pairs, quote='')}"]


def _id_type(ids: list[str], declared: str, source: str, named: frozenset[str]) -> IdType:
    """Return the kind of gene ids: recognised, or as declared where that can be.

    Raises InputError where they are no human gene ids, or of another kind than declared. Unknown
    names may be declared symbols: then nobody asks whether they are human genes.
    """
    try:
        found = recognise(ids, source, named)
    except InputError:
        if declared == "symbol":
            return "symbol"
        raise
    if declared == "auto":
        return found
    if declared == found or named:
        return cast("IdType", declared)
    raise refuse(
        f"genes.id_type is '{declared}', but the gene ids look like {found} ids ('{ids[0]}')",
        source,
        f"{declared} ids",
        "Write 'id_type: auto', or remove the key.",
    )


def named_genes(config: Config) -> list[tuple[str, str]]:
    """Return each gene that the config names, behind the key that names it."""
    named = [("targets", name) for name in config["targets"]]
    for key in ("pattern", "receptors"):
        named += [(f"context.{key}", name) for name in config["context"][key]]
    return named + [
        (f"factors.{factor}.gene", entry["gene"])
        for factor, entry in config["factors"].items()
        if entry["gene"]
    ]


def kept_rows(config: Config) -> frozenset[str]:
    """Return, in lower case, every name that a row of a gene of `named_genes` can have.

    Its symbol, aliases and other ids, and its ids in the user's annotation. Raises InputError where
    that cannot be read.
    """
    index = bundled()
    names = {canonical_ensembl(name.strip()) for _, name in named_genes(config)}
    rows = {index.find(name) for name in names} - {-1}
    names |= {index.symbols[row] for row in rows} | {index.entrez_ids[row] for row in rows}
    names |= {
        name
        for known in (index.ensembl, index.alias, index.capitals)
        for name, row in known.items()
        if row in rows
    }
    if own := config["genes"]["annotation"]:
        table = read_annotation(Path(own))
        names |= {canonical_ensembl(name) for name in table["gene_id"][table["symbol"].isin(names)]}
    return frozenset(name.casefold() for name in names if name)


def excluded(config: Config, annotation: pd.DataFrame) -> tuple[dict[str, str], list[Problem]]:
    """Return the matrix' genes that `genes.exclude` names by symbol or another id, and problems.

    Each gene with its entry; rows that it names as they stand in the matrix have been put aside. An
    entry without * that is also a gene of another key is a problem; of what * fits, the genes of
    other keys are kept.
    """
    written = config["genes"]["exclude"]
    entries = [canonical_ensembl(entry) for entry in written]
    named = named_genes(config)
    rows, _ = resolve([*written, *(name for _, name in named)], annotation)
    keys = {row: (key, name) for key, name in reversed(named) for row in rows.get(name, ())}
    whole = {row: entry for entry in written if "*" not in entry for row in rows.get(entry, ())}
    problems = [
        Problem(
            f"'{entry}' is to be excluded, but {keys[row][0]} names it ('{keys[row][1]}')",
            "config, genes.exclude",
            "genes that no other key names",
            "Remove it from one of the two.",
        )
        for row, entry in whole.items()
        if row in keys
    ]
    symbols = annotation["symbol"].items()
    fitting = {row: fits(str(row), entries) or fits(name, entries) for row, name in symbols}
    found = {str(row): entry for row, entry in (fitting | whole).items() if entry}
    return {row: entry for row, entry in found.items() if row not in keys}, problems


def unfitted(
    config: Config, annotation: pd.DataFrame, aside: Collection[str], without: Mapping[str, str]
) -> Iterator[str]:
    """Yield a note for each entry of `genes.exclude` that leaves nothing out.

    annotation: of the genes that are kept; aside: the rows that are left out; without: the entry of
    those that `excluded` found.
    """
    index = bundled()
    asides = [(row, index.find(row)) for row in aside]
    numbers = {number for _, number in asides} - {-1}
    left_out = [*aside, *(index.symbols[number] for number in numbers)]
    for written in config["genes"]["exclude"]:
        entry = canonical_ensembl(written)
        if written in without.values() or index.find(entry) in numbers:
            continue
        if any(fits(name, [entry]) for name in left_out):
            continue
        symbols = annotation["symbol"].items()
        kept = [name for row, name in symbols if fits(row, [entry]) or fits(name, [entry])]
        if kept:
            what = f"matches only genes that other keys name, which are kept ({listed(kept)})"
        else:
            near = nearest(entry, annotation["symbol"], "")
            what = f"matches no row of the counts. {near}".strip()
        yield f"genes.exclude: '{written}' {what}"


def unknown_in_lists(lists: Mapping[str, Sequence[str]], annotation: pd.DataFrame) -> list[Problem]:
    """Return what `unknown_genes` finds in own lists of genes, of each list the first problems."""
    found: list[Problem] = []
    for name, genes in lists.items():
        key = f"gene_lists.{name}"
        asked = [(key, gene) for gene in genes]
        found += capped(list(unknown_genes(asked, annotation)), f"config, {key}", SHOWN)
    return found


def unknown_genes(asked: Sequence[tuple[str, str]], annotation: pd.DataFrame) -> Iterator[Problem]:
    """Yield a problem for each gene that the config names and that is no human gene's name.

    asked: the genes, each behind the key that names it. Also for one that the matrix may have under
    a near name, unless it is only shown as context: `near_context` notes those, of which many are
    defaults that the user did not write.
    """
    index = bundled()
    _, unmapped = resolve((name for _, name in asked), annotation)
    for key, name in asked:
        plain = canonical_ensembl(name.strip())
        if name not in unmapped:
            continue
        shown_only = key.startswith("context.")
        near = [] if shown_only else near_names(plain, annotation)
        if near and index.find(plain) >= 0:
            what = f"'{name}' is not in the count matrix, which has {listed(near)}"
            hint = (
                f"If this is the gene, write '{near[0]}' in the config, or correct its name in "
                "the matrix."
            )
            yield Problem(what, f"config, {key}", "a gene id of the matrix", hint)
            continue
        if plain in index.ambiguous:
            what = f"'{name}' is an alias of several genes: {', '.join(index.ambiguous[plain])}"
            yield Problem(what, f"config, {key}", "the official symbol of one of them")
        elif index.find(plain) < 0:
            symbols = dict.fromkeys(symbol for symbol in annotation["symbol"] if symbol)
            what, hint = f"'{name}' is not a recognised human gene", nearest(plain, symbols, "")
            yield Problem(what, f"config, {key}", "a symbol, Ensembl or Entrez id", hint)


def near_context(config: Config, annotation: pd.DataFrame) -> Iterator[str]:
    """Yield a note for each gene of the context that the matrix may have under a near name."""
    asked = [(key, name) for key, name in named_genes(config) if key.startswith("context.")]
    _, unmapped = resolve((name for _, name in asked), annotation)
    for key, name in asked:
        if name in unmapped and (near := near_names(canonical_ensembl(name.strip()), annotation)):
            what = f"'{name}' is not in the count matrix, which has {listed(near)}"
            yield f"{key}: {what}; it is not shown"


def find_targets(
    targets: list[str], annotation: pd.DataFrame, counts: pd.DataFrame
) -> tuple[dict[str, str | None], list[str]]:
    """Return each target's row in the matrix, or None, and notes in words.

    Of several rows with the same right, the one with more counts is taken, and a note says so.
    """
    found, unmapped = resolve(targets, annotation)
    notes = [f"target {why_unmapped(name, annotation)}" for name in unmapped]
    chosen: dict[str, str | None] = dict.fromkeys(targets)
    for name, rows in found.items():
        totals = counts[rows].sum()
        chosen[name] = str(totals.sort_index().idxmax())
        if len(rows) > 1:
            notes.append(
                f"target '{name}' appears in {len(rows)} rows ({', '.join(rows)}); "
                f"{chosen[name]}, which has the most counts, is used"
            )
    twins = [name for name in found if list(chosen.values()).count(chosen[name]) > 1]
    if twins:
        notes.append(f"targets {', '.join(twins)} refer to the same row of the matrix")
    return chosen, notes


def as_in_cohort(
    counts: pd.DataFrame, annotation: pd.DataFrame, source: str, without: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Return an arm's counts with gene ids as the cohort's tables show them, and notes.

    without: the cohort's genes that `genes.exclude` names, which are left out here too. Raises
    InputError where fewer than half of the genes are in the cohort's matrix.
    """
    own = frozenset(annotation.index)
    kind = recognise(list(counts.columns), f"gene ids of {source}", own)
    counts, notes = without_copies(counts, own)
    renamed = counts.set_axis(canonical(counts.columns, kind), axis=1)
    shared = renamed.columns.isin(annotation.index)
    if shared.mean() < 0.5:
        raise refuse(
            f"only {int(shared.sum())} of {len(shared)} genes, such as '{renamed.columns[0]}', "
            "are in the count matrix of the cohort",
            source,
            f"gene names as in the cohort, such as '{annotation.index[0]}'",
            "Count both with the same annotation.",
        )
    kept = renamed.drop(columns=list(without), errors="ignore")
    return kept, [f"{source}: {note}" for note in notes]
