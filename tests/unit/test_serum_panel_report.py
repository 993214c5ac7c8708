"""The serum panel on the page: figures, rows of tables, sheets of the workbook."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from fibroserum import tables
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.report import figure_names
from fibroserum.report.figures import panel
from fibroserum.report.page.panel_tables import panel_views
from fibroserum.report.page.templates import environment
from fibroserum.report.theme import spec

CONTRAST = "RT_post_vs_pre"


def _run(molecules: int = 3) -> Any:
    """Return the panel's tables of a run: CCL28 is a candidate, the last was not tested."""
    names = ["CCL28", *(f"<m{n}>" for n in range(1, molecules))]
    changes = pd.DataFrame({"molecule": names, "contrast": CONTRAST, "levels": 40})
    changes["below_limit"] = [0] * (molecules - 1) + [30]
    changes["change_log2"] = [-1.0] + [0.1] * (molecules - 2) + [float("nan")]
    changes["pvalue"] = [1e-5] + [0.5] * (molecules - 2) + [float("nan")]
    changes["padj"], changes["donors"] = changes["pvalue"], 20
    changes["call"] = ["down"] + ["none"] * (molecules - 2) + [None]
    changes["reason"] = [None] * (molecules - 1) + ["30 of its 40 levels are below the limit"]
    changes["factor"] = ["CCL28"] + [None] * (molecules - 1)
    keys = [(m, t) for m in names[:-1] for t in ("BGN", "DCN")]
    slopes = pd.DataFrame(keys, columns=["molecule", "target"])
    slopes["time"], slopes["donors"] = "post", 20
    slopes["slope"] = [-0.5, 0.2] + [0.1] * (len(keys) - 2)
    slopes["pvalue"] = [1e-4, 0.4] + [0.3] * (len(keys) - 2)
    slopes["padj"] = slopes["pvalue"]
    slopes["factor"] = ["CCL28", "CCL28"] + [None] * (len(keys) - 2)
    found = slopes.assign(contrast=CONTRAST, call=["candidate"] + ["none"] * (len(keys) - 1))
    found["predicted_lfc"], found["reason"] = 0.5, "CCL28 falls"
    parts = {"serum_panel": changes, "serum_panel_targets": slopes, "candidates": found}
    made = {
        name: part.reindex(columns=tables.schemas()[name].names) for name, part in parts.items()
    }
    return SimpleNamespace(
        panel=made["serum_panel"],
        panel_targets=made["serum_panel_targets"],
        candidates=made["candidates"],
        planned=contrasts_of(["AT", "RT"], "pre", "post"),
        groups=["AT", "RT"],
        contrast_names=[CONTRAST],
        settings={"before": "pre", "after": "post", "control": None},
    )


def test_the_volcano_rings_factors_and_leaves_out_what_was_not_tested() -> None:
    figure = panel.volcano(_run(), CONTRAST)
    drawn = spec(figure)["datasets"]
    assert [row["molecule"] for row in drawn["molecules"]] == ["<m1>", "CCL28"]
    assert [row["molecule"] for row in drawn["factors"]] == ["CCL28"]
    assert figure.description == ("Molecules in RT_post_vs_pre: 0 up and 1 down of 2 tested.")
    assert "No molecule was tested" in panel.volcano(_run(), "other").description


def test_the_matrix_shows_factors_first_and_forty_molecules() -> None:
    run = _run(60)
    rows = panel.matrix_rows(run, 0.05)
    assert rows["molecule"].nunique() == panel.MOST_MOLECULES
    assert rows["name"].iloc[0] == "CCL28 (factor)"
    drawn = spec(panel.matrix(run, 0.05))["datasets"]
    assert [(row["molecule"], row["column"], row["seen"]) for row in drawn["found"]] == [
        ("CCL28", "BGN", "against")
    ]
    assert [row["candidate"] for row in drawn["candidates"]] == [CONTRAST]


def test_the_section_names_candidates_and_escapes_names(repository: Path) -> None:
    run = _run()
    views = panel_views(run)
    assert views["panel"] == {"molecules": 3, "tested": 2, "candidates": 1}
    config = {"serum_panel": {}, "differential_expression": {"alpha": 0.05}}
    names = figure_names(contrasts_of(["AT", "RT"], "pre", "post"), [], panel=True)
    entry = {"label": {"figure": "F"}, "subject": "", "caption": "", "description": "", "still": ""}
    page = environment(repository / "workflow" / "report").get_template("sections/candidates.html")
    text = page.render(
        views=views, config=config, labels={CONTRAST: "RT"}, figures=dict.fromkeys(names, entry)
    )
    assert "1 pair of molecule and target is a candidate" in text
    assert "CCL28 (factor)" in text
    assert "&lt;m2&gt;" in text
    assert "<m2>" not in text
    assert "in the other" not in text


def test_the_figure_of_each_contrast_can_be_chosen() -> None:
    views = panel_views(_run())
    assert views["panel_figures"] == [(0, f"panel_volcano_{CONTRAST}")]
    assert views["panel_contrasts"] == [CONTRAST]
