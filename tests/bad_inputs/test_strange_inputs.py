"""Input that is strange and right: it must be taken as it is."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
from pathlib import Path

import openpyxl
import pytest
from anndata import read_h5ad

from fibroserum import tables
from helpers.bad_inputs import Case, Cases, build, run, spoiled
from helpers.small_cohort import DONORS, TIMES, SmallCohort, Table, good

CASES = Cases("strange and right")
case = CASES.case


@case(
    "nothing but what is needed",
    "D1_pre\tD1\tall\tpre\t",
    "D6_post\tD6\tall\tpost\t",
)
def _(c: SmallCohort) -> None:
    kept = ("cohort", "counts", "samples")
    c.config = {key: c.config[key] for key in kept} | {"design": {"before": "pre", "after": "post"}}
    c.sheet.drop_column("group", "ccl28", "age", "plate", "rin")


@case(
    "a group that was measured before only",
    "D4_pre\tD4\tRT\tpre\t",
    "\tbaseline\tno after sample: used only in the baseline contrast",
)
def _(c: SmallCohort) -> None:
    c.drop_samples("D4_post", "D5_post", "D6_post")


@case(
    "a donor without one of several times, a time that is ignored, contrasts of the config's own",
    "D1_week16\tD1\tAT\tweek16\t",
    "D6_late\tD6\tRT\tlate\t",
    "\tnone\texcluded: design.ignore_times lists late",
)
def _(c: SmallCohort) -> None:
    for time in ("week16", "late"):
        c.add_time(time)
    c.drop_samples("D2_week16")
    c.design.update(after=["post", "week16"], ignore_times=["late"], control="AT")
    c.config["differences"] = "pairwise"
    c.config["contrasts"] = {"late_change": {"RT@week16": 1, "RT@post": -1}}


def _quoted(table: Table, separator: str) -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator="\r\n").writerows(table.rows)
    return stream.getvalue()


@case(
    "commas, quotes, percent signs, slashes and letters of other alphabets in names",
    "\nD1, pre\t",
    'D6, pre\tD6\t"α ""old""/new"\t',
    "\t0.5%\tpre (0 h)\t",
    "O'Brien; $(touch hacked)\t",
    targets=("results/.._.._Z_rich_2023/samples.tsv",),
    command_line=True,
)
def _(c: SmallCohort) -> None:
    c.config["cohort"] = "../../Zürich 2023"
    c.rename_samples(lambda name: name.replace("_", ", "))
    c.sheet.map("group", lambda group: {"AT": "0.5%", "RT": 'α "old"/new'}[group])
    c.sheet.map("timepoint", lambda time: {"pre": "pre (0 h)", "post": "post & later"}[time])
    c.sheet.map("donor", lambda donor: "O'Brien; $(touch hacked)" if donor == "D1" else donor)
    c.design.update(before="pre (0 h)", after="post & later", reference_group="0.5%")
    c.config["factors"]["N,N-dimethylglycine"] = {"serum": "DMG (µM)/lot"}
    c.sheet.add_column("DMG (µM)/lot", ["", "NA", *map(str, range(10))])
    c.instead |= {
        "samples.tsv": _quoted(c.sheet, ","),
        "counts.tsv": _quoted(c.counts, ","),
    }


@case(
    "ids that look like numbers, and columns named like the pipeline's own",
    "001\t1e5\tAT\t0\t",
    "012\t6e5\tRT\t24\t",
)
def _(c: SmallCohort) -> None:
    numbers = {name: f"{n:03}" for n, name in enumerate(c.counts.header[1:], 1)}
    c.config["cohort"] = "2023"
    c.rename_samples(numbers.__getitem__)
    c.sheet.map("donor", lambda donor: f"{donor[1]}e5")
    c.sheet.map("timepoint", lambda time: {"pre": "0", "post": "24"}[time])
    c.design.update(before="0", after="24", donor="person", covariates=["line"])
    c.sheet.rename("donor", "person")
    c.sheet.rename("rin", "donor")
    c.sheet.rename("age", "used_for")
    lines = [f"L{n * n % 3}" for n in (1, 3, 2, 6, 4, 9, 3, 2, 6, 1, 5, 9)]
    c.sheet.add_column("line", lines)


@case(
    "compressed, UTF-16, a byte-order mark, Windows line ends, Ensembl versions",
    "D1_pre\tD1\tAT\tpre\t",
    "D6_post\tD6\tRT\tpost\t",
)
def _(c: SmallCohort) -> None:
    for number, row in enumerate(c.counts.rows[1:], 3):
        row[0] = f"ENSG{number:011d}.{number % 7 + 1}"
    rows = c.counts.rows
    first = Table([row[:7] for row in rows]).text().replace("\n", "\r\n")
    second = Table([[row[0], *row[7:]] for row in rows[:1] + rows[:0:-1]]).text()
    c.config |= {"counts": ["AT.tsv.gz", "RT"], "factors": {}}
    c.instead |= {
        "AT.tsv.gz": gzip.compress(first.encode("utf-8-sig")),
        "RT": lzma.compress(second.encode("utf-16")),
        "samples.tsv": c.sheet.text().replace("\n", "\r\n").encode("utf-8-sig"),
    }


@case(
    "replicates, two lines, a donor without an after sample",
    "D1_pre\tD1\tAT\tpre\t",
    "sum of D1_pre, D1_pre_b, D1_pre_c (samples of 2 cell lines of donor D1 at pre)",
    "summed into D1_post (samples of 2 cell lines of donor D1 at post)",
    "no after sample: used only in the baseline contrast",
)
def _(c: SmallCohort) -> None:
    c.design["line"] = "line"
    c.sheet.add_column("line", ["L1"] * 12)
    copies = {"D1_pre_b": ("D1_pre", "L1"), "D1_pre_c": ("D1_pre", "L2"),
              "D1_post_c": ("D1_post", "L2")}  # fmt: skip
    for name, (original, line) in copies.items():
        row = [name, *c.sheet.row(original)[1:]]
        row[-1] = line
        c.sheet.rows.append(row)
        index = c.counts.header.index(original)
        c.counts.add_column(name, [cells[index] for cells in c.counts.rows[1:]])
    c.drop_samples("D6_post")


def _number(cell: str) -> str | int:
    return int(cell) if cell.isdigit() else cell


@case(
    "an Excel workbook of counts and sheet, with vendors' columns, empty columns and copies",
    "D1_pre\tD1\tAT\tpre\t",
    "D6_post\tD6\tRT\tpost\t",
)
def _(c: SmallCohort) -> None:
    # C9orf72 in capitals, and half of BGN's reads in a row that a tool made unique
    index = c.counts.rows.index(c.counts.row("BGN"))
    cells = [int(cell) for cell in c.counts.rows[index][1:]]
    c.counts.rows[index][1:] = [str(cell // 2) for cell in cells]
    c.counts.rows.append(["BGN.1", *(str(cell - cell // 2) for cell in cells)])
    c.counts.put("GAPDH", "gene_id", "C9ORF72")
    c.config["targets"] = ["BGN", "C9orf72"]
    c.counts.add_column("gene_start", [str(1000 + n) for n in range(len(c.counts.rows) - 1)])
    c.counts.add_column("tf_family", ["-"] * (len(c.counts.rows) - 1))
    c.counts.add_column("", [""] * (len(c.counts.rows) - 1))
    c.counts.add_column("D1_pre_FPKM", ["0.5"] * (len(c.counts.rows) - 1))
    book = openpyxl.Workbook()
    for name, table in (("Counts", c.counts), ("Samples", c.sheet)):
        sheet = book.create_sheet(name)
        for row in table.rows:
            sheet.append([_number(cell) for cell in row])
    stream = io.BytesIO()
    book.save(stream)
    c.instead["all of it.xlsx"] = stream.getvalue()
    c.config |= {"counts": ["all of it.xlsx#Counts"], "samples": "all of it.xlsx#Samples"}
    c.instead |= {"counts.tsv": None, "samples.tsv": None}
    c.instead["sets.gmt"] = c.tables["sets.gmt"].text() + "EMPTY\tno genes\n"
    c.config["factors"] = {}


@case(
    "samples without a row in the sheet: of a failed one the cells are empty; the arm has one too",
    "D1_pre\tD1\tAT\tpre\t",
    "\nD2_post\t\t\t\t\t\t\tnone\texcluded: it has counts, but no row in the sample sheet\n",
    "\nblank\t\t\t\t\t\t\tnone\texcluded: it has counts, but no row in the sample sheet\n",
)
def _(c: SmallCohort) -> None:
    c.sheet.drop("D2_pre", "D2_post")
    c.counts.add_column("blank", ["0"] * 59 + ["NA"])
    c.tables["arm.samples.tsv"].drop("C3_vehicle", "C3_ccl28")
    c.tables["arm.counts.tsv"].add_column("C4", ["0"] * 60)


@case(
    "spaces around cells, another column of samples, words for missing as names, low levels",
    "D1_pre\tNA\tnone\tnone\t",
    "D4_post\tNone\tNA\tN/A\t",
)
def _(c: SmallCohort) -> None:
    c.sheet.map("donor", lambda name: {"D1": "NA", "D4": "None"}.get(name, f" {name}"))
    c.sheet.map("group", lambda name: {"AT": "none", "RT": "NA "}[name])
    c.sheet.map("timepoint", lambda name: {"pre": "none", "post": "N/A"}[name])
    c.design.update(before="none", after="N/A", reference_group="NA", sample="Run")
    c.sheet.put("D2_pre", "ccl28", "<15")
    c.sheet.put("D3_post", "ccl28", " < 15 ")
    c.sheet.rename("sample", "Run ")
    c.sheet.add_column("sample", [f"tube {n}" for n in range(12)])
    arm = c.tables["arm.samples.tsv"]
    arm.map("treatment", lambda name: {"vehicle": "NA", "ccl28": "null"}[name])
    arm.rename("sample", "Run")
    c.arm.update(control="NA", treated="null", sample="Run")


def _named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.title for case in cases])


@_named([case for case in CASES.found if not case.command_line])
def test_the_library_takes_strange_and_right_input(case: Case, tmp_path: Path) -> None:
    tables.write("samples", build(spoiled(case), tmp_path / "cohort"), tmp_path / "samples.tsv")
    text = (tmp_path / "samples.tsv").read_text(encoding="utf-8")
    for row in case.expected:
        assert row in text


@_named([case for case in CASES.found if case.command_line])
def test_a_run_takes_strange_and_right_input(case: Case, tmp_path: Path) -> None:
    outcome = run(spoiled(case), tmp_path / "cohort", *case.targets)
    assert outcome.status == 0, outcome.output
    (target,) = case.targets
    assert target in outcome.results
    assert all(name.startswith(target.removesuffix("samples.tsv")) for name in outcome.results)
    for text in case.expected:
        assert text in outcome.texts[target]
    assert "hacked" not in outcome.files


def test_a_folder_with_spaces_and_umlauts(tmp_path: Path) -> None:
    # with a workbook, whose name in the config is not that of a file
    (workbook,) = [case for case in CASES.found if "workbook" in case.title]
    folder = tmp_path / "meine Zellkültür" / "run 1"
    outcome = run(spoiled(workbook), folder, "results/small/samples.tsv")
    assert outcome.status == 0, outcome.output
    cohort = read_h5ad(folder / "results/small/cohort.h5ad")
    assert set(cohort.obs_names) == {f"{donor}_{time}" for donor in DONORS for time in TIMES}
    reads = dict(zip(cohort.var_names, cohort.X.sum(axis=0), strict=True))
    assert reads["BGN"] == sum(map(int, good().counts.row("BGN")[1:]))
    assert "BGN.1" not in reads
    assert cohort.var.loc["C9ORF72", "symbol"] == "C9orf72"
    notes = " ".join(cohort.uns["fibroserum"]["notes"])
    for said in (
        "column 'gene_start' describes genes",
        "column 'tf_family' contains no numbers",
        "column 'D1_pre_FPKM' contains values other than counts",
        "excluded columns without name and content",
        "ids with an added number are added to their genes (1): BGN.1 to BGN",
        "symbols in capitals are matched to their genes (1): C9ORF72 is C9orf72",
    ):
        assert said in notes
    assert "results/small/cohort.h5ad" in outcome.results
