"""From files or DataFrames to a cohort, checked as the workflow checks its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort import stage
from fibroserum.cohort.plan import plan
from fibroserum.cohort.several import read_one
from fibroserum.errors import InputError, Problem
from fibroserum.input.config import Config
from fibroserum.input.schema import config_schema
from fibroserum.input.sheet import SAMPLE, read_sample_sheet

#: What names a table: its file, or the table itself.
Table: TypeAlias = "str | Path | pd.DataFrame"


@dataclass(frozen=True, repr=False)
class Cohort:
    """A cohort, and the config that its analysis follows.

    Attributes
    ----------
    adata : anndata.AnnData
        Samples × genes: raw counts in `X`; size factors and the design in `obs`; symbols and
        targets in `var`. Technical replicates are summed. Samples that no model uses are excluded.
    samples : pandas.DataFrame
        A row for each sample of the sheet: `used_for` (`change`, `baseline` or `none`) says what it
        is used for, `reason` says why it is excluded or summed.
    stimulation : dict of str to anndata.AnnData
        By factor, the samples × genes of its stimulation experiment, where it has one.
    config : dict
        The complete config, as `load_config` returns it.

    Examples
    --------
    >>> cohort
    Cohort 'cohort': 17 samples × 1500 genes
    >>> list(cohort.adata.obs["used_for"].value_counts().index)
    ['change', 'baseline']
    """

    adata: ad.AnnData
    samples: pd.DataFrame
    stimulation: dict[str, ad.AnnData]
    config: Config

    def __repr__(self) -> str:
        samples, genes = self.adata.shape
        return f"Cohort '{self.config['cohort']}': {samples} samples × {genes} genes"


def load_config(source: str | Path | Mapping[str, Any], root: str | Path = ".") -> Config:
    """Return the complete config of a cohort, and check the files that it names.

    Parameters
    ----------
    source : path or mapping
        A cohort's config file (YAML or JSON), or its content.
    root : path
        Folder of the pipeline, where files below `resources/` are found that the working directory
        does not have.

    Returns
    -------
    dict
        Every key of config/README.md with its value, or with its default.

    Raises
    ------
    InputError
        With every problem of the config, of the sample sheets and of the tables that it names.

    Notes
    -----
    Paths in a config are relative to the working directory. The default of `gene_sets` is a file of
    the pipeline: without the pipeline's `root` write `gene_sets: []`, or name files of your own.

    Examples
    --------
    >>> config = load_config("config.yaml")
    >>> config["differential_expression"]["alpha"]
    0.05
    """
    if isinstance(source, Mapping):
        return plan(dict(source), config_schema(), Path(root), "config").config
    raw, file = read_one(str(source), Path(root), "load_config")
    return plan(raw, config_schema(), Path(root), str(source), [file]).config


def read_cohort(config: Config) -> Cohort:
    """Return the cohort that a complete config describes.

    Parameters
    ----------
    config : dict
        As `load_config` returns it.

    Returns
    -------
    Cohort
        Samples and genes sorted by name, so that the order of the input changes nothing.

    Raises
    ------
    InputError
        With every problem of the counts, and of what else the config names.

    Examples
    --------
    >>> read_cohort(load_config("config.yaml"))
    Cohort 'small': 17 samples × 1500 genes
    """
    min_count = config["differential_expression"]["min_count"]
    found = stage.read_cohort(config, (), min_count)
    found.adata.X = np.asarray(found.adata.X, dtype=np.int64)
    return Cohort(found.adata, found.samples, found.stimulation, config)


def build_cohort(
    counts: Table | Sequence[Table],
    samples: Table,
    *,
    before: str,
    after: str | Sequence[str],
    donor: str = "donor",
    group: str | None = None,
    time: str = "timepoint",
    reference_group: str | None = None,
    targets: str | Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Cohort:
    """Return a cohort from counts and a sample sheet.

    Parameters
    ----------
    counts : path, pandas.DataFrame, or several of them
        Raw counts: files or folders of any format that `read_counts` reads, or DataFrames of
        samples × genes or of genes × samples, recognised by the names of the samples. Several
        are joined on the gene ids.
    samples : path or pandas.DataFrame
        The sample sheet: one row per sample. The column `sample`, or else the index, contains the
        names of the samples.
    before, after : str
        Levels of the column `time`: `before` the intervention, and `after` it.
    donor, group, time : str
        Columns of the sheet: the donor of the serum, the group (None: a single group), and the time
        point.
    reference_group : str, optional
        The group with which others are compared. Needed where there are several groups.
    targets : str, or several, optional
        Genes declared in advance, by symbol or id, which get verdicts. None: the default of the
        config's key `targets`.
    options : mapping, optional
        Further keys of a config, as config/README.md describes them, for example
        `{"differential_expression": {"alpha": 0.1}, "design": {"covariates": ["batch"]}}`. A key
        here wins over the argument of the same meaning.

    Returns
    -------
    Cohort
        As `read_cohort` returns it.

    Raises
    ------
    InputError
        With every problem of the arguments, the sheet and the counts. DataFrames are checked as
        files `counts_1.tsv` and `samples.tsv` with a header would be; messages name rows so.
        A key of the config that a message names is an argument, or a key of `options`.

    Notes
    -----
    No gene sets are read unless `options` names files (`gene_sets`).

    Examples
    --------
    >>> drawn = simulate_cohort(CohortSpec(genes=1500, arms=(Arm("AT", 4), Arm("RT", 5))), seed=1)
    >>> cohort = build_cohort(
    ...     drawn.counts,
    ...     drawn.samples,
    ...     before="pre",
    ...     after="post",
    ...     group="group",
    ...     reference_group="AT",
    ...     targets=["BGN", "DCN"],
    ... )
    >>> cohort.adata.uns["fibroserum"]["groups"]
    ['AT', 'RT']
    """
    own = dict(options or {})
    design = {
        "donor": donor,
        "group": group,
        "time": time,
        "before": before,
        "after": after if isinstance(after, str) else list(after),
        "reference_group": reference_group,
    } | own.get("design", {})
    column = design.get("sample", SAMPLE)
    names = [targets] if isinstance(targets, str) else targets
    raw = {"cohort": "cohort", "gene_sets": []}
    raw |= {} if names is None else {"targets": list(names)}
    tables = [counts] if isinstance(counts, str | Path | pd.DataFrame) else counts
    with TemporaryDirectory() as folder:
        try:
            sheet = _sheet_file(samples, column, folder)
            paths = [
                _counts_file(table, sheet, column, Path(folder, f"counts_{number}.tsv"))
                for number, table in enumerate(tables, 1)
            ]
            raw |= {"counts": paths, "samples": sheet} | own | {"design": design}
            cohort = read_cohort(load_config(raw))
        except InputError as error:
            raise InputError(_without_folder(one, folder) for one in error.problems) from None
    noted, config = cohort.adata.uns["fibroserum"], cohort.config
    for key in ("notes", "remarks"):
        noted[key] = [_relative(note, folder) for note in noted[key]]
    read = {"counts": [_relative(path, folder) for path in config["counts"]]}
    return replace(cohort, config=config | read | {"samples": _relative(config["samples"], folder)})


def _sheet_file(samples: Table, column: str, folder: str) -> str:
    """Return the path of a sheet; a DataFrame is written, its index as the column if need be."""
    if not isinstance(samples, pd.DataFrame):
        return str(samples)
    path = Path(folder, "samples.tsv")
    named = samples if column in samples else samples.rename_axis(column).reset_index()
    named.to_csv(path, sep="\t", index=False)
    return str(path)


def _counts_file(counts: Table, sheet: str, column: str, path: Path) -> str:
    """Return the path of counts; a DataFrame is written to `path`, with genes in rows."""
    if not isinstance(counts, pd.DataFrame):
        return str(counts)
    names = read_sample_sheet(Path(sheet), {"sample": column})[SAMPLE]
    in_rows, in_columns = (names.isin(axis.astype(str)).any() for axis in counts.axes)
    # without a known name: there are more genes than samples
    genes_in_rows = in_columns if in_rows != in_columns else len(counts) > counts.shape[1]
    table = counts if genes_in_rows else counts.T
    table.to_csv(path, sep="\t", index_label="gene_id")
    return str(path)


def _relative(text: str, folder: str) -> str:
    """Return a text in which files of the folder are named without it."""
    return text.replace(str(Path(folder, "_"))[:-1], "")


def _without_folder(problem: Problem, folder: str) -> Problem:
    said = {part.name: _relative(getattr(problem, part.name), folder) for part in fields(problem)}
    return Problem(**said)
