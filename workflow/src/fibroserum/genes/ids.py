"""What gene ids look like: recognising their kind, and symbols that a spreadsheet destroyed."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Literal

from fibroserum.data import data_file
from fibroserum.errors import InputError, Problem, refuse
from fibroserum.files.left_out import why_no_gene
from fibroserum.genes.table import NOT_A_NAME, bundled

IdType = Literal["symbol", "ensembl", "entrez"]

_PLAIN: tuple[IdType, ...] = ("ensembl", "entrez")

EXPECTED = "human gene symbols, Ensembl gene ids or Entrez ids"

# Versions are .14, or .14_2 where GENCODE lifted an annotation to an older genome.
_ENSEMBL = re.compile(r"ENSG(?:(\d{11})|R(\d{10}))(?:\.\d+(?:_\d+)?)?(_PAR_Y)?")
_ENTREZ = re.compile(r"[0-9]{1,10}")
_OTHER_SPECIES = re.compile(r"ENS([A-Z]{3})[GTP]\d{11}(?:\.\d+)?")
_SPECIES = {
    "MUS": "mouse",
    "RNO": "rat",
    "DAR": "zebrafish",
    "SSC": "pig",
    "BTA": "cow",
    "GAL": "chicken",
    "MMU": "macaque",
    "CAF": "dog",
    "OAR": "sheep",
}
_ORTHOLOGUES = (
    "Map them to human orthologues first, or provide genes.annotation (columns gene_id and symbol)."
)
_TRANSCRIPTS = (
    "Write the quantification folders in counts, and a table of transcripts and genes in tx2gene. "
    "Transcripts are then summed to genes."
)
_FOREIGN: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("Ensembl transcripts", re.compile(r"ENST\d{11}.*"), _TRANSCRIPTS),
    ("RefSeq transcripts", re.compile(r"[NX][MR]_\d+(?:\.\d+)?"), _TRANSCRIPTS),
    ("Ensembl proteins", re.compile(r"ENSP\d{11}.*"), "Count reads per gene."),
    (
        "ids of several kinds joined in one column",
        re.compile(r"ENSG\d{11}(?:\.\d+)?[|_:;,].+|[^|]+\|[^|]+"),
        "Keep one kind of id in the first column.",
    ),
    (
        "microarray probes",
        re.compile(r"AFFX-.+|\d+(?:_[a-z])?_at|ILMN_\d+|A_\d+_P\d+"),
        "Microarray intensities are not counts and cannot be analysed here.",
    ),
)


def canonical(ids: Iterable[str], id_type: IdType) -> list[str]:
    """Return the ids as all tables show them: trimmed, Ensembl versions off, `_PAR_Y` kept.

    GENCODE's older name for a gene in the pseudoautosomal region of Y, ENSGR0000182378, becomes
    ENSG00000182378_PAR_Y. Counts of ids that meet this way are summed (`counts.join`).
    """
    names = (str(name).strip() for name in ids)
    return [canonical_ensembl(name) for name in names] if id_type == "ensembl" else list(names)


def canonical_ensembl(name: str) -> str:
    """Return an Ensembl gene id without its version, anything else unchanged."""
    found = _ENSEMBL.fullmatch(name)
    if found is None:
        return name
    number, number_on_y, par = found.groups()
    return f"ENSG{number or '0' + number_on_y}" + ("_PAR_Y" if number_on_y or par else "")


def recognise(
    ids: Sequence[str], source: str = "gene ids", own: Container[str] = frozenset()
) -> IdType:
    """Return what a matrix' gene ids are, by what most of them look like.

    source: where they stand, for the message. own: gene ids of the user's own annotation; where it
    has half of the ids, they may be anything, and count as symbols if they are neither Ensembl nor
    Entrez ids. Spike-ins and the counters of counting tools have no say. Raises
    InputError where they are no human gene ids: another species, transcripts, probes, row numbers,
    unknown names, or no single kind.
    """
    stripped = (str(name).strip() for name in ids)
    names = [n for n in stripped if n not in NOT_A_NAME and not why_no_gene(n)]
    if not names:
        raise refuse("no gene ids found", source, EXPECTED)
    kinds = [_looks(name) for name in names]
    tally = Counter(kinds)
    annotated = sum(name in own for name in names) >= 0.5 * len(names)
    if annotated:
        return next((kind for kind in _PLAIN if tally[kind] >= 0.5 * len(names)), "symbol")
    kind, count = max(tally.items(), key=lambda item: (item[1], item[0]))
    if count < 0.5 * len(names):
        shares = ", ".join(f"{n} {k}" for k, n in sorted(tally.items()))
        raise refuse(
            f"the gene ids are of several kinds: {shares}", source, "one kind: " + EXPECTED
        )
    alike = [name for name, looks in zip(names, kinds, strict=True) if looks == kind]
    if kind == "ensembl":
        return "ensembl"
    if kind == "entrez":
        _check_numbers(alike, source)
        return "entrez"
    if kind == "symbol":
        _check_symbols(alike, source)
        return "symbol"
    raise _foreign(kind, alike[0], source)


@cache
def _looks(name: str) -> str:
    if _ENSEMBL.fullmatch(name):
        return "ensembl"
    if _ENTREZ.fullmatch(name):
        return "entrez"
    species = _OTHER_SPECIES.fullmatch(name)
    if species:
        return f"Ensembl ids of {_SPECIES.get(species[1], 'another species, ' + species[1])}"
    return next((kind for kind, form, _ in _FOREIGN if form.fullmatch(name)), "symbol")


def _foreign(kind: str, example: str, source: str) -> InputError:
    hint = {name: advice for name, _, advice in _FOREIGN}.get(kind, _ORTHOLOGUES)
    return refuse(f"the gene ids are {kind}, such as '{example}'", source, EXPECTED, hint)


def _check_numbers(names: list[str], source: str) -> None:
    numbers = [int(name) for name in names]
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        raise refuse(
            f"the gene ids are row numbers ({numbers[0]}, {numbers[1]} …)",
            source,
            EXPECTED,
            "The column with the gene ids must come first.",
        )
    known = sum(str(number) in bundled().entrez for number in numbers)
    if known < 0.2 * len(numbers):
        raise refuse(
            f"{known} of {len(numbers)} gene ids that are numbers, such as '{names[0]}', "
            "are human Entrez ids",
            source,
            EXPECTED,
        )


def _check_symbols(names: list[str], source: str) -> None:
    index = bundled()
    known = sum(n in index.symbol or n in index.alias or n in index.ambiguous for n in names)
    rodent = [
        name
        for name in names
        if name == name.capitalize() != name.upper() and name.upper() in index.symbol
    ]
    if len(rodent) > known:
        raise _foreign("mouse or rat symbols", rodent[0], source)
    if known < 0.1 * len(names):
        raise refuse(
            f"only {known} of {len(names)} gene ids, such as '{names[0]}', are human gene symbols",
            source,
            EXPECTED,
            _affix_hint(names)
            or (
                "Provide genes.annotation (columns gene_id and symbol). If the ids are "
                "symbols, write 'id_type: symbol' under genes."
            ),
        )


def _affix_hint(names: Sequence[str]) -> str:
    """Return a hint where most names are genes' but for one text before or behind them."""
    for form, how in ((r"[^\W\d_]\w*?[-_:|. ]+", "begin"), (r"[-_:|. ]+\W*\w+\W*$", "end")):
        search = re.compile(form).match if how == "begin" else re.compile(form).search
        found = Counter(match[0] for name in names if (match := search(name)))
        for affix, count in found.most_common(1):
            bare = {name.removeprefix(affix).removesuffix(affix) for name in names}
            known = sum(bundled().find(canonical_ensembl(name)) >= 0 for name in bare)
            if 2 * min(count, known) >= len(names):
                return f"They {how} with '{affix}'. Remove this text."
    return ""


_DAY, _MONTH = r"(?P<day>\d{1,2})", r"(?P<mm>\d{1,2})"
_WORD = r"(?P<word>[^\W\d_][^\d_]*?)"
_YEAR = r"(?:[-./, ]+(?:de )?\d{2,4})?"
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.0+)?)?)?"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"{_DAY}[-./ ]{{1,3}}(?:de )?{_WORD}{_YEAR}",  # 2-Sep, 02. Sep, 2-mrt, 2 de set de 2006
        rf"{_WORD}[-./ ]{{1,2}}(?P<day>\d{{2}})",  # Sep-02, but not Oct-2, an alias
        rf"{_WORD} {_DAY}, \d{{4}}",  # September 2, 2006
        rf"\d{{4}}([-./]){_MONTH}\1{_DAY}{_TIME}",  # 2006-09-02, 2006/9/2
        rf"{_MONTH}([-./])(?P<day>\d{{1,2}})\2(?:\d{{4}}|\d{{2}}){_TIME}",  # 9/2/2006, 02.09.06
        rf"{_MONTH}[-/]{_DAY}",  # 9/2, 02-09
        rf"{_MONTH}[.,]{_DAY}\.?",  # 2.9.
        rf"(?:\d{{2,4}} ?[年년] ?)?{_MONTH} ?[月월] ?{_DAY} ?[日일]?",
    )
)
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[Ee]\+\d{1,2}|\d{11,}")  # 2.31E+13, and written out
_DECIMAL = re.compile(r"\d+\.0+")
_DATE_LIKE = re.compile(r"([A-Z]{3,5})-?0?(\d{1,2})")
# What symbols begin with that spreadsheets take for months.
_PREFIXES = {
    "JAN": 1, "FEB": 2, "MAR": 3, "MARC": 3, "MARCH": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7,
    "AUG": 8, "SEP": 9, "SEPT": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
# The order of preference among a date's candidates: families that spreadsheets are known for.
_FAMILIES = ("SEPT", "MARCH", "MARC", "DEC", "OCT")


def mangled(ids: Sequence[str], source: str = "gene ids") -> list[Problem]:
    """Return a problem for each gene id that a spreadsheet turned into a date or a number.

    Dates in the notations of many languages and as day numbers (44075), symbols and ids in
    scientific notation (2.31E+13), Entrez ids with decimals (633.0). A name that some gene has is
    none of these. The hint names the likely original symbols.
    """
    return [
        replace(problem, where=f"{source}, gene {place + 1}") for place, problem in mangled_at(ids)
    ]


def mangled_at(ids: Sequence[str]) -> list[tuple[int, Problem]]:
    """Return the places of `mangled` ids, from 0, and their problems."""
    names = [str(name).strip() for name in ids]
    numeric = sum(bool(_ENTREZ.fullmatch(name)) for name in names) > 0.5 * len(names)
    found = ((place, name, _mangled(name, numeric)) for place, name in enumerate(names))
    return [
        (place, Problem(f"gene id '{name}' {why[0]}", hint=why[1]))
        for place, name, why in found
        if why
    ]


_KEEP_TEXT = "Use the table as it was before a spreadsheet program saved it."


@cache
def _mangled(name: str, numeric: bool) -> tuple[str, str] | None:
    if not any(map(str.isdigit, name)):
        return None
    days = _as_dates(name, numeric)
    if days and (name.isdigit() or bundled().find(name) < 0):
        likely = [symbol for day in days for symbol in _named_like_dates().get(day, ())]
        originals = " or ".join(dict.fromkeys(likely))
        probably = f"It was probably {originals}. " if originals else ""
        return "is a symbol that a spreadsheet turned into a date", probably + _KEEP_TEXT
    if _SCIENTIFIC.fullmatch(name):
        return "is an id that a spreadsheet turned into a number", _KEEP_TEXT
    if _DECIMAL.fullmatch(name):
        return (
            "is a number with decimals",
            f"It was probably {name.split('.')[0]}. Keep ids as text.",
        )
    return None


def _as_dates(name: str, numeric: bool) -> list[tuple[int, int]]:
    """Return the (month, day) that a date may be, both orders of two numbers; empty: no date."""
    if _ENTREZ.fullmatch(name):
        # Day numbers of spreadsheets, 1982 to 2064: no symbol is a number, Entrez ids are.
        if numeric or not 30_000 <= int(name) <= 60_000:
            return []
        day = date(1899, 12, 30) + timedelta(days=int(name))
        return [(day.month, day.day)]
    for form in _DATES:
        found = form.fullmatch(name)
        if not found or (numeric and name.replace(".", "", 1).isdigit()):
            continue
        parts, last = found.groupdict(), int(found["day"])
        # APR-1 and DEC-205 are aliases, not dates: a spreadsheet writes Apr-01.
        if "word" not in parts:
            first = int(parts["mm"])
            pairs = [(first, last)] if name[:4].isdigit() else [(first, last), (last, first)]
        elif name[:1].isdigit() or not parts["word"].isupper():
            pairs = [(month, last) for month in _month_names().get(_letters(parts["word"]), ())]
        else:
            pairs = []
        pairs = [(month, day) for month, day in pairs if 1 <= month <= 12 and 1 <= day <= 31]
        if pairs:
            return pairs
    return []


def _letters(word: str) -> str:
    """Return a word without case, accents and what is no letter, to compare names of months."""
    plain = unicodedata.normalize("NFKD", word).casefold()
    return "".join(letter for letter in plain if letter.isalpha())


@lru_cache(maxsize=1)
def _month_names() -> dict[str, tuple[int, ...]]:
    """Return the name of a month in any language, or its beginning, to the months' numbers.

    Names are as `_letters` has them. Some spreadsheets cut them after three letters.
    """
    found: dict[str, tuple[int, ...]] = {}
    for line in data_file("months.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        name, months = line.split("\t")
        whole = _letters(name)
        for key in {whole, *(whole[:end] for end in range(3, len(whole)))}:
            found[key] = (*found.get(key, ()), *map(int, months.split("|")))
    return found


@lru_cache(maxsize=1)
def _named_like_dates() -> dict[tuple[int, int], tuple[str, ...]]:
    """Return (month, number) to what such symbols are called today, the likeliest first."""
    index = bundled()
    found: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    owners: dict[str, tuple[str, ...]] = {name: (name,) for name in index.symbol}
    owners.update({name: (index.symbols[row],) for name, row in index.alias.items()})
    owners.update(index.ambiguous)
    for name, symbols in owners.items():
        parts = _DATE_LIKE.fullmatch(name)
        if parts and parts[1] in _PREFIXES:
            rank = _FAMILIES.index(parts[1]) if parts[1] in _FAMILIES else len(_FAMILIES)
            day = (_PREFIXES[parts[1]], int(parts[2]))
            found[day] += [(rank, symbol) for symbol in symbols]
    best: dict[tuple[int, int], tuple[str, ...]] = {}
    for day, ranked in found.items():
        known = [pair for pair in ranked if pair[0] < len(_FAMILIES)] or ranked
        best[day] = tuple(dict.fromkeys(symbol for _, symbol in sorted(known)))[:2]
    return best
