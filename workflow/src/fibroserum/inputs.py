"""Reading a cohort's input: everything is checked before any model is fitted.

`plan` is what the workflow needs to know when it starts; when all is well it reads no counts.
`read_all` reads these too. Both raise one InputError with every problem that could be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fibroserum import config as configuration
from fibroserum.config import Config, file_name, locate
from fibroserum.design import SINGLE_GROUP, Contrast, contrasts_of, order_groups
from fibroserum.errors import InputError, Problem
from fibroserum.factors.stimulation import check_stimulation
from fibroserum.samples import check_sheet, read_sheet


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


def plan(raw: Config, schema: dict[str, Any], root: Path, where: str) -> Plan:
    """Return the plan of a run.

    raw: the config as the user wrote it; schema: its JSON Schema; root: of the pipeline, for
    bundled resources; where: the config's name, for messages. Raises InputError with every problem
    of the config, the sheets and tables and, when there is any, of the counts too.
    """
    config, problems = configuration.resolve(raw, schema, where)
    found = _Collector()
    found.problems += problems
    if problems:
        # go on with what can be used, to say everything at once
        mended = configuration.usable(raw, schema)
        if mended is None:
            raise InputError(problems)
        config = mended
    config = with_located_paths(config, root)
    found.problems += configuration.missing_files(config, where)
    sheet = None
    with found.collecting():
        sheet = _sheet(config)
    with found.collecting():
        _check_tables(config)
    if found.problems:
        with found.collecting():
            read_all(config)
        found.finish()
    assert sheet is not None, "a sheet that could not be read is a problem"
    column = config["design"]["group"]
    names = sorted(sheet[column].unique()) if column else [SINGLE_GROUP]
    groups = order_groups(names, config["design"]["reference_group"])
    contrasts = contrasts_of(groups, config["design"]["before"], config["design"]["after"])
    found.problems += configuration.name_clashes(
        [contrast.name for contrast in contrasts], f"{where}, contrasts", "group and time names"
    )
    found.finish()
    return Plan(config, file_name(config["cohort"]), tuple(groups), tuple(contrasts))


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
        found.problems += check_sheet(sheet, config["design"], serum_columns(config), counted)
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
    was done on the way, in words.
    """

    counts: pd.DataFrame
    sheet: pd.DataFrame
    annotation: pd.DataFrame
    targets: dict[str, str | None]
    stimulation: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    notes: tuple[str, ...]


def _annotation(counts: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the annotation of the matrix' genes. Raises InputError for ids of no human genes."""
    from fibroserum import genes

    source = f"gene ids of {', '.join(config['counts'])}"
    found = _Collector()
    found.problems += genes.mangled(list(counts.columns), source)
    id_type = config["genes"]["id_type"]
    own = config["genes"]["annotation"]
    table = None
    if own:
        with found.collecting():
            table = genes.read_annotation(Path(own))
    if id_type == "auto":
        named = frozenset() if table is None else frozenset(table["gene_id"])
        with found.collecting():
            id_type = genes.recognise(list(counts.columns), source, named)
    found.finish()
    if table is None:
        return genes.annotate(list(counts.columns), id_type)
    return genes.annotate_with(table, list(counts.columns), id_type)


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


def _stimulation(config: Config, annotation: pd.DataFrame) -> dict[str, Any]:
    """Read every stimulation arm; its genes must be the cohort's, named likewise."""
    from fibroserum.counts import read_counts
    from fibroserum.genes import canonical, recognise

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
            source = f"gene ids of {arm['counts']}"
            named = frozenset(annotation.index)
            kind = recognise(list(table.counts.columns), source, named)
            counts = table.counts.set_axis(canonical(table.counts.columns, kind), axis=1)
            shared = counts.columns.isin(annotation.index)
            if shared.mean() < 0.5:
                found.problems.append(
                    Problem(
                        f"{int(shared.sum())} of {len(shared)} genes are in the cohort's matrix",
                        arm["counts"],
                        "genes named as in the cohort's matrix",
                    )
                )
            arms[name] = (counts.sort_index(axis=1), sheet)
    found.finish()
    return arms


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
    with found.collecting():
        _sheet(config, list(table.counts.index) if table is not None else None)
    if table is not None:
        with found.collecting():
            annotation = _annotation(table.counts, config)
    if annotation is not None:
        with found.collecting():
            arms = _stimulation(config, annotation)
    found.finish()
    assert table is not None, "a table that could not be read is a problem"
    assert annotation is not None, "an annotation that could not be made is a problem"
    counts = table.counts.set_axis(annotation.index, axis=1)
    targets, notes = find_targets(config["targets"], annotation, counts)
    return Inputs(counts, sheet, annotation, targets, arms, (*table.notes, *notes))
