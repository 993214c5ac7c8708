"""The harness of the designs: moments of its simulator, measures on tables with known errors."""

from __future__ import annotations

from functools import cache

import calibrate_designs
import numpy as np
import pandas as pd
import pytest

from calibration.designs import (
    GROUPS,
    MOSTLY_BELOW,
    TARGETS,
    TIMES,
    DesignCohort,
    DesignDials,
    contrasts,
    simulate_designs,
)
from calibration.designs_measures import claim_of, measures, read_run, true_of
from fibroserum.simulate import DesignsSpec
from fibroserum.simulate.designs_truth import change_contrasts

UNEVEN = {"control": 0.5, "AT": 1.0, "RT": 2.0}
MANY = {"donors": 200, "genes": 600, "missing": 0.0, "depth_sd": 0.2}


@cache
def drawn_once(spread: bool) -> DesignCohort:
    unequal = {"spread": UNEVEN, "skewed": True} if spread else {}
    return simulate_designs(DesignDials(**MANY, **unequal), 1)


def large(*, uneven: bool = False) -> DesignCohort:
    return drawn_once(uneven)


@cache
def expression(*, uneven: bool = False) -> pd.DataFrame:
    """Return log2 counts at one depth, donors × (gene, time), of genes with enough reads."""
    drawn = large(uneven=uneven)
    counts = drawn.counts.loc[:, (drawn.counts.mean() > 100).to_numpy()]
    log2 = np.log2(counts + 0.5)
    log2 = log2.sub(log2.median(axis=1), axis=0)
    sheet = drawn.sheet.set_index("sample")[["group", "donor", "timepoint"]]
    return log2.join(sheet).pivot_table(index=["group", "donor"], columns="timepoint")


def change(group: str, time: str, *, uneven: bool = False) -> pd.DataFrame:
    own = expression(uneven=uneven).loc[group]
    return own.xs(time, axis=1, level="timepoint") - own.xs("pre", axis=1, level="timepoint")


def outcome(group: str, time: str, *, uneven: bool = False) -> pd.Series:
    sheet = large(uneven=uneven).sheet
    own = sheet[sheet["group"].eq(group)]
    wide = own.pivot_table(index="donor", columns="timepoint", values="thickness_mm")
    return wide[time] - wide["pre"]


def test_the_same_seed_gives_the_same_cohort() -> None:
    dials = DesignDials(3, genes=200)
    first, second, other = (simulate_designs(dials, seed) for seed in (4, 4, 5))
    for part in ("counts", "sheet", "panel", "genes", "molecules"):
        pd.testing.assert_frame_equal(getattr(first, part), getattr(second, part))
    assert (first.counts.shape != other.counts.shape) or (
        first.counts.to_numpy() != other.counts.to_numpy()
    ).mean() > 0.5


def test_contrasts_of_both_simulators_are_the_same() -> None:
    own, toys = contrasts(), change_contrasts(DesignsSpec())
    assert {n: dict(sorted(w.items())) for n, w in own.items()} == {
        n: dict(sorted(w.items())) for n, w in toys.items()
    }


def test_donors_lack_later_samples_at_random() -> None:
    sheet = simulate_designs(DesignDials(100, genes=100, missing=0.1), 2).sheet
    counts = sheet["timepoint"].value_counts()
    assert counts["pre"] == 300
    assert counts[list(TIMES)].between(250, 290).all()


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("group", GROUPS)
def test_mean_changes_are_the_truths(group: str, time: str) -> None:
    own = change(group, time)
    truth = large().genes.loc[own.columns, f"{group}_{time}_vs_pre"]
    shift = np.median(own.mean() - truth)
    z = (own.mean() - truth - shift) / (own.std() / np.sqrt(len(own)))
    assert abs(shift) < 0.05
    assert z.abs().max() < 6
    assert 0.7 < z.std() < 1.5
    assert (truth != 0).sum() >= 15


def test_donors_respond_unequally_and_repeatedly() -> None:
    unchanged = large(uneven=True).genes.eq(0).all(axis=1)
    spread, repeat = {}, {}
    for group in GROUPS:
        first, second = (change(group, time, uneven=True) for time in TIMES)
        genes = [gene for gene in first if unchanged[gene]]
        spread[group] = second[genes].var().mean()
        repeat[group] = np.mean([np.corrcoef(first[g], second[g])[0, 1] for g in genes])
    assert spread["control"] < spread["AT"] < spread["RT"]
    assert spread["RT"] > 1.5 * spread["AT"]
    # two changes from one level before correlate by a half without any response
    assert repeat["RT"] > 0.5


def test_genes_share_the_donors_responses() -> None:
    own = change("AT", "week16")
    unchanged = large().genes.eq(0).all(axis=1)
    genes = [gene for gene in own if unchanged[gene]]
    correlation = np.corrcoef(own[genes].T)[np.triu_indices(len(genes), 1)]
    # independent genes of 200 donors: sd 0.07
    assert correlation.std() > 0.085
    assert np.abs(correlation).max() > 0.35


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("question", ["outcome_slope", "outcome_before_slope"])
def test_outcomes_go_with_the_genes_of_the_truth(question: str, *, uneven: bool) -> None:
    group, time = "RT", "week16"
    x = outcome(group, time, uneven=uneven)
    x = x - x.mean()
    y = change(group, time, uneven=uneven)
    if question == "outcome_before_slope":
        y = expression(uneven=uneven).loc[group].xs("pre", axis=1, level="timepoint")
    slope = x @ (y - y.mean()) / (x @ x)
    truth = large(uneven=uneven).genes.loc[slope.index, question]
    assert (truth != 0).sum() >= 10
    assert np.sign(slope[truth != 0]).eq(np.sign(truth[truth != 0])).mean() > 0.95
    residual = y - y.mean() - np.outer(x, slope)
    z = (slope - truth) / np.sqrt((residual**2).sum() / (len(x) - 2) / (x @ x))
    assert z.abs().max() < 5
    assert 0.8 < z.std() < 1.4
    sds = {g: outcome(g, time, uneven=uneven).std() for g in GROUPS}
    ratio = sds["RT"] / sds["control"]
    assert ratio == pytest.approx(4.0 if uneven else 1.0, rel=0.25)


def test_molecules_change_and_lead_genes_as_the_truth_says() -> None:
    drawn = large()
    levels = np.log2(drawn.panel.set_index("sample"))
    levels = levels.join(drawn.sheet.set_index("sample")[["group", "donor", "timepoint"]])
    own = levels[levels["group"].eq("RT")].drop(columns="group")
    wide = own.pivot_table(index="donor", columns="timepoint")
    moved = wide.xs("week16", axis=1, level=1) - wide.xs("pre", axis=1, level=1)
    truth = drawn.molecules["RT_week16_vs_pre"].reindex(moved.columns)
    assert ((moved.mean() - truth) / (moved.std() / np.sqrt(len(moved)))).abs().max() < 4.5
    assert (truth != 0).sum() == 3
    assert stats_excess(moved) > 0.5
    tail = moved.iloc[:, 10:].corr().to_numpy()[np.triu_indices(20, 1)]
    assert 0.25 < tail.mean() < 0.5
    genes = drawn.counts.columns
    y = change("RT", "week16")
    for target in range(TARGETS):
        for molecule in ("m00", "m01", "m02"):
            x = moved[molecule] - moved[molecule].mean()
            column = y[genes[target]] - y[genes[target]].mean()
            slope = float(x @ column / (x @ x))
            true = drawn.molecules.loc[molecule, f"{genes[target]}_slope"]
            assert slope == pytest.approx(true, abs=0.4), (target, molecule)
    assert (drawn.panel[MOSTLY_BELOW] < 10).mean() > 0.5


def stats_excess(values: pd.DataFrame) -> float:
    """Return the mean excess kurtosis of the columns."""
    return float(values.kurt().mean())


def test_sessions_are_the_dose_of_the_trained() -> None:
    sheet = large().sheet
    trained = sheet["group"].isin(["AT", "RT"])
    assert (sheet.loc[~trained | sheet["timepoint"].eq("pre"), "sessions"] == 0).all()
    wide = sheet[trained].pivot_table(index="donor", columns="timepoint", values="sessions")
    assert (wide["week16"] >= wide["week8"]).all()
    assert (wide["week16"] - wide["week8"]).between(0, 24).all()
    assert wide["week16"].mean() == pytest.approx(48 * 2 / 3.5, abs=2)


def test_nothing_is_true_in_a_null_cohort() -> None:
    drawn = simulate_designs(DesignDials(4, genes=200, null=True), 1)
    assert (drawn.genes == 0).to_numpy().all()
    assert (drawn.molecules == 0).to_numpy().all()


def told(drawn: DesignCohort) -> dict[str, pd.DataFrame]:
    """Return the tables of a run that calls exactly what is true, with its sign."""

    def words(truth: pd.Series, positive: str = "up", negative: str = "down") -> np.ndarray:
        return np.select([truth > 0, truth < 0], [positive, negative], "none")

    genes, molecules = drawn.genes, drawn.molecules
    found = {
        f"de/{name}.tsv": pd.DataFrame({"gene_id": genes.index, "call": words(genes[name])})
        for name in contrasts()
    }
    for name in ("AT_week8_dose_slope", "RT_vs_AT_dose_slope_week16"):
        truth = true_of(name, genes)
        found[f"de/{name}.tsv"] = pd.DataFrame({"gene_id": genes.index, "call": words(truth)})
    verdicts = []
    for name in contrasts():
        own = genes.iloc[:TARGETS]
        rows = {"gene_id": own.index, "contrast": name, "verdict": words(own[name])}
        verdicts.append(pd.DataFrame(rows))
    found["flags/targets.tsv"] = pd.concat(verdicts, ignore_index=True)
    sets = {"gene_set": ["NULL_SET_1", "ECM"], "call": ["none", "up"]}
    found["enrichment/RT_week8_vs_pre.tsv"] = pd.DataFrame(sets)
    outcomes = []
    for question, column in (("change", "outcome_slope"), ("baseline", "outcome_before_slope")):
        call = words(genes[column], "with", "against")
        rows = {"question": question, "time": "week8", "gene_id": genes.index, "call": call}
        outcomes.append(pd.DataFrame(rows))
    found["flags/outcomes.tsv"] = pd.concat(outcomes, ignore_index=True)
    of_target = found["flags/outcomes.tsv"]["gene_id"].isin(genes.index[:TARGETS])
    found["flags/outcome_targets.tsv"] = found["flags/outcomes.tsv"][of_target]
    changes = [f"{g}_{t}_vs_pre" for t in TIMES for g in GROUPS]
    panel = molecules[changes].melt(var_name="contrast", value_name="v", ignore_index=False)
    panel["call"] = words(panel["v"])
    found["flags/serum_panel.tsv"] = panel.reset_index()
    long = molecules.filter(regex="_slope$").melt(
        var_name="target", value_name="slope", ignore_index=False
    )
    slopes = long.reset_index().assign(target=lambda t: t["target"].str.removesuffix("_slope"))
    slopes["padj"] = np.where(slopes["slope"] != 0, 0.01, 0.9)
    found["flags/serum_panel_targets.tsv"] = slopes
    change = molecules["RT_week16_vs_pre"].reindex(slopes["molecule"]).to_numpy()
    is_true = change * slopes["slope"] != 0
    found["flags/candidates.tsv"] = slopes.assign(
        contrast="RT_week16_vs_pre",
        change_log2=change,
        call=np.where(is_true, "candidate", "none"),
    )
    by_time = {t: genes[[f"{g}_{t}_vs_pre" for g in GROUPS]].to_numpy() for t in TIMES}
    groups = [("groups", time, np.ptp(v, axis=1) > 1e-9) for time, v in by_time.items()]
    times = (np.abs(by_time["week16"] - by_time["week8"]) > 1e-9).any(axis=1)
    found["flags/omnibus.tsv"] = pd.concat(
        [
            pd.DataFrame({"gene_id": genes.index, "question": question, "time": time}).assign(
                call=np.where(truth, "differs", "none")
            )
            for question, time, truth in (*groups, ("times", None, times))
        ]
    )
    return found


def test_a_run_without_errors_has_full_power_and_no_false_call(tmp_path) -> None:  # type: ignore[no-untyped-def]
    drawn = large()
    for path, table in told(drawn).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        table.to_csv(tmp_path / path, sep="\t", index=False)
    found = measures(read_run(tmp_path), drawn.genes, drawn.molecules)
    kinds = {name.rsplit(".", 1)[0] for name in found}
    assert kinds >= {
        *contrasts(),
        "AT_week8_dose_slope",
        "RT_vs_AT_dose_slope_week16",
        "outcome change week8",
        "outcome baseline week8",
        "outcome target change week8",
        "verdict RT_week16_vs_pre",
        "null sets RT_week8_vs_pre",
        "panel RT_week16_vs_pre",
        "panel slope all",
        "candidate RT_week16_vs_pre",
        "omnibus groups week8",
        "omnibus groups week16",
        "omnibus times",
    }
    assert {v for k, v in found.items() if k.endswith(".fdp")} == {0.0}
    assert {v for k, v in found.items() if k.endswith(".any")} == {0.0}
    assert {v for k, v in found.items() if k.endswith(".power")} == {1.0}


@pytest.mark.parametrize(
    ("path", "column", "kind"),
    [
        ("de/RT_week16_vs_pre.tsv", "call", "RT_week16_vs_pre"),
        ("flags/targets.tsv", "verdict", "verdict RT_week16_vs_pre"),
        ("flags/outcomes.tsv", "call", "outcome change week8"),
        ("flags/outcome_targets.tsv", "call", "outcome target change week8"),
        ("flags/serum_panel.tsv", "call", "panel RT_week16_vs_pre"),
    ],
)
def test_wrong_signs_and_calls_of_nothing_are_false(path: str, column: str, kind: str) -> None:
    drawn = large()
    table = told(drawn)[path]
    other = {"up": "down", "down": "up", "with": "against", "against": "with"}
    turned = table.assign(**{column: table[column].map(other).fillna("none")})
    found = measures({path: turned}, drawn.genes, drawn.molecules)
    assert (found[f"{kind}.fdp"], found[f"{kind}.power"]) == (1.0, 0.0)
    every = table.assign(**{column: "with" if "outcome" in path else "up"})
    found = measures({path: every}, drawn.genes, drawn.molecules)
    assert found[f"{kind}.fdp"] > 0.5
    assert found[f"{kind}.any"] == 1.0


def test_a_call_of_a_null_set_is_false_and_other_sets_are_not_judged() -> None:
    sets = pd.DataFrame({"gene_set": ["NULL_SET_1", "NULL_SET_2", "ECM"], "call": "up"})
    drawn = large()
    found = measures({"enrichment/a.tsv": sets}, drawn.genes, drawn.molecules)
    assert (found["null sets a.R"], found["null sets a.fdp"]) == (2.0, 1.0)


def test_a_molecule_that_only_changes_or_only_goes_along_is_no_candidate() -> None:
    drawn = large()
    table = told(drawn)["flags/candidates.tsv"]
    assert table["call"].eq("candidate").sum() == 2
    for molecule in ("m01", "m02"):
        called = table.assign(call=np.where(table["molecule"].eq(molecule), "candidate", "none"))
        # estimates are never exactly 0
        called = called.assign(
            change_log2=called["change_log2"] - 0.01, slope=called["slope"] + 0.01
        )
        found = measures({"flags/candidates.tsv": called}, drawn.genes, drawn.molecules)
        assert found["candidate RT_week16_vs_pre.fdp"] == 1.0


def test_a_molecule_without_a_test_is_no_call() -> None:
    drawn = large()
    table = told(drawn)["flags/candidates.tsv"].assign(call=None, change_log2=np.nan, slope=np.nan)
    found = measures({"flags/candidates.tsv": table}, drawn.genes, drawn.molecules)
    assert found["candidate RT_week16_vs_pre.R"] == 0.0


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("RT_week8_vs_pre", "change"),
        ("verdict RT_vs_AT_change_week16", "verdict difference"),
        ("panel average_week8_vs_pre", "panel average"),
        ("candidate exercise_vs_control_change", "candidate own"),
        ("RT_week8_dose_slope", "dose slope"),
        ("RT_vs_AT_dose_slope_week16", "dose slope"),
        ("RT_vs_control_pre", "baseline"),
        ("omnibus groups week16", "omnibus groups"),
        ("omnibus times", "omnibus times"),
        ("outcome target baseline week8", "outcome target baseline"),
    ],
)
def test_a_claim_is_a_kind_of_contrast_or_a_question(kind: str, claim: str) -> None:
    assert claim_of(kind) == claim


def test_contrasts_of_unknown_truth_are_refused() -> None:
    with pytest.raises(KeyError, match="RT_vs_AT_fraction"):
        true_of("RT_vs_AT_fraction", large().genes)


def test_a_cohort_is_measured_by_the_stages_of_a_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write = calibrate_designs.simulated(DesignDials(4, genes=200))
    config, genes, molecules = write(tmp_path, 1)
    tables = calibrate_designs.tables_of(config, whole=True)
    found = measures(tables, genes, molecules)
    claims = {claim_of(name.rsplit(".", 1)[0]) for name in found}
    contrast = {"change", "difference", "average", "own"}
    assert claims >= {
        *contrast,
        *(f"{part} {kind}" for part in ("verdict", "panel", "candidate") for kind in contrast),
        "baseline",
        "dose slope",
        "outcome change",
        "outcome target baseline",
        "panel slope",
        "omnibus groups",
        "omnibus times",
    }
    assert found["average_week16_vs_pre.power"] > 0
