"""Content that several cases put where a table should be."""

from __future__ import annotations

import io
import zipfile


def _workbook() -> bytes:
    """Return the bytes by which a spreadsheet's file is known, with nothing in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


DAMAGED_XLSX = _workbook()
XLS = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
HTML = "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
