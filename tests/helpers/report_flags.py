"""The targets and factors of a fabricated run."""

from __future__ import annotations

import numpy as np

from fibroserum.input.names import file_name
from helpers.report_shape import Tables


class Flags(Tables):
    """Writes the tables under flags/, once the others are there."""

    def target_tables(self) -> None:
        """Write every table of targets."""
        rows, loo, power, planning = [], [], [], []
        for number, target in enumerate(self.shape.targets):
            for contrast in self.contrasts:
                row = self.de[contrast.name].iloc[number]
                absent = number == len(self.shape.targets) - 1 and number > 0
                same = (
                    "log2FoldChange",
                    "lfcSE",
                    "ci_low",
                    "ci_high",
                    "pvalue",
                    "padj",
                    "baseMean",
                )
                verdict = (
                    "absent" if absent else ["up", "inconclusive", "down", "no_change"][number % 4]
                )
                rows.append(
                    {
                        "target": target,
                        "gene_id": None if absent else self.ids[number],
                        "contrast": contrast.name,
                        "kind": contrast.kind,
                        "verdict": verdict,
                        "headline": verdict if verdict == "up" else "none",
                        "reason": f"{target} is {verdict} here because it was made up.",
                        **({} if absent else {name: row[name] for name in same}),
                        "panel_padj": None if absent else row["padj"],
                        "headline_padj": None if absent else row["padj"],
                        "donors_up": None if absent else 5,
                        "donors": None if absent else 8,
                        "robust": None if absent else bool(number % 2),
                        "leave_one_out": None if absent else "All of it holds without any donor.",
                        "detectable_lfc": None if absent else 0.3,
                    }
                )
                if absent:
                    continue
                donors = self.donors.get(contrast.group, next(iter(self.donors.values())))
                for i, donor in enumerate(donors if len(donors) > 1 else []):
                    loo.append(
                        {
                            "target": target,
                            "contrast": contrast.name,
                            "left_out": donor,
                            "log2FoldChange": row["log2FoldChange"] * (1 + 0.1 * np.sin(i)),
                            "lfcSE": row["lfcSE"],
                            "pvalue": row["pvalue"],
                            "dispersion": 0.02,
                            "share_kept": 1 + 0.1 * np.sin(i),
                            "sign_holds": True,
                            "worst": i == 0,
                            "verdict_stands": True,
                        }
                    )
                planning += [
                    {
                        "target": target,
                        "contrast": contrast.name,
                        "kind": contrast.kind,
                        "pairs": pairs,
                        "detectable_lfc": 1 / np.sqrt(pairs),
                        "power": pairs / (pairs + 20),
                        "changed": 1,
                        "effect": 0.15,
                        "effect_source": "fixed",
                    }
                    for pairs in (4, 20, 120)
                    if contrast.kind != "baseline"
                ]
                power.append(
                    {
                        "target": target,
                        "contrast": contrast.name,
                        "pairs": self.shape.pairs,
                        "alpha_effective": 0.01,
                        "detectable_lfc": 0.3,
                        "effect": 0.15,
                        "effect_source": "fixed",
                        "power": 0.4,
                        "sentence": "A study of this size finds 0.30 in four of five.",
                    }
                )
        self.write("targets", rows)
        self.write("target_loo", loo)
        self.write("target_power", power)
        self.write("planning", planning)
        self.donor_tables()

    def donor_tables(self) -> None:
        """Write levels per donor, baseline and patterns."""
        rows = []
        wide = self.used.pivot_table(
            index=["group", "donor"], columns="time", values="sample", aggfunc="first"
        ).dropna(subset=["pre", self.shape.times[0]])
        for number, target in enumerate(self.shape.targets[:-1] or self.shape.targets):
            for (group, donor), names in wide.iterrows():
                levels = np.log2(self.normalized.iloc[:, number] + 0.5).reindex(names).to_numpy()
                at = dict(zip(names.index, levels, strict=True))
                for time in self.shape.times:
                    rows.append(
                        {
                            "target": target,
                            "donor": donor,
                            "group": group,
                            **({"time": time} if len(self.shape.times) > 1 else {}),
                            "before": at["pre"],
                            "after": at[time],
                            "delta": at[time] - at["pre"],
                        }
                    )
        self.write("target_donors", rows)
        context = {"item": "TGF_BETA_RESPONSE", "kind": "footprint", "genes": 54, "estimate": 1.5}
        interval = {"ci_low": -1.0, "ci_high": 4.0, "pvalue": 0.2, "sentence": "It may move."}
        self.write(
            "context",
            [context | interval | {"contrast": c.name} for c in self.contrasts]
            + [{"item": "CCR10", "kind": "receptor", "genes": 1, "sentence": "It is seen."}],
        )
        numbers = {"donors": 9, "log2FoldChange": 0.25, "ci_low": -0.125, "ci_high": 0.625}
        self.write(
            "sensitivity",
            [
                {"target": target, "contrast": self.contrasts[0].name, "assumption": word} | numbers
                for target in self.shape.targets[:1]
                for word in ("missing_at_random", "equal_starts")
            ],
        )
        several = self.shape.groups[1:]
        about = {"reference": self.shape.groups[0], "randomised": True, "note": "made up"}
        self.write(
            "target_baseline",
            [
                {"target": t, "group": g, **about, "baseline_difference": 0.1}
                for t in self.shape.targets
                for g in several
            ],
        )
        self.write(
            "target_patterns",
            [
                {
                    "target": t,
                    "group": g,
                    "reference": self.shape.groups[0],
                    "pattern": "neither",
                    "sentence": f"{t}: neither.",
                }
                for t in self.shape.targets
                for g in several
            ],
        )

    def factor_tables(self) -> None:
        """Write every table of factors."""
        changes = [c for c in self.contrasts if c.kind in ("change", "difference")]
        names = self.shape.factors
        seen = self.shape.evidence
        self.write(
            "factor_levels",
            [
                {
                    "factor": f,
                    "contrast": c.name,
                    "donors": self.shape.pairs if seen else 0,
                    **(
                        {"change_log2": -0.4, "ci_low": -0.7, "ci_high": -0.1, "pvalue": 0.01}
                        if seen
                        else {}
                    ),
                }
                for f in names
                for c in changes
            ],
        )
        pairs = [
            {
                "factor": f,
                "donor": d,
                "group": g,
                "before_log2": 9.0,
                "after_log2": 9.0 + x,
                "change_log2": x,
                "used": True,
            }
            for f in names
            for g, donors in self.donors.items()
            for d, x in zip(donors, self.rng.normal(-0.4, 0.3, len(donors)), strict=True)
        ]
        self.write("factor_pairs", pairs if seen else [])
        genes, concordance = [], []
        for number, factor in enumerate(names):
            for i, (gene, symbol) in enumerate(zip(self.ids[:-5], self.symbols, strict=False)):
                hit = seen and number == 0 and i % 25 == 0
                x = float(self.rng.normal(0, 0.2)) + 1.5 * hit
                p = 1e-8 if hit else float(self.rng.uniform(0.05, 1))
                call = ("confirmed" if i % 50 == 0 else "responsive") if hit else "not_responsive"
                genes.append(
                    {
                        "factor": factor,
                        "gene_id": gene,
                        "symbol": symbol,
                        "stimulation_log2FoldChange": x if seen and number == 0 else None,
                        "stimulation_pvalue": p if seen and number == 0 else None,
                        "serum_slope": x * 0.5 + float(self.rng.normal(0, 0.1)) if seen else None,
                        "serum_pvalue": p if seen else None,
                        "signature": "none",
                        "direction": "induced" if seen else None,
                        "evidence": "both" if seen else None,
                        **(
                            dict.fromkeys(
                                (
                                    "responsive_pvalue",
                                    "responsive_padj",
                                    "confirmed_pvalue",
                                    "confirmed_padj",
                                ),
                                p,
                            )
                            if seen
                            else {}
                        ),
                        "call": call if seen else "not_assessable",
                    }
                )
                if hit:
                    concordance += [
                        {
                            "factor": factor,
                            "gene_id": gene,
                            "symbol": symbol,
                            "contrast": c.name,
                            "direction": "induced",
                            "log2FoldChange": 0.2,
                            "padj": 0.5,
                            "concordance": [None, "as_predicted", "opposite"][i % 3],
                        }
                        for c in changes
                    ]
        self.write("factors", genes)
        self.write("factor_concordance", concordance)
        self.write(
            "factor_sets",
            [
                {
                    "factor": f,
                    "contrast": c.name,
                    "genes": 10,
                    "fry_pvalue": 0.02,
                    "direction": "with_less",
                    "rise": 0,
                    "fall": 10,
                    "concordance": "as_predicted",
                    "sentence": f"10 of 10 responsive genes fall in {c.group}, as a fall predicts.",
                }
                for f in names[:1]
                for c in changes
            ]
            if seen
            else [],
        )
        self.write(
            "mediation",
            [
                {
                    "factor": f,
                    "target": self.shape.targets[0],
                    "group": self.shape.groups[-1],
                    "donors": 8,
                    "call": "not_assessable",
                    "note": "made up",
                }
                for f in names
            ]
            if self.shape.targets
            else [],
        )
        for factor in names[:1] if seen else ():
            frame = self.de[self.contrasts[0].name]
            self.write("stimulation", frame, factor=file_name(factor))
