"""Numbers of the toy's report are those of its tables, read from where a reader finds them."""

from __future__ import annotations

import html
import io
import json
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

from fibroserum.cohort.storage import open_h5ad
from fibroserum.enrichment import stage
from fibroserum.input.names import file_name
from fibroserum.report.loading import load_run
from fibroserum.report.page.templates import minus
from helpers.page_blocks import block, columns, levels
from helpers.pipeline import Run


@pytest.fixture(scope="module")
def page(toy_run: Run) -> str:
    return (toy_run.results / "report.html").read_text(encoding="utf-8")


def contrasts_of(toy_run: Run, page: str) -> dict[str, str]:
    """Return the contrasts in the order of the page, with their labels."""
    shown = {one["name"]: one["label"] for one in json.loads(block(page, "settings"))["contrasts"]}
    assert set(shown) == set(toy_run.table("contrasts")["contrast"])
    return shown


FORMATS = {
    "log2FoldChange": ".3f",
    "ci_low": ".3f",
    "ci_high": ".3f",
    "baseMean": ".3e",
    "pvalue": ".2e",
    "weighted_padj": ".2e",
    "second_weighted_padj": ".2e",
    "confident_lfc": ".2f",
}


def test_gene_tables_are_the_de_tables(toy_run: Run, page: str) -> None:
    index = json.loads(block(page, "genes"))["index"]
    for number, contrast in enumerate(contrasts_of(toy_run, page)):
        frame = toy_run.table("de", file_name(contrast))
        shown = columns(page, number)
        assert index["id"] == list(frame["gene_id"])
        for name, how in FORMATS.items():
            wanted = [np.nan if v != v else float(f"{v:{how}}") for v in frame[name]]
            np.testing.assert_array_equal(shown[name], wanted, err_msg=f"{contrast}, {name}")
        assert list(shown["call"]) == list(frame["call"])
        assert list(shown["status"]) == list(frame["status"])


def test_the_second_model_tests_the_genes_that_set_tests_rank(toy_run: Run) -> None:
    config = json.loads((toy_run.results / "provenance.json").read_text("utf-8"))["config"]
    ranked = load_run(toy_run.results, config).ranked
    results = {name: toy_run.table("de", file_name(name)) for name in ranked}
    tested = stage.tested_genes(open_h5ad(toy_run.results / "cohort.h5ad"), results)
    assert {name: list(genes) for name, genes in ranked.items()} == {
        name: list(genes) for name, genes in tested.items()
    }


def test_lookup_levels_are_the_normalized_counts(toy_run: Run, page: str) -> None:
    import anndata as ad

    cohort = ad.read_h5ad(toy_run.results / "cohort.h5ad")
    shown = levels(page)
    assert list(shown.columns) == list(cohort.obs_names)
    ids = list(shown.index)
    wanted = np.log2(cohort[shown.columns, ids].layers["normalized"].T.astype(float) + 0.5)
    np.testing.assert_allclose(shown, wanted, atol=0.00501)


def test_verdicts_are_the_targets_table(toy_run: Run, page: str) -> None:
    targets = toy_run.table("targets").set_index(["target", "contrast"])
    named = {label: name for name, label in contrasts_of(toy_run, page).items()}
    body = re.search(r'id="verdicts".*?</thead>(.*?)</table>', page, re.DOTALL).group(1)
    rows = re.findall(r"<tbody>(.*?)</tbody>", body, re.DOTALL)
    assert len(rows) == len(targets)
    sensitivity = toy_run.table("sensitivity").dropna(subset=["log2FoldChange"])
    with_all = set(zip(sensitivity["target"], sensitivity["contrast"], strict=True))
    for row in rows:
        target, label, verdict, estimate, _, detectable, panel, _, _, reason = [
            html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        wanted = targets.loc[(target, named[label])]
        lost = wanted["verdict"] in ("up", "down") and wanted["headline"] == "none"
        assert verdict == (
            wanted["verdict"].replace("_", " ") + " not established over all contrasts" * lost
        )
        for shown, name, digits in (
            (estimate, "log2FoldChange", 3),
            (detectable, "detectable_lfc", 2),
        ):
            value = wanted[name]
            assert shown == ("–" if pd.isna(value) else minus(f"{value:.{digits}f}")), name
        padj = wanted["panel_padj"]
        # three digits, a last zero too: 0.110
        assert panel == ("–" if pd.isna(padj) else minus(f"{padj:#.3g}".removesuffix(".")))
        # the sensitivity analysis with all samples comes after the reason
        said, _, added = reason.partition(" Sensitivity analysis with all samples")
        # what holds without any one donor is shown for verdicts up and down
        shown = ["leave_one_out"] * (wanted["verdict"] in ("up", "down")) + ["genome_wide"]
        assert said == " ".join(map(minus, [wanted["reason"], *wanted[shown].dropna()]))
        assert bool(added) == ((target, named[label]) in with_all)


def test_gene_sets_and_factor_genes_are_their_tables(toy_run: Run, page: str) -> None:
    held = json.loads(block(page, "tables"))
    for number, contrast in enumerate(contrasts_of(toy_run, page)):
        shown = held[f"sets-{number}"]
        frame = toy_run.table("enrichment", file_name(contrast))
        got = pd.DataFrame(shown["rows"], columns=shown["names"])
        assert list(got["gene_set"]) == list(frame["gene_set"])
        for name in ("mean_log2FoldChange", "fry_padj", "camera_padj"):
            np.testing.assert_allclose(
                got[name].astype(float), frame[name].astype(float), rtol=1e-7
            )
        assert list(got["call"]) == list(frame["call"])
    factors = toy_run.table("factors")
    for number, factor in enumerate(dict.fromkeys(factors["factor"])):
        shown = held[f"factor-{number}"]
        got = pd.DataFrame(shown["rows"], columns=shown["names"]).set_index("gene_id")
        own = factors[factors["factor"] == factor].set_index("gene_id")
        called = own.index[own["call"].isin(["confirmed", "responsive"])]
        assert set(called) <= set(got.index)
        np.testing.assert_allclose(
            got["responsive_padj"].astype(float),
            own.loc[got.index, "responsive_padj"].astype(float),
            rtol=1e-7,
        )


def figure_rows(page: str, figure: str, name: str) -> pd.DataFrame:
    """Return what a picture of the page is drawn from."""
    return pd.DataFrame(json.loads(block(page, "figures"))[figure]["datasets"][name])


def same_numbers(shown: pd.DataFrame, wanted: pd.DataFrame, *columns: str) -> None:
    """Compare as far as a picture keeps digits: eight of them."""
    assert len(shown) == len(wanted)
    assert shown.index.is_unique
    for column in columns:
        np.testing.assert_allclose(
            shown[column].astype(float),
            wanted.loc[shown.index, column].astype(float),
            rtol=1e-7,
            atol=1e-12,
            err_msg=column,
        )


def test_the_forest_is_the_targets_table(toy_run: Run, page: str) -> None:
    key = ["target", "contrast"]
    wanted = toy_run.table("targets").set_index(key)
    shown = figure_rows(page, "targets_forest", "estimates").set_index(key)
    same_numbers(shown, wanted, "log2FoldChange", "ci_low", "ci_high", "panel_padj")
    assert (shown["verdict"] == wanted.loc[shown.index, "verdict"]).all()
    # filled: up or down, and nothing else
    called = wanted.loc[shown.index, "verdict"].isin(["up", "down"])
    assert (shown["filled"].astype(bool) == called).all()
    first = figure_rows(page, "glance_target", "estimates").set_index("contrast")
    own = wanted.loc[wanted.index[0][0]]
    same_numbers(first, own, "log2FoldChange", "ci_low", "ci_high")


def test_the_slopes_are_the_donors_levels(toy_run: Run, page: str) -> None:
    donors = toy_run.table("target_donors")
    key = ["target", "donor", "group"]
    shown = figure_rows(page, "targets_pairs", "slopes").rename(columns={"panel": "target"})
    assert set(shown["target"]) == set(donors["target"])
    for time, column in {"pre": "before", "post": "after"}.items():
        part = shown[shown["time"] == time].set_index(key).rename(columns={"level": column})
        same_numbers(part, donors.dropna(subset=[column]).set_index(key), column)
        assert (part["filled"] == (column == "after")).all()


def test_leave_one_out_and_detectable_effects_are_their_tables(toy_run: Run, page: str) -> None:
    key = ["target", "contrast", "left_out"]
    shown = figure_rows(page, "targets_leave_one_out", "refits").set_index(key)
    same_numbers(shown, toy_run.table("target_loo").set_index(key), "log2FoldChange")
    targets = toy_run.table("targets").set_index(key[:2])["log2FoldChange"]
    whole = shown.reset_index().set_index(key[:2])["full"]
    np.testing.assert_allclose(whole, targets.loc[whole.index].astype(float), rtol=1e-7)
    power = toy_run.table("target_power").dropna(subset=["detectable_lfc"]).set_index(key[:2])
    bars = figure_rows(page, "targets_detectable", "effects").set_index(key[:2])
    same_numbers(bars, power[~power.index.duplicated()], "detectable_lfc")


def test_pictures_of_sets_and_factors_are_their_tables(toy_run: Run, page: str) -> None:
    cells = figure_rows(page, "ecm_sets", "cells")
    for contrast, part in cells.groupby("contrast"):
        key = ["collection", "gene_set"]
        wanted = toy_run.table("enrichment", file_name(contrast)).set_index(key)
        shown = part.set_index(key)
        assert (wanted.loc[shown.index, "family"] == shown.index.get_level_values(1)).all()
        same_numbers(shown, wanted.loc[shown.index], "mean_log2FoldChange", "fry_padj")
        for word in ("call", "enriched"):
            assert (shown[word] == wanted.loc[shown.index, word]).all()
    rings = figure_rows(page, "ecm_sets", "enriched")
    assert len(rings) == (cells["enriched"] != "none").sum()
    assert len(figure_rows(page, "ecm_sets", "called")) == (cells["call"] != "none").sum()
    sums = figure_rows(page, "ecm_running_sums", "sums")
    for (panel, group), part in sums.groupby(["panel", "group"]):
        name, _, collection = panel.rstrip(")").rpartition(" (")
        table = toy_run.table("enrichment", f"{group}_post_vs_pre").set_index(key)
        edge = table.loc[(collection, name), "leading_edge"].split(";")
        assert sorted(part.loc[part["edge"] == 1, "gene"]) == sorted(edge)
    means = figure_rows(page, "factor_CCL28_level", "means").set_index("group")
    levels = toy_run.table("factor_levels")
    own = levels[(levels["factor"] == "CCL28") & levels["contrast"].str.endswith("post_vs_pre")]
    own = own.assign(group=own["contrast"].str.partition("_")[0]).set_index("group")
    own = own.loc[means.index]
    same_numbers(means, own, "change_log2", "ci_low", "ci_high")
    concordance = toy_run.table("factor_concordance")
    wanted = concordance[concordance["factor"] == "CCL28"]
    bars = figure_rows(page, "factor_CCL28_concordance", "counts")
    assert bars["genes"].sum() == len(wanted)
    seen = bars[bars["seen"] == "as predicted"].set_index("contrast")["genes"].to_dict()
    agreed = wanted[wanted["concordance"] == "as_predicted"]
    assert seen == agreed["contrast"].value_counts().to_dict()


def test_scatters_hold_what_the_tables_round_to(toy_run: Run, page: str) -> None:
    for contrast in toy_run.table("contrasts")["contrast"]:
        frame = toy_run.table("de", file_name(contrast)).set_index("gene_id")
        for kind in ("volcano", "ma"):
            shown = figure_rows(page, f"{kind}_{file_name(contrast)}", "points")
            assert shown["gene_id"].is_unique
            shown = shown.set_index("gene_id")
            own = frame.loc[shown.index]
            np.testing.assert_allclose(
                shown["log2FoldChange"], own["log2FoldChange"], atol=0.00050001
            )
            assert list(shown["call"]) == list(own["call"])
            called = frame.index[frame["call"] != "none"]
            assert set(called[:900]) <= set(shown.index)


def test_summary_counts_the_tables(toy_run: Run) -> None:
    made = json.loads((toy_run.results / "summary.json").read_text(encoding="utf-8"))
    contrasts = toy_run.table("contrasts").set_index("contrast")
    for name, row in made["contrasts"].items():
        frame = toy_run.table("de", file_name(name))
        assert row["up"] == contrasts.loc[name, "up"] == (frame["call"] == "up").sum()
        assert row["down"] == contrasts.loc[name, "down"] == (frame["call"] == "down").sum()
    factors = toy_run.table("factors")
    for name, row in made["factors"].items():
        calls = factors.loc[factors["factor"] == name, "call"]
        assert row["confirmed"] == (calls == "confirmed").sum()
        assert row["responsive"] == calls.isin(["confirmed", "responsive"]).sum()
    targets = toy_run.table("targets")
    bgn = targets[targets["target"] == "BGN"].set_index("contrast")["verdict"]
    assert {k: v["verdict"] for k, v in made["target"]["contrasts"].items()} == bgn.to_dict()


def test_workbook_holds_the_tables(toy_run: Run) -> None:
    data = (toy_run.results / "tables.xlsx").read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    for contrast in toy_run.table("contrasts")["contrast"]:
        header, *rows = book[f"de {contrast}"[:31]].iter_rows(values_only=True)
        frame = toy_run.table("de", file_name(contrast))
        shown = pd.DataFrame(rows, columns=header)
        assert list(shown["gene_id"]) == list(frame["gene_id"])
        for name in ("log2FoldChange", "pvalue", "padj", "second_padj", "confident_lfc"):
            # pandas reads the last binary digit of some texts differently
            np.testing.assert_allclose(
                shown[name].astype(float), frame[name].astype(float), rtol=1e-15, atol=0
            )


def test_every_declared_figure_is_there(toy_run: Run) -> None:
    folder = toy_run.results / "figures"
    for path in folder.glob("*.svg"):
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF-")
        assert len(path.read_bytes()) < 1_000_000
    assert len(list(folder.glob("*.svg"))) >= 30
