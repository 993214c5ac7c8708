"""How soon a large cohort says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fibroserum.genes.table import load_table
from helpers.bad_inputs import run
from helpers.small_cohort import Table, good

DONORS, GENES = 56, 20_000
# 10 s on an idle machine; this one may be busy with other tests
SECONDS = 30


def _large(folder: Path) -> tuple[Table, Path]:
    """Return a sheet of 112 samples, and where their counts of 20,000 genes are written."""
    rows = [
        [f"D{n}_{time}", f"D{n}", "AT" if n <= DONORS // 2 else "RT", time, str(300 + n)]
        for n in range(1, DONORS + 1)
        for time in ("pre", "post")
    ]
    symbols = load_table()["symbol"].drop_duplicates().iloc[:GENES]
    rng = np.random.default_rng(1)
    means = np.exp(rng.normal(4, 2, (GENES, 1)))
    counts = rng.poisson(means * rng.gamma(5, 0.2, (GENES, len(rows))))
    counts[-1, -1] = -7
    lines = ["gene_id\t" + "\t".join(row[0] for row in rows)]
    lines += [
        f"{symbol}\t" + "\t".join(map(str, row))
        for symbol, row in zip(symbols, counts.tolist(), strict=True)
    ]
    folder.mkdir()
    (folder / "large.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header = ["sample", "donor", "group", "timepoint", "ccl28"]
    return Table([header, *rows]), folder / "large.tsv"


def test_a_large_cohort_says_soon_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, path = _large(tmp_path / "large")
    cohort = good()
    cohort.tables["samples.tsv"] = sheet
    cohort.config["counts"] = [path.name]
    sheet.put("D9_post", "ccl28", "high")
    outcome = run(cohort, path.parent)
    with capsys.disabled():
        print(f"\nfirst error of 112 samples × 20,000 genes after {outcome.seconds:.1f} s")
    assert outcome.status == 1
    assert "2 problems with the input" in outcome.output
    assert "the level 'high' of CCL28 is not a number" in outcome.output
    assert "column 'D56_post': the count is negative (-7)" in outcome.output
    assert outcome.seconds < SECONDS
