"""What stands beside the verdicts: footprints, the small proteoglycans' pattern, receptors.

TGF-beta raises BGN and VCAN and lowers DCN in dermal fibroblasts (Kahari et al. 1991, J Biol Chem
266:10608), and platelets release it together with CXCL4: how serum was clotted and handled can
move both. Faster growth changes the matrix too. Nothing here gates a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fibroserum.cohort import settings_of
from fibroserum.design import models_of
from fibroserum.enrichment.gmt import map_sets, read_gmt
from fibroserum.enrichment.scores import score_samples, test_scores
from fibroserum.genes import resolve

if TYPE_CHECKING:
    import anndata as ad

SETS = Path(__file__).resolve().parents[4] / "resources" / "gene_sets" / "dermal_ecm.gmt"
FOOTPRINTS = {
    "TGF_BETA_RESPONSE": (
        "A rise beside a rise of BGN may come from TGF-beta in the serum, platelets' included: ask "
        "how it was clotted and stored before crediting the intervention"
    ),
    "PROLIFERATION": (
        "Cells that grow faster or slower change their matrix: a shift here is an explanation of "
        "its own"
    ),
}
PATTERN = ("BGN", "DCN", "VCAN")
RECEPTORS = {"CCR3": "CCL28", "CCR10": "CCL28"}
DETECTED = 10.0


def context_table(cohort: ad.AnnData, results: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return `flags/context.tsv`.

    cohort: samples × genes; results: `de` table by contrast name. Every target is taken out of the
    footprints, so that none stands witness for itself.
    """
    rows = [*_footprints(cohort), *_patterns(cohort, results), *_receptors(cohort)]
    columns = ["item", "kind", "contrast", "genes", "estimate", "ci_low", "ci_high", "pvalue"]
    return pd.DataFrame(rows, columns=[*columns, "sentence"])


def _footprints(cohort: ad.AnnData) -> list[dict[str, object]]:
    noted = settings_of(cohort)
    targets = {gene for gene in noted["targets"].values() if gene}
    chosen = [one for one in read_gmt(SETS) if one.name in FOOTPRINTS]
    mapped, _ = map_sets(chosen, cohort.var)
    sets = [
        replace(one, genes=tuple(gene for gene in one.genes if gene not in targets))
        for one in mapped
    ]
    sizes = {one.name: len(one.genes) for one in sets}
    expression = np.asarray(cohort.layers["log1p_normalized"], dtype=float)
    frame = pd.DataFrame(expression, index=cohort.obs_names, columns=cohort.var_names)
    scores = score_samples(frame, sets, min_size=5, max_size=cohort.n_vars)
    rows: list[dict[str, object]] = []
    for model in models_of(cohort.obs, noted):
        for row in test_scores(scores, model.design, model.contrasts).to_dict("records"):
            name = str(row["gene_set"])
            numbers = {key: row[key] for key in ("estimate", "ci_low", "ci_high", "pvalue")}
            said = _direction(row["estimate"], row["ci_low"], row["ci_high"])
            rows.append(
                {"item": name, "kind": "footprint", "contrast": row["contrast"], **numbers,
                 "genes": sizes[name], "sentence": f"The score {said}. {FOOTPRINTS[name]}."}
            )  # fmt: skip
    return rows


def _direction(estimate: float, low: float, high: float) -> str:
    if low <= 0 <= high:
        return "may move either way (its interval holds 0)"
    return "rises" if estimate > 0 else "falls"


def _patterns(cohort: ad.AnnData, results: Mapping[str, pd.DataFrame]) -> list[dict[str, object]]:
    found, _ = resolve(PATTERN, cohort.var)
    rows: list[dict[str, object]] = []
    for contrast, table in results.items():
        own = table.set_index("gene_id")
        words = []
        for name in PATTERN:
            genes = [gene for gene in found.get(name, []) if own["lfcSE"].notna().get(gene, False)]
            if not genes:
                words.append(f"{name} not fitted")
                continue
            row = own.loc[genes[0]]
            direction = _direction(row["log2FoldChange"], row["ci_low"], row["ci_high"])
            words.append(f"{name} {'unclear' if direction.startswith('may') else direction}")
        rows.append(
            {"item": "BGN/DCN/VCAN", "kind": "pattern", "contrast": contrast,
             "genes": sum(not word.endswith("fitted") for word in words),
             "sentence": f"{', '.join(words)} (by the 95 % intervals). TGF-beta raises BGN and "
                         "VCAN and lowers DCN; another pattern speaks against that alone."}
        )  # fmt: skip
    return rows


def _receptors(cohort: ad.AnnData) -> list[dict[str, object]]:
    found, _ = resolve(RECEPTORS, cohort.var)
    normalized = np.asarray(cohort.layers["normalized"], dtype=float)
    rows: list[dict[str, object]] = []
    for receptor, factor in RECEPTORS.items():
        genes = found.get(receptor, [])
        positions = cohort.var_names.get_indexer(genes)
        mean = float(normalized[:, positions].sum(axis=1).mean()) if genes else np.nan
        if not genes:
            said = "is not in the matrix"
        elif mean < DETECTED:
            said = f"is hardly seen (mean normalized count {mean:.1f})"
        else:
            said = f"is seen (mean normalized count {mean:.0f})"
        rows.append(
            {"item": receptor, "kind": "receptor", "genes": len(genes),
             "sentence": f"The {factor} receptor {receptor} {said}. mRNA is a poor witness of a "
                         "receptor on the cell: shown, never a condition."}
        )  # fmt: skip
    return rows
