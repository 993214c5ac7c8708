"""Power and detectable effects of a further study of the same kind, by its number of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.targets.noise import Noise, study_noise
from fibroserum.targets.planning_words import SLOPE
from fibroserum.targets.power import WANTED, Effect, detectable, power_of, published_effect
from fibroserum.targets.study import Study
from fibroserum.targets.verdict import Rule

#: pairs in each group of the studies that are planned
PAIRS = (4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 60, 80, 120)
# a power that changes by less is settled
SETTLED = 1e-9


class Panel(NamedTuple):
    """Targets that are tested together, and how many of them change alike."""

    targets: int
    changed: int

    def alpha(self, level: float, power: float) -> float:
        """Return the p value that BH asks of a target, where the others' power is known.

        level: the false discovery rate.
        """
        return level * (1 + (self.changed - 1) * power) / self.targets


def panel_power(effect: float, noise: Noise, pairs: int, panel: Panel, rule: Rule) -> float:
    """Return the power of the panel verdict for each of the targets that change, all by `effect`.

    BH asks each for alpha × (targets that pass) / (targets): the largest power that agrees with
    the p value that it allows (Genovese & Wasserman 2002, J R Stat Soc B 64:499).
    """
    precision = noise.at(pairs)
    power, before = 1.0, np.inf
    while before - power > SETTLED:
        before = power
        power = power_of(effect, precision, panel.alpha(rule.alpha, power), rule.lfc_threshold)
    return power


def panel_detectable(noise: Noise, pairs: int, panel: Panel, rule: Rule) -> float:
    """Return the effect for which `panel_power` is 80 %."""
    return detectable(noise.at(pairs), panel.alpha(rule.alpha, WANTED), rule.lfc_threshold)


def planning_rows(
    noise: Noise, panel: Panel, rule: Rule, effect: Effect
) -> Iterator[dict[str, object]]:
    """Yield what studies of `PAIRS` would find: the columns of `planning` that are numbers."""
    size = abs(effect.log2)
    for pairs in PAIRS:
        row: dict[str, object] = {
            "pairs": pairs,
            "detectable_lfc": panel_detectable(noise, pairs, panel, rule),
            "power": panel_power(size, noise, pairs, panel, rule),
            "changed": panel.changed,
            "effect": effect.log2,
            "effect_source": effect.source,
        }
        if ends := noise.interval():
            for name, end in zip(("low", "high"), ends, strict=True):
                row[f"detectable_{name}"] = panel_detectable(end, pairs, panel, rule)
            for name, end in zip(("high", "low"), ends, strict=True):
                row[f"power_{name}"] = panel_power(size, end, pairs, panel, rule)
        yield row


def planning_table(
    study: Study,
    published: pd.DataFrame | None,
    *,
    changed: int,
    power_lfc: float,
    n_cpus: int = 1,
) -> pd.DataFrame:
    """Return `flags/planning.tsv`.

    published: as `read_published` returns it; changed: how many of the fitted targets change, all
    by the effect; power_lfc: the effect where none is published.
    """
    rows: list[dict[str, object]] = []
    for estimated in study_noise(study, n_cpus):
        contrast = estimated.contrast
        targets = len({study.genes[target] for target in estimated.noise})
        panel = Panel(targets, min(changed, targets))
        for target, noise in estimated.noise.items():
            known = None
            if contrast:
                known = published_effect(published, target, contrast, study.groups)
            effect = Effect(power_lfc, "fixed") if known is None else Effect(known, "published")
            key = {
                "target": target,
                "contrast": estimated.name,
                "kind": contrast.kind if contrast else SLOPE,
            }
            rows += [key | row for row in planning_rows(noise, panel, study.rule, effect)]
    made = pd.DataFrame(rows, columns=tables.schemas()["planning"].names)
    return tables.check("planning", made) if rows else tables.empty("planning")
