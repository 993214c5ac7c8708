"""From a cohort to its fits, result tables and verdicts, each equal to what a run writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import anndata as ad
import pandas as pd

from fibroserum.api.cohort import Cohort
from fibroserum.de.fitting import fit_cohort
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_tables
from fibroserum.enrichment.set_tests import SetSettings
from fibroserum.enrichment.stage import enrich
from fibroserum.factors.stage import FactorSettings, FactorTables, flag_factors
from fibroserum.factors.stimulation import stimulation_table
from fibroserum.genes.gmt import read_collections
from fibroserum.input.published import read_published
from fibroserum.input.signature import read_signature
from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings, TargetTables

#: The fits of a cohort, by model.
Fits = Mapping[str, ad.AnnData]
#: The result table of each contrast, by its name.
Results = Mapping[str, pd.DataFrame]


def _alpha(cohort: Cohort, alpha: float | None) -> float:
    return cohort.config["differential_expression"]["alpha"] if alpha is None else alpha


def fit(cohort: Cohort, *, n_cpus: int = 1) -> dict[str, ad.AnnData]:
    """Fit the models of a cohort: one fit serves all contrasts of a model.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    dict of str to anndata.AnnData
        The fits by model: `paired` (changes within donors) and, with several groups, `baseline`
        (the groups before). Each holds samples × genes; `varm` has a table of each contrast (log2
        fold changes), `var` the dispersions. They are what a run keeps as `fit/{model}.h5ad`.

    Raises
    ------
    InputError
        Where a sample has no count in the genes that are tested.

    Notes
    -----
    Two models are fitted to each gene: negative binomial regression with donors as blocks, whose
    estimates are those of DESeq2 [1]_, and a linear model of one value per donor with moderated
    variances, as in limma [2]_.

    References
    ----------
    .. [1] Love, Huber, Anders (2014) Genome Biology 15:550, doi:10.1186/s13059-014-0550-8
    .. [2] Ritchie et al. (2015) Nucleic Acids Research 43:e47, doi:10.1093/nar/gkv007

    Examples
    --------
    >>> sorted(fit(cohort))
    ['baseline', 'paired']
    """
    own = cohort.config["differential_expression"]
    settings = FitSettings(own["min_count"], own["second_opinion"], own["lfc_threshold"], n_cpus)
    return {one.uns["model"]["name"]: one for one in fit_cohort(cohort.adata, settings)}


def _tables(
    cohort: Cohort, fits: Fits, alpha: float | None
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    weighted = cohort.config["differential_expression"]["weights"] == "other_contrast"
    return result_tables(cohort.adata, fits, _alpha(cohort, alpha), weighted=weighted)


def results(cohort: Cohort, fits: Fits, *, alpha: float | None = None) -> dict[str, pd.DataFrame]:
    """Return the result table of each contrast, with its calls.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.

    Returns
    -------
    dict of str to pandas.DataFrame
        By contrast, one row a gene of the input, with the columns of `de/{contrast}.tsv` in
        docs/tables.md. Fold changes are log2; positive means higher after, or higher in the group
        than in the reference. A contrast that the samples do not determine has no rows.

    Notes
    -----
    A gene is called where both models have an adjusted p value below alpha [1]_ with the same sign,
    and the interval excludes 0. `contrasts` counts the calls.

    References
    ----------
    .. [1] Benjamini, Hochberg (1995) Journal of the Royal Statistical Society B 57:289,
       doi:10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> tables = results(cohort, fits)
    >>> list(tables)[:3]
    ['AT_post_vs_pre', 'RT_post_vs_pre', 'RT_vs_AT_change']
    >>> tables["RT_post_vs_pre"].shape[0] == cohort.adata.n_vars
    True
    """
    return _tables(cohort, fits, alpha)[0]


def contrasts(cohort: Cohort, fits: Fits, *, alpha: float | None = None) -> pd.DataFrame:
    """Return what each contrast compares, how many pairs inform it, and how many genes it calls.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.

    Returns
    -------
    pandas.DataFrame
        One row a contrast, with the columns of `contrasts.tsv` in docs/tables.md. `reason` says why
        a contrast is not estimable.

    Examples
    --------
    >>> contrasts(cohort, fits)[["contrast", "kind", "pairs"]].iloc[:2].values.tolist()
    [['AT_post_vs_pre', 'change', 4], ['RT_post_vs_pre', 'change', 4]]
    """
    return _tables(cohort, fits, alpha)[1]


def set_tests(
    cohort: Cohort,
    fits: Fits,
    tables: Results,
    gene_sets: str | Path | Sequence[str | Path] | None = None,
    *,
    alpha: float | None = None,
    n_cpus: int = 1,
) -> dict[str, pd.DataFrame]:
    """Test gene sets in every contrast: fry, camera, over-representation and prerank.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    tables : dict of str to pandas.DataFrame
        As `results` returns them.
    gene_sets : path, or several, optional
        Files of gene sets (GMT, or MSigDB's JSON or GMX), each a collection with a false discovery
        rate of its own. None: those of the cohort's config.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    dict of str to pandas.DataFrame
        By contrast, one row a tested set, with the columns of `enrichment/{contrast}.tsv` in
        docs/tables.md.

    Raises
    ------
    InputError
        Where a file holds no gene sets that can be read.
    ImportError
        Where the extra is missing: `pip install 'fibroserum[workflow]'`.

    References
    ----------
    .. [1] Wu et al. (2010) Bioinformatics 26:2176, doi:10.1093/bioinformatics/btq401 (rotation)
    .. [2] Wu, Smyth (2012) Nucleic Acids Research 40:e133, doi:10.1093/nar/gks461 (camera)

    Examples
    --------
    >>> found = set_tests(cohort, fits, tables, "sets.gmt")
    >>> found["RT_post_vs_pre"]["size"].tolist()
    [30, 30, 30, 30, 30, 30]
    """
    named = cohort.config["gene_sets"] if gene_sets is None else gene_sets
    paths = [named] if isinstance(named, str | Path) else named
    settings = SetSettings(
        **cohort.config["enrichment"],
        alpha=_alpha(cohort, alpha),
        seed=cohort.config["seed"],
        n_cpus=n_cpus,
    )
    factors = {name: one.obs["norm_factors"] for name, one in fits.items()}
    return enrich(cohort.adata, tables, read_collections(map(str, paths)), settings, factors).tables


def target_tables(
    cohort: Cohort,
    fits: Fits,
    tables: Results,
    *,
    alpha: float | None = None,
    n_cpus: int = 1,
) -> TargetTables:
    """Give each target its verdict in each contrast, and the numbers behind it.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    tables : dict of str to pandas.DataFrame
        As `results` returns them.
    alpha : float, optional
        Panel false discovery rate of the verdicts. None: that of the cohort's config.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    TargetTables
        DataFrames as attributes: `targets` (verdict, estimate, interval and reason, a row for each
        target and contrast), `donors`, `loo` (leave-one-out), `power`, `baseline`, `patterns` and
        `sensitivity`. Their columns are those of `flags/target*.tsv` in docs/tables.md.

    Notes
    -----
    P values of both models are adjusted over the targets only [1]_. Each target is refitted without
    each donor in turn, which shows verdicts that are driven by one donor.

    References
    ----------
    .. [1] Benjamini, Hochberg (1995) Journal of the Royal Statistical Society B 57:289,
       doi:10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> found = target_tables(cohort, fits, tables)
    >>> found.targets["target"].unique().tolist()
    ['BGN', 'DCN']
    """
    config = cohort.config
    own = config["differential_expression"]
    settings = TargetSettings(
        alpha=_alpha(cohort, alpha),
        equivalence_lfc=own["equivalence_lfc"],
        power_lfc=own["power_lfc"],
        randomised=config["design"]["randomised"],
        n_cpus=n_cpus,
    )
    published = read_published(Path(config["published"])) if config["published"] else None
    return flag_targets(cohort.adata, fits, tables, settings, published)


def factor_tables(
    cohort: Cohort,
    fits: Fits,
    tables: Results,
    *,
    alpha: float | None = None,
    n_cpus: int = 1,
) -> FactorTables:
    """Find the genes that respond to each factor, and what each factor could explain.

    Parameters
    ----------
    cohort : Cohort
        As `build_cohort` or `read_cohort` returns it, with `factors` in its config.
    fits : dict of str to anndata.AnnData
        As `fit` returns them.
    tables : dict of str to pandas.DataFrame
        As `results` returns them.
    alpha : float, optional
        False discovery rate of the calls. None: that of the cohort's config.
    n_cpus : int
        Threads. Results do not depend on it.

    Returns
    -------
    FactorTables
        DataFrames as attributes: `levels` and `pairs` (serum levels), `factors` (evidence and call,
        a row for each factor and gene), `concordance`, `sets` and `mediation`. Their columns are
        those of `flags/factor*.tsv` and `flags/mediation.tsv` in docs/tables.md. Without factors
        all are empty.

    Raises
    ------
    InputError
        Where the design of a stimulation experiment, or a signature, has a problem.

    Examples
    --------
    >>> len(factor_tables(cohort, fits, tables).factors)
    0
    """
    factors = cohort.config["factors"]
    level = _alpha(cohort, alpha)
    min_count = cohort.config["differential_expression"]["min_count"]
    stimulation = {
        name: stimulation_table(
            arm, factors[name]["stimulation"], alpha=level, min_count=min_count, n_cpus=n_cpus
        )
        for name, arm in cohort.stimulation.items()
    }
    signatures = {
        name: read_signature(Path(entry["signature"]))
        for name, entry in factors.items()
        if entry["signature"]
    }
    settings = FactorSettings(level, cohort.config["seed"], n_cpus)
    return flag_factors(
        cohort.adata, fits["paired"], tables, stimulation, signatures, factors, settings
    )
