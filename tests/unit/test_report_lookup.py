"""What the page's lookup holds: levels of whole pairs within bounds, names, reasons, verdicts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fibroserum import tables
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.report.figures.lookup import lookup_figures
from fibroserum.report.figures.render import svg
from fibroserum.report.page import gene_data
from fibroserum.report.page.gene_names import (
    earlier_names,
    left_out_names,
    mapping_words,
    unusual_matches,
)
from fibroserum.report.theme import spec
from helpers.page_blocks import block, columns, header, levels
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


MATCHES = ["official"] * 6 + ["secondary", "alias", "alias", "shadowed", "ambiguous", "unknown"]


def run_with(matches: list[str], ids: list[str], symbols: list[str]) -> Any:
    """Return what the words on names need of a run."""
    genes = pd.DataFrame(
        {"symbol": symbols, "ensembl": "", "entrez": "", "match": matches}, index=ids
    )
    left_out = [("ERCC-1", "ERCC spike-in"), ("eGFP", "transgene"), ("ERCC-2", "ERCC spike-in")]
    frame = pd.DataFrame(left_out, columns=["gene", "reason"])
    return SimpleNamespace(genes=genes, left_out_genes=frame)


def test_how_genes_were_mapped_is_counted_in_words() -> None:
    names = [f"G{number}" for number in range(12)]
    run = run_with(MATCHES, names, names)
    assert mapping_words(run, {"genes": {"annotation": None}}) == (
        "The counts name the genes by symbols. Symbols are from fibroserum's table of human genes "
        "(NCBI Gene and Ensembl). 6 of 12 rows have an official id or symbol; 1 is another Ensembl "
        "id of a gene; 2 are a previous or alias symbol of one gene, whose official symbol is "
        "shown; 1 is an alias of a gene that has a row of its own, and is not mapped; 1 is an "
        "alias of several genes, and is not mapped; 1 is not in the table, and keeps the name in "
        "the counts."
    )
    run.genes["ensembl"], run.genes["match"] = names, "official"
    run.genes["symbol"] = ""
    assert mapping_words(run, {"genes": {"annotation": "tables/my_genes.tsv"}}) == (
        "The counts name the genes by Ensembl ids. Symbols are from your table my_genes.tsv, or "
        "else from fibroserum's table of human genes (NCBI Gene and Ensembl). 12 of 12 rows have "
        "an official id or symbol."
    )


def test_the_lookup_knows_earlier_names_and_rows_that_were_left_out() -> None:
    names = [f"G{number}" for number in range(12)]
    run = run_with(MATCHES, names, names)
    assert unusual_matches(run, names[::-1]) == {
        "secondary": [5], "alias": [3, 4], "shadowed": [2], "ambiguous": [1], "unknown": [0]
    }  # fmt: skip
    assert left_out_names(run) == {"ERCC spike-in": ["ERCC-1", "ERCC-2"], "transgene": ["eGFP"]}
    # CXCL8 was IL8; a name that a row of the matrix has is that row's
    earlier = earlier_names(["CXCL8", "not a gene", "BGN"], {"DSPG1", "BGN"})
    assert "IL8" in earlier[0].split("|")
    assert earlier[1] == ""
    assert earlier[2].split("|") == ["MRLS", "SEMDX", "SLRR1A"]


def test_verdicts_and_reasons_are_those_of_the_tables(tmp_path: Path, repository: Path) -> None:
    run, config, page = page_of(tmp_path, repository, Shape(genes=150, pairs=4))
    held = json.loads(block(page, "genes"))
    wanted = tables.read("targets", tmp_path / "flags" / "targets.tsv").dropna(subset=["gene_id"])
    assert len(wanted) == 7 * len(run.contrasts)
    for row in wanted.itertuples():
        verdict, reason, _ = held["verdicts"][row.gene_id][row.contrast]
        alone = row.verdict in ("up", "down") and row.headline == "none"
        assert verdict == row.verdict + (", not established" if alone else "")
        assert reason == row.reason
    alone = columns(page, 1)
    (kept,) = [one for one in run.planned if one.name == run.contrast_names[1]]
    codes = gene_data.reason_codes(run.de[kept.name], kept, config)
    assert list(alone["reason"]) == list(codes)
    assert set(alone["reason"]) > {"", "z"}
    # sentences have all but the numbers of the gene
    said = json.loads(block(page, "settings"))["reasons"]
    assert said["m"].endswith("(adjusted p value {weighted_padj}; the limit is 0.05).")
    assert "threshold of 0." in said["b"]


def test_a_threshold_applies_to_changes_and_not_to_slopes() -> None:
    config = {
        "differential_expression": {"alpha": 0.05, "second_opinion": "none", "lfc_threshold": 0.5}
    }
    change, *_ = contrasts_of(["all"], "pre", "post")
    dose = contrasts_of(["all"], "pre", "post", dose="sessions")[-1]
    assert (change.model, dose.model) == ("paired", "dose")
    frame = pd.DataFrame(
        {"log2FoldChange": [0.4], "lfcSE": [0.3], "weighted_padj": [0.9], "pvalue": [0.9]}
    ).assign(status="tested", call="none")
    assert list(gene_data.reason_codes(frame, change, config)) == ["mib"]
    assert list(gene_data.reason_codes(frame, dose, config)) == ["mi"]


def test_equal_mean_counts_are_sent_once(tmp_path: Path, repository: Path) -> None:
    run, config, _ = page_of(tmp_path, repository, Shape(genes=150, pairs=4))
    first, second, third = run.contrast_names[:3]
    ids = list(run.de[first]["gene_id"])
    same = run.de[second].assign(baseMean=run.de[first]["baseMean"])
    run = replace(run, de=run.de | {second: same})
    blocks = gene_data.pack_contrasts(run, config, ids)
    kinds = {name: header(data)["baseMean"] for name, data in blocks.items()}
    assert kinds["contrast-0"]["kind"] == "significant"
    assert (kinds["contrast-1"]["kind"], kinds["contrast-1"]["block"]) == ("same", "contrast-0")
    assert kinds["contrast-2"]["kind"] == "significant"
    assert third == run.contrast_names[2]


def test_panels_draw_the_interval_beside_the_lines(tmp_path: Path, repository: Path) -> None:
    run, _, _ = page_of(tmp_path, repository, Shape(genes=150, pairs=4))
    made = spec(lookup_figures(run)["lookup_donors"])
    rows = [
        {"panel": "BGN\nAT: 1.00 (0.50 to 1.50)", "donor": donor, "group": "AT", "time": time}
        | {"slot": f"AT {time}", "level": level, "filled": 0}
        for donor, levels in (("A", (4.0, 5.0)), ("B", (6.0, 7.0)))
        for time, level in zip(("pre", "post"), levels, strict=True)
    ]
    change = {"panel": rows[0]["panel"], "group": "AT", "time": "post", "slot": "AT post"}
    change |= {"level": None, "mean": 6.0, "low": 5.5, "high": 6.5}
    made["datasets"]["slopes"] = [*rows, change]
    made["facet"]["sort"] = [rows[0]["panel"]]
    drawn = svg(made)
    # two donors, in four points; one interval, with the mean in it
    points = re.findall(r'translate\(([\d.]+),([\d.]+)\)" d="M[^"]+"[^>]*stroke-width="1.2"', drawn)
    (bar,) = re.findall(
        r'translate\(([\d.]+),([\d.]+)\)"[^>]*y2="(-?[\d.]+)"[^>]*stroke-width="2.6"', drawn
    )
    heights = sorted(float(y) for _, y in points)
    per_unit = (heights[-1] - heights[0]) / 3
    assert len(points) == 4
    assert abs(float(bar[2])) == pytest.approx(per_unit, abs=0.01)
    assert float(bar[0]) == max(float(x) for x, _ in points) + 9
    assert "AT: 1.00 (0.50 to 1.50)" in drawn
