"""The models of a cohort: design matrices, and contrasts as numeric vectors over their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from fibroserum.cohort.accessors import all_contrasts
from fibroserum.cohort.contrasts import MODEL_WORDS, Arm, Contrast
from fibroserum.cohort.designs import Design, design_of, indicators, keep_design
from fibroserum.cohort.dose import dose_columns, dose_rows, why_no_slopes
from fibroserum.cohort.members import doses_of, why_uninformed
from fibroserum.cohort.rank import NoResidual, check_rank, full_rank, is_estimable
from fibroserum.errors import InputError, Problem
from fibroserum.input.names import file_name

if TYPE_CHECKING:
    import anndata as ad

# how the names of a model's columns of groups and changes begin
EFFECTS = ("after[", "group[")


@dataclass(frozen=True)
class Model:
    """A design with its blocks, and for each contrast a numeric vector over all its columns.

    groups: of each sample, whose variances may differ; None: they are one. units: the donor of
    each sample, or the block of donors. times: the time of each sample. profiles: by contrast, the
    weight of each time in the value of a donor, by group, and scales, the weight of that value
    (`Contrast.profile`, `Contrast.scale`). Without units the linear model tests samples, else donor
    values (`donor_values`). fewest: units that a contrast needs.
    """

    name: Literal["paired", "baseline", "dose", "stimulation"]
    design: Design
    contrasts: dict[str, np.ndarray]
    groups: pd.Series | None = None
    units: pd.Series | None = None
    times: pd.Series | None = None
    profiles: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    scales: dict[str, dict[str, float]] = field(default_factory=dict)
    fewest: int = 1

    def of(self, kept: np.ndarray) -> Model:
        """Return the model of some samples; kept: (n,) mask. Blocks without samples are gone."""
        design = self.design.of(kept)
        gone = len(self.design.labels) - len(design.labels)
        return replace(
            self,
            design=design,
            contrasts={name: vector[gone:] for name, vector in self.contrasts.items()},
            groups=None if self.groups is None else self.groups[kept],
            units=None if self.units is None else self.units[kept],
            times=None if self.times is None else self.times[kept],
        )


def keep_model(fit: ad.AnnData, model: Model) -> None:
    """Put a model into its fit, contrasts by the names that they have in file names."""
    keep_design(fit, model.design)
    fit.obs["group"] = "" if model.groups is None else model.groups
    fit.obs["unit"] = "" if model.units is None else model.units
    fit.obs["time"] = "" if model.times is None else model.times
    groups = [] if model.groups is None else sorted(set(model.groups))
    times = [] if model.times is None else sorted(set(model.times))
    fit.uns["model"] = {
        "name": model.name,
        "contrasts": {file_name(name): vector for name, vector in model.contrasts.items()},
        "groups": groups,
        "times": times,
        "donor_values": model.units is not None,
        "fewest": model.fewest,
        "group_weights": {
            file_name(name): np.array([scales.get(group, 0.0) for group in groups])
            for name, scales in model.scales.items()
        },
        "time_weights": {
            file_name(name): np.array(
                [[own.get(group, {}).get(time, 0.0) for time in times] for group in groups]
            )
            for name, own in model.profiles.items()
        },
    }


def model_of(fit: ad.AnnData) -> Model:
    """Return the model of a fit, as `keep_model` put it there: contrasts by their file names."""
    noted, design = fit.uns["model"], design_of(fit)
    groups, times = (list(map(str, noted[name])) for name in ("groups", "times"))

    def known(names: list[str], weights: np.ndarray) -> dict[str, float]:
        return {name: float(w) for name, w in zip(names, weights, strict=True) if w}

    return Model(
        name=noted["name"],
        design=design,
        contrasts={name: np.asarray(v, dtype=float) for name, v in noted["contrasts"].items()},
        groups=fit.obs["group"].astype(str) if groups else None,
        units=fit.obs["unit"].astype(str) if noted["donor_values"] else None,
        times=fit.obs["time"].astype(str) if times else None,
        profiles={
            name: {
                group: known(times, row)
                for group, row in zip(groups, rows, strict=True)
                if np.any(row)
            }
            for name, rows in noted["time_weights"].items()
        },
        scales={name: known(groups, row) for name, row in noted["group_weights"].items()},
        fewest=int(noted["fewest"]),
    )


def covariate_columns(
    obs: pd.DataFrame, covariates: Sequence[str], categorical: Sequence[str] = ()
) -> pd.DataFrame:
    """Return covariates as columns: numbers centred, categories as indicators less the first.

    categorical: covariates that are categories though every value is a number.
    """
    parts = [pd.DataFrame(index=obs.index)]
    for name in covariates:
        numbers = pd.to_numeric(obs[name], errors="coerce")
        if name not in categorical and numbers.notna().all():
            parts.append((numbers.astype(float) - numbers.mean()).to_frame(name))
        else:
            text = obs[name].astype(str)
            parts.append(indicators(text, name, sorted(text.unique())[1:]))
    return pd.concat(parts, axis=1)


# blocks that a contrast needs: fewer leave too little to judge their variance by
FEWEST_BLOCKS = 4


def _units(obs: pd.DataFrame, block: str | None) -> pd.Series:
    """Return the unit of each sample: its donor, or all donors that share blocks with it.

    Blocks that one donor's samples are on share that donor, so units are the connected components
    of donors and blocks: what is in different units shares neither. A unit is named by its blocks.
    """
    if block is None:
        return obs["donor"].astype(str)
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    donors, levels = (pd.factorize(obs[name].astype(str), sort=True) for name in ("donor", block))
    size = len(donors[1]) + len(levels[1])
    edges = (np.ones(len(obs)), (donors[0], len(donors[1]) + levels[0]))
    _, component = connected_components(csr_matrix(edges, (size, size)), directed=False)
    of_level = component[len(donors[1]) :]
    named = {
        unit: " + ".join(map(str, levels[1][of_level == unit])) for unit in np.unique(of_level)
    }
    return pd.Series([named[unit] for unit in component[donors[0]]], obs.index, dtype=object)


def arm_columns(arms: Sequence[Arm]) -> dict[Arm, str]:
    """Return the column of each group's change at a time; with one time the group names it."""
    several = len({time for _, time in arms}) > 1
    return {
        (group, time): f"after[{group}@{time}]" if several else f"after[{group}]"
        for group, time in arms
    }


def _contrast_vector(design: Design, columns: dict[Arm, str], contrast: Contrast) -> np.ndarray:
    """Return a contrast as a vector over a design's columns."""
    named = {columns[arm]: weight for arm, weight in contrast.weights}
    return design.contrast(np.array([named.get(name, 0.0) for name in design.dense.columns]))


def weights_of(contrasts: Sequence[Contrast]) -> dict[str, Any]:
    """Return the fields `profiles` and `scales` of a model."""
    return {
        "profiles": {c.name: {g: c.profile(g) for g in c.groups} for c in contrasts},
        "scales": {c.name: {g: c.scale(g) for g in c.groups} for c in contrasts},
    }


def paired_model(
    obs: pd.DataFrame,
    groups: Sequence[str],
    after: str | Sequence[str],
    contrasts: Sequence[Contrast],
    *,
    crossover: bool,
    covariates: Sequence[str] = (),
    categorical: Sequence[str] = (),
    block: str | None = None,
    donor_values: bool = True,
) -> Model:
    """Return the model of changes within donors.

    obs: samples × (donor, group, time, covariates), of donors with several times; groups: those
    with changes, the reference first; after: one time or several; contrasts: of these groups and
    times. In a crossover each donor in a group is a block: a donor is in a state of its own at each
    visit, and its responses to two interventions are two. block: column of what donors share, the
    unit of the linear model. donor_values: False blocks by donor and tests samples, for comparison.
    Raises InputError when the design is rank-deficient, naming the columns.
    """
    donors, names, times = (obs[key].astype(str) for key in ("donor", "group", "time"))
    pair_blocks = crossover and donor_values
    main = indicators(names, "group", list(groups[1:]) if crossover and not pair_blocks else [])
    levels = [after] if isinstance(after, str) else list(after)
    arms = [(group, time) for time in levels for group in groups]
    arms = [(g, t) for g, t in arms if ((names == g) & (times == t)).any()]
    columns = arm_columns(arms)
    changes = pd.DataFrame(
        {columns[g, t]: ((names == g) & (times == t)).astype(float) for g, t in arms}, obs.index
    )
    dense = pd.concat([main, changes, covariate_columns(obs, covariates, categorical)], axis=1)
    design = Design(dense, donors + "|" + names if pair_blocks else obs["donor"])
    own = [contrast for contrast in contrasts if contrast.model == "paired"]
    check_rank(design, MODEL_WORDS["paired"], obs, covariates)
    return Model(
        "paired",
        design,
        {contrast.name: _contrast_vector(design, columns, contrast) for contrast in own},
        names,
        _units(obs, block) if donor_values else None,
        times,
        **weights_of(own),
        fewest=1 if block is None else FEWEST_BLOCKS,
    )


def baseline_model(
    obs: pd.DataFrame,
    groups: Sequence[str],
    contrasts: Sequence[Contrast],
    *,
    crossover: bool,
    covariates: Sequence[str] = (),
    categorical: Sequence[str] = (),
    block: str | None = None,
    donor_values: bool = True,
) -> Model:
    """Return the model of groups before the intervention: between donors, or within in a crossover.

    obs: before samples only; block, donor_values: as in `paired_model`. Its contrasts are those
    that the samples determine. Raises InputError when a covariate makes the design rank-deficient,
    NoResidual where it has no residual degree of freedom.
    """
    main = indicators(obs["group"], "group", list(groups[1:] if crossover else groups))
    dense = pd.concat([main, covariate_columns(obs, covariates, categorical)], axis=1)
    whole = Design(dense, obs["donor"] if crossover else None)
    design = full_rank(whole, MODEL_WORDS["baseline"], obs, covariates)
    columns = {arm: f"group[{arm[0]}]" for contrast in contrasts for arm, _ in contrast.weights}
    own = [
        contrast
        for contrast in contrasts
        if contrast.model == "baseline"
        and is_estimable(whole, _contrast_vector(whole, columns, contrast))
    ]
    return Model(
        "baseline",
        design,
        {contrast.name: _contrast_vector(design, columns, contrast) for contrast in own},
        obs["group"].astype(str),
        _units(obs, block) if donor_values else None,
        obs["time"].astype(str),
        **weights_of(own),
        fewest=1 if block is None else FEWEST_BLOCKS,
    )


def dose_model(
    obs: pd.DataFrame, settings: Mapping[str, Any], contrasts: Sequence[Contrast]
) -> Model:
    """Return the model of slopes on the dose: that of changes, each pair's dose beside them.

    obs: samples × (donor, group, time, covariates, dose), of donors with several times; settings:
    as `models_of` takes them; contrasts: those with a slope. In it are the arms that these compare,
    and the pairs with a dose. Its vectors give slopes per unit.
    """
    arms = list(dict.fromkeys(arm for one in contrasts for arm, _ in one.weights))
    doses = doses_of(obs, settings["dose"], settings["before"])
    doses = doses[doses.index.droplevel("donor").isin(arms)]
    own = obs[dose_rows(obs, doses, settings["before"])]
    groups, times = (list(dict.fromkeys(level)) for level in zip(*arms, strict=True))
    kinds = {"covariates": settings["covariates"], "categorical": settings.get("categorical", ())}
    changes = paired_model(own, groups, times, [], crossover=False, **kinds)
    columns = {arm: name.replace("after", "dose", 1) for arm, name in arm_columns(arms).items()}
    beside, size = dose_columns(own, doses, columns)
    design = Design(pd.concat([changes.design.dense, beside], axis=1), changes.design.blocks)
    check_rank(design, MODEL_WORDS["dose"], own, settings["covariates"])
    vectors = {one.name: _contrast_vector(design, columns, one) / size for one in contrasts}
    return Model(
        "dose",
        design,
        vectors,
        changes.groups,
        changes.units,
        changes.times,
        **weights_of(contrasts),
        fewest=1,
    )


def models_of(
    obs: pd.DataFrame, settings: Mapping[str, Any], *, donor_values: bool = True
) -> list[Model]:
    """Return the models that have contrasts: the paired one, and the baseline one.

    As `models_and_reasons` has them.
    """
    return models_and_reasons(obs, settings, donor_values=donor_values)[0]


def models_and_reasons(
    obs: pd.DataFrame, settings: Mapping[str, Any], *, donor_values: bool = True
) -> tuple[list[Model], dict[str, str]]:
    """Return the models that have contrasts, and why each other contrast is not estimable.

    obs: samples × (donor, group, time, used_for, covariates); settings: what `all_contrasts` takes,
    `crossover`, `covariates`, `categorical` (those that are categories), `block` where there is
    one, and `not_estimable`, contrasts that are known to be so, with the reason; donor_values: as
    in `paired_model`. Raises InputError with both models' problems.
    """
    groups, before, after = settings["groups"], settings["before"], settings["after"]
    reasons = dict(settings.get("not_estimable", {}))
    planned = all_contrasts(settings)
    for one in planned:
        if one.model == "paired" and one.name not in reasons and (why := why_uninformed(one, obs)):
            reasons[one.name] = why
    contrasts = [contrast for contrast in planned if contrast.name not in reasons]
    common = {
        "crossover": settings["crossover"],
        "covariates": settings["covariates"],
        "categorical": settings.get("categorical", ()),
        "block": settings.get("block"),
        "donor_values": donor_values,
    }
    problems: list[Problem] = []
    models: list[Model] = []
    paired = obs[obs["used_for"] == "change"]
    first = obs[(obs["used_for"] != "none") & (obs["time"] == before)]
    changing = [group for group in groups if (paired["group"] == group).any()]
    try:
        models.append(paired_model(paired, changing, after, contrasts, **common))
    except InputError as error:
        problems += error.problems
    asked = [contrast for contrast in contrasts if contrast.model == "baseline"]
    if asked:
        why = "the samples before do not link the two groups"
        try:
            model = baseline_model(first, groups, contrasts, **common)
            models += [model] if model.contrasts else []
            asked = [contrast for contrast in asked if contrast.name not in model.contrasts]
        except NoResidual as error:
            problems += error.problems if problems else ()
            why = f"in the baseline model, {error.problems[0].what}"
        except InputError as error:
            problems += error.problems
        reasons |= {contrast.name: f"{why}{_within_donors(contrast, first)}" for contrast in asked}
    slopes = [contrast for contrast in contrasts if contrast.model == "dose"]
    reasons |= why_no_slopes(slopes, obs)
    slopes = [contrast for contrast in slopes if contrast.name not in reasons]
    if slopes and not problems:
        models.append(dose_model(paired, settings, slopes))
    if problems:
        raise InputError(problems)
    return models, {c.name: reasons[c.name] for c in planned if c.name in reasons}


def _within_donors(contrast: Contrast, first: pd.DataFrame) -> str:
    """Return how many donors a crossover's baseline contrast can compare, or nothing elsewhere."""
    own = first[first["group"].isin([contrast.group, contrast.reference])]
    several = first.groupby("donor")["group"].nunique()
    if not (several > 1).any():
        return ""
    both = int((own.groupby("donor")["group"].nunique() > 1).sum())
    return (
        f". A crossover compares groups within donors, and {both} "
        f"{'donor has' if both == 1 else 'donors have'} a sample before in both groups"
    )


TREATED = "treated"


def stimulation_design(sheet: pd.DataFrame, arm: dict[str, Any]) -> Design:
    """Return the design of a stimulation experiment: its blocks, and the column `treated`.

    Without blocks there is one for all samples. Samples of other levels are left out. Raises
    InputError where the design is rank-deficient.
    """
    used = sheet[sheet[arm["column"]].isin([arm["control"], arm["treated"]])].set_index("sample")
    used = used.sort_index()
    blocks = used[arm["block"]] if arm["block"] else pd.Series("all", index=used.index)
    treated = (used[arm["column"]] == arm["treated"]).astype(float)
    design = Design(treated.to_frame(TREATED), blocks)
    check_rank(design, f"the stimulation experiment of {arm['samples']}")
    return design
