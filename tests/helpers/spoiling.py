"""Content that several cases put where a table should be."""

from __future__ import annotations

import io
import zipfile


def _workbook() -> bytes:
    """Return the bytes by which a spreadsheet's file is known."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


XLSX = _workbook()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HTML = "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
