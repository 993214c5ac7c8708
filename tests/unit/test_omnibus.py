"""Omnibus questions: against limma, DESeq2 and statsmodels, and on cohorts with known truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multivariate import test_mvmean as hotelling
from statsmodels.stats.oneway import anova_oneway

from fibroserum import deseq, tables
from fibroserum.cohort.accessors import all_contrasts, settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.donor_values import donor_vectors
from fibroserum.cohort.models import Model, paired_model
from fibroserum.cohort.questions import Question, questions_of, spanned
from fibroserum.de.fitting import fit_cohort
from fibroserum.de.omnibus import joint_test, omnibus_table, reduced_design
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.de.stagewise import with_stages
from fibroserum.linear import Expression, contrast_fits, contrasts_f, group_variances, vectors_f
from fibroserum.multiple_testing import benjamini_hochberg, holm_after_screening, stagewise_adjusted

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "omnibus"
sys.path.insert(0, str(ROOT / "benchmarks"))

from design_cohorts import ALIKE, UNLIKE, Cell, cohort_of  # noqa: E402


def golden(name: str) -> pd.DataFrame:
    """Return a table beside the reference script."""
    return pd.read_csv(GOLDEN / f"{name}.tsv", sep="\t", index_col=0)


def model_and_values(*, pairwise: bool = False) -> tuple[Model, Expression]:
    """Return the model of changes of the golden cohort, and its log2 counts per million."""
    sheet, counts = golden("sheet"), golden("counts").T
    contrasts = contrasts_of(["AT", "RT", "control"], "pre", ["week8", "week16"], pairwise=pairwise)
    model = paired_model(
        sheet, ["AT", "RT", "control"], ["week8", "week16"], contrasts, crossover=False
    )
    size = counts.sum(axis=1) * golden("factors")["tmm"]
    values = np.log2((counts + 0.5).div(size + 1, axis=0) * 1e6)
    return model, Expression(values.index, values.columns, values.to_numpy(), None)


def question(name: str, time: str | None = None) -> Question:
    """Return a question of the golden cohort."""
    contrasts = contrasts_of(["AT", "RT", "control"], "pre", ["week8", "week16"])
    return next(q for q in questions_of(contrasts) if (q.name, q.time) == (name, time))


def test_f_of_equal_variances_is_limmas() -> None:
    model, values = model_and_values()
    fits = contrast_fits(values, model)
    names = [f"{group}_week8_vs_pre" for group in ("AT", "RT", "control")]
    vectors = [fits[name].vector - fits[names[0]].vector for name in names[1:]]
    own = fits[names[0]]
    found = contrasts_f(own, vectors, group_variances(own.fit, None))
    expected = golden("limma_groups")
    for column, theirs in (("F", "F"), ("df2", "df2"), ("pvalue", "p")):
        np.testing.assert_allclose(found[column], expected[theirs], rtol=1e-6)


def test_f_of_unequal_variances_is_welchs() -> None:
    model, values = model_and_values()
    own = contrast_fits(values, model)["AT_week8_vs_pre"]
    wanted = question("groups", "week8")
    spread = group_variances(own.fit, own.groups, moderated=False)
    fits = contrast_fits(values, model)
    first, *rest = [fits[name].vector for name in wanted.changes.values()]
    found = contrasts_f(own, [vector - first for vector in rest], spread)
    groups = own.groups.to_numpy()
    for gene in (0, 17, 200):
        parts = [own.fit.E[groups == name, gene] for name in sorted(set(groups))]
        welch = anova_oneway(parts, use_var="unequal", welch_correction=True)
        row = found.iloc[gene]
        assert row["F"] == pytest.approx(welch.statistic, rel=1e-9)
        # never on more degrees of freedom than the variance of all donors
        assert row["df2"] == pytest.approx(min(welch.df_denom, spread.df_pooled), rel=1e-9)


def test_vectors_of_one_value_are_tested_by_students_t() -> None:
    model, values = model_and_values()
    arms = [("RT", "week8"), ("RT", "week16")]
    vectors = donor_vectors(model, arms, "pre")
    assert vectors is not None
    found = vectors_f(values, vectors, moderated=False)
    sheet = golden("sheet")
    rt = sheet[sheet["group"] == "RT"]
    wide = pd.DataFrame(values.log2, values.samples, values.genes).loc[rt.index]
    late, early = (wide[(rt["time"] == time).to_numpy()] for time in ("week16", "week8"))
    for gene in (0, 5, 100):
        theirs = ttest_rel(late.iloc[:, gene], early.iloc[:, gene])
        assert found["F"].iloc[gene] == pytest.approx(theirs.statistic**2, rel=1e-9)
        assert found["pvalue"].iloc[gene] == pytest.approx(theirs.pvalue, rel=1e-9)


def test_vectors_of_a_crossover_compare_groups_within_donors() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (f"D{number}", group, time)
        for number in range(9)
        for group in ("A", "B", "C")
        for time in ("pre", "post")
        if (number, group) != (8, "C")
    ]
    sheet = pd.DataFrame(rows, columns=["donor", "group", "time"])
    sheet.index = ["_".join(row) for row in rows]
    contrasts = contrasts_of(["A", "B", "C"], "pre", "post")
    model = paired_model(sheet, ["A", "B", "C"], "post", contrasts, crossover=True)
    values = Expression(sheet.index, pd.Index(["g", "h"]), rng.normal(size=(len(sheet), 2)), None)
    (asked,) = questions_of(contrasts)
    found = joint_test(values, model, asked, "pre")
    assert found is not None
    vectors = donor_vectors(model, list(asked.changes), "pre")
    assert vectors is not None
    assert len(vectors.groups) == 8, "the donor without C has no vector"
    plain = vectors_f(values, vectors, moderated=False)
    frame = pd.DataFrame(values.log2, values.samples, values.genes)["h"]
    changes = pd.DataFrame(
        {
            group: [frame[f"D{n}_{group}_post"] - frame[f"D{n}_{group}_pre"] for n in range(8)]
            for group in "ABC"
        }
    )
    theirs = hotelling(np.column_stack([changes["A"] - changes["C"], changes["B"] - changes["C"]]))
    assert plain["F"].iloc[1] == pytest.approx(theirs.statistic, rel=1e-9)
    assert plain["pvalue"].iloc[1] == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("crossover", [False, True], ids=["parallel", "crossover"])
@pytest.mark.parametrize("adjusted", [True, False])
def test_covariates_and_poor_donors_keep_the_level(*, adjusted: bool, crossover: bool) -> None:
    """A covariate that changes with time moves all genes; poor donors have a low weight."""
    rng = np.random.default_rng(8)
    rows = [
        (f"D{n}" if crossover else f"{group}{n}", group, time)
        for group in "ABC"
        for n in range(9)
        for time in ("pre", "w1", "w2")
    ]
    sheet = pd.DataFrame(rows, columns=["donor", "group", "time"])
    sheet.index = ["_".join(row) for row in rows]
    order = sheet["time"].map({"pre": 0, "w1": 1, "w2": 3}) * (1 + (sheet["group"] == "B"))
    sheet["rin"] = [f"{value:.3f}" for value in rng.normal(size=len(sheet)) + order]
    contrasts = contrasts_of(["A", "B", "C"], "pre", ["w1", "w2"])
    model = paired_model(
        sheet,
        ["A", "B", "C"],
        ["w1", "w2"],
        contrasts,
        crossover=crossover,
        covariates=["rin"] if adjusted else [],
    )
    weights = np.where(sheet["donor"].str.endswith("1"), 0.1, 1.0)
    log2 = rng.normal(size=(len(sheet), 1500)) / np.sqrt(weights)[:, None] + 6
    log2 += 0.8 * sheet["rin"].astype(float).to_numpy()[:, None]
    values = Expression(sheet.index, pd.RangeIndex(1500).astype(str), log2, None, weights)
    found = [joint_test(values, model, asked, "pre") for asked in questions_of(contrasts)]
    small = [(table["pvalue"] < 0.05).mean() for table in found if table is not None]
    assert len(small) == 3
    assert max(small) < 0.075 if adjusted else max(small) > 0.2


def test_groups_of_too_few_donors_have_no_vectors() -> None:
    model, _ = model_and_values()
    kept = model.design.blocks.isin(["AT0", "AT1", "AT2", "RT0"]).to_numpy()
    vectors = donor_vectors(
        model.of(kept), [(g, t) for g in ("AT", "RT") for t in ("week8", "week16")], "pre"
    )
    assert vectors is not None
    assert set(vectors.groups) == {"AT"}
    alone = model.design.blocks.isin(["AT0", "RT0"]).to_numpy()
    assert donor_vectors(model.of(alone), list(question("times").changes), "pre") is None


@pytest.mark.parametrize(("name", "time"), [("groups", "week8"), ("times", None)])
def test_likelihood_ratio_is_that_of_deseq2(name: str, time: str | None) -> None:
    model, _ = model_and_values()
    counts = golden("counts").T
    fit = deseq.fit(counts, model.design.matrix, golden("size_factors")["factor"])
    found = deseq.likelihood_ratio(fit, counts, reduced_design(model, question(name, time)))
    theirs = golden(f"deseq2_{name}")
    assert (found["df"] == (2 if name == "groups" else 3)).all()
    np.testing.assert_allclose(found["stat"], theirs["stat"], rtol=0.02, atol=0.02)
    ours, called = (benjamini_hochberg(p.to_numpy()) < 0.05 for p in (found["pvalue"], theirs["p"]))
    assert called.sum() > 10
    assert (ours & called).sum() / (ours | called).sum() >= 0.98


def test_a_design_that_is_not_nested_is_refused() -> None:
    model, _ = model_and_values()
    counts = golden("counts").T
    fit = deseq.fit(counts.iloc[:, :20], model.design.matrix, golden("size_factors")["factor"])
    other = model.design.matrix.iloc[:, :20].copy()
    other.iloc[0, 0] = 7.0
    with pytest.raises(ValueError, match="not nested"):
        deseq.likelihood_ratio(fit, counts.iloc[:, :20], other)


@pytest.mark.parametrize(
    ("groups", "after", "more", "expected"),
    [
        (["A", "B"], "post", {}, []),
        (["A", "B", "C"], "post", {"only_before": ["C"]}, []),
        (["A", "B", "C"], "post", {}, [("groups", "post", ["B_vs_A_change", "C_vs_A_change"])]),
        (
            ["all"],
            ["w1", "w2"],
            {"own": {"late": {"all@w2": 1, "all@w1": -1}, "mean": {"all@w1": 0.5, "all@w2": 0.5}}},
            [("times", None, ["late"])],
        ),
        (["A", "B"], ["w1", "w2"], {}, [("times", None, [])]),
    ],
)
def test_which_questions_are_asked(groups, after, more, expected) -> None:
    found = questions_of(contrasts_of(groups, "pre", after, **more))
    assert [(q.name, q.time, list(q.contrasts)) for q in found] == expected


def brute_force(pvalues: np.ndarray, screen: np.ndarray) -> np.ndarray:
    """Return the lowest of many levels at which each hypothesis is confirmed, by the definition."""
    levels = np.linspace(0.0005, 1, 2000)
    holm = np.array([holm_after_screening(row) for row in pvalues])
    screening = benjamini_hochberg(screen)
    found = np.ones(pvalues.shape)
    for level in levels[::-1]:
        passed = screening <= level
        share = passed.sum() / len(screen)
        found[passed[:, None] & (holm <= level * share)] = level
    return found


def test_contrasts_are_confirmed_after_their_question_by_its_own_p_value() -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(size=(40, 3)) ** rng.choice([1, 4], (40, 1))
    screen = np.minimum(p.min(axis=1) * rng.uniform(0.5, 3, 40), 1)
    np.testing.assert_allclose(stagewise_adjusted(p, screen), brute_force(p, screen), atol=6e-4)


def rates(spread: tuple[float, ...]) -> pd.DataFrame:
    """Return FDP and power of each question over some cohorts."""
    rows = []
    for seed in (1, 2):
        cohort, true = cohort_of(Cell(6, spread, genes=600), seed)
        fit = next(iter(fit_cohort(cohort, FitSettings())))
        table = omnibus_table(cohort, fit, 0.05)
        tables.check("omnibus", table)
        table["true"] = true[cohort.var_names.get_indexer(table["gene_id"])]
        for key, own in table.groupby([table["question"], table["time"].fillna("")]):
            called = own["call"] == "differs"
            rows.append(
                {
                    "question": " ".join(key),
                    "false": (called & ~own["true"]).sum() / max(called.sum(), 1),
                    "small": (own.loc[~own["true"], "F_pvalue"] < 0.05).mean(),
                    "power": called[own["true"]].mean(),
                }
            )
    return pd.DataFrame(rows).groupby("question").mean()


@pytest.mark.parametrize("spread", [ALIKE, UNLIKE], ids=["alike", "unlike"])
def test_planted_genes_are_found_and_others_are_not(spread: tuple[float, ...]) -> None:
    """Two cohorts of 600 genes, 60 of them planted: a standard error of FDP is some 0.03."""
    found = rates(spread)
    assert list(found.index) == ["groups week16", "groups week8", "times "]
    assert (found["false"] < 0.11).all()
    assert found["small"].between(0.015, 0.075).all()
    assert (found["power"] > [0.8, 0.25, 0.25]).all()


def test_stages_are_beside_the_contrasts_and_leave_their_calls() -> None:
    cohort, true = cohort_of(Cell(5, genes=400), 3)
    fit = next(iter(fit_cohort(cohort, FitSettings())))
    contrasts = [c for c in all_contrasts(settings_of(cohort)) if c.model == "paired"]
    results = {c.name: result_table(fit, c.name, cohort.var["symbol"], 0.05) for c in contrasts}
    staged = with_stages(results, contrasts, omnibus_table(cohort, fit, 0.05))
    within = [name for name, table in staged.items() if "stage_padj" in table]
    assert within == [c.name for c in contrasts if c.kind == "difference"]
    for name in within:
        pd.testing.assert_frame_equal(staged[name].drop(columns="stage_padj"), results[name])
        tables.check("de", staged[name])
    late = staged["RT_vs_AT_change_week16"]
    confirmed = (late["stage_padj"] < 0.05).to_numpy()
    assert confirmed[true].mean() > 0.5
    assert (confirmed & ~true).sum() <= 0.15 * confirmed.sum()


def test_holm_starts_lower_only_where_the_contrasts_span_the_question() -> None:
    groups, times = ["control", "AT", "RT"], ["week8", "week16"]
    late = {"RT_late": {"RT@week16": 1.0, "RT@week8": -1.0}}
    planned = contrasts_of(groups, "pre", times, own=late)
    found = {(one.name, one.time): spanned(one, planned) for one in questions_of(planned)}
    assert found == {("groups", "week8"): True, ("groups", "week16"): True, ("times", None): False}
    every = {f"{g}_late": {f"{g}@week16": 1.0, f"{g}@week8": -1.0} for g in groups}
    planned = contrasts_of(groups, "pre", times, own=every)
    assert all(spanned(one, planned) for one in questions_of(planned))
    p = np.array([0.01, 0.02, 0.5])
    np.testing.assert_allclose(holm_after_screening(p), [0.02, 0.04, 0.5])
    np.testing.assert_allclose(holm_after_screening(p, spanned=False), [0.03, 0.04, 0.5])
