"""The public names: imported when used, documented in sections, listed in docs/library.md."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fibroserum as fs
from fibroserum.input.schema import config_schema

LIBRARY = Path(fs.__file__).parent
NAMES = sorted(fs._HOMES)
PACKAGES = {module.name for module in pkgutil.iter_modules(fs.__path__)}
#: What is used where there is a section at all; each is underlined.
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Notes", "References", "Examples")


CONFIG: dict[str, Any] = {
    "cohort": "small",
    "counts": ["counts.tsv"],
    "samples": "samples.csv",
    "design": {"group": "group", "before": "pre", "after": "post", "reference_group": "AT"},
    "gene_sets": [],
    "targets": ["BGN", "DCN"],
}


def sections(name: str) -> dict[str, str]:
    """Return the sections of a public name's docstring, the text before them as `summary`."""
    text = inspect.cleandoc(getattr(fs, name).__doc__)
    parts = re.split(r"^(\w+)\n(-+)$", text, flags=re.MULTILINE)
    titles, lines, bodies = parts[1::3], parts[2::3], parts[3::3]
    assert [len(title) for title in titles] == [len(line) for line in lines]
    return {"summary": parts[0], **dict(zip(titles, bodies, strict=True))}


def described(section: str) -> list[str]:
    """Return the names that a section describes, each with indented text below it."""
    found = re.findall(r"^(\w[\w, ]*) : .+\n    \S", section, flags=re.MULTILINE)
    return [name for names in found for name in names.split(", ")]


def run(code: str) -> list[str]:
    """Return what a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(LIBRARY.parent)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_library_imports_nothing_else() -> None:
    code = (
        "before = set(sys.modules)\n"
        "import fibroserum, typing, importlib\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*new - sys.stdlib_module_names)\n"
        "print(*(name for name in sys.modules if name.startswith('fibroserum.')))\n"
        "fibroserum.InputError\n"
        "print(*(name for name in sys.modules if name.startswith('fibroserum.')))\n"
        "print('numpy' in sys.modules, fibroserum.tables.schemas()['de'].name)"
    )
    assert run(code) == ["fibroserum", "fibroserum.errors", "False", "de"]


def test_help_needs_no_package_of_the_extra() -> None:
    code = (
        "sys.modules['altair'] = sys.modules['gseapy'] = sys.modules['scanpy'] = None\n"
        "import fibroserum, pydoc\n"
        "text = pydoc.plain(pydoc.render_doc(fibroserum))\n"
        "print('build_cohort(counts' in text, 'class Cohort' in text)\n"
        "try:\n    fibroserum.report\nexcept ImportError as error:\n    print(error.name)"
    )
    assert run(code) == ["True", "True", "altair"]


def test_each_list_of_the_names_is_complete() -> None:
    tree = ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("fibroserum.")
        for alias in node.names
    }
    assert typed == {name: f"fibroserum.{home}" for name, home in fs._HOMES.items()}
    assert set(fs.__all__) == {*NAMES, *PACKAGES}
    assert not set(NAMES) & PACKAGES
    assert set(NAMES) <= set(dir(fs))
    for name, home in fs._HOMES.items():
        assert getattr(fs, name) is getattr(importlib.import_module(f"fibroserum.{home}"), name)
    with pytest.raises(AttributeError, match="'fibroserum' has no attribute 'no_such'"):
        _ = fs.no_such


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented(name: str) -> None:
    thing, found = getattr(fs, name), sections(name)
    summary = found.pop("summary").split("\n\n")[0]
    assert summary.endswith(".")
    assert "\n" not in summary.strip()
    assert list(found) == [title for title in SECTIONS if title in found]
    known = described(found.get("Parameters", "") + found.get("Attributes", ""))
    arguments = list(inspect.signature(thing).parameters)
    assert known == arguments
    if not inspect.isclass(thing):
        assert "Returns" in found
    source = inspect.getsource(thing)
    if re.search(r"^ +raise (\w+)", source, flags=re.MULTILINE) and not inspect.isclass(thing):
        assert "Raises" in found
    for error in re.findall(r"^(\w+)$", found.get("Raises", ""), flags=re.MULTILINE):
        assert error in ("InputError", "ValueError", "ImportError")
    assert ">>> " in found["Examples"]


def test_the_page_lists_every_name(repository: Path) -> None:
    text = (repository / "docs" / "library.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, flags=re.MULTILINE)
    assert dict(rows) == {name: sections(name)["summary"].splitlines()[0] for name in NAMES}
    assert [name for name, _ in rows] == sorted(NAMES, key=str.casefold)


@pytest.fixture(scope="module")
def drawn() -> Any:
    spec = fs.CohortSpec(genes=1500, arms=(fs.Arm("AT", 4), fs.Arm("RT", 5)))
    return fs.simulate_cohort(spec, seed=1)


def build(counts: Any, samples: Any, **others: Any) -> fs.Cohort:
    arguments = {**CONFIG["design"], "targets": CONFIG["targets"], **others}
    return fs.build_cohort(counts, samples, **arguments)


def write_files(drawn: Any, folder: Path) -> tuple[Path, Path]:
    """Write counts.tsv, samples.csv and config.yaml; return the first two."""
    counts, sheet = folder / "counts.tsv", folder / "samples.csv"
    drawn.counts.T.to_csv(counts, sep="\t", index_label="gene_id")
    drawn.samples.to_csv(sheet, index=False)
    (folder / "config.yaml").write_text(json.dumps(CONFIG), encoding="utf-8")
    return counts, sheet


@pytest.fixture(scope="module")
def cohort(drawn: Any) -> fs.Cohort:
    return build(drawn.counts, drawn.samples)


@pytest.fixture(scope="module")
def space(drawn: Any, cohort: fs.Cohort) -> dict[str, Any]:
    """Return what the examples in docstrings use besides the public names."""
    fits = fs.fit(cohort)
    obs, counts = cohort.adata.obs, cohort.adata.to_df()
    design = fs.Design((obs["time"] == "post").astype(float).to_frame("after"), obs["donor"])
    return {
        **{name: getattr(fs, name) for name in NAMES},
        "Path": Path,
        "pd": pd,
        "cohort": cohort,
        "fits": fits,
        "tables": fs.results(cohort, fits),
        "linear": fs.voom_fit(counts.loc[:, counts.sum() > 500], design),
    }


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_run(
    name: str,
    space: dict[str, Any],
    drawn: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_files(drawn, tmp_path)
    lines = ["\t".join([one, "", *genes]) for one, genes in drawn.null_sets.items()]
    (tmp_path / "sets.gmt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    text = getattr(fs, name).__doc__
    done = runner.run(parser.get_doctest(text, dict(space), name, None, None))
    assert done.attempted
    assert not done.failed


FORMS = {
    "files": lambda drawn, folder: write_files(drawn, folder),
    "genes in rows": lambda drawn, _: (drawn.counts.T, drawn.samples),
    "the sheet's index": lambda drawn, _: (drawn.counts, drawn.samples.set_index("sample")),
    "two parts": lambda drawn, _: ([drawn.counts[:7], drawn.counts[7:].T], drawn.samples),
    "numbers as floats": lambda drawn, _: (drawn.counts.astype(float), drawn.samples),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_in_memory_and_files_give_one_cohort(
    form: str, drawn: Any, cohort: fs.Cohort, tmp_path: Path
) -> None:
    found = build(*FORMS[form](drawn, tmp_path))
    pd.testing.assert_frame_equal(found.adata.to_df(), cohort.adata.to_df())
    pd.testing.assert_frame_equal(found.adata.obs, cohort.adata.obs)
    pd.testing.assert_frame_equal(found.adata.var, cohort.adata.var)
    pd.testing.assert_frame_equal(found.samples, cohort.samples)


@pytest.mark.parametrize(
    ("others", "changes", "said"),
    [
        (
            {"after": "pots"},
            {},
            "samples.tsv, column 'timepoint': no sample has the level 'pots' that",
        ),
        (
            {"group": "arm"},
            {},
            "samples.tsv: has no column 'arm'; expected the column that design.",
        ),
        ({}, {"donor": ""}, "samples.tsv, column 'donor': the cell is empty in rows 2, 3, 4"),
        ({}, {"sample": [f"S{n}" for n in range(17)]}, "none of the samples ('S0', 'S1', 'S2' an"),
        ({"reference_group": None}, {}, "reference_group"),
        (
            {"options": {"desing": {}}},
            {},
            "unknown key 'desing'. Did you mean 'design'?",
        ),
        ({"options": {"samples": "no.tsv"}}, {}, "config, samples: there is no file 'no.tsv'"),
        ({"options": {"targets": "BGN"}}, {}, "config, targets: 'BGN' is not valid; expected a l"),
    ],
)
def test_mistakes_in_tables_in_memory_are_named(
    others: dict[str, Any], changes: dict[str, Any], said: str, drawn: Any
) -> None:
    for counts in (drawn.counts, drawn.counts.T):
        with pytest.raises(fs.InputError) as error:
            build(counts, drawn.samples.assign(**changes), **others)
        assert said in str(error.value)
        # no file of a folder that is gone
        assert "/" not in str(error.value)


def test_options_win_and_defaults_are_the_schemas(drawn: Any, cohort: fs.Cohort) -> None:
    design = config_schema()["properties"]["design"]["properties"]
    arguments = inspect.signature(fs.build_cohort).parameters
    for name in ("donor", "group", "time", "reference_group"):
        assert arguments[name].default == design[name]["default"]
    renamed = drawn.samples.rename(columns={"donor": "who", "sample": "id"})
    options = {"design": {"donor": "who", "sample": "id", "covariates": []}, "cohort": "mine"}
    found = build(drawn.counts, renamed, targets="BGN", options=options)
    assert repr(found) == "Cohort 'mine': 17 samples × 1500 genes"
    assert list(found.adata.obs["donor"]) == list(cohort.adata.obs["donor"])
    assert found.config["targets"] == ["BGN"]
    assert found.config["counts"] == ["counts_1.tsv"]
    assert found.config["samples"] == "samples.tsv"


def test_alpha_decides_calls_and_verdicts(space: dict[str, Any], cohort: fs.Cohort) -> None:
    fits = space["fits"]
    strict, loose = (fs.contrasts(cohort, fits, alpha=alpha) for alpha in (1e-4, 0.5))
    assert strict[["up", "down"]].to_numpy().sum() < loose[["up", "down"]].to_numpy().sum()
    assert (fs.contrasts(cohort, fits)["tested"] > 0).all()
    tables = fs.results(cohort, fits, alpha=0.5)
    verdicts = fs.target_tables(cohort, fits, tables, alpha=0.5).targets
    called = verdicts[verdicts["verdict"].isin(["up", "down"])]
    assert (called["panel_padj"] < 0.5).all()


@pytest.mark.parametrize("form", [str, dict])
def test_a_config_is_read_from_a_file_or_a_mapping(
    form: type, drawn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(drawn, tmp_path)
    monkeypatch.chdir(tmp_path)
    config = fs.load_config("config.yaml" if form is str else CONFIG)
    assert config["differential_expression"]["alpha"] == 0.05
    assert fs.read_cohort(config).adata.shape == (17, 1500)
    with pytest.raises(fs.InputError, match=r"load_config: there is no file 'confg.yaml'.*Did you"):
        fs.load_config("confg.yaml")
    with pytest.raises(fs.InputError, match=r"config, design: before and after are both 'pre'"):
        fs.load_config(CONFIG | {"design": CONFIG["design"] | {"after": "pre"}})
