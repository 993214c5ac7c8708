"""The chain from the intervention by a molecule and a target to an outcome, link by link."""

from __future__ import annotations

__all__ = ["links", "outcome_changes", "rows", "sentences", "stage"]
