"""The genes of a simulated cohort and what is true of each, before any donor is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import pandas as pd

from fibroserum.genes.table import load_table
from fibroserum.simulate.gene_lists import (
    CATEGORIES,
    CPM,
    RISING_COLLAGENS,
    TARGETS,
    UNEXPRESSED,
)
from fibroserum.simulate.spec import AFTER, BEFORE, CohortSpec

# Background expression of protein-coding genes in fibroblasts: ln CPM, a tenth hardly expressed.
_LN_CPM = (2.9, 1.6)
_MAX_CPM = 2000.0
_SILENT_SHARE = 0.1
# Blocks are planted in genes of at least this level (100 counts at 20 million reads), where an
# effect can be seen and a correlation survives counting noise.
_MIN_PLANTED_CPM = 5.0
_MODULE_SIZE = 50
_MAX_DISPERSION = 4.0


@dataclass(frozen=True)
class Panel:
    """Genes with their parameters.

    genes: DataFrame indexed by gene_id: symbol, block, module (integer), sign (of the gene in its
    module), rho (its residual correlation), cpm, dispersion (total), donor_sd (log2), slope,
    stimulation, and per arm change[ARM] (without CCL28's part) and baseline[ARM]; log2, scaled.
    null_sets: name to symbols.
    """

    genes: pd.DataFrame
    null_sets: dict[str, tuple[str, ...]]


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose: its draws do not depend on any other's."""
    return np.random.default_rng([seed, crc32(purpose.encode())])


def build_panel(spec: CohortSpec) -> Panel:
    """Choose genes, levels, dispersions and effects from `spec.truth_seed` alone.

    Raises ValueError where `spec.genes` has no room for the planted blocks.
    """
    genes = choose_genes(spec)
    genes["block"] = genes["category"]
    _plant_blocks(genes, spec)
    null_sets = plant_null_sets(genes, spec)
    _plant_named(genes, spec)
    assign_modules(genes, spec)
    assign_noise(genes, spec)
    effects = [c for c in genes if c.startswith(("change[", "baseline["))]
    for column in ["slope", "stimulation", *effects]:
        # -0.0 would be written as "-0".
        genes[column] = (genes[column] * spec.effect_scale).round(4) + 0.0
    return Panel(genes.drop(columns="category"), null_sets)


@lru_cache(maxsize=1)
def _named_genes() -> dict[str, str]:
    """Return symbol to primary Ensembl id of protein-coding genes and XIST."""
    table = load_table()
    primary = table["ensembl"].str.partition("|")[0]
    coding = table["type"].eq("protein-coding") | table["symbol"].eq("XIST")
    return dict(zip(table["symbol"][coding], primary[coding], strict=True))


@lru_cache(maxsize=1)
def _background_pool() -> list[tuple[str, str]]:
    """Return ids and symbols, by symbol, of genes that fibroblasts may express.

    Symbol and Ensembl id belong to each other alone. Y is left out: the line is female.
    """
    table = load_table()
    shared = table["ensembl"].duplicated(keep=False) | table["symbol"].duplicated(keep=False)
    several = table["ensembl"].str.contains("|", regex=False)
    named = [s for levels in CATEGORIES.values() for text in levels.values() for s in text.split()]
    usable = (
        table["type"].eq("protein-coding")
        & table["ensembl"].ne("")
        & ~(shared | several)
        & ~table["chromosome"].str.contains("Y|MT")
        & ~table["symbol"].str.match(UNEXPRESSED)
        & ~table["symbol"].isin(named)
    )
    pool = table[usable].sort_values("symbol")
    return list(zip(pool["ensembl"], pool["symbol"], strict=True))


def choose_genes(spec: CohortSpec) -> pd.DataFrame:
    """Return named genes, then background, indexed by Ensembl id: symbol, category, cpm."""
    ids = _named_genes()
    rng = generator(spec.truth_seed, "levels")
    rows = []
    for category, levels in CATEGORIES.items():
        for level, text in levels.items():
            for symbol in text.split():
                jitter = np.exp(rng.normal(0, 0.5))
                rows.append((ids[symbol], symbol, category, CPM.get(symbol, level * jitter)))
    if spec.genes < len(rows):
        raise ValueError(f"genes must be at least {len(rows)}, the genes named in every cohort")
    rows += _background(spec.truth_seed, spec.genes - len(rows))
    frame = pd.DataFrame(rows, columns=["gene_id", "symbol", "category", "cpm"])
    return frame.set_index("gene_id")


def _background(seed: int, count: int) -> list[tuple[str, str, str, float]]:
    """Return `count` rows for `choose_genes`: real genes, then made-up ones."""
    pool = _background_pool()
    order = generator(seed, "background").permutation(len(pool))[:count]
    chosen = [pool[position] for position in order]
    made_up = [f"SIMULATED{number:05d}" for number in range(count - len(chosen))]
    rng = generator(seed, "background levels")
    cpm = np.minimum(np.exp(rng.normal(*_LN_CPM, size=count)), _MAX_CPM)
    silent = rng.random(count) < _SILENT_SHARE
    cpm[silent] = 10 ** rng.uniform(-3, -0.3, size=int(silent.sum()))
    genes = [*chosen, *zip(made_up, made_up, strict=True)]
    return [(*gene, "background", level) for gene, level in zip(genes, cpm.tolist(), strict=True)]


def _plant_blocks(genes: pd.DataFrame, spec: CohortSpec) -> None:
    """Write the effects of the blocks that are drawn at random into `genes`, and their names."""
    rng = generator(spec.truth_seed, "blocks")
    for arm in spec.arms:
        genes[f"change[{arm.name}]"] = 0.0
        genes[f"baseline[{arm.name}]"] = 0.0
    genes["slope"] = 0.0
    genes["stimulation"] = 0.0
    collagens = genes["symbol"].isin(RISING_COLLAGENS)
    rise = rng.uniform(*spec.collagen_change, size=int(collagens.sum()))
    genes.loc[collagens, "block"] = "collagen"
    for arm in spec.arms:
        genes.loc[collagens, f"change[{arm.name}]"] = rise

    def take(block: str, count: int) -> pd.Index:
        return take_genes(genes, block, count, rng, spec)

    for block, count, sign in (("suppressed", spec.suppressed, -1), ("induced", spec.induced, 1)):
        chosen = take(f"ccl28_{block}", count)
        slope = sign * rng.uniform(0.6, 1.4, size=count)
        genes.loc[chosen, "slope"] = slope
        # Recombinant protein in medium does not act exactly as the protein in serum.
        scatter = rng.uniform(0.8, 1.2, size=count)
        genes.loc[chosen, "stimulation"] = slope * spec.stimulation_dose * scatter
    for arm in spec.arms:
        count = round(spec.arm_only_share * spec.genes)
        chosen = take(f"{arm.name}_only", count)
        genes.loc[chosen, f"change[{arm.name}]"] = signed(rng, 0.4, 1.0, count)
    for arm in spec.arms[1:]:
        count = round(spec.baseline_share * spec.genes)
        chosen = take(f"{arm.name}_baseline", count)
        genes.loc[chosen, f"baseline[{arm.name}]"] = signed(rng, 0.5, 1.0, count)


def signed(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Return uniform sizes, half of them (to one) negative."""
    signs = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    return signs * rng.uniform(low, high, size=count)


def take_genes(
    genes: pd.DataFrame, block: str, count: int, rng: np.random.Generator, spec: CohortSpec
) -> pd.Index:
    """Move `count` expressed background genes, none of them planted by name, into a block."""
    named = genes["symbol"].isin([effect.symbol for effect in spec.effects])
    free = genes.index[genes["block"].eq("background") & genes["cpm"].ge(_MIN_PLANTED_CPM) & ~named]
    if len(free) < count:
        raise ValueError(
            f"{spec.genes} genes leave {len(free)} expressed genes for block {block}, which "
            f"needs {count}. Raise `genes`, or make the blocks smaller"
        )
    chosen = free[np.sort(rng.choice(len(free), size=count, replace=False))]
    genes.loc[chosen, "block"] = block
    return chosen


def plant_null_sets(genes: pd.DataFrame, spec: CohortSpec) -> dict[str, tuple[str, ...]]:
    """Move unchanged genes into null sets; return the sets' symbols by name."""
    rng = generator(spec.truth_seed, "null sets")
    sets = {}
    for number in range(1, spec.null_sets + 1):
        name = f"NULL_SET_{number}"
        chosen = take_genes(genes, name.lower(), spec.null_set_size, rng, spec)
        sets[name] = tuple(sorted(genes.loc[chosen, "symbol"]))
    return sets


def _plant_named(genes: pd.DataFrame, spec: CohortSpec) -> None:
    """Write the effects planted by name over whatever the gene had."""
    ids = pd.Series(genes.index, index=genes["symbol"])
    for effect in spec.effects:
        if effect.symbol not in ids.index:
            raise ValueError(f"{effect.symbol} is not among the simulated genes")
        gene = ids[effect.symbol]
        genes.loc[gene, "block"] = "named"
        for arm in spec.arms:
            genes.loc[gene, f"change[{arm.name}]"] = effect.change.get(arm.name, 0.0)
            genes.loc[gene, f"baseline[{arm.name}]"] = effect.baseline.get(arm.name, 0.0)
        genes.loc[gene, "slope"] = effect.slope
        genes.loc[gene, "stimulation"] = effect.slope * spec.stimulation_dose


def assign_modules(genes: pd.DataFrame, spec: CohortSpec) -> None:
    """Give every gene a module, its sign in it and its residual correlation.

    Categories and null sets are modules whose genes move together; the others go into modules of
    50 whose genes move together or against each other.
    """
    rng = generator(spec.truth_seed, "modules")
    null_set = genes["block"].str.startswith("null_set_")
    together = genes["category"].ne("background") | null_set
    label = genes["category"].where(genes["category"].ne("background"), genes["block"])
    codes = pd.factorize(label.where(together, "background"))[0]
    others = np.flatnonzero(~together)
    codes[others] = codes.max() + 1 + rng.permutation(len(others)) // _MODULE_SIZE
    genes["module"] = pd.factorize(codes)[0]
    genes["sign"] = np.where(together, 1.0, rng.choice([-1.0, 1.0], size=len(genes)))
    genes["rho"] = np.where(together, spec.set_correlation, spec.background_correlation)


def assign_noise(genes: pd.DataFrame, spec: CohortSpec) -> None:
    """Give every gene a dispersion and the sd of its donor effects."""
    rng = generator(spec.truth_seed, "noise")
    mean = np.maximum(genes["cpm"].to_numpy() * spec.depth / 1e6, 1e-3)
    trend = spec.dispersion_asymptote + spec.dispersion_slope / mean
    scatter = np.exp(rng.normal(0, spec.dispersion_scatter, size=len(genes)))
    # Targets lie on the trend: what a verdict can see follows from the design, not from one draw.
    scatter[genes["symbol"].isin(TARGETS)] = 1.0
    genes["dispersion"] = np.minimum(trend * scatter, _MAX_DISPERSION)
    genes["donor_sd"] = rng.uniform(*spec.donor_sd, size=len(genes))


def truth_table(panel: Panel, spec: CohortSpec) -> pd.DataFrame:
    """Return what is true in the population from which donors are drawn, indexed by gene_id.

    Columns: symbol, block, target, base_mean (expected count before, at mean depth), dispersion,
    one per contrast (log2 fold change), ccl28_slope, ccl28_stimulation, ccl28_responsive,
    ccl28_direction (suppressed, induced or empty). A change is its direct part plus slope × the
    arm's mean change of log2 CCL28.
    """
    genes = panel.genes
    out = genes[["symbol", "block"]].copy()
    out["target"] = genes["symbol"].isin(TARGETS)
    out["base_mean"] = genes["cpm"] * spec.depth / 1e6
    out["dispersion"] = genes["dispersion"]
    changes = {
        arm.name: genes[f"change[{arm.name}]"] + genes["slope"] * arm.ccl28_change
        for arm in spec.arms
    }
    for group, change in changes.items():
        out[f"{group}_{AFTER}_vs_{BEFORE}"] = change
    for arm in spec.arms[1:]:
        name = f"{arm.name}_vs_{spec.reference}"
        out[f"{name}_change"] = changes[arm.name] - changes[spec.reference]
    if len(spec.arms) > 1:
        out[f"average_{AFTER}_vs_{BEFORE}"] = pd.DataFrame(changes).mean(axis=1)
    for arm in spec.arms[1:]:
        name = f"{arm.name}_vs_{spec.reference}"
        baseline = genes[f"baseline[{arm.name}]"] - genes[f"baseline[{spec.reference}]"]
        out[f"{name}_{BEFORE}"] = baseline
    out["ccl28_slope"] = genes["slope"]
    out["ccl28_stimulation"] = genes["stimulation"]
    out["ccl28_responsive"] = genes["slope"].ne(0)
    direction = np.select([genes["slope"] < 0, genes["slope"] > 0], ["suppressed", "induced"], "")
    out["ccl28_direction"] = direction
    numeric = out.select_dtypes(float).columns
    # Sums of rounded effects: nothing below 1e-6 is meant, and -0.0 would be written as "-0".
    out[numeric] = out[numeric].round(6) + 0.0
    return out
