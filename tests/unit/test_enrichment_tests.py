"""Set tests against R's limma (tests/golden/limma), edgepython, scipy and GSEApy; hostile sets."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fibroserum import linear
from fibroserum.enrichment.camera import (
    camera,
    normal_from_t,
    normal_scores,
    set_against_rest,
)
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.group_wise import own_fry, own_group_fit
from fibroserum.enrichment.membership import restrict
from fibroserum.enrichment.overrepresentation import overrepresentation
from fibroserum.enrichment.prerank import _scores, null_scores, prerank
from fibroserum.enrichment.set_tests import (
    COLUMNS,
    SetSettings,
    SetTests,
    main_model_tests,
    test_sets,
)
from fibroserum.enrichment.stage import left_out_of
from fibroserum.genes.gmt import GeneSet
from fibroserum.multiple_testing import adjust
from fibroserum.report.figures.edges import running_sum

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "limma"
CONTRASTS = {"AT": (1, 0), "RT": (0, 1), "difference": (-1, 1), "average": (0.5, 0.5)}
LIMITS = {"min_size": 1, "max_size": 500}


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / name, sep="\t", index_col=0)


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return _read("counts.tsv").T


@pytest.fixture(scope="module")
def fits(counts: pd.DataFrame) -> dict[str, linear.LinearFit]:
    sheet = pd.read_csv(GOLDEN / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    columns = {f"donor[{d}]": sheet["donor"] == d for d in dict.fromkeys(sheet["donor"])}
    for group in ("AT", "RT"):
        columns[f"after[{group}]"] = (sheet["group"] == group) & (sheet["time"] == "post")
    design = pd.DataFrame(columns, index=sheet.index).astype(float)
    voom = linear.voom_fit(counts, design)
    plain = pd.DataFrame(voom.E, index=voom.samples, columns=voom.genes)
    return {"voom": voom, "plain": linear.fit_weighted(plain, design)}


@pytest.fixture(scope="module")
def sets() -> list[GeneSet]:
    lines = (GOLDEN / "sets.gmt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [GeneSet("golden", name, about, tuple(genes)) for name, about, *genes in rows]


def _contrast(fit: linear.LinearFit, name: str) -> np.ndarray:
    vector = np.zeros(fit.design.shape[1])
    vector[-2:] = CONTRASTS[name]
    return vector


@pytest.mark.parametrize("kind", ["voom", "plain"])
@pytest.mark.parametrize("name", list(CONTRASTS))
def test_fry_and_camera_agree_with_limma(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet], kind: str, name: str
) -> None:
    fit = fits[kind]
    own = restrict(sets, fit.genes, fit.genes, **LIMITS)
    expected = _read(f"sets_{kind}_{name}.tsv").loc[own.table["gene_set"]]
    effects = linear.genewise_effects(fit, _contrast(fit, name))
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
    design = fit.design.to_numpy()
    effects = linear.genewise_effects(fit, _contrast(fit, "RT"))
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
    effects = standardised(linear.genewise_effects(fit, _contrast(fit, "RT")))
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
    design = fit.design.loc[rows].loc[:, lambda d: d.any()]
    values = pd.DataFrame(fit.E[rows], fit.samples[rows], fit.genes)
    alone = linear.fit_weighted(values, design, fit.weights[rows])
    effects = linear.genewise_effects(alone, np.eye(6)[-1])
    expected = fry(standardised(effects), own)["fry_pvalue"]
    found = own_fry(fit, _contrast(fit, "RT"), own)["fry_own_pvalue"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # nothing to say of a difference, nor where a covariate is shared, nor of the only group
    assert own_fry(fit, _contrast(fit, "difference"), own)["fry_own_pvalue"].isna().all()
    assert own_group_fit(alone, np.eye(6)[-1]) is None
    shared = fit.design.assign(hours=np.random.default_rng(1).normal(size=len(fit.design)))
    adjusted = linear.fit_weighted(pd.DataFrame(fit.E, fit.samples, fit.genes), shared)
    assert own_group_fit(adjusted, np.append(_contrast(fit, "RT"), 0)) is None


def test_normal_scores_follow_the_exact_quantiles() -> None:
    t = np.array([-6.0, -2.0, -0.1, 0.0, 0.3, 1.5, 4.0])
    exact = stats.norm.isf(stats.t.sf(t, 12.0))
    np.testing.assert_allclose(normal_from_t(t, 12.0), exact, atol=1e-4)
    np.testing.assert_allclose(normal_from_t(t, np.inf), t, atol=1e-6)


def test_overrepresentation_is_the_hypergeometric_tail() -> None:
    rng = np.random.default_rng(1)
    genes = pd.Index([f"g{i}" for i in range(100)])
    chosen = [tuple(rng.choice(genes, int(rng.integers(1, 50)), replace=False)) for _ in range(40)]
    own = restrict(
        [GeneSet("c", f"{i:02d}", "", members) for i, members in enumerate(chosen)],
        genes,
        genes,
        **LIMITS,
    )
    called, testable = rng.random(100) < 0.2, rng.random(100) < 0.9
    ours = overrepresentation(called, testable, own)
    for row in range(40):
        inside = np.isin(np.arange(100), own.positions(row)) & testable
        table = [
            [np.sum(inside & called), np.sum(inside & ~called)],
            [np.sum(~inside & called & testable), np.sum(~inside & ~called & testable)],
        ]
        expected = stats.fisher_exact(table, alternative="greater").pvalue
        assert ours[row] == pytest.approx(expected, rel=1e-9)


def test_prerank_is_gseapys_but_for_the_draws(sets: list[GeneSet]) -> None:
    import gseapy

    rng = np.random.default_rng(2)
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(rng.normal(size=240), index=genes)
    own = restrict(sets, genes, genes, **LIMITS)
    permutations = 20_000
    ours = prerank(statistic, own, permutations=permutations, seed=11)
    reference = gseapy.prerank(
        statistic.sort_values(ascending=False),
        {s.name: list(s.genes) for s in sets},
        outdir=None,
        no_plot=True,
        min_size=1,
        max_size=500,
        permutation_num=permutations,
        seed=11,
        threads=1,
    ).res2d.set_index("Term")
    reference = reference.loc[own.table["gene_set"]]
    assert list(ours["leading_edge"]) == list(reference["Lead_genes"])
    # a mean and a share of the draws of one sign, some half of them, in both: five standard errors
    np.testing.assert_allclose(ours["NES"], reference["NES"].astype(float), rtol=0.02)
    theirs = reference["NOM p-val"].astype(float).to_numpy()
    error = np.sqrt(2 * theirs * (1 - theirs) / (0.4 * permutations))
    assert (np.abs(ours["prerank_pvalue"] - theirs) <= 5 * error + 5 / permutations).all()
    assert (ours["prerank_pvalue"] > 0).all()


@given(
    statistic=st.lists(st.sampled_from([-3.0, -1.0, -0.1, 0.1, 0.5, 2.0]), min_size=3, max_size=30),
    data=st.data(),
)
def test_scores_of_drawn_sets_are_gseapys(statistic: list[float], data: st.DataObject) -> None:
    from gseapy.gse import prerank_rs

    values = sorted(statistic, reverse=True)
    genes = len(values)
    size = data.draw(st.integers(1, genes - 1))
    hits = sorted(data.draw(st.permutations(range(genes)))[:size])
    labels = [str(i) for i in range(genes)]
    reference = prerank_rs(labels, values, {"s": [labels[i] for i in hits]}, 1.0, 1, genes, 0, 1, 0)
    ours = _scores(np.abs(values), np.array([hits]))[0]
    # where the sum goes as far up as down either is the score
    assert abs(ours) == pytest.approx(abs(reference.summaries[0].es), abs=1e-12)
    running = np.asarray(reference.summaries[0].run_es)
    if abs(running.max() + running.min()) > 1e-9:
        assert ours == pytest.approx(reference.summaries[0].es, abs=1e-12)


def test_drawn_sets_have_the_distribution_of_all_sets() -> None:
    """All sets of 2 and of 3 of seven genes, against what is drawn."""
    weights = np.array([3.0, 2.0, 0.5, 0.2, 0.1, 1.5, 4.0])
    drawn = null_scores(weights, [2, 3], 40_000, seed=1)
    for size, scores in drawn.items():
        every = _scores(weights, np.array(list(itertools.combinations(range(7), size))))
        values, counts = np.unique(np.round(every, 9), return_counts=True)
        seen = np.array([np.isclose(scores, value).mean() for value in values])
        assert seen.sum() == pytest.approx(1)
        np.testing.assert_allclose(seen, counts / counts.sum(), atol=0.01)
    assert null_scores(weights, [], 10, seed=1) == {}


def test_prerank_of_a_set_does_not_depend_on_the_others(sets: list[GeneSet]) -> None:
    rng = np.random.default_rng(5)
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(rng.normal(size=240), index=genes)
    whole = restrict(sets, genes, genes, **LIMITS)
    together = prerank(statistic, whole, permutations=100, seed=3)
    for row, name in enumerate(whole.table["gene_set"]):
        own = restrict([one for one in sets if one.name == name], genes, genes, **LIMITS)
        alone = prerank(statistic, own, permutations=100, seed=3)
        pd.testing.assert_series_equal(alone.iloc[0], together.iloc[row], check_names=False)


def test_the_picture_of_a_running_sum_has_the_tables_leading_edge(sets: list[GeneSet]) -> None:
    """With ties, genes that are not ranked, and genes of sets that were not tested."""
    rng = np.random.default_rng(6)
    genes = _read("counts.tsv").index
    stat = pd.Series(np.round(rng.normal(size=len(genes)), 1), index=genes)
    stat[rng.choice(genes, 20, replace=False)] = np.nan
    tested = genes[rng.random(len(genes)) < 0.8]
    own = restrict(sets, tested, genes, **LIMITS)
    table = prerank(stat.reindex(tested), own, permutations=10, seed=1)
    members = {one.name: set(one.genes) for one in sets}
    compared = []
    for name, edge in zip(own.table["gene_set"], table["leading_edge"], strict=True):
        curve = running_sum(stat.reindex(tested), members[name])
        compared.append(len(edge))
        assert set(curve.loc[curve["edge"] == 1, "gene"]) == set(filter(None, edge.split(";")))
    assert sum(size > 0 for size in compared) > 5


def test_prerank_leaves_genes_without_a_statistic_out(sets: list[GeneSet]) -> None:
    genes = pd.Index([f"G{i:03d}" for i in range(240)])
    statistic = pd.Series(np.linspace(3, -3, 240), index=genes)
    statistic.iloc[7] = np.nan  # the only gene of the set `single`
    own = restrict(sets, genes, genes, **LIMITS)
    ours = prerank(statistic, own, permutations=50, seed=1)
    empty = own.table["gene_set"] == "single"
    assert ours.loc[empty, ["NES", "prerank_pvalue"]].isna().all(axis=None)
    assert ours.loc[~empty, ["NES", "prerank_pvalue"]].notna().all(axis=None)


def test_adjustment_is_within_collections() -> None:
    p = pd.Series([0.01, 0.02, 0.04, np.nan, 0.03])
    collection = pd.Series(["a", "a", "b", "b", "a"])
    np.testing.assert_allclose(adjust(p, collection), [0.03, 0.03, 0.04, np.nan, 0.03])


def _tests(fit: linear.LinearFit, sets: list[GeneSet], n_cpus: int = 1) -> SetTests:
    contrasts = {name: _contrast(fit, name) for name in ("RT", "difference")}
    results = {}
    for name, vector in contrasts.items():
        table = linear.moderated_t(fit, vector).rename(columns={"t": "stat"})
        called = np.where(table["pvalue"] < 0.01, "up", "none")
        results[name] = table.assign(call=called, padj=table["pvalue"])
    return test_sets(fit, contrasts, results, sets, SetSettings(0.05, 5, 100, 50, 1, n_cpus))


def test_tables_have_the_columns_and_the_calls_follow_them(
    fits: dict[str, linear.LinearFit], sets: list[GeneSet]
) -> None:
    answer = _tests(fits["voom"], sets)
    assert set(answer.tables) == {"RT", "difference"}
    assert list(answer.left_out["gene_set"]) == ["pair", "single"]
    assert answer.left_out["reason"].str.contains("fewer than min_size 5").all()
    for name, table in answer.tables.items():
        assert list(table.columns) == COLUMNS
        assert table["gene_set"].is_monotonic_increasing
        p = table.filter(like="_pvalue")
        assert table["fry_own_pvalue"].notna().all() == (name == "RT")
        p = p.drop(columns="fry_own_pvalue")
        assert (table["mixed_pvalue_without_strongest"] > 0).all()
        assert ((p >= 0) & (p <= 1)).all(axis=None)
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
    assert "more than max_size 100" in reasons["larger"]
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
        ["c", "here", "", "4 (in the paired model)"],
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
    scores = normal_scores(linear.genewise_effects(fit, _contrast(fit, "RT")))
    assert set_against_rest(scores, own)["competitive_pvalue"][0] == 1
    assert camera(scores, own)["camera_pvalue"][0] == 1


@pytest.mark.parametrize("genes", [2, 3])
def test_a_matrix_of_hardly_any_genes_gives_numbers(
    fits: dict[str, linear.LinearFit], counts: pd.DataFrame, genes: int
) -> None:
    few = counts.iloc[:, :genes]
    fit = linear.voom_fit(few, fits["voom"].design, norm_factors=np.ones(len(few)))
    one = [GeneSet("c", "one", "", tuple(few.columns[:1]))]
    own = restrict(one, fit.genes, fit.genes, **LIMITS)
    effects = linear.genewise_effects(fit, _contrast(fit, "RT"))
    scores = normal_scores(effects)
    tables = [fry(standardised(effects), own), camera(scores, own), set_against_rest(scores, own)]
    p = pd.concat(tables, axis=1)[["fry_pvalue", "camera_pvalue", "competitive_pvalue"]]
    assert ((p >= 0) & (p <= 1)).all(axis=None)


@pytest.mark.parametrize("value", [0, 25])
def test_genes_of_identical_values_give_numbers(
    fits: dict[str, linear.LinearFit], counts: pd.DataFrame, value: int
) -> None:
    same = counts.copy()
    same.iloc[:, :20] = value
    flat = pd.DataFrame(value, index=counts.index, columns=counts.columns)
    twins = [GeneSet("c", "twins", "", tuple(counts.columns[:20]))]
    for data in (same, flat + 1):
        fit = linear.voom_fit(data, fits["voom"].design, norm_factors=np.ones(len(data)))
        own = restrict(twins, fit.genes, fit.genes, **LIMITS)
        effects = linear.genewise_effects(fit, _contrast(fit, "difference"))
        scores = normal_scores(effects)
        tables = [
            fry(standardised(effects), own),
            camera(scores, own),
            set_against_rest(scores, own),
        ]
        p = pd.concat(tables, axis=1).filter(like="pvalue")
        assert ((p >= 0) & (p <= 1)).all(axis=None)


def test_the_background_of_overrepresentation_is_the_genes_that_could_be_called() -> None:
    rng = np.random.default_rng(6)
    genes = pd.Index([f"g{i}" for i in range(200)])
    own = restrict([GeneSet("c", "s", "", tuple(genes[:30]))], genes, genes, **LIMITS)
    tested = pd.Series(rng.random(200) < 0.6, index=genes)
    called = tested & (rng.random(200) < 0.2)
    calls = called.map({True: "up", False: "none"})
    # genes filtered or withheld have a fold change (and a statistic), but cannot be called
    change = pd.Series(1.0, index=genes)
    # the matrix has genes in another order, and one that the fit has not
    order = [*genes[::-1], "elsewhere"]
    result = pd.DataFrame(
        {
            "log2FoldChange": change.reindex(order),
            "call": calls.reindex(order, fill_value="none"),
            "padj": tested.map({True: 1.0, False: np.nan}).reindex(order, fill_value=1.0),
        }
    )
    ours = main_model_tests(own, genes, result)
    members = tested & genes.isin(genes[:30])
    overlap = int((members & called).sum())
    expected = stats.hypergeom(int(tested.sum()), int(called.sum()), int(members.sum()))
    assert 0 < overlap < called.sum()
    assert ours["ora_pvalue"][0] == pytest.approx(expected.pmf(range(overlap, 31)).sum(), rel=1e-9)


def test_rest_test_is_exact_for_rotations_of_pure_noise() -> None:
    """Noise of any correlation, nothing changes: p values are uniform."""
    rng = np.random.default_rng(5)
    genes, df, draws = 300, 7, 400
    index = pd.Index([f"g{i}" for i in range(genes)])
    own = restrict([GeneSet("c", "s", "", tuple(index[:30]))], index, index, **LIMITS)
    p = np.empty(draws)
    for i in range(draws):
        noise = rng.normal(size=(genes, df + 1))
        noise[:30] = np.sqrt(0.7) * noise[:30] + np.sqrt(0.3) * rng.normal(size=df + 1)
        effects = linear.Effects(noise[:, 0], noise[:, 1:])
        p[i] = set_against_rest(normal_scores(effects), own)["competitive_pvalue"][0]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.025 < np.mean(p < 0.05) < 0.08


@pytest.mark.parametrize("df", [2, 3])
def test_rest_test_keeps_its_tail_at_three_and_four_donors(df: int) -> None:
    """Pure noise, 20 sets: an FDR call in at most 5 % of cohorts, and p < 0.001 as rare as that."""
    rng = np.random.default_rng(21)
    genes, cohorts, number = 1000, 300, 20
    index = pd.Index([f"g{i}" for i in range(genes)])
    sets = [
        GeneSet("c", f"{i:02d}", "", tuple(members))
        for i, members in enumerate(np.split(index[: number * 20], number))
    ]
    own = restrict(sets, index, index, **LIMITS)
    called, p = 0, np.empty((cohorts, number))
    for i in range(cohorts):
        deviations = np.exp(rng.normal(0, 0.6, genes))[:, None]
        noise = deviations * rng.normal(size=(genes, df + 1))
        effects = linear.Effects(noise[:, 0], noise[:, 1:])
        table = set_against_rest(normal_scores(effects), own)
        p[i] = table["competitive_pvalue"]
        called += (adjust(table["competitive_pvalue"], own.table["collection"]) < 0.05).any()
    assert called <= 0.05 * cohorts
    assert np.mean(p < 0.001) < 0.002
    assert 0.02 < np.mean(p < 0.05) < 0.06


@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=20), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_families_have_one_representative_that_all_resemble(drawn: list[set[int]]) -> None:
    genes = pd.Index([f"g{i}" for i in range(31)])
    sets = [
        GeneSet("c", f"s{i:02d}", "", tuple(f"g{j}" for j in members))
        for i, members in enumerate(drawn)
    ]
    own = restrict(sets, genes, genes, **LIMITS)
    contents = {s.name: set(s.genes) for s in sets}
    family = own.table.set_index("gene_set")["family"]
    representatives = set(family)
    for name, head in family.items():
        assert family[head] == head
        shared, union = contents[name] & contents[head], contents[name] | contents[head]
        assert len(shared) / len(union) >= 0.6
        assert len(contents[head]) >= len(contents[name])
    for one in representatives:
        for other in representatives - {one}:
            assert len(contents[one] & contents[other]) / len(contents[one] | contents[other]) < 0.6


def test_a_set_that_responds_more_in_both_directions_is_not_enriched() -> None:
    rng = np.random.default_rng(8)
    genes, df = 800, 12
    index = pd.Index([f"g{i}" for i in range(genes)])
    own = restrict([GeneSet("c", "s", "", tuple(index[:40]))], index, index, **LIMITS)
    p = np.empty(120)
    for i in range(120):
        contrast = rng.normal(size=genes)
        contrast[:40] += rng.normal(0, 3, 40)
        effects = linear.Effects(contrast, rng.normal(size=(genes, df)))
        p[i] = set_against_rest(normal_scores(effects), own)["competitive_pvalue"][0]
    assert np.mean(p < 0.05) < 0.1


def test_families_stay_within_a_collection() -> None:
    genes = pd.Index([f"g{i}" for i in range(10)])
    members = tuple(genes[:6])
    sets = [GeneSet("a", "x", "", members), GeneSet("b", "y", "", members)]
    own = restrict(sets, genes, genes, **LIMITS)
    assert list(own.table["family"]) == ["x", "y"]
