"""Short calibrations of slopes on an outcome; benchmarks/calibrate_outcomes.py is the long one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from outcome_cohorts import SETTINGS, outcome_cohort

from fibroserum.multiple_testing import benjamini_hochberg
from fibroserum.outcomes.pairs import outcome_slope
from fibroserum.slopes.design import Question
from fibroserum.slopes.model import SlopeSteps, with_own_variance

PLAIN = SlopeSteps(group_wise=False, pair_ratio=False, hc3_beyond=np.inf, deletion=False)
QUESTIONS: tuple[Question, ...] = ("change", "baseline")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("spread", ["equal", "groups", "donor"])
def test_null_genes_are_rarely_called(question: Question, spread: str) -> None:
    false, plain, found = [], [], []
    for seed in range(12):
        drawn = outcome_cohort(
            10, spread=spread, shape="outlier", true=0.1, question=question, genes=300, seed=seed
        )
        never = pd.Series(False, index=drawn.counts.columns)
        for steps, rates in ((SlopeSteps(), false), (PLAIN, plain)):
            table = outcome_slope(
                drawn.counts,
                drawn.obs,
                SETTINGS,
                drawn.pairs,
                never,
                name="thickness",
                question=question,
                steps=steps,
            ).table
            null = ~drawn.true[table.index]
            rates.append(float((table["pvalue"][null] < 0.01).mean()))
            if steps != PLAIN:
                called = benjamini_hochberg(table["pvalue"].to_numpy()) < 0.05
                found.append((called & null.to_numpy()).sum() / max(called.sum(), 1))
    assert np.mean(false) < 0.015
    assert np.mean(found) <= 0.05 + 2 * np.std(found) / np.sqrt(len(found))
    if spread != "equal":
        assert np.mean(plain) > np.mean(false)


@pytest.mark.parametrize("question", QUESTIONS)
def test_named_genes_that_vary_more_than_others_are_rarely_called(question: Question) -> None:
    named, moderated, own = 20, [], []
    for seed in range(12):
        drawn = outcome_cohort(
            12, spread="equal", shape="normal", true=0.0, question=question, genes=300, seed=seed
        )
        rng = np.random.default_rng(seed)
        # between donors where expression before is asked, between samples where its change is
        keys = drawn.obs["donor"] if question == "baseline" else drawn.obs.index
        codes, levels = pd.factorize(keys)
        factor = 2.0 ** rng.normal(0, 0.8, (len(levels), named))[codes]
        counts = drawn.counts.copy()
        counts.iloc[:, :named] = rng.poisson(counts.iloc[:, :named] * factor)
        model = outcome_slope(
            counts,
            drawn.obs,
            SETTINGS,
            drawn.pairs,
            pd.Series(False, index=counts.columns),
            name="thickness",
            question=question,
        )
        kept = model.table.index.intersection(counts.columns[:named])
        moderated.append((model.table.loc[kept, "pvalue"] < 0.01).mean())
        alone = with_own_variance(model, drawn.obs["group"])
        own.append((alone.loc[kept, "pvalue"] < 0.01).mean())
        assert alone["slope"].equals(model.table["slope"])
    assert np.mean(own) <= 0.01 + 2 * np.std(own) / np.sqrt(len(own))
    assert np.mean(moderated) > 2 * np.mean(own)
