"""The library's packages import one way, and only `runtime` knows of Snakemake."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "workflow" / "src" / "fibroserum"
#: Each package imports from those above it, and none beside it in its row.
ROWS = (
    ("data", "distributions", "errors"),
    ("files", "intervals", "multiple_testing", "processes", "tables"),
    ("genes",),
    ("counts",),
    ("input",),
    ("cohort",),
    ("inference",),
    ("deseq", "linear"),
    ("slopes",),
    ("de",),
    ("enrichment",),
    ("factors", "outcomes", "permutations", "qc", "serum_panel", "targets"),
    ("api", "chain", "simulate", "synthesis"),
    ("report",),
    ("runtime",),
)
#: Slow to import, and needed by few of the functions of their modules.
LATE = {
    *("altair", "edgepython", "gseapy", "openpyxl", "pydeseq2", "scanpy", "statsmodels"),
    *("scipy.interpolate", "scipy.io", "scipy.optimize", "scipy.sparse", "scipy.stats"),
    *("vl_convert", "fibroserum.counts.hdf5", "fibroserum.deseq.datasets"),
    "fibroserum.enrichment.stage",
}
#: What a job imports by way of them, each half a second or more.
SLOW = {"edgepython", "gseapy", "matplotlib", "scanpy", "scipy.stats", "sklearn", "statsmodels"}
#: Words of Snakemake. `report/provenance.py` notes the versions of all tools, Snakemake's too.
WORDS = re.compile(r"snakemake|scatteritem|wildcards|--config|--cores", re.IGNORECASE)
NAMED = {("report.provenance", "snakemake")}


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the library by its name below `fibroserum`; "" is its own."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        name = ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
        name = name.removesuffix("__init__").removesuffix(".")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def nodes_imported(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Yield each import with each dotted name that it may load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # only `inference`, which may be copied elsewhere, imports by relative names
            base = "fibroserum.inference" if node.level else ""
            base = ".".join(filter(None, [base, node.module]))
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


def own(name: str) -> str | None:
    """Return the library's module that a dotted name loads, or None."""
    if name.split(".")[0] != "fibroserum":
        return None
    below = name.removeprefix("fibroserum").removeprefix(".")
    while below not in modules():
        below = below.rpartition(".")[0]
    return below


@cache
def imported() -> dict[str, set[str]]:
    """Return the library's modules that each module imports, wherever in it."""
    return {
        module: {
            found
            for _, name in nodes_imported(tree)
            if (found := own(name)) is not None and found != module
        }
        for module, tree in modules().items()
    }


def test_the_test_sees_the_library() -> None:
    assert len(modules()) > 100
    assert "inference.compiling" in imported()["linear.kernels"]
    assert "inference.blocked" in imported()["inference"]
    assert own("fibroserum.tables.write") == "tables"
    assert own("fibroserum.__version__") == ""
    assert own("numpy") is None


def test_every_package_has_its_row() -> None:
    placed = [name for row in ROWS for name in row]
    assert sorted(placed) == sorted({name.split(".")[0] for name in modules()} - {""})


def test_packages_import_one_way() -> None:
    rank = {name: number for number, row in enumerate(ROWS) for name in row} | {"": -1}
    against = [
        f"{module} imports {other}"
        for module, others in imported().items()
        for other in others
        if (here := module.split(".")[0]) != (there := other.split(".")[0])
        and module
        and rank[there] >= rank[here]
    ]
    assert against == []


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: others - {""} for module, others in imported().items() if module}
    # raises CycleError with the modules of a cycle
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_the_engine_knows_nothing_of_this_project() -> None:
    for module, others in imported().items():
        if module.startswith("inference."):
            assert {other.split(".")[0] for other in others} <= {"inference"}, module


def test_imports_inside_functions_are_of_slow_packages() -> None:
    found = []
    for module, tree in modules().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [
                    f"{module}: {name}"
                    for _, name in nodes_imported(function)
                    if not any(f"{name}.".startswith(f"{late}.") for late in LATE)
                ]
    assert found == []


def test_no_stage_imports_a_slow_package() -> None:
    stages = [name for name in modules() if name.endswith(".stage")]
    assert len(stages) > 8
    code = f"""
import importlib, sys
for name in {stages}:
    importlib.import_module("fibroserum." + name)
print(*sys.modules)
"""
    words = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert SLOW & set(done.stdout.split()) == set()


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes of docstrings."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and isinstance(node.body[0], ast.Expr)
    }


def words_of_snakemake(tree: ast.Module) -> Iterator[str]:
    """Yield the names and texts in a module that are Snakemake's; docstrings are left out."""
    text = docstrings(tree)
    for node in ast.walk(tree):
        said = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in text:
            said = node.value
        elif isinstance(node, ast.Name):
            said = node.id
        elif isinstance(node, ast.arg):
            said = node.arg
        elif isinstance(node, ast.alias):
            said = node.name
        elif isinstance(node, ast.ImportFrom):
            said = node.module or ""
        if WORDS.search(said):
            yield said


@pytest.mark.parametrize(
    "text",
    ["import snakemake.utils", "from snakemake import io", "x = snakemake.input", "f(wildcards)",
     "say('--cores 8')", "def part(scatteritem): pass"],
)  # fmt: skip
def test_the_test_sees_snakemakes_words(text: str) -> None:
    assert list(words_of_snakemake(ast.parse(text)))


def test_only_runtime_knows_of_snakemake() -> None:
    found = [
        (module, said)
        for module, tree in modules().items()
        if module.split(".")[0] != "runtime"
        for said in words_of_snakemake(tree)
    ]
    assert set(found) == NAMED


def test_few_modules_lie_at_the_top_and_none_is_long() -> None:
    assert len(list(LIBRARY.glob("*.py"))) <= 7
    lines = {
        path.relative_to(LIBRARY).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in LIBRARY.rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > 400} == {}
