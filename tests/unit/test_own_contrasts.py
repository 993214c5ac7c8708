"""Contrasts beyond two groups and two times: their weights, their donors, their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fibroserum import linear
from fibroserum.cohort.contrasts import (
    Contrast,
    contrasts_of,
    effects_of,
    labels_of,
    name_problems,
    own_problems,
)
from fibroserum.cohort.donor_values import donor_values, pair_changes
from fibroserum.cohort.members import members_of, pairs_of
from fibroserum.cohort.models import models_and_reasons, paired_model
from fibroserum.cohort.samples import comparison_problems, use_of_samples
from fibroserum.de.second_model import quality_weights, second_model
from fibroserum.de.settings import FitSettings
from fibroserum.linear import Expression

TIMES = ["week8", "week16"]
GROUPS = ["control", "AT", "RT"]
OWN = {"exercise": {"AT@week16": 0.5, "RT@week16": 0.5, "control@week16": -1.0}}
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "several_times"


def names(contrasts: list[Contrast], kind: str) -> list[str]:
    return [one.name for one in contrasts if one.kind == kind]


def sheet_of(times: dict[str, dict[str, list[str]]]) -> pd.DataFrame:
    """Return a sheet; times: by group and donor, the donor's times."""
    rows = [
        {"donor": donor, "group": group, "time": time}
        for group, donors in times.items()
        for donor, own in donors.items()
        for time in own
    ]
    sheet = pd.DataFrame(rows)
    return sheet.set_axis([f"{r.donor}.{r.time}" for r in sheet.itertuples()])


def cohort(donors: int = 4) -> pd.DataFrame:
    return sheet_of({g: {f"{g}{i}": ["pre", *TIMES] for i in range(donors)} for g in GROUPS})


def test_one_time_after_keeps_every_name() -> None:
    assert contrasts_of(GROUPS, "pre", "post") == contrasts_of(GROUPS, "pre", ["post"])
    assert [one.name for one in contrasts_of(["AT", "RT"], "pre", "post")] == [
        "AT_post_vs_pre",
        "RT_post_vs_pre",
        "RT_vs_AT_change",
        "average_post_vs_pre",
        "RT_vs_AT_pre",
    ]


def test_several_times_pairwise_control_and_own() -> None:
    found = contrasts_of(GROUPS, "pre", TIMES, pairwise=True, control="control", own=OWN)
    assert names(found, "change") == [f"{g}_{t}_vs_pre" for t in TIMES for g in GROUPS]
    assert names(found, "difference") == [
        f"{pair}_change_{time}"
        for time in TIMES
        for pair in ("AT_vs_control", "RT_vs_control", "RT_vs_AT")
    ]
    assert names(found, "average") == [f"average_{time}_vs_pre" for time in TIMES]
    assert names(found, "own") == ["exercise"]
    assert names(found, "baseline") == ["AT_vs_control_pre", "RT_vs_control_pre", "RT_vs_AT_pre"]
    by_name = {one.name: one for one in found}
    assert by_name["average_week8_vs_pre"].groups == ["AT", "RT"]
    own = by_name["exercise"]
    assert (own.time, own.groups) == ("week16", ["AT", "RT", "control"])
    assert own.scale("control") == -1
    assert own.scale("AT") == 0.5
    assert own.profile("control") == {"week16": 1.0, "pre": -1.0}
    labels, effects = (of(found, control="control") for of in (labels_of, effects_of))
    assert labels["average_week8_vs_pre"] == "average of AT and RT: week8 vs pre"
    assert labels["RT_vs_AT_change_week16"] == "RT vs AT: change at week16"
    assert effects["exercise"] == "0.5 AT + 0.5 RT - control, change at week16"
    assert len(set(labels.values())) == len(found)


def test_a_group_measured_before_only_has_baseline_contrasts() -> None:
    found = contrasts_of(["AT", "RT", "healthy"], "pre", "post", only_before=["healthy"])
    of_healthy = {one.kind for one in found if "healthy" in one.groups}
    assert of_healthy == {"baseline"}
    assert names(found, "average") == ["average_post_vs_pre"]
    alone = contrasts_of(["healthy", "AT", "RT"], "pre", "post", only_before=["healthy"])
    assert names(alone, "difference") == []
    pairwise = contrasts_of(
        ["healthy", "AT", "RT"], "pre", "post", only_before=["healthy"], pairwise=True
    )
    assert names(pairwise, "difference") == ["RT_vs_AT_change"]


def test_a_contrast_between_times_needs_no_sample_before() -> None:
    later = {"late": {"RT@week16": 1.0, "RT@week8": -1.0}}
    (own,) = (c for c in contrasts_of(GROUPS, "pre", TIMES, own=later) if c.kind == "own")
    assert own.profile("RT") == {"week16": 1.0, "week8": -1.0}
    sheet = sheet_of({"RT": {"a": TIMES, "b": ["pre", "week8"], "c": ["pre", *TIMES]}})
    assert list(members_of(own, sheet.assign(used_for="change")).index) == [
        ("a", "RT"),
        ("c", "RT"),
    ]
    used, _ = use_of_samples(sheet, contrasts_of(["RT"], "pre", TIMES, own=later))
    assert (used == "change").all()
    # without it a donor of two times after informs nothing
    used, why = use_of_samples(sheet, contrasts_of(["RT"], "pre", TIMES))
    assert set(used.index[used == "none"]) == {"a.week8", "a.week16"}
    assert set(why[used == "none"]) == {"no before sample: a change needs both samples"}


@pytest.mark.parametrize(
    ("weights", "times", "said"),
    [
        ({"AT": 1.0, "RT": -1.0}, TIMES, "'AT' names no time"),
        ({"AT@week8": 1.0, "RT@week9": -1.0}, TIMES, "'RT@week9' names a time that is not in"),
        ({"AT": 1.0, "TR": -1.0}, ["post"], "'TR' is not a group"),
        ({"AT": 0.5, "RT": 0.4}, ["post"], "the weights sum to 0.9"),
        ({"AT": 0.33, "RT": 0.33, "control": 0.33}, ["post"], "the weights sum to 0.99"),
        ({"AT": 0.0, "RT": 0.0}, ["post"], "every weight is 0"),
        ({"AT": float("nan"), "RT": -1.0}, ["post"], "a weight is not a finite number"),
        ({"AT": float("inf"), "RT": -1.0}, ["post"], "a weight is not a finite number"),
        ({"RT@week8": 1.0, "RT@pre": -1.0}, TIMES, "'RT@pre' is the time before, which"),
        ({"AT": 1.0, "healthy": -1.0}, ["post"], "the group 'healthy' has no sample after"),
        ({"AT": 1.0, "AT@post": -1.0}, ["post"], "the same group is named twice"),
    ],
)
def test_refused_weights(weights: dict[str, float], times: list[str], said: str) -> None:
    groups = [*GROUPS, "healthy"]
    found = list(
        own_problems({"mine": weights}, groups, times, ["healthy"], "config, contrasts", "pre")
    )
    assert said in found[0].what
    assert found[0].where == "config, contrasts.mine"
    assert found[0].expected
    sound = {"mine": {"AT": 1.0, "RT": -1.0}} if times == ["post"] else OWN
    assert not list(own_problems(sound, groups, times, ["healthy"], "config, contrasts"))


def test_a_taken_name_is_refused() -> None:
    own = {"RT_vs_AT_change": {"RT": 1.0, "AT": -1.0}}
    found = contrasts_of(["AT", "RT"], "pre", "post", own=own)
    (problem,) = name_problems(found, "config")
    assert problem.what == "'RT_vs_AT_change' is already the name of a contrast that every run has"
    assert problem.hint == "Rename 'RT_vs_AT_change'."


@pytest.mark.parametrize(("name", "refused"), [("..", True), ("-", True), ("é1", False)])
def test_a_name_needs_a_letter_or_digit(name: str, refused: bool) -> None:
    own = {name: {"RT": 1.0, "AT": -1.0}}
    found = list(own_problems(own, ["AT", "RT"], ["post"], [], "config, contrasts"))
    assert ["has no letter or digit" in one.what for one in found] == [True] * refused


@pytest.mark.parametrize(
    ("weights", "hinted"),
    [({"AT": 0.33, "RT": 0.66}, True), ({"AT": 1, "RT": 1}, False), ({"AT": 1, "RT": 2}, False)],
)
def test_thirds_are_hinted_at_where_the_sum_is_near(
    weights: dict[str, float], hinted: bool
) -> None:
    (problem,) = own_problems({"x": weights}, ["AT", "RT"], ["post"], [], "config, contrasts")
    assert ("Write a third" in problem.hint) == hinted


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ("healthy", "the group 'healthy' has no sample after, so it has no change"),
        ("kontrol", "no sample has the group 'kontrol'"),
        ("control", None),
        (None, None),
    ],
)
def test_the_control_is_a_group_with_a_change(control: str | None, said: str | None) -> None:
    compared = {
        "groups": ["healthy", *GROUPS],
        "only_before": ["healthy"],
        "before": "pre",
        "after": "post",
        "contrasts": {},
        "control": control,
    }
    assert [one.what for one in comparison_problems(compared)] == [said] * (said is not None)


def test_a_donor_informs_the_contrasts_of_its_times() -> None:
    times = {g: {f"{g}{i}": ["pre", *TIMES] for i in range(4)} for g in ("AT", "RT")}
    times["RT"]["RT0"] = ["pre", "week8"]
    times["RT"]["RT1"] = ["pre", "week16"]
    sheet = sheet_of(times)
    planned = contrasts_of(["AT", "RT"], "pre", TIMES)
    used, _ = use_of_samples(sheet, planned)
    assert (used == "change").all()
    sheet = sheet.assign(used_for=used)
    pairs = {one.name: pairs_of(one, sheet) for one in planned}
    assert pairs["RT_week8_vs_pre"] == pairs["RT_week16_vs_pre"] == 3
    assert pairs["RT_vs_AT_change_week8"] == pairs["average_week16_vs_pre"] == 7
    model = paired_model(sheet, ["AT", "RT"], TIMES, planned, crossover=False)
    values = donor_values(model, "RT_week8_vs_pre")
    assert "RT1" not in values.design.samples
    assert "RT0" in values.design.samples
    assert values.informing == 3


@given(seed=st.integers(0, 100), gone=st.integers(0, 3))
@examples(max_examples=15, deadline=None)
def test_a_sample_of_another_time_moves_no_estimate(seed: int, gone: int) -> None:
    sheet = cohort().drop(index=[f"RT{gone}.week8"])
    planned = contrasts_of(GROUPS, "pre", TIMES, own=OWN)
    model = paired_model(sheet, GROUPS, TIMES, planned, crossover=False)
    rng = np.random.default_rng(seed)
    log2 = rng.normal(size=(len(sheet), 40))
    moved = log2.copy()
    moved[sheet["time"] == "week8"] += rng.normal(size=40)
    genes = pd.RangeIndex(40).astype(str)
    first, second = (
        linear.contrast_fits(Expression(sheet.index, genes, own, None), model)
        for own in (log2, moved)
    )
    changed = set()
    for name, fit in first.items():
        own, other = (
            linear.moderated_t(one.fit, one.vector)["log2FoldChange"] for one in (fit, second[name])
        )
        if not np.allclose(own, other, atol=1e-12):
            changed.add(name)
    of_week8 = {one.name for one in planned if one.time == "week8" and one.kind != "difference"}
    assert changed == of_week8


def test_why_no_donor_informs_a_contrast() -> None:
    times = {"AT": {f"A{i}": ["pre", *TIMES] for i in range(3)}}
    times["RT"] = {f"R{i}": ["pre", "week8"] for i in range(3)}
    sheet = sheet_of(times)
    settings = {
        "groups": ["AT", "RT"], "before": "pre", "after": TIMES, "crossover": False,
        "covariates": [],
    }  # fmt: skip
    sheet = sheet.assign(
        used_for=use_of_samples(sheet, contrasts_of(["AT", "RT"], "pre", TIMES))[0]
    )
    models, reasons = models_and_reasons(sheet, settings)
    assert reasons == dict.fromkeys(
        ("RT_week16_vs_pre", "RT_vs_AT_change_week16", "average_week16_vs_pre"),
        "no donor of RT has samples at 'pre' and 'week16'",
    )
    assert set(models[0].design.dense.columns) == {
        "after[AT@week8]", "after[AT@week16]", "after[RT@week8]",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["RT_week16_vs_pre", "RT_vs_AT_change_week8", "exercise", "late"])
def test_contrasts_of_several_times_are_limmas(name: str) -> None:
    counts = pd.read_csv(GOLDEN / "counts.tsv.gz", sep="\t", index_col=0).T
    sheet = pd.read_csv(GOLDEN / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    late = {"RT@week16": 0.5, "AT@week16": 0.5, "RT@week8": -0.5, "AT@week8": -0.5}
    planned = contrasts_of(GROUPS, "pre", TIMES, pairwise=True, own=OWN | {"late": late})
    values, _ = linear.log_cpm(counts.loc[sheet.index])
    model = paired_model(sheet, GROUPS, TIMES, planned, crossover=False)
    fits = linear.contrast_fits(Expression(sheet.index, counts.columns, values, None), model)
    found = linear.moderated_t(fits[name].fit, fits[name].vector)
    expected = pd.read_csv(GOLDEN / f"{name}.tsv", sep="\t", index_col=0)
    assert list(found.index) == list(expected.index)
    for column, reference in {
        "log2FoldChange": "logFC", "se": "se", "df_total": "df", "pvalue": "p",
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[column], expected[reference], rtol=1e-6, atol=1e-9)


def test_own_contrasts_have_no_weights_and_share_fits() -> None:
    sheet = cohort(8)
    planned = contrasts_of(GROUPS, "pre", TIMES, own=OWN)
    model = paired_model(sheet, GROUPS, TIMES, planned, crossover=False)
    rng = np.random.default_rng(3)
    values = Expression(
        sheet.index, pd.RangeIndex(200).astype(str), rng.normal(size=(len(sheet), 200)), None
    )
    fits = linear.contrast_fits(values, model)
    by_time = {one.name: one.time for one in planned if one.model == "paired"}
    for name, fit in fits.items():
        for other, another in fits.items():
            assert (fit.fit is another.fit) == (by_time[name] == by_time[other])
    tables = second_model(values, model, FitSettings()).tables
    weighted = {name for name, table in tables.items() if table["weight_covariate"].notna().any()}
    kinds = {one.name: one.kind for one in planned}
    assert {kinds[name] for name in weighted} == {"change", "difference"}


def test_a_poor_sample_counts_against_its_own_time() -> None:
    sheet = sheet_of({"RT": {f"R{i}": ["pre", *TIMES] for i in range(8)}})
    planned = contrasts_of(["RT"], "pre", TIMES)
    model = paired_model(sheet, ["RT"], TIMES, planned, crossover=False)
    noise = np.random.default_rng(5).normal(size=(len(sheet), 500))
    for poor in ("pre", "week16"):
        log2 = noise.copy()
        log2[sheet.index == f"R3.{poor}"] *= 6
        values = Expression(sheet.index, pd.RangeIndex(500).astype(str), log2, None)
        weights = quality_weights(values, model)
        assert weights.idxmin() == f"R3.{poor}"
        assert weights[f"R3.{poor}"] < 0.2
        assert weights.drop(f"R3.{poor}").min() > 0.5
        # both samples of a pair together have the pair's variance
        for (_, time), changes in pair_changes(model):
            own = linear.pair_weights(np.asarray(changes @ log2))
            parts = [1 / weights[f"R{i}.{at}"] for i in range(8) for at in ("pre", time)]
            np.testing.assert_allclose(np.reshape(parts, (8, 2)).sum(axis=1), 2 / own, rtol=1e-9)
