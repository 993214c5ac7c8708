"""The checksum of a file or a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files by their names and contents."""
    digest = hashlib.sha256()
    place = Path(path)
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    for file in files:
        if place.is_dir():
            digest.update(file.relative_to(place).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
