"""Bytes on disk to text: what a file is by its content, unpacked within a size limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from fibroserum.errors import InputError, nearest, refuse
from fibroserum.files.workbook import is_workbook, read_rows, split_sheet

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
#: Unpacked size at which a text table is refused: 30 times a 112-sample, 60,000-gene matrix.
MAX_TABLE_BYTES = 1 << 30
_CHUNK = 1 << 20
_UNPACK_FAULTS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)

#: Leading bytes (after unpacking) of files that are no tables, with what to do.
_NOT_TABLES: tuple[tuple[bytes, str, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook (.xls), or one with a password",
        "In Excel, save it as .xlsx, without a password.",
    ),
    (b"%PDF", "a PDF", "Ask for the table itself as TSV."),
    (b"PAR1", "a Parquet file", "Write it as TSV."),
    (b"BAM\x01", "a BAM alignment", "Count reads per gene first (featureCounts, STAR, Salmon)."),
    (b"RDX2\n", "an R data file", "In R, write the matrix with write.table(..., sep='\\t')."),
    (b"RDX3\n", "an R data file", "In R, write the matrix with write.table(..., sep='\\t')."),
    (b"X\n\x00\x00", "an R data file", "In R, write the matrix with write.table(..., sep='\\t')."),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Run 'git lfs pull'."),
    (b"@HD\t", "a SAM alignment", "Count reads per gene first (featureCounts, STAR, Salmon)."),
)

_OTHER_WORKBOOKS = (
    (b"application/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)"),
    (b"xl/workbook.bin", "an Excel binary workbook (.xlsb)"),
    (b"Index/Document.iwa", "a Numbers document"),
)


@dataclass(frozen=True)
class Text:
    """A text file's lines that are not blank, with their numbers in the file (from 1)."""

    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()


def composed(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), in which names are compared.

    macOS writes the letter ü of file names, and of what is copied from them, as u and two dots.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def require(path: Path) -> None:
    """Raise InputError unless `path` exists and can be read; names the nearest existing one."""
    if not path.exists():
        raise refuse("does not exist", str(path), hint=_nearest_sibling(path))
    if not os.access(path, os.R_OK):
        raise refuse(
            "cannot be read (permission denied)",
            str(path),
            "a file that you have permission to read",
        )


def _nearest_sibling(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"The folder '{folder}' does not exist either."
    names = sorted(entry.name for entry in folder.iterdir())
    hint = nearest(path.name, names, "Files found")
    return hint if hint else f"The folder '{folder}' is empty."


def head(path: Path, size: int = 16) -> bytes:
    """Return the first `size` bytes of a file as they stand on disk."""
    try:
        with path.open("rb") as handle:
            return handle.read(size)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return refuse(f"cannot be read ({reason})", str(path))


def unpack(path: Path) -> bytes:
    """Return the file's bytes, unpacked if its first bytes say gzip, bzip2, xz or zstandard.

    Raises InputError for what is damaged, cut short, or larger than MAX_TABLE_BYTES unpacked.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in _chunks(path):
        size += len(chunk)
        if size > MAX_TABLE_BYTES:
            raise refuse(
                f"is larger than {MAX_TABLE_BYTES / 2**20:,.0f} MiB once unpacked",
                str(path),
                "a count matrix",
            )
        parts.append(chunk)
    return b"".join(parts)


def first_line(path: Path, comment: str | None = None) -> str:
    """Return a file's first line, unpacked, behind those that begin with `comment`.

    Empty where it is no text, or not within the first 1 MiB.
    """
    start = next(_chunks(path), b"")
    try:
        for line in start.split(b"\n"):
            text = line.rstrip(b"\r").decode("utf-8-sig")
            if comment is None or not text.startswith(comment):
                return composed(text) if "\0" not in text else ""
    except UnicodeDecodeError:
        return ""
    return ""


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield the unpacked bytes; raises InputError for what cannot be read or unpacked."""
    start = head(path)
    name, opener = next(
        ((name, opener) for magic, name, opener in _PACKERS if start.startswith(magic)),
        ("", _plain_chunks),
    )
    try:
        yield from opener(path)
    except _UNPACK_FAULTS as error:
        if not name:
            raise _unreadable(path, error) from error
        raise refuse(
            f"is damaged or cut short: its {name} data cannot be unpacked ({error})",
            str(path),
            hint="Copy or download it again.",
        ) from error


def _plain_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def _gzip_chunks(path: Path) -> Iterator[bytes]:
    with gzip.open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def _bz2_chunks(path: Path) -> Iterator[bytes]:
    with bz2.open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def _xz_chunks(path: Path) -> Iterator[bytes]:
    with lzma.open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def _zstd_chunks(path: Path) -> Iterator[bytes]:
    # stream_reader gives a cut file's first part without a word, so completeness is checked
    # frame by frame. Small reads bound what one of them can unpack to.
    with path.open("rb") as handle:
        frame = zstandard.ZstdDecompressor().decompressobj()
        fed = False
        while raw := handle.read(1 << 12):
            while raw:
                try:
                    chunk = frame.decompress(raw)
                except zstandard.ZstdError as error:
                    raise ValueError(str(error)) from error
                fed = True
                yield chunk
                raw = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                    fed = False
        if fed:
            raise EOFError("the last frame is not complete")


_PACKERS: tuple[tuple[bytes, str, Callable[[Path], Iterator[bytes]]], ...] = (
    (b"\x1f\x8b", "gzip", _gzip_chunks),
    (b"BZh", "bzip2", _bz2_chunks),
    (b"\xfd7zXZ\x00", "xz", _xz_chunks),
    (b"\x28\xb5\x2f\xfd", "zstandard", _zstd_chunks),
)


def read_text(path: Path) -> Text:
    """Return a text file's lines, or the rows of a sheet of an Excel workbook as such.

    What is neither is refused by name, with what to do instead. UTF-8 with or without a byte-order
    mark and UTF-16 with one are read; other encodings refused, since a guess would change names.
    Letters are in composed form (`composed`).
    """
    where = str(path)
    name, sheet = split_sheet(where)
    file = Path(name)
    require(file)
    if file.is_dir():
        raise refuse("is a folder", where, "a file")
    data = unpack(file)
    if is_workbook(data):
        rows, note = read_rows(data, sheet, where, MAX_TABLE_BYTES)
        if not rows:
            raise refuse("is empty", where, "a table with a header and rows")
        lines = tuple(_plain(line, where) for _, line in rows)
        return Text(lines, tuple(number for number, _ in rows), (note,) if note else ())
    if sheet is not None:
        raise refuse(f"is not an Excel workbook with a sheet '{sheet}'", where)
    _refuse_other_formats(data, where)
    text, notes = _decode(data, where)
    if re.match(r"\s*<(!doctype|html|\?xml)", text[:200], re.IGNORECASE):
        hint = "The download probably returned a login or error page. Download the file again."
        raise refuse("is a web page (HTML or XML), not a table", where, hint=hint)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = [(line, n) for n, line in enumerate(text.split("\n"), 1) if line and not line.isspace()]
    if not kept:
        raise refuse("is empty", where, "a table with a header and rows")
    return Text(tuple(line for line, _ in kept), tuple(n for _, n in kept), notes)


def _refuse_other_formats(data: bytes, where: str) -> None:
    if data.startswith(b"PK\x03\x04"):
        for mark, kind in _OTHER_WORKBOOKS:
            if mark in data:
                raise refuse(f"is {kind}", where, "a text table or .xlsx", "Save it as .xlsx.")
        raise refuse("is a zip archive", where, "a text table or .xlsx", "Unpack it first.")
    if data[257:262] == b"ustar":
        raise refuse("is a tar archive", where, "a text table or .xlsx", "Unpack it first.")
    if data.startswith(HDF5_MAGIC):
        raise refuse("is a compressed or misplaced HDF5 file", where, hint="Unpack it first.")
    for magic, name, hint in _NOT_TABLES:
        if data.startswith(magic):
            raise refuse(f"is {name}", where, "a text table or .xlsx", hint)


def _decode(data: bytes, where: str) -> tuple[str, tuple[str, ...]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return _plain(data.decode("utf-16"), where), ("read as UTF-16",)
        except UnicodeDecodeError as error:
            raise refuse("is not valid UTF-16", where, hint="Save it as UTF-8.") from error
    sample = data[:4096]
    if sample.count(0) > len(sample) // 4:
        raise refuse(
            "is binary, or UTF-16 without a byte order mark", where, "UTF-8", "Save it as UTF-8."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise refuse(
            f"byte 0x{byte:02X} is not UTF-8 text (the file is binary, Latin-1 or Windows-1252)",
            f"{where}, row {line}",
            "UTF-8",
            "Save it as UTF-8.",
        ) from error
    return _plain(text, where), ()


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x85\u2028\u2029]")


def _plain(text: str, where: str) -> str:
    """Return a text in composed form. Raises InputError for control characters."""
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise refuse(
            f"contains the control character U+{ord(found.group()):04X}",
            f"{where}, row {line}",
            "a text table",
        )
    return composed(text)
