"""The toy cohort in every count format: the same result tables, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort
from fibroserum.counts import read_counts
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.genes.table import bundled
from fibroserum.input.config import resolve
from fibroserum.input.paths import with_located_paths
from fibroserum.input.schema import config_schema
from helpers import count_files as files
from helpers.pipeline import REPOSITORY

TOY = REPOSITORY / "resources" / "toy"
KEPT = 300
CELLS = {"sample": "donor_time", "min_cells": 10}


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    """Return a part of the toy cohort, samples × genes; its targets are in it."""
    counts = read_counts([TOY / "AT.counts.tsv.gz", TOY / "RT.counts.tsv.gz"]).counts
    index = bundled()
    bgn = next(gene for gene in counts.columns if gene.startswith("ENSG00000182492"))
    others = [gene for gene in counts.columns if gene != bgn and index.find(gene) >= 0]
    return counts[[bgn, *others[:: len(others) // KEPT][:KEPT]]]


@pytest.fixture
def toy_files(truth: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the builders of every format write the toy cohort."""
    symbols = pd.read_csv(TOY / "truth.tsv", sep="\t", index_col=0)["symbol"]
    monkeypatch.setattr(files, "truth", truth.copy)
    monkeypatch.setattr(files, "SAMPLES", list(truth.index))
    monkeypatch.setattr(files, "GENES", list(truth.columns))
    monkeypatch.setattr(files, "SYMBOLS", list(symbols.loc[truth.columns]))


def results(counts: list[Path], folder: Path, **settings: Any) -> dict[str, bytes]:
    """Return each contrast's table as the pipeline writes it."""
    schema = config_schema()
    raw = {
        "cohort": "toy",
        "counts": [str(path) for path in counts],
        "samples": str(TOY / "samples.tsv"),
        "design": {"group": "group", "before": "pre", "after": "post", "reference_group": "AT"},
        "targets": ["BGN"],
        "gene_sets": [],
    } | settings
    config, problems = resolve(raw, schema, "test")
    assert not problems
    config = with_located_paths(config, REPOSITORY)
    cohort = build_cohort(read_all(config), config, 10).adata
    found = {}
    for model in models_of(cohort.obs, settings_of(cohort)):
        fit = fit_model(
            counts_of(cohort),
            model,
            cohort.obs["size_factor"],
            cohort.var["target"],
            FitSettings(10, "voom", 0, 1),
        )
        for contrast in model.contrasts:
            path = folder / f"{contrast}.tsv"
            tables.write("de", result_table(fit, contrast, cohort.var["symbol"], 0.05), path)
            found[contrast] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def expected(truth: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    path = files.write(folder / "counts.tsv", files.lines(truth))
    return results([path], folder)


def quants(folder: Path, tool: str) -> Path:
    """Write one transcript a gene, of equal lengths: then length-scaled counts are the counts."""
    names = {
        "salmon": ("quant.sf", "Name\tLength\tEffectiveLength\tTPM\tNumReads"),
        "kallisto": ("abundance.tsv", "target_id\tlength\teff_length\test_counts\ttpm"),
    }
    name, header = names[tool]
    for sample, row in files.truth().iterrows():
        rows = [header]
        for gene, count in row.items():
            tpm = count / row.sum() * 1e6
            last = f"{float(tpm)!r}\t{count}" if tool == "salmon" else f"{count}\t{float(tpm)!r}"
            rows.append(f"T{gene}\t1200\t1000\t{last}")
        files.write(folder / "quants" / str(sample) / name, rows)
    pairs = [f"T{gene}\t{gene}" for gene in files.GENES]
    files.write(folder / "tx2gene.tsv", ["transcript_id\tgene_id", *pairs])
    return folder / "quants"


def halves(folder: Path) -> list[Path]:
    """Write a matrix for each half of the samples, the genes of the second in another order."""
    table = files.truth()
    cut = len(table) // 2
    return [
        files.write(folder / "first.tsv", files.lines(table.iloc[:cut])),
        files.write(folder / "second.tsv", files.lines(table.iloc[cut:, ::-1])),
    ]


def matrix(builder: Callable[[Path], Path]) -> Callable[[Path], tuple[list[Path], dict[str, Any]]]:
    return lambda folder: ([builder(folder)], {})


def packed(how: str) -> Callable[[Path], tuple[list[Path], dict[str, Any]]]:
    def build(folder: Path) -> tuple[list[Path], dict[str, Any]]:
        path = files.tsv(folder)
        path.write_bytes(files.packed(path.read_bytes(), how))
        return [path], {}

    return build


def single_cells(
    builder: Callable[[Path], Path],
) -> Callable[[Path], tuple[list[Path], dict[str, Any]]]:
    return lambda folder: ([builder(folder)], {"cells": CELLS})


def quantified(tool: str) -> Callable[[Path], tuple[list[Path], dict[str, Any]]]:
    def build(folder: Path) -> tuple[list[Path], dict[str, Any]]:
        path = quants(folder, tool)
        return [path], {"fractional": "round", "tx2gene": str(folder / "tx2gene.tsv")}

    return build


FORMATS = {
    "two matrices": lambda folder: (halves(folder), {}),
    "tsv.gz": packed("gz"),
    "tsv.bz2": packed("bz2"),
    "tsv.xz": packed("xz"),
    "tsv.zst": packed("zst"),
    "csv": matrix(files.csv_quoted),
    "R's write.table": matrix(files.r_table),
    "featureCounts": matrix(files.featurecounts),
    "STAR": matrix(files.star),
    "HTSeq": matrix(files.htseq),
    "nf-core/rnaseq": matrix(files.nfcore),
    "Salmon": quantified("salmon"),
    "kallisto": quantified("kallisto"),
    "bulk h5ad": matrix(files.bulk_h5ad),
    "single-cell h5ad": single_cells(files.cells_h5ad),
    "10x h5": single_cells(files.ten_x_h5),
    "10x MTX": single_cells(files.ten_x_mtx),
}


@pytest.mark.usefixtures("toy_files")
@pytest.mark.parametrize("name", FORMATS)
def test_the_format_does_not_matter(
    name: str, expected: dict[str, bytes], truth: pd.DataFrame, tmp_path: Path
) -> None:
    assert (truth.to_numpy() > 0).any(axis=0).sum() > KEPT / 2
    paths, settings = FORMATS[name](tmp_path)
    found = results(paths, tmp_path / "results", **settings)
    assert len(found) == 5
    assert list(found) == list(expected)
    for contrast, table in expected.items():
        assert found[contrast] == table, contrast
