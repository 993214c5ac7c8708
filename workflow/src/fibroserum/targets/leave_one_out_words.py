"""What the leave-one-out refits show for a verdict, in words.

Sign and size (at least half the estimate) are one question; the significance behind a verdict is
another: fewer donors alone may cost it, which shows no dependence on one donor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fibroserum.targets.leave_one_out import holds
from fibroserum.targets.phrases import sentence
from fibroserum.targets.verdict import CALLED

#: donors that are named; of more, their number is given
NAMED = 3


@dataclass(frozen=True)
class LeftOut:
    """The refits of one target and contrast, by what leaving out a donor does.

    donors: number of refits. lost: donors without whom the model cannot be refitted; moved: without
    whom the estimate changes its sign or loses more than half its size; falls: without whom the
    verdict is another one. complete: whether each refit has a verdict.
    """

    donors: int
    lost: Sequence[str] = ()
    moved: Sequence[str] = ()
    falls: Sequence[str] = ()
    complete: bool = True


def left_out(loo: pd.DataFrame) -> dict[tuple[str, str], LeftOut]:
    """Return by (gene, contrast) what the refits show; loo: `verdict_holds.with_verdicts`."""
    lost = loo["log2FoldChange"].isna()
    marks = {
        "lost": lost,
        "moved": ~holds(loo) & ~lost,
        "falls": loo["verdict_stands"].eq(False),
    }
    table = loo.assign(**marks, complete=loo["verdict_stands"].notna())
    return {
        (str(gene), str(contrast)): LeftOut(
            len(rows),
            **{name: tuple(sorted(map(str, rows.loc[rows[name], "left_out"]))) for name in marks},
            complete=bool(rows["complete"].all()),
        )
        for (gene, contrast), rows in table.groupby(["gene_id", "contrast"], sort=False)
    }


def leave_one_out_sentence(verdict: str, found: LeftOut) -> str:
    """Return what holds without any single donor, and what does not without which donors.

    verdict: of all donors. Significance is mentioned where it is up or down.
    """
    claim = {
        "up": "significance",
        "down": "significance",
        "no_change": "the finding of no change",
    }.get(verdict)
    needs = [donor for donor in found.falls if donor not in found.moved]
    if found.lost or found.moved:
        parts = []
        if found.lost:
            parts.append(f"Without {_any(found.lost, found)}, the effect cannot be estimated.")
        if found.moved:
            parts.append(
                f"Without {_any(found.moved, found)}, the estimate changes its sign or loses more "
                "than half its size."
            )
        if claim and needs:
            parts.append(f"{sentence(claim)} does not hold without {_any(needs, found)}.")
        return " ".join(parts)
    if claim and needs:
        return (
            f"Sign and size hold without any single donor; {claim} does not without "
            f"{_any(needs, found)}."
        )
    if verdict in CALLED and found.complete:
        return "Sign, size and significance hold without any single donor."
    return "Sign and size hold without any single donor."


def _any(donors: Sequence[str], found: LeftOut) -> str:
    """Return donors as they follow "without"."""
    if len(donors) > NAMED:
        return f"any one of {len(donors)} of the {found.donors} donors"
    *rest, last = donors
    return f"{', '.join(rest)} or {last}" if rest else last
