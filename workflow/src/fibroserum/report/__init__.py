"""The report: figures, data for the page, the page, the workbook.

Only the list of figures is offered here, and nothing heavy is imported: the Snakefile asks for it.
The work begins at `fibroserum.report.stage.write_report`.
"""

from fibroserum.errors import require

# first, so that no module of this package is imported without them
require("altair", "itables", "jinja2", "vl_convert", "xlsxwriter")

from fibroserum.report.figures.catalogue import figure_names  # noqa: E402

__all__ = ["figure_names"]
