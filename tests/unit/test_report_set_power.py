"""The detectable mean change of a gene set, against simulation; how unmarked sets are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from fibroserum.cohort.contrasts import Contrast, contrasts_of
from fibroserum.enrichment.fry import fry, standardised
from fibroserum.enrichment.membership import Membership
from fibroserum.linear import Effects
from fibroserum.report.figures.set_power import detectable_mean, detectable_means, donor_values
from fibroserum.report.figures.sets import matrix_rows, set_matrix
from fibroserum.report.loading import load_run
from helpers.report_run import make_run
from helpers.report_shape import Shape

GENES = [f"g{i}" for i in range(40)]


def drawn(
    rng: np.random.Generator, sizes: dict[str, int], shift: float = 0.0, crossover: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return log2 levels and sheet of donors whose genes' changes share a part; RT has `shift`."""
    rows, values = [], []
    for group, number in sizes.items():
        for donor in range(number):
            start = rng.normal(8, 1, len(GENES))
            change = rng.normal(0, 0.15) + rng.normal(0, 0.4, len(GENES))
            for time in ("pre", "post"):
                after = time == "post"
                name = f"{'D' if crossover else group}{donor}"
                rows.append((f"{group}{donor}_{time}", name, group, time, "change"))
                values.append(start + after * (change + shift * (group == "RT")))
    obs = pd.DataFrame(rows, columns=["sample", "donor", "group", "time", "used_for"])
    obs = obs.set_index("sample")
    return pd.DataFrame(values, obs.index, GENES), obs


def contrast_of(kind: str) -> Contrast:
    """Return RT's change, or its difference from AT's."""
    every = contrasts_of(["AT", "RT"], "pre", "post")
    return next(one for one in every if (one.kind, one.group) == (kind, "RT"))


@pytest.mark.parametrize(
    ("kind", "crossover"), [("change", False), ("difference", False), ("difference", True)]
)
def test_a_change_of_the_detectable_size_is_found_in_four_of_five_studies(
    kind: str, crossover: bool
) -> None:
    contrast = contrast_of(kind)
    rng, sizes, alpha = np.random.default_rng(2), {"AT": 8, "RT": 8}, 0.01
    sizes_found = [
        detectable_mean(*donor_values(*drawn(rng, sizes, 0.0, crossover), contrast), [GENES], alpha)
        for _ in range(60)
    ]
    # variances, not their roots, are right on average
    shift, found = float(np.sqrt(np.square(sizes_found).mean())), []
    for _ in range(250):
        values, factor = donor_values(*drawn(rng, sizes, shift, crossover), contrast)
        means = values.mean(axis=1)
        by_group = means.groupby(level="group")
        freedom = len(means) - by_group.ngroups
        residual = means - by_group.transform("mean")
        group = by_group.mean()
        estimate = group.iloc[-1] - (group["AT"] if kind == "difference" and not crossover else 0)
        t = abs(estimate) / np.sqrt((residual**2).sum() / freedom * factor)
        found.append(2 * stats.t.sf(t, freedom) < alpha)
    assert np.mean(found) == pytest.approx(0.8, abs=0.08)


def test_fry_finds_the_detectable_change_of_genes_of_unequal_variance() -> None:
    rng, donors, genes, size, alpha = np.random.default_rng(4), 12, 300, 25, 0.005
    names = [f"g{i}" for i in range(genes)]
    deviation = 0.4 * np.exp(0.6 * rng.normal(size=genes))
    index = pd.MultiIndex.from_product([[f"D{i}" for i in range(donors)], ["RT"]])
    index.names = ["donor", "group"]

    def changes(shift: float) -> np.ndarray:
        """Return donors' changes; the genes of the set share a part of their noise."""
        own = rng.normal(size=(donors, genes))
        own[:, :size] = np.sqrt(0.9) * own[:, :size] + np.sqrt(0.1) * rng.normal(size=(donors, 1))
        return own * deviation + shift * (np.arange(genes) < size)

    found = [
        detectable_mean(pd.DataFrame(changes(0), index, names), 1 / donors, [names[:size]], alpha)
        for _ in range(40)
    ]
    one_set = Membership(
        pd.DataFrame({"tested": [size]}),
        sparse.csr_matrix((np.arange(genes) < size).astype(float)[None]),
        pd.DataFrame(),
    )
    # the mean of the donors first, then their orthogonal residual components
    basis, _ = np.linalg.qr(np.column_stack([np.ones(donors), np.eye(donors)[:, 1:]]))
    shift, hits = float(np.sqrt(np.square(found).mean())), []
    for _ in range(200):
        parts = (basis * np.sign(basis[0, 0])).T @ changes(shift)
        effects = Effects(parts[0], np.ascontiguousarray(parts[1:].T))
        hits.append(fry(standardised(effects), one_set)["fry_pvalue"].iloc[0] < alpha)
    assert np.mean(hits) == pytest.approx(0.8, abs=0.09)


def test_donors_without_a_pair_count_before_the_intervention() -> None:
    log2, obs = drawn(np.random.default_rng(5), {"AT": 4, "RT": 5})
    obs.loc[["RT4_pre", "RT4_post"], "used_for"] = ["baseline", "none"]
    every = contrasts_of(["AT", "RT"], "pre", "post")
    baseline = next(one for one in every if one.kind == "baseline")
    values, factor = donor_values(log2, obs, baseline)
    assert len(values) == 9
    assert factor == pytest.approx(1 / 4 + 1 / 5)
    values, factor = donor_values(log2, obs, contrast_of("change"))
    assert (values.index.get_level_values("group") == "RT").sum() == 4
    assert factor == pytest.approx(1 / 4)


def test_a_set_among_many_needs_a_larger_change(tmp_path: Path, repository: Path) -> None:
    config = make_run(tmp_path, repository, Shape(genes=200))
    run = load_run(tmp_path, config, {})
    rows = run.enrichment["RT_post_vs_pre"].assign(contrast="RT_post_vs_pre")
    first = rows.head(1)
    assert (rows["collection"] == first["collection"].iloc[0]).sum() > 3
    alone = replace(run, enrichment=run.enrichment | {"RT_post_vs_pre": first})
    sizes = [float(detectable_means(one, first, 0.05).iloc[0]) for one in (run, alone)]
    assert sizes[0] > 1.1 * sizes[1]


def test_too_few_donors_have_no_detectable_change() -> None:
    rng = np.random.default_rng(3)
    values, factor = donor_values(*drawn(rng, {"AT": 1, "RT": 1}), contrast_of("difference"))
    assert np.isnan(detectable_mean(values, factor, [GENES], 0.05)[0])
    values, factor = donor_values(*drawn(rng, {"AT": 5}), contrast_of("difference"))
    assert np.isnan(factor)
    values, factor = donor_values(*drawn(rng, {"AT": 5, "RT": 5}), contrast_of("difference"))
    some, none = detectable_mean(values, factor, [GENES, []], 0.05)
    assert some > 0
    assert np.isnan(none)


def test_sets_without_a_mark_are_pale_and_the_scale_reaches_what_could_be_found(
    tmp_path: Path, repository: Path
) -> None:
    config = make_run(tmp_path, repository, Shape(genes=200))
    run = load_run(tmp_path, config, {})
    rows = matrix_rows(run, 0.05)
    marked = (rows["call"] != "none") | (rows["competitive"] == "yes")
    assert ((rows["found"] == "yes") == marked).all()
    assert rows["detectable"].notna().any()
    figure = set_matrix(run, 0.05)
    made = figure.chart.to_dict(validate=False)
    cells = made["layer"][0]["encoding"]
    most = cells["color"]["scale"]["domain"][-1]
    assert most >= rows["detectable"].max()
    assert most >= rows["mean_log2FoldChange"].abs().max()
    assert cells["opacity"]["scale"]["range"] == [1, 0.45]
    typical = rows.groupby("label")["detectable"].median()
    assert dict(figure.data["detectable"].to_numpy()) == {
        label: f"±{size:.2f}" for label, size in typical.items()
    }
