"""The story of a run: what it says, in what order, and that it is short."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.story import MOST_WORDS
from fibroserum.report.summary import summary
from helpers.report_run import Maker
from helpers.report_shape import SEVERAL, Shape

REPOSITORY = Path(__file__).parents[2]


def made(folder: Path, shape: Shape) -> tuple[RunTables, dict[str, Any]]:
    """Return a fabricated run and its config."""
    maker = Maker(shape, folder, REPOSITORY)
    maker.make()
    return load_run(folder, maker.config), maker.config


@pytest.fixture(scope="module")
def two_groups(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunTables, dict[str, Any]]:
    return made(tmp_path_factory.mktemp("two"), Shape(genes=200))


def story_of(run: RunTables, config: Mapping[str, Any]) -> str:
    return str(summary(run, config)["story"])


def set_rows(frame: pd.DataFrame, where: Any, **values: Any) -> pd.DataFrame:
    """Return a table with other values in some rows."""
    frame = frame.astype(dict.fromkeys(values, object))
    for name, value in values.items():
        frame.loc[where, name] = value
    return frame


def with_target(run: RunTables, contrast: str, **values: Any) -> RunTables:
    """Return a run with another verdict on the first target in a contrast."""
    rows = (run.targets["target"] == "BGN") & (run.targets["contrast"] == contrast)
    return replace(run, targets=set_rows(run.targets, rows, **values))


def with_shift(sets: pd.DataFrame, pvalue: float) -> pd.DataFrame:
    """Return the sets of factors with another p value of CCL28's common shift in RT."""
    rows = (sets["factor"] == "CCL28") & (sets["contrast"] == "RT_post_vs_pre")
    assert rows.sum() == 1
    return set_rows(sets, rows, fry_pvalue=pvalue)


def without_warnings(run: RunTables) -> RunTables:
    return replace(run, checks=run.checks[run.checks["level"] != "warning"])


def test_donors_pairs_and_calls_are_those_of_the_tables(two_groups: Any) -> None:
    run, config = two_groups
    story = story_of(run, config)
    donors = run.obs["donor"].nunique()
    assert story.startswith(f"{donors} donors, 16 complete pairs (8 in RT, 8 in AT). ")
    calls = run.contrasts.set_index("contrast")[["up", "down"]].sum(axis=1)
    told = (
        f"Genes called: {calls['RT_post_vs_pre']} in RT, {calls['RT_vs_AT_change']} for RT "
        f"minus AT (difference between the changes), {calls['AT_post_vs_pre']} in AT."
    )
    assert told in story


def test_each_time_has_its_own_pairs(tmp_path: Path) -> None:
    """A donor who lacks one of several times is in no total of that time."""
    run, config = made(tmp_path, SEVERAL)
    changes = run.contrasts[run.contrasts["kind"] == "change"]
    times = {one.name: one.time for one in run.planned}
    pairs = [6 + number for number in range(len(changes))]
    run = replace(run, contrasts=set_rows(run.contrasts, changes.index, pairs=pairs))
    wanted: dict[str, int] = {}
    for name, count in zip(changes["contrast"], pairs, strict=True):
        wanted[times[name]] = wanted.get(times[name], 0) + count
    assert len(set(wanted.values())) > 1
    told = re.search(r"donors; complete pairs: ([^.]+)\. ", story_of(run, config))
    assert told is not None
    found = dict(re.findall(r"(\d+) at (\w+)", told[1]))
    assert {time: int(count) for count, time in found.items()} == wanted


def test_the_target_has_estimate_and_interval_in_three_contrasts(two_groups: Any) -> None:
    run, config = two_groups
    for contrast in run.contrast_names:
        run = with_target(
            run, contrast, verdict="inconclusive", headline="none",
            log2FoldChange=0.1, ci_low=-0.2, ci_high=0.4,
        )  # fmt: skip
    run = with_target(run, "RT_post_vs_pre", verdict="up", headline="up", ci_low=0.05)
    run = with_target(run, "average_post_vs_pre", verdict="up", headline="none", ci_low=0.05)
    assert (
        "BGN: rises in RT (log2 fold change 0.10, 95 % interval 0.05 to 0.40); inconclusive for "
        "RT minus AT (0.10, -0.20 to 0.40); inconclusive in AT (0.10, -0.20 to 0.40); and 2 more "
        "(1 up but not established over all contrasts, 1 inconclusive)."
    ) in story_of(run, config)


def test_further_contrasts_of_one_verdict_are_not_counted_twice(two_groups: Any) -> None:
    run, config = two_groups
    for contrast in run.contrast_names:
        run = with_target(run, contrast, verdict="inconclusive", headline="none")
    assert "; and 2 more (all inconclusive)." in story_of(run, config)


def test_a_verdict_of_one_contrast_only_is_no_finding(two_groups: Any) -> None:
    run, config = two_groups
    for contrast in run.contrast_names:
        run = with_target(run, contrast, verdict="inconclusive", headline="none")
    run = with_target(run, "RT_post_vs_pre", verdict="down", headline="none")
    assert "BGN: falls in RT, but this is not established over all contrasts (" in story_of(
        run, config
    )


@pytest.mark.parametrize(
    ("rt", "at", "words"),
    [(0.5, 0.1, "rises more in RT than in AT"), (-0.1, -0.5, "falls less in RT than in AT")],
)
def test_a_difference_is_told_by_the_groups_changes(
    two_groups: Any, rt: float, at: float, words: str
) -> None:
    run = with_target(two_groups[0], "RT_post_vs_pre", log2FoldChange=rt)
    run = with_target(run, "AT_post_vs_pre", log2FoldChange=at)
    run = with_target(run, "RT_vs_AT_change", verdict="up", headline="up")
    assert words in story_of(run, two_groups[1])


def test_a_target_that_is_absent_or_not_declared(two_groups: Any) -> None:
    run, config = two_groups
    absent = set_rows(run.targets, run.targets["target"] == "BGN", verdict="absent")
    assert "BGN is not in the counts." in story_of(replace(run, targets=absent), config)
    none = replace(run, targets=run.targets.iloc[:0])
    assert "No target was declared." in story_of(none, config)


@pytest.mark.parametrize(
    ("change", "direction", "lfc", "agree", "verb"),
    [
        (-0.4, "suppressed", 0.2, True, "fell"),
        (-0.4, "suppressed", -0.2, False, "fell"),
        (-0.4, "induced", -0.2, True, "fell"),
        (0.4, "induced", 0.2, True, "rose"),
        (0.4, "suppressed", 0.2, False, "rose"),
    ],
)
def test_genes_that_changed_as_the_factor_predicts_are_counted(
    two_groups: Any, change: float, direction: str, lfc: float, agree: bool, verb: str
) -> None:
    run, config = two_groups
    levels = set_rows(
        run.levels, run.levels["factor"] == "CCL28", change_log2=change,
        ci_low=change - 0.1, ci_high=change + 0.1,
    )  # fmt: skip
    rows = [
        {"factor": "CCL28", "gene_id": f"G{i}", "contrast": "RT_post_vs_pre",
         "direction": direction, "log2FoldChange": lfc * (1 if i else -1)}
        for i in range(4)
    ]  # fmt: skip
    sets = with_shift(run.sets, 0.01)
    run = replace(run, levels=levels, concordance=pd.DataFrame(rows), sets=sets)
    count = 3 if agree else 1
    assert (
        f"CCL28 {verb} in RT (log2 {change:.2f}); {count} of 4 responsive genes other than "
        "targets changed as this predicts."
    ) in story_of(run, config)


@pytest.mark.parametrize(
    ("pvalue", "ending"),
    [
        (0.049, "changed as this predicts."),
        (0.051, "changed as this predicts, but no common shift of them is shown."),
        (float("nan"), "changed as this predicts, but no common shift of them is shown."),
    ],
)
def test_a_count_of_genes_is_no_finding_without_a_common_shift(
    two_groups: Any, pvalue: float, ending: str
) -> None:
    run, config = two_groups
    levels = set_rows(
        run.levels, run.levels["factor"] == "CCL28", change_log2=-0.4, ci_low=-0.5, ci_high=-0.3
    )
    gene = {"factor": "CCL28", "gene_id": "G1", "contrast": "RT_post_vs_pre",
            "direction": "suppressed", "log2FoldChange": 0.2}  # fmt: skip
    # a shift in another contrast says nothing about this one
    sets = with_shift(set_rows(run.sets, run.sets.index, fry_pvalue=0.001), pvalue)
    run = replace(run, levels=levels, concordance=pd.DataFrame([gene]), sets=sets)
    assert (
        f"CCL28 fell in RT (log2 -0.40); 1 of 1 responsive genes other than targets {ending}"
        in story_of(run, config)
    )


@pytest.mark.parametrize(
    ("pairs", "caution"),
    [
        ({"AT": 5, "RT": 2}, "with 2 pairs in RT, only large changes show."),
        ({"AT": 5, "RT": 1}, "RT has only one pair, which is not enough for a verdict."),
    ],
)
def test_the_smallest_group_limits_what_can_be_found(
    two_groups: Any, pairs: dict[str, int], caution: str
) -> None:
    run, config = two_groups
    for group, count in pairs.items():
        change = (run.contrasts["kind"] == "change") & (run.contrasts["group"] == group)
        run = replace(run, contrasts=set_rows(run.contrasts, change, pairs=count))
    loo = run.loo.assign(verdict_stands=True)
    assert f"Caution: {caution}" in story_of(replace(run, loo=loo), config)


def test_one_and_several_donors_without_whom_a_target_is_not_called(two_groups: Any) -> None:
    run = with_target(two_groups[0], "RT_post_vs_pre", verdict="up", headline="up")
    own = run.loo.index[(run.loo["target"] == "BGN") & (run.loo["contrast"] == "RT_post_vs_pre")]
    for count, who in ((1, f"donor {run.loo.loc[own[0], 'left_out']}"), (3, "any one of 3 donors")):
        loo = set_rows(run.loo.assign(verdict_stands=True), own[:count], verdict_stands=False)
        story = story_of(replace(run, loo=loo), two_groups[1])
        assert f"Caution: without {who} BGN would not be called in RT." in story


def test_a_factor_without_a_shown_change_predicts_nothing(two_groups: Any) -> None:
    run, config = two_groups
    wide = set_rows(run.levels, run.levels.index, change_log2=-0.1, ci_low=-0.5, ci_high=0.3)
    assert "CCL28: no change of its level is shown; " in story_of(replace(run, levels=wide), config)
    empty = set_rows(run.levels, run.levels.index, change_log2=float("nan"),
                     ci_low=float("nan"), ci_high=float("nan"))  # fmt: skip
    assert "CCL28: its level was not measured; " in story_of(replace(run, levels=empty), config)


def test_a_null_cohort_says_so(tmp_path: Path) -> None:
    run, config = made(tmp_path, Shape(genes=150, changed=0.0, evidence=False))
    targets = run.targets.assign(verdict="inconclusive", headline="none")
    story = story_of(replace(run, targets=targets), config)
    assert "No gene is called in any change or difference between changes." in story
    assert "No matrix gene set is called." in story
    assert "CCL28" not in story


def test_cautions_come_in_their_order(two_groups: Any) -> None:
    """Each caution is the story's last sentence once those before it no longer apply."""
    run, config = two_groups
    config = {**config, "design": {**config["design"], "randomised": None}}
    few = dict.fromkeys(("AT", "RT"), 3)
    contrasts = set_rows(run.contrasts, run.contrasts["kind"] == "change", pairs=3)
    lost = set_rows(contrasts, contrasts["kind"] == "difference", status="not_estimable")
    run = with_target(run, "RT_post_vs_pre", verdict="up", headline="up")
    falls = (run.loo["target"] == "BGN") & (run.loo["contrast"] == "RT_post_vs_pre")
    loo = set_rows(run.loo, falls & (run.loo["left_out"] == run.loo["left_out"].iloc[-1]),
                   verdict_stands=False)  # fmt: skip
    needed = str(loo.loc[~loo["verdict_stands"].astype(bool), "left_out"].iloc[0])
    endings = [
        (replace(run, contrasts=lost, loo=loo), "1 contrast could not be estimated."),
        (
            replace(run, contrasts=contrasts, loo=loo),
            f"without donor {needed} BGN would not be called in RT.",
        ),
        (
            replace(run, contrasts=contrasts),
            f"with {few['RT']} pairs in RT, only large changes show.",
        ),
        (run, "quality control has 1 warning (samples used, "),
        (without_warnings(run), "the config does not say whether donors were randomised to groups"),
    ]
    for case, ending in endings:
        assert f"Caution: {ending}" in story_of(case, config)
    declared = {**config, "design": {**config["design"], "randomised": True}}
    assert story_of(without_warnings(run), declared).endswith("hold for the cells used.")


@pytest.mark.parametrize(
    "shape",
    [
        Shape(groups=("all",), genes=60),
        SEVERAL,
        Shape(groups=tuple(f"g{i} a group of seven words" for i in range(7)), genes=60),
        Shape(groups=("AT", " ".join(["w"] * 60)), genes=60),
    ],
)
def test_it_has_at_most_120_words(shape: Shape, tmp_path: Path) -> None:
    run, config = made(tmp_path, shape)
    story = story_of(run, config)
    assert 30 < len(story.split()) <= MOST_WORDS
    assert not re.search(r"nan|None|\(\)|  ", story)
