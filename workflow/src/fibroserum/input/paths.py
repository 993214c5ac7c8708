"""The files that a config names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from fibroserum.errors import Problem, nearest
from fibroserum.files.companions import read_along
from fibroserum.files.workbook import split_sheet
from fibroserum.input.config import Config
from fibroserum.input.schema import config_schema


def locate(path: str | None, root: Path) -> str | None:
    """Return `path` as it is, or below the pipeline's own `root` where only that file exists.

    Bundled resources and configs are so found from any working directory, and from a module.
    """
    if path and path.startswith(("resources/", "config/")) and not os.path.exists(path):
        bundled = str(root / path)
        return bundled if os.path.exists(bundled) else path
    return path


def can_be_path(text: str) -> bool:
    """Tell whether a file could have that name at all."""
    return "\0" not in text and all(len(os.fsencode(part)) <= 255 for part in Path(text).parts)


def input_paths(config: Config) -> dict[str, list[str]]:
    """Return every file that the config names, by the key that names it; workbooks without sheet.

    `cells` names those that stand beside single cells and say which sample each is of.
    """
    paths = {"counts": config["counts"], "samples": [config["samples"]]}
    optional = {
        "tx2gene": config["tx2gene"],
        "genes.annotation": config["genes"]["annotation"],
        "published": config["published"],
        "serum_panel": (config["serum_panel"] or {}).get("table"),
    }
    for name, entry in config["gene_lists"].items():
        optional[f"gene_lists.{name}"] = entry if isinstance(entry, str) else None
    for factor, entry in config["factors"].items():
        arm = entry["stimulation"] or {}
        optional[f"factors.{factor}.stimulation.counts"] = arm.get("counts")
        optional[f"factors.{factor}.stimulation.samples"] = arm.get("samples")
        optional[f"factors.{factor}.signature"] = entry["signature"]
    paths |= {key: [path] for key, path in optional.items() if path}
    if config["cells"]:
        column = config["cells"]["sample"]
        beside = [other for path in paths["counts"] for other in read_along(Path(path), column)]
        paths["cells"] = list(dict.fromkeys(beside))
    paths |= {"gene_sets": config["gene_sets"]}
    return {
        key: list(dict.fromkeys(split_sheet(path)[0] for path in found))
        for key, found in paths.items()
    }


def with_located_paths(config: Config, root: Path) -> Config:
    """Return the config with bundled resources found below `root` where the user has none."""
    located = dict(config)
    for key in ("samples", "tx2gene", "published"):
        located[key] = locate(config[key], root)
    for key in ("counts", "gene_sets"):
        located[key] = [locate(path, root) for path in config[key]]
    located["genes"] = config["genes"] | {"annotation": locate(config["genes"]["annotation"], root)}
    located["gene_lists"] = {
        name: locate(entry, root) if isinstance(entry, str) else entry
        for name, entry in config["gene_lists"].items()
    }
    if config["serum_panel"]:
        table = locate(config["serum_panel"]["table"], root)
        located["serum_panel"] = config["serum_panel"] | {"table": table}
    located["factors"] = {name: _located_factor(f, root) for name, f in config["factors"].items()}
    return located


def _located_factor(factor: dict[str, Any], root: Path) -> dict[str, Any]:
    arm = factor["stimulation"]
    if arm:
        arm = arm | {key: locate(arm[key], root) for key in ("counts", "samples")}
    return factor | {"stimulation": arm, "signature": locate(factor["signature"], root)}


def toy_files(config: Config, where: str) -> Iterator[Problem]:
    """Yield a problem for each file of a toy cohort in a config whose counts are not the toy's."""
    if config["allow_toy_files"] or all(map(_of_toy, config["counts"])):
        return
    for key, paths in input_paths(config).items():
        for path in filter(_of_toy, paths):
            yield Problem(
                f"'{path}' belongs to a simulated toy cohort, but the counts do not",
                f"{where}, {key}",
                "a file of your own study",
                "Remove it, or name your own file. For teaching, write 'allow_toy_files: true'.",
            )


def _of_toy(path: str) -> bool:
    parts = Path(path).parts
    return any(
        folder == "resources" and re.fullmatch(r"toy(_\w+)?", name)
        for folder, name in pairwise(parts)
    )


def missing_files(config: Config, where: str) -> Iterator[tuple[str, Problem]]:
    """Yield each file that the config names and that is not there, and its problem."""
    for key, paths in input_paths(config).items():
        for path in paths:
            if os.path.exists(path):  # answers for any text, as Path.exists does not
                continue
            folder = Path(path).parent
            if path in config_schema()["properties"]["gene_sets"]["default"]:
                hint = (
                    "It is a file of the pipeline. Give load_config the pipeline's folder "
                    "(root=), or write 'gene_sets: []'."
                )
            elif not can_be_path(path):
                hint = "Write several files as a list, one line with a dash per file."
            elif folder.is_dir():
                files = sorted(str(p) for p in folder.iterdir() if p.name[0] != ".")
                hint = nearest(path, files, "Files found")
            else:
                hint = f"The folder '{folder}' does not exist either."
            if key.startswith("gene_lists.") and not Path(path).suffix:
                hint = f"{hint} If it is a gene, write it as a list: [{Path(path).name}]."
            problem = Problem(
                f"there is no file '{path}'",
                f"{where}, {key}",
                "a path, absolute or relative to the working directory",
                hint,
            )
            yield path, problem
