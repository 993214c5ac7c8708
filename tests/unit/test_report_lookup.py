"""Which levels the page's look-up holds: whole pairs, within bounds, and how many donors."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fibroserum.report.page import gene_data
from helpers.page_blocks import block, levels
from helpers.report_run import page_of
from helpers.report_shape import Shape


@example(sizes=[1, 1, 77], genes=19_231)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=3), genes=st.integers(1, 60_000))
def test_levels_of_whole_pairs_are_sent_within_bounds(sizes: list[int], genes: int) -> None:
    rows = [
        (f"G{group}", f"D{group}_{donor}", time)
        for group, number in enumerate(sizes)
        for donor in range(number)
        for time in ("pre", "post")
    ]
    obs = pd.DataFrame(rows, columns=["group", "donor", "time"])
    shown = gene_data.shown_samples(obs, genes)
    pairs = shown.groupby(["group", "donor"]).size()
    assert (pairs == 2).all()
    if len(obs) * genes <= gene_data.MOST_LEVELS:
        assert shown is obs
        return
    least = {group: min(2, number) for group, number in enumerate(sizes)}
    assert len(shown) * genes <= max(gene_data.MOST_LEVELS, 2 * sum(least.values()) * genes)
    for group, number in least.items():
        assert pairs[f"G{group}"].size >= number
    # the groups' shares of what is shown beside two of each are those of the cohort, to a donor
    others = {f"G{group}": number - least[group] for group, number in enumerate(sizes)}
    room = gene_data.MOST_LEVELS / genes - 2 * sum(least.values())
    for group, number in others.items():
        share = max(room, 0) / (2 * sum(others.values()))
        assert 0 <= share * number - (pairs[group].size - least[int(group[1:])]) < 1


def test_donors_of_a_crossover_are_shown_in_all_their_groups() -> None:
    rows = [
        (group, f"D{donor:03d}", time)
        for group, number in (("AT", 300), ("RT", 200))
        for donor in range(number)
        for time in ("pre", "post")
    ]
    obs = pd.DataFrame(rows, columns=["group", "donor", "time"])
    shown = gene_data.shown_samples(obs, 20_000)
    assert 100 < len(shown) <= gene_data.MOST_LEVELS / 20_000
    of = shown.groupby("donor")["group"].nunique()
    # room for 150 samples: two donors of each kind, and of the others, 198 and 98, .14 of each
    assert of.value_counts().to_dict() == {2: 2 + 27, 1: 2 + 13}
    assert (shown.groupby("donor").size() == 2 * of).all()


def test_a_large_cohort_shows_some_donors_and_says_so(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gene_data, "MOST_LEVELS", 200 * 20)
    run, _, page = page_of(tmp_path, repository, Shape(genes=200, pairs=30, dropped=0))
    assert len(run.obs) == 120
    words = "10 of 60 donors, taken evenly"
    assert f"<figcaption>Level in {words}, before" in page
    assert "All levels are in cohort.h5ad." in page
    assert json.loads(block(page, "settings"))["lookup_donors"] == words
    shown = levels(page)
    assert shown.shape == (200, 20)
    # what is sent is what these samples have
    cohort = ad.read_h5ad(tmp_path / "cohort.h5ad")[shown.columns, shown.index]
    wanted = np.log2(cohort.layers["normalized"].T.astype(float) + 0.5)
    np.testing.assert_allclose(shown, wanted, atol=0.00501)
