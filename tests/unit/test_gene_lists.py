"""Own lists of genes: reading them, their table, their marks and lines, their section and sheet."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
import vl_convert

from fibroserum import tables
from fibroserum.cohort.accessors import all_contrasts, settings_of
from fibroserum.cohort.plan import plan
from fibroserum.de.gene_lists import SHOWN, gene_list_table
from fibroserum.errors import InputError
from fibroserum.input.gene_lists import read_gene_lists
from fibroserum.input.schema import config_schema
from fibroserum.report.figures.change import target_ids
from fibroserum.report.figures.gene_lists import MOST_LINES, MOST_MARKED
from fibroserum.report.figures.registry import draw
from fibroserum.report.figures.render import svg
from fibroserum.report.loading import load_run
from fibroserum.report.theme import Figure, spec
from fibroserum.report.workbook import workbook
from helpers.bad_inputs import built
from helpers.pipeline import REPOSITORY
from helpers.report_run import page_of
from helpers.report_shape import HOSTILE, Shape
from helpers.small_cohort import good

RNG = np.random.default_rng(8)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", "BGN\nDCN\n\n# a remark\nBGN\n  VCAN  \n"),
        ("list.txt", "\ufeffBGN, DCN; VCAN\r\n"),
        ("list.csv", '"BGN","DCN"\n"VCAN",\n'),
        ("list.gmt", "mine\tof my own\tBGN\tDCN\tVCAN\tBGN\n"),
    ],
)
def test_a_file_of_genes_is_read(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    read = read_gene_lists({"file": str(path), "written": [" BGN", "DCN", "VCAN", "BGN"]})
    assert read == dict.fromkeys(("file", "written"), ("BGN", "DCN", "VCAN"))


@pytest.mark.parametrize(
    ("gene", "annotation", "said"),
    [
        (
            "BGNN",
            None,
            "gene_lists.mine: 'BGNN' is not a recognised human gene; expected .* 'BGN'?",
        ),
        ("SKIN1", "gene_id,symbol\nSKIN9,SKIN9\n", "'SKIN1' is not a recognised human gene"),
        ("SKIN9", "gene_id,symbol\nSKIN9,SKIN9\n", None),
        ("SKIN_OF_THE_MATRIX", None, None),
    ],
)
def test_the_plan_refuses_a_gene_that_nothing_knows(
    gene: str, annotation: str | None, said: str | None, tmp_path: Path
) -> None:
    """Before any model is fitted; a row of the counts is a gene, whatever the tables have."""
    cohort = good()
    cohort.config["gene_lists"] = {"mine": ["DCN", gene]}
    cohort.counts.rows.append(["SKIN_OF_THE_MATRIX", *["90"] * (len(cohort.counts.header) - 1)])
    if annotation:
        names = [f"{row[0]},{row[0]}\n" for row in cohort.counts.rows[1:]]
        cohort.instead["annotation.csv"] = annotation + "".join(names)
        cohort.config["genes"] = {"annotation": "annotation.csv"}
    cohort.write(tmp_path)
    raw = cohort.config
    with contextlib.chdir(tmp_path):
        if said is None:
            plan(raw, config_schema(), REPOSITORY, "cohort.yaml")
            return
        with pytest.raises(InputError, match=said) as error:
            plan(raw, config_schema(), REPOSITORY, "cohort.yaml")
    assert len(error.value.problems) == 1


def test_the_table_holds_the_rows_of_de(tmp_path: Path) -> None:
    """Names of other kinds find their rows; two names of one gene are one; lists test nothing."""
    (cohort,) = built(good(), tmp_path)
    settings = settings_of(cohort.adata)
    genes = cohort.adata.var_names
    de = {}
    for contrast in all_contrasts(settings):
        numbers = {name: RNG.uniform(0, 1, len(genes)) for name in SHOWN[:-2]}
        frame = pd.DataFrame({"gene_id": genes, "symbol": genes, **numbers})
        de[contrast.name] = frame.assign(
            status="tested", call=RNG.choice(["up", "none"], len(genes))
        )
    last = all_contrasts(settings)[-1].name
    de[last] = de[last].head(0)
    lists = {"a": ("ENSG00000182492", "BGN", "GAPDH", "TP53"), "b": ("BGN",)}
    found = gene_list_table(cohort.adata, lists, de)
    tables.check("gene_lists", found)
    order = [("a", "ENSG00000182492"), ("a", "GAPDH"), ("a", "TP53"), ("b", "BGN")]
    assert (
        list(found[["list", "gene"]].drop_duplicates().itertuples(index=False, name=None)) == order
    )
    assert len(found) == len(order) * len(de)
    for row in found.itertuples():
        source = de[row.contrast].set_index("gene_id")
        if row.gene == "TP53":
            assert (row.gene_id, row.status, row.call) == (None, "not_in_matrix", "none")
        elif row.contrast == last:
            assert (row.status, row.call) == ("not_estimable", "none")
        else:
            gene = "BGN" if row.gene.startswith("ENSG") else row.gene
            assert row.gene_id == gene
            assert all(getattr(row, name) == source.loc[gene, name] for name in SHOWN)
    assert gene_list_table(cohort.adata, {}, de).empty


def test_unknown_genes_of_a_list_are_named_with_the_nearest(tmp_path: Path) -> None:
    (cohort,) = built(good(), tmp_path)
    wrong = {"mine": ("BGNN", *(f"NOGENE{n}" for n in range(8)))}
    with pytest.raises(InputError) as refused:
        gene_list_table(cohort.adata, wrong, {})
    first, *_, last = refused.value.problems
    assert str(first).startswith("config, gene_lists.mine: 'BGNN' is not a recognised human gene")
    assert first.hint == "Did you mean 'BGN'?"
    assert last.what == "4 more problems"


def marks_of(figures: dict[str, Figure], name: str) -> list[dict[str, Any]]:
    """Return the marks of a figure in Vega, in which the layout of labels finds its layer."""
    return vl_convert.vegalite_to_vega(spec(figures[name]))["marks"]


SHAPE = Shape(
    genes=400,
    lists={
        "short": ["BGN", "GENE00030", "GENE00031", "TP53"],
        HOSTILE[0]: [f"GENE{number:05}" for number in range(40, 340)],
        "absent": ["TP53"],
    },
)


def test_lists_are_marked_drawn_listed_and_have_a_sheet(tmp_path: Path, repository: Path) -> None:
    run, config, html = page_of(tmp_path, repository, SHAPE)
    figures = draw(run, config)
    assert len([name for name in figures if name.startswith("gene_list_")]) == 3
    for kind in ("volcano", "ma"):
        figure = figures[f"{kind}_RT_post_vs_pre"]
        marked = figure.data["lists"].groupby("list")["gene"].agg(list)
        assert set(marked["short"]) == {"BGN", "GENE00030", "GENE00031"}
        assert len(marked[HOSTILE[0]]) == MOST_MARKED
        assert "absent" not in marked
        assert f"({MOST_MARKED} of 300 genes)" in figure.description
    drawing = svg(spec(figures["volcano_RT_post_vs_pre"]))
    assert (drawing.count(">Gene list<"), drawing.count(">Call<")) == (1, 1)
    # the targets' names keep out of each other's way as without lists, whose table is left there
    without = {**config, "gene_lists": {}}
    plain = draw(load_run(tmp_path, without), without)["volcano_RT_post_vs_pre"]
    assert "lists" not in plain.data
    marks = marks_of(figures, "volcano_RT_post_vs_pre")
    assert "names_marks" in {mark.get("name") for mark in marks}
    lines = figures["gene_list_short"].data["slopes"]
    assert list(dict.fromkeys(lines["panel"])) == ["BGN", "GENE00030", "GENE00031"]
    sample = run.obs.query("donor == @lines.donor.iloc[0] and time == 'pre'").index[0]
    gene = run.gene_lists.query("gene == 'BGN'")["gene_id"].iloc[0]
    expected = np.log2(run.normalized.loc[sample, gene] + 0.5)
    assert lines["level"].iloc[0] == pytest.approx(expected, abs=1e-5)
    many = next(
        f for n, f in figures.items() if n.startswith("gene_list_") and "300" in f.description
    )
    assert many.data["slopes"]["panel"].nunique() == MOST_LINES
    rows = run.gene_lists[run.gene_lists["list"] == HOSTILE[0]]
    best = rows.groupby("gene")["pvalue"].min().nsmallest(MOST_LINES).index
    assert set(many.data["slopes"]["panel"]) == set(best)
    assert "No gene of the list absent" in figures["gene_list_absent"].description
    assert 'id="gene-lists"' in html
    book = openpyxl.load_workbook(
        io.BytesIO(workbook(tmp_path, "x", {}, ["gene_lists"])), read_only=True
    )
    assert sum(1 for _ in book["gene_lists"].rows) == 1 + len(run.gene_lists)


def test_without_lists_nothing_is_added(tmp_path: Path, repository: Path) -> None:
    run, config, html = page_of(tmp_path, repository, Shape(genes=120))
    assert run.gene_lists.empty
    assert target_ids(run)
    assert "lists" not in draw(run, config)["volcano_RT_post_vs_pre"].data
    assert 'id="gene-lists"' not in html
    book = openpyxl.load_workbook(io.BytesIO(workbook(tmp_path, "x", {})), read_only=True)
    assert "gene_lists" not in book.sheetnames
