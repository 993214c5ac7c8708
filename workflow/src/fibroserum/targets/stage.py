"""All tables on the targets, from the cohort, its fits and its result tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.contrasts import SINGLE_GROUP
from fibroserum.multiple_testing import panel_adjusted
from fibroserum.targets import donor_values, leave_one_out
from fibroserum.targets.all_groups import with_all_groups
from fibroserum.targets.baseline import baseline_table, with_clauses
from fibroserum.targets.donors_up import DonorsUp, donors_up
from fibroserum.targets.few_pairs import needed_donors
from fibroserum.targets.genome_wide import genome_wide_sentence
from fibroserum.targets.headlines import with_headlines
from fibroserum.targets.leave_one_out_second import KEYS, second_without_each
from fibroserum.targets.leave_one_out_words import leave_one_out_sentence, left_out
from fibroserum.targets.less_than_half import less_than_half
from fibroserum.targets.patterns import Comparison, pattern_table
from fibroserum.targets.phrases import Phrases, phrases
from fibroserum.targets.power import (
    Effect,
    Precision,
    members_by_group,
    power_row,
    published_effect,
)
from fibroserum.targets.sensitivity import sensitivity_table
from fibroserum.targets.sentences import reason, rising_donors, unequal_variance_caveat
from fibroserum.targets.study import (
    NUMBERS,
    Study,
    TargetSettings,
    TargetTables,
    rule_of,
    target_study,
)
from fibroserum.targets.untestable import with_untestable
from fibroserum.targets.verdict import CALLED, judge
from fibroserum.targets.verdict_holds import evidence_of, with_verdicts
from fibroserum.targets.without_outlier import named_outliers

#: the schema of each table
SCHEMAS = {
    "targets": "targets",
    "donors": "target_donors",
    "loo": "target_loo",
    "power": "target_power",
    "baseline": "target_baseline",
    "patterns": "target_patterns",
    "sensitivity": "sensitivity",
}


def flag_targets(
    cohort: ad.AnnData,
    fits: Mapping[str, ad.AnnData],
    de: Mapping[str, pd.DataFrame],
    settings: TargetSettings,
    published: pd.DataFrame | None = None,
) -> TargetTables:
    """Return the verdict on every target in every contrast, and the numbers behind it.

    fits: by model (`paired`, and `baseline` where there are several groups); de: the result table
    of each contrast by its name; published: as `read_published` returns it. Without targets all
    tables are empty.
    """
    rule = rule_of(fits["paired"], settings.alpha, settings.equivalence_lfc)
    return tables_of(cohort, target_study(cohort, fits, de, rule), settings, published)


def tables_of(
    cohort: ad.AnnData,
    study: Study,
    settings: TargetSettings,
    published: pd.DataFrame | None = None,
) -> TargetTables:
    """Return what `flag_targets` returns, of a study with the settings' rule."""
    if not study.genes:
        return TargetTables(**{field: tables.empty(name) for field, name in SCHEMAS.items()})
    verdicts, loo = verdict_table(study, settings.n_cpus)
    baseline = baseline_table(study, settings.randomised)
    verdicts = with_clauses(verdicts, baseline)
    power = _power(study, verdicts, published, settings.power_lfc)
    verdicts["detectable_lfc"] = power["detectable_lfc"].to_numpy(float)
    verdicts = with_untestable(study, verdicts)
    found = {
        "targets": verdicts.drop(columns=["driven_by_one_donor", "start"]),
        "donors": donor_values.donor_table(study.samples, study.genes, study.times),
        "loo": _loo_table(study, loo),
        "power": power,
        "baseline": baseline,
        "patterns": patterns(study, verdicts, settings.n_cpus),
        "sensitivity": sensitivity_table(cohort, study, randomised=settings.randomised),
    }
    return TargetTables(
        **{field: tables.check(SCHEMAS[field], one) for field, one in found.items()}
    )


def verdict_table(
    study: Study, n_cpus: int = 1, *, refitted: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return `targets`, with `driven_by_one_donor` (see `Verdict`), and the leave-one-out refits.

    refitted: what `refit_table` returned for a study of more targets, where that is at hand.
    """
    numbers = _numbers(study)
    table = refit_table(study, n_cpus) if refitted is None else refitted
    own = table[table["gene_id"].isin(numbers["gene_id"])].reset_index(drop=True)
    loo = with_verdicts(own, numbers, study.rule)
    return _verdicts(study, numbers, loo, n_cpus), loo


def refit_table(study: Study, n_cpus: int = 1) -> pd.DataFrame:
    """Return the leave-one-donor-out refits of a study's targets, in which panels have no part."""
    return _refits(study, _numbers(study), n_cpus)


def _numbers(study: Study) -> pd.DataFrame:
    """Return the models' numbers, a row a target and contrast, with both panel FDRs.

    BH runs over the fitted targets of a contrast, without independent filtering.
    """
    parts = []
    for contrast in study.contrasts:
        table = study.de[contrast.name]
        own = table.reindex([gene or "" for gene in study.genes.values()])
        part = own[[*NUMBERS, "status"]].astype(dict.fromkeys(NUMBERS, float))
        part.insert(0, "target", list(study.genes))
        part.insert(1, "gene_id", pd.Series(study.genes.values(), dtype=object).to_numpy())
        part["contrast"], part["kind"] = contrast.name, contrast.kind
        fitted = study.fits[contrast.model].varm[contrast.file].reindex(own.index)
        for name in ("second_lfcSE", "second_df"):
            part[name] = fitted[name].to_numpy(float)
        part["unsettled"] = "other_pvalue" in fitted
        if "other_pvalue" in fitted:
            part["other_log2FoldChange"] = fitted["other_log2FoldChange"].to_numpy(float)
            part["other_panel_padj"] = panel_adjusted(
                fitted["other_pvalue"].to_numpy(float), part["gene_id"]
            )
        part["status"] = part["status"].astype(object).where(part["gene_id"].notna(), "absent")
        for prefix in ("", "second_"):
            part[f"{prefix}panel_padj"] = panel_adjusted(part[f"{prefix}pvalue"], part["gene_id"])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _panel_sizes(numbers: pd.DataFrame) -> dict[str, int]:
    """Return by contrast the number of fitted targets, a gene of two targets counted once."""
    fitted = numbers["gene_id"].where(numbers["pvalue"].notna())
    return {str(k): int(n) for k, n in fitted.groupby(numbers["contrast"]).nunique().items()}


def _refits(study: Study, numbers: pd.DataFrame, n_cpus: int) -> pd.DataFrame:
    """Return the leave-one-donor-out refits of all models with their shares."""
    parts = []
    for model, fit in study.fits.items():
        own = [contrast for contrast in study.contrasts if contrast.model == model]
        rows = numbers["contrast"].isin([c.name for c in own]) & numbers["pvalue"].notna()
        fitted = sorted(set(numbers.loc[rows, "gene_id"]))
        part = donor_values.Samples(
            study.samples.obs,
            study.samples.counts[fitted].astype(np.int64),
            study.samples.log2[fitted],
            study.samples.before,
        )
        refits = leave_one_out.leave_each_out(fit, part, own, n_cpus)
        kept = pd.Series(fit.var_names.isin(list(study.genes.values())), fit.var_names)
        donors = study.samples.obs["donor"]
        known = study.second if model == "paired" else None
        second = second_without_each(fit, fitted, kept, own, study.members, donors, n_cpus, known)
        parts.append(refits.merge(second, on=KEYS, how="left"))
    whole = numbers.dropna(subset=["gene_id"]).drop_duplicates(["gene_id", "contrast"])
    full = whole.set_index(["gene_id", "contrast"])["log2FoldChange"]
    kept = [part for part in parts if len(part)] or parts[:1]
    return leave_one_out.with_shares(pd.concat(kept, ignore_index=True), full)


def _single_donor(members: pd.DataFrame) -> tuple[str | None, str | None]:
    """Return the donor who is a group alone in a contrast, and that group; None where none is.

    A group without a name of its own has None for it.
    """
    sizes = members.groupby(level="group").size() if len(members) else pd.Series(dtype=int)
    lonely = sorted(map(str, sizes.index[sizes == 1]))
    if not lonely:
        return None, None
    donor = str(members.xs(lonely[0], level="group").index[0])
    if (members.index.get_level_values("donor") == donor).sum() > 1:
        return donor, None  # of a crossover: the only donor in all groups that are compared
    return donor, None if lonely[0] == SINGLE_GROUP else lonely[0]


def _phrases(study: Study, numbers: pd.DataFrame) -> dict[tuple[str, str], Phrases]:
    """Return the phrases of each target and contrast; a difference has those of its two changes."""
    named = numbers.set_index(["target", "contrast"])["log2FoldChange"].astype(float)
    changes = {(c.group, c.time): c.name for c in study.contrasts if c.kind == "change"}
    several = len(study.times) > 1
    found = {}
    for contrast in study.contrasts:
        for target in study.genes:
            if contrast.kind == "difference":
                own, other = (
                    float(named[target, changes[group, contrast.time]])
                    for group in (contrast.group, contrast.reference)
                )
                found[target, contrast.name] = phrases(contrast, own, other, several=several)
            else:
                # an average runs over every group but a control
                left_out = {group for group, _ in changes} - set(contrast.groups)
                found[target, contrast.name] = phrases(
                    contrast, several=several, control=bool(left_out)
                )
    return found


def _verdicts(study: Study, numbers: pd.DataFrame, loo: pd.DataFrame, n_cpus: int) -> pd.DataFrame:
    """Return the `targets` table, with `driven_by_one_donor` (see `Verdict`)."""
    named = named_outliers(study)
    needed = needed_donors(loo, study.members, study.values)
    ratios = {
        c.name: float(study.fits[c.model].uns["model"]["spread_ratio"][c.file])
        for c in study.contrasts
    }
    robust, refits = leave_one_out.robustness(loo, study.members), left_out(loo)
    genes = {name: int(table["padj"].notna().sum()) for name, table in study.de.items()}
    said = _phrases(study, numbers)
    single = {name: _single_donor(members) for name, members in study.members.items()}
    panels = _panel_sizes(numbers)
    without = loo.set_index(["gene_id", "contrast", "left_out"])
    words = without["verdict"].to_dict()
    ups = donors_up(
        study.values,
        study.members,
        study.contrasts,
        [contrast.name for contrast in study.contrasts if study.pooled(contrast.name)],
        list(study.samples.log2.columns),
    )
    rows = []
    for row in numbers.to_dict("records"):
        contrast, key = row["contrast"], (row["gene_id"], row["contrast"])
        fitted = bool(np.isfinite(row["pvalue"]))
        outlier = named.get(key) if fitted else None
        evidence = evidence_of(
            row,
            ci_low=row["ci_low"],
            ci_high=row["ci_high"],
            single=single[contrast][0],
            single_group=single[contrast][1],
            pools=study.pools,
            outlier=outlier,
            needed=needed.get(key),
            blocks=study.few_blocks.get(contrast),
            **_without(key, outlier, without),
        )
        panel = panels[contrast]
        rule = study.rule.of(row["kind"])
        verdict = judge(evidence, rule)
        why = reason(verdict, evidence, rule, said[row["target"], contrast], panel=panel)
        up = ups.get(key, DonorsUp())
        if fitted:
            why += rising_donors(up.by_group) + unequal_variance_caveat(ratios[contrast])
        has_robust = fitted and key in robust.index and not study.pooled(contrast)
        own = study.de[contrast].loc[row["gene_id"]] if row["status"] != "absent" else None
        rows.append(
            row
            | {
                "verdict": verdict.word,
                "reason": why,
                "genome_wide": genome_wide_sentence(
                    verdict, own, genes[contrast], panel, rule.alpha
                )
                or None,
                "detectable_lfc": np.nan,
                "driven_by_one_donor": verdict.driven_by_one_donor,
                "donors_up": up.up,
                "donors": up.donors,
                "robust": bool(robust[key]) if has_robust else None,
                "leave_one_out": leave_one_out_sentence(verdict.word, refits[key])
                if has_robust
                else None,
                "outlier_donor": outlier,
                "poorest_donor": study.poorest.get(contrast) if fitted else None,
                "verdict_without_poorest": words.get((*key, study.poorest.get(contrast))),
            }
        )
    table = with_headlines(pd.DataFrame(rows).drop(columns="status"), study.rule)
    table = table.astype({"donors_up": "Int64", "donors": "Int64"})
    return table[[*tables.schemas()["targets"].names, "driven_by_one_donor"]]


def _without(key: tuple[str, str], outlier: str | None, loo: pd.DataFrame) -> dict[str, Any]:
    """Return both models' numbers without the outlying donor; the other targets keep theirs."""
    if outlier is None:
        return {}
    rest = evidence_of({"status": "tested"} | loo.loc[(*key, outlier)].to_dict())
    return {
        "estimate_without": rest.estimate,
        "se_without": rest.se,
        "df_without": rest.df,
        "panel_padj_without": rest.panel_padj,
        "second_estimate_without": rest.second_estimate,
        "second_panel_padj_without": rest.second_panel_padj,
    }


def _loo_table(study: Study, loo: pd.DataFrame) -> pd.DataFrame:
    named = pd.DataFrame(
        {
            "target": list(study.genes),
            "gene_id": pd.Series(study.genes.values(), dtype=object).to_numpy(),
        }
    ).dropna()
    joined = named.merge(loo, on="gene_id", how="inner")
    return joined[tables.schemas()["target_loo"].names]


def _power(
    study: Study, numbers: pd.DataFrame, published: pd.DataFrame | None, power_lfc: float
) -> pd.DataFrame:
    rows = []
    by_contrast = {contrast.name: contrast for contrast in study.contrasts}
    panels = _panel_sizes(numbers)
    sizes = {name: members_by_group(members) for name, members in study.members.items()}
    for row in numbers.to_dict("records"):
        contrast = by_contrast[row["contrast"]]
        precision = None
        if np.isfinite(row["pvalue"]):
            fitted = study.fits[contrast.model].varm[contrast.file].loc[row["gene_id"]]
            second = float(fitted["second_lfcSE"]), float(fitted["second_df"])
            precision = Precision(row["lfcSE"], *second)
        known = published_effect(published, row["target"], contrast, study.groups)
        effect = Effect(power_lfc, "fixed") if known is None else Effect(known, "published")
        rows.append(
            power_row(
                row["target"],
                contrast,
                sizes[contrast.name],
                precision,
                panels[contrast.name],
                study.rule,
                effect,
                testable=contrast.name not in study.few_blocks,
            )
        )
    return pd.DataFrame(rows)


def patterns(study: Study, verdicts: pd.DataFrame, n_cpus: int = 1) -> pd.DataFrame:
    """Return `target_patterns`; verdicts: as `verdict_table` and `with_clauses` return them."""
    by_contrast = {
        name: rows.set_index("target") for name, rows in verdicts.groupby("contrast", sort=False)
    }
    planned = [*study.contrasts, *study.not_estimable]
    changes = {(c.group, c.time): by_contrast[c.name] for c in planned if c.kind == "change"}
    differences = [c for c in planned if c.kind == "difference"]
    called = [c for c in differences if by_contrast[c.name]["verdict"].isin(CALLED).any()]
    halves = {
        name: table.reindex(list(study.genes.values())).set_axis(list(study.genes))
        for name, table in less_than_half(study, called, n_cpus).items()
    }
    parts = [
        pattern_table(
            Comparison(
                group=str(contrast.group),
                reference=str(contrast.reference),
                change=changes[contrast.group, contrast.time],
                reference_change=changes[contrast.reference, contrast.time],
                difference=by_contrast[contrast.name],
                less_than_half=halves.get(contrast.name),
                time=contrast.time if len(study.times) > 1 else None,
            ),
            study.rule,
        )
        for contrast in differences
    ]
    if not parts:
        return tables.empty("target_patterns")
    table = pd.concat(parts, ignore_index=True)
    return with_all_groups(table, study, by_contrast)
