"""A donor's lines, summed: what unequal depth does to genes of one line, in simulated libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.accessors import counts_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.lines import NOTABLE, LineShift, line_shift
from fibroserum.cohort.stage import build_cohort
from fibroserum.qc.design import line_depths

GENES = [f"G{n}" for n in range(300)]
OWN = GENES[:20]  # expressed by line L1 alone
DESIGN = {
    "donor": "donor", "group": None, "time": "time", "before": "pre", "after": "post",
    "reference_group": None, "line": "line", "crossover": False, "covariates": [],
}  # fmt: skip


def simulated(ratio: float, donors: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts and sheet of two lines in which nothing changes.

    ratio: depth of line L1 after over before; all else has one depth.
    """
    rng = np.random.default_rng(7)
    level = np.exp(rng.normal(6, 1, len(GENES)))
    lines = {"L1": level * np.exp(rng.normal(0, 0.2, len(GENES))), "L2": level.copy()}
    lines["L2"][: len(OWN)] = 0
    rows, counts = [], []
    for donor in range(donors):
        for time in ("pre", "post"):
            for line, means in lines.items():
                depth = ratio if (line, time) == ("L1", "post") else 1.0
                rows.append([f"D{donor}_{line}_{time}", f"D{donor}", "all", time, line])
                counts.append(rng.poisson(means * depth))
    sheet = pd.DataFrame(rows, columns=["sample", "donor", "group", "time", "line"], dtype=object)
    return pd.DataFrame(counts, index=list(sheet["sample"]), columns=GENES), sheet


def shift_of(counts: pd.DataFrame, sheet: pd.DataFrame) -> LineShift | None:
    return line_shift(counts, sheet.set_index("sample"), "pre")


def test_libraries_of_no_pair_do_not_count() -> None:
    counts, sheet = simulated(0.5)
    # a deep library that would bring every gene above the least mean
    extra = pd.DataFrame([[10**6] * len(GENES)], ["extra"], GENES)
    # the genes that only one line has, too low to be looked at
    low = counts.copy()
    low[OWN] //= 100
    assert shift_of(low, sheet) != shift_of(counts, sheet)
    assert shift_of(pd.concat([extra, low]), sheet) == shift_of(low, sheet)
    assert shift_of(counts, sheet.assign(line="L1")) is None


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1.0, 1.3])
def test_the_false_change_of_a_gene_of_one_line_is_foretold(ratio: float) -> None:
    counts, sheet = simulated(ratio)
    annotation = pd.DataFrame({"symbol": GENES}, index=pd.Index(GENES, name="gene_id"))
    inputs = Inputs(counts, sheet, annotation, {}, {}, ())
    adata = build_cohort(inputs, {"cohort": "c", "design": DESIGN, "factors": {}}, 10).adata
    logged = np.log2(counts_of(adata)[OWN].div(adata.obs["size_factor"], axis=0))
    after = (adata.obs["time"] == "post").to_numpy()
    seen = (logged[after].to_numpy() - logged[~after].to_numpy()).mean()
    shift = shift_of(counts, sheet)
    assert shift is not None
    assert abs(seen) == pytest.approx(shift.change, abs=0.03)
    (row,) = line_depths(adata)
    assert row.level == ("warning" if abs(np.log2(ratio)) > 0.1 else "ok")
    assert f"by {shift.change:.2f} log2" in row.message
    warned = row.level == "warning"
    assert ("artefacts of sequencing depth, not effects of serum" in row.message) == warned
    assert bool(row.advice) == warned


def test_no_gene_changes_by_more_than_the_shares_do() -> None:
    counts, sheet = simulated(2.0)
    shift = shift_of(counts, sheet)
    assert shift is not None
    assert shift.gene in OWN
    assert len(OWN) <= shift.genes < len(GENES)
    assert NOTABLE < shift.change <= shift.worst + 1e-12


def test_one_line_and_one_line_a_donor_have_no_such_change() -> None:
    counts, sheet = simulated(2.0)
    one = sheet[sheet["line"] == "L1"]
    assert shift_of(counts.loc[one["sample"]], one) is None
    apart = sheet[(sheet["line"] == "L1") == sheet["donor"].isin(["D0", "D1", "D2"])]
    assert shift_of(counts.loc[apart["sample"]], apart) is None
