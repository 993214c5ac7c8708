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

One cohort, one file. Copy `config.yaml` (the toy cohort) to `config/NAME.yaml`, edit it, and run

    snakemake --cores 8 --configfile config/NAME.yaml

Paths are relative to the working directory; files under `resources/` that come with the pipeline
are found from anywhere. A cohort is read from its own file alone: nothing of the toy cohort is
inherited. A key that is misspelt stops the run with the nearest valid one. `examples/` has configs
of two public cohorts.

This page is generated from `workflow/schemas/config.schema.yaml`, where the defaults stand.

| key | type | default | what it means |
| --- | --- | --- | --- |
"""

READ = """
## What is read

Formats are recognised by content, not by a file's name.

| input | formats |
| --- | --- |
| tables of counts | TSV, CSV, Excel, featureCounts, nf-core/rnaseq, bulk `.h5ad` |
| one file a sample, or a folder of them | STAR (as the GDC has it, too), HTSeq, Salmon, kallisto |
| single cells | `.h5ad`, 10x `.h5`, MTX folders |
| sheets, annotation, tx2gene, published values, signatures | TSV, CSV, Excel |
| gene sets | GMT, MSigDB's JSON, GMX |

Text is UTF-8, or UTF-16 with its mark, plain or packed (gzip, bzip2, xz, zstandard).

* **Excel.** The first sheet that is not hidden, or the one behind a `#`: `counts:
  ["data/all.xlsx#Counts"]`. Formulas are read as the values that were saved with them. `.xls`,
  `.xlsb`, `.ods` and workbooks with a password are refused: save them as `.xlsx`.
* **Cells.** A quoted cell may hold separators and line breaks. Rows without content, and columns
  without name and content, are left out.
* **Columns.** A column that the sheet names is a sample, with or without the word `count` beside
  its name. Of all others, those that describe genes (text, positions, lengths) or hold other
  values (FPKM, log2 fold changes, p values) are left out, with a note.
* **Numbers.** `1,376`, `1 376` and `1'376` are 1376 if every mark has three digits behind it, the
  mark does not separate columns, and no number above 999 stands without one. Otherwise, and where
  points may be such marks, both readings are named, and the table is refused.
* **Genes.** Dates that a spreadsheet made of symbols are refused in every language, and all of
  them are listed. A symbol in capitals (`C9ORF72`) is read as the gene if it can be only one.
  `BGN.1` or `BGN-1` is added to `BGN` if the matrix has `BGN` and no gene or clone is called so.
  A gene of the config whose name the matrix writes otherwise (`GRCh38_BGN`) is refused, with the
  name to write.
* **Own annotation.** One row, or several with the same symbol, for each gene id. Of several
  Entrez or Ensembl ids the bundled table's is taken, else the first.
* **Gene sets.** A set without genes among sets with genes has a row in `enrichment/left_out.tsv`.

## What is left out, and where it is listed

* **A sample that was counted and has no row in the sheet** is left out before anything is computed,
  whatever stands in its cells: a row of `samples.tsv` without donor, and a warning. In a
  stimulation experiment it is a note.
* **A sample of the sheet that was not counted** is refused, with the nearest name that was counted.
* **Spike-ins** (ERCC, SIRV, sequins, PhiX), **counters** of HTSeq, STAR and featureCounts, **common
  transgenes** and **what `genes.exclude` names** are left out of tests, library sizes and size
  factors. `qc/left_out_genes.tsv` lists them with the reason; `cohort.h5ad` keeps their counts
  (`obsm["left_out"]`, names in `uns["left_out"]`). The patterns are in
  `workflow/src/fibroserum/data/left_out.tsv`. An id that nothing recognises is a gene.
* **Transcripts that have no gene in `tx2gene`** likewise, up to 20 % of the counts; above, they are
  refused.
* **A gene that the config names** (`targets`, `context`, the `gene` of a factor) is never left out.
  An entry of `genes.exclude` that names one, without `*`, is refused.

Names of samples, donors, levels and columns are compared in Unicode's composed form (NFC): names
that were copied from macOS fit.
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
        return f"list of {about['items']['type']}s"
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
