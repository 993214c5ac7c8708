"""Set tests against R's limma (tests/golden/limma) and edgepython; tables, calls, hostile sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum import linear
from fibroserum.cohort.designs import Design
from fibroserum.enrichment.camera import (
    camera,
    normal_from_t,
    normal_scores,
    set_against_rest,
)
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.group_wise import own_fry, own_group_fit
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.set_tests import COLUMNS, SetSettings, SetTests, test_sets
from fibroserum.enrichment.stage import left_out_of
from fibroserum.genes.gmt import GeneSet
from helpers.limma_cohort import CONTRASTS, LIMITS, contrast_of, golden, limma_fits, limma_sets


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return golden("counts.tsv").T


@pytest.fixture(scope="module")
def fits() -> dict[str, linear.LinearFit]:
    return limma_fits()


@pytest.fixture(scope="module")
def sets() -> list[GeneSet]:
    return limma_sets()


@pytest.mark.parametrize("kind", ["voom", "plain"])
@pytest.mark.parametrize("name", list(CONTRASTS))
def test_fry_and_camera_agree_with_limma(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet], kind: str, name: str
) -> None:
    fit = fits[kind]
    own = restrict(sets, fit.genes, fit.genes, **LIMITS)
    expected = golden(f"sets_{kind}_{name}.tsv").loc[own.table["gene_set"]]
    effects = linear.genewise_effects(fit, contrast_of(fit, name))
    ours = fry(standardised(effects), own)
    np.testing.assert_array_equal(own.table["tested"], expected["NGenes"])
    np.testing.assert_array_equal(ours["direction"], expected["Direction"].str.lower())
    np.testing.assert_allclose(ours["fry_pvalue"], expected["PValue"], rtol=1e-6)
    np.testing.assert_allclose(
        ours["fry_mixed_pvalue"], expected["PValue.Mixed"], rtol=1e-6, atol=1e-12
    )
    ours = camera(normal_scores(effects), own)
    np.testing.assert_allclose(
        ours["camera_correlation"], expected["Correlation"], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(ours["camera_pvalue"], expected["camera_p"], rtol=1e-6)


def test_fry_and_camera_agree_with_edgepython(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    import edgepython

    fit = fits["voom"]
    own = restrict(sets, fit.genes, fit.genes, **LIMITS)
    index = {name: own.positions(i) for i, name in enumerate(own.table["gene_set"])}
    design = fit.design.matrix.to_numpy()
    effects = linear.genewise_effects(fit, contrast_of(fit, "RT"))
    # the layout of samples is that of the golden tables, and the contrast the last column
    given = {"E": np.ascontiguousarray(fit.E.T), "weights": np.ascontiguousarray(fit.weights.T)}
    reference = edgepython.fry(given, index, design, sort="none")
    ours = fry(standardised(effects), own)
    np.testing.assert_allclose(ours["fry_pvalue"], reference["PValue"], rtol=1e-6)
    np.testing.assert_allclose(
        ours["fry_mixed_pvalue"], reference["PValue.Mixed"], rtol=1e-6, atol=1e-12
    )
    reference = edgepython.camera(given, index, design, inter_gene_cor=None, sort=False)
    ours = camera(normal_scores(effects), own)
    np.testing.assert_allclose(ours["camera_pvalue"], reference["PValue"], rtol=1e-6)


def test_without_strongest_is_fry_of_the_set_less_one(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    fit = fits["voom"]
    effects = standardised(linear.genewise_effects(fit, contrast_of(fit, "RT")))
    own = restrict(sets, fit.genes, fit.genes, **LIMITS)
    table = fry(effects, own)
    row = int(np.flatnonzero(own.table["gene_set"] == "moved_rt")[0])
    positions = own.positions(row)
    sign = 1 if table["direction"][row] == "up" else -1
    strongest = positions[np.argmax(sign * effects[positions, 0])]
    rest = tuple(fit.genes[[p for p in positions if p != strongest]])
    less = restrict([GeneSet("c", "less", "", rest)], fit.genes, fit.genes, **LIMITS)
    assert table["fry_pvalue_without_strongest"][row] == pytest.approx(
        fry(effects, less)["fry_pvalue"][0], rel=1e-9
    )
    single = int(np.flatnonzero(own.table["gene_set"] == "single")[0])
    assert np.isnan(table["fry_pvalue_without_strongest"][single])


def test_a_groups_own_test_is_that_of_a_cohort_of_its_donors(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    fit = fits["voom"]
    own = restrict(sets, fit.genes, fit.genes, **LIMITS)
    rows = fit.samples.str.startswith("B")
    design = Design(fit.design.dense.loc[rows, ["after[RT]"]], fit.design.blocks[rows])
    assert design.n_columns == 6
    values = pd.DataFrame(fit.E[rows], fit.samples[rows], fit.genes)
    alone = linear.fit_weighted(values, design, fit.weights[rows])
    effects = linear.genewise_effects(alone, np.eye(6)[-1])
    expected = fry(standardised(effects), own)["fry_pvalue"]
    found = own_fry(fit, contrast_of(fit, "RT"), own)["fry_own_pvalue"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # nothing to say of a difference, nor where a covariate is shared, nor of the only group
    assert own_fry(fit, contrast_of(fit, "difference"), own)["fry_own_pvalue"].isna().all()
    assert own_group_fit(alone, np.eye(6)[-1]) is None
    hours = np.random.default_rng(1).normal(size=len(fit.samples))
    shared = Design(fit.design.dense.assign(hours=hours), fit.design.blocks)
    adjusted = linear.fit_weighted(pd.DataFrame(fit.E, fit.samples, fit.genes), shared)
    assert own_group_fit(adjusted, np.append(contrast_of(fit, "RT"), 0)) is None


def test_normal_scores_follow_the_exact_quantiles() -> None:
    t = np.array([-6.0, -2.0, -0.1, 0.0, 0.3, 1.5, 4.0])
    exact = stats.norm.isf(stats.t.sf(t, 12.0))
    np.testing.assert_allclose(normal_from_t(t, 12.0), exact, atol=1e-4)
    np.testing.assert_allclose(normal_from_t(t, np.inf), t, atol=1e-6)


def _tests(fit: linear.LinearFit, sets: list[GeneSet], n_cpus: int = 1) -> SetTests:
    contrasts = {name: contrast_of(fit, name) for name in ("RT", "difference")}
    results = {}
    for name, vector in contrasts.items():
        table = linear.moderated_t(fit, vector).rename(columns={"t": "stat"})
        called = np.where(table["pvalue"] < 0.01, "up", "none")
        results[name] = table.assign(call=called, padj=table["pvalue"], weight=1.0)
    models = {name: linear.ContrastFit(fit, vector, None) for name, vector in contrasts.items()}
    settings = SetSettings(0.05, 5, 100, 50, 1, n_cpus)
    return test_sets(models, fit.genes, results, sets, settings)


def test_tables_have_the_columns_and_the_calls_follow_them(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    fit = fits["voom"]
    answer = _tests(fit, sets)
    assert set(answer.tables) == {"RT", "difference"}
    assert list(answer.left_out["gene_set"]) == ["pair", "single"]
    assert answer.left_out["reason"].str.contains("fewer than min_size (5)", regex=False).all()
    for name, table in answer.tables.items():
        assert list(table.columns) == COLUMNS
        assert table["gene_set"].is_monotonic_increasing
        assert table["fry_own_pvalue"].notna().all() == (name == "RT")
        assert (table["mixed_pvalue_without_strongest"] > 0).all()
        own = restrict(sets, fit.genes, fit.genes, min_size=5, max_size=100)
        effects = linear.genewise_effects(fit, contrast_of(fit, name))
        scores = normal_scores(effects)
        parts = fry(standardised(effects), own), camera(scores, own), set_against_rest(scores, own)
        for part in parts:
            for column in part.columns.intersection(COLUMNS):
                np.testing.assert_array_equal(table[column], part[column], err_msg=column)
        directional = table["fry_padj"] < 0.05
        directional &= table["fry_pvalue_without_strongest"] < 0.05
        mixed = ~directional & (table["mixed_padj"] < 0.05)
        mixed &= table["mixed_pvalue_without_strongest"] < 0.05
        assert (table.loc[directional, "call"] == table.loc[directional, "direction"]).all()
        assert (table.loc[mixed, "call"] == "mixed").all()
        assert (table.loc[~directional & ~mixed, "call"] == "none").all()
        assert ((table["enriched"] != "none") == (table["competitive_padj"] < 0.05)).all()
    moved = answer.tables["RT"].set_index("gene_set").loc["moved_rt"]
    assert moved["call"] == "up"
    assert moved["enriched"] == "up"
    assert moved["mean_log2FoldChange"] > 0.5


def test_the_same_answer_for_any_number_of_cores(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    one, many = (_tests(fits["voom"], sets, n_cpus) for n_cpus in (1, 4))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, many.tables[name], check_exact=True)


def test_order_of_sets_and_genes_within_them_does_not_matter(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    turned = [GeneSet(s.collection, s.name, "", s.genes[::-1]) for s in reversed(sets)]
    one, two = _tests(fits["voom"], sets), _tests(fits["voom"], turned)
    pd.testing.assert_frame_equal(one.tables["RT"], two.tables["RT"], check_exact=True)


def test_hostile_sets(fits: dict[str, linear.LinearFit], sets: list[GeneSet]) -> None:
    fit = fits["voom"]
    genes = tuple(fit.genes)
    hostile = [
        GeneSet("odd", "larger", "", genes[:101]),
        GeneSet("odd", "largest", "", genes[:100]),
        GeneSet("odd", "smaller", "", genes[:4]),
        GeneSet("odd", "smallest", "", genes[:5]),
        GeneSet("odd", "disjoint", "", tuple(f"other{i}" for i in range(20))),
        GeneSet("odd", "empty", "", ()),
        GeneSet("odd", "repeated", "", genes[20:26] * 3),
        GeneSet("odd", "once", "", genes[20:26]),
        GeneSet("odd", "same name", "", genes[30:40]),
        GeneSet("odd", "same name", "", genes[50:60]),
        GeneSet("other", "same name", "", genes[30:40]),
    ]
    answer = _tests(fit, hostile)
    reasons = answer.left_out.set_index("gene_set")["reason"]
    assert "more than max_size (100)" in reasons["larger"]
    assert "4 tested genes" in reasons["smaller"]
    assert "0 tested genes" in reasons["disjoint"]
    assert "0 tested genes" in reasons["empty"]
    assert "same name" in reasons["same name"]
    table = answer.tables["RT"]
    assert list(zip(table["collection"], table["gene_set"], strict=True)) == [
        ("odd", "largest"),
        ("odd", "once"),
        ("odd", "repeated"),
        ("odd", "same name"),
        ("odd", "smallest"),
        ("other", "same name"),
    ]
    once, repeated = (table[table["gene_set"] == name].iloc[0] for name in ("once", "repeated"))
    assert repeated["tested"] == 6
    for column in ("fry_pvalue", "camera_pvalue", "competitive_pvalue", "ora_pvalue"):
        assert once[column] == repeated[column]


def test_a_set_left_out_of_one_model_alone_says_which() -> None:
    columns = ["collection", "gene_set", "gene", "reason"]
    paired = pd.DataFrame(
        [("c", "both", "", "3 tested genes"), ("c", "here", "", "4")], None, columns
    )
    baseline = pd.DataFrame(
        [("c", "both", "", "2 tested genes"), ("d", "there", "", "1")], None, columns
    )
    joined = left_out_of({"paired": paired, "baseline": baseline})
    assert joined.to_numpy().tolist() == [
        ["c", "both", "", "3 tested genes"],
        ["c", "here", "", "4 (in the model of changes)"],
        ["d", "there", "", "1 (in the baseline model)"],
    ]
    nothing = left_out_of({"paired": paired[:0], "baseline": baseline[:0]})
    assert list(nothing.columns) == columns
    assert nothing.empty


def test_no_set_at_all_gives_empty_tables(fits: dict[str, linear.LinearFit]) -> None:
    answer = _tests(fits["voom"], [])
    assert list(answer.tables["RT"].columns) == COLUMNS
    assert answer.tables["RT"].empty
    assert answer.left_out.empty


def test_a_set_of_all_genes_has_nothing_to_be_compared_with(
    fits: dict[str, linear.LinearFit],
) -> None:
    fit = fits["voom"]
    everything = [GeneSet("c", "all", "", tuple(fit.genes))]
    own = restrict(everything, fit.genes, fit.genes, **LIMITS)
    scores = normal_scores(linear.genewise_effects(fit, contrast_of(fit, "RT")))
    assert set_against_rest(scores, own)["competitive_pvalue"][0] == 1
    assert camera(scores, own)["camera_pvalue"][0] == 1


def t_test(effects: linear.Effects, gene: int) -> float:
    """Return the p value of the ordinary t test of one gene."""
    error = np.sqrt(np.mean(effects.residual[gene] ** 2))
    return float(2 * stats.t.sf(abs(effects.contrast[gene]) / error, effects.residual.shape[1]))


@pytest.mark.parametrize("genes", [2, 3])
def test_a_matrix_of_hardly_any_genes_gives_numbers(
    fits: dict[str, linear.LinearFit], counts: pd.DataFrame, genes: int
) -> None:
    few = counts.iloc[:, :genes]
    fit = linear.voom_fit(few, fits["voom"].design, norm_factors=np.ones(len(few)))
    one = [GeneSet("c", "one", "", tuple(few.columns[:1]))]
    own = restrict(one, fit.genes, fit.genes, **LIMITS)
    effects = linear.genewise_effects(fit, contrast_of(fit, "RT"))
    scores = normal_scores(effects)
    # fry of a set of one gene is that gene's t test
    assert fry(standardised(effects), own)["fry_pvalue"][0] == pytest.approx(t_test(effects, 0))
    assert np.isfinite(camera(scores, own)["camera_pvalue"][0])
    assert np.isfinite(set_against_rest(scores, own)["competitive_pvalue"][0])


@pytest.mark.parametrize("value", [0, 25])
def test_genes_of_identical_values_give_numbers(
    fits: dict[str, linear.LinearFit], counts: pd.DataFrame, value: int
) -> None:
    twins = [GeneSet("c", "twins", "", tuple(counts.columns[:20]))]
    same = counts.copy()
    same.iloc[:, :20] = value
    flat = pd.DataFrame(value + 1, index=counts.index, columns=counts.columns)
    tested = {}
    for name, data in {"same": same, "flat": flat}.items():
        fit = linear.voom_fit(data, fits["voom"].design, norm_factors=np.ones(len(data)))
        own = restrict(twins, fit.genes, fit.genes, **LIMITS)
        effects = linear.genewise_effects(fit, contrast_of(fit, "difference"))
        scores = normal_scores(effects)
        parts = fry(standardised(effects), own), camera(scores, own), set_against_rest(scores, own)
        tested[name] = pd.concat(parts, axis=1).iloc[0]
        assert tested[name].filter(like="_pvalue").notna().all()
        if name == "same":
            # twenty genes that are one gene: fry is its t test
            assert tested[name]["fry_pvalue"] == pytest.approx(t_test(effects, 0))
            assert tested[name]["camera_correlation"] == pytest.approx(1)
    # the set and the others are the same
    assert tested["flat"]["competitive_pvalue"] == pytest.approx(1, abs=1e-3)
