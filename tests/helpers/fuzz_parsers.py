"""Every parser of what a user brings, with sound files for it; and what befalls such files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import yaml

from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.plan import plan
from fibroserum.cohort.samples import check_design
from fibroserum.cohort.stage import build_cohort
from fibroserum.counts import read_counts
from fibroserum.errors import InputError
from fibroserum.files.table import read_sheet
from fibroserum.genes import ids as gene_ids
from fibroserum.genes import mapping as genes
from fibroserum.genes.gmt import read_gmt
from fibroserum.input.config import repeated_keys, resolve, usable
from fibroserum.input.published import read_published
from fibroserum.input.schema import config_schema
from fibroserum.input.sheet_checks import check_sheet
from fibroserum.input.signature import read_signature
from fibroserum.input.stimulation_sheet import check_stimulation
from helpers import count_files as files
from helpers.fuzz_edits import Edit, spoiled
from helpers.pipeline import REPOSITORY
from helpers.small_cohort import good

CELLS = {"sample": "donor_time", "min_cells": 2}
MSIGDB = b"""{"A": {"systematicName": "M1", "geneSymbols": ["BGN", "DCN", "LUM"]},
"B": {"systematicName": "M2", "geneSymbols": ["FN1"]}}"""
GMX = b"A\tB\nfirst\tsecond\nBGN\tFN1\nDCN\t\nLUM\tELN\n"


@dataclass(frozen=True)
class Parser:
    """A parser, a folder of sound files for it, and which of these are spoiled."""

    read: Callable[[Path], object]
    files: Mapping[str, bytes]
    spoiled: tuple[str, ...]


@functools.cache
def schema() -> dict[str, Any]:
    return config_schema()


@functools.cache
def whole_config() -> dict[str, Any]:
    """Return the small cohort's config with every default written out."""
    return resolve(good().config, schema())[0]


def parse_tree(tree: dict[str, Any]) -> None:
    """Check a config as far as no file is needed."""
    _, problems = resolve(tree, schema())
    assert all(str(problem) for problem in problems)
    if problems:
        usable(tree, schema())


def _counts(name: str, **options: Any) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        given = {key: folder / v if key == "tx2gene" else v for key, v in options.items()}
        table = read_counts([folder / name], **given)
        values = table.counts.to_numpy()
        assert values.dtype.kind == "i"
        assert (values >= 0).all()
        assert values.any(axis=1).all()
        assert table.counts.index.is_unique
        assert table.counts.columns.is_unique
        return table

    return read


def _sheet(folder: Path) -> None:
    config = whole_config()
    design = config["design"] | {"covariates": ["age", "plate"], "line": "line", "pool": "pool"}
    config = config | {"design": design}
    sheet = read_sheet(folder / "samples.tsv")
    found = [*check_sheet(sheet, design, config["factors"], ["D1_pre"])]
    found += check_sheet(sheet, design, config["factors"], None)
    assert all(str(problem) for problem in found)
    if not found:
        check_design(sheet, config)


def _arm(folder: Path) -> None:
    arm = whole_config()["factors"]["CCL28"]["stimulation"]
    arm = arm | {"samples": str(folder / "arm.samples.tsv")}
    assert all(str(problem) for problem in check_stimulation("CCL28", arm, ["C1_vehicle"]))


def _ids(folder: Path) -> None:
    names = (folder / "ids").read_bytes().decode("utf-8", "replace").split("\n")
    found = gene_ids.mangled(names)
    assert all(str(problem) for problem in found)
    with contextlib.suppress(InputError):
        kind = gene_ids.recognise(names, "ids")
        table = genes.annotate(names, kind)
        assert len(table) == len(names)
        genes.resolve(names[:5], table)


def _tree(path: Path) -> dict[str, Any] | None:
    """Return a config; None where Snakemake, which reads it first, stops and says so itself."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return None
    return tree if isinstance(tree, dict) else None


def _yaml(folder: Path) -> None:
    tree = _tree(folder / "cohort.yaml")
    if tree is not None:
        assert all(str(problem) for problem in repeated_keys(folder / "cohort.yaml"))
        parse_tree(tree)


def _cohort(folder: Path) -> None:
    """Do what a start of the workflow and its first rule do."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        raw = _tree(Path("cohort.yaml"))
        if raw is None:
            return
        config = plan(raw, schema(), REPOSITORY, "cohort.yaml", [Path("cohort.yaml")]).config
        build_cohort(read_all(config), config, 10)
    finally:
        os.chdir(here)


def _content(*paths: Path) -> dict[str, bytes]:
    """Return the bytes of files, and of files in folders, by their paths below the first's."""
    top = paths[0].parent
    found = [p for path in paths for p in ([path] if path.is_file() else path.rglob("*"))]
    return {p.relative_to(top).as_posix(): p.read_bytes() for p in found if p.is_file()}


def _workbook(path: Path) -> bytes:
    """Return a workbook of the members that a folder holds."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member in sorted(path.rglob("*")):
            if member.is_file():
                archive.writestr(member.relative_to(path).as_posix(), member.read_bytes())
    return stream.getvalue()


def _workbooks() -> dict[str, Parser]:
    """Return the readers of a workbook, of which one member is spoiled."""
    sheets = {"Counts": files.lines(files.truth()), "samples": good().sheet.text().splitlines()}
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([int(cell) if cell.isdigit() else cell for cell in row.split("\t")])
    sheet["A2"] = datetime(2006, 9, 2)
    stream = io.BytesIO()
    book.save(stream)
    with zipfile.ZipFile(stream) as archive:
        content = {f"m/{name}": archive.read(name) for name in archive.namelist()}

    def put(folder: Path) -> Path:
        (folder / "x.xlsx").write_bytes(_workbook(folder / "m"))
        return folder / "x.xlsx"

    def counts(folder: Path) -> object:
        return _counts(put(folder).name, fractional="round")(folder)

    def sheet_of(folder: Path) -> object:
        return read_sheet(Path(f"{put(folder)}#samples"))

    return {
        "Excel's counts": Parser(counts, content, tuple(content)),
        "Excel's sheet": Parser(sheet_of, content, tuple(content)),
    }


def _text(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def _quants() -> dict[str, tuple[dict[str, bytes], str]]:
    """Return files of Salmon and kallisto folders, and which one is spoiled."""
    reads = [(f"T{n}", 900 + n, 700.5 + n, n * 1.5, n * 10.25) for n in range(9)]
    salmon = ["\t".join(map(str, row)) for row in reads]
    salmon = ["Name\tLength\tEffectiveLength\tTPM\tNumReads", *salmon]
    kallisto = ["\t".join(map(str, (*row[:3], row[4], row[3]))) for row in reads]
    kallisto = ["target_id\tlength\teff_length\test_counts\ttpm", *kallisto]
    table = _text("tx\tgene\tsymbol", *(f"T{n}\tG{n // 2}\tS{n // 2}" for n in range(9)))
    other = [*salmon[:-1], salmon[-1].rpartition("\t")[0] + "\t7"]
    several = {"q/a/quant.sf": _text(*salmon), "q/b/quant.sf": _text(*other), "t": table}
    return {
        "salmon": (several, "q/a/quant.sf"),
        "kallisto": ({"q/a/abundance.tsv": _text(*kallisto), "t": table}, "q/a/abundance.tsv"),
        "tx2gene": (several, "t"),
    }


@functools.cache
def parsers() -> dict[str, Parser]:
    """Return every parser but HDF5's, by what it reads."""
    cohort = {name: table.text().encode() for name, table in good().tables.items()}
    cohort["cohort.yaml"] = yaml.safe_dump(good().config, sort_keys=False).encode()
    header, *rows = cohort["samples.tsv"].splitlines()
    sheet = _text(
        header.decode() + "\tline\tpool",
        *(f"{row.decode()}\tL1\t{n // 2 % 2 + 1}" for n, row in enumerate(rows)),
    )
    found = {
        "sheet": Parser(_sheet, {"samples.tsv": sheet}, ("samples.tsv",)),
        "stimulation sheet": Parser(
            _arm, {"arm.samples.tsv": cohort["arm.samples.tsv"]}, ("arm.samples.tsv",)
        ),
        "config": Parser(_yaml, {"cohort.yaml": cohort["cohort.yaml"]}, ("cohort.yaml",)),
        "gene ids": Parser(_ids, {"ids": _text(*files.GENES, *files.SYMBOLS, "633")}, ("ids",)),
        "whole cohort": Parser(_cohort, cohort, tuple(cohort)),
    }
    readers: dict[str, Callable[[Path], object]] = {
        "sets.gmt": read_gmt, "signature.tsv": read_signature, "published.tsv": read_published
    }  # fmt: skip
    for name, reader in readers.items():
        found[name] = Parser(_named(reader, name), {name: cohort[name]}, (name,))
    annotation = _text(
        "gene_id\tsymbol", *map("\t".join, zip(files.GENES, files.SYMBOLS, strict=True))
    )
    found["annotation"] = Parser(
        _named(genes.read_annotation, "a.tsv"), {"a.tsv": annotation}, ("a.tsv",)
    )
    for name, text in (("sets.json", MSIGDB), ("sets.gmx", GMX)):
        found[name] = Parser(_named(read_gmt, name), {name: text}, (name,))
    found |= _workbooks()
    for name, (content, which) in _quants().items():
        found[name] = Parser(_counts("q", tx2gene="t", fractional="round"), content, (which,))
    return found | _count_parsers()


def _named(reader: Callable[[Path], object], name: str) -> Callable[[Path], object]:
    return lambda folder: reader(folder / name)


def _count_parsers() -> dict[str, Parser]:
    found = {}
    plain = {"TSV": files.tsv, "CSV": files.csv_quoted, "R's table": files.r_table,
             "featureCounts": files.featurecounts, "nf-core": files.nfcore,
             "HTSeq": files.htseq, "STAR": files.star, "GDC": files.gdc}  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        for index, (kind, writer) in enumerate(plain.items()):
            path = writer(Path(name) / str(index))
            content = _content(path)
            counts = tuple(name for name in content if not name.endswith("Log.final.out"))
            found[kind] = Parser(_counts(path.name, fractional="round"), content, counts)
        whole = files.tsv(Path(name) / "packed").read_bytes()
        mtx = _content(files.ten_x_mtx(Path(name) / "cells"))
    for how in ("gz", "bz2", "xz", "zst"):
        found[how] = Parser(_counts("x"), {"x": files.packed(whole, how)}, ("x",))
    found["MTX"] = Parser(_counts("mtx", cells=CELLS), mtx, tuple(mtx))
    return found


@functools.cache
def hdf5_sources() -> dict[str, bytes]:
    """Return sound files of every HDF5 format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {kind: files.cells_h5ad(folder, kind) for kind in ("csr", "csc", "dense")}
        paths |= {"bulk": files.bulk_h5ad(folder)}
        return {kind: path.read_bytes() for kind, path in paths.items()}


def problems_of(read: Callable[[], object]) -> int:
    """Return how many problems an InputError names, -1 for an answer; other exceptions pass."""
    try:
        read()
    except InputError as error:
        return len(error.problems) if str(error) else 0
    return -1


def apply(parser: Parser, folder: Path, which: int, edits: Sequence[Edit]) -> int:
    """Spoil one file of a parser's folder and read it, as `problems_of` does.

    The folder holds the parser's files, and holds them again afterwards.
    """
    name = parser.spoiled[which % len(parser.spoiled)]
    path = folder / name
    path.write_bytes(spoiled(parser.files[name], edits))
    try:
        return problems_of(lambda: parser.read(folder))
    finally:
        path.write_bytes(parser.files[name])


def lay_out(parser: Parser, folder: Path) -> None:
    """Write a parser's sound files into a folder."""
    for name, content in parser.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
