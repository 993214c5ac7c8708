"""Contrasts that the samples do not determine: a reason for each, and all others as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from fibroserum import tables
from fibroserum.cohort.accessors import settings_of
from fibroserum.cohort.inputs import read_all
from fibroserum.cohort.lines import lines_per_donor
from fibroserum.cohort.models import models_and_reasons
from fibroserum.cohort.plan import plan
from fibroserum.cohort.stage import build_cohort
from fibroserum.cohort.storage import read_fits, read_h5ad, write_h5ad
from fibroserum.de.fitting import fit_cohort
from fibroserum.de.settings import FitSettings
from fibroserum.de.stage import result_tables
from fibroserum.de.stored_fit import no_fit
from fibroserum.enrichment.set_tests import SetSettings
from fibroserum.enrichment.stage import enrich
from fibroserum.genes.gmt import read_collections
from fibroserum.input.schema import config_schema
from fibroserum.permutations.stage import permutation_tables
from fibroserum.qc.design import lines_of_groups, not_estimable
from fibroserum.report.figures.registry import draw
from fibroserum.report.loading import load_run
from fibroserum.report.page.cohort_page import build_page
from fibroserum.report.theme import spec
from fibroserum.synthesis.evidence import Key, read_evidence, why_without
from fibroserum.targets.context import ContextSettings, context_table
from fibroserum.targets.stage import flag_targets
from fibroserum.targets.study import TargetSettings
from helpers.report_run import make_run
from helpers.report_shape import Shape
from helpers.small_cohort import SmallCohort, good

SETTINGS: dict[str, Any] = {
    "before": "pre", "after": "post", "crossover": True, "covariates": [],
}  # fmt: skip


def sheet_of(pairs: str) -> pd.DataFrame:
    """Return a sheet of complete pairs from words such as "D1A", a donor and its group."""
    rows = [
        {"donor": pair[:-1], "group": pair[-1], "time": time, "used_for": "change"}
        for pair in pairs.split()
        for time in ("pre", "post")
    ]
    return pd.DataFrame(rows, index=[f"s{n}" for n in range(len(rows))])


def reasons(pairs: str, groups: str) -> dict[str, str]:
    return models_and_reasons(sheet_of(pairs), SETTINGS | {"groups": list(groups)})[1]


def test_a_crossover_with_one_donor_in_both_groups_has_no_baseline_contrast() -> None:
    models, why = models_and_reasons(
        sheet_of("D1A D2A D3A D4A D4B D5B D6B"), SETTINGS | {"groups": ["A", "B"]}
    )
    assert [model.name for model in models] == ["paired"]
    assert set(models[0].contrasts) == {
        "A_post_vs_pre", "B_post_vs_pre", "B_vs_A_change", "average_post_vs_pre"
    }  # fmt: skip
    assert why == {
        "B_vs_A_pre": "in the baseline model, 7 samples and 7 model coefficients leave no residual "
        "degree of freedom. A crossover compares groups within donors, and 1 donor has a "
        "sample before in both groups"
    }


@pytest.mark.parametrize(
    ("pairs", "lost"),
    [
        ("D1A D1B D2A D2B D3A D3B D4C D5C", {"C_vs_A_pre"}),
        ("D1A D1B D2A D2B D3C D3D D4C D4D", {"C_vs_A_pre", "D_vs_A_pre"}),
        ("D1A D2A D3B D3C D4B D4C D5B D5C", {"B_vs_A_pre", "C_vs_A_pre"}),
        ("D1A D1B D2A D2B D3A D3C D4A D4C", set()),
        ("D1A D1B D2A D2B D3B D3C D4B D4C", set()),  # C and A by way of B
    ],
)
def test_groups_that_no_donor_connects(pairs: str, lost: set[str]) -> None:
    groups = sorted({pair[-1] for pair in pairs.split()})
    obs = sheet_of(pairs)
    models, why = models_and_reasons(obs, SETTINGS | {"groups": groups})
    assert set(why) == lost
    assert all("the samples before do not link the two groups" in text for text in why.values())
    baseline = [model for model in models if model.name == "baseline"]
    assert len(baseline) == (len(lost) < len(groups) - 1)
    first = obs[obs["time"] == "pre"]
    whole = pd.get_dummies(first[["donor", "group"]], dtype=float)
    values = np.random.default_rng(1).normal(size=len(first))
    expected = np.linalg.pinv(whole.to_numpy()) @ values
    for model in baseline:
        own = np.linalg.lstsq(model.design.matrix.to_numpy(), values, rcond=None)[0]
        for name, vector in model.contrasts.items():
            group = name[0]
            wanted = (
                expected[whole.columns == f"group_{group}"] - expected[whole.columns == "group_A"]
            )
            assert own @ vector == pytest.approx(float(wanted[0]))


def lined(lines: dict[str, str]) -> SmallCohort:
    """Return the small cohort with a line for each donor; "L1+L2": a library on each."""
    cohort = good()
    cohort.design["line"] = "line"
    cohort.sheet.add_column("line", [lines[row[1]].split("+")[0] for row in cohort.sheet.rows[1:]])
    for row in [row for row in cohort.sheet.rows[1:] if "+" in lines[row[1]]]:
        cohort.sheet.rows.append([f"{row[0]}_2", *row[1:-1], "L2"])
        place = cohort.counts.header.index(row[0])
        for cells in cohort.counts.rows:
            cells.append(cells[place])
        cohort.counts.header[-1] = f"{row[0]}_2"
    return cohort


def built(cohort: SmallCohort, folder: Path, repository: Path, monkeypatch: Any) -> Any:
    """Return config and AnnData of a cohort in a folder."""
    cohort.write(folder)
    monkeypatch.chdir(folder)
    schema = config_schema()
    raw = yaml.safe_load((folder / "cohort.yaml").read_text(encoding="utf-8"))
    config = plan(raw, schema, repository, "cohort.yaml").config
    return config, build_cohort(read_all(config), config, 10).adata


APART = {f"D{n}": "L1" if n < 4 else "L2" for n in range(1, 7)}


@pytest.mark.parametrize(
    ("lines", "lost", "warned", "per_donor"),
    [
        (APART, {"RT_vs_AT_change", "RT_vs_AT_pre"}, 0, "none"),
        (APART | {"D1": "L2"}, set(), 1, "none"),
        (APART | {"D4": "L1+L2"}, set(), 1, "some"),
        (dict.fromkeys(APART, "L1+L2"), set(), 0, "all"),
        (dict.fromkeys(APART, "L1"), set(), 0, "all"),
    ],
)
def test_lines_that_groups_do_not_share(
    lines: dict[str, str],
    lost: set[str],
    warned: int,
    per_donor: str,
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, adata = built(lined(lines), tmp_path, repository, monkeypatch)
    noted = settings_of(adata)
    assert set(noted["not_estimable"]) == lost
    for reason in noted["not_estimable"].values():
        assert reason.startswith("the groups share no cell line (RT: L2; AT: L1)")
    assert noted["lines_per_donor"] == per_donor
    assert len(list(lines_of_groups(adata))) == warned
    subjects = [check.subject for check in not_estimable(adata)]
    # one check says a reason that several contrasts share
    assert {name for subject in subjects for name in subject.split(", ")} == lost
    assert len(subjects) == len(set(noted["not_estimable"].values()))


def test_lines_per_donor_in_a_crossover() -> None:
    sheet = sheet_of("D1A D1B D2A D2B").assign(line=lambda f: f["group"])
    assert lines_per_donor(sheet) == "none"


def crossover() -> SmallCohort:
    """Return six pairs, three in each group, of which one donor is in both."""
    cohort = good()
    for name in ("D4_pre", "D4_post"):
        cohort.sheet.put(name, "donor", "D1")
    cohort.design["crossover"] = True
    return cohort


@pytest.mark.parametrize("make", [crossover, lambda: lined(APART)], ids=["crossover", "lines"])
def test_every_table_of_a_cohort_with_a_contrast_that_is_not_estimable(
    make: Any, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, adata = built(make(), tmp_path, repository, monkeypatch)
    lost = settings_of(adata)["not_estimable"]
    fits = {fit.uns["model"]["name"]: fit for fit in fit_cohort(adata, FitSettings(n_cpus=1))}
    assert list(fits) == ["paired"]
    for name in ("paired", "baseline"):
        write_h5ad(fits.get(name) or no_fit(adata, name), tmp_path / f"{name}.h5ad")
    fits = read_fits([tmp_path / "paired.h5ad", tmp_path / "baseline.h5ad"])
    assert list(fits) == ["paired"]

    results, contrasts = result_tables(adata, fits, 0.05)
    rows = tables.check("contrasts", contrasts).set_index("contrast")
    assert rows["status"].eq("not_estimable").loc[list(lost)].all()
    assert rows.loc[list(lost), "reason"].to_dict() == lost
    assert rows["status"].eq("estimated").sum() == len(rows) - len(lost)
    assert all(len(tables.check("de", results[name])) == 0 for name in lost)
    assert all(len(results[name]) == adata.n_vars for name in rows.index.difference(list(lost)))

    sets = read_collections(config["gene_sets"])
    settings = SetSettings(0.05, 5, 500, 100, 1, 1)
    found = enrich(adata, results, sets, settings, {"paired": fits["paired"].obs["norm_factors"]})
    assert list(found.tables) == list(results)
    assert all(len(tables.check("enrichment", found.tables[name])) == 0 for name in lost)
    assert not set(found.score_tests["contrast"]) & set(lost)

    flags = flag_targets(adata, fits, results, TargetSettings(0.05, None, 0.15, None))
    verdicts = flags.targets.set_index(["contrast", "target"])
    assert len(verdicts) == len(results) * len(config["targets"])
    for contrast, reason in lost.items():
        assert verdicts.loc[contrast, "verdict"].eq("untestable").all()
        assert (
            verdicts.loc[contrast, "reason"].eq(f"The contrast is not estimable: {reason}.").all()
        )
    assert not set(flags.power["contrast"]) & set(lost)
    difference = "RT_vs_AT_change" in lost
    assert flags.patterns["pattern"].eq("not_assessable").all() == difference
    assert len(flags.baseline) == (0 if difference else len(config["targets"]))
    assert flags.baseline["randomised"].isna().all()
    assert "nan to nan" not in " ".join(flags.targets["reason"])

    context = context_table(adata, results, ContextSettings("TGF-beta", {"BGN": "up"}, {}))
    assert not set(context["contrast"].dropna()) & set(lost)
    calibration = permutation_tables(adata, fits, permutations=3, alpha=0.05, seed=1).table
    notes = calibration.set_index("contrast")["note"]
    assert all(
        notes[name] == f"no permutations, because the contrast is not estimable: {lost[name]}"
        for name in lost
    )


def test_the_report_says_what_is_not_estimable(tmp_path: Path, repository: Path) -> None:
    config = make_run(
        tmp_path, repository, Shape(genes=120, lines=("L1", "L2"), lines_per_donor="none")
    )
    adata = read_h5ad(tmp_path / "cohort.h5ad")
    adata.uns["fibroserum"] |= {
        "not_estimable": ["RT_vs_AT_change"], "why_not_estimable": ["no <b>line</b> is shared"]
    }  # fmt: skip
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    rows = tables.read("contrasts", tmp_path / "contrasts.tsv").set_index("contrast", drop=False)
    rows.loc["RT_vs_AT_change", ["status", "reason"]] = [
        "not_estimable",
        "no <b>line</b> is shared",
    ]
    rows.loc["RT_vs_AT_change", ["tested", "up", "down", "up_main", "down_main"]] = None
    tables.write("contrasts", rows, tmp_path / "contrasts.tsv")
    for name in ("de", "enrichment"):
        tables.write(name, tables.empty(name), tmp_path / name / "RT_vs_AT_change.tsv")
    run = load_run(tmp_path, config)
    figures = draw(run, config)
    for name in ("volcano", "ma", "quadrants"):
        said = "RT_vs_AT_change is not estimable: no <b>line</b> is shared."
        assert figures[f"{name}_RT_vs_AT_change"].description == said
    label = "RT vs AT: change (not estimable)"
    # it has no empty row or panel: the page says why it is missing
    for name, source in (("glance_calls", "calls"), ("targets_forest", "estimates")):
        labels = set(figures[name].data[source]["label"])
        assert label not in labels
        assert len(labels) == 4
    specs = {name: spec(figure) for name, figure in figures.items()}
    page = build_page(run, config, repository / "workflow" / "report", specs)
    assert "<p>Not estimable: no &lt;b&gt;line&lt;/b&gt; is shared." in page
    assert "Not estimable: RT vs AT: change (no &lt;b&gt;line&lt;/b&gt; is shared)." in page
    assert "each donor on one of them" in page
    assert "<b>line</b>" not in page
    cohort = read_evidence("made-up", tmp_path)
    key = Key("difference", "RT", "AT")
    assert key not in cohort.names
    assert why_without(cohort, key) == "not estimable: no <b>line</b> is shared"
