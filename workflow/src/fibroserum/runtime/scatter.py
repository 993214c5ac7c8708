"""What the names of Snakemake's scatter items mean."""

from __future__ import annotations

from fibroserum.counts.cells import Part


def part_of(scatteritem: str) -> Part:
    """Return the part of the cells that a scatter item such as `2-of-5` names."""
    number, of = scatteritem.split("-of-")
    return Part(int(number), int(of))
