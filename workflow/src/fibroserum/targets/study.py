"""What every table on the targets is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import (
    all_contrasts,
    change_times,
    estimated_contrasts,
    settings_of,
)
from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.donor_values import donor_values as donor_values_of
from fibroserum.cohort.models import model_of
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.linear import ContrastFit, Expression, contrast_fits
from fibroserum.targets import donor_values
from fibroserum.targets.verdict import Rule

NUMBERS = [
    "baseMean",
    "log2FoldChange",
    "lfcSE",
    "ci_low",
    "ci_high",
    "pvalue",
    "padj",
    "second_log2FoldChange",
    "second_pvalue",
    "second_padj",
]
#: What the tables on the targets take from a contrast's result table.
DE_COLUMNS = ["gene_id", "status", "call", *NUMBERS, "weighted_padj", "second_weighted_padj"]


@dataclass(frozen=True)
class TargetSettings:
    """What the tables on the targets depend on besides the fits.

    alpha: false discovery rate. equivalence_lfc: |log2 fold change| that counts as unchanged, or
    None. power_lfc: log2 fold change whose power is given where no published effect is known.
    randomised: whether donors were randomised to groups, None: not stated. n_cpus: threads; results
    do not depend on it.
    """

    alpha: float
    equivalence_lfc: float | None
    power_lfc: float
    randomised: bool | None
    n_cpus: int = 1


@dataclass(frozen=True)
class SecondFits:
    """The second model of a fit: the linear models of contrasts, by the names of their files.

    targets: the values of the targets that it tests; places: these in the models.
    """

    fits: dict[str, ContrastFit]
    targets: Expression
    places: np.ndarray

    @property
    def place_of(self) -> dict[str, int]:
        """The place of each target in the models."""
        return dict(zip(self.targets.genes, map(int, self.places), strict=True))


def second_fits(
    fit: ad.AnnData, targets: Sequence[str], force_kept: pd.Series, n_cpus: int = 1
) -> SecondFits:
    """Return the second model of a fit; force_kept: by gene, whether it is kept with few counts."""
    expression = expression_of_calls(fit, force_kept)
    places = np.flatnonzero(expression.genes.isin(list(targets)))
    fits = contrast_fits(expression, model_of(fit), n_cpus=n_cpus)
    return SecondFits(fits, expression.of(places), places)


@dataclass(frozen=True)
class TargetTables:
    """The tables under `flags/` that are about targets, each fitting its schema."""

    targets: pd.DataFrame
    donors: pd.DataFrame
    loo: pd.DataFrame
    power: pd.DataFrame
    baseline: pd.DataFrame
    patterns: pd.DataFrame
    sensitivity: pd.DataFrame


@dataclass(frozen=True)
class Study:
    """What every table is made from.

    genes: by target, its row in the matrix or None. groups: reference first. members: by
    contrast, `Samples.members`. fits: by model. de: by contrast, the result table indexed by
    gene id. times: after the intervention. only_before: groups that were measured before only.
    pools: the donors that are pools of sera. not_estimable: contrasts that have no fit,
    and why.
    """

    genes: dict[str, str | None]
    groups: list[str]
    crossover: bool
    contrasts: list[Contrast]
    samples: donor_values.Samples
    members: dict[str, pd.DataFrame]
    fits: Mapping[str, ad.AnnData]
    de: dict[str, pd.DataFrame]
    rule: Rule
    times: tuple[str, ...] = ()
    only_before: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    not_estimable: Mapping[Contrast, str] = field(default_factory=dict)

    def pooled(self, contrast: str) -> bool:
        """Return whether a pool of sera is in a contrast, so that single persons are unknown."""
        return not self.pools.isdisjoint(self.members[contrast].index.get_level_values("donor"))

    @cached_property
    def values(self) -> dict[str, pd.DataFrame]:
        """By contrast of changes, the donors' own values, (donor, group) × genes, log2."""
        changes = (c for c in self.contrasts if c.model == "paired")
        return {contrast.name: self.samples.values(contrast) for contrast in changes}

    @cached_property
    def second(self) -> SecondFits | None:
        """The second model of the contrasts of changes; None where there is none."""
        if self.rule.alone:
            return None
        fit = self.fits["paired"]
        genes = [gene for gene in self.genes.values() if gene]
        return second_fits(fit, genes, pd.Series(fit.var_names.isin(genes), fit.var_names))

    @cached_property
    def changing(self) -> list[str]:
        """The groups with changes."""
        return [group for group in self.groups if group not in self.only_before]

    @cached_property
    def few_blocks(self) -> dict[str, int]:
        """By contrast, the number of blocks behind it, where it needs more."""
        found = {}
        for contrast in self.contrasts:
            model = model_of(self.fits[contrast.model])
            if model.units is not None:
                informing = donor_values_of(model, contrast.file).informing
                if informing < model.fewest:
                    found[contrast.name] = informing
        return found

    @cached_property
    def poorest(self) -> dict[str, str]:
        """By contrast of changes, the donor of the pair with the lowest quality weight.

        Contrasts whose pairs all count alike are left out.
        """
        weights = self.fits["paired"].obs["quality_weight"].astype(float)
        found = {}
        for contrast in self.contrasts:
            if contrast.model != "paired":
                continue
            members = self.members[contrast.name]
            used = {time for g in contrast.groups for time, w in contrast.profile(g).items() if w}
            lowest = members[sorted(used)].apply(lambda names: names.map(weights)).min(axis=1)
            if (lowest != 1.0).any():
                found[contrast.name] = str(lowest.idxmin()[0])
        return found


def rule_of(fit: ad.AnnData, alpha: float, equivalence_lfc: float | None) -> Rule:
    """Return the rule of the verdicts; the second model and the threshold are the fit's own."""
    model = fit.uns["model"]
    return Rule(
        alpha=alpha,
        equivalence_lfc=equivalence_lfc,
        second_opinion=str(model["second_opinion"]),
        lfc_threshold=float(model["lfc_threshold"]),
    )


def target_study(
    cohort: ad.AnnData, fits: Mapping[str, ad.AnnData], de: Mapping[str, pd.DataFrame], rule: Rule
) -> Study:
    """Return what the tables are made from, for the contrasts of the given fits."""
    noted = settings_of(cohort)
    contrasts = [contrast for contrast in estimated_contrasts(noted) if contrast.model in fits]
    present = sorted({gene for gene in noted["targets"].values() if gene is not None})
    factors = fits["paired"].obs["size_factors"].astype(float)
    samples = donor_values.target_samples(cohort, present, noted["before"], factors, noted["dose"])
    return Study(
        genes=noted["targets"],
        groups=noted["groups"],
        crossover=noted["crossover"],
        contrasts=contrasts,
        samples=samples,
        members={c.name: samples.members(c) for c in contrasts},
        fits=fits,
        de={c.name: de[c.name].set_index("gene_id", drop=False) for c in contrasts},
        rule=rule,
        times=tuple(change_times(noted)),
        only_before=frozenset(noted["only_before"]),
        pools=frozenset(noted["pools"]),
        not_estimable={
            contrast: noted["not_estimable"][contrast.name]
            for contrast in all_contrasts(noted)
            if contrast.name in noted["not_estimable"]
        },
    )
