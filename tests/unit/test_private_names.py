"""Names of dependencies that their documentation does not promise: each is listed here, once.

An upgrade that removes one fails here by its name. A use that is not listed, and an entry that is
no longer used, fail too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import snakemake.api  # noqa: F401  (snakemake.workflow cannot be imported before it)

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
PACKAGES = {"pydeseq2", "gseapy", "xlsxwriter", "edgepython", "snakemake", "numba"}
# modules that their packages document; what a package itself exports is public too
DOCUMENTED = {
    *(f"pydeseq2.{name}" for name in ("dds", "ds", "inference", "preprocessing", "utils")),
    *(f"xlsxwriter.{name}" for name in ("format", "utility", "workbook", "worksheet")),
    *(f"snakemake.{name}" for name in ("exceptions", "utils")),
    *("numba.config", "numba.types"),
}
# what a module's own names for an object stand for
OBJECTS = {
    "_files(folder)": "numba.core.caching.IndexDataCacheFile",
    "data": "numba.core.compiler.CompileResult",
    "kernel": "numba.core.dispatcher.Dispatcher",
    "sheet": "openpyxl.worksheet._read_only.ReadOnlyWorksheet",
}
# what namedtuples and Snakemake's scripts have of public names
NAMEDTUPLE = {"_replace", "_fields", "_asdict", "_make"}
# each with the reason why no public name serves
PRIVATE = {
    "pydeseq2.dds.DeseqDataSet._check_full_rank_design": (
        "the constructor calls it: a decomposition of samples × donors, and only a warning"
    ),
    "pydeseq2.dds.DeseqDataSet['_normed_means']": "the column in which DeseqStats reads base means",
    "gseapy.gse": (
        "gseapy.prerank gives the same scores in twice the time, and warns of ties in any order; "
        "the package loads plots and web clients"
    ),
    # numba's documented cache is a folder that it makes at import and that must be writable
    "numba.core.caching": "a cache that is also read where it cannot be written",
    "numba.core.caching.FunctionCache": "likewise: what a dispatcher asks",
    "numba.core.caching.FunctionCache._py_func": "likewise: the kernel",
    "numba.core.caching.FunctionCache._cache_path": "likewise: the folder that statistics name",
    "numba.core.caching.FunctionCache._index_key": "likewise: signature and processor of the code",
    "numba.core.caching.IndexDataCacheFile": "likewise: reading and writing of machine code",
    "numba.core.caching.IndexDataCacheFile._load_data": "likewise",
    "numba.core.caching.IndexDataCacheFile._save_data": "likewise: written whole or not at all",
    "numba.core.compiler.CompileResult": "likewise: machine code as it is kept",
    "numba.core.compiler.CompileResult._rebuild": "likewise",
    "numba.core.compiler.CompileResult._reduce": "likewise",
    "numba.core.runtime.rtsys": "likewise: what loading needs and compiling prepares",
    "numba.core.dispatcher.Dispatcher._cache": "likewise: the cache of a kernel",
    "openpyxl.worksheet._read_only.ReadOnlyWorksheet._get_source": (
        "the sheet's XML, in which formulas without values are found and none is translated"
    ),
    "xlsxwriter.xmlwriter.XMLwriter": "XlsxWriter's own escaping of control characters",
    "xlsxwriter.xmlwriter.XMLwriter._escape_control_characters": "likewise",
    "snakemake.common.configfile.load_configfile": "a config file as Snakemake reads it",
    "snakemake.logging.logger": "messages before the first job",
    "snakemake.settings.enums.Quietness": "what --quiet asks for",
    "snakemake.sourcecache.HostingProviderFile": "a workflow at an address: its repository",
    "snakemake.sourcecache.LocalSourceFile": "a workflow in a folder",
    "snakemake.workflow.Workflow.config_settings": "what --config says, apart from config files",
    "snakemake.workflow.Workflow.configfiles": "all config files, those of `configfile:` too",
    "snakemake.workflow.Workflow.current_basedir": "the folder of an included file",
    "snakemake.workflow.Workflow.dag": "whether a rule is part of the run",
    "snakemake.workflow.Workflow.execution_settings": "Snakemake's lock, which ours replaces",
    "snakemake.workflow.Workflow.get_rule": "a refused input is not tried again",
    "snakemake.workflow.Workflow.is_main_process": "whether the terminal is that of this process",
    "snakemake.workflow.Workflow.local_exec": "whether jobs print in this terminal themselves",
    "snakemake.workflow.Workflow.modifier": "whether the workflow is a module",
    "snakemake.workflow.Workflow.output_settings": "what --quiet, --verbose and --dry-run ask for",
    "snakemake.workflow.Workflow.overwrite_configfiles": "the files that --configfile names",
    "snakemake.workflow.Workflow.remote_exec": "whether this process is a job of a cluster",
    "snakemake.workflow.Workflow.resource_settings": "the cores of a run, where it has a limit",
    "snakemake.workflow.Workflow.scheduling_settings": "a limit that delays the end of a run",
}


def sources(kind: type) -> str:
    """Return the code of a class and its bases in its package."""
    package = kind.__module__.split(".")[0]
    bases = [base for base in kind.__mro__ if base.__module__.split(".")[0] == package]
    return "\n".join(map(inspect.getsource, bases))


def owns(kind: type, name: str) -> bool:
    """Return whether a class has a method, a field or an attribute that it sets itself."""
    return hasattr(kind, name) or bool(re.search(rf"\b(self\.)?{name}\b *[:=]", sources(kind)))


def found(entry: str) -> bool:
    """Return whether the dependency still has what an entry of the list names."""
    path, key = re.fullmatch(r"([\w.]+)(?:\['(\w+)'\])?", entry).groups()
    parts = path.split(".")
    length = max(n for n in range(1, len(parts)) if is_module(".".join(parts[:n])))
    thing = importlib.import_module(".".join(parts[:length]))
    for name in parts[length:-1]:
        thing = getattr(thing, name)
    if key:
        return f'"{key}"' in sources(getattr(thing, parts[-1]))
    return owns(thing, parts[-1]) if inspect.isclass(thing) else hasattr(thing, parts[-1])


def is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


def imported(tree: ast.AST) -> dict[str, str]:
    """Return the local names that a module imports from the packages, with their full names."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.asname or a.name: a.name for a in node.names}
    return {name: full for name, full in names.items() if full.split(".")[0] in PACKAGES}


def is_public(full: str) -> bool:
    """Return whether a name may be imported from where it is."""
    module, _, name = full.rpartition(".")
    package = module.split(".")[0]
    known = module in DOCUMENTED or module == package or full in DOCUMENTED
    return known and (name == "__version__" or not name.startswith("_"))


def uses(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a module uses."""
    names = imported(tree)
    yield from (full for full in names.values() if full not in PACKAGES and not is_public(full))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in map(ast.unparse, node.bases):
                owner, _, name = base.rpartition(".")
                full = names.get(base) or (f"{names[owner]}.{name}" if owner in names else "")
                if full:
                    yield from inherited(node, full)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
            # a module that is loaded without its package
            yield from (part for part in map(constant, node.args) if "." in part)
        if not isinstance(node, ast.Attribute):
            continue
        owner, hidden = ast.unparse(node.value), re.match(r"_[a-z]", node.attr)
        if owner in names:
            full = f"{names[owner]}.{node.attr}"
            if hidden or (is_module(names[owner]) and not is_public(full)):
                yield full
        elif (
            hidden and owner not in ("self", "cls", "super()", "os") and node.attr not in NAMEDTUPLE
        ):
            yield f"{OBJECTS.get(owner, owner)}.{node.attr}"


def constant(node: ast.AST) -> str:
    """Return a text that the code has as a constant, empty for anything else."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def inherited(node: ast.ClassDef, base: str) -> Iterator[str]:
    """Yield what a class uses of its base in a dependency, and the base does not document."""
    module, _, name = base.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    documented = kind.__doc__ or ""
    for part in ast.walk(node):
        used = ""
        if isinstance(part, ast.FunctionDef):
            used = part.name
        elif isinstance(part, ast.Attribute) and ast.unparse(part.value) in ("self", "super()"):
            used = part.attr
        elif isinstance(part, ast.Subscript) and re.match(r"'_[a-z]", ast.unparse(part.slice)):
            yield f"{base}[{ast.unparse(part.slice)}]"
        hidden = re.match(r"_[a-z]", used) or not hasattr(kind, used)
        if used and hidden and owns(kind, used) and not re.search(rf"\b{used}\b", documented):
            yield f"{base}.{used}"


def uses_of_snakemake(text: str) -> Iterator[str]:
    """Yield the private names that a Snakefile uses."""
    yield from (f"snakemake.workflow.Workflow.{n}" for n in re.findall(r"\bworkflow\.(\w+)", text))
    for module, names in re.findall(r"^from (snakemake[.\w]*) import (.+)$", text, re.M):
        full = [f"{module}.{name}" for name in re.split(r", *", names)]
        yield from (name for name in full if not is_public(name))


def used() -> dict[str, str]:
    """Return every private name that is used under `workflow/`, with a file that uses it."""
    names = {}
    for path in sorted(WORKFLOW.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names |= dict.fromkeys(uses(tree), str(path.relative_to(WORKFLOW)))
    for path in [WORKFLOW / "Snakefile", *sorted(WORKFLOW.rglob("*.smk"))]:
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        names |= dict.fromkeys(uses_of_snakemake(text), str(path.relative_to(WORKFLOW)))
    return names


def test_every_use_is_listed() -> None:
    assert {name: file for name, file in used().items() if name not in PRIVATE} == {}


def test_every_entry_is_used() -> None:
    assert set(PRIVATE) - set(used()) == set()


@pytest.mark.parametrize("entry", PRIVATE)
def test_the_dependency_still_has_it(entry: str) -> None:
    assert found(entry), f"{entry} is gone: {PRIVATE[entry]}"


@pytest.mark.parametrize("entry", ["pydeseq2.dds.DeseqDataSet._no", "gseapy.gse._no",
                                   "pydeseq2.dds.DeseqDataSet['_no']",
                                   "xlsxwriter.worksheet.Worksheet.no",
                                   "snakemake.workflow.Workflow.no"])  # fmt: skip
def test_what_is_gone_is_seen(entry: str) -> None:
    assert not found(entry)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from edgepython.limma_port import squeeze_var", ["edgepython.limma_port.squeeze_var"]),
        ("from edgepython import squeeze_var", []),
        ("import edgepython\nedgepython._x", ["edgepython._x"]),
        ("import gseapy.gse as g\ng._x", ["gseapy.gse._x"]),
        ("import gseapy.gse as g\ng.prerank_rs", ["gseapy.gse.prerank_rs"]),
        ("PathFinder.find_spec('gseapy.gse', [])", ["gseapy.gse"]),
        ("from gseapy import _x", ["gseapy._x"]),
        ("from gseapy import Prerank\nPrerank._x", ["gseapy.Prerank._x"]),
        ("book._x()", ["book._x"]),
        ("point._replace(x=1)", []),
        (
            "from pydeseq2.ds import DeseqStats\nclass A(DeseqStats):\n    def _own(self):\n"
            "        return self._own, self.alpha, self.padj, self._cooks_filtering()",
            ["pydeseq2.ds.DeseqStats._cooks_filtering"],
        ),
    ],
)  # fmt: skip
def test_the_check_sees_each_kind(code: str, names: list[str]) -> None:
    assert list(uses(ast.parse(code))) == names
