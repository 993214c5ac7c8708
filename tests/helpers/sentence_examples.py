"""One example of each sentence on targets, outcomes, molecules, chains and several cohorts.

The functions that make the sentences are called with numbers that reach each of their branches.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.targets import baseline, context, power
from fibroserum.targets.all_groups import all_groups_sentence
from fibroserum.targets.few_pairs import Needed
from fibroserum.targets.genome_wide import genome_wide_sentence
from fibroserum.targets.leave_one_out_words import LeftOut, leave_one_out_sentence
from fibroserum.targets.patterns import Comparison, pattern_table
from fibroserum.targets.phrases import phrases
from fibroserum.targets.planning_words import planning_sentences
from fibroserum.targets.sentences import (
    UNFITTED,
    headline_caveat,
    reason,
    rising_donors,
    unequal_variance_caveat,
)
from fibroserum.targets.untestable import untestable_reason
from fibroserum.targets.verdict import Evidence, Rule, Verdict, judge
from helpers import sentence_examples_more as more

OF_TWO = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}
CHANGE, DIFFERENCE = OF_TWO["change"], OF_TWO["difference"]
SINGLE = contrasts_of(["all"], "pre", "post")[0]
ARM = ("RT", "post")
DOSE = Contrast("RT_dose", "dose", "RT", None, "dose", ((ARM, 1.0),), "pre", "post", "hours")
DOSES = replace(DOSE, name="RT_vs_AT_dose", kind="dose_difference", reference="AT")
OWN = Contrast("late_minus_early", "own", None, None, "paired", ((ARM, 1.0),), "pre")
RISE = Evidence(
    "tested",
    0.4,
    0.1,
    ci_low=0.2,
    ci_high=0.6,
    panel_padj=0.001,
    second_estimate=0.38,
    second_panel_padj=0.004,
)
OUTLIER = replace(RISE, outlier="RT03", estimate_without=0.1, se_without=0.1)
OUTLIER = replace(OUTLIER, panel_padj_without=0.4)
UNSURE = replace(RISE, panel_padj=0.2, second_panel_padj=0.3)
PLAIN, ALONE = Rule(), Rule(second_opinion="none")
BOUND, THRESHOLD = Rule(equivalence_lfc=0.3), Rule(lfc_threshold=0.25)


def verdict_reasons() -> Iterator[str]:
    """Yield the reason of each ground of a verdict, and the caveats that are added to it."""
    said = phrases(CHANGE)

    def of(evidence: Evidence, rule: Rule = PLAIN, panel: int = 12) -> str:
        return reason(judge(evidence, rule), evidence, rule, said, panel=panel)

    fall = replace(RISE, estimate=-0.4, ci_low=-0.6, ci_high=-0.2, second_estimate=-0.4)
    for contrast in (*OF_TWO.values(), SINGLE, DOSE, DOSES, OWN):
        for evidence, changes in ((RISE, (0.6, 0.2)), (fall, (0.2, 0.6))):
            own = phrases(contrast, *changes)
            yield reason(Verdict("up", "called"), evidence, Rule(), own)
    for own, other in ((-0.2, -0.6), (-0.6, -0.2), (0.2, -0.2), (-0.2, 0.2)):
        evidence = RISE if own > other else fall
        yield reason(Verdict("up", "called"), evidence, Rule(), phrases(DIFFERENCE, own, other))
    for contrast in (DIFFERENCE, OF_TWO["average"], OF_TWO["baseline"], DOSE, DOSES, OWN):
        yield reason(Verdict("inconclusive", "open"), UNSURE, Rule(), phrases(contrast), panel=12)
    tiny = replace(RISE, estimate=0.004, ci_low=0.001, ci_high=0.007)
    yield of(tiny)
    late = phrases(CHANGE, several=True)
    yield reason(Verdict("up", "called"), RISE, Rule(), late)
    yield from (of(Evidence(status)) for status in ("absent", "outlier", *UNFITTED))
    yield from (of(replace(RISE, blocks=blocks)) for blocks in (1, 3))
    yield of(replace(RISE, single="RT01", single_group="RT"))
    yield of(replace(RISE, single="P1", pools=frozenset({"P1"})))
    kept = replace(OUTLIER, estimate_without=0.35, panel_padj_without=0.002)
    yield from (of(kept), of(replace(RISE, panel_padj=0.0), ALONE), of(RISE, THRESHOLD))
    small = replace(RISE, estimate=0.06, se=0.01, ci_low=0.04, ci_high=0.08)
    yield of(small, BOUND)
    flat = replace(UNSURE, estimate=0.02, ci_low=-0.18, ci_high=0.22)
    yield of(flat, BOUND)
    flat = replace(flat, outlier="RT03", se_without=0.1, estimate_without=0.01)
    yield of(replace(flat, panel_padj_without=0.4), BOUND)
    yield of(replace(flat, estimate_without=0.3, panel_padj_without=0.01), BOUND)
    yield from (of(OUTLIER), of(replace(OUTLIER, estimate_without=np.nan)))
    yield of(replace(OUTLIER, estimate_without=0.3))
    for left in (0.1, np.nan):
        yield of(replace(RISE, needed=Needed("RT01", "RT", 2, left)))
    yield of(replace(RISE, needed=Needed("D1", None, 3, 0.1)))
    yield of(replace(RISE, second_panel_padj=np.nan))
    yield of(replace(RISE, second_estimate=-0.3))
    yield of(replace(RISE, unsettled=True, other_estimate=0.1, other_panel_padj=0.3))
    yield of(replace(RISE, ci_low=-0.1))
    yield from (of(replace(RISE, second_panel_padj=0.2), rule) for rule in (Rule(), THRESHOLD))
    yield of(replace(RISE, panel_padj=0.2))
    yield from (of(UNSURE), of(UNSURE, panel=1), of(replace(UNSURE, ci_low=0.3), THRESHOLD))
    yield of(UNSURE, THRESHOLD)
    yield of(replace(UNSURE, ci_low=-0.2))
    yield of(replace(UNSURE, ci_low=np.nan, ci_high=np.nan), BOUND)
    yield untestable_reason("fewer than two pairs")
    yield rising_donors({"RT": (8, 9), "AT": (3, 8)}).strip()
    yield unequal_variance_caveat(1.6).strip()
    yield headline_caveat(0.06, 5).strip()


def genome_wide() -> Iterator[str]:
    """Yield how a verdict and the genome-wide call differ."""
    row = {"call": "none", "weighted_padj": 0.08, "second_weighted_padj": 0.07}
    yield genome_wide_sentence(Verdict("up", "called"), row, 14_000, 12, 0.05)
    yield genome_wide_sentence(Verdict("up", "called"), row, 14_000, 1, 0.05)
    filtered = row | {"weighted_padj": np.nan}
    yield genome_wide_sentence(Verdict("up", "called"), filtered, 14_000, 12, 0.05)
    called = {"call": "up", "weighted_padj": 0.01, "second_weighted_padj": 0.02}
    yield genome_wide_sentence(Verdict("inconclusive", "outlier"), called, 14_000, 12, 0.05)
    yield genome_wide_sentence(Verdict("untestable", "few_blocks"), called, 14_000, 12, 0.05)
    yield genome_wide_sentence(Verdict("up", "called"), called | {"call": "none"}, 14_000, 12, 0.05)


def leave_one_out() -> Iterator[str]:
    """Yield what holds without any single donor."""
    many = ("D1", "D2", "D3", "D4")
    for verdict, found in [
        ("up", LeftOut(9)),
        ("up", LeftOut(9, falls=("SK-108",))),
        ("up", LeftOut(9, falls=many[:2])),
        ("up", LeftOut(9, falls=many)),
        ("up", LeftOut(9, moved=("D1",), falls=("D1",))),
        ("up", LeftOut(9, moved=("D1",), falls=many[:2])),
        ("up", LeftOut(9, lost=("D1",), complete=False)),
        ("inconclusive", LeftOut(9)),
        ("no_change", LeftOut(9, falls=("D1",))),
    ]:
        yield leave_one_out_sentence(verdict, found)


def baselines() -> Iterator[str]:
    """Yield notes on the baseline, and the caveats that they add to a difference."""
    for randomised in (True, False, None):
        yield _note(randomised, 0.4, 0.6)
        yield baseline.regression_clause(_start(randomised, -0.3, 0.1), called=True)
    yield _note(True, 0.0, 0.6)
    yield _note(True, 3.0, 1.2)
    yield baseline.regression_clause(_start(True, -0.7, -0.1), called=False)
    levels = pd.DataFrame({"before": [1.0, 1.0], "after": [2.0, 3.0]})
    for table, df in ((levels * 0 - 1, 5), (levels, -1), (levels, 5)):
        yield baseline._unadjusted(table, df)


def _start(randomised: bool | None, low: float, high: float) -> dict[str, object]:
    return {
        "group": "RT", "reference": "AT", "baseline_difference": 0.4, "baseline_ci_low": 0.1,
        "baseline_ci_high": 0.7, "change_difference": -0.3, "slope": 0.5,
        "ancova_difference": (low + high) / 2, "ancova_ci_low": low, "ancova_ci_high": high,
        "randomised": randomised,
    }  # fmt: skip


def _note(randomised: bool | None, difference: float, slope: float) -> str:
    pvalue = 1e-6 if difference > 1 else 0.04
    start = baseline.Estimate(difference, difference - 0.3, difference + 0.3, pvalue)
    adjusted = baseline.Adjusted(baseline.Estimate(0.38, 0.1, 0.66, 0.01), slope)
    return baseline._note(start, baseline.Estimate(0.28), adjusted, "RT", "AT", randomised)


def patterns() -> Iterator[str]:
    """Yield the sentences on two groups, and on three."""
    cases = [
        (0.5, 0.4, "both", "inconclusive", 0.01, 0.9),
        (-0.5, -0.1, "both", "down", 0.01, 0.9),
        (0.5, 0.1, "RT", "up", 0.2, 0.01),
        (0.9, 0.3, "RT", "up", 0.2, 0.01),
        (0.5, 0.1, "RT", "up", 0.2, 0.5),
        (0.5, 0.3, "AT", "up", 0.2, 0.9),
        (0.3, -0.3, "", "up", 0.2, 0.9),
        (0.5, -0.5, "both", "up", 0.01, 0.9),
        (0.5, 0.1, "both", "up", 0.2, 0.9),
        (0.5, 0.1, "RT", "inconclusive", 0.2, 0.9),
        (0.5, 0.4, "both", "inconclusive", 0.2, 0.9),
        (0.1, 0.1, "", "inconclusive", np.nan, 0.9),
    ]
    for case in cases:
        yield _pattern(*case)
    yield _pattern(0.5, 0.1, "RT", "up", 0.2, 0.01, rule=BOUND)
    row = {"verdict": "up", "log2FoldChange": 0.5, "detectable_lfc": 0.35}
    opened = row | {"verdict": "inconclusive", "log2FoldChange": 0.1}
    flat = row | {"verdict": "no_change", "log2FoldChange": 0.0}
    none = {"verdict": "untestable", "log2FoldChange": np.nan, "detectable_lfc": np.nan}
    yield all_groups_sentence(
        {"CON": opened, "AT": opened, "RT": row},
        {"AT against CON": opened, "RT against CON": row | {"log2FoldChange": 0.4}},
    )
    yield all_groups_sentence({"CON": flat, "AT": row, "RT": none}, {"AT against CON": row})


def _pattern(
    own: float, other: float, called: str, difference: str, p: float, half: float, **more: Rule
) -> str:
    estimates = {"RT": own, "AT": other, "difference": own - other}
    rows = {}
    for name, value in estimates.items():
        word = ("up" if value > 0 else "down") if called in (name, "both") else "inconclusive"
        if name == "difference":
            p = 0.2 if difference == "inconclusive" else 0.01
        row = {
            "gene_id": "T", "log2FoldChange": value, "second_log2FoldChange": value,
            "ci_low": value - 0.25, "ci_high": value + 0.25, "pvalue": p, "second_pvalue": p,
            "panel_padj": p, "second_panel_padj": p,
            "verdict": difference if name == "difference" else word,
            "driven_by_one_donor": False, "start": "", "detectable_lfc": 0.48,
        }  # fmt: skip
        rows[name] = pd.DataFrame([row], index=["T"])
    halves = pd.DataFrame({"RT": half, "AT": half}, index=["T"])
    parts = Comparison("RT", "AT", rows["RT"], rows["AT"], rows["difference"], halves)
    return str(pattern_table(parts, more.get("rule", Rule()))["sentence"].iloc[0])


def powers() -> Iterator[str]:
    """Yield what this study, and a further one, would detect."""
    precision = power.Precision(0.15, np.nan, np.nan)
    row = partial(power.power_row, "BGN", panel=12, rule=ALONE)
    for source in ("published", "fixed"):
        effect = power.Effect(0.3, source)
        own = row(DIFFERENCE, {"AT": 8, "RT": 9}, precision, effect=effect)
        yield str(own["sentence"])
    for contrast, members, known, testable in [
        (OF_TWO["baseline"], {"AT": 8, "RT": 9}, precision, True),
        (DOSE, {"RT": 9}, precision, True),
        (CHANGE, {"RT": 1}, precision, True),
        (SINGLE, {"all": 1}, precision, True),
        (CHANGE, {"RT": 9}, precision, False),
        (CHANGE, {"RT": 9}, None, True),
    ]:
        own = row(contrast, members, known, effect=effect, testable=testable)
        yield str(own["sentence"])
    planned = {
        "target": "BGN", "pairs": 20, "power": 0.62, "power_low": 0.4, "power_high": 0.8,
        "effect": 0.3, "detectable_lfc": 0.36,
    }  # fmt: skip
    rows = [planned | {"contrast": name} for name in ("RT_post_vs_pre", "slope", "slope_week8")]
    rows += [planned | {"contrast": "RT_post_vs_pre", "power_low": np.nan}]
    yield from planning_sentences(pd.DataFrame(rows), "BGN", {"RT_post_vs_pre": "RT: change"})


def contexts() -> Iterator[str]:
    """Yield the sentences on footprints, patterns and receptors."""
    settings = context.ContextSettings("TGF-beta", {"BGN": "up", "DCN": "down"}, {})
    signs = [(1, -1), (1, 1), (-1, 1), (1, 0), (0, None)]
    for own in signs:
        yield context.pattern_sentence(
            dict(zip(("BGN", "DCN"), own, strict=True)), CHANGE, settings
        )
    for contrast in (DIFFERENCE, DOSE, DOSES, OWN, OF_TWO["baseline"]):
        yield context.pattern_sentence({"BGN": 1, "DCN": -1}, contrast, settings)
    noted = {"after": "post", "control": ""}
    for name, sign in itertools.product(context.FOOTPRINTS, (1, 0, None)):
        said = context._score_sentence(sign, CHANGE, noted)
        yield f"{said}.{context._caution(name, sign, CHANGE)}"
    yield context.unscored_sentence(2)
    for genes, mean in ((0, 0.0), (1, 3.2), (1, 250.0)):
        yield context.receptor_sentence("CCR10", "CCL28", genes, mean)


GROUPS: dict[str, Callable[[], Iterator[str]]] = {
    "Reasons of verdicts": verdict_reasons,
    "The genome-wide call, where it differs from the verdict": genome_wide,
    "Leaving out one donor": leave_one_out,
    "Baseline": baselines,
    "Patterns over two groups, and over three or more": patterns,
    "Power and planning": powers,
    "Context: footprints, patterns of genes, receptors": contexts,
    "Why a gene is not called": more.calls,
    "Factors: what their responsive genes did, and the first target": more.factors,
    "Outcomes": more.outcomes,
    "Serum panel: candidates": more.candidates,
    "Chain": more.chains,
    "Several cohorts": more.syntheses,
}
