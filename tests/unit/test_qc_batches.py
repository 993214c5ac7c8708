"""Plates and batches: donors that share one and change alike, columns that go with time."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fibroserum.qc.batches import (
    FALSE_ALARM,
    Column,
    Residuals,
    alike_within,
    batches,
    columns_by_donor,
    residuals,
)
from fibroserum.qc.check import Check, ok
from fibroserum.qc.identity import paired

GENES = 400


def cohort(
    seed: int = 1, donors: int = 8, effect: float = 0.0, *, crossover: bool = False
) -> ad.AnnData:
    """Return a cohort of two groups; a donor's batch is the rest of its number by 3.

    effect: standard deviation (log2) of a batch's own effect on the change of a third of the genes.
    """
    rng = np.random.default_rng(seed)
    names = [
        (f"D{n:02d}" if crossover else f"{group}{n:02d}", group, n)
        for group in ("AT", "RT")
        for n in range(donors)
    ]
    of_batch = rng.normal(0, effect, (3, GENES)) * (np.arange(GENES) % 3 == 0)
    of_donor = rng.normal(0, 0.25, (donors, GENES))
    means = rng.lognormal(5.5, 1, GENES)
    counts, rows = [], []
    for donor, group, n in names:
        level = rng.normal(0, 0.3, GENES)
        for time in ("pre", "post"):
            own = of_batch[n % 3] + (of_donor[n] if crossover else 0.0)
            log2 = level + (own if time == "post" else 0.0)
            counts.append(rng.poisson(means * 2**log2 * rng.gamma(30, 1 / 30, GENES)))
            rows.append({"donor": donor, "group": group, "time": time, "used_for": "change"})
    obs = pd.DataFrame(rows, index=[f"{r['donor']}_{r['group']}_{r['time']}" for r in rows])
    obs["size_factor"] = 1.0
    obs["n"] = [n for *_, n in names for _ in range(2)]
    obs = obs.assign(plate=[f"P{n % 3}" for n in obs.pop("n")])
    adata = ad.AnnData(X=np.array(counts, float), obs=obs)
    adata.uns["fibroserum"] = {
        "groups": ["AT", "RT"],
        "covariates": [],
        "lines": [],
        "notes": [],
        "targets": [],
        "target_genes": [],
        "crossover": crossover,
        "before": "pre",
        "after": "post",
    }
    return adata


def rows_of(adata: ad.AnnData) -> list[Check]:
    return list(batches(adata))


def test_a_plate_with_its_own_effect_is_found() -> None:
    ((check, level, subject, message, advice),) = rows_of(cohort(effect=0.5))
    assert (check, level, subject) == ("shared batches", "warning", "plate")
    assert "share a level of 'plate' change alike, most in 'P" in message
    assert "write 'design.block: plate' in the config" in advice
    # the donors of the named level are listed
    named = message.split("most in '")[1][:2]
    assert f"('{named}" not in message
    assert f"AT{int(named[1]):02d}, AT{int(named[1]) + 3:02d}" in message


def test_a_clean_cohort_and_one_without_columns() -> None:
    clean = cohort()
    assert rows_of(clean) == [
        ok("shared batches", "donors that share a level do not change more alike: 'plate'")
    ]
    del clean.obs["plate"]
    ((_, level, _, message, advice),) = rows_of(clean)
    assert level == "not_assessed"
    assert message.startswith("not assessed: no column of the sheet")
    assert "add it to the sample sheet" in advice


def test_columns_of_the_model_are_not_looked_at() -> None:
    declared = cohort(effect=0.5)
    declared.uns["fibroserum"]["covariates"] = ["plate"]
    assert rows_of(declared)[0][3].startswith("not assessed")


def test_plates_that_differ_between_before_and_after() -> None:
    moved = cohort(effect=0.5)
    moved.obs["plate"] = moved.obs["plate"] + "-" + moved.obs["time"]
    (row,) = rows_of(moved)
    assert row[:3] == ("shared batches", "warning", "plate")
    assert "most in 'P" in row[3]
    level = row[3].split("most in '")[1].split("'")[0]
    assert level == f"{level[:2]}-pre / {level[:2]}-post"


def test_a_missing_value_is_no_level() -> None:
    gaps = cohort()
    gaps.obs["plate"] = gaps.obs["plate"].replace({"P0": "NA", "P1": ""})
    gaps.obs.loc[gaps.obs["donor"] == "AT02", "plate"] = ["P2", "n/a"]
    columns = columns_by_donor(gaps, paired(gaps.obs, "pre", "post"))
    levels = columns["plate"].levels
    assert sorted(levels.index[levels == "P2"]) == ["AT05", "RT02", "RT05"]
    assert (levels.drop(["AT05", "RT02", "RT05"]) == "").all()
    assert rows_of(gaps)[0][3].startswith("not assessed")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"pre": "R1", "post": "R2"}, "('R1 / R2' in AT, 'R1 / R2' in RT)"),
        ({"AT_pre": "R1", "AT_post": "R2", "RT_pre": "R3", "RT_post": "R3"}, "('R1 / R2' in AT)"),
    ],
)
def test_a_column_that_goes_with_time(value: dict[str, str], said: str) -> None:
    confounded = cohort()
    del confounded.obs["plate"]
    both = confounded.obs["group"] + "_" + confounded.obs["time"]
    confounded.obs["run"] = both.map(value).fillna(confounded.obs["time"].map(value))
    first, *_, last = rows_of(confounded)
    assert first[:3] == ("batch and time", "warning", "run")
    assert said in first[3]
    assert "confounded with time" in first[3]
    assert last[3].startswith("not assessed")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"AT": "L1", "RT": "L2"}, "('L1' in AT, 'L2' in RT)"),
        ({"AT": "none", "RT": "lot 8"}, "('none' in AT, 'lot 8' in RT)"),
        ({"AT_pre": "1", "AT_post": "2", "RT": "3"}, "('1 / 2' in AT, '3' in RT)"),
        ({"AT": "L1", "RT": "L1"}, ""),
        ({"AT": "", "RT": "L2"}, ""),
        ({"AT": "NA", "RT": "L2"}, ""),
        ({"AT01": "L1", "AT": "L2", "RT": "L2"}, ""),
    ],
)
@pytest.mark.parametrize("column", ["lot", "line"])
def test_a_column_that_goes_with_the_groups(column: str, value: dict[str, str], said: str) -> None:
    adata = cohort()
    del adata.obs["plate"]
    stored = "sheet.line" if column == "line" else column
    adata.obs[stored] = [
        value.get(row.donor) or value.get(f"{row.group}_{row.time}") or value.get(row.group, "")
        for row in adata.obs.itertuples()
    ]
    found = [row for row in rows_of(adata) if row[0] == "batch and group"]
    assert len(found) == bool(said)
    for row in found:
        assert row[1:3] == ("warning", column)
        assert f"confounded with group: all donors of a group have the same value {said}" in row[3]
        assert "Changes within a group are not affected" in row[3]
        assert "Otherwise process donors of all groups together." in row.advice
    # one sample that differs is no confounding
    adata.obs.loc[adata.obs.index[0], stored] = "other"
    assert "batch and group" not in {row[0] for row in rows_of(adata)}


@pytest.mark.parametrize(
    ("lots", "said"),
    [
        ({"pre": "L1", "post": "L2"}, None),
        ({"pre": "L4", "post": "L2"}, "('L1' in AT, 'L4 / L2' in RT)"),
    ],
)
def test_groups_are_compared_at_the_times_that_both_have(
    lots: dict[str, str], said: str | None
) -> None:
    adata = cohort()
    time, healthy = adata.obs["time"], adata.obs["group"] == "AT"
    adata.obs["lot"] = np.where(healthy, "L1", time.map(lots))
    adata.obs.loc[healthy & (time == "post"), "used_for"] = "none"
    adata = adata[adata.obs["used_for"] == "change"].copy()
    found = [row[3] for row in rows_of(adata) if row[0] == "batch and group"]
    assert len(found) == (said is not None)
    assert all(str(said) in message for message in found)


def test_what_is_said_of_one_time_names_it() -> None:
    adata = cohort()
    later = adata[adata.obs["time"] == "post"].copy()
    later.obs["time"] = "late"
    later.obs_names = later.obs_names + "2"
    both = ad.concat([adata, later])
    both.uns = adata.uns
    both.uns["fibroserum"]["after"] = ["post", "late"]
    both.obs["run"] = np.where(both.obs["time"] == "late", "R2", "R1")
    both.obs["lot"] = np.where(both.obs["time"] == "pre", "A", "B")
    said = {(row[0], row[2]): row[3] for row in rows_of(both)}
    assert said["batch and time", "run"].startswith("at late: 'run' is confounded with time")
    assert said["batch and time", "lot"].startswith("'lot' is confounded with time")


def test_in_a_crossover_a_column_may_go_with_the_groups_too() -> None:
    adata = cohort(crossover=True, donors=9)
    adata.obs["lot"] = adata.obs["group"].map({"AT": "L1", "RT": "L2"})
    (row,) = [row for row in rows_of(adata) if row[0] == "batch and group"]
    assert "('L1' in AT, 'L2' in RT)" in row[3]


def test_runs_of_one_time_that_several_donors_share_are_no_confounding() -> None:
    several = cohort()
    several.obs["plate"] = several.obs["plate"] + several.obs["time"]
    assert [row[0] for row in rows_of(several)] == ["shared batches"]


def test_in_a_crossover_a_donor_counts_once() -> None:
    # a donor's two changes go together: that is no plate
    quiet = cohort(crossover=True, donors=9)
    found = residuals(quiet, paired(quiet.obs, "pre", "post"))
    assert found.likeness.shape == (9, 9)
    assert set(found.strata) == {0}
    assert rows_of(quiet)[0][1] == "ok"
    assert rows_of(cohort(crossover=True, donors=9, effect=0.6))[0][1] == "warning"


def test_residuals_by_hand() -> None:
    small = cohort(donors=3)
    found = residuals(small, paired(small.obs, "pre", "post"))
    assert found.donors == ["AT00", "AT01", "AT02", "RT00", "RT01", "RT02"]
    assert found.strata.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(np.diag(found.likeness), 1.0)
    log2 = np.log2(small.X[:, small.X.mean(axis=0) >= 10] + 0.5)
    change = log2[1::2] - log2[::2]
    change -= change.mean(axis=1, keepdims=True)
    change -= np.repeat([change[:3].mean(axis=0), change[3:].mean(axis=0)], 3, axis=0)
    change /= np.sqrt((change**2).mean(axis=0))
    wanted = change @ change.T / np.outer(*[np.linalg.norm(change, axis=1)] * 2)
    np.testing.assert_allclose(found.likeness, wanted, atol=1e-12)


def test_false_alarms_over_all_columns_are_at_their_level() -> None:
    rng = np.random.default_rng(3)
    donors = [f"D{n}" for n in range(16)]
    strata = np.arange(16) // 8
    alarms = 0
    for _ in range(150):
        rows = rng.normal(size=(16, 60)) * rng.lognormal(0, 0.3, 60)
        # one factor that donors answer to in their own way, and one poor library
        rows += np.outer(rng.normal(size=16), rng.normal(size=60))
        rows[3] *= 2
        for stratum in range(2):
            rows[strata == stratum] -= rows[strata == stratum].mean(axis=0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        never = pd.Series(False, index=donors)
        columns = {
            f"C{k}": Column(pd.Series(rng.integers(0, k, 16).astype(str), index=donors), never)
            for k in (2, 3, 4, 5)
        }
        tests = alike_within(Residuals(donors, strata, rows @ rows.T), columns)
        assert len(tests) == 4
        alarms += min(own.pvalue for own in tests) <= FALSE_ALARM
    assert stats.binom.sf(alarms - 1, 150, FALSE_ALARM) > 0.01
    assert alarms > 0


def test_too_few_donors_to_exchange_are_not_assessed() -> None:
    few = cohort(donors=3, effect=1.0)
    few.obs["plate"] = few.obs["donor"].str[-1].map({"0": "A", "1": "A", "2": "B"}).astype(str)
    # 3 × 3 ways to give plate B to a donor of each group
    assert rows_of(few)[0][3].startswith("not assessed")
