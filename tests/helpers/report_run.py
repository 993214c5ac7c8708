"""Plausible tables of a run, written as the pipeline writes them, from nothing but a seed.

The numbers are not the result of any model: they only hang together enough for a page to be made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.questions import questions_of
from fibroserum.input.names import file_name
from fibroserum.report.figures.registry import draw
from fibroserum.report.loading import RunTables, load_run
from fibroserum.report.page.cohort_page import build_page
from fibroserum.report.theme import spec
from helpers.report_outcomes import OutcomeFlags
from helpers.report_shape import Shape


class Maker(OutcomeFlags):
    """Writes every table of one fabricated run."""

    def make(self) -> None:
        """Write everything."""
        self.cohort()
        self.change()
        self.sets()
        self.target_tables()
        self.factor_tables()
        self.outcome_tables()
        self.gene_lists()
        self.omnibus()
        self.chain_table()
        record = {
            "versions": {"python": "3.11.7", "fibroserum": "0.1.0", "pydeseq2": "0.5.4"},
            "config": self.config,
            "inputs": {"counts.tsv": "ab" * 32},
            "seed": 1,
        }
        (self.folder / "provenance.json").write_text(json.dumps(record), encoding="utf-8")

    def gene_lists(self) -> None:
        """Write the rows of own lists of genes; those that the matrix lacks have no id."""
        rows = [
            {"list": name, "gene": gene, "contrast": contrast.name, "call": "none"}
            | {"status": "not_in_matrix"}
            | self.de[contrast.name].set_index("symbol", drop=False).T.to_dict().get(gene, {})
            for name, genes in self.shape.lists.items()
            for gene in genes
            for contrast in self.contrasts
        ]
        if rows:
            self.write("gene_lists", rows)

    def omnibus(self) -> None:
        """Write a row of each omnibus question and target, where the contrasts allow questions."""
        rows = [
            {
                "gene_id": gene,
                "symbol": symbol,
                "question": question.name,
                "time": question.time if len(self.shape.times) > 1 else None,
                "F": 3.5,
                "df": 2,
                "df2": 20.0,
                **dict.fromkeys(("F_pvalue", "lrt_pvalue", "pvalue", "padj"), 0.04),
                "lrt": 7.5,
                "call": "differs",
            }
            for question in questions_of(self.contrasts)
            for gene, symbol in zip(self.ids[:3], self.symbols, strict=False)
        ]
        if rows:
            self.write("omnibus", rows)

    def cohort(self) -> None:
        """Write samples, checks, QC tables and the h5ad."""
        rows = [
            {"donor": donor, "group": group, "time": time, "sample": f"{donor}_{group[:12]}_{time}"}
            for group, donors in self.donors.items()
            for donor in donors
            for time in ("pre", *(() if group in self.shape.only_before else self.shape.times))
        ]
        sheet = pd.DataFrame(rows)
        sheet["library_size"] = self.rng.integers(1_000_000, 3_000_000, len(sheet))
        sheet["size_factor"] = self.rng.normal(1, 0.1, len(sheet)).round(4)
        sheet["genes_detected"] = self.shape.genes - 5
        sheet["used_for"], sheet["reason"] = "change", None
        lost = sheet.index[len(sheet) - self.shape.dropped :] if self.shape.dropped else []
        sheet.loc[lost, ["used_for", "reason"]] = [
            "none",
            "no before sample: a change needs both samples",
        ]
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
        post = metrics["time"].isin(self.shape.times).to_numpy()
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
                {
                    "check": "swapped donors",
                    "level": "not_assessed",
                    "subject": None,
                    "message": "not assessed: needs at least 4 pairs, in groups of 3 or more",
                    "advice": None,
                },
                {
                    "check": "samples used",
                    "level": "warning",
                    "subject": used["donor"].iloc[0],
                    "message": f"{used['donor'].iloc[0]}: its samples are far apart.",
                    "advice": "Look at both samples.",
                },
            ],
        )
        left_out = [{"gene": "ERCC-00002", "reason": "ERCC spike-in", "total": 1234}]
        self.write("left_out_genes", left_out if self.shape.dropped else [])
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
                "match": "official",
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
            "after": self.shape.after,
            "only_before": list(self.shape.only_before),
            "differences": "pairwise" if self.shape.pairwise else "reference",
            "control": self.shape.control or "",
            "contrasts": json.dumps(self.shape.own),
            "groups": list(self.shape.groups),
            "crossover": False,
            "covariates": [],
            "lines": list(self.shape.lines),
            "lines_per_donor": self.shape.lines_per_donor,
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
                    "weight": 1.0,
                    "weighted_padj": padj,
                    "second_weighted_padj": padj,
                    "confident_lfc": np.where(padj < 0.05, np.round(z * se * 0.3, 2), 0.0),
                    "call": call,
                }
            )
            frame.loc[frame.index[-5:], "status"] = "all_zero"
            numbers = [c for c in frame if frame[c].dtype == float and c != "weight"]
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
                    "status": "estimated",
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


def page_of(folder: Path, repository: Path, shape: Shape) -> tuple[RunTables, dict[str, Any], str]:
    config = make_run(folder, repository, shape)
    run = load_run(folder, config)
    specs = {name: spec(figure) for name, figure in draw(run, config).items()}
    return run, config, build_page(run, config, repository / "workflow" / "report", specs)
