"""Input is data: nothing under `workflow/` could run it. docs/security.md says the rest."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted((REPOSITORY / "workflow").rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "tarfile",
           "zipfile", "patsy", "formulaic"}  # fmt: skip
#: Members of a workbook are read in memory, and none is written: in files/workbook.py those of the
#: user's, in report/workbook.py those of the one that the job makes.
ALLOWED = {
    (f"workflow/src/fibroserum/{place}/workbook.py", "zipfile") for place in ("files", "report")
}
NAMES = {"eval", "exec", "compile", "__import__"}
METHODS = {"system", "popen", "query", "eval", "read_pickle", "to_pickle", "unsafe_load",
           "full_load", "extractall"}  # fmt: skip


def faults(tree: ast.AST) -> list[str]:
    """Return what in a module could run text or unpickle bytes, by line."""
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # an exception can be caught by name; it runs nothing
            harmless = all(alias.name.endswith("Error") for alias in node.names)
            names = [] if harmless else [(node.module or "").split(".")[0]]
        found += [f"line {node.lineno}: {name}" for name in names if name in MODULES]
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            found.append(f"line {node.lineno}: {node.func.id}")
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            found.append(f"line {node.lineno}: .{node.func.attr}")
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "yaml.load":
            found.append(f"line {node.lineno}: yaml.load")
        for word in node.keywords:
            true = isinstance(word.value, ast.Constant) and word.value.value is True
            if word.arg in ("shell", "allow_pickle") and true:
                found.append(f"line {node.lineno}: {word.arg}")
    return found


@pytest.mark.parametrize("text", ["import pickle", "from joblib import load",
                                  "from pickle import UnpicklingError, loads", "eval(x)",
                                  "frame.query('a > 1')", "yaml.load(x)", "run(x, shell=True)",
                                  "np.load(x, allow_pickle=True)"])  # fmt: skip
def test_the_check_sees_each_kind(text: str) -> None:
    assert len(faults(ast.parse(text))) == 1


def test_no_module_runs_text_or_unpickles() -> None:
    assert len(SOURCES) > 60
    found = {
        (path.relative_to(REPOSITORY).as_posix(), said.split(": ")[1])
        for path in SOURCES
        for said in faults(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED


def test_no_rule_has_a_shell() -> None:
    rules = [*(REPOSITORY / "workflow").rglob("*.smk"), REPOSITORY / "workflow" / "Snakefile"]
    assert len(rules) > 6
    for path in rules:
        assert not re.search(r"^\s*(shell|run)\s*:", path.read_text(encoding="utf-8"), re.M), path


def test_the_page_lists_every_direct_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w, -]+) \| ", page.split("## Dependencies")[1], re.M)
    listed = {name for row in rows for name in row.split(", ")} - {"package", "---"}
    entries = project["dependencies"] + project["optional-dependencies"]["workflow"]
    declared = {re.split(r"[^\w-]", entry)[0] for entry in entries}
    assert listed == declared
