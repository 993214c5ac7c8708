"""Reading files: compression, encodings, delimited text, workbooks, tables; whatever they hold."""

__all__ = [
    "checksum",
    "contents",
    "grid",
    "left_out",
    "table",
    "workbook",
]
