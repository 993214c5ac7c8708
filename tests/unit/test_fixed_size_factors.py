"""Size factors that are given, or from spike-ins: where the serum changes how much RNA a cell has.

In the cohort all genes double in RT after the intervention, and spike-ins stay.
"""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from fibroserum import linear
from fibroserum.cohort.accessors import counts_of, fixed_size_factors, settings_of
from fibroserum.cohort.designs import Design
from fibroserum.cohort.models import Model
from fibroserum.cohort.size_factors import from_spike_ins, given
from fibroserum.cohort.stage import Cohort
from fibroserum.de.fitting import fit_cohort, fit_model
from fibroserum.de.settings import FitSettings
from fibroserum.de.stored_fit import expression_of_calls
from fibroserum.enrichment.expression import set_models_of
from fibroserum.errors import InputError
from fibroserum.genes.table import load_table
from fibroserum.qc.normalisation import normalisation
from fibroserum.slopes.design import tmm_or_fixed
from fibroserum.targets.sensitivity import sensitivity_table
from fibroserum.targets.study import rule_of, target_study
from helpers.bad_inputs import built
from helpers.small_cohort import SmallCohort, Table, good

CHANGE = "RT_post_vs_pre"
SPIKES = [f"ERCC-{number:05}" for number in range(2, 22)]
TARGETS = ("BGN", "DCN", "COL1A1")
METHODS = {
    "ratio": {},
    "spike_ins": {"method": "spike_ins"},
    "given": {"method": "given", "column": "size_factor"},
}


def doubled(normalization: dict[str, object]) -> SmallCohort:
    """Return 5 pairs a group, a donor without a sample after, one without before, a replicate."""
    rng = np.random.default_rng(5)
    symbols = load_table().query("type == 'protein-coding'")["symbol"]
    genes = [*TARGETS, *(name for name in symbols[:400] if name not in TARGETS)]
    rows = [
        (f"{group}{number}_{time}", f"{group}{number}", group, time)
        for group in ("AT", "RT")
        for number in range(1, 6)
        for time in ("pre", "post")
    ]
    rows += [("RT6_pre", "RT6", "RT", "pre"), ("RT7_post", "RT7", "RT", "post")]
    rows += [("RT1_post_again", "RT1", "RT", "post")]
    depth = np.exp(rng.normal(0, 0.3, len(rows)))
    after = np.array([group == "RT" and time == "post" for _, _, group, time in rows])
    donors = pd.factorize(np.array([donor for _, donor, _, _ in rows]))[0]
    own = rng.normal(0, 0.2, (len(genes), donors.max() + 1))[:, donors]
    level = np.exp(rng.normal(5, 1, len(genes))[:, None] + own) * np.where(after, 2, 1)
    spiked = np.repeat(np.exp(rng.normal(5, 1, len(SPIKES)))[:, None], len(rows), axis=1)
    means = np.vstack([level, spiked]) * depth
    noise = rng.gamma(200, 1 / 200, (len(genes), len(rows)))
    counts = rng.poisson(np.vstack([means[: len(genes)] * noise, means[len(genes) :]]))
    cohort = good()
    names = [row[0] for row in rows]
    sheet = [["sample", "donor", "group", "timepoint", "size_factor"]]
    sheet += [[*row, f"{3 * size:.6f}"] for row, size in zip(rows, depth, strict=True)]
    cohort.tables["samples.tsv"] = Table(sheet)
    table = zip([*genes, *SPIKES], counts, strict=True)
    cohort.tables["counts.tsv"] = Table([["gene", *names], *([g, *map(str, c)] for g, c in table)])
    cohort.config |= {"factors": {}, "targets": list(TARGETS), "normalization": normalization}
    return cohort


@pytest.fixture(scope="module", params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(
    method: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Cohort, dict[str, ad.AnnData]]:
    folder = tmp_path_factory.mktemp(method)
    (cohort,) = built(doubled(METHODS[method]), folder)
    fits = {fit.uns["model"]["name"]: fit for fit in fit_cohort(cohort.adata, FitSettings())}
    return cohort, fits


@pytest.fixture
def expected(method: str) -> float:
    """Return the log2 fold change that the typical gene has."""
    return 0.0 if method == "ratio" else 1.0


def test_both_models_see_what_their_size_factors_show(run, expected: float) -> None:
    table = run[1]["paired"].varm[CHANGE]
    columns = ["log2FoldChange", "second_log2FoldChange"]
    assert table[columns].median().to_numpy() == pytest.approx([expected] * 2, abs=0.06)
    other = run[1]["paired"].varm["AT_post_vs_pre"]
    assert other[columns].median().to_numpy() == pytest.approx([0.0] * 2, abs=0.06)
    called = (table["second_pvalue"] < 0.001).mean()
    assert called > 0.95 if expected else called < 0.05


def test_set_tests_and_donors_without_a_pair_see_it_too(run, expected: float) -> None:
    cohort, fits = run
    force_kept = cohort.adata.var["target"].astype(bool)
    own = set_models_of(fits["paired"], force_kept, 1)[CHANGE]
    estimates = linear.estimates(own.fit, own.vector)[0]
    assert np.median(estimates) == pytest.approx(expected, abs=0.06)
    de = {
        name: fits[model].varm[name].assign(gene_id=cohort.adata.var_names)
        for model, name in (
            *(("paired", n) for n in fits["paired"].varm),
            *(("baseline", n) for n in fits["baseline"].varm),
        )
    }
    study = target_study(cohort.adata, fits, de, rule_of(fits["paired"], 0.05, None))
    rows = sensitivity_table(cohort.adata, study, randomised=None).set_index("contrast").loc[CHANGE]
    assert set(rows["target"]) == set(TARGETS)
    assert (rows["donors"] == 7).all()
    assert rows["log2FoldChange"].to_numpy() == pytest.approx([expected] * 3, abs=0.25)
    levels = study.samples.log2
    pairs = study.members[CHANGE]
    change = levels.loc[pairs["post"]].to_numpy() - levels.loc[pairs["pre"]].to_numpy()
    assert np.median(change) == pytest.approx(expected, abs=0.2)


def test_effective_library_sizes_are_the_size_factors(run, method: str) -> None:
    """log2 counts per million of the linear model, turned into sizes, have their ratios."""
    cohort, fits = run
    for fit in fits.values():
        outcome = fit.uns["model"]["normalisation"]
        assert outcome == (method if method in ("given", "spike_ins") else outcome)
        if method == "ratio":
            assert outcome not in METHODS
            continue
        factors = cohort.adata.obs["size_factor"].astype(float).loc[fit.obs_names]
        assert fit.obs["size_factors"].to_numpy(float) == pytest.approx(factors.to_numpy())
        shown = expression_of_calls(fit, cohort.adata.var["target"].astype(bool))
        raw = counts_of(fit)[shown.genes].to_numpy(float)
        size = ((raw + 0.5) * 1e6 / 2**shown.log2 - 1)[:, 0]
        assert size / size[0] == pytest.approx((factors / factors.iloc[0]).to_numpy(), rel=1e-9)
        assert not fit.var["left_out"].any()


def test_a_sum_has_the_sum_of_the_size_factors(tmp_path: Path) -> None:
    source = doubled(METHODS["given"])
    (cohort,) = built(source, tmp_path)
    depth = pd.DataFrame(source.sheet.rows[1:], columns=source.sheet.header).set_index("sample")
    values = depth["size_factor"].astype(float)
    values["RT1_post"] += values.pop("RT1_post_again")
    factors = cohort.adata.obs["size_factor"].astype(float)
    assert np.log(factors).mean() == pytest.approx(0)
    every = fixed_size_factors(cohort.adata)
    assert set(every.index) == set(values.index)
    ratio = every / values.loc[every.index]
    assert ratio.to_numpy() == pytest.approx([ratio.iloc[0]] * len(ratio), rel=1e-6)
    assert "sheet.size_factor" not in cohort.adata.obs
    samples = cohort.samples.set_index("sample")
    assert samples.loc["RT7_post", "size_factor"] == pytest.approx(every["RT7_post"])


def test_spike_ins_of_a_sample_in_no_model_are_compared_with_the_others(tmp_path: Path) -> None:
    truth = doubled(METHODS["given"])
    values = {row[0]: float(row[4]) for row in truth.sheet.rows[1:]}
    values["RT1_post"] += values.pop("RT1_post_again")
    (cohort,) = built(doubled(METHODS["spike_ins"]), tmp_path)
    every = np.log2(fixed_size_factors(cohort.adata))
    off = every - np.log2(pd.Series(values)).loc[every.index]
    assert (off - off.mean()).abs().max() < 0.12
    assert list(cohort.adata.uns["fibroserum"]["spike_ins"]) == SPIKES


SPIKED, SOME = {"method": "spike_ins"}, {"method": "spike_ins", "genes": ["ERCC-0000*", "ERCC-9*"]}
FEW = "fewer than 1,000 counts of spike-ins"
SAME = "Check that the same amount of spike-ins was added to both."
SCALE = "Check that all size factors in the sample sheet are on one scale."


@pytest.mark.parametrize(
    ("normalization", "factor", "messages"),
    [
        (SPIKED, 1.0, ["size factors come from 20 spike-ins"]),
        (SOME, 1.0, ["size factors come from 8 spike-ins"]),
        (METHODS["given"], 1.0, ["size factors are given in the sample sheet"]),
        (METHODS["given"], 90.0, ["size factors are given", SCALE]),
        (SPIKED, 0.01, ["size factors come from 20", SAME, FEW]),
    ],
)
def test_checks_say_which_size_factors_were_used(
    normalization: dict[str, object], factor: float, messages: list[str], tmp_path: Path
) -> None:
    source = doubled(normalization)
    if normalization["method"] == "given":
        source.sheet.put("AT1_pre", "size_factor", str(factor))
    else:
        place = source.counts.header.index("AT1_pre")
        for row in source.counts.rows[-len(SPIKES) :]:
            row[place] = str(int(float(row[place]) * factor))
    (cohort,) = built(source, tmp_path)
    checks = list(normalisation(cohort.adata, {}))
    assert [check.level for check in checks] == ["ok", *["warning"] * (len(messages) - 1)]
    for check, message in zip(checks, messages, strict=True):
        assert message in f"{check.message} {check.advice}"
    assert all(check.advice for check in checks[1:])
    assert all("AT1_pre" in check.subject for check in checks[1:])
    notes = list(cohort.adata.uns["fibroserum"]["notes"])
    unfitted = [note for note in notes if note.startswith("normalization.genes")]
    assert len(unfitted) == ("ERCC-9*" in normalization.get("genes", ()))


def test_rows_named_as_spike_ins_are_no_genes(tmp_path: Path) -> None:
    """Cells of another species are spike-ins too: their rows are in no test."""
    source = doubled({"method": "spike_ins", "genes": ["FBgn*"]})
    for row in source.counts.rows[-len(SPIKES) :]:
        row[0] = row[0].replace("ERCC-", "FBgn00")
    (cohort,) = built(source, tmp_path)
    assert not cohort.adata.var_names.str.startswith("FBgn").any()
    assert set(cohort.adata.uns["left_out"]["reason"]) == {"normalization.genes"}
    assert cohort.adata.uns["fibroserum"]["size_factor_method"] == "spike_ins"


def test_samples_of_a_model_without_spike_ins_are_named(tmp_path: Path) -> None:
    source = doubled(METHODS["spike_ins"])
    for sample in ("AT2_post", "RT7_post"):
        place = source.counts.header.index(sample)
        for row in source.counts.rows[-len(SPIKES) :]:
            row[place] = "0"
    with pytest.raises(InputError, match="samples without spike-in counts: 'AT2_post'; expected"):
        built(source, tmp_path / "refused")
    source.drop_samples("AT2_post")
    (cohort,) = built(source, tmp_path / "mended")
    assert "RT7_post" not in fixed_size_factors(cohort.adata)


GOLDEN = Path(__file__).parents[1] / "golden" / "size_factors"


@pytest.mark.parametrize("source", ["spike_ins", "given"])
def test_size_factors_and_estimates_are_rs(source: str) -> None:
    """DESeq2's `controlGenes` and `sizeFactors<-`, and limma's values at these library sizes."""
    counts = pd.read_csv(GOLDEN / "counts.tsv", sep="\t", index_col="gene").T
    sheet = pd.read_csv(GOLDEN / "sheet.tsv", sep="\t", index_col="sample")
    expected = pd.read_csv(GOLDEN / f"{source}.tsv", sep="\t", index_col="gene")
    spiked = counts.columns.str.startswith("ERCC")
    used = pd.Series(True, counts.index)
    own = {name: name for name in counts.index}
    found = (
        from_spike_ins(counts.loc[:, spiked].astype(float), own, used, ())
        if source == "spike_ins"
        else given(sheet["given"].astype(str), own, used)
    )
    factors = found.by_sample
    assert factors.to_numpy() == pytest.approx(sheet[source].to_numpy(float), rel=1e-10)
    design = Design(sheet[["after"]].astype(float), sheet["donor"])
    model = Model("paired", design, {"after": design.contrast(np.ones(1))})
    force_kept = pd.Series(True, counts.columns)
    settings = FitSettings(min_count=0, factors=found.method)
    fit = fit_model(counts.loc[:, ~spiked], model, factors, force_kept, settings)
    table = fit.varm["after"].loc[expected.index]
    base_mean = expected["baseMean"].to_numpy()
    assert fit.var["baseMean"].to_numpy() == pytest.approx(base_mean, rel=1e-9)
    # R's search for dispersions ends a little earlier, which moves the trend that all genes share
    estimates = table["log2FoldChange"].to_numpy()
    assert estimates == pytest.approx(expected["lfc"].to_numpy(), abs=0.005)
    assert table["lfcSE"].to_numpy() == pytest.approx(expected["se"].to_numpy(), rel=0.02)
    values = expression_of_calls(fit, force_kept).log2
    assert values[0] == pytest.approx(expected["first"].to_numpy(), abs=1e-9)
    assert values[-1] == pytest.approx(expected["last"].to_numpy(), abs=1e-9)


def test_slopes_use_them(method: str, run) -> None:
    adata = run[0].adata
    settings, counts = settings_of(adata), counts_of(adata)
    size = counts.sum(axis=1).to_numpy() * tmm_or_fixed(counts, settings)
    ratio = np.log(size / adata.obs["size_factor"].to_numpy(float))
    # size factors of the genes are estimated again, as TMM factors
    assert (np.ptp(ratio) < 1e-9) == (method != "ratio")
