"""The outcomes of a fabricated run."""

from __future__ import annotations

from itertools import cycle, product

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.chain.links import LINKS, VERDICTS, chained
from helpers.report_flags import Flags


class OutcomeFlags(Flags):
    """Writes the tables of the outcomes that the shape names; the last has no usable value."""

    def outcome_tables(self) -> None:
        """Write outcome_pairs, outcomes, outcome_targets and outcome_sets."""
        named = self.shape.outcomes
        parts: dict[str, list[pd.DataFrame]] = {}
        for name in named:
            known = len(named) == 1 or name != named[-1]
            pairs = self.used[self.used["time"] == "pre"][["donor", "group"]]
            change = self.rng.normal(0, 1, len(pairs))
            pairs = pairs.assign(change=change if known else np.nan, used=known)
            why = None if known else f"not assessed: no pair has a usable change of {name}"
            own = {"outcome_pairs": pairs.assign(reason=why)}
            for question in ("change", "baseline"):
                about = {"question": question}
                targets = self._slopes(list(self.ids[: len(self.shape.targets)]), known)
                targets = targets.assign(target=list(self.shape.targets), pairs=len(pairs))
                targets = targets.assign(panel_padj=targets["padj"], reason=why or "Slope 1.")
                own[f"outcome_targets {question}"] = targets.assign(**about)
                if known:
                    own[f"outcomes {question}"] = self._slopes(list(self.ids), True, **about)
                    sets = {"collection": "matrix", "gene_set": self.set_names, "tested": 9}
                    sets |= {"mean_slope": 0.2, "pvalue": 0.01, "padj": 0.04, "call": "with"}
                    own[f"outcome_sets {question}"] = pd.DataFrame(sets).assign(**about)
            for key, frame in own.items():
                rows = frame.assign(outcome=name, time="post")
                parts.setdefault(key.split()[0], []).append(rows)
        for table, frames in parts.items():
            whole = pd.concat([frame.astype(object) for frame in frames], ignore_index=True)
            self.write(table, whole.reindex(columns=tables.schemas()[table].names))

    def chain_table(self) -> None:
        """Write chain; its verdicts come in turn, and what contradicts has a sign of its own."""
        named = product(
            [one.name for one in self.contrasts if one.model == "paired"],
            chained(self.config),
            self.shape.targets,
            self.shape.outcomes,
        )
        verdicts, rows = cycle(VERDICTS), []
        for contrast, molecule, target, outcome in named:
            about = {"contrast": contrast, "molecule": molecule, "target": target}
            for link in LINKS:
                verdict = next(verdicts)
                estimate = {"supported": 0.5, "contradicts": -0.5, "not established": 0.1}
                value = estimate.get(verdict, np.nan)
                numbers = {"estimate": value, "ci_low": value - 0.3, "ci_high": value + 0.3}
                rows.append(
                    about | {"outcome": outcome, "link": link, "verdict": verdict} | numbers
                )
        if rows:
            self.write("chain", pd.DataFrame(rows).assign(sentence="As it is."))

    def _slopes(self, genes: list[str], known: bool, **about: str) -> pd.DataFrame:
        slope = self.rng.normal(0, 0.3, len(genes)) if known else np.full(len(genes), np.nan)
        padj = np.where(np.abs(slope) > 0.5, 0.01, 0.6)
        return pd.DataFrame(
            {
                "gene_id": genes,
                "symbol": self.symbols[: len(genes)],
                "slope": slope,
                "ci_low": slope - 0.4,
                "ci_high": slope + 0.4,
                "pvalue": padj / 2 if known else np.nan,
                "padj": padj if known else np.nan,
                "call": np.where(padj > 0.05, "none", np.where(slope > 0, "with", "against")),
            }
        ).assign(**about)
