"""Every table that a config can name, as CSV: the same results as from TSV, to the report's page.

Each cell is quoted, and some hold commas. No reader may take a table for tab-separated text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.plan import plan
from fibroserum.errors import InputError
from fibroserum.input.schema import config_schema
from helpers.pipeline import REPOSITORY
from helpers.small_cohort import GENES, SmallCohort, Table, good
from helpers.small_runs import outputs, run


def quoted(table: Table, separator: str = ",") -> str:
    """Return a table as text in which every cell is quoted."""
    return "".join(separator.join(f'"{cell}"' for cell in row) + "\n" for row in table.rows)


def salmon(counts: Table) -> dict[str, str]:
    """Return a quant.sf for each sample, of one transcript a gene: scaled counts are the counts."""
    files = {}
    for column, sample in enumerate(counts.header[1:], 1):
        reads = [int(row[column]) for row in counts.rows[1:]]
        rows = ["Name\tLength\tEffectiveLength\tTPM\tNumReads"]
        for gene, number in zip(GENES, reads, strict=True):
            rows.append(f"T{gene}\t1200\t1000\t{number / sum(reads) * 1e6!r}\t{number}")
        files[f"arm.quants/{sample}/quant.sf"] = "\n".join(rows) + "\n"
    return files


def in_seven_tables() -> SmallCohort:
    """Return the small cohort with the two tables that it has not: `annotation` and `tx2gene`.

    They change nothing: each gene has its own symbol, and each transcript is a gene.
    """
    cohort = good()
    header, *rows = cohort.tables["signature.tsv"].rows
    sources = [[*row, "doi:10.1/x, table 2"] for row in rows]
    cohort.tables["signature.tsv"] = Table([[*header, "source"], *sources])
    cohort.tables["published.tsv"].put("BGN", "p", "0.01, two-sided")
    cohort.tables["annotation.tsv"] = Table([["gene_id", "symbol"], *([g, g] for g in GENES)])
    pairs = [[f"T{gene}", gene] for gene in GENES]
    cohort.tables["tx2gene.tsv"] = Table([["transcript_id", "gene_id"], *pairs])
    cohort.instead |= salmon(cohort.tables.pop("arm.counts.tsv"))
    cohort.config |= {
        "fractional": "round",
        "tx2gene": "tx2gene.tsv",
        "genes": {"annotation": "annotation.tsv"},
    }
    cohort.arm["counts"] = "arm.quants"
    return cohort


def renamed(value: Any) -> Any:
    """Return the config with the ending .csv in place of .tsv."""
    if isinstance(value, dict):
        return {key: renamed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [renamed(one) for one in value]
    return re.sub(r"\.tsv$", ".csv", value) if isinstance(value, str) else value


def as_csv(cohort: SmallCohort) -> SmallCohort:
    """Write every table of a cohort but its gene sets as CSV."""
    tables = {name: cohort.tables.pop(name) for name in list(cohort.tables) if name != "sets.gmt"}
    for name, table in tables.items():
        cohort.instead[renamed(name)] = quoted(table)
    cohort.config = renamed(cohort.config)
    return cohort


def test_csv_gives_what_tsv_gives(small_run: Path, tmp_path: Path) -> None:
    as_csv(in_seven_tables()).write(tmp_path)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    own, tsv = outputs(tmp_path), outputs(small_run)
    # it holds the config and the checksums of the files
    for made in (own, tsv):
        del made["small/provenance.json"]
    # what was done to the arm's quant.sf is noted
    checks, summary = own.pop("small/qc/checks.tsv"), json.loads(own.pop("small/summary.json"))
    lines = checks.splitlines(keepends=True)
    kept = b"".join(line for line in lines if b"arm.quants: " not in line)
    assert b"counts scaled by length" in checks
    assert kept == tsv.pop("small/qc/checks.tsv")
    assert len(summary) == len(json.loads(tsv.pop("small/summary.json")))
    assert own == tsv
    figures = sorted((small_run / "results" / "small" / "figures").iterdir())
    assert figures
    for figure in figures:
        same = tmp_path / figure.relative_to(small_run)
        assert same.read_bytes() == figure.read_bytes(), figure.name
    page = (tmp_path / "results" / "small" / "report.html").read_text(encoding="utf-8")
    assert "Published effects in the forest plot are from published.csv" in page


TABLES = ("samples", "counts", "arm.samples", "signature", "published", "annotation", "tx2gene")


@pytest.mark.parametrize("name", TABLES)
def test_semicolons_are_refused_in_every_table(name: str, tmp_path: Path) -> None:
    cohort = in_seven_tables()
    cohort.instead[f"{name}.tsv"] = quoted(cohort.tables[f"{name}.tsv"], ";")
    cohort.write(tmp_path)
    schema = config_schema()
    raw = yaml.safe_load((tmp_path / "cohort.yaml").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with pytest.raises(InputError, match=rf"{name}\.tsv: has semicolons between columns"):
            read_all(plan(raw, schema, REPOSITORY, "cohort.yaml").config)
