"""Text tables: TSV and CSV count matrices, featureCounts, nf-core/rnaseq, HTSeq and STAR files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fibroserum.counts.numbers import MISSING, numbers
from fibroserum.counts.table import Matrix
from fibroserum.errors import listed, refuse
from fibroserum.files.contents import composed
from fibroserum.files.grid import ID_HEADERS, Grid, first_cell, parse_lines, split

#: Columns that describe a gene and are no samples (featureCounts, nf-core, biomaRt, Subread).
ANNOTATION_COLUMNS = {
    "gene_name", "gene_symbol", "symbol", "symbols", "gene_names", "gene_symbols",
    "external_gene_name", "hgnc_symbol", "genename", "feature_name",
    "chr", "start", "end", "strand", "length", "gene_biotype", "gene_type", "biotype",
    "description", "chromosome", "entrezid", "entrez_id", "gene_description",
}  # fmt: skip
#: Words with which such columns begin, beside columns that the sheet names.
_OF_GENES = re.compile(
    r"(gene|feature|transcript|exon|chr|chromosome|start|end|strand|length|width|entrez\w*|ncbi|hgnc)"
    r"([^a-z0-9].*)?"
    r"|pos|position|locus|cytoband|band|map|gc|coding|cds|cdna|exons?|introns?|isoforms?|transcripts"
    r"|paralog\w*|ortholog\w*|homolog\w*|uniprot\w*|refseq\w*|ensembl\w*|omim|mim|kegg|go|rank"
)
#: Words in names of columns with values other than counts, which tools put beside counts.
_MEASURES = {
    "fpkm", "rpkm", "tpm", "cpm", "rpm", "log2fc", "logfc", "log2foldchange", "foldchange", "fold",
    "log2", "log2ratio", "fc", "padj", "pvalue", "pval", "fdr", "qvalue", "qval", "basemean",
    "lfcse", "stat", "norm", "normalized", "normalised", "mean", "average",
}  # fmt: skip
FEATURECOUNTS_COLUMNS = ("geneid", "chr", "start", "end", "strand", "length")
ENSEMBL = re.compile(r"ENS[A-Z]*[GT]\d{11}(\.\d+)?.*")


def matrix_from(grid: Grid, path: Path, known_samples: Collection[str] = ()) -> Matrix:
    """Return a grid's numbers with genes in rows; cells that are no numbers are its problems.

    Columns that are no samples are left out and noted, rows of reads outside genes (__no_feature,
    N_unmapped …) put aside. Where columns bear known samples, the others are not read, and named
    in `unlisted`.
    """
    if grid.header is None:
        return _headless_matrix(grid, path, known_samples)
    header = tuple(name.strip() for name in grid.header)
    _refuse_rsem(header, grid.where)
    _refuse_nameless(grid, header)
    _refuse_transposed(grid, header, known_samples)
    names, renamed = _plain_header(grid, header, known_samples)
    left_out = _no_samples(grid, names, frozenset(known_samples))
    columns = [i for i in range(1, grid.width) if i not in left_out]
    said: dict[str, list[str]] = {}
    for index, reason in sorted(left_out.items()):
        said.setdefault(reason, []).append(names[index])
    notes = [f"{grid.where}: {_about(said[reason], reason)}" for reason in said]
    named = [index for index in columns if names[index] in known_samples]
    unlisted = tuple(names[index] for index in columns if named and index not in named)
    columns = named or columns
    samples = tuple(names[index] for index in columns)
    matrix = numbers(grid, samples, columns, (*grid.notes, *notes, *renamed))
    return replace(matrix, unlisted=unlisted)


def _plain_header(
    grid: Grid, header: tuple[str, ...], known: Collection[str]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the header with samples as the sheet names them, and a note where that changed any.

    featureCounts names columns after alignment files; other tools put `count` beside the name.
    """
    if tuple(name.lower() for name in header[:6]) == FEATURECOUNTS_COLUMNS:
        plain, how = (*header[:6], *plain_names(header[6:], known)), "after their alignment files"
    else:
        plain, how = _without_count_words(grid, header, known), "without the word 'count'"
    for name, short in zip(header, plain, strict=True):
        if name != short:
            return plain, [f"{grid.where}: columns renamed {how} ('{name}' becomes '{short}', …)"]
    spaces = any(name != name.strip() for name in grid.header or ())
    return header, [f"{grid.where}: spaces around column names removed"] if spaces else []


_COUNT = r"((raw|read|gene|fragment|estimated|est|expected|num)[._ -]?)?(counts?|reads)|raw"
_COUNT_WORD = re.compile(rf"^({_COUNT})[._: -]+|[._: -]+({_COUNT})$", re.IGNORECASE)


#: Suffix of the name of a column of fractions whose sample also has a column of counts.
_NO_COUNTS = " (no counts)"


def _without_count_words(
    grid: Grid, header: tuple[str, ...], known: Collection[str]
) -> tuple[str, ...]:
    """Return the header with `S1_count` as `S1` where the sheet has S1 and no other column has.

    Where columns S1 hold fractions (FPKM) and all S1_count whole numbers, S1_count is S1, too.
    """
    plain = [_COUNT_WORD.sub("", name) for name in header]
    fitting = {
        short for short, n in Counter(plain).items()
        if n == 1 and short in known and short not in header
    }  # fmt: skip
    beside = {
        plain[i]: (header.index(plain[i]), i) for i, name in enumerate(header)
        if name != plain[i] and plain[i] in known and plain[i] in header
    }  # fmt: skip
    if beside:
        frame = parse_lines(grid, {0: str})
        fractions = any(
            not _are_whole(_as_numbers(frame[own]).dropna()) for own, _ in beside.values()
        )
        if fractions and all(_are_whole(frame[counts]) for _, counts in beside.values()):
            fitting |= beside.keys()
            header = tuple(n + _NO_COUNTS if n in beside else n for n in header)
    pairs = zip(header, plain, strict=True)
    return tuple(
        short if short in fitting and _COUNT_WORD.search(name) else name for name, short in pairs
    )


def _as_numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce")


def _no_samples(grid: Grid, names: Sequence[str], known: frozenset[str]) -> dict[int, str]:
    """Return the columns behind the first that are no samples, and what they are, in words.

    A column that the sheet names is a sample. Of the others, those that describe genes or cannot be
    counts are none; the rest are samples without a row in the sheet, failed ones (zeros, missing
    counts) too.
    """
    genes = "describe genes and are not samples"
    others = [i for i in range(1, grid.width) if names[i] not in known]
    found = {i: genes for i in others if names[i].lower() in ANNOTATION_COLUMNS}
    rest = [i for i in others if i not in found and names[i]]
    if not (known and rest and grid.lines):
        return found
    frame = parse_lines(grid, dict.fromkeys([0, *found], str))
    sheets = [frame[i] for i in range(1, grid.width) if names[i] in known]
    whole = bool(sheets) and all(map(_are_whole, sheets))
    for i in rest:
        values = _as_numbers(frame[i])
        words = frame[i][values.isna()].astype(str).str.strip().str.lower()
        text = values.notna().mean() < 0.5 and not words.isin(MISSING).all()
        if text or (sheets and _OF_GENES.fullmatch(names[i].lower())):
            found[i] = genes
        elif sheets and (what := _no_counts(values.dropna(), names[i], whole=whole)):
            found[i] = f"contain {what} and are not samples of the sheet; excluded"
    candidates = [i for i in rest if i not in found]
    if whole and candidates:
        table = frame[[i for i in range(1, grid.width) if i not in found]].apply(_as_numbers)
        of_sheet = sum(map(_as_numbers, sheets))
        for i in candidates:
            others = table.drop(columns=i).sum(axis=1)
            sums = [
                total
                for total, n in ((of_sheet, len(sheets)), (others, len(table.columns) - 1))
                if n > 1
            ]
            if any((table[i] == total).all() and total.any() for total in sums):
                found[i] = "contain sums of samples and are not samples of the sheet; excluded"
    return found


def _about(columns: Sequence[str], reason: str) -> str:
    """Return a sentence on columns, of which there may be one."""
    if len(columns) > 1:
        return f"columns {listed(columns, 8)} {reason}"
    verb, rest = reason.split(" ", 1)
    return f"column '{columns[0]}' {verb}s {rest.replace('are not samples', 'is not a sample')}"


def _are_whole(values: pd.Series) -> bool:
    numbers = _as_numbers(values).to_numpy(float)
    return bool((numbers == np.rint(numbers)).all())


def _no_counts(values: pd.Series, name: str, *, whole: bool) -> str:
    """Return what a column that the sheet lacks holds where that is no counts, else empty."""
    if name.endswith(_NO_COUNTS) or set(re.split(r"[^a-z0-9]+", name.lower())) & _MEASURES:
        return "values other than counts"
    if values.empty:
        return "no numbers"
    if whole and not _are_whole(values):
        return "fractions"
    return "negative values" if (values < 0).any() else ""


_ALIGNER_ENDINGS = re.compile(
    r"(\.(bam|sam|cram)|[._-]?Aligned(\.sortedByCoord)?(\.out)?|[._-](sorted|sort|markdup|dedup|rmdup))$"
)


def plain_names(samples: tuple[str, ...], known_samples: Collection[str]) -> tuple[str, ...]:
    """Return sample names from featureCounts' columns, which are paths of alignment files.

    The way of shortening that gives most known samples, else the first that keeps them apart:
    the file's name without aligner endings, its folder's name, the column as it stands.
    """

    def stem(name: str) -> str:
        text = name.replace("\\", "/").rstrip("/").split("/")[-1]
        while _ALIGNER_ENDINGS.search(text) and _ALIGNER_ENDINGS.sub("", text):
            text = _ALIGNER_ENDINGS.sub("", text)
        return text

    def folder(name: str) -> str:
        parts = name.replace("\\", "/").split("/")
        return parts[-2] if len(parts) > 1 else name

    ways = [samples, tuple(map(stem, samples)), tuple(map(folder, samples))]
    known = set(known_samples)
    most = max(ways, key=lambda names: len(known.intersection(names)))
    if known.intersection(most):
        return most
    apart = [names for names in ways[1:] if len(set(names)) == len(names) and all(names)]
    return apart[0] if apart else samples


def _refuse_rsem(header: Sequence[str], where: str) -> None:
    if {"expected_count", "TPM"} <= set(header):
        hint = (
            "Put RSEM's expected counts of all samples in one table, and write 'fractional: round'."
        )
        raise refuse(
            "is an RSEM table of a single sample",
            where,
            "genes in rows and samples in columns",
            hint,
        )


def _refuse_nameless(grid: Grid, header: Sequence[str]) -> None:
    """Refuse columns with content and no name: behind them a header may be one name short."""
    nameless = [index for index, name in enumerate(header) if index and not name]
    if nameless:
        place = nameless[0]
        cells = (split(line, grid.separator)[place].strip() for line in grid.lines)
        cell = next(cell for cell in cells if cell)
        short = f" If '{header[0]}' is a sample, write 'gene' before it in the header."
        hint = "Name the column." + ("" if header[0].lower() in ID_HEADERS else short)
        what = f"column {place + 1} contains '{cell[:40]}' but has no name"
        raise refuse(what, f"{grid.where}, header", "a name for each column", hint)


def _refuse_transposed(grid: Grid, header: Sequence[str], known: Collection[str]) -> None:
    ids = [first_cell(line, grid.separator).strip() for line in grid.lines]
    names = list(header[1:])
    rows_known = sum(name in known for name in ids)
    columns_known = sum(name in known for name in names)
    genes_in_columns = sum(bool(ENSEMBL.fullmatch(name)) for name in names) > 0.5 * len(names)
    if header[0] and ENSEMBL.fullmatch(header[0]):
        raise refuse(
            f"has no header line. It begins with the gene '{header[0]}'",
            grid.where,
            "a first line with the sample names",
        )
    if genes_in_columns or (rows_known > columns_known and rows_known >= 0.5 * max(len(ids), 1)):
        hint = "Transpose it, for instance in R: write.table(t(x), sep='\\t', col.names=NA)."
        raise refuse("has samples in rows and genes in columns", grid.where, "genes in rows", hint)


def _headless_matrix(grid: Grid, path: Path, known_samples: Collection[str]) -> Matrix:
    first = split(grid.lines[0], grid.separator)
    columns = [i for i in range(1, grid.width) if first[i].strip().isdigit()]
    if len(columns) > 1 or grid.width - len(columns) > 2:
        raise refuse(
            f"has no header line. It begins with '{first[0]}'",
            grid.where,
            "a first line with the sample names",
            "To count several alignments into one table, use htseq-count --with-header.",
        )
    sample = sample_name(path, known_samples)
    note = f"{grid.where}: no header (HTSeq writes none); the sample is '{sample}'"
    return numbers(grid, (sample,), columns, (*grid.notes, note))


_FILE_ENDINGS = re.compile(
    r"[._-]?(gz|bz2|xz|zst|txt|tsv|csv|tab|out|counts?|htseq|ReadsPerGene|quant|abundance|"
    r"augmented_star_gene|rna_seq)$",
    re.I,
)


def sample_name(path: Path, known_samples: Collection[str] = ()) -> str:
    """Return a sample's name from its file's: the first known one, else without tools' endings.

    A file whose name is nothing but such endings (ReadsPerGene.out.tab) is named by its folder.
    """
    names = [composed(path.name)]
    while _FILE_ENDINGS.search(names[-1]):
        names.append(_FILE_ENDINGS.sub("", names[-1]))
    folder = composed(path.resolve().parent.name)
    known = [name for name in (*names, folder) if name in known_samples]
    return known[0] if known else names[-1] or folder
