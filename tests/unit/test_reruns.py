"""What makes Snakemake run a rule again: the code and the data files that its script uses."""

from __future__ import annotations

import ast
import importlib.util
import shutil
from pathlib import Path

import pytest

from fibroserum.runtime import reruns


def test_a_script_needs_what_it_imports_and_no_more(repository: Path) -> None:
    scripts = repository / "workflow" / "scripts"
    qc = {path.name for path in reruns.modules_of(scripts / "qc.py")}
    assert {"checks.py", "metrics.py", "job.py", "tables.py", "tables.yaml"} <= qc
    assert not qc & {"human.tsv.gz", "footprints.gmt", "config.schema.yaml"}
    targets = {path.name for path in reruns.modules_of(scripts / "targets.py")}
    assert {"human.tsv.gz", "previous_symbols.tsv", "prior_draws.tsv.gz"} <= targets
    assert "footprints.gmt" not in targets
    enrichment = {path.name for path in reruns.modules_of(scripts / "enrichment.py")}
    assert "footprints.gmt" in enrichment
    fit = [path.as_posix() for path in reruns.modules_of(scripts / "fit.py")]
    assert any(path.endswith("inference/blocked.py") for path in fit)
    assert any(path.endswith("linear/voom.py") for path in fit)
    assert not any("/qc/" in path or "/report/" in path or "/targets/" in path for path in fit)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("if TYPE_CHECKING:\n    from fibroserum.genes import gmt", set()),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    from fibroserum import tables", {"tables.py"}),
        ("if True:\n    from fibroserum import distributions", {"distributions.py"}),
        ("def f():\n    import fibroserum.multiple_testing", {"multiple_testing.py"}),
    ],
)
def test_what_is_imported_for_types_alone_is_not_needed(
    text: str, needed: set[str], tmp_path: Path
) -> None:
    script = tmp_path / "one.py"
    script.write_text(text + "\n", encoding="utf-8")
    found = {path.name for path in reruns.modules_of(script)} - {"__init__.py", "tables.yaml"}
    assert found == needed


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a copy of the library."""
    copied = tmp_path / "fibroserum"
    shutil.copytree(reruns.PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


def code_of(library: Path, script: Path) -> str:
    """Return the checksum that a new run with a copy of the library finds."""
    place = library / "runtime" / "reruns.py"
    spec = importlib.util.spec_from_file_location("reruns", place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.code_of(script))


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("qc/stage.py", True),
        ("qc/metrics.py", True),
        ("qc/__init__.py", True),
        ("synthesis/pooling.py", False),
        ("report/page/cohort_page.py", False),
    ],
)
def test_code_changes_with_a_module(
    library: Path, repository: Path, edited: str, changes: bool
) -> None:
    script = repository / "workflow" / "scripts" / "qc.py"
    first = code_of(library, script)
    assert code_of(library, script) == first
    module = library / edited
    module.write_text(module.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert (code_of(library, script) != first) == changes


def test_code_changes_with_a_data_file(library: Path, repository: Path) -> None:
    script = repository / "workflow" / "scripts" / "qc.py"
    first = code_of(library, script)
    named = library / "data" / "tables.yaml"
    named.write_bytes(named.read_bytes() + b"\n")
    assert code_of(library, script) != first


def test_code_changes_with_the_script(library: Path, tmp_path: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text("from fibroserum import errors\n", encoding="utf-8")
    first = code_of(library, script)
    script.write_text("from fibroserum import errors, tables\n", encoding="utf-8")
    assert code_of(library, script) != first


def test_import_statements_are_those_that_a_parser_finds(repository: Path) -> None:
    library = repository / "workflow"
    files = [*library.rglob("src/**/*.py"), *library.glob("scripts/*.py")]
    assert len(files) > 250
    for file in files:
        text = file.read_text(encoding="utf-8")
        wanted = [
            n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        # nothing here is imported for types alone
        found = reruns.imports(text.replace("if TYPE_CHECKING:", "if True:"))
        assert sorted(map(ast.unparse, found)) == sorted(map(ast.unparse, wanted)), file
