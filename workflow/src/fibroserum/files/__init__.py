"""Reading files: compression, encodings, delimited text, workbooks, tables; whatever they hold."""

__all__ = [
    "checksum",
    "companions",
    "contents",
    "grid",
    "left_out",
    "table",
    "workbook",
]
