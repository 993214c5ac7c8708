"""The script of docs/pydeseq2.md, with two versions of PyDESeq2 and both engines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.pipeline import REPOSITORY

pytestmark = pytest.mark.long

PAGE = (REPOSITORY / "docs" / "pydeseq2.md").read_text(encoding="utf-8")
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
PINNED = re.findall(r"^([\w.-]+==[^\s;]+)", LOCK, re.MULTILINE)
[PINNED_PYDESEQ2] = [line.split("==")[1] for line in PINNED if line.startswith("pydeseq2==")]
#: Which genes PyDESeq2 fitted without convergence of one of its searches.
CONVERGENCE = """
names = ["_genewise_converged", "_MAP_converged", "_LFC_converged"]
dds.var[names].fillna(True).all(axis=1).to_csv("converged.tsv", sep="\\t")
"""


def run(folder: Path, *words: str) -> None:
    """Run a command in a folder, with nothing of this process's Python path."""
    left_out = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip(f"packages cannot be had: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def environment_with(version: str, folder: Path) -> str:
    """Return the Python of a new environment, installed as the page says for a version."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    source = Path("workflow/src")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / source, folder / source, ignore=ignored)
    others = [line for line in PINNED if not line.startswith("pydeseq2==")]
    (folder / "constraints.txt").write_text("\n".join(others) + "\n", encoding="utf-8")
    run(folder, sys.executable, "-m", "venv", "venv")
    python = str(folder / "venv" / "bin" / "python")
    [block] = re.findall(r"```bash\n(pip install 'pydeseq2.*?)```", PAGE, re.DOTALL)
    for line in block.replace("VERSION", version).replace("'", "").splitlines():
        words = ("-m", *line.split(), "--quiet", "--disable-pip-version-check")
        run(folder, python, *words, "-c", "constraints.txt")
    return python


def write_cohort(folder: Path) -> None:
    """Write the toy cohort's pairs as the files that the page's script reads."""
    toy = REPOSITORY / "resources" / "toy"
    samples = pd.read_csv(toy / "samples.tsv", sep="\t", index_col="sample")
    complete = samples.groupby("donor")["timepoint"].transform("nunique") == 2
    levels = {"pre": "control", "post": "treated"}
    samples = samples[complete].assign(condition=samples["timepoint"].map(levels))
    parts = [pd.read_csv(toy / f"{group}.counts.tsv.gz", sep="\t", index_col=0)
             for group in ("AT", "RT")]  # fmt: skip
    counts = pd.concat(parts, axis=1)[samples.index]
    counts[counts.sum(axis=1) >= 10].to_csv(folder / "counts.tsv", sep="\t")
    samples[["donor", "condition"]].to_csv(folder / "samples.tsv", sep="\t")


def script_with(engine: str, design: str) -> str:
    """Return the page's script with a design, with its two lines or without them."""
    [script] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [change] = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
    lines = {sign: re.findall(rf"^\{sign}(.*)$", change, re.MULTILINE) for sign in "-+"}
    assert len(lines["-"]) == len(lines["+"]) == 2
    for old, new in zip(lines["-"], lines["+"], strict=True):
        assert script.count(new) == 1
        script = script.replace(new, old) if engine == "DefaultInference" else script
    assert script.count(engine) == 2
    assert script.count('"~ donor + condition"') == 1
    return script.replace("~ donor + condition", design)


def results_of(engine: str, design: str, python: str, folder: Path) -> pd.DataFrame:
    text = script_with(engine, design) + CONVERGENCE
    (folder / "script.py").write_text(text, encoding="utf-8")
    run(folder, python, "script.py")
    converged = pd.read_csv(folder / "converged.tsv", sep="\t", index_col=0).iloc[:, 0]
    results = pd.read_csv(folder / "results.tsv", sep="\t", index_col=0)
    return results.assign(converged=converged)


@pytest.mark.parametrize("version", [PINNED_PYDESEQ2, "0.5.2"])
def test_the_engines_agree(version: str, tmp_path: Path) -> None:
    python = environment_with(version, tmp_path)
    run(tmp_path, python, "-c", f"import pydeseq2 as p; assert p.__version__ == '{version}'")
    write_cohort(tmp_path)
    # PyDESeq2 ends a search where a step gains less than 2e-9 of the likelihood. With donors,
    # rounding decides whether its search leaves a flat start, and the trend follows. The bounds
    # are a few times what was measured, and what DefaultInference differs from itself in another
    # environment (log2 fold changes 6e-4, p values 1 %)
    agrees(python, tmp_path, "~ condition", largest_lfc=1e-5, usual_p=1e-4)
    agrees(python, tmp_path, "~ donor + condition", largest_lfc=2e-3, usual_p=0.03)


def agrees(python: str, folder: Path, design: str, *, largest_lfc: float, usual_p: float) -> None:
    """Compare the results of both engines. usual_p: relative, for 99 % of the genes."""
    engines = ("BlockedInference", "DefaultInference")
    blocked, default = (results_of(engine, design, python, folder) for engine in engines)
    assert blocked.index.equals(default.index)
    assert len(blocked) > 2500
    # a search that did not converge is followed by another, whose result is no reference
    converged = default["converged"]
    assert converged.mean() > 0.99
    lfc = (blocked["log2FoldChange"] - default["log2FoldChange"])[converged].abs()
    assert lfc.max() < largest_lfc
    p = np.log(blocked["pvalue"] / default["pvalue"])[converged].abs()
    assert p.quantile(0.99) < usual_p
    calls = [table["padj"] < 0.05 for table in (blocked, default)]
    assert calls[0].sum() >= 10
    assert (calls[0] != calls[1]).sum() <= 0.02 * calls[1].sum()
