"""Own lists of genes: written in the config, or files that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fibroserum.errors import Collector, InputError, capped, refuse
from fibroserum.files.contents import composed, read_text
from fibroserum.genes.gmt import read_gmt
from fibroserum.genes.ids import mangled

_SETS = re.compile(r"\.(gmt|gmx|json)(\.gz)?$", re.IGNORECASE)


def read_gene_lists(lists: Mapping[str, Sequence[str] | str]) -> dict[str, tuple[str, ...]]:
    """Return the genes of each list, as written, each once.

    lists: the config's `gene_lists`: genes, or the path of a file of them. Raises InputError with
    every problem: a file that cannot be read or holds several sets, names that a spreadsheet has
    changed, a list without genes.
    """
    found = Collector()
    read: dict[str, tuple[str, ...]] = {}
    for name, entry in lists.items():
        with found.collecting():
            where = entry if isinstance(entry, str) else f"config, gene_lists.{name}"
            written = _genes_of(Path(entry)) if isinstance(entry, str) else entry
            genes = dict.fromkeys(gene for gene in map(composed, map(str.strip, written)) if gene)
            if changed := mangled(list(genes), where):
                raise InputError(capped(changed, where))
            if not genes:
                raise refuse(
                    "contains no gene", where, "one gene per line, or a GMT file with one set"
                )
            read[name] = tuple(genes)
    found.finish()
    return read


def _genes_of(path: Path) -> list[str]:
    """Return the words of a text file, lines that begin with # aside, or the genes of its one set.

    Words end at line ends, tabs, spaces, commas and semicolons.
    """
    if not _SETS.search(path.name):
        lines = [line for line in read_text(path).lines if not line.lstrip().startswith("#")]
        return [word.strip("\"'") for line in lines for word in re.split(r"[\s,;]+", line)]
    sets = read_gmt(path)
    if len(sets) > 1:
        raise refuse(
            f"contains {len(sets):,} sets; the first is '{sets[0].name}'",
            str(path),
            "one set, which is the list",
            "Write one file per list. To test gene sets, name the file in gene_sets.",
        )
    return list(sets[0].genes)
