"""Count matrices that are none, or that do not belong to the sheet."""

from __future__ import annotations

import gzip
import io

import numpy as np
import openpyxl

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort, Table
from helpers.spoiling import HTML, PNG

CASES = Cases("counts")
case = CASES.case


@case(
    "a negative count",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the count is negative (-3); expected a whole "
    "number ≥ 0",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "-3")


@case(
    "a fractional count",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the count 3.5 is not a whole number; expected "
    "whole numbers. If these are length-scaled estimates (Salmon, kallisto, RSEM, "
    "nf-core/rnaseq), write 'fractional: round' in the config. Otherwise use the counts before "
    "any normalisation.",
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "3.5")


@case(
    "a missing count",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the count is missing ('NA'); expected a whole "
    "number ≥ 0",
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "NA")


@case(
    "an empty cell",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the cell is empty; expected a whole number ≥ 0",
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "")


@case(
    "a word for a count",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': 'many' is not a number; expected a whole number "
    "≥ 0",
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "many")


@case(
    "a count larger than any library",
    "counts.tsv, row 3 ('DCN'), column 'D2_pre': the count 1e+30 is impossibly large; expected "
    "a whole number ≥ 0",
)
def _(c: SmallCohort) -> None:
    c.counts.put("DCN", "D2_pre", "1e30")


@case(
    "a gene twice",
    "counts.tsv, rows 14, 62: the gene 'LUM' appears in 2 rows; expected each gene only once. "
    "Use a table with Ensembl ids (they are unique), sum the rows, or exclude them with "
    "genes.exclude.",
)
def _(c: SmallCohort) -> None:
    c.counts.rows.append(list(c.counts.row("LUM")))


@case(
    "a sample in two columns",
    "counts.tsv: the sample 'D2_pre' appears in more than one column; expected each sample only "
    "once. For lanes or runs of one sample, use different names (S1_L1, S1_L2) and one row of "
    "the sheet each. Rows of the same donor, group and time are summed. If one is a copy, "
    "remove it.",
)
def _(c: SmallCohort) -> None:
    c.counts.rename("D2_post", "D2_pre")


@case(
    "a gene without an id",
    "counts.tsv, row 14 (''): the row has no gene id; expected a gene id",
)
def _(c: SmallCohort) -> None:
    c.counts.put("LUM", "gene_id", "")


@case(
    "TPM",
    "counts.tsv: contains TPM or CPM values (every sample adds up to a million); expected raw "
    "counts. Use the counts before any normalisation.",
)
def _(c: SmallCohort) -> None:
    _scaled(c.counts, 1e6)


@case(
    "logarithms",
    "counts.tsv: contains values that look like logarithms (fractions, none above 13.7); "
    "expected raw counts. Use the counts before any normalisation.",
)
def _(c: SmallCohort) -> None:
    c.counts.values(lambda count: round(float(np.log2(count + 1)), 3))


@case(
    "counts divided by a size factor",
    "counts.tsv, row 2 ('BGN'), column 'D1_pre': the count 562.5 is not a whole number (703 "
    "such cells, 98% of the cells above 0); expected whole numbers. If these are length-scaled "
    "estimates (Salmon, kallisto, RSEM, nf-core/rnaseq), write 'fractional: round' in the "
    "config. Otherwise use the counts before any normalisation.",
)
def _(c: SmallCohort) -> None:
    factors = {name: 0.8 + 0.037 * n for n, name in enumerate(c.counts.header[1:])}
    for row in c.counts.rows[1:]:
        row[1:] = [str(int(v) / f) for v, f in zip(row[1:], factors.values(), strict=True)]


def _scaled(table: Table, total: float) -> None:
    values = np.array([row[1:] for row in table.rows[1:]], dtype=float)
    scaled = values / values.sum(axis=0) * total
    for row, new in zip(table.rows[1:], scaled, strict=True):
        row[1:] = [f"{value:.4f}" for value in new]


@case(
    "samples in rows",
    "counts.tsv: has samples in rows and genes in columns; expected genes in rows. Transpose it, "
    "for instance in R: write.table(t(x), sep='\\t', col.names=NA).",
)
def _(c: SmallCohort) -> None:
    c.counts.rows = [list(column) for column in zip(*c.counts.rows, strict=True)]


@case(
    "semicolons and decimal commas",
    "counts.tsv: has semicolons between columns; expected tabs or commas. Save it with commas "
    "between columns and decimal points in numbers, or as tab-separated text.",
)
def _(c: SmallCohort) -> None:
    c.counts.values(lambda count: f"{int(count)},0")
    c.instead["counts.tsv"] = c.counts.text(";")


@case(
    "spaces between columns",
    "counts.tsv: has spaces between columns; expected tabs or commas. In R, write it with "
    "write.table(..., sep='\\t', quote=FALSE, col.names=NA).",
)
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = c.counts.text(" ")


@case(
    "a web page",
    "counts.tsv: is a web page (HTML or XML), not a table. The download probably returned a "
    "login or error page. Download the file again.",
)
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = HTML


@case(
    "a picture",
    "counts.tsv, row 1: byte 0x89 is not UTF-8 text (the file is binary, Latin-1 or "
    "Windows-1252); expected UTF-8. Save it as UTF-8.",
)
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = PNG


@case(
    "a gzip file that was cut short",
    "counts.tsv: is damaged or cut short: its gzip data cannot be unpacked (Compressed file ended "
    "before the end-of-stream marker was reached). Copy or download it again.",
)
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = gzip.compress(c.counts.text().encode())[:-200]


@case(
    "an HDF5 file that is none",
    "counts.tsv: is damaged (OSError: Unable to synchronously open file (bad byte number in an "
    "address)). Copy it or write it again, or use a TSV.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = b"\x89HDF\r\n\x1a\n" + b"\0" * 500


@case(
    "an empty matrix",
    "counts.tsv: is an empty matrix: it has no gene row; expected genes in rows and samples in "
    "columns",
)
def _(c: SmallCohort) -> None:
    c.counts.rows = c.counts.rows[:1]


@case(
    "a matrix without samples",
    "counts.tsv: has a single column (its first line is 'gene_id'); expected a column of ids "
    "and further columns",
)
def _(c: SmallCohort) -> None:
    c.counts.drop_column(*c.counts.header[1:])


@case("an empty file", "counts.tsv: is empty; expected a table with a header and rows")
def _(c: SmallCohort) -> None:
    c.instead["counts.tsv"] = ""


@case(
    "a sample without a count",
    "counts.tsv, column 'D1_pre': every count of this sample is 0; expected a sample with "
    "reads. Remove its row from the sheet, or supply its counts.",
)
def _(c: SmallCohort) -> None:
    for row in c.counts.rows[1:]:
        row[1] = "0"


@case(
    "two files with different genes",
    "RT.tsv: the gene ids differ: 58 in both, 2 only in AT.tsv ('ELN', 'LUM'); expected the "
    "same genes as in AT.tsv. Count all samples with the same annotation, or add the missing "
    "rows yourself. We do not drop genes or fill them with zeros.",
)
def _(c: SmallCohort) -> None:
    _first, second = _halves(c)
    second.drop("LUM", "ELN")


@case(
    "two files with a sample in common",
    "RT.tsv: the sample 'D6_post' is also in AT.tsv; expected each sample in one file. For "
    "lanes or runs of one sample, use different names (S1_L1, S1_L2) and one row of the sheet "
    "each. Rows of the same donor, group and time are summed. If one is a copy, remove it.",
)
def _(c: SmallCohort) -> None:
    first, _second = _halves(c)
    first.add_column("D6_post", [row[-1] for row in c.counts.rows[1:]])


def _halves(c: SmallCohort) -> tuple[Table, Table]:
    """Write the counts of the groups into a file each; `counts.tsv` stays, unused."""
    rows = c.counts.rows
    first = Table([row[:7] for row in rows])
    second = Table([[row[0], *row[7:]] for row in rows])
    c.tables.update({"AT.tsv": first, "RT.tsv": second})
    c.config["counts"] = ["AT.tsv", "RT.tsv"]
    return first, second


@case(
    "a folder without counts",
    "quants: is a folder without count files (it contains 'notes.txt'); expected STAR, HTSeq, "
    "Salmon or kallisto results, or a 10x matrix. To read a table in the folder, name the file.",
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["quants"]
    c.instead["quants/notes.txt"] = "counted in March\n"


@case(
    "Salmon without a table of transcripts",
    "quants: contains estimates of transcripts, but the config names no tx2gene; expected "
    "tx2gene: a table of transcript and gene ids. nf-core/rnaseq writes one, tx2gene.tsv.",
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["quants"]
    for name in c.counts.header[1:]:
        c.instead[f"quants/{name}/quant.sf"] = (
            "Name\tLength\tEffectiveLength\tTPM\tNumReads\nENST00000331789\t900\t800\t10\t20\n"
        )


@case(
    "single cells without their samples",
    "cells: contains single cells, but the config does not say which sample each cell belongs "
    "to; expected cells: {sample: the column that names each cell's sample}. If each file is "
    "one sample, write 'cells: {min_cells: 10}'.",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["cells"]
    c.instead.update(
        {
            "cells/matrix.mtx": "%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 5\n",
            "cells/features.tsv": "ENSG00000182492\tBGN\nENSG00000011465\tDCN\n",
            "cells/barcodes.tsv": "AAA\nCCC\n",
        }
    )


@case(
    "cells of a cohort without single cells",
    "config, cells: cells is set, but no count input contains single cells; expected a "
    "single-cell .h5ad, a 10x .h5 or an MTX folder in counts. Write 'cells: null', or remove "
    "the key.",
)
def _(c: SmallCohort) -> None:
    c.config["cells"] = {"sample": "donor_time"}


@case(
    "a row of totals",
    "counts.tsv, row 62 ('Total'): the row is the sum of all other rows; expected only genes. "
    "Remove the row.",
)
def _(c: SmallCohort) -> None:
    columns = list(zip(*c.counts.rows[1:], strict=True))[1:]
    c.counts.rows.append(["Total", *(str(sum(map(int, column))) for column in columns)])


@case(
    "kallisto's HDF5 alone",
    "kallisto: is a folder without count files (its folders contain 'abundance.h5'); expected "
    "STAR, HTSeq, Salmon or kallisto results, or a 10x matrix. Run kallisto with --plaintext, "
    "or convert these files with 'kallisto h5dump'.",
)
def _(c: SmallCohort) -> None:
    c.config["counts"] = ["kallisto"]
    c.instead |= {f"kallisto/{s}/abundance.h5": b"\x89HDF\r\n\x1a\n" for s in c.counts.header[1:]}


@case(
    "a workbook and a sheet that are not there",
    "cohort.yaml, counts: there is no file 'count.xlsx'; expected a path, absolute or relative "
    "to the working directory. Did you mean 'counts.xlsx'?",
    "counts.xlsx#Count: has no sheet 'Count'. Did you mean 'Counts'?",
)
def _(c: SmallCohort) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Counts"
    stream = io.BytesIO()
    book.save(stream)
    c.instead["counts.xlsx"] = stream.getvalue()
    c.config["counts"] = ["count.xlsx#Counts", "counts.xlsx#Count"]
