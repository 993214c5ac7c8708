"""Mistakes in `normalization`: its keys, the column of size factors, the rows of spike-ins."""

from __future__ import annotations

from functools import partial
from typing import Any

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("normalization")
GIVEN = {"method": "given", "column": "size_factor"}
SPIKED = {"method": "spike_ins"}
COLUMN = "samples.tsv, column 'size_factor'"
ROW_2 = "samples.tsv, row 2, column 'size_factor'"


def with_factors(cohort: SmallCohort, section: dict[str, Any], *first: str) -> None:
    """Give the cohort size factors, the first of them as written here."""
    rest = ["1.5"] * (len(cohort.sheet.rows) - 1 - len(first))
    cohort.sheet.add_column("size_factor", [*first, *rest])
    cohort.config["normalization"] = section


def with_spike_ins(cohort: SmallCohort, section: dict[str, Any], *silent: str) -> None:
    """Give the cohort three spike-ins, without counts in some samples."""
    samples = cohort.counts.header[1:]
    for name in ("ERCC-00002", "ERCC-00003", "ERCC.00004"):
        cells = ["0" if sample in silent else "500" for sample in samples]
        cohort.counts.rows.append([name, *cells])
    cohort.config["normalization"] = section


SECTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown method": (
        {"method": "spikein"},
        "cohort.yaml, normalization.method: unknown value 'spikein'; expected ratio, given or "
        "spike_ins. Did you mean 'spike_ins'?",
    ),
    "given without a column": (
        {"method": "given"},
        "cohort.yaml, normalization.column: the method 'given' needs a column; expected the column "
        "of the sample sheet with the size factors",
    ),
    "a column that the method does not read": (
        {"column": "size_factor"},
        "cohort.yaml, normalization: 'column' is set, but the method 'ratio' does not use it; "
        "expected 'column' only with 'method: given'. Write 'method: given', or remove 'column'.",
    ),
    "spike-ins that the method does not read": (
        {**GIVEN, "genes": ["ERCC-*"]},
        "cohort.yaml, normalization: 'genes' is set, but the method 'given' does not use it",
    ),
    "a column of the design": (
        {"method": "given", "column": "donor"},
        "cohort.yaml, normalization.column: the column 'donor' is also design.donor; expected a "
        "column that no other key uses",
    ),
    "a column with the level of a factor": (
        {"method": "given", "column": "ccl28"},
        "cohort.yaml, normalization.column: the column 'ccl28' is also factors.CCL28.serum",
    ),
    "every gene a spike-in": (
        {"method": "spike_ins", "genes": ["*"]},
        "cohort.yaml, normalization.genes: '*' matches every gene; expected ids of spike-ins, "
        "or a part of them with *, such as 'ERCC-*'",
    ),
    "a column that is not there": (
        {"method": "given", "column": "size_fctor"},
        "samples.tsv: has no column 'size_fctor'; expected the column that normalization.column "
        "names. Did you mean 'size_factor'?",
    ),
}
CELLS: dict[str, tuple[str, str]] = {
    "a size factor of zero": ("0", f"{ROW_2}: the size factor '0' is not positive; expected a"),
    "a negative size factor": ("-1.2", f"{ROW_2}: the size factor '-1.2' is not positive"),
    "an infinite size factor": ("inf", f"{ROW_2}: the size factor 'inf' is not a number"),
    "a size factor with a comma": (
        "0,8",
        f"{ROW_2}: the size factor '0,8' is not a number; expected a number above 0 for every "
        "sample. Write decimals with a point.",
    ),
    "a size factor in words": ("high", f"{ROW_2}: the size factor 'high' is not a number"),
    "a size factor missing": ("NA", f"{ROW_2}: the value is missing ('NA'); expected a value for"),
    "a size factor left empty": ("", f"{ROW_2}: the cell is empty; expected a value for every"),
}
SPIKE_INS: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "names that fit no row": (
        {**SPIKED, "genes": ["ERCC_*"]},
        (),
        "config, normalization.genes: 'ERCC_*' matches no row of the counts (genes that other "
        "keys name cannot be spike-ins); expected rows of spike-ins in the count matrix. "
        "Recognised as spike-ins: 'ERCC-00002', 'ERCC-00003', 'ERCC.00004'. Remove the key "
        "'genes' to use them.",
    ),
    "targets as spike-ins": (
        {**SPIKED, "genes": ["BGN", "DCN"]},
        (),
        "config, normalization.genes: 'BGN', 'DCN' match no row of the counts (genes that other "
        "keys name cannot be spike-ins); expected rows of spike-ins in the count matrix. "
        "Recognised as spike-ins: 'ERCC-00002', 'ERCC-00003', 'ERCC.00004'. Remove the key "
        "'genes' to use them.",
    ),
    "most genes as spike-ins": (
        {**SPIKED, "genes": ["*1*", "*2*", "*A*"]},
        (),
        "config, normalization.genes: '*1*', '*2*', '*A*' match 42 human genes, such as 'HAS1', "
        "and only 18 genes are left; expected rows of spike-ins, not most of the genes. "
        "Recognised as spike-ins: 'ERCC-00002', 'ERCC-00003', 'ERCC.00004'. Remove the key "
        "'genes' to use them.",
    ),
    "samples without spike-ins": (
        SPIKED,
        ("D1_pre", "D4_post"),
        "config, normalization: samples without spike-in counts: 'D1_pre', 'D4_post'; expected "
        "counts of the 3 spike-ins in every sample that the models use. Remove the rows of "
        "these samples from the sheet, or write 'method: ratio'.",
    ),
}
for title, (section, said) in SECTIONS.items():
    CASES.case(title, said)(partial(with_factors, section=section))
for title, (cell, said) in CELLS.items():

    def spoil(cohort: SmallCohort, cell: str = cell) -> None:
        with_factors(cohort, GIVEN, cell)

    CASES.case(title, said)(spoil)
for title, (section, silent, said) in SPIKE_INS.items():

    def spike(
        cohort: SmallCohort, section: dict[str, Any] = section, silent: tuple[str, ...] = silent
    ) -> None:
        with_spike_ins(cohort, section, *silent)

    CASES.case(title, said)(spike)


@CASES.case(
    "no spike-ins in the counts",
    "config, normalization.genes: no row of the counts is recognised as a spike-in; expected rows "
    "of spike-ins in the count matrix. Name the rows of the spike-ins, or write 'method: ratio'.",
)
def _(c: SmallCohort) -> None:
    c.config["normalization"] = SPIKED


@CASES.case(
    "several size factors that are not numbers",
    *[f"row {row}, column 'size_factor': the size factor '-' is not" for row in range(2, 7)],
    f"{COLUMN}: 1 more size factor with the same problem",
)
def _(c: SmallCohort) -> None:
    with_factors(c, GIVEN, *["-"] * 6)
