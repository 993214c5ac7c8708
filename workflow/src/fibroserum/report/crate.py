"""A finished run as a Workflow Run RO-Crate: its files, inputs, parameters, workflow and software.

https://w3id.org/ro/wfrun/workflow/0.5. The crate is the folder of the results: nothing is copied
but the workflow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fibroserum import tables
from fibroserum.errors import require
from fibroserum.files.checksum import sha256

require("rocrate", extra="crate")
from rocrate.rocrate import ROCrate  # noqa: E402

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
#: Not in the context of RO-Crate 1.1.
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
NO_LICENCE = "No licence has been given for these results."
README = """# {name}

{about}

Open `report.html` first. `ro-crate-metadata.json` lists every file with its description, size and
SHA-256, and the inputs, parameters and software of the run (RO-Crate 1.1, Workflow Run Crate 0.5).
`workflow/` is a copy of the rules. The inputs are not part of this folder.
"""
SOFTWARE_LICENCE = "https://spdx.org/licenses/GPL-3.0-or-later"

#: What files are that are neither tables nor figures, by a pattern of their paths.
KINDS = {
    r"report\.html": "Report with all results, figures, search and downloads.",
    r"summary\.json": "The main results for other programs, with a summary paragraph.",
    r"provenance\.json": "Versions, the complete config, and checksums of the inputs.",
    r"tables\.xlsx": "All tables in one workbook.",
    r"cohort\.h5ad": "Raw and normalised counts of the samples, with their sheet (AnnData).",
    r"fit/[^/]+\.h5ad": "Fit of a model to all genes (AnnData).",
    r"stimulation/[^/]+\.h5ad": "Raw counts of a stimulation experiment, with its sheet (AnnData).",
    r"README\.md": "What this folder contains.",
    r"workflow/Snakefile": "Entry of the workflow.",
    r"workflow/rules/[^/]+": "Rules of the workflow.",
    r"workflow/scripts/[^/]+": "Script of a rule.",
    r"workflow/envs/[^/]+": "Versions of all packages, as a conda environment.",
    r"workflow/report/references\.bib": "Publications of the methods (BibTeX).",
}
#: Of code; the entry of the workflow has no ending.
CODE = "text/x-python"
UNKNOWN = "application/octet-stream"
FORMATS = {
    ".bib": "application/x-bibtex",
    ".csv": "text/csv",
    ".gmt": "text/tab-separated-values",
    ".gz": "application/gzip",
    ".h5": "application/x-hdf5",
    ".h5ad": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": CODE,
    ".smk": CODE,
    ".svg": "image/svg+xml",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
}


@dataclass(frozen=True)
class Run:
    """A finished run of a cohort or of a synthesis.

    folder: of its results; made: its files there; workflow: the files of the workflow's copy there,
    its entry first; figures: name and caption of each figure; crates: of other runs that it read.
    """

    folder: Path
    name: str
    made: tuple[Path, ...]
    workflow: tuple[Path, ...]
    figures: Mapping[str, tuple[str, str]]
    crates: tuple[Path, ...]

    @property
    def title(self) -> str:
        """The title of the crate."""
        return f"fibroserum: {self.name}"

    @property
    def about(self) -> str:
        """The summary paragraph; a synthesis has none."""
        text = (self.folder / "summary.json").read_text(encoding="utf-8")
        return json.loads(text).get("story", f"Several cohorts and their synthesis: {self.name}.")


@dataclass(frozen=True)
class Code:
    """The workflow: its language, its licence, and the identifier of its commit, if known."""

    language: str
    commit: str | None


def _format(path: Path) -> str:
    return CODE if path.name == "Snakefile" else FORMATS.get(path.suffix, UNKNOWN)


def _table_of(path: str) -> tables.Table | None:
    """Return the schema of the table at a path below the results."""
    for table in tables.schemas().values():
        parts = re.split(r"\{\w+\}", table.path)
        if re.fullmatch("[^/]+".join(map(re.escape, parts)), path):
            return table
    return None


def _description(path: str, figures: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the name and the description of a file by its path below the results."""
    place = Path(path)
    if place.parent.name == "figures":
        name, caption = figures[place.stem]
        return {"name": f"{name} ({place.suffix[1:].upper()})", "description": caption}
    if table := _table_of(path):
        return {"name": path, "description": f"Table. One row: {table.row}."}
    for pattern, about in KINDS.items():
        if re.fullmatch(pattern, path):
            return {"name": path, "description": about}
    raise ValueError(f"no description of {path}")


def figure_words(
    entries: Mapping[str, Mapping[str, Any]], templates: Path
) -> dict[str, tuple[str, str]]:
    """Return name and caption of each figure; entries: as in the catalogue of figures."""
    return {
        name: (
            ", ".join(map(str, entry["label"].values())),
            " ".join((templates / entry["caption"]).read_text(encoding="utf-8").split()),
        )
        for name, entry in entries.items()
    }


def _contents(path: Path) -> dict[str, str]:
    """Return what identifies the content of a file."""
    return {
        "contentSize": str(path.stat().st_size),
        "sha256": sha256(path),
        "encodingFormat": _format(path),
    }


def shown_path(path: str) -> str:
    """Return a path without the folders of this machine.

    Relative to the working directory; elsewhere only the name of the file. `provenance.json` names
    the files of the pipeline without its folder.
    """
    place = Path(path)
    if not place.is_absolute():
        return path
    here = Path.cwd()
    return place.relative_to(here).as_posix() if place.is_relative_to(here) else place.name


def _plain(values: list[Any]) -> Any:
    """Return the values, or the only one: RO-Crate recommends it."""
    return values[0] if len(values) == 1 else values


def parameters(config: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting of a config with its key, sections joined by dots.

    Empty values are their JSON: null, [], {}.
    """
    if isinstance(config, Mapping) and config:
        for name, value in config.items():
            yield from parameters(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, list) and config and all(isinstance(one, str) for one in config):
        yield key, _plain([shown_path(one) for one in config])
    elif isinstance(config, str):
        yield key, shown_path(config)
    elif isinstance(config, bool | int | float):
        yield key, config
    else:
        yield key, json.dumps(config, ensure_ascii=False)


def day_of(path: Path) -> str:
    """Return the day on which a file was written, in UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()


def _author(text: str, number: int) -> dict[str, str]:
    """Return the entity of an author: a name, perhaps with a comma and an ORCID."""
    name, _, orcid = text.partition(",")
    known = orcid.strip().removeprefix("https://orcid.org/")
    identifier = f"https://orcid.org/{known}" if known else f"#author-{number}"
    return {"@id": identifier, "@type": "Person", "name": name.strip()}


def _licence(given: str) -> dict[str, str]:
    address = given if given.startswith("http") else f"https://spdx.org/licenses/{given}"
    return {"@id": address, "@type": "CreativeWork", "name": given}


def _input(path: str, digest: str) -> dict[str, str]:
    """Return the entity of an input that is not part of the crate."""
    shown = shown_path(path)
    return {
        "@id": f"#input/{digest[:12]}/{quote(shown)}",
        "@type": "CreativeWork",
        "name": shown,
        "description": "Input of the run. It is not part of this crate.",
        "encodingFormat": _format(Path(path)),
        "sha256": digest,
    }


def _parameter(key: str, value: Any) -> dict[str, Any]:
    return {
        "@id": f"#parameter/{quote(key)}",
        "@type": "PropertyValue",
        "name": key,
        "value": value,
    }


def _software(name: str, version: str) -> dict[str, str]:
    return {
        "@id": f"#software/{quote(name)}",
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def _crate_of(path: Path) -> dict[str, str]:
    return {
        "@id": f"#crate/{quote(path.parent.name)}",
        "@type": "CreativeWork",
        "name": f"{path.parent.name}/{path.name}",
        "description": "RO-Crate of a cohort of this synthesis. It is not part of this crate.",
        "sha256": sha256(path),
    }


def _add_workflow(crate: ROCrate, run: Run, code: Code, versions: Mapping[str, str]) -> Any:
    entry = crate.add_workflow(
        run.workflow[0],
        run.workflow[0].relative_to(run.folder).as_posix(),
        main=True,
        lang=code.language,
        lang_version=versions[code.language],
        properties={
            "name": "fibroserum",
            "description": "Paired differential expression of dermal fibroblasts treated with "
            "people's serum.",
            "version": versions["fibroserum"],
            "citation": f"The fibroserum developers: fibroserum {versions['fibroserum']}.",
            **_contents(run.workflow[0]),
        },
    )
    if code.commit:
        entry["identifier"] = code.commit
    entry["license"] = crate.add_jsonld(
        {"@id": SOFTWARE_LICENCE, "@type": "CreativeWork", "name": "GPL-3.0-or-later"}
    )
    entry["softwareRequirements"] = [
        crate.add_jsonld(_software(*one)) for one in versions.items() if one[0] != "fibroserum"
    ]
    return entry


def _add_files(crate: ROCrate, run: Run, paths: Iterable[Path]) -> list[Any]:
    added = []
    for path in sorted(set(paths)):
        below = path.relative_to(run.folder).as_posix()
        properties = {**_description(below, run.figures), **_contents(path)}
        added.append(crate.add_file(path, below, properties=properties))
    return added


def metadata(run: Run, code: Code) -> dict[str, Any]:
    """Return the content of `ro-crate-metadata.json`.

    The only dates are the day on which the report was written: equal runs of one day give the same
    content.
    """
    record = json.loads((run.folder / "provenance.json").read_text(encoding="utf-8"))
    config, day = record["config"], day_of(run.folder / "report.html")
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    root = crate.root_dataset
    root["name"], root["description"] = run.title, run.about
    root["datePublished"] = day
    root["conformsTo"] = [
        crate.add_jsonld(
            {"@id": address, "@type": "CreativeWork", "name": name, "version": version}
        )
        for address, (name, version) in PROFILES.items()
    ]
    given = config.get("archive", {})
    root["license"] = NO_LICENCE
    if given.get("licence"):
        root["license"] = crate.add_jsonld(_licence(given["licence"]))
    if given.get("authors"):
        authors = [_author(text, n) for n, text in enumerate(given["authors"], 1)]
        root["author"] = _plain([crate.add_jsonld(one) for one in authors])
    entry = _add_workflow(crate, run, code, record["versions"])
    entry["hasPart"] = _add_files(crate, run, run.workflow[1:])
    own = {path.as_posix() for path in run.made}
    inputs = [_input(path, digest) for path, digest in record["inputs"].items() if path not in own]
    used = [
        # a file of the same name and content is one input
        *{one["@id"]: one for one in inputs}.values(),
        *map(_crate_of, run.crates),
        *(_parameter(*one) for one in parameters(config)),
    ]
    action = crate.add_jsonld(
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": f"Run of fibroserum: {run.name}",
            "description": "Analysis of the inputs with the parameters of the config.",
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "endTime": day,
        }
    )
    root["mentions"] = action
    action["instrument"] = entry
    action["object"] = [crate.add_jsonld(one) for one in used]
    action["result"] = _add_files(crate, run, run.made)
    (readme,) = _add_files(crate, run, [run.folder / "README.md"])
    readme["about"] = root
    return crate.metadata.generate()


def write_crate(run: Run, code: Code) -> None:
    """Write `README.md` and `ro-crate-metadata.json` into the folder of a run."""
    readme = README.format(name=run.title, about=run.about)
    tables.write_text(readme, run.folder / "README.md")
    tables.write_json(metadata(run, code), run.folder / "ro-crate-metadata.json")
