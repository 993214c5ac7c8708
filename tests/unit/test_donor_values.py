"""One value per donor and contrast: against R's limma, DESeq2 and edgeR, and plain algebra."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fibroserum import linear
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.cohort.donor_values import donor_values
from fibroserum.cohort.models import Model, baseline_model, paired_model
from fibroserum.de.normalisation import norm_factors
from fibroserum.de.second_model import second_model
from fibroserum.de.settings import FitSettings
from fibroserum.inference.chunks import CHUNK
from fibroserum.linear import Expression

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = {
    "AT": "AT_post_vs_pre",
    "RT": "RT_post_vs_pre",
    "difference": "RT_vs_AT_change",
    "average": "average_post_vs_pre",
}


def paired(sheet: pd.DataFrame, *, crossover: bool, block: str | None = None) -> Model:
    """Return the paired model of a sheet (index: samples; donor, group, time)."""
    groups = sorted(set(sheet["group"]))
    contrasts = contrasts_of(groups, "pre", "post")
    return paired_model(sheet, groups, "post", contrasts, crossover=crossover, block=block)


def sheet_of(groups: dict[str, list[str]], **columns: dict[str, str]) -> pd.DataFrame:
    """Return a sheet of donors by group; columns: further ones, by donor."""
    rows = [
        {"donor": donor, "group": group, "time": time}
        for group, donors in groups.items()
        for donor in donors
        for time in ("pre", "post")
    ]
    sheet = pd.DataFrame(rows, index=[f"{r['donor']}{r['group']}{r['time']}" for r in rows])
    return sheet.assign(**{name: sheet["donor"].map(by) for name, by in columns.items()})


def expression(sheet: pd.DataFrame, genes: int = 2, seed: int = 1) -> Expression:
    """Return values of independent noise."""
    values = np.random.default_rng(seed).normal(size=(len(sheet), genes))
    return Expression(sheet.index, pd.RangeIndex(genes).astype(str), values, None)


def second_of(values: Expression, model: Model) -> dict[str, pd.DataFrame]:
    return second_model(values, model, FitSettings()).tables


def change(values: Expression, sheet: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return each donor's after minus before in a group."""
    frame = pd.DataFrame(values.log2, values.samples)
    own = sheet[sheet["group"] == group]
    after, before = (
        frame.loc[own.index[own["time"] == time]].set_axis(own["donor"][own["time"] == time])
        for time in ("post", "pre")
    )
    return after - before


@pytest.mark.parametrize("name", list(NAMES))
@pytest.mark.parametrize("design", ["parallel", "crossover"])
def test_tests_are_limmas_on_one_value_per_donor(design: str, name: str) -> None:
    if design == "parallel":
        counts = pd.read_csv(GOLDEN / "limma" / "counts.tsv", sep="\t", index_col=0).T
        sheet = pd.read_csv(GOLDEN / "limma" / "sheet.tsv", sep="\t", dtype=str, index_col=0)
    else:
        counts = pd.read_csv(GOLDEN / "deseq2" / "crossover.counts.tsv.gz", sep="\t", index_col=0).T
        path = GOLDEN / "donor_values" / "crossover_sheet.tsv"
        sheet = pd.read_csv(path, sep="\t", dtype=str, index_col=0)
        counts = counts.loc[sheet.index, counts.loc[sheet.index.union(counts.index)].sum() >= 200]
    values, _ = linear.log_cpm(counts.loc[sheet.index])
    whole = Expression(sheet.index, counts.columns, values, None)
    found = second_of(whole, paired(sheet, crossover=design == "crossover"))[NAMES[name]]
    path = GOLDEN / "donor_values" / f"{design}_{name}.tsv"
    expected = pd.read_csv(path, sep="\t", index_col=0)
    assert list(found.index) == list(expected.index)
    columns = ["second_log2FoldChange", "second_lfcSE", "second_df", "second_pvalue"]
    for column, reference in zip(columns, ["logFC", "se", "df", "p"], strict=True):
        np.testing.assert_allclose(found[column], expected[reference], rtol=1e-5, atol=1e-9)


def test_factors_without_some_genes_are_edgers_and_deseq2s() -> None:
    from fibroserum.cohort.size_factors import size_factors

    counts = pd.read_csv(GOLDEN / "deseq2" / "crossover.counts.tsv.gz", sep="\t", index_col=0).T
    counts = counts.loc[:, counts.sum() >= 200]
    expected = pd.read_csv(GOLDEN / "donor_values" / "factors.tsv", sep="\t", index_col=0)
    own = counts.loc[expected.index]
    left_out = own.columns[::5]
    np.testing.assert_allclose(norm_factors(own, left_out), expected["tmm"], rtol=1e-10)
    found, method = size_factors(own.drop(columns=left_out).to_numpy())
    assert method == "ratio"
    np.testing.assert_allclose(found, expected["size_factor"], rtol=1e-10)


@pytest.mark.parametrize("kept", [("weights", "quality"), ("quality",), ()])
def test_the_same_bits_for_any_number_of_threads(kept: tuple[str, ...]) -> None:
    sheet = sheet_of({"AT": list("abcd"), "RT": list("efgh")})
    values = expression(sheet, genes=2 * CHUNK + 10)
    weights = np.random.default_rng(2).uniform(0.5, 2, values.log2.shape)
    given = {"weights": weights, "quality": weights[:, 0]}
    values = replace(values, **{name: given[name] for name in kept})
    model = paired(sheet, crossover=False)
    one, three = (linear.contrast_fits(values, model, n_cpus=n) for n in (1, 3))
    assert one.keys() == three.keys()
    for name, own in one.items():
        for part in ("E", "weights", "coefficients", "covariance", "sigma"):
            found, wanted = getattr(three[name].fit, part), getattr(own.fit, part)
            np.testing.assert_array_equal(found, wanted)
        matrix = donor_values(model, name).matrix
        np.testing.assert_allclose(own.fit.E, matrix @ values.log2, rtol=1e-12)
        spread = values.variances
        wanted = np.ones(own.fit.E.shape) if spread is None else 1 / (matrix.power(2) @ spread)
        np.testing.assert_allclose(own.fit.weights, np.broadcast_to(wanted, own.fit.E.shape))


@given(
    at=st.sets(st.integers(0, 9), min_size=3, max_size=8),
    rt=st.sets(st.integers(0, 9), min_size=3, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_a_crossover_tests_donors(at: set[int], rt: set[int]) -> None:
    """A donor with one period informs the change of its group, and nothing else."""
    names = {g: [f"D{i}" for i in sorted(own)] for g, own in {"AT": at, "RT": rt}.items()}
    sheet = sheet_of(names)
    values, crossover = expression(sheet), bool(at & rt)
    model = paired(sheet, crossover=crossover)
    fits = linear.contrast_fits(values, model)
    changes = {group: change(values, sheet, group) for group in names}
    own = dict(changes)
    if crossover:
        own["difference"] = (changes["RT"] - changes["AT"]).dropna()
        own["average"] = ((changes["RT"] + changes["AT"]) / 2).dropna()
    for name, table in own.items():
        if len(table) < 2:
            assert NAMES[name] not in fits
            continue
        fit = fits[NAMES[name]]
        plain = linear.group_variances(fit.fit, fit.groups, moderated=False)
        found = linear.group_wise_t(fit.fit, fit.vector, plain)
        np.testing.assert_allclose(found["log2FoldChange"], table.mean(), rtol=1e-9)
        expected = stats.ttest_1samp(table.to_numpy(), 0).pvalue
        np.testing.assert_allclose(found["pvalue"], expected, rtol=1e-7)


def test_a_donors_own_response_is_no_noise_of_a_difference() -> None:
    """What a donor does alike in both periods cancels in its difference, and is all of its mean."""
    sheet = sheet_of({"AT": [f"D{i}" for i in range(8)], "RT": [f"D{i}" for i in range(8)]})
    values = expression(sheet, genes=4000)
    own = np.random.default_rng(2).normal(size=(8, 4000))[pd.factorize(sheet["donor"])[0]]
    values.log2[:] = 0.2 * values.log2 + own * (sheet["time"] == "post").to_numpy()[:, None]
    found = second_of(values, paired(sheet, crossover=True))
    for name in NAMES.values():
        level = float((found[name]["second_pvalue"] < 0.05).mean())
        assert 0.04 < level < 0.06, name
    spread = [found[NAMES[n]]["second_lfcSE"].median() for n in ("difference", "average")]
    assert spread[0] < 0.5 * spread[1]


@pytest.mark.parametrize("nested", [False, True])
def test_a_block_is_a_unit(nested: bool) -> None:
    """Its value is the mean of its donors' changes; within blocks where they hold both groups."""
    donors = {g: [f"{g}{i}" for i in range(12)] for g in ("AT", "RT")}
    plate = {
        d: (f"{g}{i % 4}" if nested else f"P{i % 4}")
        for g, o in donors.items()
        for i, d in enumerate(o)
    }
    sheet = sheet_of(donors, plate=plate)
    values = expression(sheet, genes=50)
    model = paired(sheet, crossover=False, block="plate")
    fits = linear.contrast_fits(values, model)
    means = {g: change(values, sheet, g).groupby(plate).mean() for g in donors}
    own = fits[NAMES["difference"]]
    estimate = linear.estimates(own.fit, own.vector)[0]
    if nested:
        expected = means["RT"].mean() - means["AT"].mean()
        assert len(own.fit.samples) == 8
    else:
        expected = (means["RT"] - means["AT"]).mean()
        assert len(own.fit.samples) == 4
        assert own.groups is None
    np.testing.assert_allclose(estimate, expected, rtol=1e-9)
    fewer = {d: p for d, p in plate.items() if not p.endswith("3")}
    small = sheet[sheet["donor"].isin(list(fewer))]
    rest = linear.contrast_fits(expression(small), paired(small, crossover=False, block="plate"))
    # three blocks a group: a change has too few, a difference of nested groups has six
    assert set(rest) == ({NAMES["difference"], NAMES["average"]} if nested else set())


def test_a_plate_that_both_groups_share_does_not_make_their_difference_untestable() -> None:
    donors = {"AT": [f"AT{i:02d}" for i in range(18)], "RT": [f"RT{i:02d}" for i in range(18)]}
    plate = {d: f"P{i % 6}" for i, d in enumerate(donors["AT"])}
    plate |= {d: f"P{5 + i % 6}" for i, d in enumerate(donors["RT"])}
    sheet = sheet_of(donors, plate=plate)
    values = expression(sheet, genes=3)
    fits = linear.contrast_fits(values, paired(sheet, crossover=False, block="plate"))
    assert set(fits) == set(NAMES.values())
    own = fits[NAMES["difference"]]
    # P5 holds both groups: the difference is of the five plates that each group has alone
    assert sorted(own.fit.samples) == [f"P{n}" for n in (0, 1, 10, 2, 3, 4, 6, 7, 8, 9)]
    means = {g: change(values, sheet, g).groupby(plate).mean().drop("P5") for g in donors}
    expected = means["RT"].mean() - means["AT"].mean()
    np.testing.assert_allclose(linear.estimates(own.fit, own.vector)[0], expected, rtol=1e-9)
    # the change of a group has all of its plates
    assert len(fits[NAMES["RT"]].fit.samples) == 6


def test_shared_plates_do_not_pass_for_a_change() -> None:
    """Twelve donors on four plates each: the level holds with plates as blocks, and not without."""
    donors = {g: [f"{g}{i:02d}" for i in range(24)] for g in ("AT", "RT")}
    plate = {d: f"{g}{i % 6}" for g, own in donors.items() for i, d in enumerate(own)}
    sheet = sheet_of(donors, plate=plate)
    rng = np.random.default_rng(5)
    values = expression(sheet, genes=3000)
    shared = rng.normal(size=(12, 3000))[pd.factorize(sheet["plate"])[0]]
    values.log2[:] += shared * (sheet["time"] == "post").to_numpy()[:, None]
    levels = {
        block: float(
            (
                second_of(values, paired(sheet, crossover=False, block=block))[NAMES["RT"]][
                    "second_pvalue"
                ]
                < 0.05
            ).mean()
        )
        for block in (None, "plate")
    }
    assert levels[None] > 0.12
    assert 0.03 < levels["plate"] < 0.07


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        # each pair on plates of its own, before and after
        ([0, 1, 2, 3], [4, 5, 6, 7], 4),
        # one plate of all samples before: all donors share it
        ([0, 0, 0, 0], [4, 5, 6, 7], 1),
        # two plates before, crossed with two after
        ([0, 0, 1, 1], [4, 5, 4, 5], 1),
        ([0, 0, 1, 1], [4, 4, 5, 5], 2),
    ],
)
def test_donors_who_share_a_plate_at_any_time_are_one_unit(
    before: list[int], after: list[int], units: int
) -> None:
    sheet = sheet_of({"RT": [f"D{i:02d}" for i in range(12)]})
    number = sheet["donor"].str[1:].astype(int) % 4
    own = [(before if t == "pre" else after)[n] for n, t in zip(number, sheet["time"], strict=True)]
    sheet["plate"] = [f"P{plate}" for plate in own]
    model = paired(sheet, crossover=False, block="plate")
    assert model.units is not None
    assert model.units.nunique() == units
    assert model.units.groupby(sheet["donor"]).nunique().eq(1).all()
    values = donor_values(model, "RT_post_vs_pre")
    assert values.informing == units
    fits = linear.contrast_fits(expression(sheet), model)
    assert ("RT_post_vs_pre" in fits) == (units >= model.fewest)


@pytest.mark.parametrize("block", [None, "plate"])
def test_a_crossovers_periods_on_plates_of_their_own_stay_within_donors(block: str | None) -> None:
    """The baseline is a difference of levels, and no level is tested against 0."""
    donors = [f"D{i:02d}" for i in range(18)]
    sheet = sheet_of({"AT": donors, "RT": donors})
    plate = sheet["donor"].str[1:].astype(int) % 6
    sheet["plate"] = sheet["group"] + plate.astype(str)
    values = expression(sheet, genes=500)
    values.log2[:] += 8.0
    first = sheet["time"] == "pre"
    contrasts = contrasts_of(["AT", "RT"], "pre", "post")
    model = baseline_model(sheet[first], ["AT", "RT"], contrasts, crossover=True, block=block)
    found = second_of(values.of_samples(first.to_numpy()), model)["RT_vs_AT_pre"]
    assert found["second_log2FoldChange"].abs().max() < 3
    assert 0.02 < (found["second_pvalue"] < 0.05).mean() < 0.09
    changes = paired(sheet, crossover=True, block=block)
    assert changes.units is not None
    assert changes.units.nunique() == (18 if block is None else 6)


def test_neither_order_nor_names_of_donors_decide_anything() -> None:
    sheet = sheet_of({"AT": ["D1", "D2", "D3", "D4"], "RT": ["D2", "D3", "D4", "D5"]})
    values = expression(sheet, genes=200)
    first = second_of(values, paired(sheet, crossover=True))
    order = np.random.default_rng(3).permutation(len(sheet))
    renamed = sheet.iloc[order].assign(
        donor=lambda t: t["donor"].map(lambda d: f"x{9 - int(d[1])}")
    )
    again = replace(values, samples=values.samples[order], log2=values.log2[order])
    second = second_of(again, paired(renamed, crossover=True))
    for name in first:
        pd.testing.assert_frame_equal(first[name], second[name], rtol=1e-8)
