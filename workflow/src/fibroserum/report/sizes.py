"""Fonts and sizes of all figures; no heavy import: the processes that draw read it too."""

from typing import NamedTuple

FONT = "Arial, Liberation Sans, Helvetica, sans-serif"
#: Sizes of letters in pixels: labels of axes and legends, titles of axes.
LETTERS, TITLES = 11, 12
#: Widths of a PDF, in mm: one column of a journal, and two.
ONE_COLUMN_MM, TWO_COLUMNS_MM = 85, 175
#: Widest figure, in pixels, that one column holds with labels of 6 points.
MOST_FOR_ONE_COLUMN = ONE_COLUMN_MM * 72 / 25.4 * LETTERS / 6
#: Pixels of a PNG to a pixel of the figure.
PNG_SCALE = 2.0


class Composed(NamedTuple):
    """Sizes of a figure of several panels, in pixels; least: to which a panel is made smaller."""

    column: float = 392
    gap: float = 18
    head: float = 20
    letter: int = 16
    least: float = 0.8

    @property
    def width(self) -> float:
        """Of two columns; at 175 mm labels have 6.8 points, in the smallest panels 5.4."""
        return 2 * self.column + self.gap


COMPOSED = Composed()
