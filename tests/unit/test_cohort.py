"""From libraries to samples: what is summed, what is paired, what is left out, and the words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.inputs import Inputs
from fibroserum.cohort.models import models_of
from fibroserum.cohort.samples import (
    canonical_sheet,
    check_design,
    combine_libraries,
    use_of_samples,
)
from fibroserum.cohort.stage import Cohort, build_cohort, stimulation_arm
from fibroserum.cohort.storage import read_h5ad, write_h5ad
from fibroserum.errors import InputError
from fibroserum.input.sheet import obs_name
from fibroserum.input.sheet_checks import check_sheet

DESIGN: dict[str, Any] = {
    "donor": "donor", "group": "group", "time": "time", "before": "pre", "after": "post",
    "reference_group": "AT", "line": None, "crossover": False, "covariates": [],
}  # fmt: skip
GENES = ["BGN", "DCN", "LUM", "FN1"]


def config(factors: dict[str, Any] | None = None, **design: Any) -> dict[str, Any]:
    return {"cohort": "c", "design": DESIGN | design, "factors": factors or {}}


def rows(text: str, names: str = "sample donor group time") -> pd.DataFrame:
    """Return a sheet from words, a row a line."""
    cells = [line.split() for line in text.strip().splitlines()]
    return pd.DataFrame(cells, columns=names.split(), dtype=object)


TWO = """
a1 D1 AT pre
a2 D1 AT post
b1 D2 AT pre
b2 D2 AT post
c1 D3 RT pre
c2 D3 RT post
d1 D4 RT pre
d2 D4 RT post
"""


def inputs_of(sheet: pd.DataFrame, **more: Any) -> Inputs:
    rng = np.random.default_rng(len(sheet))
    counts = pd.DataFrame(
        rng.integers(20, 90, (len(sheet), len(GENES))), index=list(sheet["sample"]), columns=GENES
    )
    annotation = pd.DataFrame({"symbol": GENES}, index=pd.Index(GENES, name="gene_id"))
    targets: dict[str, str | None] = {"BGN": "BGN", "HAS1": None}
    given: dict[str, Any] = {"counts": counts, "annotation": annotation, "targets": targets}
    return Inputs(**{**given, "sheet": sheet, "stimulation": {}, "notes": ("read",), **more})


def table_of(cohort: Cohort) -> pd.DataFrame:
    return cohort.samples.set_index("sample")


def test_every_library_has_a_row_and_every_pair_is_used() -> None:
    inputs = inputs_of(rows(TWO))
    cohort = build_cohort(inputs, config(), 10)
    table = table_of(cohort)
    assert list(table.index) == sorted(inputs.sheet["sample"])
    assert (table["used_for"] == "change").all()
    assert table["reason"].isna().all()
    assert table["library_size"].to_dict() == inputs.counts.sum(axis=1).to_dict()
    assert (table["genes_detected"] == len(GENES)).all()
    assert np.allclose(np.log(table["size_factor"]).median(), 0, atol=0.2)
    assert cohort.adata.var["target"].to_dict() == {"BGN": True, "DCN": False} | dict.fromkeys(
        ["LUM", "FN1"], False
    )
    noted = settings_of(cohort.adata)
    assert noted["groups"] == ["AT", "RT"]
    assert noted["targets"] == {"BGN": "BGN", "HAS1": None}
    assert noted["notes"] == ["read"]


def test_counts_are_stored_in_32_bits_unless_a_sum_needs_more() -> None:
    small = build_cohort(inputs_of(rows(TWO)), config(), 10)
    assert small.adata.X.dtype == np.int32
    inputs = inputs_of(rows(TWO + "a1b D1 AT pre\n"))
    large = inputs.counts.astype(np.int32)
    large.loc[["a1", "a1b"], "BGN"] = 2**31 - 1
    summed = counts_of(build_cohort(replace(inputs, counts=large), config(), 10).adata)
    assert summed.loc["a1", "BGN"] == 2**32 - 2


def test_technical_replicates_are_summed_and_listed() -> None:
    sheet = rows(TWO + "a1b D1 AT pre\n")
    inputs = inputs_of(sheet)
    cohort = build_cohort(inputs, config(), 10)
    summed = counts_of(cohort.adata)
    assert len(summed) == 8
    for gene in GENES:
        whole = inputs.counts.loc[["a1", "a1b"], gene].sum()
        assert summed.loc["a1", gene] == whole
    table = table_of(cohort)
    own = inputs.counts.loc["a1"].sum()
    assert table.loc["a1", "reason"] == (
        "sum of a1, a1b (technical replicates of donor D1 at pre); this row describes the sum, "
        f"to which a1 contributes {own:,} counts"
    )
    assert table.loc["a1", "library_size"] == inputs.counts.loc[["a1", "a1b"]].sum().sum()
    assert table.loc["a1", "genes_detected"] == (inputs.counts.loc[["a1", "a1b"]].sum() > 0).sum()
    assert table.loc["a1b", "reason"] == (
        "summed into a1 (technical replicates of donor D1 at pre)"
    )
    assert table.loc["a1b", "used_for"] == "none"
    assert table.loc["a1b", "library_size"] == inputs.counts.loc["a1b"].sum()
    assert np.isnan(table.loc["a1b", "size_factor"])
    assert summed.to_numpy().sum() == inputs.counts.to_numpy().sum()


def test_lines_are_combined_within_donor_and_time() -> None:
    text = "".join(
        f"{name}{line} {rest} L{line}\n"
        for name, _, rest in (row.partition(" ") for row in TWO.strip().splitlines())
        for line in (1, 2)
    )
    inputs = inputs_of(rows(text, "sample donor group time line"))
    cohort = build_cohort(inputs, config(line="line"), 10)
    assert list(cohort.adata.obs_names) == [f"{d}{t}1" for d in "abcd" for t in (1, 2)]
    assert set(cohort.adata.obs["line"]) == {"L1+L2"}
    assert settings_of(cohort.adata)["lines"] == ["L1", "L2"]
    assert table_of(cohort).loc["a12", "reason"] == (
        "summed into a11 (samples of 2 cell lines of donor D1 at pre)"
    )
    summed = counts_of(cohort.adata).loc["a11"]
    assert summed.to_dict() == inputs.counts.loc[["a11", "a12"]].sum().to_dict()


def test_a_donor_without_an_after_sample_is_kept_for_the_baseline() -> None:
    sheet = rows(TWO + "e1 D5 RT pre\nf2 D6 AT post\n")
    cohort = build_cohort(inputs_of(sheet), config(), 10)
    table = table_of(cohort)
    assert table.loc["e1", ["used_for", "reason"]].tolist() == [
        "baseline", "no after sample: used only in the baseline contrast"
    ]  # fmt: skip
    assert table.loc["f2", ["used_for", "reason"]].tolist() == [
        "none", "no before sample: a change needs both samples"
    ]  # fmt: skip
    assert "e1" in cohort.adata.obs_names
    assert "f2" not in cohort.adata.obs_names


def test_in_a_single_group_a_donor_without_a_pair_is_used_for_nothing() -> None:
    sheet = rows("a1 D1 pre\na2 D1 post\nb1 D2 pre\nb2 D2 post\nc1 D3 pre", "sample donor time")
    cohort = build_cohort(inputs_of(sheet), config(group=None, reference_group=None), 10)
    assert table_of(cohort).loc["c1", ["used_for", "reason"]].tolist() == [
        "none", "no after sample, and a single group has no baseline contrast"
    ]  # fmt: skip
    assert set(cohort.adata.obs["group"]) == {"all"}
    assert settings_of(cohort.adata)["groups"] == ["all"]


def test_reasons_add_up() -> None:
    sheet = rows(TWO + "e1 D5 RT pre\ne2 D5 RT pre\n")
    inputs = inputs_of(sheet)
    table = table_of(build_cohort(inputs, config(), 10))
    assert table.loc["e1", "reason"] == (
        "sum of e1, e2 (technical replicates of donor D5 at pre); this row describes the sum, "
        f"to which e1 contributes {inputs.counts.loc['e1'].sum():,} counts; no after sample: "
        "used only in the baseline contrast"
    )


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_samples_and_genes_changes_nothing(random: Any) -> None:
    inputs = inputs_of(rows(TWO + "a1b D1 AT pre\ne1 D5 RT pre\n"))
    samples, genes = list(inputs.sheet["sample"]), list(GENES)
    random.shuffle(samples)
    random.shuffle(genes)
    shuffled = Inputs(
        inputs.counts.loc[random.sample(samples, len(samples)), genes],
        inputs.sheet.set_index("sample").loc[samples].reset_index(),
        inputs.annotation.loc[genes],
        inputs.targets,
        {},
        inputs.notes,
    )
    one, other = build_cohort(inputs, config(), 10), build_cohort(shuffled, config(), 10)
    pd.testing.assert_frame_equal(one.samples, other.samples)
    pd.testing.assert_frame_equal(one.adata.obs, other.adata.obs)
    pd.testing.assert_frame_equal(one.adata.var, other.adata.var)
    for layer in ("normalized", "log1p_normalized"):
        assert np.array_equal(one.adata.layers[layer], other.adata.layers[layer])


def test_replicates_that_disagree_are_refused() -> None:
    sheet = rows(TWO + "a1b D1 AT pre\n").assign(plate="P1", ccl28="5", note="x")
    sheet.loc[8, ["plate", "ccl28", "note"]] = ["P2", "7", "y"]
    factors = {"CCL28": {"serum": "ccl28"}}
    with pytest.raises(InputError) as error:
        check_design(sheet, config(factors, covariates=["plate"]))
    said = [str(problem) for problem in error.value.problems]
    assert said == [
        "sample sheet, donor 'D1', group 'AT', time 'pre': the samples a1, a1b are to be "
        f"summed, but they differ in '{column}': {values}; expected one value of '{column}' per "
        "donor and time"
        for column, values in (("plate", "'P1', 'P2'"), ("ccl28", "'5', '7'"))
    ]


@pytest.mark.parametrize(("cells", "hinted"), [(("", "<15"), True), (("n/a", "7"), True),
                                               (("<15", "7"), False)])  # fmt: skip
def test_an_empty_cell_of_a_replicate_says_what_to_write(
    cells: tuple[str, str], hinted: bool
) -> None:
    sheet = canonical_sheet(rows("a D1 AT pre\nb D1 AT pre\nc D1 AT post"), DESIGN)
    sheet["ccl28"] = [*cells, "9"]
    with pytest.raises(InputError) as error:
        combine_libraries(sheet, ["ccl28"])
    assert ("Write the known value in all their rows" in str(error.value)) == hinted
    sheet["ccl28"] = [cells[1], cells[1], "9"]  # as it says
    assert combine_libraries(sheet, ["ccl28"]).into["b"] == "a"


def test_a_design_that_the_config_has_refused_is_not_refused_again() -> None:
    sheet = rows(TWO)
    for wrong in ({"after": "pre"}, {"covariates": ["time"]}, {"donor": "group"}):
        check_design(sheet, config(**wrong))
    with pytest.raises(InputError, match="no residual degree of freedom"):
        check_design(sheet.iloc[[0, 1, 4, 5]], config())


def test_columns_of_the_sheet_do_not_hide_the_pipelines_own() -> None:
    sheet = rows(TWO, "sample patient arm week").assign(
        donor="x", line="y", used_for="z", time="t", **{"serum/lot": "3"}
    )
    design = DESIGN | {"donor": "patient", "group": "arm", "time": "week"}
    table = canonical_sheet(sheet, design)
    assert list(table.columns[:4]) == ["donor", "group", "time", "line"]
    assert table.loc["a1", ["donor", "group", "time", "line"]].tolist() == ["D1", "AT", "pre", ""]
    names = ["sheet.donor", "sheet.line", "sheet.used_for", "sheet.time", "serum_lot"]
    assert table.loc["a1", names].tolist() == ["x", "y", "z", "t", "3"]
    assert check_sheet(sheet, design, {}, None) == ()


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_codes_of_a_covariate_are_categories_or_a_slope_as_declared(kind: str) -> None:
    codes = list("123213121321")
    more = "e1 D5 AT pre\ne2 D5 AT post\nf1 D6 RT pre\nf2 D6 RT post\n"
    named = [f"b{code}" for code in codes] if kind == "categorical" else [f"{c}.0" for c in codes]
    designs = []
    for values, declared in ((codes, {"batch": kind}), (named, "batch")):
        sheet = rows(TWO + more).assign(batch=values)
        design = config(covariates=[declared])
        assert check_sheet(sheet, design["design"], {}, None) == () or kind == "numeric"
        adata = build_cohort(inputs_of(sheet), design, 10).adata
        (model,) = models_of(adata.obs, settings_of(adata))[:1]
        designs.append(model.design.dense)
    np.testing.assert_array_equal(designs[0].to_numpy(), designs[1].to_numpy())
    assert designs[0].shape[1] == 2 + (2 if kind == "categorical" else 1)


@pytest.mark.parametrize("min_count", [1_000, 10**8])
def test_no_gene_that_reaches_min_count_is_said_with_the_largest(min_count: int) -> None:
    inputs = inputs_of(rows(TWO))
    largest = inputs.counts.sum()
    with pytest.raises(InputError) as refused:
        build_cohort(inputs, config(), min_count)
    assert [problem.what for problem in refused.value.problems] == [
        f"no gene reaches min_count ({min_count:,}) over the {n} samples of {name}. "
        f"The largest total is {own.max():,} ({own.idxmax()})"
        for name, n, own in (
            ("the model of changes", 8, largest),
            ("the baseline model", 4, inputs.counts.loc[["a1", "b1", "c1", "d1"]].sum()),
        )
    ]
    zero = replace(inputs, counts=inputs.counts * 0)
    with pytest.raises(InputError, match=r"no gene reaches min_count \(0\)"):
        build_cohort(zero, config(), 0)


def test_an_arm_in_which_no_gene_reaches_min_count_is_named() -> None:
    inputs = inputs_of(rows(TWO))
    arm = {"column": "treatment", "control": "no", "treated": "yes"}
    sheet = pd.DataFrame({"sample": ["x", "y"], "treatment": ["no", "yes"]})
    counts = pd.DataFrame(1, index=["x", "y"], columns=GENES)
    given = replace(inputs, stimulation={"CCL28": (counts, sheet)})
    factors = {"CCL28": {"serum": None, "stimulation": arm}}
    with pytest.raises(InputError, match=r"of the stimulation experiment of CCL28\. The largest"):
        build_cohort(given, config(factors), 10)


def test_a_covariate_named_like_a_column_of_the_pipeline_keeps_its_values() -> None:
    sheet = rows(TWO).assign(line=["L1", "L2", "L2", "L1", "L1", "L1", "L2", "L1"])
    cohort = build_cohort(inputs_of(sheet), config(covariates=["line"]), 10)
    assert settings_of(cohort.adata)["covariates"] == ["sheet.line"]
    assert cohort.adata.obs["sheet.line"].tolist() == list(sheet["line"])
    assert set(cohort.adata.obs["line"]) == {""}


@pytest.mark.parametrize(
    ("columns", "met"),
    [
        (["a/b", "a_b"], "the columns 'a/b' and 'a_b' both become 'a_b'"),
        (["used_for", "sheet.used_for"], "both become 'sheet.used_for'"),
    ],
)
def test_columns_whose_names_meet_are_refused(columns: list[str], met: str) -> None:
    sheet = rows(TWO).assign(**dict.fromkeys(columns, "x"))
    (problem,) = check_sheet(sheet, DESIGN, {}, None)
    assert met in str(problem)


def test_every_column_can_be_written_and_read_again(tmp_path: Any) -> None:
    names = ["serum/lot", "_index", "size_factor", "N,N-dimethylglycine (µM)", "0.5%", "line", "x"]
    sheet = rows(TWO).assign(**{name: [str(n) for n in range(8)] for name in names})
    sheet.loc[3, "x"] = ""
    cohort = build_cohort(inputs_of(sheet), config(), 10)
    write_h5ad(cohort.adata, tmp_path / "cohort.h5ad")
    again = read_h5ad(tmp_path / "cohort.h5ad").obs
    for name in names:
        kept = again[obs_name(name)].astype(str).tolist()
        assert kept == list(sheet[name]), name


def test_combined_libraries_are_named_after_the_first() -> None:
    sheet = canonical_sheet(rows("z D1 AT pre\nm D1 AT pre\nb D1 AT post"), DESIGN)
    combined = combine_libraries(sheet, [])
    assert combined.into == {"b": "b", "m": "m", "z": "m"}
    assert list(combined.sheet.index) == ["b", "m"]
    counts = pd.DataFrame({"g": [1, 2, 4]}, index=["z", "m", "b"])
    assert combined.sum(counts)["g"].to_dict() == {"b": 4, "m": 3}


def test_in_a_crossover_pairs_are_of_donor_and_group() -> None:
    text = "a1 D1 AT pre\na2 D1 AT post\nb1 D1 RT pre\nb2 D2 RT post\n"
    used, why = use_of_samples(
        canonical_sheet(rows(text), DESIGN), contrasts_of(["AT", "RT"], "pre", "post")
    )
    assert used.to_dict() == {"a1": "change", "a2": "change", "b1": "baseline", "b2": "none"}
    assert why["a1"] == ""
    assert "no before sample" in why["b2"]


def test_an_arm_has_the_cohorts_annotation() -> None:
    cohort = build_cohort(inputs_of(rows(TWO)), config(), 10)
    counts = pd.DataFrame([[1, 2], [3, 4]], index=["y", "x"], columns=["BGN", "NEW"])
    sheet = pd.DataFrame({"sample": ["y", "x"], "treatment": ["ccl28", "vehicle"]})
    arm = stimulation_arm(counts, sheet, cohort.adata.var)
    assert list(arm.obs_names) == ["x", "y"]
    assert np.asarray(arm.X).tolist() == [[3, 4], [1, 2]]
    assert arm.var["target"].tolist() == [True, False]
    assert arm.var["symbol"].tolist() == ["BGN", ""]


def test_a_sample_without_enough_cells_has_its_row_and_its_partner_is_kept_for_the_baseline() -> (
    None
):
    inputs = inputs_of(rows(TWO + "e1 D5 RT pre\ne2 D5 RT post\n"))
    gone = {"e2": "7 cells, fewer than min_cells 10"}
    less = replace(inputs, counts=inputs.counts.drop(index="e2"), dropped=gone)
    cohort = build_cohort(less, config(), 10)
    table = table_of(cohort)
    assert table.loc["e2", ["used_for", "reason"]].tolist() == ["none", gone["e2"]]
    assert table.loc["e1", "used_for"] == "baseline"
    assert "e2" not in cohort.adata.obs_names
