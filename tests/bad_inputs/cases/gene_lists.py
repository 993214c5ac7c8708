"""Mistakes in own lists of genes."""

from __future__ import annotations

from typing import Any

from helpers.bad_inputs import Cases
from helpers.small_cohort import SmallCohort

CASES = Cases("gene lists")
SPOILT: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "a gene that is none": (
        {"mine": ["BGNN"]},
        None,
        "cohort.yaml, gene_lists.mine: 'BGNN' is not a recognised human gene; expected a symbol, "
        "Ensembl or Entrez id. Did you mean 'BGN'?",
    ),
    "a word of a file that is no gene": (
        {"mine": "list.txt"},
        "gene\nBGN\n",
        "cohort.yaml, gene_lists.mine: 'gene' is not a recognised human gene",
    ),
    "an empty list": (
        {"mine": []},
        None,
        "cohort.yaml, gene_lists.mine: the list is empty; expected a list or text: genes (symbols,",
    ),
    "a list of remarks": (
        {"mine": "list.txt"},
        "# nothing yet\n",
        "list.txt: contains no gene; expected one gene per line, or a GMT file with one set",
    ),
    "names that are one in file names": (
        {"a b": ["BGN"], "a/b": ["DCN"]},
        None,
        "cohort.yaml, gene_lists: 'a b' and 'a/b' both become 'a_b' in file names; expected gene "
        "lists that differ in letters, digits, '.', '_' or '-'",
    ),
    "a file that is not there": (
        {"mine": "lst.txt"},
        "BGN\n",
        "cohort.yaml, gene_lists.mine: there is no file 'lst.txt'; expected a path, absolute or "
        "relative to the working directory. Did you mean 'list.txt'?",
    ),
    "a list of one gene without brackets": (
        {"mine": "BGN"},
        None,
        "cohort.yaml, gene_lists.mine: there is no file 'BGN'; expected a path, absolute or "
        "relative to the working directory. Files found: 'arm.counts.tsv', 'arm.samples.tsv', "
        "'cohort.yaml', 'counts.tsv', 'published.tsv', 'samples.tsv', 'sets.gmt', "
        "'signature.tsv'. If it is a gene, write it as a list: [BGN].",
    ),
    "a file of several sets": (
        {"mine": "sets.gmt"},
        None,
        "sets.gmt: contains 2 sets; the first is 'ECM'; expected one set, which is the list. "
        "Write one file per list. To test gene sets, name the file in gene_sets.",
    ),
    "a gene that a spreadsheet has changed": ({"mine": ["BGN", "1-Mar"]}, None, "'1-Mar'"),
}
for title, (lists, text, said) in SPOILT.items():

    def spoil(cohort: SmallCohort, lists: dict[str, Any] = lists, text: str | None = text) -> None:
        cohort.config["gene_lists"] = lists
        cohort.instead["list.txt"] = text

    CASES.case(title, said)(spoil)
