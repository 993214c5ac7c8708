"""The chain from the intervention to an outcome: verdicts, words, the outcome's own change."""

from __future__ import annotations

from dataclasses import fields
from math import isnan
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum import tables
from fibroserum.chain import links as chain_links
from fibroserum.chain import stage
from fibroserum.chain.links import LINKS, Link, chained, links_of, verdicts_of
from fibroserum.chain.outcome_changes import outcome_change
from fibroserum.chain.rows import sheet_slope
from fibroserum.chain.sentences import chain_words
from fibroserum.chain.stage import Sources, flag_chain
from fibroserum.cohort.contrasts import Contrast, contrasts_of

NAMES = ("CCL28", "BGN", "skin")


def made(signs: str) -> dict[str, Link]:
    """Return links from one letter each: + and - called, 0 not called, ? without an estimate."""
    found = {}
    for name, sign in zip(LINKS, signs, strict=True):
        value = {"+": 0.4, "-": -0.4, "0": 0.1, "?": np.nan}[sign]
        found[name] = Link(value, value - 0.3, value + 0.3, 0.01, sign in "+-", f"It is {sign}.")
    return found


S, C, N, M = chain_links.VERDICTS


@pytest.mark.parametrize(
    ("signs", "verdicts"),
    [
        ("--+++", [S, S, S, S, S]),  # the molecule falls and suppresses the gene, which rises
        ("-?+++", [S, M, S, S, S]),
        ("0-+0+", [N, S, S, N, S]),  # nothing predicts the direct changes
        ("---+-", [S, S, C, S, S]),  # the gene falls where the chain predicts a rise
        ("--++-", [S, S, S, S, C]),
        ("--0+-", [S, S, N, S, C]),  # the outcome against the whole way along the chain
        ("--?++", [S, S, M, S, S]),
        ("--+0-", [S, S, S, N, S]),
        ("?????", [M] * 5),
    ],
)
def test_verdicts(signs: str, verdicts: list[str]) -> None:
    assert list(verdicts_of(made(signs)).values()) == verdicts


@pytest.mark.parametrize(
    ("signs", "said", "unsaid"),
    [
        (
            "--+++",
            [
                "Supported: training to CCL28 (-0.4; 95 % -0.7 to -0.1), CCL28 to BGN",
                "'training to CCL28' and 'CCL28 to BGN' predict a positive change of BGN, and its "
                "own change has this sign.",
                "'training to BGN' and 'BGN to skin' predict a positive change of skin, and its "
                "own change has this sign.",
            ],
            ["ontradict", "ot established", "ot measured"],
        ),
        (
            "-?+0+",
            [
                "Not established: BGN to skin (0.1; 95 % -0.2 to 0.4)",
                "Not measured: CCL28 to BGN.",
                "The chain predicts no sign for BGN: not all its links are established.",
                "The chain predicts no sign for skin: not all its links are established.",
            ],
            ["ontradict"],
        ),
        (
            "---+0",
            [
                "Contradicting: training to BGN (-0.4;",
                "predict a positive change of BGN, and its own change has the opposite sign.",
                "predict a negative change of skin, whose own change is not established.",
            ],
            ["ot measured"],
        ),
    ],
)
def test_a_chain_in_words(signs: str, said: list[str], unsaid: list[str]) -> None:
    words = chain_words(made(signs), "RT: post vs pre", NAMES)
    assert words.startswith("RT: post vs pre. ")
    assert [part for part in said if part not in words] == []
    assert [part for part in [*unsaid, "cause"] if part in words] == []


def test_a_chain_needs_a_level_a_target_and_an_outcome() -> None:
    whole: dict[str, Any] = {
        "targets": ["BGN"],
        "outcomes": {"skin": {}},
        "factors": {"CCL28": {"serum": "level"}, "mute": {"serum": None}},
    }
    assert chained(whole) == {"CCL28": "level"}
    assert chained(whole | {"targets": []}) == chained(whole | {"outcomes": {}}) == {}


def contrast(name: str, **options: Any) -> Contrast:
    """Return a contrast of the groups C, A and R at one time."""
    return next(
        one for one in contrasts_of(["C", "A", "R"], "pre", "post", **options) if one.name == name
    )


@pytest.fixture
def pairs() -> pd.DataFrame:
    """Return changes of an outcome: groups of unequal size and variance, one change unknown."""
    rng = np.random.default_rng(4)
    sizes = {"C": (6, 0.1), "A": (5, 0.3), "R": (8, 0.6)}
    rows = [
        {"donor": f"{group}{n}", "group": group, "change": rng.normal(0.3, sd)}
        for group, (size, sd) in sizes.items()
        for n in range(size)
    ]
    return pd.DataFrame([*rows, {"donor": "A9", "group": "A", "change": np.nan}])


def test_the_change_of_an_outcome_against_scipy(pairs: pd.DataFrame) -> None:
    own = {group: part["change"].dropna() for group, part in pairs.groupby("group")}
    one = outcome_change(pairs, contrast("R_post_vs_pre"), crossover=False)
    expected = stats.ttest_1samp(own["R"], 0)
    assert one.pvalue == pytest.approx(expected.pvalue)
    assert one[1:3] == pytest.approx(expected.confidence_interval())
    two = outcome_change(pairs, contrast("R_vs_C_change"), crossover=False)
    expected = stats.ttest_ind(own["R"], own["C"], equal_var=False)
    assert two.pvalue == pytest.approx(expected.pvalue)
    assert two[1:3] == pytest.approx(expected.confidence_interval())


def test_a_weighted_sum_of_groups_by_its_formula(pairs: pd.DataFrame) -> None:
    weights = {"A": 0.5, "R": 0.5, "C": -1.0}
    asked = contrast("trained", own={"trained": weights})
    found = outcome_change(pairs, asked, crossover=False)
    known = pairs.dropna().groupby("group")["change"]
    mean, parts = known.mean(), known.var() / known.size() * pd.Series(weights) ** 2
    df = parts.sum() ** 2 / (parts**2 / (known.size() - 1)).sum()
    estimate = sum(weight * mean[group] for group, weight in weights.items())
    assert found.value == pytest.approx(estimate)
    assert found.pvalue == pytest.approx(2 * stats.t.sf(abs(estimate) / np.sqrt(parts.sum()), df))
    half = stats.t.isf(0.025, df) * np.sqrt(parts.sum())
    assert found[1:3] == pytest.approx((estimate - half, estimate + half))


def test_a_crossover_compares_within_donors(pairs: pd.DataFrame) -> None:
    crossed = pairs.assign(donor=pairs["donor"].str[1:])
    wide = crossed.pivot_table(index="donor", columns="group", values="change")
    found = outcome_change(crossed, contrast("R_vs_C_change"), crossover=True)
    expected = stats.ttest_1samp((wide["R"] - wide["C"]).dropna(), 0)
    assert found.pvalue == pytest.approx(expected.pvalue)
    nothing = outcome_change(
        pairs.assign(change=np.nan), contrast("R_vs_C_change"), crossover=False
    )
    assert isnan(nothing.value)


@pytest.mark.parametrize(
    ("call", "direction", "called"),
    [
        ("responsive", "suppressed", True),
        ("confirmed", "suppressed", True),
        ("not_responsive", "suppressed", False),
        ("responsive", "induced", False),  # the stimulation against the serum
    ],
)
def test_a_slope_on_a_level_of_the_sheet_takes_the_factors_call(
    call: str, direction: str, called: bool
) -> None:
    slope = {"serum_slope": -0.8, "ci_low": -1.2, "ci_high": -0.4, "serum_pvalue": 0.001}
    gene = {"call": call, "direction": direction, "evidence": "serum"}
    link = sheet_slope("CCL28", "BGN", slope, gene)
    assert (link.called, link.sign, link.ci_low) == (called, -1 if called else 0, -1.2)
    assert ("No association" in link.words) is not called
    assert not sheet_slope("CCL28", "BGN", None, gene).measured


def sources(times: list[str]) -> Sources:
    """Return tables in which every link holds for BGN, and DCN is absent."""
    interval = {"ci_low": 0.1, "ci_high": 0.7, "pvalue": 0.01}
    fall = {"ci_low": -0.7, "ci_high": -0.1, "pvalue": 0.01}
    nothing = dict.fromkeys(["ci_low", "ci_high", "pvalue"], np.nan)
    names = [f"all_{time}_vs_pre" for time in times]
    bgn = {"target": "BGN", "headline": "up", "verdict": "up", "reason": "It rises."}
    dcn = {"target": "DCN", "headline": "none", "verdict": "absent", "reason": "No such gene."}
    of_outcome = {"outcome": "skin", "question": "change", "time": times}
    present = {"target": "BGN", "call": "with", "reason": "It goes with skin.", "slope": 2.0}
    absent = {"target": "DCN", "call": "none", "reason": "Not assessed: absent.", "slope": np.nan}
    on_panel = {"molecule": "ccl", "time": times, "donors": 5}
    change = np.linspace(0.1, 0.5, 5)
    parts = {
        "targets": [
            bgn | {"contrast": names, "log2FoldChange": 0.4} | interval,
            dcn | {"contrast": names, "log2FoldChange": np.nan} | nothing,
        ],
        "outcome_targets": [of_outcome | present | interval, of_outcome | absent | nothing],
        "outcome_pairs": [
            {"outcome": "skin", "time": time, "donor": list("abcde"), "group": "all"}
            | {"change": change}
            for time in times
        ],
        "serum_panel": [
            {"molecule": "ccl", "contrast": names, "change_log2": -0.4, "call": "down"} | fall
        ],
        "serum_panel_targets": [
            on_panel | {"target": "BGN", "slope": -0.4, "padj": 0.01} | fall,
            on_panel | {"target": "DCN", "slope": np.nan, "reason": "it is absent"} | nothing,
        ],
    }
    return Sources(
        **{
            one.name: pd.concat([pd.DataFrame(part) for part in parts[one.name]])
            if one.name in parts
            else tables.empty(one.name)
            for one in fields(Sources)
        }
    )


@pytest.mark.parametrize("times", [["post"], ["week8", "week16"]])
def test_the_table_joins_links_of_one_time(
    times: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "groups": ["all"],
        "before": "pre",
        "after": times,
        "targets": {"BGN": "g1", "DCN": None},
        "control": None,
        "not_estimable": {},
        "crossover": False,
    }
    monkeypatch.setattr(stage, "settings_of", lambda _: settings)
    given, empty = sources(times), ad.AnnData()
    # the slope of the last time, and the change of the outcome at the first, are as they are
    found = flag_chain(empty, empty, given, {"CCL28": "panel:ccl"}, {"skin": "linear"}, 0.05)
    tables.check("chain", found)
    assert len(found) == len(times) * 2 * 5
    own = found.set_index(["contrast", "target"]).sort_index()
    for time in times:
        whole, lost = (own.loc[(f"all_{time}_vs_pre", name)] for name in ("BGN", "DCN"))
        assert list(whole["verdict"]) == [S] * 5
        assert list(whole["estimate"]) == pytest.approx([-0.4, -0.4, 0.4, 2.0, 0.3])
        assert list(lost["verdict"]) == [S, M, M, M, S]
        assert "Not measured: it is absent." in list(lost["sentence"])
        assert {name: link.sign for name, link in links_of(whole).items()} == dict(
            zip(LINKS, [-1, -1, 1, 1, 1], strict=True)
        )
    against = given.targets.assign(log2FoldChange=-0.4, headline="down")
    turned = Sources(**{**vars(given), "targets": against})
    found = flag_chain(empty, empty, turned, {"CCL28": "panel:ccl"}, {"skin": "linear"}, 0.05)
    rows = found[(found["target"] == "BGN") & (found["verdict"] == C)]
    assert set(rows["link"]) == {"training->gene", "training->outcome"}
    assert rows["sentence"].str.contains("predict the opposite sign.").all()
