"""Outcomes: slopes against R (tests/golden/outcomes), which pairs count, the tables of a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from outcome_cohorts import SETTINGS, outcome_cohort

from fibroserum import tables
from fibroserum.cohort.samples import canonical_sheet
from fibroserum.genes.gmt import GeneSet
from fibroserum.input.outcomes import with_changes
from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.outcomes.pairs import outcome_pairs, outcome_slope
from fibroserum.outcomes.stage import SCHEMAS, OutcomeSettings, OutcomeTables, flag_outcomes
from fibroserum.slopes.design import Question
from fibroserum.slopes.model import SlopeModel, SlopeSteps
from helpers.factor_cohort import NAMES, Options, fits_of, make_cohort

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = {"column": "outcome", "change_column": None, "scale": "linear"}
CHANGES = {"column": None, "change_column": "outcome", "scale": "linear"}
PLAIN = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf, deletion=False)
QUESTIONS: tuple[Question, ...] = ("change", "baseline")


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "limma" / "counts.tsv", sep="\t", index_col=0).T


@pytest.fixture(scope="module")
def obs() -> pd.DataFrame:
    sheet = pd.read_csv(GOLDEN / "limma" / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    read = pd.read_csv(GOLDEN / "outcomes" / "outcome.tsv", sep="\t", dtype=str, index_col=0)
    return sheet.assign(used_for="change", outcome=read["thickness"].fillna(""))


def slope(
    counts: pd.DataFrame,
    obs: pd.DataFrame,
    entry: dict[str, Any],
    question: Question = "change",
    steps: SlopeSteps | None = None,
    **settings: Any,
) -> SlopeModel:
    """Return the slope on an outcome, with the test's own settings."""
    own = SETTINGS | settings
    never = pd.Series(False, index=counts.columns)
    given = {} if steps is None else {"steps": steps}
    return outcome_slope(
        counts.loc[obs.index],
        obs,
        own,
        outcome_pairs(obs, own, entry),
        never,
        name="thickness",
        question=question,
        **given,
    )


@pytest.mark.parametrize("question", QUESTIONS)
def test_slopes_are_those_of_limma(
    obs: pd.DataFrame, counts: pd.DataFrame, question: Question
) -> None:
    expected = pd.read_csv(GOLDEN / "outcomes" / f"{question}.tsv", sep="\t", index_col=0)
    found = slope(counts, obs, VALUES, question, PLAIN).table
    found["padj"] = benjamini_hochberg(found["pvalue"].to_numpy())
    assert list(found.index) == list(expected.index)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("hc3_beyond", [0.0, 1.05])
def test_an_interval_excludes_0_where_p_is_below_a_twentieth(
    question: Question, hc3_beyond: float
) -> None:
    drawn = outcome_cohort(
        12, spread="donor", shape="outlier", true=0.3, question=question, genes=300, seed=4
    )
    never = pd.Series(False, index=drawn.counts.columns)
    table = outcome_slope(
        drawn.counts,
        drawn.obs,
        SETTINGS,
        drawn.pairs,
        never,
        name="thickness",
        question=question,
        steps=SlopeSteps(hc3_beyond=hc3_beyond),
    ).table
    small = table["pvalue"] < 0.05
    outside = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    assert 0 < small.sum() < len(table)
    pd.testing.assert_series_equal(small, outside, check_names=False)
    assert ((table["slope"] > table["ci_low"]) & (table["slope"] < table["ci_high"])).all()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("unit", [1e-9, 1024.0, 1e7])
def test_the_unit_changes_the_slope_alone(
    obs: pd.DataFrame, counts: pd.DataFrame, question: Question, unit: float
) -> None:
    whole = slope(counts, obs, VALUES, question).table
    text = [repr(float(value) * unit) if value else "" for value in obs["outcome"]]
    other = slope(counts, obs.assign(outcome=text), VALUES, question).table
    np.testing.assert_allclose(other["slope"] * unit, whole["slope"], rtol=1e-6)
    np.testing.assert_allclose(other["pvalue"], whole["pvalue"], rtol=1e-6)


def test_a_slope_on_log2_is_per_doubling(obs: pd.DataFrame, counts: pd.DataFrame) -> None:
    whole = slope(counts, obs, VALUES).table
    text = [repr(2.0 ** float(value)) if value else "" for value in obs["outcome"]]
    other = slope(counts, obs.assign(outcome=text), VALUES | {"scale": "log2"}).table
    np.testing.assert_allclose(other.to_numpy(), whole.to_numpy(), rtol=1e-6)


def test_a_missing_value_takes_its_pair_out_with_a_row(
    obs: pd.DataFrame, counts: pd.DataFrame
) -> None:
    pairs = outcome_pairs(obs, SETTINGS, VALUES)
    lost = pairs[~pairs["used"]]
    assert len(lost) == 1
    assert lost["reason"].tolist() == ["the value after (post) is missing"]
    rest = obs[obs["donor"] != lost["donor"].iloc[0]]
    for question in QUESTIONS:
        whole, alone = (slope(counts, own, VALUES, question) for own in (obs, rest))
        pd.testing.assert_frame_equal(whole.table, alone.table)
        assert len(whole.pairs) == len(pairs) - 1


def test_changes_may_be_in_any_row_of_a_donor(obs: pd.DataFrame, counts: pd.DataFrame) -> None:
    pairs = outcome_pairs(obs, SETTINGS, VALUES).set_index("donor")
    change = obs["donor"].map(pairs["change"]).map("{:.12g}".format).replace("nan", "")
    rng = np.random.default_rng(2)
    kept = dict(zip(pairs.index, rng.integers(2, size=len(pairs)), strict=True))
    one = change.where(obs.groupby("donor").cumcount() == obs["donor"].map(kept), "")
    sheet = obs.assign(outcome=one).rename_axis("sample").reset_index()
    design = {"donor": "donor", "group": "group", "time": "time", "line": None}
    filled = with_changes(canonical_sheet(sheet, design), {"thickness": CHANGES})
    filled = filled.loc[obs.index].assign(used_for="change")
    whole = slope(counts, obs, VALUES).table
    pd.testing.assert_frame_equal(slope(counts, filled, CHANGES).table, whole, rtol=1e-9)
    lost = outcome_pairs(filled, SETTINGS, CHANGES).query("not used")
    assert lost["reason"].tolist() == ["the change is missing"]


@pytest.mark.parametrize(
    ("edit", "settings", "why"),
    [
        ({"keep": 3}, {}, "only 3 pairs have a change of thickness; a slope needs at least 4"),
        ({"keep": 0}, {}, "no pair has a usable change of thickness"),
        ({"same": True}, {}, "thickness changes by the same amount in every donor of a group"),
        ({"alone": True}, {}, "the slope depends on a single pair"),
        ({}, {"block": "plate"}, "donors share blocks"),
        ({"keep": 4}, {"covariates": ["age"]}, "leave no residual degree of freedom"),
    ],
)
@pytest.mark.parametrize("question", QUESTIONS)
def test_why_there_is_no_slope(
    obs: pd.DataFrame,
    counts: pd.DataFrame,
    question: Question,
    edit: dict[str, Any],
    settings: dict[str, Any],
    why: str,
) -> None:
    text = obs["outcome"].copy()
    # two of each group come first
    ranks = obs.groupby(["group", "time"]).cumcount()
    order = obs.assign(rank=ranks).groupby("donor")["rank"].first().sort_values(kind="stable")
    if "keep" in edit:
        text[~obs["donor"].isin(order.index[: edit["keep"]])] = ""
    if "same" in edit:
        text[:] = np.where(obs["time"] == "pre", "1.5", "1.7")
    if "alone" in edit:
        text[:] = "1.5"
        text[(obs["donor"] == order.index[0]) & (obs["time"] == "post")] = "1.9"
    age = np.random.default_rng(1).normal(size=len(obs))
    changed = obs.assign(outcome=text, age=age)
    found = slope(counts, changed, VALUES, question, **settings)
    assert why in found.unavailable
    assert found.table.empty
    assert found.fit is None


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("shares", [(2, 2), (4, 0), (4, 1), (3, 1)])
def test_the_fewest_pairs_have_a_test(question: Question, shares: tuple[int, int]) -> None:
    drawn = outcome_cohort(
        10, spread="equal", shape="normal", true=0.0, question=question, genes=200, seed=1
    )
    count = drawn.pairs.groupby("group").cumcount()
    used = count < drawn.pairs["group"].map(dict(zip(("AT", "RT"), shares, strict=True)))
    never = pd.Series(False, index=drawn.counts.columns)
    found = outcome_slope(
        drawn.counts,
        drawn.obs,
        SETTINGS,
        drawn.pairs.assign(used=used),
        never,
        name="thickness",
        question=question,
    )
    assert len(found.pairs) == sum(shares)
    assert found.table.notna().to_numpy().all()
    assert (found.table["pvalue"] < 0.01).mean() < 0.05


@pytest.mark.parametrize("question", QUESTIONS)
def test_in_a_crossover_the_slope_is_within_donors(question: Question) -> None:
    rng = np.random.default_rng(3)
    keys = [(f"D{d}", g, t) for d in range(8) for g in ("AT", "RT") for t in ("pre", "post")]
    obs = pd.DataFrame(keys, columns=["donor", "group", "time"]).assign(used_for="change")
    obs.index = [f"S{n:02d}" for n in range(len(obs))]
    obs["outcome"] = [f"{value:.4f}" for value in rng.normal(5, 1, len(obs))]
    counts = pd.DataFrame(rng.poisson(300, (len(obs), 60)), obs.index, NAMES[:60])
    found = slope(counts, obs, VALUES, question, PLAIN, crossover=True)
    assert found.fit is not None
    fit, pairs = found.fit, outcome_pairs(obs, SETTINGS, VALUES)
    own = obs.loc[fit.samples]
    change = pairs.set_index(["donor", "group"])["change"]
    x = change.reindex(pd.MultiIndex.from_frame(own[["donor", "group"]])).to_numpy()
    after = (own["time"] == "post").to_numpy(float)
    in_rt = (own["group"] == "RT").to_numpy(float)
    donors = pd.get_dummies(own["donor"], dtype=float).to_numpy()
    if question == "baseline":
        columns = [x, in_rt, donors]
    else:
        blocks = pd.get_dummies(own["donor"] + own["group"], dtype=float).to_numpy()
        columns = [x * after, in_rt * after, blocks, donors * after[:, None]]
    matrix = np.column_stack(columns)
    for gene in range(3):
        fitted = sm.WLS(fit.E[:, gene], matrix, weights=fit.weights[:, gene]).fit()
        assert found.table["slope"].iloc[gene] == pytest.approx(fitted.params[0], rel=1e-8)
        assert found.table["se"].iloc[gene] > 0


SETS = [
    GeneSet("own", "FALLS", "", tuple(NAMES[:10])),
    GeneSet("own", "STILL", "", tuple(NAMES[100:120])),
    GeneSet("own", "SMALL", "", tuple(NAMES[:2])),
]


@pytest.fixture(scope="module")
def flagged() -> OutcomeTables:
    """Genes 0 to 9 fall and 10 to 19 rise with the log2 level, which is taken as an outcome."""
    cohort = make_cohort(Options())
    outcomes = {
        "level": {"column": "factor", "change_column": None, "scale": "log2"},
        "none": {"column": "nothing", "change_column": None, "scale": "linear"},
    }
    cohort.obs["nothing"] = ["1"] * 6 + [""] * (len(cohort.obs) - 6)
    return flag_outcomes(
        cohort, fits_of(cohort)["paired"], SETS, outcomes, OutcomeSettings(0.05, 5, 500)
    )


@pytest.mark.parametrize("field", list(SCHEMAS))
def test_tables_fit_their_schemas(flagged: OutcomeTables, field: str) -> None:
    table = getattr(flagged, field)
    tables.check(SCHEMAS[field], table)
    assert set(table["time"]) == {"post"}


def test_genes_that_follow_are_found(flagged: OutcomeTables) -> None:
    genes = flagged.genes[flagged.genes["question"] == "change"].set_index("gene_id")
    assert (genes.loc[NAMES[:10], "call"] == "against").all()
    assert (genes.loc[NAMES[10:20], "call"] == "with").all()
    assert (genes.loc[NAMES[20:], "call"] != "none").mean() < 0.02
    slopes = genes.loc[NAMES[:20], "slope"].astype(float)
    assert slopes.abs().mean() == pytest.approx(1.2, abs=0.1)
    sets = flagged.sets.query("question == 'change'").set_index("gene_set")
    assert sets["call"].to_dict() == {"FALLS": "against", "STILL": "none"}
    assert sets.loc["FALLS", "mean_slope"] == pytest.approx(slopes[:10].mean())


def test_a_change_of_the_sheet_is_that_to_the_last_time() -> None:
    """One value a donor: at earlier times nothing is tested, and every row says why."""
    cohort = make_cohort(Options())
    fits = fits_of(cohort)
    early = (cohort.obs["time"] == "post") & cohort.obs["donor"].isin(
        sorted(cohort.obs["donor"].unique())[::2]
    )
    cohort.obs["time"] = cohort.obs["time"].astype(str).where(~early, "mid")
    cohort.uns["fibroserum"]["after"] = ["mid", "post"]
    cohort.obs["outcome"] = cohort.obs["factor"]
    found = flag_outcomes(
        cohort, fits["paired"], SETS, {"skin": CHANGES}, OutcomeSettings(0.05, 5, 500)
    )
    pairs, rows = found.pairs.set_index("time"), found.targets.set_index("time")
    assert pairs.loc["post", "used"].all()
    assert not pairs.loc["mid", "used"].any()
    assert pairs.loc["mid", "change"].isna().all()
    why = "the column holds only the change up to post, the last of the times after"
    assert set(pairs.loc["mid", "reason"]) == {f"not assessed: {why}"}
    assert rows.loc["mid", "pvalue"].isna().all()
    assert rows.loc["mid", "reason"].str.contains(why).all()
    assert rows.loc["post", "pvalue"].notna().any()


def test_targets_have_a_reason(flagged: OutcomeTables) -> None:
    rows = flagged.targets.set_index(["outcome", "question", "target"]).sort_index()
    change = rows.loc[("level", "change")]
    assert change["call"].to_dict() == {"g000": "against", "g250": "none", "NOPE": "none"}
    said = change.loc["g000", "reason"]
    assert said.startswith(
        "Within groups, g000 falls more in donors whose level rises more: slope -1."
    )
    assert "for each doubling of level" in said
    assert "over 2 targets, 20 pairs" in said
    assert change.loc["g250", "reason"].startswith("No association is established: slope")
    assert change.loc["NOPE", "reason"] == "Not assessed: it is not in the count matrix."
    own = change.loc["g000"]
    assert own["slope_min"] < own["slope"] < own["slope_max"] < 0
    assert own["share_kept"] == pytest.approx(own["slope_max"] / own["slope"])
    words = " ".join(flagged.targets["reason"])
    assert "cause" not in words


def test_an_outcome_with_too_few_values_has_its_reason_everywhere(flagged: OutcomeTables) -> None:
    why = "only 3 pairs have a change of none; a slope needs at least 4"
    pairs = flagged.pairs[flagged.pairs["outcome"] == "none"]
    assert not pairs["used"].any()
    assert set(pairs["reason"]) == {
        f"not assessed: {why}",
        "the value before (pre) is missing; the value after (post) is missing",
    }
    targets = flagged.targets[flagged.targets["outcome"] == "none"]
    assert set(targets["reason"]) == {f"Not assessed: {why}."}
    assert len(targets) == 6
    assert not (flagged.genes["outcome"] == "none").any()
    assert not (flagged.sets["outcome"] == "none").any()


def test_without_targets_and_sets_genes_alone_have_rows() -> None:
    cohort = make_cohort(Options())
    cohort.uns["fibroserum"] |= {"targets": [], "target_genes": []}
    paired = fits_of(cohort)["paired"]
    found = flag_outcomes(
        cohort, paired, [], {"level": VALUES | {"column": "factor"}}, OutcomeSettings(0.05, 5, 500)
    )
    for field, schema in SCHEMAS.items():
        tables.check(schema, getattr(found, field))
    assert found.targets.empty
    assert found.sets.empty
    assert len(found.genes) > 100
