"""Gene sets and published values that cannot be read."""

from __future__ import annotations

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort
from helpers.spoiling import HTML, PNG

CASES = Cases("sets and published values")
case = CASES.case


@case(
    "a set without genes",
    "sets.gmt, line 3: gene set 'EMPTY, with nothing in it' has no genes; expected tab-separated "
    "text (GMT): name, description, genes",
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.tables["sets.gmt"].rows.append(["EMPTY, with nothing in it"])


@case(
    "a set's name twice",
    "sets.gmt, line 3: gene set 'ECM' is already on line 1; expected each name only once. "
    "Rename or remove one.",
)
def _(c: SmallCohort) -> None:
    c.tables["sets.gmt"].rows.append(["ECM", "again", "LUM"])


@case(
    "no set at all",
    "sets.gmt: contains no gene set; expected tab-separated text (GMT): name, description, genes",
)
def _(c: SmallCohort) -> None:
    c.instead["sets.gmt"] = "\n\n"


@case(
    "commas instead of tabs",
    "sets.gmt, line 1: gene set 'ECM,matrix,BGN,DCN,VCAN,HAS1,HAS2,COL1A1,COL1A2,COL3A1,COL5A' "
    "has no genes; expected tab-separated text (GMT): name, description, genes. Replace the "
    "commas by tabs.",
    "sets.gmt, line 2: gene set 'TGFB,signalling,TGFB1,TGFB2,TGFBR1,TGFBR2,SMAD2,SMAD3,SMAD7,' "
    "has no genes; expected tab-separated text (GMT): name, description, genes. Replace the "
    "commas by tabs.",
)
def _(c: SmallCohort) -> None:
    c.instead["sets.gmt"] = c.tables["sets.gmt"].text(",")


@case(
    "a picture for gene sets",
    "sets.gmt, line 1: is not UTF-8 text (byte 0x89); expected tab-separated text (GMT): name, "
    "description, genes. Save it as UTF-8",
)
def _(c: SmallCohort) -> None:
    c.instead["sets.gmt"] = PNG


@case(
    "a web page for gene sets",
    "sets.gmt, line 1: gene set '<!DOCTYPE html>' has no genes; expected tab-separated text "
    "(GMT): name, description, genes",
    "sets.gmt, line 2: gene set '<html><body>Please log in</body></html>' has no genes; expected "
    "tab-separated text (GMT): name, description, genes",
)
def _(c: SmallCohort) -> None:
    c.instead["sets.gmt"] = HTML


@case(
    "sets of mouse genes",
    "sets.gmt: 24 of its 25 genes, such as 'Bgn', are not human genes; expected symbols, "
    "Ensembl or Entrez ids of human genes. Did you mean 'BGN'?",
)
def _(c: SmallCohort) -> None:
    text = c.tables["sets.gmt"].text()
    rows = [line.split("\t") for line in text.splitlines()]
    c.instead["sets.gmt"] = "\n".join(
        "\t".join([*row[:2], *(gene.capitalize() for gene in row[2:])]) for row in rows
    )


@case(
    "sets without descriptions",
    "sets.gmt: the second column contains genes ('BGN' in set 'ECM'), but it is read as "
    "descriptions; expected tab-separated text (GMT): name, description, genes. Insert a column "
    "of descriptions, which may be empty, after the names.",
)
def _(c: SmallCohort) -> None:
    for row in c.tables["sets.gmt"].rows:
        del row[1]


@case(
    "two files of one name",
    "gene_sets: 'sets.gmt' and 'more/sets.gmt' both become the collection 'sets'; expected "
    "files with different names",
)
def _(c: SmallCohort) -> None:
    c.config["gene_sets"] = ["sets.gmt", "more/sets.gmt"]
    c.instead["more/sets.gmt"] = c.tables["sets.gmt"].text()


@case(
    "published values without a column",
    "published.tsv: has no column 'after_se'; expected the columns gene, group, pairs, before, "
    "before_se, after, after_se, p. Did you mean 'after_sem'?",
)
def _(c: SmallCohort) -> None:
    c.tables["published.tsv"].rename("after_se", "after_sem")


@case(
    "a published value in words",
    "published.tsv, row 2, column 'after': 'n.d.' is not a positive number; expected a number "
    "above 0",
)
def _(c: SmallCohort) -> None:
    c.tables["published.tsv"].put("BGN", "after", "n.d.")


@case(
    "a published standard error of 0",
    "published.tsv, row 2, column 'after_se': '0' is not a positive number; expected a number "
    "above 0",
)
def _(c: SmallCohort) -> None:
    c.tables["published.tsv"].put("BGN", "after_se", "0")


@case(
    "published values with commas",
    "published.tsv: has semicolons between columns; expected tabs or commas. Save it with "
    "commas between columns and decimal points in numbers, or as tab-separated text.",
)
def _(c: SmallCohort) -> None:
    c.instead["published.tsv"] = c.tables["published.tsv"].text(";")
