"""The report: figures, data for the page, the page, the workbook.

Only the list of figures is offered here, and nothing heavy is imported: the Snakefile asks for it.
The work begins at `fibroserum.report.stage.write_report`.
"""

from fibroserum.errors import require
from fibroserum.report.figures.catalogue import figure_names

__all__ = ["figure_names"]

require("altair", "itables", "jinja2", "vl_convert", "xlsxwriter")
