"""Is expression associated with an outcome measured in the donors? Genes, targets, sets."""

from __future__ import annotations

__all__ = ["pairs", "sentences", "sets", "stage"]
