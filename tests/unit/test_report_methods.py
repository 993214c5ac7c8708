"""The methods paragraph says what this run did, whatever its shape."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fibroserum.config import load_schema, with_defaults
from fibroserum.report.page import environment

RAW = {
    "cohort": "c",
    "counts": ["counts.tsv"],
    "samples": "samples.tsv",
    "design": {"group": "group", "before": "pre", "after": "post", "reference_group": "AT"},
}


@pytest.fixture
def said(repository: Path) -> Any:
    schema = load_schema(repository / "workflow" / "schemas" / "config.schema.yaml")

    def paragraph(
        groups: tuple[str, ...] = ("AT", "RT"),
        de: dict[str, Any] | None = None,
        calibration: tuple[int | None, ...] = (),
        pairs: int = 8,
        **settings: Any,
    ) -> str:
        targets = settings.pop("targets", ["BGN", "DCN"])
        config = with_defaults(
            RAW | {"differential_expression": de or {}, "targets": targets}, schema
        )
        facts = {
            "config": config,
            "run": SimpleNamespace(metrics=[0] * 16),
            "summary": {"version": "1.0", "pairs": dict.fromkeys(groups, pairs)},
            "settings": {
                "groups": list(groups),
                "pools": [],
                "crossover": False,
                "size_factor_method": "ratio",
            }
            | settings,
            "views": {
                "sheet": [],
                "lines": [],
                "factors": [],
                "published": [],
                "contrasts": [{"spread_ratio": ratio} for ratio in (1.01, None, 1.3)],
                "calibration": [{"relabellings": count} for count in calibration],
            },
            "provenance": {"versions": {}, "inputs": {}},
            "schemas": {},
            "bibtex": "",
            "config_json": "",
        }
        template = environment(repository / "workflow" / "report").get_template(
            "sections/methods.html"
        )
        page = template.render(**facts)
        text = page[page.index('id="methods-text"') : page.index("</blockquote>")]
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())

    return paragraph


def test_two_groups(said: Any) -> None:
    text = said()
    assert "AT: 8 complete pairs, RT: 8 complete pairs" in text
    assert "one indicator per donor and one change per group;" in text
    assert "groups before the intervention were compared in a model of the samples before." in text
    assert "residual variance for each group in a model whose groups spread unequally" in text
    assert "(spread ratios here 1.01 to 1.30), agreed" in text
    assert "2 target genes were declared" in text
    assert "judged by the difference between groups" in text
    for word in ("pool", "crossover", "relabelling", "above 0", "No change was said"):
        assert word not in text


def test_one_group_has_no_other(said: Any) -> None:
    text = said(groups=("all",), pairs=1)
    assert "(1 complete pair)" in text
    assert "one indicator per donor and one change. Models" in text
    for word in ("all:", "groups", "each group", "baseline", "before the intervention"):
        assert word not in text


def test_a_crossover(said: Any) -> None:
    text = said(crossover=True)
    assert "libraries of one donor, group and time, where there were several, were summed" in text
    assert "and a level for each group within donors" in text
    assert "a model of the samples before, donors blocked" in text


@pytest.mark.parametrize(
    ("opinion", "words", "never"),
    [
        ("none", "in this model alone, without a second opinion", "both models"),
        ("edger_ql", "edgeR's quasi-likelihood test (Robinson et al. 2010; Lund et al.", "voom"),
        ("voom", "limma-voom (Law et al. 2014)", "edgeR"),
    ],
)
def test_the_second_opinion(said: Any, opinion: str, words: str, never: str) -> None:
    text = said(de={"second_opinion": opinion})
    assert words in text
    assert never not in text


def test_thresholds_and_bounds(said: Any) -> None:
    text = said(de={"lfc_threshold": 0.3, "equivalence_lfc": 0.2, "alpha": 0.1})
    assert "Wald tests of |log2 fold change| above 0.3 were adjusted" in text
    assert "the 90 % interval lies within ± 0.2." in text
    assert "both adjusted p values below 0.1" in text


def test_relabellings_are_those_that_were_made(said: Any) -> None:
    asked = {"permutations": 1000}
    assert "Calls of 2 of 2 contrasts" in said(de=asked, calibration=(35, 1000))
    assert "(35 to 1,000 relabellings)" in said(de=asked, calibration=(35, 1000))
    assert "Calls of 1 of 2 contrasts" in said(de=asked, calibration=(None, 127))
    assert "No contrast could be calibrated" in said(de=asked, calibration=(0, None))


def test_pools_and_single_targets(said: Any) -> None:
    text = said(pools=["P1", "P2"], targets=["BGN"])
    assert "2 of these donors are pools of sera, each counted as one donor" in text
    assert "a verdict that one donor or pool carries was held back" in text
    assert "1 target gene was declared" in text
    assert "target" not in said(targets=[])
