"""What a run prints at its end."""

from __future__ import annotations

import json
from pathlib import Path

from fibroserum.runtime.headline import headline, headlines, plan_lines


def test_the_story_then_the_report_then_the_warnings(tmp_path: Path) -> None:
    (tmp_path / "qc").mkdir()
    rows = ["pairs\tok\t\tfine\t", "samples used\twarning\tS1\tno sample after\tLook for it."]
    (tmp_path / "qc" / "checks.tsv").write_text(
        "check\tlevel\tsubject\tmessage\tadvice\n" + "\n".join(rows) + "\n"
    )
    story = " ".join(["word"] * 60)
    (tmp_path / "summary.json").write_text(json.dumps({"story": story}))
    lines = headline(tmp_path)
    report = lines.index(f"Report: {tmp_path / 'report.html'}")
    assert " ".join(lines[:report]) == story
    assert max(map(len, lines[:report])) <= 80
    assert lines[report + 1 :] == [
        f"1 warning of quality control ({tmp_path / 'qc' / 'checks.tsv'}):",
        "  samples used: S1: no sample after. Look for it.",
    ]


def test_of_many_warnings_the_first_are_printed_and_the_others_counted(tmp_path: Path) -> None:
    (tmp_path / "qc").mkdir()
    rows = [f"outlying sample\twarning\tS{at}\tfar" for at in range(8)]
    (tmp_path / "qc" / "checks.tsv").write_text(
        "check\tlevel\tsubject\tmessage\n" + "\n".join(rows) + "\n"
    )
    lines = headline(tmp_path)
    assert lines[1].startswith("8 warnings of quality control")
    assert lines[2:] == [*(f"  outlying sample: S{at}: far" for at in range(5)), "  and 3 more"]


def test_without_tables_only_the_report_is_named(tmp_path: Path) -> None:
    assert headline(tmp_path) == [f"Report: {tmp_path / 'report.html'}"]


def test_several_cohorts_have_a_line_each_and_one_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        flags = tmp_path / name / "flags"
        flags.mkdir(parents=True)
        (flags / "targets.tsv").write_text(
            "target\tcontrast\tkind\tverdict\theadline\nBGN\tRT\tchange\tup\tup\n"
            "BGN\tAT\tchange\tup\tnone\nBGN\tRT_vs_AT\tbaseline\tdown\tdown\n"
        )
    (tmp_path / "a" / "flags" / "factors.tsv").write_text(
        "factor\tcall\nCCL28\tconfirmed\nCCL28\tnot_responsive\n"
    )
    (tmp_path / "b" / "qc").mkdir()
    (tmp_path / "b" / "qc" / "checks.tsv").write_text("check\tlevel\nx\twarning\n")
    meta = tmp_path / "all" / "meta"
    meta.mkdir(parents=True)
    (meta / "targets.tsv").write_text(
        "target\tcontrast\tcohorts\trandom_estimate\trandom_ci_low\trandom_ci_high\treplicated\n"
        "BGN\tRT_change\t2\t0.4\t-1.234\t2\tup\nBGN\tAT_change\t0\t\t\t\tnone\n"
        "BGN\tRT_vs_AT_change\t1\t0.1\t0\t0.2\tnone\nDCN\tRT_change\t2\t1\t1\t1\tup\n"
    )
    assert headlines([tmp_path / "a", tmp_path / "b", tmp_path / "all"]) == [
        f"a: {tmp_path / 'a' / 'report.html'}; BGN up in RT, not established in AT; "
        "CCL28-responsive genes: 1",
        f"b: {tmp_path / 'b' / 'report.html'}; BGN up in RT, not established in AT; 1 QC warning",
        f"all: {tmp_path / 'all' / 'report.html'}; "
        "log2 fold change of BGN: RT_change +0.40 (-1.23 to +2.00; 2 cohorts), replicated: up, "
        "RT_vs_AT_change +0.10 (+0.00 to +0.20; 1 cohort)",
    ]


def test_a_plan_is_a_small_table() -> None:
    key = {"cohort": "muscle", "effect": "0.15"}
    rows = [
        key | {"mean_count": mean, "kind": kind, "pairs": pairs, "detectable_lfc": f"0.{pairs}",
               "power": "0.456"}
        for mean in ("100", "300")
        for kind in ("change", "slope")
        for pairs in ("8", "20")
    ]  # fmt: skip
    head, titles, *lines = plan_lines(rows)
    assert "muscle (genes of mean count 300)" in head
    assert "power for 0.15" in head
    assert titles.split() == ["pairs", "change", "slope", "per", "sd"]
    assert [line.split() for line in lines] == [
        ["8", "0.80", "46", "%", "0.80", "46", "%"],
        ["20", "0.20", "46", "%", "0.20", "46", "%"],
    ]
