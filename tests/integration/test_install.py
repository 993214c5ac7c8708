"""`pip install` into an empty environment gives a library that works, without the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.pipeline import REPOSITORY, Run

pytestmark = pytest.mark.long

#: From a counts table and a sheet to the table of a contrast.
FIT = """
from pathlib import Path
import yaml
from fibroserum import tables
from fibroserum.cohort.accessors import counts_of, settings_of
from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.models import models_of
from fibroserum.cohort.stage import build_cohort
from fibroserum.cohort.storage import read_h5ad, write_h5ad
from fibroserum.de.fitting import fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_table
from fibroserum.input.config import load_schema, resolve

raw = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
config, problems = resolve(raw, load_schema("config.schema.yaml"))
assert not problems, problems
wanted = config["differential_expression"]
# through a file, as between the workflow's rules
write_h5ad(build_cohort(read_all(config), config, wanted["min_count"]).adata, "cohort.h5ad")
adata = read_h5ad("cohort.h5ad")
settings = FitSettings(wanted["min_count"], wanted["second_opinion"], wanted["lfc_threshold"])
model = models_of(adata.obs, settings_of(adata))[0]
fit = fit_model(counts_of(adata), model, adata.obs["size_factor"], adata.var["target"], settings)
contrast = next(iter(model.contrasts))
table = result_table(fit, contrast, adata.var["symbol"], wanted["alpha"])
tables.write("de", table, f"{contrast}.tsv")
"""
#: Imports every package and module; says those that ask for the extra.
IMPORT_ALL = """
import importlib, pkgutil
import fibroserum
from pathlib import Path
root = Path(fibroserum.__file__).parent
for path in sorted(root.rglob("*.py")):
    name = ".".join(path.relative_to(root.parent).with_suffix("").parts)
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name.removesuffix(".__init__"))
    except ImportError as error:
        print(f"{name}: {error}")
print(root)
"""


def run(folder: Path, *words: str) -> str:
    """Return the output of a command in a folder, with nothing of this process's Python path."""
    left_out = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    done = subprocess.run(
        words,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in left_out},
        capture_output=True,
        text=True,
        check=False,
    )
    if "No matching distribution" in done.stderr or "ConnectionError" in done.stderr:
        pytest.skip(f"packages cannot be had: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy: setuptools leaves files in the tree that it builds."""
    folder = tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    source = Path("workflow/src")
    shutil.copytree(
        REPOSITORY / source, folder / source, ignore=shutil.ignore_patterns("__pycache__")
    )
    words = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "wheels", ".")
    run(folder, sys.executable, *words)
    return next((folder / "wheels").glob("*.whl"))


def installed(folder: Path, wheel: Path, extra: str = "") -> str:
    """Return the Python of an empty environment with the wheel, in the versions of the lock."""
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.findall(r"^([\w.-]+==[^\s;]+(?: ; [^\\\n]+)?)", text, re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(pinned) + "\n", encoding="utf-8")
    run(folder, sys.executable, "-m", "venv", "venv")
    python = str(folder / "venv" / "bin" / "python")
    words = ("install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt")
    run(folder, python, "-m", "pip", *words, f"{wheel}{extra}")
    return python


def packages(folder: Path, python: str) -> int:
    """Return how many packages an environment holds besides pip and setuptools."""
    listed = run(folder, python, "-m", "pip", "list", "--format", "freeze").splitlines()
    return len([line for line in listed if not line.startswith(("pip==", "setuptools=="))])


def test_the_core_fits_a_cohort(wheel: Path, tmp_path: Path, toy_run: Run) -> None:
    python = installed(tmp_path, wheel)
    print(f"{packages(tmp_path, python)} packages")
    work = tmp_path / "work"
    shutil.copytree(REPOSITORY / "resources" / "toy", work / "resources" / "toy")
    shutil.copy(REPOSITORY / "config" / "config.yaml", work)
    shutil.copy(REPOSITORY / "workflow" / "schemas" / "config.schema.yaml", work)
    run(work, python, "-c", FIT)
    table = "AT_post_vs_pre.tsv"
    assert (work / table).read_bytes() == (toy_run.results / "de" / table).read_bytes()
    *asking, place = run(work, python, "-c", IMPORT_ALL).splitlines()
    assert Path(place).is_relative_to(tmp_path)
    hint = "altair is not installed: pip install 'fibroserum[workflow]'"
    assert asking
    for line in asking:
        module, said = line.split(": ", 1)
        assert module.startswith("fibroserum.report.")
        assert said == hint


def test_with_the_extra_every_module_is_imported(wheel: Path, tmp_path: Path) -> None:
    python = installed(tmp_path, wheel, "[workflow]")
    print(f"{packages(tmp_path, python)} packages")
    (place,) = run(tmp_path, python, "-c", IMPORT_ALL).splitlines()
    assert Path(place).is_relative_to(tmp_path)
    assert "9." in run(tmp_path, python, "-m", "snakemake", "--version")
