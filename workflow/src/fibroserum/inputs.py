"""Reading a cohort's input: everything is checked before any model is fitted.

`plan` is what the workflow needs to know when it starts; when all is well it reads no counts.
`read_all` reads these too. Both raise one InputError with every problem that could be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from fibroserum import config as configuration
from fibroserum.cohort import check_design, column_problems
from fibroserum.config import Config, file_name, locate
from fibroserum.design import SINGLE_GROUP, Contrast, contrasts_of, order_groups
from fibroserum.errors import InputError, Problem, nearest, refuse
from fibroserum.factors.stimulation import check_stimulation, left_out
from fibroserum.samples import check_sheet, read_sheet

if TYPE_CHECKING:
    from fibroserum.gene_ids import IdType


@dataclass(frozen=True)
class Plan:
    """What a run will make: the complete config, and names that file names are made of."""

    config: Config
    folder: str
    groups: tuple[str, ...]
    contrasts: tuple[Contrast, ...]

    @property
    def factors(self) -> dict[str, Any]:
        """The config's factors, by their names in file names."""
        return {file_name(name): entry for name, entry in self.config["factors"].items()}


class _Collector:
    """Collects problems, so that one mistake does not hide the next."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            self.problems += error.problems

    def finish(self) -> None:
        if self.problems:
            raise InputError(self.problems)


def serum_columns(config: Config) -> dict[str, Any]:
    """Return the factors that have a measured level."""
    return {name: entry for name, entry in config["factors"].items() if entry["serum"]}


def plan(
    raw: Config, schema: dict[str, Any], root: Path, where: str, files: Sequence[Path] = ()
) -> Plan:
    """Return the plan of a run.

    raw: the config as the user wrote it; schema: its JSON Schema; root: of the pipeline, for
    bundled resources; where: the config's name, for messages; files: those that it was read from.
    Raises InputError with every problem of the config, the sheets and tables and, when there is
    any, of the counts too.
    """
    config, problems = configuration.resolve(raw, schema, where)
    found = _Collector()
    for file in files:
        found.problems += configuration.repeated_keys(file)
    found.problems += problems
    if problems:
        # go on with what can be used, to say everything at once
        mended = configuration.usable(raw, schema)
        if mended is None:
            found.finish()
        config = mended or config
    config = with_located_paths(config, root)
    missing = dict(configuration.missing_files(config, where))
    found.problems += missing.values()
    if not all(map(configuration.can_be_path, missing)):
        found.finish()
    said = [problem.where.removeprefix(f"{where}, ") for problem in problems]
    sheet = None
    with found.collecting():
        sheet = _sheet(config)
    with found.collecting():
        _check_tables(config)
    if found.problems:
        with found.collecting():
            read_all(config)
        found.problems = _without_echoes(found.problems, set(missing), said)
        found.problems = [_named(problem, where) for problem in found.problems]
        found.finish()
    assert sheet is not None, "a sheet that could not be read is a problem"
    column = config["design"]["group"]
    names = sorted(sheet[column].unique()) if column else [SINGLE_GROUP]
    groups = order_groups(names, config["design"]["reference_group"])
    contrasts = contrasts_of(groups, config["design"]["before"], config["design"]["after"])
    place = f"{where}, names of contrasts"
    made = [contrast.name for contrast in contrasts]
    found.problems += configuration.name_clashes(made, place, "group and time names")
    found.problems += configuration.long_names(made, place)
    found.finish()
    return Plan(config, file_name(config["cohort"]), tuple(groups), tuple(contrasts))


def _without_echoes(
    problems: Sequence[Problem], missing: set[str], said: Sequence[str]
) -> list[Problem]:
    """Return the problems without those that follow from others.

    missing: files that the config names in vain, which their readers miss again; said: the keys
    whose values the schema refuses, which other checks then find empty.
    """
    keys = [key for key in said if "." in key]
    return [
        problem
        for problem in problems
        if problem.where not in missing and not any(key in problem.what for key in keys)
    ]


def _named(problem: Problem, where: str) -> Problem:
    """Return the problem with the config's own name in place of the word `config`."""
    if problem.where.startswith("config, "):
        return replace(problem, where=f"{where}, {problem.where.removeprefix('config, ')}")
    return problem


def with_located_paths(config: Config, root: Path) -> Config:
    """Return the config with bundled resources found below `root` where the user has none."""
    located = dict(config)
    for key in ("samples", "tx2gene", "published"):
        located[key] = locate(config[key], root)
    for key in ("counts", "gene_sets"):
        located[key] = [locate(path, root) for path in config[key]]
    located["genes"] = config["genes"] | {"annotation": locate(config["genes"]["annotation"], root)}
    located["factors"] = {name: _located_factor(f, root) for name, f in config["factors"].items()}
    return located


def _located_factor(factor: dict[str, Any], root: Path) -> dict[str, Any]:
    arm = factor["stimulation"]
    if arm:
        arm = arm | {key: locate(arm[key], root) for key in ("counts", "samples")}
    return factor | {"stimulation": arm, "signature": locate(factor["signature"], root)}


def _sheet(config: Config, counted: list[str] | None = None) -> pd.DataFrame:
    """Read and check the sample sheets that the config names; return the cohort's."""
    found = _Collector()
    sheet = pd.DataFrame()
    with found.collecting():
        sheet = read_sheet(Path(config["samples"]))
        problems = list(check_sheet(sheet, config["design"], serum_columns(config), counted))
        problems += column_problems(sheet, config["design"])
        found.problems += problems
        if not problems:
            check_design(sheet, config)
    for name, factor in config["factors"].items():
        if factor["stimulation"]:
            with found.collecting():
                found.problems += check_stimulation(name, factor["stimulation"], None)
    found.finish()
    return sheet


def _check_tables(config: Config) -> None:
    """Read the gene sets, published values and signatures; raise InputError for what is wrong."""
    from fibroserum.enrichment.gmt import collection_name, read_gmt
    from fibroserum.factors.signature import read_signature
    from fibroserum.published import read_published

    found = _Collector()
    for path in config["gene_sets"]:
        with found.collecting():
            read_gmt(Path(path))
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
            what = f"'{other}' and '{path}' are both the collection '{collection_name(Path(path))}'"
            found.problems.append(Problem(what, "gene_sets", "files with different names"))
    found.finish()


@dataclass(frozen=True)
class Inputs:
    """Everything a cohort brings.

    counts: samples × genes; annotation: index gene ids; targets: name to gene id, or None where it
    is not in the matrix; stimulation: by factor, counts (samples × genes) and sheet; notes: what
    was done on the way, in words; dropped: samples of the sheet without enough cells, and why.
    """

    counts: pd.DataFrame
    sheet: pd.DataFrame
    annotation: pd.DataFrame
    targets: dict[str, str | None]
    stimulation: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    notes: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)


def _annotation(counts: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the annotation of the matrix' genes. Raises InputError for ids of no human genes."""
    from fibroserum import genes

    source = f"gene ids of {', '.join(config['counts'])}"
    found = _Collector()
    declared = config["genes"]["id_type"]
    own = config["genes"]["annotation"]
    table = None
    if own:
        with found.collecting():
            table = genes.read_annotation(Path(own))
    named = frozenset() if table is None else frozenset(table["gene_id"])
    id_type = declared
    with found.collecting():
        id_type = _id_type(list(counts.columns), declared, source, named)
    found.finish()
    if table is None:
        return genes.annotate(list(counts.columns), id_type)
    return genes.annotate_with(table, list(counts.columns), id_type)


def _id_type(ids: list[str], declared: str, source: str, named: frozenset[str]) -> IdType:
    """Return the kind of gene ids: recognised, or as declared where that can be.

    Raises InputError where they are no human gene ids, or of another kind than declared. Unknown
    names may be declared symbols: then nobody asks whether they are human genes.
    """
    from fibroserum import genes

    try:
        found = genes.recognise(ids, source, named)
    except InputError:
        if declared == "symbol":
            return "symbol"
        raise
    if declared == "auto":
        return found
    if declared == found or named:
        return cast("IdType", declared)
    raise refuse(
        f"genes.id_type is '{declared}', and the gene ids look like {found} ids ('{ids[0]}')",
        source,
        f"{declared} ids",
        "Say 'id_type: auto', or leave it out.",
    )


def _unknown_genes(config: Config, annotation: pd.DataFrame) -> Iterator[Problem]:
    """Yield a problem for each target or factor's gene that no human gene is called."""
    from fibroserum.gene_ids import canonical_ensembl
    from fibroserum.gene_table import bundled
    from fibroserum.genes import resolve

    asked = [("targets", name) for name in config["targets"]]
    asked += [
        (f"factors.{factor}.gene", entry["gene"])
        for factor, entry in config["factors"].items()
        if entry["gene"]
    ]
    index = bundled()
    _, unmapped = resolve((name for _, name in asked), annotation)
    for key, name in asked:
        plain = canonical_ensembl(name.strip())
        if name not in unmapped:
            continue
        if plain in index.ambiguous:
            what = f"'{name}' is an alias of several genes: {', '.join(index.ambiguous[plain])}"
            yield Problem(what, f"config, {key}", "the official symbol of one of them")
        elif index.find(plain) < 0:
            symbols = dict.fromkeys(symbol for symbol in annotation["symbol"] if symbol)
            what, hint = f"'{name}' is no known human gene", nearest(plain, symbols)
            yield Problem(what, f"config, {key}", "a symbol, Ensembl or Entrez id", hint)


def find_targets(
    targets: list[str], annotation: pd.DataFrame, counts: pd.DataFrame
) -> tuple[dict[str, str | None], list[str]]:
    """Return each target's row in the matrix, or None, and notes in words.

    Of several rows with the same right, the one with more counts is taken, and a note says so.
    """
    from fibroserum import genes

    found, unmapped = genes.resolve(targets, annotation)
    notes = [f"target {genes.why_unmapped(name, annotation)}" for name in unmapped]
    chosen: dict[str, str | None] = dict.fromkeys(targets)
    for name, rows in found.items():
        totals = counts[rows].sum()
        chosen[name] = str(totals.sort_index().idxmax())
        if len(rows) > 1:
            notes.append(
                f"target '{name}' stands in {len(rows)} rows ({', '.join(rows)}); "
                f"{chosen[name]}, the one with most counts, is used"
            )
    twins = [name for name in found if list(chosen.values()).count(chosen[name]) > 1]
    if twins:
        notes.append(f"targets {', '.join(twins)} are the same row of the matrix")
    return chosen, notes


def _stimulation(config: Config, annotation: pd.DataFrame | None) -> dict[str, Any]:
    """Read every stimulation arm; its genes must be the cohort's, named likewise.

    annotation: of the cohort's matrix, or None where that could not be read.
    """
    from fibroserum.counts import read_counts

    found = _Collector()
    arms: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for name, factor in config["factors"].items():
        arm = factor["stimulation"]
        if not arm:
            continue
        with found.collecting():
            sheet = read_sheet(Path(arm["samples"]))
            listed = list(sheet["sample"]) if "sample" in sheet else []
            table = read_counts(
                [Path(arm["counts"])],
                fractional=config["fractional"],
                tx2gene=Path(config["tx2gene"]) if config["tx2gene"] else None,
                known_samples=listed,
            )
            found.problems += check_stimulation(name, arm, list(table.counts.index))
            if annotation is not None:
                counts = _as_in_cohort(table.counts, annotation, arm["counts"])
                arms[name] = (counts.sort_index(axis=1), sheet)
    found.finish()
    return arms


def _as_in_cohort(counts: pd.DataFrame, annotation: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return an arm's counts with gene ids as the cohort's tables show them.

    Raises InputError where fewer than half of them are in the cohort's matrix.
    """
    from fibroserum.genes import canonical, recognise

    kind = recognise(list(counts.columns), f"gene ids of {source}", frozenset(annotation.index))
    renamed = counts.set_axis(canonical(counts.columns, kind), axis=1)
    shared = renamed.columns.isin(annotation.index)
    if shared.mean() < 0.5:
        raise refuse(
            f"only {int(shared.sum())} of {len(shared)} genes, such as '{renamed.columns[0]}', are "
            "in the cohort's matrix",
            source,
            f"genes named as there, such as '{annotation.index[0]}'",
            "Count both with one annotation.",
        )
    return renamed


def read_all(config: Config) -> Inputs:
    """Read and check everything the config names. Raises InputError with every problem found."""
    from fibroserum.counts import read_counts

    found = _Collector()
    sheet, table, annotation = pd.DataFrame(), None, None
    arms: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    with found.collecting():
        sheet = read_sheet(Path(config["samples"]))
    listed = list(sheet["sample"]) if "sample" in sheet else None
    with found.collecting():
        table = read_counts(
            [Path(path) for path in config["counts"]],
            fractional=config["fractional"],
            tx2gene=Path(config["tx2gene"]) if config["tx2gene"] else None,
            cells=config["cells"],
            known_samples=listed,
        )
    dropped = table.dropped if table is not None else {}
    counted = [*table.counts.index, *dropped] if table is not None else None
    with found.collecting():
        _sheet(config, counted)
    if table is not None and dropped and not found.problems:
        # half a pair may have gone with its cells
        rest = sheet[~sheet["sample"].isin(dropped)]
        found.problems += check_sheet(rest, config["design"], {}, list(table.counts.index))
    if table is not None:
        with found.collecting():
            annotation = _annotation(table.counts, config)
    if annotation is not None:
        found.problems += _unknown_genes(config, annotation)
    with found.collecting():
        arms = _stimulation(config, annotation)
    found.finish()
    assert table is not None, "a table that could not be read is a problem"
    assert annotation is not None, "an annotation that could not be made is a problem"
    counts = table.counts.set_axis(annotation.index, axis=1)
    targets, notes = find_targets(config["targets"], annotation, counts)
    for name, (_, arm_sheet) in arms.items():
        notes += left_out(name, arm_sheet, config["factors"][name]["stimulation"])
    return Inputs(counts, sheet, annotation, targets, arms, (*table.notes, *notes), dropped)
