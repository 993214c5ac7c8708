"""A run of nf-core/rnaseq as it is on disk: merged tables of genes, and the samplesheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.small_cohort import DONORS, GENES, TIMES, good

LENGTH_SCALED = "salmon.merged.gene_counts_length_scaled.tsv"


@dataclass
class NfcoreRun:
    """The estimates of a run, genes × samples, and its samplesheet without the files of reads."""

    counts: pd.DataFrame
    samplesheet: pd.DataFrame

    @property
    def samples(self) -> list[str]:
        return list(self.samplesheet["sample"].unique())

    def split(self, lanes: int) -> None:
        """Give each sample a row of the samplesheet for each lane."""
        rows = self.samplesheet.loc[np.repeat(self.samplesheet.index, lanes)]
        numbers = np.tile(range(1, lanes + 1), len(self.samplesheet))
        self.samplesheet = rows.reset_index(drop=True).assign(lane=numbers.astype(str))

    def add(self, **columns: Sequence[str]) -> None:
        """Add columns to the samplesheet."""
        self.samplesheet = self.samplesheet.assign(**columns)

    def rename(self, sheet: Mapping[str, str], counts: Mapping[str, str]) -> None:
        """Rename samples in the samplesheet, and in the counts."""
        self.samplesheet["sample"] = self.samplesheet["sample"].replace(dict(sheet))
        self.counts = self.counts.rename(columns=dict(counts))

    def write(self, folder: Path) -> None:
        """Write `samplesheet.csv` and `star_salmon/` into `folder`."""
        rows = self.samplesheet.copy()
        reads = rows["sample"].str.replace(" ", "_") + "_L00" + rows.get("lane", "1")
        for mate in (1, 2):
            rows.insert(mate, f"fastq_{mate}", reads + f"_R{mate}_001.fastq.gz")
        rows.insert(3, "strandedness", "auto")
        rows.to_csv(folder / "samplesheet.csv", index=False)
        tables = folder / "star_salmon"
        tables.mkdir()
        table = self.counts.rename_axis("gene_id").reset_index()
        table.insert(1, "gene_name", table["gene_id"])
        for name in ("gene_counts", "gene_counts_length_scaled", "gene_lengths", "gene_tpm"):
            path = tables / f"salmon.merged.{name}.tsv"
            table.to_csv(path, sep="\t", index=False)
        transcripts = table.rename(columns={"gene_id": "tx", "gene_name": "gene_id"})
        path = tables / "salmon.merged.transcript_counts.tsv"
        transcripts.to_csv(path, sep="\t", index=False)


def made() -> NfcoreRun:
    """Return a run of the small cohort, whose samples are `D1_AT_pre` to `D6_RT_post`."""
    header, *rows = good().counts.rows
    values = np.array([row[1:] for row in rows], float)
    values += np.random.default_rng(4).choice([0, 0.25, 0.375], values.shape)
    names = [f"{donor}_{group}_{time}" for donor, group in DONORS.items() for time in TIMES]
    assert [name.replace(f"_{name.split('_')[1]}_", "_") for name in names] == header[1:]
    counts = pd.DataFrame(values, GENES, names)
    return NfcoreRun(counts, pd.DataFrame({"sample": names}))
