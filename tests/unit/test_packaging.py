"""What `pip install fibroserum` gives: what it needs, and what asks for the extra `workflow`."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from fibroserum.errors import require

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = REPOSITORY / "workflow" / "src" / "fibroserum"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def packages(entries: list[str]) -> set[str]:
    """Return the importable names of the distributions that requirements name."""
    named = {re.split(r"[^\w-]", entry)[0].replace("-", "_").lower() for entry in entries}
    return {
        module
        for module, distributions in metadata.packages_distributions().items()
        if {name.replace("-", "_").lower() for name in distributions} & named
    }


def others(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the packages of others that a part of a module imports, and the line."""
    for part in ast.walk(node):
        names: list[str] = []
        if isinstance(part, ast.Import):
            names = [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom) and not part.level:
            names = [part.module or ""]
        for name in names:
            root = name.split(".")[0]
            if root != "fibroserum" and root not in sys.stdlib_module_names:
                yield root, part.lineno


def required(tree: ast.AST) -> set[tuple[str, int]]:
    """Return what a module asks for by `require`, and in the line below it."""
    return {
        (str(argument.value), node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id == "require"
        for argument in node.args if isinstance(argument, ast.Constant)
    }  # fmt: skip


def test_the_library_imports_what_it_declares(project: dict[str, Any]) -> None:
    core = packages(project["dependencies"])
    extra = packages(project["optional-dependencies"]["workflow"]) - core
    assert {"numpy", "numba", "yaml", "zstandard"} <= core
    assert {"altair", "scanpy", "gseapy", "snakemake"} <= extra
    report = ast.parse((LIBRARY / "report" / "__init__.py").read_text(encoding="utf-8"))
    asked = {name for name, _ in required(report)}
    imported = set()
    for path in LIBRARY.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # packages of the extra are imported in `report`, which asks for them, or just after asking
        allowed = core | asked if "report" in path.relative_to(LIBRARY).parts else core
        found = set(others(tree))
        assert {one for one in found if one[0] not in allowed} <= required(tree), path
        imported |= {name for name, _ in found}
    # the rules import Snakemake, files of `itables` are read, a module of GSEApy is loaded by path
    declared = [*project["dependencies"], *project["optional-dependencies"]["workflow"]]
    in_vain = [entry for entry in declared if not packages([entry]) & imported]
    assert in_vain == ["gseapy>=1.3.1", "itables>=2.9", "snakemake>=9.27"]


def test_development_includes_the_workflow(project: dict[str, Any]) -> None:
    assert "fibroserum[crate,workflow]" in project["optional-dependencies"]["dev"]


def test_what_is_missing_is_named_with_what_to_install() -> None:
    require("numpy", "json")
    with pytest.raises(ImportError, match=r"pip install 'fibroserum\[workflow\]'") as missing:
        require("numpy", "no_such_package")
    assert missing.value.name == "no_such_package"


def test_data_files_are_packaged() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    packaged = tomllib.loads(text)["tool"]["setuptools"]["package-data"]
    assert packaged["fibroserum.data"] == ["*"]
    assert packaged["fibroserum"] == ["py.typed"]
    elsewhere = {
        path.relative_to(LIBRARY).parts[0]
        for path in LIBRARY.rglob("*")
        if path.is_file() and path.suffix != ".py" and path.parent.name != "__pycache__"
    }
    # the engine has a licence of its own; type checkers ask for the mark
    assert elsewhere == {"data", "inference", "py.typed"}


#: Imports every module; says each file or folder that is written, made, moved or removed.
IMPORT_ALL = """
import importlib, os, pkgutil, sys
import pydeseq2.dds  # imports matplotlib, which writes a list of fonts

def written(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        if isinstance(path, str) and flags & writes and path != os.devnull:
            print(event, path)
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink"):
        print(event, arguments[0])

sys.addaudithook(written)
import fibroserum
names = [found.name for found in pkgutil.walk_packages(fibroserum.__path__, "fibroserum.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names), "modules")
"""


def test_importing_every_module_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(LIBRARY.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path / "home"),
    }
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    assert said == []
    assert int(last.split()[0]) > 100
