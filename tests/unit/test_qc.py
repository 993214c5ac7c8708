"""Quality control sees what was planted, and says nothing where nothing is wrong."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum import tables
from fibroserum.input.sheet import IGNORED_TIME
from fibroserum.qc.check import LEVELS
from fibroserum.qc.design import only_before, used_samples
from fibroserum.qc.metrics import components, distance_table, gene_classes, most_variable
from fibroserum.qc.stage import control_quality


def cohort(seed: int = 1, genes: int = 400, **extra: float) -> ad.AnnData:
    """Return a female fibroblast-like cohort of 4 pairs; extra: symbol to mean count."""
    rng = np.random.default_rng(seed)
    named = {
        "COL1A1": 5000.0,
        "VIM": 4000.0,
        "PDGFRA": 800.0,
        "LUM": 900.0,
        "XIST": 300.0,
        "RPS4Y1": 0.0,
        "DDX3Y": 0.0,
        "KRT5": 1.0,
        "PTPRC": 0.0,
        "PECAM1": 1.0,
        "MT-CO1": 3000.0,
        "RPL3": 900.0,
        "HBB": 0.0,
    } | extra
    symbols = [*named, *(f"GENE{i}" for i in range(genes - len(named)))]
    means = np.concatenate([list(named.values()), rng.lognormal(5, 1, genes - len(named))])
    donor = rng.normal(0, 0.2, (4, genes)).repeat(2, axis=0)
    counts = rng.poisson(means * 2**donor * rng.gamma(50, 1 / 50, (8, genes)))
    names = [f"D{d}_{t}" for d in range(4) for t in ("post", "pre")]
    obs = pd.DataFrame(
        {
            "donor": [n[:2] for n in names],
            "group": "all",
            "time": [n[3:] for n in names],
            "line": "L1",
            "used_for": "change",
            "size_factor": 1.0,
        },
        index=names,
    )
    var = pd.DataFrame({"symbol": symbols}, index=[f"G{i}" for i in range(genes)])
    adata = ad.AnnData(X=counts, obs=obs, var=var)
    adata.uns["fibroserum"] = {
        "groups": ["all"],
        "covariates": [],
        "lines": [""],
        "notes": [],
        "targets": [],
        "target_genes": [],
        "crossover": False,
        "after": "post",
        "before": "pre",
    }
    return adata


def samples_of(adata: ad.AnnData) -> pd.DataFrame:
    table = adata.obs[["donor", "group", "time", "used_for"]].rename_axis("sample").reset_index()
    return table.assign(reason=None)


def checks_of(adata: ad.AnnData) -> pd.DataFrame:
    return control_quality(adata, samples_of(adata), "female", {}).checks


def warnings_of(adata: ad.AnnData, line_sex: str | None = "female") -> dict[str, str]:
    found = control_quality(adata, samples_of(adata), line_sex, {}).checks
    bad = found[found["level"] == "warning"]
    return dict(zip(bad["check"], bad["subject"] + ": " + bad["message"], strict=True))


def test_a_sound_cohort_has_no_warning() -> None:
    adata = cohort()
    quality = control_quality(adata, samples_of(adata), "female", {})
    found = quality.checks.groupby("level")["check"].agg(set).to_dict()
    assert set(found) == {"ok", "not_assessed"}, quality.checks
    # four pairs tell little of what single donors do, and the sheet has no column of plates
    assert found["not_assessed"] <= {
        *("pairs", "swapped donors", "swapped times"),
        *("quality of pairs", "shared batches"),
    }
    for name, frame in (
        ("checks", quality.checks),
        ("qc_metrics", quality.metrics),
        ("qc_variance", quality.variance),
        ("qc_distances", quality.distances),
    ):
        tables.check(name, frame)


def test_metrics_are_what_they_say() -> None:
    adata = cohort()
    metrics = control_quality(adata, samples_of(adata), None, {}).metrics.set_index("sample")
    counts = adata.to_df()
    assert (metrics["total_counts"] == counts.sum(axis=1)).all()
    assert (metrics["n_genes"] == (counts > 0).sum(axis=1)).all()
    share = 100 * counts["G10"] / counts.sum(axis=1)
    assert metrics["pct_counts_mt"].to_numpy() == pytest.approx(share.to_numpy(), rel=1e-5)


def test_sums_of_coverage_are_no_libraries() -> None:
    """recount3's raw_counts: 100 bases a read, 40 million reads."""
    adata = cohort()
    factor = 4_000_000_000 // int(adata.X[2:].sum(axis=1).min()) + 1
    adata.X[2:] = adata.X[2:] * factor
    checks = control_quality(adata, samples_of(adata), None, {}).checks
    row = checks[checks["message"].str.contains("sums of coverage")].iloc[0]
    assert (row["check"], row["level"]) == ("library size", "warning")
    assert row["subject"] == ", ".join(adata.obs_names[2:])
    assert "recount3::compute_read_counts(rse)" in row["advice"]
    assert not ((checks["check"] == "library size") & (checks["level"] == "ok")).any()


def test_samples_without_a_row_are_one_warning() -> None:
    adata = cohort()
    others = pd.DataFrame({"sample": ["blank", "X9"], "used_for": "none", "reason": "counted"})
    samples = pd.concat([samples_of(adata), others], ignore_index=True)
    checks = control_quality(adata, samples, None, {}).checks
    ((_, level, subject, message, advice),) = checks[checks["check"] == "samples used"].to_numpy()
    assert (level, subject) == ("warning", "blank, X9")
    assert message == (
        "2 of 10 samples in the count files are left out, because they have no row in the sample "
        "sheet"
    )
    assert "add their rows" in advice


def test_samples_without_a_row_are_counted_among_all_samples() -> None:
    """A group that was measured before only is in the count files too."""
    rows = {"group": "AT", "time": "pre", "used_for": "baseline", "reason": None}
    samples = pd.DataFrame([{"sample": f"S{n}", "donor": f"D{n}"} | rows for n in range(6)])
    samples.loc[6] = ["blank", None, None, None, "none", "counted"]
    (row,) = used_samples(samples, ["AT"])
    assert row.message.startswith("1 of 7 samples in the count files is left out")


def test_gene_classes() -> None:
    var = pd.DataFrame({"symbol": ["MT-ND1", "MTOR", "RPL3", "RPS6KA1", "RPSA", "HBA1", "HBEGF"]})
    classes = gene_classes(var)
    assert classes["mt"].tolist() == [True] + [False] * 6
    assert classes["ribo"].tolist() == [False, False, True, False, True, False, False]
    assert classes["hb"].tolist() == [False] * 5 + [True, False]


def test_a_small_library_is_named() -> None:
    adata = cohort()
    adata.X[3] = adata.X[3] // 20
    found = warnings_of(adata)
    assert found["library size"].startswith(adata.obs_names[3])


def test_a_copied_library_is_named() -> None:
    adata = cohort()
    adata.X[5] = adata.X[2]
    assert warnings_of(adata)["duplicated sample"].startswith("D1_post, D2_pre")


def test_other_cells_and_blood_are_named() -> None:
    assert "blood cells" in warnings_of(cohort(PTPRC=9000.0))["cell identity"]
    assert "haemoglobin share" in warnings_of(cohort(HBB=8000.0))


@pytest.mark.parametrize(
    ("xist", "y", "declared", "warned"),
    [
        (300.0, 0.0, "female", False),
        (300.0, 0.0, "male", True),
        (0.0, 200.0, "male", False),
        (0.0, 200.0, "female", True),
        (0.0, 0.0, "female", False),
        (0.0, 200.0, None, False),
    ],
)
def test_sex_of_the_line(xist: float, y: float, declared: str | None, warned: bool) -> None:
    found = warnings_of(cohort(XIST=xist, RPS4Y1=y, DDX3Y=y), declared)
    assert ("sex of the cell line" in found) == warned
    if warned:
        assert "not of the serum donor" in found["sex of the cell line"]


def test_an_outlying_sample_is_named() -> None:
    adata = cohort()
    rng = np.random.default_rng(5)
    adata.X[1] = rng.permutation(np.asarray(adata.X[1]))
    assert warnings_of(adata)["outlying sample"].startswith(adata.obs_names[1])


def test_within_donor_components_ignore_donors() -> None:
    adata = cohort()
    expression = most_variable(adata)
    shifted = expression.add(adata.obs["donor"].map({"D0": 5, "D1": -3, "D2": 9, "D3": 0}), axis=0)
    one, _ = components(expression, adata.obs)
    other, _ = components(shifted, adata.obs)
    assert one["PC1_within"].to_numpy() == pytest.approx(other["PC1_within"].to_numpy(), abs=1e-8)


def test_distances_are_symmetric_and_limited() -> None:
    adata = cohort()
    table = distance_table(most_variable(adata))
    assert len(table) == 8 * 7 // 2
    assert (table["distance"] > 0).all()
    rng = np.random.default_rng(0)
    large = pd.DataFrame(rng.normal(size=(400, 5)), index=[f"s{i}" for i in range(400)])
    assert 2000 <= len(distance_table(large)) <= 4000


def test_tiny_cohorts_do_not_break() -> None:
    adata = cohort()[:2].copy()
    quality = control_quality(adata, samples_of(adata), None, {})
    assert len(quality.metrics) == 2
    assert len(quality.distances) == 1


def test_pools_have_their_row() -> None:
    adata = cohort()
    assert not (checks_of(adata)["check"] == "pools of sera").any()
    adata.uns["fibroserum"]["pools"] = ["D0", "D1", "D2", "D3"]
    row = checks_of(adata).set_index("check").loc["pools of sera"]
    assert (row["level"], row["subject"]) == ("note", "D0, D1, D2, D3")
    assert "No conclusion concerns a single person" in row["message"]
    adata.uns["fibroserum"]["pools"] = ["D2"]
    row = checks_of(adata).set_index("check").loc["pools of sera"]
    assert (row["level"], row["subject"]) == ("warning", "D2")
    assert row["message"].startswith("1 of 4 donors is a pool of sera")


def test_warnings_are_not_buried() -> None:
    adata = cohort()
    table = samples_of(adata)
    table["reason"] = ["sum of a, b"] * 3 + ["no after sample"] + [None] * (len(table) - 4)
    table.loc[3, "used_for"] = "baseline"
    found = control_quality(adata, table, None, {}).checks
    assert found["level"].map(list(LEVELS).index).is_monotonic_increasing
    lost = found[found["check"] == "samples used"]
    assert lost["level"].tolist() == ["warning", *["note"] * 3]
    assert found["check"].tail(3).tolist() == ["samples used"] * 3


def test_a_group_of_one_or_two_pairs_is_said() -> None:
    adata = cohort()
    pairs = adata.obs.groupby("donor").ngroup()
    adata.obs["group"] = np.where(pairs == 0, "one", np.where(pairs < 3, "two", "RT"))
    found = checks_of(adata)
    rows = found[found["check"] == "group size"].set_index("subject")["message"]
    assert sorted(rows.index) == ["RT", "one", "two"]
    assert rows["one"].startswith("one has only 1 pair, so its results depend on one donor.")
    assert rows["two"].startswith("two has only 2 pairs, so its results depend on two donors.")
    assert "group size" not in warnings_of(cohort())


@pytest.mark.parametrize(
    ("groups", "differences", "warned"),
    [
        (["healthy", "AT", "RT"], "reference", True),
        (["healthy", "AT", "RT"], "pairwise", False),
        (["healthy", "RT"], "reference", False),
        (["AT", "healthy", "RT"], "reference", False),
    ],
)
def test_a_reference_without_a_sample_after_is_said(
    groups: list[str], differences: str, warned: bool
) -> None:
    adata = cohort()
    noted = {"groups": groups, "differences": differences, "only_before": ["healthy"]}
    adata.uns["fibroserum"] |= noted
    ok, *more = list(only_before(adata))
    assert (ok.level, ok.subject) == ("note", "healthy")
    assert [(row.level, row.subject) for row in more] == [("warning", "healthy")] * warned
    for row in more:
        assert "write 'differences: pairwise'" in row.advice
        assert "with samples after (AT, RT)" in row.advice


def test_samples_beside_ignored_ones_are_the_other_ones() -> None:
    table = samples_of(cohort())
    assert [row.message for row in used_samples(table, [])] == ["all 8 samples are used, as pairs"]
    table.loc[0, "reason"] = f"{IGNORED_TIME} late"
    assert [row.message for row in used_samples(table, [])] == [
        "1 sample is left out, because design.ignore_times names post",
        "all other 7 samples are used, as pairs",
    ]
    table["group"] = ["healthy"] * 2 + ["RT"] * 6
    assert list(used_samples(table, ["healthy"]))[1].message.startswith("all other 6 samples")
