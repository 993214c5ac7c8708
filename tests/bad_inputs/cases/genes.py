"""Gene ids that are no human genes, or that a spreadsheet has changed."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("genes")
case = CASES.case


@case(
    "a symbol that became a date",
    "counts.tsv, row 14 ('2-Sep'): gene id '2-Sep' is a symbol that a spreadsheet turned into a "
    "date. It was probably SEPTIN2. Use the table as it was before a spreadsheet program saved "
    "it.",
)
def _(c: SmallCohort) -> None:
    c.counts.put("LUM", "gene_id", "2-Sep")


@case(
    "symbols that became dates in many languages",
    *(
        f"counts.tsv, row {row} ('{name}'): gene id '{name}' is a symbol that a spreadsheet turned "
        f"into a date. It was probably {gene}. Use the table as it was before a spreadsheet "
        "program saved it."
        for row, name, gene in (
            (14, "2006/09/02", "SEPTIN2"),
            (15, "3-mrt", "MARCHF3"),
            (16, "04-set", "SEPTIN4"),
            (17, "5. září", "SEPTIN5"),
            (18, "6-сен", "SEPTIN6"),
        )
    ),
    "counts.tsv: 2 more gene ids changed by a spreadsheet program: '7-Eyl', '9月8日'",
)
def _(c: SmallCohort) -> None:
    dates = ["2006/09/02", "3-mrt", "04-set", "5. září", "6-сен", "7-Eyl", "9月8日"]
    for row, name in zip(c.counts.rows[13:], dates, strict=False):
        row[0] = name


@case(
    "a target that the matrix writes otherwise",
    "config, targets: 'BGN' is not in the count matrix, which has 'GRCh38_BGN'; expected a gene "
    "id of the matrix. If this is the gene, write 'GRCh38_BGN' in the config, or correct its "
    "name in the matrix.",
)
def _(c: SmallCohort) -> None:
    c.config["factors"] = {}
    c.counts.put("BGN", "gene_id", "GRCh38_BGN")


@case(
    "mouse symbols",
    "gene ids of counts.tsv: the gene ids are mouse or rat symbols, such as 'Bgn'; expected "
    "human gene symbols, Ensembl gene ids or Entrez ids. Map them to human orthologues first, "
    "or provide genes.annotation (columns gene_id and symbol).",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.counts.map("gene_id", str.capitalize)


@case(
    "mouse Ensembl ids",
    "gene ids of counts.tsv: the gene ids are Ensembl ids of mouse, such as "
    "'ENSMUSG00000001000'; expected human gene symbols, Ensembl gene ids or Entrez ids. Map "
    "them to human orthologues first, or provide genes.annotation (columns gene_id and symbol).",
)
def _(c: SmallCohort) -> None:
    c.counts.rows[1:] = [
        [f"ENSMUSG{n:011d}", *row[1:]] for n, row in enumerate(c.counts.rows[1:], 1000)
    ]


@case(
    "transcripts",
    "gene ids of counts.tsv: the gene ids are Ensembl transcripts, such as 'ENST00000001000'; "
    "expected human gene symbols, Ensembl gene ids or Entrez ids. Write the quantification "
    "folders in counts, and a table of transcripts and genes in tx2gene. Transcripts are then "
    "summed to genes.",
)
def _(c: SmallCohort) -> None:
    c.counts.rows[1:] = [
        [f"ENST{n:011d}.2", *row[1:]] for n, row in enumerate(c.counts.rows[1:], 1000)
    ]


@case(
    "row numbers",
    "gene ids of counts.tsv: the gene ids are row numbers (1, 2 …); expected human gene symbols, "
    "Ensembl gene ids or Entrez ids. The column with the gene ids must come first",
)
def _(c: SmallCohort) -> None:
    c.counts.rows[1:] = [[str(n), *row[1:]] for n, row in enumerate(c.counts.rows[1:], 1)]


@case(
    "names of no genes",
    "gene ids of counts.tsv: only 0 of 60 gene ids, such as 'BGNlike', are human gene symbols; "
    "expected human gene symbols, Ensembl gene ids or Entrez ids. Provide genes.annotation "
    "(columns gene_id and symbol). If the ids are symbols, write 'id_type: symbol' under genes.",
)
def _(c: SmallCohort) -> None:
    c.counts.map("gene_id", lambda gene: f"{gene}like")


@case(
    "symbols behind a prefix",
    "gene ids of counts.tsv: only 0 of 60 gene ids, such as 'gene-BGN', are human gene symbols; "
    "expected human gene symbols, Ensembl gene ids or Entrez ids. They begin with 'gene-'. "
    "Remove this text.",
)
def _(c: SmallCohort) -> None:
    c.counts.map("gene_id", lambda gene: f"gene-{gene}")


@case(
    "ids joined in one column",
    "gene ids of counts.tsv: the gene ids are ids of several kinds joined in one column, such as "
    "'BGN|3'; expected human gene symbols, Ensembl gene ids or Entrez ids. Keep one kind of id in "
    "the first column",
)
def _(c: SmallCohort) -> None:
    c.counts.map("gene_id", lambda gene: f"{gene}|{len(gene)}")


@case(
    "another kind of id than the config says",
    "gene ids of counts.tsv: genes.id_type is 'ensembl', but the gene ids look like symbol ids "
    "('BGN'); expected ensembl ids. Write 'id_type: auto', or remove the key.",
)
def _(c: SmallCohort) -> None:
    c.config["genes"] = {"id_type": "ensembl"}


@case(
    "an annotation without symbols",
    "genes.tsv: has no column 'symbol'; expected the columns gene_id and symbol. Columns found: "
    "'gene_id', 'name'.",
)
def _(c: SmallCohort) -> None:
    c.config["genes"] = {"annotation": "genes.tsv"}
    c.instead["genes.tsv"] = "gene_id\tname\nBGN\tbiglycan\n"


@case(
    "an annotation of other ids",
    "genes.annotation: none of the gene ids of the count matrix, such as 'BGN', is in the "
    "annotation; expected the gene ids of the count matrix in column 'gene_id'",
)
def _(c: SmallCohort) -> None:
    c.config["genes"] = {"annotation": "genes.tsv"}
    c.instead["genes.tsv"] = "gene_id\tsymbol\nx1\tBGN\n"


@case(
    "an annotation that is a damaged workbook",
    "genes.tsv: is a damaged Excel workbook (File contains no valid workbook part). Open it in "
    "a spreadsheet program and save it again, or copy it again.",
)
def _(c: SmallCohort) -> None:
    from helpers.spoiling import DAMAGED_XLSX

    c.config["genes"] = {"annotation": "genes.tsv"}
    c.instead["genes.tsv"] = DAMAGED_XLSX
