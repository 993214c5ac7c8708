"""Omnibus questions: do the changes differ between the groups, or over the times after?

An F test on the values and the variances that the contrasts use, and the likelihood ratio test of
the negative binomial model; a call needs both, as it does everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import counts_of, estimated_contrasts, settings_of
from fibroserum.cohort.donor_values import donor_vectors
from fibroserum.cohort.models import Model, model_of
from fibroserum.cohort.questions import Question, questions_of
from fibroserum.de.stored_fit import expression_of_calls, fitted_genes, fixed_prior_fit
from fibroserum.deseq import likelihood_ratio
from fibroserum.input.names import file_name
from fibroserum.linear import (
    ContrastFit,
    Expression,
    contrast_fits,
    contrasts_f,
    group_variances,
    vectors_f,
)
from fibroserum.multiple_testing import benjamini_hochberg


def omnibus_table(
    cohort: ad.AnnData, paired: ad.AnnData, alpha: float, *, n_cpus: int = 1
) -> pd.DataFrame:
    """Return `flags/omnibus.tsv`: a row for each question and gene that both models test.

    paired: the fit of changes, as `de.fitting.fit_model` makes it. Empty where no question can be
    asked.
    """
    settings = settings_of(cohort)
    model = model_of(paired)
    expression = expression_of_calls(paired, cohort.var["target"].astype(bool))
    several = len(questions_of(estimated_contrasts(settings))) > 1
    parts = []
    for question in questions_of(estimated_contrasts(settings)):
        found = joint_test(expression, model, question, settings["before"], n_cpus=n_cpus)
        if found is None:
            continue
        ratio = _likelihood_ratio(paired, model, question, n_cpus).reindex(found.index)
        found = found.assign(lrt=ratio["stat"], lrt_pvalue=ratio["pvalue"])
        found = found.rename(columns={"pvalue": "F_pvalue"})
        found["df2"] = found["df2"].where(np.isfinite(found["df2"]))
        both = found[["F_pvalue", "lrt_pvalue"]]
        found["pvalue"] = both.max(axis=1, skipna=False)
        adjusted = both.apply(lambda own: benjamini_hochberg(own.to_numpy(float)))
        found["padj"] = adjusted.max(axis=1, skipna=False)
        found["call"] = np.where(found["padj"] < alpha, "differs", "none")
        parts.append(
            found.assign(
                gene_id=found.index,
                symbol=cohort.var["symbol"].reindex(found.index).astype(str).replace("", None),
                question=question.name,
                time=question.time if several else None,
            )
        )
    if not parts:
        return tables.empty("omnibus")
    return pd.concat(parts, ignore_index=True)[tables.schemas()["omnibus"].names]


def joint_test(
    expression: Expression, model: Model, question: Question, before: str, *, n_cpus: int = 1
) -> pd.DataFrame | None:
    """Return the F test of a question by gene; None where donors are too few for it.

    model: of changes, its contrasts by their names in file names.
    """
    trended = expression.weights is None
    assert model.units is not None, "a model of donor values"
    alone = pd.DataFrame({"unit": model.units, "group": model.groups}).drop_duplicates()
    if question.name == "groups" and not alone["unit"].duplicated().any():
        own = _one_fit(expression, model, question, n_cpus)
        if own is None:
            return None
        fit, vectors = own
        spread = group_variances(fit.fit, fit.groups, n_cpus=n_cpus)
        return contrasts_f(fit, vectors, spread, n_cpus=n_cpus)
    vectors_of = donor_vectors(model, list(question.changes), before)
    return None if vectors_of is None else vectors_f(expression, vectors_of, trended=trended)


def _one_fit(
    expression: Expression, model: Model, question: Question, n_cpus: int
) -> tuple[ContrastFit, list[np.ndarray]] | None:
    """Return the fit that the changes of a time share, and each change less the first."""
    names = [file_name(name) for name in question.changes.values()]
    asked = {name: model.contrasts[name] for name in names}
    fits = contrast_fits(expression, replace(model, contrasts=asked), n_cpus=n_cpus)
    if len(fits) < len(names):
        return None
    first = fits[names[0]]
    return first, [fits[name].vector - first.vector for name in names[1:]]


def _likelihood_ratio(
    paired: ad.AnnData, model: Model, question: Question, n_cpus: int
) -> pd.DataFrame:
    """Return the likelihood ratio test of the design in which the changes are equal."""
    reduced = reduced_design(model, question)
    found = likelihood_ratio(fixed_prior_fit(paired), counts_of(paired), reduced, n_cpus=n_cpus)
    return found.loc[fitted_genes(paired)]


def reduced_design(model: Model, question: Question) -> pd.DataFrame:
    """Return the design, samples × columns, in which the question's changes are equal.

    At one time the groups have one change; over the times each group has one.
    """
    design = model.design.matrix
    columns: dict[str, list[str]] = {}
    for (group, time), name in question.changes.items():
        column = str(design.columns[np.flatnonzero(model.contrasts[file_name(name)])[0]])
        columns.setdefault(group if question.name == "times" else time, []).append(column)
    merged = design
    for equal in columns.values():
        merged = merged.assign(**{equal[0]: merged[equal].sum(axis=1)}).drop(columns=equal[1:])
    return merged
