"""`pip install` into an empty environment gives a library that works, without the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fibroserum import tables
from helpers.pipeline import REPOSITORY, Run

pytestmark = pytest.mark.long

#: From a config to the tables of contrasts, targets and factors, by the public names alone.
FIT = """
from pathlib import Path
import fibroserum as fs

cohort = fs.read_cohort(fs.load_config("config.yaml"))
fits = fs.fit(cohort)
tables = fs.results(cohort, fits)
for name, table in tables.items():
    fs.tables.write("de", table, f"{name}.tsv")
verdicts = fs.target_tables(cohort, fits, tables).targets
factors = fs.factor_tables(cohort, fits, tables).factors
fs.tables.write("targets", verdicts, "targets.tsv")
fs.tables.write("factors", factors, "factors.tsv")
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
    for part in ("toy", "gene_sets", "published"):
        shutil.copytree(REPOSITORY / "resources" / part, work / "resources" / part)
    shutil.copy(REPOSITORY / "config" / "config.yaml", work)
    assert "build_cohort(" in run(work, python, "-c", "import fibroserum; help(fibroserum)")
    run(work, python, "-c", FIT)
    for table in toy_run.results.glob("de/*.tsv"):
        assert (work / table.name).read_bytes() == table.read_bytes()
    verdicts = tables.read("targets", work / "targets.tsv")["verdict"]
    assert list(verdicts) == list(toy_run.table("targets")["verdict"])
    calls = tables.read("factors", work / "factors.tsv")["call"]
    assert list(calls) == list(toy_run.table("factors")["call"])
    *asking, place = run(work, python, "-c", IMPORT_ALL).splitlines()
    assert Path(place).is_relative_to(tmp_path)
    hint = "altair is not installed. Install it with: pip install 'fibroserum[workflow]'"
    assert asking
    for line in asking:
        module, said = line.split(": ", 1)
        assert module.startswith("fibroserum.report.")
        assert said == hint


def test_with_the_extra_every_module_is_imported(wheel: Path, tmp_path: Path) -> None:
    python = installed(tmp_path, wheel, "[workflow]")
    print(f"{packages(tmp_path, python)} packages")
    asking, place = run(tmp_path, python, "-c", IMPORT_ALL).splitlines()
    assert asking.startswith("fibroserum.report.crate: rocrate is not installed.")
    assert Path(place).is_relative_to(tmp_path)
    assert "9." in run(tmp_path, python, "-m", "snakemake", "--version")


def test_pip_resolves_the_packages_of_the_conda_environment(tmp_path: Path) -> None:
    text = (REPOSITORY / "workflow/envs/fibroserum.yaml").read_text(encoding="utf-8")
    python, pip, packages = yaml.safe_load(text)["dependencies"]
    assert pip == "pip"
    (tmp_path / "packages.txt").write_text("\n".join(packages["pip"]))
    assert python == "python=3.12"
    words = ("install", "--dry-run", "--disable-pip-version-check", "--ignore-installed")
    said = run(tmp_path, sys.executable, "-m", "pip", *words, "--no-deps", "-r", "packages.txt")
    *_, last = said.strip().splitlines()
    assert last.startswith("Would install")
    assert "snakemake-9." in last
