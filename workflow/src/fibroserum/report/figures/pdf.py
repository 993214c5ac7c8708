"""Figures as PDF: at a journal's column width, fonts embedded, the same bytes every time."""

from __future__ import annotations

import re
from itertools import pairwise

from fibroserum.report.sizes import MOST_FOR_ONE_COLUMN, ONE_COLUMN_MM, TWO_COLUMNS_MM

POINTS_PER_MM = 72 / 25.4
SIZE = re.compile(r'\bwidth="([\d.]+)" height="([\d.]+)"')
REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
#: Entries of a dictionary of resources, a line each.
ENTRIES = re.compile(rb"(?:\n +/[A-Za-z]+\d+ \d+ 0 R){2,}")


def at_column_width(drawing: str) -> str:
    """Return an SVG at the width of one column, or of two where one would make its letters small.

    The unit of a PDF is the point, that of an SVG the pixel: one becomes the other.
    """
    width, height = map(float, SIZE.search(drawing).groups())  # type: ignore[union-attr]
    column = ONE_COLUMN_MM if width <= MOST_FOR_ONE_COLUMN else TWO_COLUMNS_MM
    scale = column * POINTS_PER_MM / width
    return SIZE.sub(f'width="{width * scale:.3f}" height="{height * scale:.3f}"', drawing, count=1)


def _sorted_entries(found: re.Match[bytes]) -> bytes:
    return b"".join(b"\n" + line for line in sorted(found[0].split(b"\n")[1:]))


def _objects(document: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Return every object by its number: its text, and its stream (empty where it has none)."""
    table = int(document[document.rindex(b"startxref") :].split()[1])
    offsets = [int(at) for at in re.findall(rb"(\d{10}) \d{5} n", document[table:])]
    ends = sorted([*offsets, table])
    found = {}
    for start, end in pairwise(ends):
        whole = document[start:end].rstrip()
        number, body = whole.split(b" 0 obj\n", 1)
        text, stream, rest = body.removesuffix(b"endobj").partition(b"\nstream\n")
        found[int(number)] = (ENTRIES.sub(_sorted_entries, text), stream + rest)
    return found


def in_order(document: bytes) -> bytes:
    """Return a PDF of vl-convert with its objects in one order, and of equal ones only the first.

    vl-convert keeps fonts and resources in hash tables, whose order changes from run to run. Here
    objects are numbered in the order in which the document refers to them.
    """
    objects = _objects(document)
    numbers: dict[int, int] = {}
    same: dict[tuple[bytes, bytes], int] = {}
    texts: list[bytes] = []

    def visit(number: int) -> int:
        if number not in numbers:
            text, stream = objects[number]
            if not REFERENCE.search(text):
                # an object that refers to no other may stand for all that are equal to it
                first = same.setdefault((text, stream), len(texts) + 1)
                if first <= len(texts):
                    numbers[number] = first
                    return first
            numbers[number] = len(texts) + 1
            texts.append(b"")
            place = numbers[number]
            renumbered = REFERENCE.sub(lambda m: b"%d 0 R" % visit(int(m[1])), text)
            texts[place - 1] = renumbered + stream
        return numbers[number]

    trailer = document[document.rindex(b"trailer") :]
    root, info = (
        visit(int(re.search(rb"/%s (\d+) 0 R" % key, trailer)[1]))  # type: ignore[index]
        for key in (b"Root", b"Info")
    )
    out, offsets = bytearray(document[: document.index(b"\n", 9) + 1]), []
    for number, text in enumerate(texts, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%sendobj\n" % (number, text if text.endswith(b"\n") else text + b"\n")
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(texts) + 1)
    out += b"".join(b"%010d 00000 n \n" % at for at in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n" % (len(texts) + 1, root, info)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)
