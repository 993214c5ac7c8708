"""Generated documentation, which cannot differ from the schemas that it describes.

`python workflow/documentation.py` writes config/README.md, docs/tables.md, and the conda
environments of the rules from the locks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fibroserum.input.schema import cohorts_schema, config_schema
from fibroserum.tables import Column, schemas, write_text

ROOT = Path(__file__).resolve().parents[1]

CONFIG_HEAD = """# The configuration of a cohort

One cohort, one file. Copy `template.yaml` to `config/NAME.yaml`, replace every `<placeholder>`, and
run

    snakemake --cores 8 --configfile config/NAME.yaml

To keep data and results in a separate folder, give the path of the pipeline and of that folder:

    snakemake -s /path/to/fibroserum/Snakefile --directory /path/to/my_study --cores 8 \\
        --configfile /path/to/my_study/NAME.yaml

Paths in a config are relative to the working directory, or to `--directory` if you give it. Results
and logs are written there too. Files under `resources/` that come with the pipeline are found from
any directory. Only your file is read: the toy cohort's settings are not inherited. A misspelt key
stops the run, and the message names the nearest valid key. `examples/` has configs of three public
cohorts.

If the workflow was deployed with `snakedeploy`, leave out `-s`. The packages must be installed
where Snakemake runs: if some are missing, the first command lists them with the `pip install`
command to use.

Without a cohort, `snakemake --cores 1 plan` shows what a study could detect. With `--configfile` it
reads `targets`, `planning` and `differential_expression`; a file with one of these keys is enough.

This page is generated from the schema that holds the defaults,
`workflow/src/fibroserum/data/config.schema.yaml`.

| key | type | default | meaning |
| --- | --- | --- | --- |
"""

COHORTS_HEAD = """
## Several cohorts in one run

A file such as `cohorts.yaml` lists the configs of single cohorts: see
[docs/cohorts.md](../docs/cohorts.md). It has only these keys
(`workflow/src/fibroserum/data/cohorts.schema.yaml`).

| key | type | default | meaning |
| --- | --- | --- | --- |
"""

TABLES_HEAD = """# The tables of a run

A run writes these tables to `results/{cohort}/`. They are UTF-8 and tab-separated, with a header.
An empty field is a missing value. A table without rows means that nothing was found. A positive
log2 fold change means higher expression after than before, or in the group than in the reference.
"BH" means adjusted by Benjamini-Hochberg. This page is generated from
`workflow/src/fibroserum/data/tables.yaml`.
"""


def _kind(about: dict[str, Any]) -> str:
    if "enum" in about:
        return " \\| ".join("null" if item is None else str(item) for item in about["enum"])
    kind = about["type"]
    kinds = [kind] if isinstance(kind, str) else kind
    if "array" in kinds:
        items = about["items"]["type"]
        return "list of " + " or ".join(
            f"{item}s" for item in ([items] if isinstance(items, str) else items)
        )
    return " or ".join("section" if name == "object" else name for name in kinds)


def _default(about: dict[str, Any], *, required: bool) -> str:
    if required:
        return "**required**"
    if about.get("default") == {}:
        return ""
    return f"`{json.dumps(about.get('default'), ensure_ascii=False)}`"


def _rows(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, about in schema.get("properties", {}).items():
        required = key in schema.get("required", ())
        default = _default(about, required=required)
        yield f"| `{prefix}{key}` | {_kind(about)} | {default} | {about['description']} |"
        yield from _rows(about, f"{prefix}{key}.")
        yield from _named_rows(about, f"{prefix}{key}.NAME")


def _named_rows(about: dict[str, Any], name: str) -> Iterator[str]:
    """Yield the rows of a section whose keys are names that the user chooses."""
    rest = about.get("additionalProperties")
    if not isinstance(rest, dict):
        return
    if "properties" not in rest:
        yield f"| `{name}` | {_kind(rest)} |  | {rest['description']} |"
        yield from _named_rows(rest, f"{name}.NAME")
    yield from _rows(rest, f"{name}.")


def config_page(schema: dict[str, Any], cohorts: dict[str, Any], reading: str) -> str:
    """Return config/README.md, from the JSON Schemas of a cohort's config and of several cohorts.

    reading: the part on formats and missing values (`reading.md`).
    """
    own, several = "\n".join(_rows(schema)), "\n".join(_rows(cohorts))
    return f"{CONFIG_HEAD}{own}\n\n{reading}{COHORTS_HEAD}{several}\n"


def _meaning(column: Column) -> str:
    words = f" One of: {', '.join(f'`{word}`' for word in column.words)}." if column.words else ""
    return f"{column.about}{words}".replace("|", "\\|")


def tables_page() -> str:
    """Return docs/tables.md, from the tables' schemas."""
    parts = [TABLES_HEAD]
    for table in schemas().values():
        parts.append(
            f"\n## `{table.path}`\n\nOne row: {table.row}.\n\n| column | meaning |\n| --- | --- |"
        )
        parts += [f"| `{column.name}` | {_meaning(column)} |" for column in table.columns]
    return "\n".join(parts) + "\n"


CONDA_HEAD = """# The packages of {source}, for `snakemake --sdm conda` (`make docs`).
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.12
  - pip
  - pip:
"""


#: What the extra `crate` adds to a run's packages.
CRATE = ("arcp", "click", "rocrate")


def pinned(lock: str) -> list[str]:
    """Return the requirements of a lock with hashes."""
    return re.findall(r"^([\w.-]+==[^\\\n]*[^\\\s])", lock, re.MULTILINE)


def conda_environment(requirements: list[str], source: str) -> str:
    """Return a conda environment with these packages; source: where they are from."""
    listed = "".join(f"      - {json.dumps(one)}\n" for one in requirements)
    return CONDA_HEAD.format(source=source) + listed


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Return every generated page and its text."""
    reading = (root / "workflow" / "reading.md").read_text(encoding="utf-8")
    lock, dev = (
        pinned((root / name).read_text(encoding="utf-8"))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    crate = [one for one in dev if one.split("==")[0] in CRATE]
    environments = root / "workflow" / "envs"
    return {
        root / "config" / "README.md": config_page(config_schema(), cohorts_schema(), reading),
        root / "docs" / "tables.md": tables_page(),
        environments / "fibroserum.yaml": conda_environment(lock, "requirements.lock"),
        environments / "crate.yaml": conda_environment(
            sorted([*lock, *crate]), "requirements.lock and the extra `crate`"
        ),
    }


if __name__ == "__main__":
    for page, text in pages().items():
        write_text(text, page)
