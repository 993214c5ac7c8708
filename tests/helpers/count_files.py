"""Builders of count inputs for tests: one small truth written in every format."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import zstandard
from scipy import sparse
from scipy.io import mmwrite

GENES = [f"ENSG{n:011d}" for n in (182492, 11465, 38427, 108821, 164692, 168542, 151948, 107562)]
SYMBOLS = ["BGN", "DCN", "VCAN", "COL1A1", "COL1A2", "COL3A1", "GLT1D1", "CXCL12"]
SAMPLES = ["001", "S2_pre", "S2_post", "NA"]


def truth() -> pd.DataFrame:
    """Return samples × genes, some zero, some large."""
    rng = np.random.default_rng(11)
    counts = rng.poisson(rng.gamma(1, 200, size=len(GENES)), size=(len(SAMPLES), len(GENES)))
    counts[1, 2] = 0
    counts[:, 5] = 0
    counts[2, 3] = 3_000_000
    return pd.DataFrame(counts, index=SAMPLES, columns=GENES)


def lines(table: pd.DataFrame, separator: str = "\t", name: str = "gene_id") -> list[str]:
    """Return a samples × genes table as text lines with genes in rows."""
    rows = [separator.join([name, *table.index])]
    rows += [
        separator.join(
            [gene, *(f"{value:g}" if value % 1 else str(int(value)) for value in column)]
        )
        for gene, column in zip(table.columns, table.to_numpy().T, strict=True)
    ]
    return rows


def write(path: Path, rows: Sequence[str]) -> Path:
    """Write lines and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def packed(data: bytes, how: str) -> bytes:
    """Return bytes packed as the ending says."""
    pack = {
        "plain": bytes,
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": zstandard.ZstdCompressor().compress,
    }
    return pack[how](data)


def tsv(folder: Path) -> Path:
    return write(folder / "counts.tsv", lines(truth()))


def csv_quoted(folder: Path) -> Path:
    rows = [",".join(f'"{cell}"' if n == 0 or row == 0 else cell
                     for n, cell in enumerate(line.split("\t")))
            for row, line in enumerate(lines(truth()))]  # fmt: skip
    return write(folder / "counts.csv", rows)


def r_table(folder: Path) -> Path:
    header, *rows = lines(truth())
    return write(folder / "counts.txt", [header.split("\t", 1)[1], *rows])


def featurecounts(folder: Path) -> Path:
    table = truth()
    table.index = [f"/data/bam/{name}.sorted.bam" for name in table.index]
    header, *rows = lines(table)
    described = "Geneid\tChr\tStart\tEnd\tStrand\tLength"
    rows = [f"{row.split(chr(9))[0]}\tchr1;chr1\t1;50\t40;99\t+;+\t90\t{row.split(chr(9), 1)[1]}"
            for row in rows]  # fmt: skip
    head = '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "genes.gtf"'
    return write(
        folder / "featurecounts.txt", [head, f"{described}\t{header.split(chr(9), 1)[1]}", *rows]
    )


def nfcore(folder: Path) -> Path:
    header, *rows = lines(truth())
    named = zip(SYMBOLS, rows, strict=True)
    rows = [f"{row.split(chr(9))[0]}\t{symbol}\t{row.split(chr(9), 1)[1]}" for symbol, row in named]
    return write(folder / "x.tsv", ["gene_id\tgene_name\t" + header.split("\t", 1)[1], *rows])


def htseq(folder: Path) -> Path:
    special = ["__no_feature\t99", "__ambiguous\t5", "__too_low_aQual\t0", "__not_aligned\t0",
               "__alignment_not_unique\t12"]  # fmt: skip
    for sample, row in truth().iterrows():
        rows = [f"{gene}\t{count}" for gene, count in row.items()]
        write(folder / "htseq" / f"{sample}.htseq.counts.txt", rows + special)
    return folder / "htseq"


def star(folder: Path, forward: float = 0.02) -> Path:
    """STAR's four columns; `forward` is the share of the truth in the forward column."""
    for sample, row in truth().iterrows():
        rows = [f"N_{name}\t10\t900\t20" for name in
                ("unmapped", "multimapping", "noFeature", "ambiguous")]  # fmt: skip
        for gene, count in row.items():
            sense = round(count * forward / (1 - forward))
            rows.append(f"{gene}\t{count + sense}\t{sense}\t{count}")
        write(folder / "star" / f"{sample}.ReadsPerGene.out.tab", rows)
        write(folder / "star" / f"{sample}.Log.final.out", ["Number of input reads |\t99"])
    return folder / "star"


def gdc(folder: Path) -> Path:
    """Write STAR's counts as the Genomic Data Commons does: with names, and values behind them."""
    header = "gene_id gene_name gene_type unstranded stranded_first stranded_second tpm_unstranded"
    outside = [f"N_{name}\t\t\t10\t900\t20\t" for name in ("unmapped", "multimapping")]
    for sample, row in truth().iterrows():
        rows = ["# gene-model: GENCODE v36", header.replace(" ", "\t"), *outside]
        for (gene, count), symbol in zip(row.items(), SYMBOLS, strict=True):
            rows.append(f"{gene}.5\t{symbol}\tprotein_coding\t{count}\t{count // 2}\t"
                        f"{count - count // 2}\t1.5")  # fmt: skip
        name = f"{sample}.rna_seq.augmented_star_gene_counts.tsv"
        write(folder / "gdc" / f"uuid-{sample}" / name, rows)
    return folder / "gdc"


def bulk_h5ad(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = truth()
    logged = np.log1p(table.to_numpy(float))
    adata = ad.AnnData(X=logged, obs=pd.DataFrame(index=table.index), var=pd.DataFrame(
        {"gene_name": SYMBOLS}, index=table.columns))  # fmt: skip
    adata.layers["counts"] = sparse.csr_matrix(table.to_numpy())
    adata.write_h5ad(folder / "bulk.h5ad")
    return folder / "bulk.h5ad"


def cells_of_truth(per_sample: int = 12) -> tuple[np.ndarray, list[str]]:
    """Return cells × genes that add up to the truth, and each cell's sample."""
    rng = np.random.default_rng(5)
    blocks = [
        np.column_stack([rng.multinomial(count, np.full(per_sample, 1 / per_sample))
                         for count in row])
        for row in truth().to_numpy()
    ]  # fmt: skip
    labels = [sample for sample in SAMPLES for _ in range(per_sample)]
    order = rng.permutation(len(labels))
    return np.vstack(blocks)[order], [labels[n] for n in order]


def cells_h5ad(folder: Path, kind: str = "csr") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values, labels = cells_of_truth()
    x = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}[kind](
        values.astype(np.float32)
    )
    obs = pd.DataFrame(
        {"donor_time": pd.Categorical(labels)}, index=[f"C{n}" for n in range(len(labels))]
    )
    var = pd.DataFrame({"gene_ids": GENES}, index=SYMBOLS)
    ad.AnnData(X=x, obs=obs, var=var).write_h5ad(folder / f"cells_{kind}.h5ad")
    return folder / f"cells_{kind}.h5ad"


def _barcodes(labels: Sequence[str]) -> list[str]:
    return [f"AAAC{n:04d}-1" for n in range(len(labels))]


def _cell_table(folder: Path, labels: Sequence[str]) -> None:
    rows = [f"{barcode},{label}" for barcode, label in zip(_barcodes(labels), labels, strict=True)]
    write(folder / "metadata.csv", ["barcode,donor_time", *reversed(rows)])


def ten_x_h5(folder: Path) -> Path:
    values, labels = cells_of_truth()
    values = np.column_stack([values, np.full(len(values), 7)])
    _cell_table(folder / "h5", labels)
    stored = sparse.csr_matrix(values.astype(np.int32))
    with h5py.File(folder / "h5" / "filtered.h5", "w") as handle:
        group = handle.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(stored, name)
        group["shape"] = np.array(values.T.shape)
        group["barcodes"] = np.array(_barcodes(labels), dtype="S")
        features = group.create_group("features")
        features["id"] = np.array([*GENES, "CD4_TotalSeq"], dtype="S")
        features["name"] = np.array([*SYMBOLS, "CD4"], dtype="S")
        kinds = ["Gene Expression"] * len(GENES) + ["Antibody Capture"]
        features["feature_type"] = np.array(kinds, dtype="S")
    return folder / "h5" / "filtered.h5"


def ten_x_mtx(folder: Path) -> Path:
    place = folder / "mtx"
    values, labels = cells_of_truth()
    _cell_table(place, labels)
    mmwrite(place / "matrix.mtx", sparse.coo_matrix(values.T))
    (place / "matrix.mtx.gz").write_bytes(gzip.compress((place / "matrix.mtx").read_bytes()))
    (place / "matrix.mtx").unlink()
    features = [
        f"{gene}\t{name}\tGene Expression" for gene, name in zip(GENES, SYMBOLS, strict=True)
    ]
    (place / "features.tsv.gz").write_bytes(gzip.compress("\n".join(features).encode()))
    (place / "barcodes.tsv.gz").write_bytes(gzip.compress("\n".join(_barcodes(labels)).encode()))
    return place
