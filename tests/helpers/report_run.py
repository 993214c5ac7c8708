"""Plausible tables of a run, written as the pipeline writes them, from nothing but a seed.

The numbers are not the result of any model: they only hang together enough for a page to be made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.contrasts import contrasts_of
from fibroserum.input.config import file_name, load_schema, with_defaults

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../x",
    'a "quoted", comma\'d name',
    "Жёлтый 猫 é",
    "-1+2",
    "@sum",
    "SEPT9",
    "a.b[0]['c']",
    "{{ 7*7 }}</script><img src=x onerror=alert(1)>",
)
TARGETS = ("BGN", "DCN", "VCAN", "HAS1", "HAS2", "COL1A1", "COL1A2", "COL3A1")


@dataclass(frozen=True)
class Shape:
    """What a fabricated run looks like.

    changed: share of genes called; evidence: whether the factors have any; names: put in place of
    the first genes, donors, sets and factors.
    """

    groups: tuple[str, ...] = ("AT", "RT")
    pairs: int = 8
    genes: int = 800
    changed: float = 0.04
    evidence: bool = True
    targets: tuple[str, ...] = TARGETS
    factors: tuple[str, ...] = ("CCL28", "CXCL4")
    names: tuple[str, ...] = ()
    sample_prefix: str = ""
    dropped: int = 1
    cohort: str = "made-up"
    sets: int = 12
    published: Path | None = None
    lines: tuple[str, ...] = ("",)
    extra: dict[str, str] = field(default_factory=dict)


def config_of(shape: Shape, repository: Path, folder: Path) -> dict[str, Any]:
    """Return the resolved config of a fabricated run."""
    given = {
        "cohort": shape.cohort,
        "counts": ["counts.tsv"],
        "samples": "samples.tsv",
        "design": {
            "group": "group" if len(shape.groups) > 1 else None,
            "before": "pre",
            "after": "post",
            "reference_group": shape.groups[0] if len(shape.groups) > 1 else None,
        },
        "gene_sets": [str(folder / "inputs" / "matrix.gmt")],
        "targets": list(shape.targets),
        "published": None if shape.published is None else str(shape.published),
        "factors": {
            name: {"gene": None, "serum": "level" if shape.evidence else None}
            for name in shape.factors
        },
    }
    schema = load_schema(repository / "workflow" / "schemas" / "config.schema.yaml")
    resolved = with_defaults(given, schema)
    if shape.evidence and shape.factors:
        resolved["factors"][shape.factors[0]]["stimulation"] = {"counts": "stimulation.tsv"}
    return resolved


class Maker:
    """Writes the tables of one fabricated run."""

    def __init__(self, shape: Shape, folder: Path, repository: Path, seed: int = 1):
        self.shape, self.folder = shape, folder
        self.config = config_of(shape, repository, folder)
        self.rng = np.random.default_rng(seed)
        self.contrasts = contrasts_of(shape.groups, "pre", "post")
        plain = [f"GENE{i:05d}" for i in range(shape.genes)]
        for i, name in enumerate((*shape.targets, *shape.names)):
            plain[i] = name
        self.symbols = plain
        self.ids = [f"ENSG{i:011d}" for i in range(shape.genes)]
        names = list(shape.names)
        self.donors = {
            group: [
                names[i]
                if g == 0 and i < len(names)
                else f"{shape.sample_prefix}{group[:12]}{i + 1:02d}"
                for i in range(shape.pairs)
            ]
            for g, group in enumerate(shape.groups)
        }
        self.set_names = [*names, *(f"matrix set {i + 1}" for i in range(shape.sets))][: shape.sets]

    def write(self, table: str, rows: Any, **names: str) -> pd.DataFrame:
        """Write a table given as rows or a frame; absent columns are empty."""
        schema = tables.schemas()[table]
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        frame = frame.reindex(columns=schema.names).astype(object)
        frame = frame.where(frame.notna(), None)
        tables.write(table, frame, self.folder / schema.path.format(**names))
        return frame

    def make(self) -> None:
        """Write everything."""
        self.cohort()
        self.change()
        self.sets()
        self.target_tables()
        self.factor_tables()
        record = {
            "versions": {"python": "3.11.7", "fibroserum": "0.1.0", "pydeseq2": "0.5.4"},
            "config": self.config,
            "inputs": {"counts.tsv": "ab" * 32},
            "seed": 1,
        }
        (self.folder / "provenance.json").write_text(json.dumps(record), encoding="utf-8")

    def cohort(self) -> None:
        """Write samples, checks, QC tables and the h5ad."""
        rows = [
            {"donor": donor, "group": group, "time": time, "sample": f"{donor}_{group[:12]}_{time}"}
            for group, donors in self.donors.items()
            for donor in donors
            for time in ("pre", "post")
        ]
        sheet = pd.DataFrame(rows)
        sheet["library_size"] = self.rng.integers(1_000_000, 3_000_000, len(sheet))
        sheet["size_factor"] = self.rng.normal(1, 0.1, len(sheet)).round(4)
        sheet["genes_detected"] = self.shape.genes - 5
        sheet["used_for"], sheet["reason"] = "change", None
        lost = sheet.index[len(sheet) - self.shape.dropped :] if self.shape.dropped else []
        sheet.loc[lost, ["used_for", "reason"]] = ["none", "no before sample: a change needs both"]
        self.write("samples", sheet)
        used = sheet[sheet["used_for"] != "none"].reset_index(drop=True)
        self.used = used
        metrics = used.assign(
            total_counts=used["library_size"],
            n_genes=used["genes_detected"],
            pct_counts_mt=3.2,
            pct_counts_ribo=9.0,
            pct_counts_hb=0.0,
            pct_top_50=21.0,
        )
        place = pd.factorize(metrics["donor"])[0]
        post = (metrics["time"] == "post").to_numpy()
        for i, name in enumerate(("PC1", "PC2", "PC1_within", "PC2_within")):
            metrics[name] = (
                np.sin(place * (i + 1.7)) * 9 + post * (4 - i) + self.rng.normal(0, 1, len(used))
            )
        self.write("qc_metrics", metrics)
        self.write(
            "qc_variance",
            [
                {"component": f"PC{i}", "space": space, "variance_ratio": 0.5 / i}
                for space in ("samples", "within_donor")
                for i in (1, 2, 3)
            ],
        )
        first, second = np.triu_indices(len(used), 1)
        same = place[first] == place[second]
        self.write(
            "qc_distances",
            {
                "sample": used["sample"].to_numpy()[first],
                "other": used["sample"].to_numpy()[second],
                "distance": np.where(same, 12, 25) + self.rng.normal(0, 2, len(first)),
                "correlation": np.where(same, 0.98, 0.95) + self.rng.normal(0, 0.004, len(first)),
            },
        )
        self.write(
            "checks",
            [
                {"check": "identity", "level": "ok", "subject": None, "message": "All one sex."},
                {
                    "check": "pair_similarity",
                    "level": "warning",
                    "subject": used["donor"].iloc[0],
                    "message": f"{used['donor'].iloc[0]}: its samples are far apart.",
                },
            ],
        )
        self.matrix(used)

    def matrix(self, used: pd.DataFrame) -> None:
        """Write cohort.h5ad."""
        level = self.rng.uniform(1, 12, self.shape.genes)
        donor = {d: self.rng.normal(0, 0.3, self.shape.genes) for d in used["donor"].unique()}
        logs = np.array([level + donor[d] for d in used["donor"]])
        logs += self.rng.normal(0, 0.15, logs.shape)
        counts = np.round(2**logs).astype(np.int32)
        obs = used.set_index("sample")[["donor", "group", "time"]].assign(
            line="",
            used_for="change",
            size_factor=used["size_factor"].to_numpy(),
            **self.shape.extra,
        )
        var = pd.DataFrame(
            {
                "symbol": self.symbols,
                "ensembl": "",
                "entrez": "",
                "match": "symbol",
                "target": False,
            },
            index=self.ids,
        )
        adata = ad.AnnData(X=counts, obs=obs, var=var)
        normalized = counts / used["size_factor"].to_numpy()[:, None]
        adata.layers["normalized"] = normalized.astype(np.float32)
        self.normalized = pd.DataFrame(adata.layers["normalized"], obs.index, self.ids)
        adata.uns["fibroserum"] = {
            "cohort": self.shape.cohort,
            "before": "pre",
            "after": "post",
            "groups": list(self.shape.groups),
            "crossover": False,
            "covariates": [],
            "lines": list(self.shape.lines),
            "size_factor_method": "ratio",
            "targets": list(self.shape.targets),
            "target_genes": self.ids[: len(self.shape.targets)],
            "notes": [],
        }
        adata.write_h5ad(self.folder / "cohort.h5ad")

    def change(self) -> None:
        """Write de/*.tsv and contrasts.tsv."""
        rows, self.de = [], {}
        count = self.shape.genes
        for contrast in self.contrasts:
            z = self.rng.normal(0, 1, count)
            hit = self.rng.random(count) < self.shape.changed
            z[hit] += np.sign(z[hit]) * 5
            se = self.rng.uniform(0.03, 0.4, count)
            pvalue = np.array([float(f"{x:.6g}") for x in 2 * normal_tail(np.abs(z))])
            ranked = np.sort(pvalue)
            padj = np.minimum(1, pvalue * count / (np.searchsorted(ranked, pvalue) + 1))
            call = np.where((padj < 0.05) & hit, np.where(z > 0, "up", "down"), "none")
            frame = pd.DataFrame(
                {
                    "gene_id": self.ids,
                    "symbol": self.symbols,
                    "baseMean": 2 ** self.rng.uniform(1, 14, count),
                    "log2FoldChange": z * se,
                    "lfcSE": se,
                    "ci_low": (z - 1.96) * se,
                    "ci_high": (z + 1.96) * se,
                    "stat": z,
                    "pvalue": pvalue,
                    "padj": padj,
                    "log2FoldChange_shrunken": z * se * 0.6,
                    "dispersion": 0.02,
                    "status": "tested",
                    "second_log2FoldChange": z * se * 0.97,
                    "second_pvalue": pvalue,
                    "second_padj": padj,
                    "call": call,
                }
            )
            frame.loc[frame.index[-5:], "status"] = "all_zero"
            numbers = [c for c in frame if frame[c].dtype == float]
            frame.loc[frame.index[-5:], numbers] = np.nan
            frame.loc[frame.index[-5:], "call"] = "none"
            self.de[contrast.name] = frame
            self.write("de", frame, contrast=file_name(contrast.name))
            rows.append(
                {
                    "contrast": contrast.name,
                    "kind": contrast.kind,
                    "group": contrast.group,
                    "reference": contrast.reference,
                    "pairs": self.shape.pairs,
                    "residual_df": self.shape.pairs - 1,
                    "tested": count - 5,
                    "up": int((frame["call"] == "up").sum()),
                    "down": int((frame["call"] == "down").sum()),
                    "up_main": int((frame["call"] == "up").sum()) + 1,
                    "down_main": int((frame["call"] == "down").sum()) + 2,
                }
            )
        self.write("contrasts", rows)

    def sets(self) -> None:
        """Write the GMT and the enrichment tables."""
        (self.folder / "inputs").mkdir(parents=True, exist_ok=True)
        members = {
            name: sorted(self.rng.choice(self.symbols[:-5], 15, replace=False))
            for name in self.set_names
        }
        lines = [
            " ".join(name.split()) + "\tmade up\t" + "\t".join(g) for name, g in members.items()
        ]
        (self.folder / "inputs" / "matrix.gmt").write_text("\n".join(lines), encoding="utf-8")
        tests, scores = [], []
        for contrast in self.contrasts:
            rows = []
            for number, (name, genes) in enumerate(members.items()):
                hit = number < 4 and self.shape.changed > 0
                p = 0.001 if hit else float(self.rng.uniform(0.1, 1))
                way = "up" if number % 2 else "down"
                rows.append(
                    {
                        "collection": "matrix",
                        "gene_set": name,
                        "family": name,
                        "size": len(genes),
                        "tested": len(genes),
                        "direction": way,
                        "mean_log2FoldChange": float(self.rng.normal(0, 0.2)),
                        **dict.fromkeys(("fry_pvalue", "fry_padj", "fry_mixed_pvalue"), p),
                        **dict.fromkeys(("fry_mixed_padj", "camera_pvalue", "camera_padj"), p),
                        "camera_correlation": 0.02,
                        "ora_pvalue": p,
                        "ora_padj": p,
                        "NES": 1.2,
                        "prerank_pvalue": p,
                        "prerank_padj": p,
                        "leading_edge": ";".join(genes[:6]),
                        "call": way if hit else "none",
                        "enriched": way if number < 2 and hit else "none",
                    }
                )
                tests.append(
                    {
                        "contrast": contrast.name,
                        "collection": "matrix",
                        "gene_set": name,
                        "estimate": 0.1,
                        "ci_low": -0.1,
                        "ci_high": 0.3,
                        "pvalue": p,
                        "padj": p,
                    }
                )
            self.write("enrichment", rows, contrast=file_name(contrast.name))
        for sample in self.used["sample"]:
            scores += [
                {
                    "sample": sample,
                    "collection": "matrix",
                    "gene_set": name,
                    "score": float(self.rng.normal(0, 1)),
                }
                for name in members
            ]
        self.write("set_scores", scores)
        self.write("set_score_tests", tests)
        self.write(
            "sets_left_out",
            [
                {
                    "collection": "matrix",
                    "gene_set": "tiny",
                    "gene": None,
                    "reason": "2 tested genes",
                }
            ],
        )

    def target_tables(self) -> None:
        """Write every table of targets."""
        rows, loo, power = [], [], []
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
                        "reason": f"{target} is {verdict} here because it was made up.",
                        **({} if absent else {name: row[name] for name in same}),
                        "panel_padj": None if absent else row["padj"],
                        "donors_up": None if absent else 5,
                        "donors": None if absent else 8,
                        "robust": None if absent else bool(number % 2),
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
        self.donor_tables()

    def donor_tables(self) -> None:
        """Write levels per donor, baseline and patterns."""
        rows = []
        wide = self.used.pivot_table(
            index=["group", "donor"], columns="time", values="sample", aggfunc="first"
        ).dropna()
        for number, target in enumerate(self.shape.targets[:-1] or self.shape.targets):
            for (group, donor), names in wide.iterrows():
                before, after = np.log2(
                    self.normalized.loc[[names["pre"], names["post"]]].iloc[:, number] + 0.5
                )
                rows.append(
                    {
                        "target": target,
                        "donor": donor,
                        "group": group,
                        "before": before,
                        "after": after,
                        "delta": after - before,
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
                    "direction": "down",
                    "concordance": "as_predicted",
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


def normal_tail(z: np.ndarray) -> np.ndarray:
    """Return the upper tail of the normal distribution."""
    from scipy.stats import norm

    return norm.sf(z)


def make_run(folder: Path, repository: Path, shape: Shape | None = None) -> dict[str, Any]:
    """Write a fabricated run to `folder` and return its resolved config."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(shape or Shape(), folder, repository)
    maker.make()
    return maker.config
