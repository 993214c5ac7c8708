"""Every sentence on a target is true of its numbers: all cases, read by rules of their own."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.targets.few_pairs import Needed
from fibroserum.targets.phrases import phrases
from fibroserum.targets.verdict import Evidence, Rule
from helpers.target_verdicts import Judged, judge

CONTRASTS = {c.kind: c for c in contrasts_of(["AT", "RT"], "pre", "post")}


SINGLE = contrasts_of(["all"], "pre", "post")[0]


EFFECTS = (-0.5, -0.2, 0.2, 0.5)


UNFITTED = ("absent", "all_zero", "low_count", "not_converged", "outlier")


@dataclass(frozen=True)
class Case:
    """One case: the contrast, the groups' changes, the numbers, the rule, and what is said."""

    contrast: Contrast
    own: float
    other: float
    evidence: Evidence
    rule: Rule
    panel: int

    @property
    def verdict(self) -> Judged:
        said = phrases(self.contrast, self.own, self.other)
        return judge(self.evidence, self.rule, said, panel=self.panel)


def fitted(estimate: float, z: float, second: float, second_p: float, beyond: float) -> Evidence:
    """Return evidence of an estimate z standard errors from 0, tested beyond a threshold."""
    se = abs(estimate) / z
    p = float(2 * stats.norm.sf(max(abs(estimate) - beyond, 0) / se))
    return Evidence(
        "tested",
        estimate,
        se,
        ci_low=estimate - 1.96 * se,
        ci_high=estimate + 1.96 * se,
        panel_padj=min(1.0, 3 * p),
        second_estimate=second,
        second_panel_padj=second_p,
    )


def cases() -> Iterator[Case]:
    """Yield cases: kind, signs, significance, threshold, bounds, outliers, pools, one pair."""
    rules = [
        Rule(equivalence_lfc=bound, second_opinion=opinion, lfc_threshold=threshold)
        for bound in (None, 0.3)
        for opinion in ("voom", "none")
        for threshold in (0.0, 0.25)
    ]
    zs, seconds = (9.0, 4.4, 2.17, 1.0), (1e-5, 0.5, np.nan)
    groups = [(o, r) for o in EFFECTS for r in EFFECTS if o != r]
    for kind, contrast in [*CONTRASTS.items(), ("single", SINGLE)]:
        for own, other in groups:
            estimate = {"difference": own - other, "average": (own + other) / 2}.get(kind, own)
            if estimate == 0:
                continue
            for z, second_p, turned, rule in itertools.product(zs, seconds, (1, -1), rules):
                second = np.nan if rule.alone else turned * 0.9 * estimate
                if rule.alone and (turned < 0 or np.isfinite(second_p)):
                    continue
                plain = fitted(estimate, z, second, second_p, rule.lfc_threshold)
                yield Case(contrast, own, other, plain, rule, 12)
                yield Case(contrast, own, other, plain, rule, 1)
                for without, pools in itertools.product((0.1, 0.9, np.nan), ((), ("D3",))):
                    evidence = replace(
                        plain,
                        outlier="D3",
                        pools=frozenset(pools),
                        estimate_without=without * estimate,
                        se_without=plain.se,
                        panel_padj_without=0.4 if without == 0.1 else plain.panel_padj,
                    )
                    yield Case(contrast, own, other, evidence, rule, 12)
                named = None if kind == "single" else "RT"
                for left, pools in itertools.product((0.1, np.nan), ((), ("D3",))):
                    needed = Needed("D3", named, 2, left * estimate)
                    few = replace(plain, needed=needed, pools=frozenset(pools))
                    yield Case(contrast, own, other, few, rule, 12)
                alone = replace(plain, single="D1", single_group=named)
                yield Case(contrast, own, other, alone, rule, 12)
    for status in UNFITTED:
        yield Case(SINGLE, 0, 0, Evidence(status), rules[0], 12)


@pytest.fixture(scope="module")
def every() -> list[tuple[Case, Judged]]:
    return [(case, case.verdict) for case in cases()]


STRONG = fitted(0.5, 9.0, 0.45, 1e-5, 0)
WEAK = fitted(0.5, 2.17, 0.45, 0.5, 0)
D3 = {"outlier": "D3", "estimate_without": 0.05, "se_without": STRONG.se, "panel_padj_without": 0.4}
CHANGE, DIFFERENCE = CONTRASTS["change"], CONTRASTS["difference"]


@pytest.mark.parametrize(
    ("contrast", "own", "other", "evidence", "rule", "said"),
    [
        (CHANGE, 0.5, 0.2, STRONG, Rule(),
         "It rises in {0} by 41 % (log2 fold change 0.50, 95 % interval 0.39 to 0.61). Both "
         "models agree (panel FDR 6.77e-19, second model 1e-05)."),
        (DIFFERENCE, 0.7, 0.2, STRONG, Rule(second_opinion="none"),
         "It rises more in RT than in AT: the ratio of after to before in RT is 1.41 times the "
         "ratio in AT (log2 fold change 0.50, 95 % interval 0.39 to 0.61). Only the main model is "
         "used (panel FDR 6.77e-19)."),
        (CHANGE, 0.5, 0.2, replace(STRONG, second_panel_padj=0.5), Rule(),
         "The main model indicates that it rises in {0} (panel FDR 6.77e-19), but the second model "
         "does not confirm it (panel FDR 0.5). Estimate: log2 fold change 0.50, 95 % interval 0.39 "
         "to 0.61."),
        (SINGLE, 0.5, 0.2, replace(WEAK, second_panel_padj=1e-5), Rule(),
         "Only the second model indicates that it rises (panel FDR 1e-05); the main model does not "
         "confirm it (panel FDR 0.09). Estimate: log2 fold change 0.50, 95 % interval 0.05 to "
         "0.95."),
        (CHANGE, 0.5, 0.2, replace(STRONG, **D3), Rule(),
         "The finding that it rises in {0} (log2 fold change 0.50, 95 % interval 0.39 to 0.61) "
         "depends on a single donor, D3. Without this donor, whose own change is an outlier, the "
         "estimate is 0.05 (panel FDR 0.4)."),
        (SINGLE, 0.5, 0.2, fitted(0.5, 1.0, 0.45, 0.5, 0), Rule(),
         "The change is not established: its 95 % interval includes 0 (panel FDR 0.952). Estimate: "
         "log2 fold change 0.50, 95 % interval -0.48 to 1.48."),
        (SINGLE, 0.2, 0.2, fitted(0.2, 9.0, 0.18, 0.5, 0.2), Rule(equivalence_lfc=0.3),
         "The change is negligible: its 90 % interval (0.16 to 0.24) is within ± 0.3, the range "
         "declared as no change."),
    ],
)  # fmt: skip
def test_whole_sentences(
    contrast: Contrast, own: float, other: float, evidence: Evidence, rule: Rule, said: str
) -> None:
    found = Case(contrast, own, other, evidence, rule, 12).verdict.reason
    assert found == said.format(contrast.group)


def test_sentences_are_whole(every: list[tuple[Case, Judged]]) -> None:
    for _, verdict in every:
        text = verdict.reason
        assert text[0].isupper(), text
        assert text.endswith("."), text
        assert not re.search(r"nan|None|\b1 targets|  | ,|;;|\.\.", text), text


def test_what_is_said_of_directions_is_what_was_estimated(
    every: list[tuple[Case, Judged]],
) -> None:
    """Any claim of more or less, up or down, is held against the groups' own changes."""
    held = 0
    for case, verdict in every:
        sign = case.evidence.estimate
        if "Only the second" in verdict.reason:
            sign = case.evidence.second_estimate
        claims = {
            "rises more": sign > 0 and case.own > case.other > 0,
            "rises less": sign < 0 and case.other > case.own > 0,
            "falls more": sign < 0 and case.own < case.other < 0,
            "falls less": sign > 0 and case.other < case.own < 0,
            "is higher in": sign > 0,
            "is lower in": sign < 0,
            "rises on average": sign > 0,
            "falls on average": sign < 0,
            "it rises in RT": sign > 0,
            "it falls in RT": sign < 0,
        }
        for claim, true in claims.items():
            if claim in verdict.reason:
                held += 1
                assert true, (verdict.reason, case)
    assert held > 1000


def test_what_is_said_of_intervals_and_thresholds_is_so(every: list[tuple[Case, Judged]]) -> None:
    met: Counter[str] = Counter()
    for case, verdict in every:
        text, evidence, rule = verdict.reason, case.evidence, case.rule
        contains = evidence.ci_low <= 0 <= evidence.ci_high
        nearest = max(evidence.ci_low, -evidence.ci_high)
        narrow = abs(evidence.estimate) + 1.645 * evidence.se
        bound = np.nan if rule.equivalence_lfc is None else rule.equivalence_lfc
        claims = {
            "includes 0": contains,
            "excludes 0": not contains,
            "is beyond ±": nearest > rule.lfc_threshold > 0,
            "not shown to exceed": 0 < nearest <= rule.lfc_threshold,
            "by more than": rule.lfc_threshold > 0,
            "after adjustment for": f"for {case.panel} targets" in text and case.panel > 1,
            "is not within ±": narrow > bound,
            "the range declared as negligible": narrow <= bound + 1e-9,
            "declared as no change": narrow <= bound + 1e-9,
        }
        said = [claim for claim in claims if claim in text]
        met.update(said)
        for claim in said:
            assert claims[claim], (claim, text, case)
        if verdict.word == "no_change":
            met["no_change"] += 1
            assert narrow <= bound + 1e-9
    assert set(met) == {*claims, "no_change"}


def test_the_size_of_a_difference_is_a_ratio_of_ratios(
    every: list[tuple[Case, Judged]],
) -> None:
    seen = 0
    for case, verdict in every:
        if verdict.word in ("up", "down"):
            ratio = (
                f"after to before in RT is {2**case.evidence.estimate:.2f} times the ratio in AT"
            )
            assert (ratio in verdict.reason) == (case.contrast.kind == "difference")
            assert (" by " in verdict.reason) != (case.contrast.kind == "difference")
            seen += 1
    assert seen > 100


def test_models_are_named_only_where_they_were_asked(every: list[tuple[Case, Judged]]) -> None:
    met: Counter[str] = Counter()
    for case, verdict in every:
        if "second model" in verdict.reason:
            met["second model"] += 1
            assert not case.rule.alone
        if "Both models agree" in verdict.reason:
            met["Both models agree"] += 1
            assert verdict.word in ("up", "down")
            assert not case.rule.alone
        if "Only the main model is used" in verdict.reason:
            met["only the main model"] += 1
            assert case.rule.alone
    assert len(met) == 3


def test_donors_and_pools_are_told_apart(every: list[tuple[Case, Judged]]) -> None:
    for case, verdict in every:
        evidence, text = case.evidence, verdict.reason
        named = evidence.outlier or (evidence.needed and evidence.needed.donor)
        if named in evidence.pools:
            assert not re.search(r"donor D|this donor", text, re.IGNORECASE), text
        elif "pool" in text.lower():
            raise AssertionError(text)
        if evidence.single:
            assert (verdict.word, verdict.driven_by_one_donor) == ("inconclusive", True)
            unit = "donor" if case.contrast.kind == "baseline" else "pair"
            named = "D1" if unit == "donor" else "donor D1"
            assert f"only one {unit} ({named})" in text
