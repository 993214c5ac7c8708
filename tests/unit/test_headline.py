"""What the end of a run says."""

from __future__ import annotations

from pathlib import Path

from fibroserum.runtime.headline import headline, headlines, plan_lines


def test_verdicts_and_responsive_genes(tmp_path: Path) -> None:
    flags = tmp_path / "flags"
    flags.mkdir()
    (flags / "targets.tsv").write_text(
        "target\tcontrast\tverdict\theadline\treason\nBGN\tRT\tup\tup\tboth models\n"
        "DCN\tRT\tdown\tdown\tx\nBGN\tAT\tinconclusive\tnone\twide\n"
        "BGN\tRT_vs_AT\tdown\tnone\tin this contrast\n"
    )
    (flags / "factors.tsv").write_text(
        "factor\tcall\nCCL28\tconfirmed\nCCL28\tresponsive\nCCL28\tnot_responsive\n"
        "DMG\tnot_assessable\n"
    )
    assert headline(tmp_path) == [
        f"Report: {tmp_path / 'report.html'}",
        "BGN in RT: up (both models)",
        "BGN in AT: inconclusive (wide)",
        "BGN in RT_vs_AT: not established (in this contrast)",
        "CCL28-responsive genes: 2 (1 confirmed)",
        "DMG-responsive genes: not assessable, no evidence on DMG",
    ]


def test_of_many_contrasts_those_that_say_nothing_are_counted(tmp_path: Path) -> None:
    (tmp_path / "flags").mkdir()
    rows = [f"BGN\tquiet{at}\tinconclusive\tnone\twide" for at in range(7)]
    rows += ["BGN\tRT\tup\tup\tboth models", "BGN\tlast\tuntestable\tnone\tone pair"]
    head = "target\tcontrast\tverdict\theadline\treason\n"
    (tmp_path / "flags" / "targets.tsv").write_text(head + "\n".join(rows) + "\n")
    assert headline(tmp_path)[1:] == [
        "BGN in RT: up (both models)",
        "BGN in the other 8 contrasts: 7 inconclusive, 1 untestable",
    ]
    (tmp_path / "flags" / "targets.tsv").write_text(head + "\n".join(rows[:7] * 2) + "\n")
    assert headline(tmp_path)[1:] == ["BGN in all 14 contrasts: 14 inconclusive"]


def test_nothing_to_say_is_no_error(tmp_path: Path) -> None:
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
