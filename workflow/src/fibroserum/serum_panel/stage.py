"""All tables on the panel of circulating molecules of a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd

from fibroserum import tables
from fibroserum.cohort.accessors import (
    all_contrasts,
    change_times,
    panel_of,
    settings_of,
    tested_counts,
)
from fibroserum.input.serum_panel import SerumPanel, molecule_of
from fibroserum.serum_panel.candidates import candidates_of
from fibroserum.serum_panel.changes import changes_of, with_calls
from fibroserum.serum_panel.levels import contrast_values
from fibroserum.serum_panel.target_slopes import slopes_at

SCHEMAS = {"changes": "serum_panel", "targets": "serum_panel_targets", "candidates": "candidates"}


@dataclass(frozen=True)
class PanelTables:
    """The tables on the panel; `SCHEMAS` names the schema of each."""

    changes: pd.DataFrame
    targets: pd.DataFrame
    candidates: pd.DataFrame


def flag_panel(
    cohort: ad.AnnData,
    paired: ad.AnnData,
    de: Mapping[str, pd.DataFrame],
    factors: Mapping[str, str | None],
    alpha: float,
    n_cpus: int = 1,
) -> PanelTables:
    """Return every table on the serum panel of a cohort.

    Parameters
    ----------
    cohort, paired : anndata.AnnData
        cohort.h5ad, which holds the panel, and the fit of changes.
    de : mapping
        Result tables by contrast name, those of changes at least.
    factors : mapping
        By factor of the config, its `serum`: a factor from the panel is named beside its molecule.
    alpha : float
        False discovery rate of the calls.
    n_cpus : int
        Threads; results do not depend on it.
    """
    panel, settings = panel_of(cohort), settings_of(cohort)
    assert panel is not None, "the rule exists where the config has a panel"
    counted = panel.levels.notna().sum()
    below = panel.below.sum()
    unusable = _below_the_limit(below, counted)
    declared = {molecule_of(serum): name for name, serum in factors.items()}
    own = [one for one in all_contrasts(settings) if one.model == "paired"]
    changes = {
        one.name: changes_of(contrast_values(_usable(panel, unusable), one, settings))
        for one in own
    }
    changes = {name: with_calls(_with_unusable(t, unusable), alpha) for name, t in changes.items()}
    slopes = {
        time: slopes_at(
            panel,
            tested_counts(paired),
            cohort.obs,
            settings,
            time,
            cohort.var["target"].astype(bool),
            unusable,
            n_cpus=n_cpus,
        )
        for time in change_times(settings)
    }
    candidates = [
        candidates_of(
            one,
            changes[one.name],
            slopes[one.time] if one.time is not None else _of_no_time(next(iter(slopes.values()))),
            de[one.name],
            alpha,
        )
        for one in own
    ]
    changed = [
        table.assign(contrast=name, levels=counted, below_limit=below)
        .rename_axis("molecule")
        .reset_index()
        for name, table in changes.items()
    ]
    parts = {"changes": changed, "targets": list(slopes.values()), "candidates": candidates}
    return PanelTables(
        **{field: _stacked(SCHEMAS[field], rows, declared) for field, rows in parts.items()}
    )


def _of_no_time(slopes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of slopes without slopes, for a contrast over several times."""
    why = "a slope is estimated at one time, and the contrast spans several"
    return slopes.assign(slope=np.nan, pvalue=np.nan, reason=why)


def _below_the_limit(below: pd.Series, counted: pd.Series) -> dict[str, str]:
    """Return the molecules that are not tested, and why."""
    return {
        str(name): (
            f"{below[name]} of its {counted[name]} levels are below the limit of detection"
            if counted[name]
            else "it has no measured level"
        )
        for name in below.index
        if below[name] > counted[name] / 2 or not counted[name]
    }


def _usable(panel: SerumPanel, unusable: Mapping[str, str]) -> SerumPanel:
    """Return the panel without molecules that are not tested: they have no part in the prior."""
    kept = [name for name in panel.levels if name not in unusable]
    return SerumPanel(panel.rows, panel.levels[kept], panel.below[kept], panel.scale)


def _with_unusable(changes: pd.DataFrame, unusable: Mapping[str, str]) -> pd.DataFrame:
    """Add the molecules that are not tested, in the panel's order."""
    rest = pd.DataFrame({"reason": pd.Series(unusable, dtype=object)})
    return pd.concat([changes, rest]) if len(rest) else changes


def _stacked(
    name: str, parts: list[pd.DataFrame], declared: Mapping[str | None, str]
) -> pd.DataFrame:
    """Return a table's rows, columns as in its schema, with the factor that each molecule is."""
    whole = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    whole = whole.assign(factor=whole["molecule"].map(declared))
    whole = whole.reindex(columns=tables.schemas()[name].names)
    return whole.where(whole.notna(), None).infer_objects()
