"""R reads a run with the code of docs/r.md, and has the counts, sheet and calls that Python has.

Without R and its packages these tests are skipped; with FIBROSERUM_REQUIRE_R=1 they fail.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fibroserum as fs
from fibroserum import tables
from fibroserum.cohort.storage import read_h5ad, write_h5ad
from fibroserum.input.names import file_name
from helpers.pipeline import REPOSITORY, Run
from helpers.small_cohort import good

PACKAGES = ("SummarizedExperiment", "rhdf5")
#: What R writes for NA, which no text of these tests is.
MISSING = "<missing>"
#: Writes the tables that R has, numbers with all digits.
WRITE = f"""
put <- function(name, table) {{
  table <- as.data.frame(table, optional = TRUE)
  table[] <- lapply(table, function(x) {{
    ifelse(is.na(x), NA, if (is.double(x)) sprintf("%.17g", x) else as.character(x))
  }})
  write.table(table, file.path("from_r", name), sep = "\\t", na = "{MISSING}", qmethod = "double",
              col.names = NA)
}}
dir.create("from_r")
put("counts", assay(se, "counts"))
put("obs", colData(se))
put("var", rowData(se))
for (name in names(metadata(se)$de)) put(paste0("de_", name), metadata(se)$de[[name]])
put("targets", metadata(se)$targets)
"""


@pytest.fixture(scope="module")
def rscript() -> str:
    """Return R's interpreter of scripts, which has the packages of the page."""
    found = shutil.which("Rscript")
    code = f"for (name in c{PACKAGES}) library(name, character.only = TRUE)"
    if found and not subprocess.run([found, "-e", code], capture_output=True).returncode:
        return found
    said = f"R with {' and '.join(PACKAGES)} is not installed (see docs/r.md): R reads no run"
    if os.environ.get("FIBROSERUM_REQUIRE_R"):
        pytest.fail(said)
    pytest.skip(said)


def in_r(rscript: str, results: Path, folder: Path) -> dict[str, pd.DataFrame]:
    """Run the code of the page on `results`, and return the tables that R then has, as text."""
    page = (REPOSITORY / "docs" / "r.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```r\n(.*?)```", page, flags=re.DOTALL))
    shown = 'run <- "results/toy"'
    assert code.count(shown) == 1
    (folder / "run").symlink_to(results)
    (folder / "read.R").write_text(code.replace(shown, 'run <- "run"') + WRITE, encoding="utf-8")
    done = subprocess.run(
        [rscript, "--vanilla", "read.R"],
        cwd=folder,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    read = {"sep": "\t", "index_col": 0, "dtype": str, "keep_default_na": False}
    return {
        path.name: pd.read_csv(path, na_values=[MISSING], **read)
        for path in (folder / "from_r").iterdir()
    }


def assert_same(r: pd.DataFrame, python: pd.DataFrame) -> None:
    """Compare tables cell by cell: numbers as numbers, and what is missing."""
    assert list(r.columns) == list(python.columns)
    assert len(r) == len(python) > 0
    for column in python:
        ours, theirs = python[column].reset_index(drop=True), r[column].reset_index(drop=True)
        missing = ours.isna()
        assert theirs.isna().tolist() == missing.tolist(), column
        ours, theirs = ours[~missing], theirs[~missing]
        if pd.api.types.is_numeric_dtype(ours) and not pd.api.types.is_bool_dtype(ours):
            np.testing.assert_allclose(theirs.astype(float), ours.astype(float), rtol=1e-14)
        elif set(ours) <= {True, False}:
            # the tables write true and false, as text
            assert theirs.map(str.lower).tolist() == ours.map(str).map(str.lower).tolist(), column
        else:
            assert theirs.tolist() == ours.tolist(), column


def compare(
    r: Mapping[str, pd.DataFrame],
    h5ad: Path,
    de: Mapping[str, pd.DataFrame],
    targets: pd.DataFrame,
) -> None:
    """Compare what R has with the cohort, its tables of contrasts (by file) and its targets."""
    adata = read_h5ad(h5ad)
    assert sorted(r) == sorted(["counts", "obs", "targets", "var", *(f"de_{one}" for one in de)])
    for axis, names in (("obs", adata.obs_names), ("var", adata.var_names)):
        assert r[axis].index.tolist() == names.tolist()
    assert r["counts"].columns.tolist() == adata.obs_names.tolist()
    assert r["counts"].index.tolist() == adata.var_names.tolist()
    assert (r["counts"].astype(float).to_numpy() == adata.to_df().T.to_numpy()).all()
    assert_same(r["obs"], adata.obs)
    calls = {name: table.set_index("gene_id")["call"] for name, table in sorted(de.items())}
    assert_same(r["var"][list(adata.var)], adata.var)
    assert set(r["var"]) == {*adata.var, *calls}
    for name, table in de.items():
        assert_same(r[f"de_{name}"], table)
        expected = calls[name].reindex(adata.var_names)
        assert r["var"][name].tolist() == expected.tolist()
    assert_same(r["targets"], targets)


def test_r_has_what_python_has(rscript: str, toy_run: Run, tmp_path: Path) -> None:
    r = in_r(rscript, toy_run.results, tmp_path)
    names = sorted(path.stem for path in (toy_run.results / "de").glob("*.tsv"))
    assert len(names) == 5
    de = {name: toy_run.table("de", name) for name in names}
    assert set().union(*(table["call"] for table in de.values())) == {"up", "down", "none"}
    assert de[names[0]]["padj"].isna().any()
    compare(r, toy_run.results / "cohort.h5ad", de, toy_run.table("targets"))


def test_r_reads_strange_names_and_missing_values(
    rscript: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = good()
    small.rename_samples(lambda name: name.replace("D", "").replace("_pre", "-a").replace("_", " "))
    small.sheet.map("donor", lambda name: f"00{name[1:]}")
    small.sheet.map("group", lambda name: {"AT": "Kontrolle 'ü'"}.get(name, name))
    small.design["reference_group"] = "Kontrolle 'ü'"
    small.sheet.add_column("IL-6 (pg/ml)", ["<15", "", "NA", *map(str, range(9))])
    small.sheet.add_column("note", ['says "no"', "#1", "a,b", "T", "", "é", *"123456"])
    small.write(tmp_path)
    cohort = fs.read_cohort(fs.load_config("cohort.yaml"))
    fits = fs.fit(cohort)
    results = fs.results(cohort, fits)
    targets = fs.target_tables(cohort, fits, results).targets
    targets["outlier_donor"] = ["001", *targets["outlier_donor"][1:]]
    folder = tmp_path / "strange"
    for name, table in results.items():
        tables.write("de", table, folder / "de" / f"{file_name(name)}.tsv")
    tables.write("targets", targets, folder / "flags" / "targets.tsv")
    adata = cohort.adata.copy()
    adata.obs["plate"] = pd.Categorical([None, "x", "y", *[None] * 9])
    adata.X = adata.X.astype(np.int64)
    adata.X[0, 0] = 3_000_000_001
    write_h5ad(adata, folder / "cohort.h5ad")
    assert {"1-a", "1 post"} <= set(adata.obs_names)
    assert (adata.obs.columns == "IL-6 (pg_ml)").any()
    r = in_r(rscript, folder, tmp_path)
    de = {
        file_name(name): tables.read("de", folder / "de" / f"{file_name(name)}.tsv")
        for name in results
    }
    compare(r, folder / "cohort.h5ad", de, tables.read("targets", folder / "flags/targets.tsv"))
    assert r["counts"].loc[adata.var_names[0], "1 post"] == "3000000001"
    assert r["obs"]["plate"].isna().sum() == 10
    assert r["targets"]["outlier_donor"][1] == "001"
