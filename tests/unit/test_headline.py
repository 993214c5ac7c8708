"""What the end of a run says."""

from __future__ import annotations

from pathlib import Path

from fibroserum.headline import headline


def test_verdicts_and_responsive_genes(tmp_path: Path) -> None:
    flags = tmp_path / "flags"
    flags.mkdir()
    (flags / "targets.tsv").write_text(
        "target\tcontrast\tverdict\treason\nBGN\tRT\tup\tboth models\nDCN\tRT\tdown\tx\n"
        "BGN\tAT\tinconclusive\twide\n"
    )
    (flags / "factors.tsv").write_text(
        "factor\tcall\nCCL28\tconfirmed\nCCL28\tresponsive\nCCL28\tnot_responsive\n"
        "DMG\tnot_assessable\n"
    )
    assert headline(tmp_path) == [
        f"Report: {tmp_path / 'report.html'}",
        "BGN in RT: up (both models)",
        "BGN in AT: inconclusive (wide)",
        "CCL28-responsive genes: 2 (1 confirmed)",
        "DMG-responsive genes: not assessable, no evidence on DMG",
    ]


def test_nothing_to_say_is_no_error(tmp_path: Path) -> None:
    assert headline(tmp_path) == [f"Report: {tmp_path / 'report.html'}"]
