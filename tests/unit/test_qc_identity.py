"""Identity checks see the mix-up that was made, stay silent where none was, and know their limits.

Rates over many cohorts are in docs/calibration.md; here stands one cohort of each kind.
"""

from __future__ import annotations

from functools import lru_cache

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.size_factors import size_factors
from fibroserum.cohort.stage import build_cohort
from fibroserum.input.config import with_defaults
from fibroserum.input.schema import config_schema
from fibroserum.qc.check import Check
from fibroserum.qc.checks import identity
from fibroserum.qc.copies import Distances, bound, count_distances, exact_mixtures, mixtures
from fibroserum.qc.identity import likeness, paired
from fibroserum.qc.profiles import sample_profiles
from fibroserum.qc.times import projections
from fibroserum.simulate import AFTER, BEFORE, Arm, CohortSpec, simulate_cohort

DONORS = 8


@lru_cache(maxsize=4)
def drawn(
    donor_sd: float = 0.25, seed: int = 3, donors: int = DONORS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return counts and sheet of a cohort without mix-ups."""
    spec = CohortSpec(
        arms=(Arm("AT", donors), Arm("RT", donors)),
        incomplete_donors=0,
        donor_sd=(donor_sd, donor_sd),
        effect_scale=float(donor_sd > 0),
        stimulation_cultures=0,
    )
    made = simulate_cohort(spec, seed)
    return made.counts, made.samples


def cohort_of(counts: pd.DataFrame, sheet: pd.DataFrame, crossover: bool = False) -> ad.AnnData:
    obs = pd.DataFrame(
        {
            "donor": sheet["donor"].to_numpy(),
            "group": sheet["group"].to_numpy(),
            "time": sheet["timepoint"].to_numpy(),
            "used_for": "change",
        },
        index=sheet["sample"].to_numpy(str),
    )
    adata = ad.AnnData(X=counts.to_numpy(np.int64), obs=obs)
    adata.obs["size_factor"], _ = size_factors(adata.X)
    lists = dict.fromkeys(("groups", "covariates", "lines", "notes", "targets", "target_genes"), ())
    noted = {"before": BEFORE, "after": AFTER, "crossover": crossover}
    adata.uns["fibroserum"] = lists | noted
    return adata


def found_in(counts: pd.DataFrame, donor_sd: float = 0.25) -> list[Check]:
    return list(identity(cohort_of(counts, drawn(donor_sd)[1])))


def warnings_of(found: list[Check]) -> dict[str, set[str]]:
    return {c.check: set(c.subject.split(", ")) for c in found if c.level == "warning"}


def exchanged(counts: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    swapped = counts.copy()
    swapped.loc[[one, other]] = counts.loc[[other, one]].to_numpy()
    return swapped


def replaced(counts: pd.DataFrame, name: str, row: np.ndarray) -> pd.DataFrame:
    changed = counts.copy()
    changed.loc[name] = row
    return changed


def test_a_sound_cohort_has_no_warning_and_each_check_speaks() -> None:
    found = found_in(drawn()[0])
    assert warnings_of(found) == {}
    assert [c.check for c in found] == [
        "duplicated sample", "pairs", "swapped donors", "swapped times", "mixed sample"
    ]  # fmt: skip
    assert found[1].message.startswith("16 of 16 after samples are nearest")
    assert {c.level for c in found} == {"ok"}


@pytest.mark.parametrize("other", ["AT05_post", "RT05_post"])
def test_two_donors_after_samples_swapped(other: str) -> None:
    found = found_in(exchanged(drawn()[0], "AT02_post", other))
    assert warnings_of(found) == {"swapped donors": {"AT02_post", other}}
    row = next(c for c in found if c.level == "warning")
    assert "donors AT02 and" in row.message
    assert row.advice.startswith(f"Check whether AT02_post and {other} were swapped, or AT02_pre")


def test_a_swap_between_small_groups_that_is_not_clear_is_not_denied() -> None:
    counts, sheet = drawn(donors=4)
    swapped = exchanged(counts, "AT02_post", "RT03_post")
    row, hidden = (c for c in identity(cohort_of(swapped, sheet)) if c.check == "swapped donors")
    assert row.level == "ok"
    assert "no two donors fit better" not in row.message
    assert "AT02 and RT03 fit slightly better when exchanged" in row.message
    assert (hidden.level, hidden.subject) == ("not_assessed", "between groups")
    assert "fewer than 8 pairs in AT and RT" in hidden.message
    row, hidden = (c for c in identity(cohort_of(counts, sheet)) if c.check == "swapped donors")
    assert row.message.startswith("no two donors fit better when exchanged")
    assert hidden.level == "not_assessed"
    assert not any(check.subject == "between groups" for check in found_in(drawn()[0]))


def test_swapped_before_samples_look_the_same() -> None:
    found = found_in(exchanged(drawn()[0], "AT02_pre", "AT05_pre"))
    assert warnings_of(found) == {"swapped donors": {"AT02_post", "AT05_post"}}


def test_three_samples_exchanged_in_a_ring_are_strangers_to_their_donors() -> None:
    ring = exchanged(drawn()[0], "AT02_post", "AT05_post")
    found = found_in(exchanged(ring, "AT05_post", "AT07_post"))
    odd = {c.subject for c in found if c.check == "pairs" and c.level == "warning"}
    assert odd == {"AT02_post", "AT05_post", "AT07_post"}
    assert set(warnings_of(found)) == {"pairs"}


def test_one_donors_times_swapped() -> None:
    found = found_in(exchanged(drawn()[0], "RT03_pre", "RT03_post"))
    assert warnings_of(found) == {"swapped times": {"RT03_pre", "RT03_post"}}


def test_without_donor_signal_or_response_nothing_is_claimed() -> None:
    counts = drawn(0.0)[0]
    for made in (counts, exchanged(counts, "AT02_post", "AT05_post")):
        found = found_in(made, 0.0)
        assert warnings_of(found) == {}
        levels = {c.check: c.level for c in found}
        assert levels["swapped donors"] == levels["pairs"] == "not_assessed"
        message = next(c.message for c in found if c.check == "swapped donors")
        assert message.startswith("not assessed: all samples are of the same cells, and the sera")
        assert "16 of 16" not in next(c.message for c in found if c.check == "pairs")


@pytest.mark.parametrize("depth", [0.0, 0.3, 1.0])
def test_a_copy_is_named_and_not_a_noisy_neighbour(depth: float) -> None:
    counts = drawn()[0]
    row = counts.loc["AT05_post"].to_numpy()
    again = np.random.default_rng(1).poisson(row * depth) if depth else row
    found = found_in(replaced(counts, "AT02_post", again))
    assert warnings_of(found) == {"duplicated sample": {"AT02_post", "AT05_post"}}


def test_another_sequencing_run_differs_by_counting_noise() -> None:
    counts = drawn()[0]
    rng = np.random.default_rng(7)
    rates = counts.loc["AT05_post"].to_numpy(float)
    twice = replaced(counts, "AT02_post", rng.poisson(rates))
    twice = replaced(twice, "AT05_post", rng.poisson(2 * rates))
    distances = count_distances(cohort_of(twice, drawn()[1]))
    assert distances is not None
    ratio = pd.DataFrame(distances.ratio(), distances.names, distances.names)
    assert ratio.loc["AT02_post", "AT05_post"] == pytest.approx(1, abs=0.15)
    assert ratio.loc["AT01_post", "AT05_post"] > 10


def test_a_mixture_of_two_others_is_named_with_its_parts() -> None:
    counts = drawn()[0]
    parts = counts.loc[["AT05_post", "AT07_pre"]].to_numpy()
    mixture = np.random.default_rng(2).poisson(parts.mean(axis=0))
    found = found_in(replaced(counts, "AT02_post", mixture))
    assert warnings_of(found) == {"mixed sample": {"AT02_post"}}
    message = next(c.message for c in found if c.level == "warning")
    assert "AT05_post" in message
    assert "AT07_pre" in message


def test_a_library_that_holds_part_of_another_is_named_with_it() -> None:
    counts = drawn(0.0)[0]
    parts = counts.loc[["AT02_post", "AT05_post"]].to_numpy()
    mixture = np.random.default_rng(2).poisson(parts.mean(axis=0))
    found = found_in(replaced(counts, "AT02_post", mixture), 0.0)
    assert warnings_of(found) == {"mixed sample": {"AT02_post", "AT05_post"}}


def test_share_of_a_mixture() -> None:
    counts = drawn()[0]
    one, other = counts.loc[["AT05_post", "AT07_pre"]].to_numpy(float)
    row = np.random.default_rng(2).poisson(
        0.7 * one / one.sum() * 2e7 + 0.3 * other / other.sum() * 2e7
    )
    distances = count_distances(cohort_of(replaced(counts, "AT02_post", row), drawn()[1]))
    assert distances is not None
    best = mixtures(distances).loc["AT02_post"]
    assert {best["one"], best["other"]} == {"AT05_post", "AT07_pre"}
    share = best["share"] if best["one"] == "AT05_post" else 1 - best["share"]
    assert share == pytest.approx(0.7, abs=0.05)


def test_where_counting_noise_hides_the_rest_copies_cannot_be_told() -> None:
    assert bound(1.2) is None
    assert bound(1.6) == pytest.approx(1.15)
    assert bound(30.0) == 1.25
    flat = Distances(np.array(list("abcd")), np.eye(4), np.ones(4))
    assert exact_mixtures(flat, set()).limit is None
    shallow = pd.DataFrame(np.random.default_rng(3).poisson(60, (32, 500)))
    found = list(identity(cohort_of(shallow, drawn()[1])))
    assert warnings_of(found) == {}
    copies, hidden, *_ = found
    assert (copies.check, copies.level) == ("duplicated sample", "ok")
    assert (hidden.check, hidden.level) == ("duplicated sample", "not_assessed")
    assert "counting noise" in hidden.message


def test_order_of_samples_and_genes_changes_nothing() -> None:
    counts, sheet = drawn()
    order = np.random.default_rng(4).permutation(len(sheet))
    genes = np.random.default_rng(5).permutation(counts.shape[1])
    swapped = exchanged(counts, "AT02_post", "AT05_post")
    one = set(identity(cohort_of(swapped, sheet)))
    other = set(identity(cohort_of(swapped.iloc[order, genes], sheet.iloc[order])))
    subjects = {(c.check, c.level, frozenset(c.subject.split(", "))) for c in one}
    assert subjects == {(c.check, c.level, frozenset(c.subject.split(", "))) for c in other}


def test_a_crossover_compares_different_donors_only() -> None:
    spec = CohortSpec(
        arms=(Arm("AT", 6), Arm("RT", 6)), crossover=True, incomplete_donors=0,
        stimulation_cultures=0,
    )  # fmt: skip
    made = simulate_cohort(spec, 2)
    adata = cohort_of(made.counts, made.samples, crossover=True)
    like = likeness(sample_profiles(adata), BEFORE, AFTER)
    assert like is not None
    same = like.pairs["donor"].to_numpy()[:, None] == like.pairs["donor"].to_numpy()
    assert not (like.other & same).any()
    assert like.other.sum() == 2 * 6 * 5
    assert warnings_of(list(identity(adata))) == {}
    swapped = exchanged(made.counts, "D02_AT_post", "D05_AT_post")
    found = warnings_of(list(identity(cohort_of(swapped, made.samples, crossover=True))))
    assert found["swapped donors"] == {"D02_AT_post", "D05_AT_post"}


def test_pairs_and_projections() -> None:
    obs = pd.DataFrame(
        {
            "donor": ["B", "A", "A", "B", "C"],
            "group": "g",
            "time": ["post", "pre", "post", "pre", "pre"],
            "used_for": ["change"] * 4 + ["baseline"],
        },
        index=list("abcde"),
    )
    pairs = paired(obs, "pre", "post")
    assert pairs["donor"].tolist() == ["A", "B"]
    assert pairs[["before", "after"]].to_numpy().tolist() == [[1, 2], [3, 0]]
    noise = np.random.default_rng(6).normal(0, 1, (9, 50))
    change = noise + np.array([2.0, 0, -2, 0, 0]).repeat(10)
    change[8] *= -1
    along = projections(change)
    assert (along[:8] > 3).all()
    assert along[8] < -3
    assert projections(-change) == pytest.approx(along)
    assert (projections(np.zeros((4, 3))) == 0).all()


def test_changes_that_share_nothing_point_nowhere() -> None:
    rng = np.random.default_rng(8)
    along = np.concatenate([projections(rng.normal(0, 1, (5, 400))) for _ in range(40)])
    assert abs(along.mean()) < 4 * along.std() / np.sqrt(len(along))


def test_too_few_pairs_are_said_and_do_not_break() -> None:
    counts, sheet = drawn()
    few = sheet[sheet["donor"].isin(["AT01", "AT02"])]
    found = list(identity(cohort_of(counts.loc[few["sample"]], few)))
    rows = {c.check: c for c in found}
    for name in ("pairs", "swapped donors", "swapped times"):
        assert rows[name].level == "not_assessed"
        assert rows[name].message.startswith("not assessed: needs at least 4 pairs")
    assert rows["swapped times"].subject == "AT"


def test_a_small_group_beside_a_large_one_is_not_declared_sound() -> None:
    counts, sheet = drawn()
    kept = sheet[(sheet["group"] == "AT") | sheet["donor"].isin(["RT01", "RT02"])]
    found = list(identity(cohort_of(counts.loc[kept["sample"]], kept)))
    for name in ("pairs", "swapped donors", "swapped times"):
        levels = {c.level: c for c in found if c.check == name}
        assert set(levels) == {"ok", "not_assessed"}, name
        assert levels["not_assessed"].subject == "RT"
    (times,) = (c for c in found if (c.check, c.level) == ("swapped times", "ok"))
    assert times.message == "in AT, no donor changes in the opposite direction to others"


@pytest.mark.parametrize("name", ["airway", "lung_fibroblast_hypoxia"])
def test_public_cohorts_raise_no_identity_warning(
    name: str, shared_data, repository, tmp_path, monkeypatch
) -> None:
    import yaml

    (tmp_path / "data").symlink_to(shared_data(name).parent)
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "examples" / f"{name}.yaml").read_text("utf-8"))
    raw |= {"published": None}
    raw.pop("gene_sets", None)
    config = with_defaults(raw, config_schema())
    adata = build_cohort(read_all(config), config, 10).adata
    assert warnings_of(list(identity(adata))) == {}
