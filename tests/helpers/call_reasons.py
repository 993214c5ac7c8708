"""The reasons why a gene is not called, in words as the page's script prints them."""

from __future__ import annotations

from collections.abc import Mapping

from fibroserum.de.reasons import WORDS


def in_words(codes: str, numbers: Mapping[str, object]) -> str:
    """Return the sentences of a gene's codes; numbers: what the braces of WORDS name, as text."""
    return " ".join(WORDS[code].format_map(numbers) for code in codes)
