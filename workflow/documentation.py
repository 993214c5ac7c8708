"""Documentation that is generated, so that it cannot differ from the schemas it describes.

`python workflow/documentation.py` writes config/README.md and docs/tables.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fibroserum.input.config import load_schema
from fibroserum.tables import Column, schemas, write_text

ROOT = Path(__file__).resolve().parents[1]

CONFIG_HEAD = """# The configuration of a cohort

One cohort, one file. Copy `template.yaml` to `config/NAME.yaml`, replace every `<placeholder>`, and run

    snakemake --cores 8 --configfile config/NAME.yaml

To keep data and results in a folder of your own, say where the pipeline is and where to work:

    snakemake -s /path/to/fibroserum/Snakefile --directory /path/to/my_study --cores 8 \\
        --configfile /path/to/my_study/NAME.yaml

Paths in a config are relative to the working directory, which is `--directory` where you give one;
results and logs go there too. Files under `resources/` that come with the pipeline
are found from anywhere. A cohort is read from its own file alone: nothing of the toy cohort is
inherited. A key that is misspelt stops the run with the nearest valid one. `examples/` has configs
of two public cohorts.

This page is generated from `workflow/schemas/config.schema.yaml`, where the defaults stand.

| key | type | default | what it means |
| --- | --- | --- | --- |
"""

READ = """
## What is read, and what counts as missing

**Sample sheets** (TSV or CSV). Columns may have any names and any order; the config says which means what
(`design.sample` for the sample names). Every cell is text: `001` stays `001`. Spaces around cells and
names are removed, and a note says so.

| cells of | missing, and refused where a value is needed | read as they are |
| --- | --- | --- |
| ids: sample, donor | an empty cell | everything else, `NA` and `None` too (a note says so) |
| levels: group, time, line, block, treatment, categorical covariates | an empty cell; `NA`, `NaN`, `N/A`, `#N/A`, `null` in any case | `none`; any word that the config names as a level (`before`, `after`, `reference_group`, `control`, `treated`) |
| numeric covariates | an empty cell; `NA`, `NaN`, `N/A`, `#N/A`, `null`, `none` in any case | numbers with a decimal point |
| serum levels | the same, but a level may be missing: its pair is left out of the serum slope | numbers; `<15` for a level below the limit of detection 15 |

**Covariates.** `{batch: categorical}` gives each category an effect, `{hours: numeric}` one slope. Without a
kind, a column of numbers is numeric, and a column with any text is categorical. A column of at most 6
distinct whole numbers may be either, and is refused without a kind.

**Below the limit of detection.** Where both levels of a pair are below it, their change is unknown, and the
pair is left out of the slope. Where one is, half the limit is used. `flags/factor_pairs.tsv` names
both. A value above the assay's range (`>500`) is refused: measure a dilution, or leave the cell empty.
Do not write half the limit yourself: two such values would be a measured change of 0.

**What happens to samples.** Samples of the same donor, group and time are summed (technical replicates, cell
lines). A sample without its pair is used in the baseline contrast alone, and not at all with one group.
Every sample has a row in `samples.tsv`, with the reason where it is not used in every model.

**What cannot be estimated.** A contrast that the samples do not determine has the status `not_estimable` and a
reason in `contrasts.tsv`; its other tables have no rows, its targets are `untestable`, and all other
contrasts are as ever. Groups that share no cell line have no difference and no baseline contrast.
"""

COHORTS_HEAD = """
## Several cohorts in one run

A file such as `cohorts.yaml` lists the configs of single cohorts: see
[docs/cohorts.md](../docs/cohorts.md). It has these keys and no other
(`workflow/schemas/cohorts.schema.yaml`).

| key | type | default | what it means |
| --- | --- | --- | --- |
"""

TABLES_HEAD = """# The tables of a run

Under `results/{cohort}/`: UTF-8, tab-separated, with a header; an empty field is missing; a table
without rows means that nothing was found. A positive log2 fold change means higher after, or higher
in the group than in the reference. This page is generated from
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
        if isinstance(about.get("additionalProperties"), dict):
            yield from _rows(about["additionalProperties"], f"{prefix}{key}.NAME.")


def config_page(schema: dict[str, Any], cohorts: dict[str, Any]) -> str:
    """Return config/README.md, from the JSON Schemas of one cohort's config and of several's."""
    own, several = "\n".join(_rows(schema)), "\n".join(_rows(cohorts))
    return f"{CONFIG_HEAD}{own}\n{READ}{COHORTS_HEAD}{several}\n"


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


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Return every generated page and its text."""
    schemas_of = root / "workflow" / "schemas"
    schema = load_schema(schemas_of / "config.schema.yaml")
    cohorts = load_schema(schemas_of / "cohorts.schema.yaml")
    return {
        root / "config" / "README.md": config_page(schema, cohorts),
        root / "docs" / "tables.md": tables_page(),
    }


if __name__ == "__main__":
    for page, text in pages().items():
        write_text(text, page)
