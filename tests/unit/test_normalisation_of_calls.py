"""Factors without changed genes: one-sided and balanced change, and where none can be told."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.accessors import settings_of
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.models import Model, paired_model
from fibroserum.cohort.size_factors import size_factors
from fibroserum.cohort.storage import read_fits, write_h5ad
from fibroserum.de import normalisation
from fibroserum.de.fitting import fit_model
from fibroserum.de.normalisation import MOST, Normalisation, normalise
from fibroserum.de.second_model import well_counted
from fibroserum.de.settings import FitSettings, SecondOpinion, Steps
from fibroserum.de.stage import result_table
from fibroserum.qc.check import Check
from fibroserum.qc.normalisation import normalisation as check

GENES, PAIRS = 800, 10


def cohort(
    rising: float, falling: float, seed: int, size: float = 0.8
) -> tuple[pd.DataFrame, Model, np.ndarray]:
    """Return counts of one group, their model, and the true changes (log2)."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(5, 1.2, GENES)
    dispersion = 0.03 + 1 / mean
    change = np.zeros(GENES)
    up, down = int(rising * GENES), int(falling * GENES)
    change[:up], change[up : up + down] = size, -size
    rows, sheet = [], []
    for donor in range(PAIRS):
        level = rng.normal(0, 0.4, GENES)
        for time in ("pre", "post"):
            mu = mean * 2 ** (level + change * (time == "post") + rng.normal(0, 0.3))
            rows.append(rng.poisson(rng.gamma(1 / dispersion, dispersion) * mu))
            sheet.append({"donor": f"D{donor}", "group": "RT", "time": time})
    obs = pd.DataFrame(sheet, index=[f"s{n:02d}" for n in range(len(sheet))])
    genes = [f"g{n:03d}" for n in range(GENES)]
    contrasts = contrasts_of(["RT"], "pre", "post")
    model = paired_model(obs, ["RT"], "post", contrasts, crossover=False)
    return pd.DataFrame(rows, obs.index, genes), model, change


def factors_of(counts: pd.DataFrame, model: Model, **steps: bool) -> Normalisation:
    first = pd.Series(size_factors(counts.to_numpy())[0], counts.index)
    well = well_counted(counts, model, pd.Series(False, counts.columns))
    return normalise(counts, well, model, first, FitSettings(steps=Steps(**steps)))


def bias(counts: pd.DataFrame, factors: pd.Series, unchanged: np.ndarray) -> float:
    """Return the mean log2 change of unchanged genes after division by factors."""
    logs = np.log2(counts.div(factors, axis=0) + 0.5).to_numpy()[:, unchanged]
    return float((logs[1::2] - logs[::2]).mean())


@pytest.mark.parametrize("rising", [0.1, 0.3])
def test_a_one_sided_change_leaves_no_bias(rising: float) -> None:
    before, after, tmm = [], [], []
    for seed in range(4):
        counts, model, change = cohort(rising, 0, seed)
        first = factors_of(counts, model, renormalise=False)
        found = factors_of(counts, model)
        assert first.outcome == "off"
        assert found.outcome == "settled"
        assert 1 <= found.rounds <= normalisation.ROUNDS
        assert len(found.left_out) <= MOST * GENES
        before.append(bias(counts, first.size_factors, change == 0))
        after.append(bias(counts, found.size_factors, change == 0))
        effective = counts.sum(axis=1) * found.norm_factors
        tmm.append(bias(counts, effective / effective.mean(), change == 0))
        assert set(counts.columns[change > 0]) & set(found.left_out)
    assert np.mean(before) < -0.05
    assert np.mean(after) == pytest.approx(0, abs=0.025)
    assert np.mean(tmm) == pytest.approx(0, abs=0.025)


def test_a_balanced_change_moves_nothing() -> None:
    counts, model, change = cohort(0.1, 0.1, 7)
    first = factors_of(counts, model, renormalise=False)
    found = factors_of(counts, model)
    assert found.outcome == "settled"
    for one in (first, found):
        assert bias(counts, one.size_factors, change == 0) == pytest.approx(0, abs=0.02)


def test_without_a_change_the_first_factors_stay() -> None:
    kept = 0
    for seed in range(6):
        counts, model, _ = cohort(0, 0, seed)
        found, first = factors_of(counts, model), factors_of(counts, model, renormalise=False)
        assert len(found.left_out) < 0.02 * GENES
        kept += found.outcome == "nothing_changed"
        # a gene called by chance moves hardly anything
        assert np.abs(np.log2(found.norm_factors / first.norm_factors)).max() < 0.01
    assert kept >= 3


@pytest.mark.parametrize("second", ["limma_trend", "none"])
def test_where_most_genes_fall_no_unchanged_gene_is_called(second: SecondOpinion) -> None:
    """Size factors take the fall for depth; calls have to hold without it."""
    counts, model, change = cohort(0, 0.45, 8)
    first = pd.Series(size_factors(counts.to_numpy())[0], counts.index)
    never = pd.Series(False, counts.columns)
    fit = fit_model(counts, model, first, never, FitSettings(second_opinion=second))
    assert fit.uns["model"]["normalisation"] == "too_many"
    table = result_table(fit, "RT_post_vs_pre", pd.Series("", counts.columns), 0.05)
    false = ((table["call"] == "up") & (change == 0)).sum()
    # without a second model nothing withholds them: the check says so
    called = int((table["call"] != "none").sum())
    assert called > 100
    assert (false > 0.3 * called) if second == "none" else (false < 0.15 * called)


def test_where_most_genes_change_the_first_factors_stay_with_a_warning() -> None:
    counts, model, _ = cohort(0.3, 0.3, 3)
    found = factors_of(counts, model)
    assert found.outcome == "too_many"
    assert found.left_out.empty
    pd.testing.assert_series_equal(
        found.size_factors, factors_of(counts, model, renormalise=False).size_factors
    )
    assert found.other is not None
    row = checked(counts, model, ["g000", "g700"])
    assert row.level == "warning"
    assert row.message.startswith("more than 40 % of the genes change")


def checked(counts: pd.DataFrame, model: Model, targets: list[str]) -> Check:
    """Return the row of `qc/checks.tsv` of a fit of the counts."""
    first = pd.Series(size_factors(counts.to_numpy())[0], counts.index)
    kept = pd.Series(counts.columns.isin(targets), counts.columns)
    fit = fit_model(counts, model, first, kept, FitSettings())
    whole = ad.AnnData(
        counts.to_numpy(),
        pd.DataFrame(index=counts.index),
        pd.DataFrame({"target": kept, "symbol": counts.columns}, index=counts.columns),
    )
    whole.uns["fibroserum"] = {
        "groups": ["RT"],
        "covariates": [],
        "lines": [],
        "notes": [],
        "crossover": False,
        "targets": targets,
        "target_genes": targets,
    }
    assert settings_of(whole)["block"] is None
    with TemporaryDirectory() as folder:
        # as a job has it
        write_h5ad(fit, f"{folder}/paired.h5ad")
        (row,) = check(whole, read_fits([f"{folder}/paired.h5ad"]))
    return row


def test_the_check_names_targets_whose_answers_differ() -> None:
    """Most genes rise: an unchanged target falls by one set of factors and not by the other."""
    counts, model, change = cohort(0.55, 0, 4)
    targets = [str(gene) for gene in counts.columns[change == 0][:12]]
    row = checked(counts, model, targets)
    assert row.level == "warning"
    assert "answers of the second model (voom) depend on this choice for" in row.message
    assert "Look at the MA plots" in row.advice
    assert any(target in row.message for target in targets)
    assert " or log2 fold change " in row.message


@pytest.mark.parametrize("rising", [0.0, 0.1])
def test_the_check_says_what_was_left_out(rising: float) -> None:
    counts, model, _ = cohort(rising, 0, 5)
    row = checked(counts, model, ["g700"])
    assert row.level == "ok"
    assert ("were estimated without" in row.message) == bool(rising)


def test_samples_in_another_order_have_the_same_factors() -> None:
    counts, model, _ = cohort(0.1, 0, 6)
    found = factors_of(counts, model)
    order = np.random.default_rng(1).permutation(len(counts))
    moved = paired_model(
        pd.DataFrame(
            {"donor": model.units, "group": model.groups, "time": ["pre", "post"] * PAIRS}
        ).iloc[order],
        ["RT"],
        "post",
        contrasts_of(["RT"], "pre", "post"),
        crossover=False,
    )
    again = factors_of(counts.iloc[order], moved)
    assert list(again.left_out) == list(found.left_out)
    for name in ("size_factors", "norm_factors"):
        first, second = getattr(found, name), getattr(again, name)
        pd.testing.assert_series_equal(first, second.loc[first.index], rtol=1e-9)
