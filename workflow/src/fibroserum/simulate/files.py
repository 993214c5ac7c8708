"""Writing simulated cohorts as the files a user would bring; the same cohort, the same bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.simulate.cohort import SimulatedCohort
from fibroserum.simulate.designs import SimulatedDesigns


def write_cohort(cohort: SimulatedCohort, folder: Path) -> list[Path]:
    """Write the cohort into `folder` (made if absent) and return the files, in order.

    `{arm}.counts.tsv.gz` for each arm (genes in rows), samples.tsv, truth.tsv, null_sets.gmt, and
    ccl28_stimulation.counts.tsv.gz and .samples.tsv where the cohort has that arm.
    """
    files = {}
    for arm in cohort.spec.arms:
        in_arm = cohort.samples["group"].eq(arm.name).to_numpy()
        files[f"{arm.name}.counts.tsv.gz"] = _packed(_counts_text(cohort.counts[in_arm]))
    files["samples.tsv"] = _table_text(cohort.samples).encode()
    if len(cohort.stimulation_samples):
        stimulation = _counts_text(cohort.stimulation_counts)
        files["ccl28_stimulation.counts.tsv.gz"] = _packed(stimulation)
        files["ccl28_stimulation.samples.tsv"] = _table_text(cohort.stimulation_samples).encode()
    files["truth.tsv"] = _table_text(cohort.truth.reset_index()).encode()
    files["null_sets.gmt"] = _gmt_text(cohort.null_sets).encode()
    return _written(files, folder)


def write_designs(cohort: SimulatedDesigns, folder: Path) -> list[Path]:
    """Write the cohort of the designs into `folder` (made if absent) and return the files.

    counts.tsv.gz (genes in rows), samples.tsv, serum_panel.tsv, truth.tsv, molecules_truth.tsv and
    null_sets.gmt.
    """
    files = {
        "counts.tsv.gz": _packed(_counts_text(cohort.counts)),
        "samples.tsv": _table_text(cohort.samples).encode(),
        "serum_panel.tsv": _table_text(cohort.serum_panel).encode(),
        "truth.tsv": _table_text(cohort.truth.reset_index()).encode(),
        "molecules_truth.tsv": _table_text(cohort.molecules).encode(),
        "null_sets.gmt": _gmt_text(cohort.null_sets).encode(),
    }
    return _written(files, folder)


def _written(files: dict[str, bytes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _packed(text: str) -> bytes:
    # No name and no time in the header: the same counts must give the same bytes.
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def _counts_text(counts: pd.DataFrame) -> str:
    genes_in_rows = counts.T
    genes_in_rows.columns.name = None
    return genes_in_rows.to_csv(sep="\t", index_label="gene_id", lineterminator="\n")


def _table_text(table: pd.DataFrame) -> str:
    said = table.copy()
    for name in table.select_dtypes(bool):
        said[name] = np.where(table[name], "true", "false")
    return said.to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.7g")


def _gmt_text(sets: dict[str, tuple[str, ...]]) -> str:
    note = "simulated: correlated genes without change"
    return "".join("\t".join([name, note, *genes]) + "\n" for name, genes in sets.items())
