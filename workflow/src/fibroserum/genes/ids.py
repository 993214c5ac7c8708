"""What gene ids look like: recognising their kind, and symbols that a spreadsheet destroyed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

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
_ORTHOLOGUES = "Map them to human orthologues first, or give `genes.annotation` (gene_id, symbol)"
_TRANSCRIPTS = "Transcripts are summed to genes with `tx2gene`, from the quantification folders"
_FOREIGN: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("Ensembl transcripts", re.compile(r"ENST\d{11}.*"), _TRANSCRIPTS),
    ("RefSeq transcripts", re.compile(r"[NX][MR]_\d+(?:\.\d+)?"), _TRANSCRIPTS),
    ("Ensembl proteins", re.compile(r"ENSP\d{11}.*"), "Count reads by gene"),
    (
        "ids of several kinds joined in one column",
        re.compile(r"ENSG\d{11}(?:\.\d+)?[|_:;,].+|[^|]+\|[^|]+"),
        "Keep one kind of id in the first column",
    ),
    (
        "microarray probes",
        re.compile(r"AFFX-.+|\d+(?:_[a-z])?_at|ILMN_\d+|A_\d+_P\d+"),
        "Microarray intensities are not counts and cannot be analysed here",
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
        raise refuse("there are no gene ids", source, EXPECTED)
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
            "The column with the gene ids must come first",
        )
    known = sum(str(number) in bundled().entrez for number in numbers)
    if known < 0.2 * len(numbers):
        raise refuse(
            f"only {known} of {len(numbers)} gene ids that are numbers, such as '{names[0]}', "
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
            "Give `genes.annotation` (gene_id, symbol), or `genes.id_type` if they are right",
        )


# Month names as spreadsheets write them in English, German and French, and as symbols begin.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan",),
            ("feb",),
            ("mar", "mrz", "mär", "mars", "march", "marc"),
            ("apr",),
            ("may", "mai"),
            ("jun",),
            ("jul",),
            ("aug",),
            ("sep", "sept"),
            ("oct", "okt"),
            ("nov",),
            ("dec", "dez"),
        ),
        1,
    )
    for name in names
}
_WORD = r"(?P<month>[A-Za-zä]{3,5})\.?"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"(?P<day>\d{{1,2}})[-. /]{{1,2}}{_WORD}(?:[-. /]\d{{2,4}})?",  # 2-Sep, 02. Sep, 2-Sep-19
        rf"{_WORD}[-. /](?P<day>\d{{2}})",  # Sep-02, but not Oct-2, an alias
        r"\d{4}-(?P<mm>\d{2})-(?P<day>\d{2})(?:[ T]00:00:00(?:\.0+)?)?",  # 2019-09-02
        r"(?P<mm>\d{1,2})/(?P<day>\d{1,2})/\d{2,4}",  # 9/2/2019
        r"(?P<day>\d{1,2})\.(?P<mm>\d{1,2})\.\d{2,4}",  # 02.09.2019
    )
)
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[Ee]\+\d{1,2}")
_DECIMAL = re.compile(r"\d+\.0+")
_DATE_LIKE = re.compile(r"([A-Z]{3,5})-?0?(\d{1,2})")
# The order of preference among a date's candidates: families that spreadsheets are known for.
_FAMILIES = ("SEPT", "MARCH", "MARC", "DEC", "OCT")


def mangled(ids: Sequence[str], source: str = "gene ids") -> list[Problem]:
    """Return a problem for each gene id that a spreadsheet turned into a date or a number.

    Dates in several notations and as day numbers (44075), symbols and ids in scientific notation
    (2.31E+13), Entrez ids with decimals (633.0). The hint names the likely original symbols.
    """
    names = [str(name).strip() for name in ids]
    numeric = sum(bool(_ENTREZ.fullmatch(name)) for name in names) > 0.5 * len(names)
    problems = []
    for row, name in enumerate(names, 1):
        found = _mangled(name, numeric)
        if found:
            what, hint = found
            problems.append(Problem(f"gene id '{name}' {what}", f"{source}, gene {row}", "", hint))
    return problems


_KEEP_TEXT = "Take the table from before a spreadsheet saved it"


def _mangled(name: str, numeric: bool) -> tuple[str, str] | None:
    if not name[:1].isdigit() and not name[-1:].isdigit():
        return None
    day = _as_date(name, numeric)
    if day:
        originals = _named_like_dates().get(day, ())
        likely = f"It was probably {' or '.join(originals)}. " if originals else ""
        return "is a symbol that a spreadsheet turned into a date", likely + _KEEP_TEXT
    if _SCIENTIFIC.fullmatch(name):
        return "is an id that a spreadsheet turned into a number", _KEEP_TEXT
    if _DECIMAL.fullmatch(name):
        return (
            "is a number with decimals",
            f"It was probably {name.split('.')[0]}: keep ids as text",
        )
    return None


def _as_date(name: str, numeric: bool) -> tuple[int, int] | None:
    """Return (month, day) of a date, None for anything else."""
    if _ENTREZ.fullmatch(name):
        # Day numbers of spreadsheets, 1982 to 2064: no symbol is a number, Entrez ids are.
        if numeric or not 30_000 <= int(name) <= 60_000:
            return None
        day = date(1899, 12, 30) + timedelta(days=int(name))
        return day.month, day.day
    for form in _DATES:
        found = form.fullmatch(name)
        if found:
            parts = found.groupdict()
            month = int(parts["mm"]) if "mm" in parts else _MONTHS.get(parts["month"].lower(), 0)
            day_of_month = int(parts["day"])
            # APR-1 and DEC-205 are aliases, not dates: a spreadsheet writes Apr-01.
            written = "month" not in parts or not parts["month"].isupper()
            if 1 <= month <= 12 and 1 <= day_of_month <= 31 and written:
                return month, day_of_month
    return None


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
        if parts and parts[1].lower() in _MONTHS:
            rank = _FAMILIES.index(parts[1]) if parts[1] in _FAMILIES else len(_FAMILIES)
            day = (_MONTHS[parts[1].lower()], int(parts[2]))
            found[day] += [(rank, symbol) for symbol in symbols]
    best: dict[tuple[int, int], tuple[str, ...]] = {}
    for day, ranked in found.items():
        known = [pair for pair in ranked if pair[0] < len(_FAMILIES)] or ranked
        best[day] = tuple(dict.fromkeys(symbol for _, symbol in sorted(known)))[:2]
    return best
