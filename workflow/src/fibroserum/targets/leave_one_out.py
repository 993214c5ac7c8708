"""The targets refitted without each donor in turn: is the effect driven by one donor?

Size factors, dispersion trend and prior are those of the whole fit; the gene's own dispersion and
coefficients are re-estimated.
"""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum.cohort.contrasts import Contrast
from fibroserum.cohort.designs import design_of
from fibroserum.de.stored_fit import fixed_prior_fit
from fibroserum.deseq import refit_genes
from fibroserum.deseq.model import usable_structure
from fibroserum.inference.structure import BlockStructure, find_blocks, without_blocks
from fibroserum.inference.wald import beyond
from fibroserum.targets.donor_values import Samples
from fibroserum.targets.verdict import HALF

MIN_PAIRS_ROBUST = 5


def estimable(design: pd.DataFrame | BlockStructure) -> bool:
    """Return whether a design has full rank and a residual degree of freedom."""
    if isinstance(design, pd.DataFrame):
        matrix = design.to_numpy(dtype=float)
        if not matrix.any(axis=0).all():
            return False
        design = find_blocks(matrix)
    filled = (design.blocks.dense != 0).any(axis=1).all()
    full = filled and design.rank == design.n_columns
    return bool(full and design.n_samples > design.n_columns)


def leave_each_out(
    fit: ad.AnnData, samples: Samples, contrasts: list[Contrast], n_cpus: int = 1
) -> pd.DataFrame:
    """Return the refits of one model: a row per gene, contrast and donor concerned by it.

    samples: the cohort with the targets that were fitted. Outlying counts are replaced as they were
    for the whole fit. Columns: gene_id, contrast, left_out, log2FoldChange, lfcSE, pvalue and
    dispersion; numbers are NaN where the model cannot be fitted without the donor.
    """
    whole, blocked = fixed_prior_fit(fit), design_of(fit)
    design = blocked.matrix
    counts = samples.counts.loc[design.index].copy()
    for place, gene in enumerate(whole.genes[whole.replaced]):
        if gene in counts:
            counts[gene] = pd.Series(whole.replaced_counts[:, place], whole.samples)
    donor_of = samples.obs.loc[design.index, "donor"]
    vectors = {c.name: np.asarray(fit.uns["model"]["contrasts"][c.file]) for c in contrasts}
    concerned = {c.name: set(samples.members(c).index.get_level_values("donor")) for c in contrasts}
    threshold = float(fit.uns["model"]["lfc_threshold"])
    structure = usable_structure(design, design.index)
    keys: list[tuple[str, str]] = []
    numbers = [np.empty((3, 0, counts.shape[1]))]
    for donor in sorted(set().union(*concerned.values())) if counts.shape[1] else []:
        # in a crossover each pair of a donor is a block
        of_donor = blocked.codes[(donor_of == donor).to_numpy()]
        left_out = np.unique(of_donor[of_donor >= 0])
        columns = np.setdiff1d(np.arange(design.shape[1]), left_out)
        rest: pd.DataFrame | BlockStructure
        if len(left_out) and np.isin(left_out, structure.block_columns).all():
            rest, keep = without_blocks(structure, left_out)
        else:
            keep = (donor_of != donor).to_numpy()
            rest = design.loc[keep, design.columns[columns]]
        own = {name: v[columns] for name, v in vectors.items() if donor in concerned[name]}
        found = np.full((3, len(own), counts.shape[1]), np.nan)
        if estimable(rest):
            refit = refit_genes(whole, counts.loc[keep], rest, own, n_cpus=n_cpus)
            found[0], found[1] = refit.estimates.T / np.log(2), refit.errors.T / np.log(2)
            found[2] = refit.dispersions
        keys += [(name, donor) for name in own]
        numbers.append(found)
    estimate, error, dispersion = np.concatenate(numbers, axis=1).reshape(3, -1)
    genes = counts.columns.to_numpy(object)
    names, donors = (np.array([key[i] for key in keys], dtype=object) for i in (0, 1))
    return pd.DataFrame(
        {
            "gene_id": np.tile(genes, len(keys)),
            "contrast": np.repeat(names, len(genes)),
            "left_out": np.repeat(donors, len(genes)),
            "log2FoldChange": estimate,
            "lfcSE": error,
            "pvalue": beyond(estimate, error, threshold),
            "dispersion": dispersion,
        }
    )


def with_shares(refits: pd.DataFrame, full: pd.Series) -> pd.DataFrame:
    """Return the refits with share_kept, sign_holds and worst.

    full: the estimates of the full data, by (gene_id, contrast). The worst donor is the one whose
    leaving moves the estimate most towards zero or beyond, ties broken by name.
    """
    table = refits.copy()
    keys = pd.MultiIndex.from_frame(table[["gene_id", "contrast"]])
    whole = full.reindex(keys).to_numpy(float)
    estimate = table["log2FoldChange"].to_numpy(float)
    share = np.full(len(table), np.nan)
    np.divide(estimate, whole, out=share, where=whole != 0)
    table["share_kept"] = share
    known = np.isfinite(estimate)
    table["sign_holds"] = pd.Series(np.sign(estimate) == np.sign(whole), dtype=object).where(
        known, None
    )
    ranked = table.assign(rank=np.where(known, share, np.inf)).sort_values(["rank", "left_out"])
    first = ranked.groupby(["gene_id", "contrast"], sort=False).head(1).index
    table["worst"] = table.index.isin(first) & known
    return table


def holds(refits: pd.DataFrame) -> pd.Series:
    """Return of each refit (`with_shares`) whether the sign and half the estimate hold."""
    return (refits["share_kept"] >= HALF) & refits["sign_holds"].eq(True)


def robustness(refits: pd.DataFrame, members: dict[str, pd.DataFrame]) -> pd.Series:
    """Return by (gene_id, contrast) whether sign and half the estimate hold without any donor.

    refits: as `with_shares` returns them; members: by contrast, its pairs (index donor, group).
    Contrasts in which a group has fewer than 5 pairs are left out.
    """
    enough = {
        name
        for name, table in members.items()
        if len(table) and table.groupby(level="group").size().min() >= MIN_PAIRS_ROBUST
    }
    table = refits[refits["contrast"].isin(enough)]
    return holds(table).groupby([table["gene_id"], table["contrast"]]).all()
