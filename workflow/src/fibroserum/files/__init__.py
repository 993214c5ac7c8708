"""Reading files: compression, encodings, delimited text, workbooks, tables; whatever they hold."""

__all__ = [
    "checksum",
    "contents",
    "grid",
    "table",
    "workbook",
]
