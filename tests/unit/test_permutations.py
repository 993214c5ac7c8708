"""Relabelling donors: which labels are exchanged, and that the counts mean what they say."""

from __future__ import annotations

from math import comb

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum import linear, tables
from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.cohort.models import models_of
from fibroserum.de.stage import result_table
from fibroserum.permutations.engine import (
    bars_of,
    engine_of,
    linear_test,
    main_test,
    passing,
    permuted,
)
from fibroserum.permutations.labels import Permutations, draw_permutations
from fibroserum.permutations.stage import logged, permutation_tables
from helpers.factor_cohort import GENES, Options, fits_of, make_cohort

SETTINGS = {
    "groups": ["AT", "RT"],
    "before": "pre",
    "after": "post",
    "crossover": False,
    "covariates": [],
}
CHANGED = np.r_[np.full(60, 1.0), np.zeros(GENES - 60)]


def _obs(donors: dict[str, int], *, crossover: bool = False) -> pd.DataFrame:
    rows = [
        {"donor": f"D{i}" if crossover else f"{group}{i}", "group": group, "time": time}
        for group, number in donors.items()
        for i in range(number)
        for time in ("pre", "post")
    ]
    return pd.DataFrame(rows, index=[f"s{i}" for i in range(len(rows))])


def _counts(obs: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.poisson(50, (len(obs), 8)), index=obs.index)


def _contrast(kind: str) -> Contrast:
    return next(c for c in contrasts_of(["AT", "RT"], "pre", "post") if c.kind == kind)


def _relabel(
    kind: str, obs: pd.DataFrame, limit: int, *, crossover: bool = False, seed: int = 1
) -> Permutations:
    settings = SETTINGS | {"crossover": crossover}
    rng = np.random.default_rng(seed)
    return draw_permutations(_contrast(kind), obs, _counts(obs), settings, limit, rng)


def _labels(obs: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Return the labels that a relabelling gives: group and time of the places taken."""
    taken = obs.iloc[rows].set_axis(obs.index)
    return obs.assign(group=taken["group"], time=taken["time"])


@pytest.mark.parametrize(
    ("kind", "crossover", "expected"),
    [
        ("change", False, 2**3 - 1),
        ("average", False, 2**8 - 1),
        ("difference", False, comb(9, 4) - 1),
        ("change", True, 2**4 - 1),
        ("average", True, 2**4 - 1),
        ("difference", True, 2**4 - 1),
    ],
)
def test_every_distinct_relabelling_is_used_where_there_are_few(
    kind: str, crossover: bool, expected: int
) -> None:
    donors = {"AT": 5, "RT": 5} if crossover else {"AT": 4, "RT": 5}
    obs = _obs(donors, crossover=crossover)
    found = _relabel(kind, obs, 1000, crossover=crossover)
    assert found.exact
    assert len(found.rows) == expected
    assert len({tuple(rows) for rows in found.rows}) == expected
    assert all((rows != np.arange(len(obs))).any() for rows in found.rows)


def test_groups_of_equal_size_have_no_mirror_images() -> None:
    found = _relabel("difference", _obs({"AT": 4, "RT": 4}), 1000)
    assert len(found.rows) == comb(8, 4) // 2 - 1


def test_a_change_flips_donors_of_its_group_alone() -> None:
    obs = _obs({"AT": 4, "RT": 5})
    for rows in _relabel("change", obs, 1000).rows:
        labels = _labels(obs, rows)
        assert (labels["group"] == obs["group"]).all()
        moved = labels["time"] != obs["time"]
        assert set(obs.loc[moved, "group"]) == {"AT"}
        assert moved.groupby(obs["donor"]).nunique().eq(1).all()


def test_a_difference_moves_whole_donors_between_groups() -> None:
    obs = _obs({"AT": 4, "RT": 5})
    for rows in _relabel("difference", obs, 60).rows:
        labels = _labels(obs, rows)
        assert (labels["time"] == obs["time"]).all()
        assert labels.groupby("donor")["group"].nunique().eq(1).all()
        assert labels.groupby("donor")["group"].first().value_counts().to_dict() == {
            "AT": 4,
            "RT": 5,
        }


def test_a_crossover_swaps_groups_within_donors() -> None:
    obs = _obs({"AT": 5, "RT": 5}, crossover=True)
    for rows in _relabel("difference", obs, 1000, crossover=True).rows:
        labels = _labels(obs, rows)
        assert (labels["time"] == obs["time"]).all()
        moved = (labels["group"] != obs["group"]).groupby(obs["donor"])
        assert moved.nunique().eq(1).all()


@pytest.mark.parametrize("size", [{"AT": 9, "RT": 8}, {"AT": 30, "RT": 40}])
def test_relabellings_are_drawn_without_replacement(size: dict[str, int]) -> None:
    obs = _obs(size)
    for kind in ("change", "difference", "average"):
        found = _relabel(kind, obs, 80)
        assert not found.exact
        assert len({tuple(rows) for rows in found.rows}) == 80


def test_one_pair_has_no_relabelling() -> None:
    found = _relabel("change", _obs({"AT": 1, "RT": 4}), 100)
    assert found.exact
    assert found.rows == ()


def test_names_and_order_of_donors_leave_the_relabellings() -> None:
    obs = _obs({"AT": 9, "RT": 8})
    counts = _counts(obs)
    order = np.random.default_rng(3).permutation(len(obs))
    names = {d: f"P{i * 5 % 19:02d}" for i, d in enumerate(sorted(set(obs["donor"])))}
    other = obs.iloc[order].assign(donor=obs["donor"].map(names))
    for kind in ("change", "difference", "average"):
        found = [
            draw_permutations(
                _contrast(kind), o, counts.loc[o.index], SETTINGS, 20, np.random.default_rng(1)
            )
            for o in (obs, other)
        ]
        seen = [
            [
                tuple(_labels(o, rows).loc[obs.index, ["group", "time"]].to_numpy().ravel())
                for rows in f.rows
            ]
            for o, f in zip((obs, other), found, strict=True)
        ]
        assert seen[0] == seen[1]


@pytest.fixture(scope="module")
def cohort() -> ad.AnnData:
    return make_cohort(Options(donors={"AT": 8, "RT": 8}, slopes=np.zeros(GENES), change=CHANGED))


@pytest.fixture(scope="module")
def fits(cohort: ad.AnnData) -> dict[str, ad.AnnData]:
    return fits_of(cohort)


@pytest.mark.parametrize("lfc_threshold", [0.0, 0.3])
def test_the_data_as_they_are_pass_their_own_bars(cohort: ad.AnnData, lfc_threshold: float) -> None:
    """What is held reproduces the fit, and the calls' bars let hardly any other gene pass."""
    fit = fits_of(cohort, lfc_threshold=lfc_threshold)["paired"]
    engine = engine_of(fit, cohort.var["target"])
    table = result_table(fit, "RT_post_vs_pre", cohort.var["symbol"], 0.05).set_index("gene_id")
    second = linear_test(engine, engine.model, "RT_post_vs_pre")
    expected = table.loc[second.index, "second_pvalue"]
    np.testing.assert_allclose(second["pvalue"], expected, rtol=1e-9)
    main = main_test(engine, engine.counts.columns, engine.model, "RT_post_vs_pre")
    np.testing.assert_allclose(main["pvalue"], table.loc[main.index, "pvalue"], rtol=1e-4)
    bars = bars_of(table, 0.05, main_only=False)
    assert (table["call"] != "none").sum() > 20
    assert not bars.counted[(table["call"] != "none").to_numpy()].any()
    among = passing(engine, bars, second, engine.model, "RT_post_vs_pre")
    assert among <= 0.02 * bars.counted.sum()


def test_flipping_every_donor_mirrors_the_test(
    cohort: ad.AnnData, fits: dict[str, ad.AnnData]
) -> None:
    engine = engine_of(fits["paired"], cohort.var["target"])
    rows = np.arange(len(cohort)).reshape(-1, 2)[:, ::-1].ravel()
    turned = next(permuted(engine.model, [rows]))
    pd.testing.assert_series_equal(turned.design.blocks, engine.model.design.blocks)
    data, mirrored = (
        linear_test(engine, model, "average_post_vs_pre") for model in (engine.model, turned)
    )
    np.testing.assert_allclose(mirrored["log2FoldChange"], -data["log2FoldChange"], atol=1e-9)
    np.testing.assert_allclose(mirrored["pvalue"], data["pvalue"], rtol=1e-6)


def test_calibration_of_a_cohort_with_real_effects(
    cohort: ad.AnnData, fits: dict[str, ad.AnnData]
) -> None:
    found = permutation_tables(cohort, fits, permutations=60, alpha=0.05, seed=1)
    tables.check("calibration", found.table)
    tables.check("calibration_qq", found.quantiles)
    rows = found.table.set_index("contrast")
    changed = rows.loc["RT_post_vs_pre"]
    assert changed["observed"] > 50
    assert changed["relabellings"] == 60
    assert changed["pvalue"] == pytest.approx(1 / 61)
    # a fifth of the genes doubles: flips of these must not be counted as false calls
    assert changed["empirical_fdr"] < 0.1
    null = rows.loc["AT_post_vs_pre"]
    assert null["pvalue"] > 0.05
    assert null["permuted_mean"] < 1
    assert found.quantiles.groupby("contrast").size().nunique() == 1


def test_the_seed_decides_and_not_the_number_of_threads(
    cohort: ad.AnnData, fits: dict[str, ad.AnnData]
) -> None:
    first, again, other = (
        permutation_tables(cohort, fits, permutations=4, alpha=0.05, seed=seed, n_cpus=n_cpus)
        for seed, n_cpus in ((1, 1), (1, 3), (2, 1))
    )
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(first.quantiles, again.quantiles, check_exact=True)
    assert not first.quantiles.equals(other.quantiles)


def test_few_relabellings_describe_only(cohort: ad.AnnData) -> None:
    small = cohort[[name[2] in "01234" for name in cohort.obs_names]].copy()
    found = permutation_tables(small, fits_of(small), permutations=55, alpha=0.05, seed=1)
    rows = found.table.set_index("contrast")
    assert rows.loc["RT_post_vs_pre", "relabellings"] == 2**4 - 1
    assert np.isnan(rows.loc["RT_post_vs_pre", "empirical_fdr"])
    assert "descriptive only" in rows.loc["RT_post_vs_pre", "note"]
    assert "all distinct permutations" in rows.loc["RT_post_vs_pre", "note"]
    assert rows.loc["RT_vs_AT_change", "relabellings"] == 55
    assert "descriptive" not in rows.loc["RT_vs_AT_change", "note"]
    assert "vary equally" in rows.loc["RT_vs_AT_change", "note"]


def test_covariates_that_change_with_time_are_refused(cohort: ad.AnnData) -> None:
    covaried = cohort.copy()
    covaried.obs["hours"] = np.tile(["1", "2", "2", "1", "3", "1"], 6)[: len(covaried)]
    covaried.uns["fibroserum"] = covaried.uns["fibroserum"] | {"covariates": ["hours"]}
    found = permutation_tables(covaried, fits_of(covaried), permutations=20, alpha=0.05, seed=1)
    tables.check("calibration", found.table)
    assert set(found.table["relabellings"]) == {0}
    assert (
        found.table["note"]
        .str.startswith("no permutations, because the model adjusts for hours")
        .all()
    )
    assert found.table["permuted_mean"].isna().all()
    assert found.quantiles.empty


def test_blocks_of_donors_are_refused(cohort: ad.AnnData) -> None:
    blocked = cohort.copy()
    blocked.obs["plate"] = "P" + (np.arange(len(blocked)) // 6).astype(str).astype(object)
    blocked.uns["fibroserum"] = blocked.uns["fibroserum"] | {"block": "plate"}
    found = permutation_tables(blocked, fits_of(cohort), permutations=20, alpha=0.05, seed=1)
    assert set(found.table["relabellings"]) == {0}
    assert found.table["note"].str.contains("design.block").all()


@pytest.mark.parametrize("crossover", [False, True])
@pytest.mark.parametrize("kind", ["change", "difference", "average"])
def test_permuted_labels_give_the_values_of_a_sheet_with_these_labels(
    crossover: bool, kind: str
) -> None:
    """The permuted model is that of a cohort whose sheet had the permuted labels."""
    obs = _obs({"AT": 5, "RT": 5}, crossover=crossover)
    rng = np.random.default_rng(8)
    values = linear.Expression(obs.index, pd.Index(["g"]), rng.normal(size=(len(obs), 1)), None)
    contrast = _contrast(kind)
    noted = SETTINGS | {"crossover": crossover}
    model = models_of(obs.assign(used_for="change"), noted)[0]
    found = _relabel(kind, obs, 12, crossover=crossover)
    for rows, turned in zip(found.rows, permuted(model, found.rows), strict=True):
        again = models_of(_labels(obs, rows).assign(used_for="change"), noted)[0]
        first, second = (
            linear.contrast_fits(values, one)[contrast.name] for one in (turned, again)
        )
        for part in (0, 1):
            np.testing.assert_allclose(
                linear.estimates(first.fit, first.vector)[part],
                linear.estimates(second.fit, second.vector)[part],
                rtol=1e-9,
                atol=1e-12,
            )
        np.testing.assert_allclose(first.fit.sigma, second.fit.sigma, rtol=1e-9)


def test_without_a_second_opinion_the_main_model_is_calibrated(cohort: ad.AnnData) -> None:
    found = permutation_tables(cohort, fits_of(cohort, "none"), permutations=8, alpha=0.05, seed=1)
    rows = found.table.set_index("contrast")
    assert rows["second_bar"].isna().all()
    assert rows.loc["RT_post_vs_pre", "observed"] > 50
    assert rows.loc["RT_post_vs_pre", "permuted_mean"] > 0


def test_the_baseline_model_is_relabelled_between_donors(cohort: ad.AnnData) -> None:
    models = {m.name: m for m in models_of(cohort.obs, SETTINGS)}
    obs = cohort.obs.loc[models["baseline"].design.samples, ["donor", "group", "time"]]
    counts = pd.DataFrame(cohort[obs.index].X, index=obs.index)
    found = draw_permutations(
        _contrast("baseline"), obs, counts, SETTINGS, 50, np.random.default_rng(1)
    )
    for model in permuted(models["baseline"], found.rows):
        design = model.design
        assert design.blocks is None
        assert design.dense.sum().to_dict() == {"group[AT]": 8.0, "group[RT]": 8.0}
        assert (design.dense.sum(axis=1) == 1).all()


def test_a_crossover_is_calibrated_by_swaps_within_donors() -> None:
    cohort = make_cohort(Options(donors={"AT": 6, "RT": 6}, change=CHANGED, seed=4))
    cohort.obs["donor"] = cohort.obs["donor"].str[2:]
    cohort.uns["fibroserum"]["crossover"] = True
    found = permutation_tables(cohort, fits_of(cohort), permutations=200, alpha=0.05, seed=1)
    rows = found.table.set_index("contrast")
    assert set(rows["relabellings"]) == {2**5 - 1}
    assert rows.loc["RT_vs_AT_change", "pvalue"] == pytest.approx(1 / 2**5)
    assert rows.loc["RT_vs_AT_pre", "note"].startswith("RT and AT swapped within donors")


def test_the_log_says_how_many_are_done_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A result every two seconds: a message after five seconds or more, and at the end."""
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr("fibroserum.permutations.stage.time.monotonic", lambda: next(clock))
    caplog.set_level("INFO", logger="fibroserum")
    assert list(logged("abcde", 5, "x")) == list("abcde")
    assert caplog.messages == [
        "x: 3 of 5 permutations, about 4 s left",
        "x: 5 of 5 permutations, about 0 s left",
    ]
