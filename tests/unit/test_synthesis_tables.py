"""The tables of a synthesis: what is matched, what is pooled, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from fibroserum import tables
from fibroserum.synthesis.evidence import Key, keys_of
from fibroserum.synthesis.pooling import pool
from fibroserum.synthesis.stage import SCHEMAS, SynthesisTables, synthesise
from helpers.synthesis_cohorts import AT, BOTH, KEYS, RT, cohort

ALPHA = 0.05


def _row(frame: pd.DataFrame, contrast: str = "RT_change", **where: str) -> pd.Series:
    rows = frame[frame["contrast"] == contrast]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def _checked(found: SynthesisTables) -> SynthesisTables:
    for field, schema in SCHEMAS.items():
        tables.check(schema, getattr(found, field))
    return found


def test_one_cohort_gives_itself() -> None:
    found = _checked(synthesise([cohort("a", {"BGN": (0.4, 0.1)})], ALPHA))
    row = _row(found.targets)
    assert (row["random_estimate"], row["random_se"]) == (0.4, 0.1)
    assert (row["fixed_ci_low"], row["random_ci_low"]) == pytest.approx((0.204003602,) * 2)
    assert row["call"] == "one_cohort"
    assert np.isnan(row["random_padj"])
    assert row["reason"] == "only one cohort: its own estimate, nothing is pooled"
    assert found.cohorts["reason"].str.startswith("no other cohort has this contrast").all()


def test_what_is_pooled_is_each_cohorts_estimate() -> None:
    effects, errors = [0.4, 0.1, 0.3], [0.1, 0.12, 0.2]
    cohorts = [
        cohort(name, {"BGN": pair, "DCN": (0.0, 1.0)})
        for name, pair in zip("abc", zip(effects, errors, strict=True), strict=True)
    ]
    found = _checked(synthesise(cohorts, ALPHA))
    row, expected = _row(found.targets), pool(np.array(effects), np.array(errors))
    for name in ("random_estimate", "random_pvalue", "tau2", "I2", "Q", "prediction_high"):
        assert row[name] == getattr(expected, name)
    own = found.estimates[found.estimates["contrast"] == "RT_change"]
    assert own["estimate"].tolist() == effects
    assert own["weight"].sum() == pytest.approx(1)
    assert row["reason"] == "3 of 3 cohorts positive"


def test_the_order_of_cohorts_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    cohorts = [
        cohort(
            name,
            {gene: (rng.normal(), rng.uniform(0.1, 1)) for gene in ("BGN", "DCN", f"only_{name}")},
            targets=("BGN", f"only_{name}"),
            sets={"S": (rng.normal(), 1.0), f"only {name}": (0.5, 1.0)},
            called={"DCN": "induced"},
        )
        for name in "abcd"
    ]
    first, other = synthesise(cohorts, ALPHA), synthesise(cohorts[::-1], ALPHA)
    for field in SCHEMAS:
        assert len(getattr(first, field))
        assert_frame_equal(getattr(first, field), getattr(other, field), check_exact=True)


def test_a_cohort_without_a_contrast_has_a_row_that_says_so() -> None:
    turned = Key("difference", "AT", "RT")
    cohorts = [
        cohort("a", {"BGN": (0.4, 0.1)}),
        cohort("b", {"BGN": (0.3, 0.1)}, keys=(AT,)),
        cohort("c", {"BGN": (0.3, 0.1)}, keys=(AT, RT, turned)),
    ]
    found = _checked(synthesise(cohorts, ALPHA))
    assert len(found.cohorts) == 3 * 4
    assert _row(found.cohorts, cohort="b")["reason"] == "no group 'RT'"
    other = _row(found.cohorts, BOTH.name, cohort="c")
    assert other["reason"] == (
        "compares the groups in the other direction (c AT_vs_RT_change): set reference_group"
    )
    assert not other["used"]
    row = _row(found.targets)
    assert row["cohorts"] == 2
    assert row["reason"].endswith("not included: b: no group 'RT'")
    assert _row(found.estimates, cohort="b")["reason"] == "no group 'RT'"


def test_a_gene_that_a_cohort_has_not_or_could_not_fit() -> None:
    cohorts = [
        cohort("a", {"BGN": (0.4, 0.1), "HAS1": (None, None)}, status={"HAS1": "low_count"}),
        cohort("b", {"HAS1": (0.5, 0.1)}, targets=("BGN", "HAS1")),
        cohort("c", {"BGN": (9.0, 0.1), "HAS1": (1.0, 0.2)}, status={"BGN": "not_converged"}),
    ]
    found = _checked(synthesise(cohorts, ALPHA))
    bgn, has1 = (_row(found.targets, target=name) for name in ("BGN", "HAS1"))
    assert (bgn["cohorts"], has1["cohorts"]) == (1, 2)
    assert bgn["random_estimate"] == 0.4
    assert bgn["reason"].endswith("b: not in its count matrix; c: the model did not converge")
    assert has1["reason"].endswith("not included: a: too few counts to fit the model")
    assert len(found.estimates) == 2 * 3 * 3


def test_genes_are_matched_by_symbol_whatever_their_ids() -> None:
    cohorts = [
        cohort("a", {"BGN": (0.4, 0.1)}, prefix="ENSG", targets=()),
        cohort("b", {"BGN": (0.2, 0.1)}),
    ]
    row = _row(synthesise(cohorts, ALPHA).targets)
    assert (row["target"], row["symbol"], row["cohorts"]) == ("BGN", "BGN", 2)
    assert row["fixed_estimate"] == pytest.approx(0.3)


def test_of_rows_with_one_symbol_the_best_counted_is_taken() -> None:
    twins = cohort("a", {"X": (0.1, 0.1), "Y": (0.2, 0.1)}, targets=())
    for frame in twins.genes.values():
        frame["symbol"] = "BGN"
    row = _row(synthesise([twins, cohort("b", {"BGN": (0.2, 0.1)})], ALPHA).targets)
    assert row["fixed_estimate"] == pytest.approx(0.2)


def test_sets_are_shares_of_the_ranking() -> None:
    few = {f"G{n}": (0.0, 1.0) for n in range(50)}
    many = {f"G{n}": (0.0, 1.0) for n in range(200)}
    cohorts = [
        cohort("a", few, targets=(), sets={"ECM": (5.0, 1.0)}),
        cohort("b", many, targets=(), sets={"ECM": (20.0, 4.0), "other": (1.0, 1.0)}),
    ]
    found = _checked(synthesise(cohorts, ALPHA))
    row = _row(found.gene_sets, gene_set="ECM")
    assert row["fixed_estimate"] == pytest.approx(0.1)
    assert row["fixed_se"] == pytest.approx(0.02 / 2**0.5)
    other = _row(found.gene_sets, gene_set="other")
    assert other["call"] == "one_cohort"
    assert other["reason"].endswith(
        "a: not scored: the set is not in its config, or has too few genes there"
    )
    assert found.targets.empty


def test_factor_genes_are_turned_along_their_direction() -> None:
    genes = {"DOWN": (-0.4, 0.1), "UP": (0.3, 0.1), "TORN": (0.5, 0.1)}
    cohorts = [
        cohort("a", genes, called={"DOWN": "suppressed", "TORN": "induced"}),
        cohort("b", genes, called={"UP": "induced", "TORN": "suppressed"}),
        cohort("c", genes),
    ]
    found = _checked(synthesise(cohorts, ALPHA)).factor_genes
    down = _row(found, gene="DOWN")
    assert (down["direction"], down["responsive_in"]) == ("suppressed", "a (suppressed)")
    assert down["signed_random_estimate"] == pytest.approx(0.4)
    assert down["cohorts"] == 3
    assert _row(found, gene="UP")["signed_fixed_estimate"] == pytest.approx(0.3)
    torn = _row(found, gene="TORN")
    assert torn["direction"] is None
    assert np.isnan(torn["signed_random_estimate"])
    assert torn["responsive_in"] == "a (induced), b (suppressed)"


def test_calls_are_corrected_over_the_panel_of_each_contrast() -> None:
    rng = np.random.default_rng(3)
    names = [f"T{n}" for n in range(6)]
    cohorts = [
        cohort(
            name,
            {t: (0.5 * (t == "T0") + 0.05 * rng.normal(), 0.05) for t in names},
            targets=names,
        )
        for name in "abcdef"
    ]
    found = synthesise([*cohorts, cohort("g", {"ALONE": (9.0, 0.1)}, targets=("ALONE",))], ALPHA)
    rows = found.targets[found.targets["contrast"] == "RT_change"].set_index("target")
    family = rows.drop(index="ALONE")
    order = family["random_pvalue"].astype(float).sort_values()
    expected = (order * len(order) / np.arange(1, len(order) + 1))[::-1].cummin()[::-1]
    assert family.loc[order.index, "random_padj"].astype(float).to_numpy() == pytest.approx(
        expected.to_numpy()
    )
    assert rows["call"].to_dict() == {
        "T0": "up",
        **dict.fromkeys(names[1:], "none"),
        "ALONE": "one_cohort",
    }


def test_a_gene_of_two_names_is_one_test() -> None:
    rng = np.random.default_rng(4)
    names = ["BGN", "DCN", "LUM"]
    once = [
        cohort(name, {t: (0.3 * rng.normal(), 0.1) for t in names}, targets=names) for name in "abc"
    ]
    twice = [replace(one, targets={**one.targets, "ENSG00000182492": "BGN"}) for one in once]
    rows, more = (
        _checked(synthesise(cohorts, ALPHA)).targets.set_index(["contrast", "target"])
        for cohorts in (once, twice)
    )
    assert len(more) == len(rows) + 3
    for name in ("random_padj", "fixed_padj"):
        assert more.loc[rows.index, name].tolist() == rows[name].tolist()
        assert more.xs("ENSG00000182492", level=1)[name].tolist() == (
            rows.xs("BGN", level=1)[name].tolist()
        )


def test_replication_needs_two_cohorts_with_a_test() -> None:
    genes = {"BGN": (0.4, 0.1), "DCN": (0.4, 0.1), "LUM": (-0.3, 0.1), "VCAN": (0.4, 0.1)}
    turned = genes | {"DCN": (-0.4, 0.1), "VCAN": (0.4, 0.4)}
    cohorts = [
        cohort("a", genes, targets=genes, sets={"S": (3.0, 1.0), "T": (3.0, 1.0)}),
        cohort("b", turned, targets=genes, sets={"S": (3.0, 1.0), "T": (-3.0, 1.0)}),
    ]
    found = _checked(synthesise(cohorts, ALPHA))
    targets = found.targets[found.targets["contrast"] == "RT_change"].set_index("target")
    assert (targets["call"] == "none").all()
    assert targets["replicated"].to_dict() == {
        "BGN": "up",
        "DCN": "none",
        "LUM": "down",
        "VCAN": "none",
    }
    # one-sided p of z = 4, 3 and 1 among four rows
    assert targets.loc[["BGN", "LUM", "VCAN"], "replicated_padj"].to_numpy(float) == pytest.approx(
        [4 * 3.167124183e-05, 2 * 1.349898032e-03, 0.158655254 * 4 / 3], rel=1e-8
    )
    sets = found.gene_sets[found.gene_sets["contrast"] == "RT_change"].set_index("gene_set")
    assert sets["replicated"].to_dict() == {"S": "up", "T": "none"}
    own = found.estimates.set_index(["contrast", "name", "cohort"])
    assert own.loc[("RT_change", "LUM", "a"), "down_pvalue"] == pytest.approx(1.349898032e-03)
    assert own.loc[("RT_change", "LUM", "a"), "up_pvalue"] == pytest.approx(1 - 1.349898032e-03)
    alone = _checked(synthesise(cohorts[:1], ALPHA)).targets
    assert (alone["replicated"] == "none").all()
    assert alone["replicated_padj"].isna().all()


@pytest.mark.parametrize(
    ("second_lfc", "second_pvalue", "others", "expected"),
    [
        (0.4, 0.02, 0.5, (0.01, 0.9995)),
        (0.4, 1e-9, 0.5, (0.0005, 1 - 5e-10)),
        (-0.4, 0.02, 0.5, (0.99, 0.9995)),
        # its own calls need the second model, which does not test this gene
        (np.nan, np.nan, 0.5, (None, None)),
        # there is no second model
        (np.nan, np.nan, np.nan, (0.0005, 0.9995)),
    ],
)
def test_of_two_models_the_less_certain_counts(
    second_lfc: float,
    second_pvalue: float,
    others: float,
    expected: tuple[float | None, float | None],
) -> None:
    one = cohort("a", {"BGN": (0.3, 0.1), "DCN": (0.1, 0.1)})
    for frame in one.genes.values():
        frame["pvalue"] = [0.001, 0.5]
        frame["second_log2FoldChange"] = [second_lfc, 0.1]
        frame["second_pvalue"] = [second_pvalue, others]
    found = synthesise([one, cohort("b", {"BGN": (0.3, 0.1)})], ALPHA)
    row = _row(found.estimates, cohort="a")
    if expected[0] is None:
        assert row[["up_pvalue", "down_pvalue"]].isna().all()
        assert np.isnan(_row(found.targets)["replicated_padj"])
    else:
        assert row[["up_pvalue", "down_pvalue"]].tolist() == pytest.approx(expected)


def test_nothing_to_pool_is_empty_tables() -> None:
    found = _checked(synthesise([cohort("a", {}, targets=())], ALPHA))
    assert len(found.cohorts) == 3
    for field in ("targets", "gene_sets", "factor_genes", "estimates"):
        assert getattr(found, field).empty


def test_changes_come_before_differences() -> None:
    assert keys_of([cohort("a", {})]) == list(KEYS)
    assert [key.name for key in KEYS] == ["AT_change", "RT_change", "RT_vs_AT_change"]
