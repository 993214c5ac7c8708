"""Reading a cohort: what a plan holds, and that nothing wrong is left unsaid or said twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from fibroserum.cohort.annotation import find_targets
from fibroserum.cohort.inputs import Inputs, read_all
from fibroserum.cohort.plan import Plan, plan
from fibroserum.errors import InputError
from fibroserum.input.paths import with_located_paths
from fibroserum.input.schema import config_schema
from helpers.small_cohort import GENES, SmallCohort, good

Spoil = Callable[[SmallCohort], object]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return config_schema()


@pytest.fixture
def planned(
    schema: dict[str, Any], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[SmallCohort], Plan]:
    """Return a function that writes a cohort, goes to its folder and plans a run."""

    def go(cohort: SmallCohort) -> Plan:
        cohort.write(tmp_path)
        monkeypatch.chdir(tmp_path)
        raw = yaml.safe_load(Path("cohort.yaml").read_text())
        return plan(raw, schema, repository, "cohort.yaml", [Path("cohort.yaml")])

    return go


Planned = Callable[[SmallCohort], Plan]


def said(planned: Planned, cohort: SmallCohort, *, counts: bool = False) -> list[str]:
    """Return what is wrong with a cohort: found by the plan, or only where counts are read."""
    with pytest.raises(InputError) as error:
        everything(planned, cohort) if counts else planned(cohort)
    return [str(problem) for problem in error.value.problems]


def everything(planned: Planned, cohort: SmallCohort) -> Inputs:
    return read_all(planned(cohort).config)


def test_a_plan_names_what_will_be_made(planned: Planned) -> None:
    cohort = good()
    cohort.config["cohort"] = "../../serum 1"
    cohort.config["factors"]["N,N-dimethylglycine"] = {}
    found = planned(cohort)
    assert found.folder == ".._.._serum_1"
    assert found.groups == ("AT", "RT")
    assert [contrast.file for contrast in found.contrasts] == [
        "AT_post_vs_pre", "RT_post_vs_pre", "RT_vs_AT_change", "average_post_vs_pre",
        "RT_vs_AT_pre",
    ]  # fmt: skip
    assert list(found.factors) == ["CCL28", "N_N-dimethylglycine"]
    assert found.config["differential_expression"]["alpha"] == 0.05


def test_a_good_plan_reads_no_counts(planned: Planned) -> None:
    cohort = good()
    cohort.instead |= {"counts.tsv": "no counts at all", "arm.counts.tsv": ""}
    assert planned(cohort).groups == ("AT", "RT")
    assert len(said(planned, cohort, counts=True)) == 2


def test_a_single_group_has_its_change_alone(planned: Planned) -> None:
    cohort = good()
    cohort.design.update(group=None, reference_group=None)
    found = planned(cohort)
    assert found.groups == ("all",)
    assert [contrast.name for contrast in found.contrasts] == ["all_post_vs_pre"]


def test_everything_is_read(planned: Planned) -> None:
    found = everything(planned, good())
    assert list(found.counts.columns) == GENES
    assert found.counts.shape == (12, 60)
    assert found.targets == {"BGN": "BGN", "DCN": "DCN", "COL1A1": "COL1A1"}
    counts, sheet = found.stimulation["CCL28"]
    assert counts.shape == (6, 60)
    assert len(sheet) == 6
    assert found.notes == ()


def test_a_config_that_is_hardly_one_is_all_that_is_said(planned: Planned) -> None:
    cohort = good()
    del cohort.config["design"], cohort.config["counts"]
    cohort.sheet.put("D1_pre", "donor", "")
    problems = said(planned, cohort)
    assert len(problems) == 2
    assert all("missing key" in problem for problem in problems)


def test_an_unknown_key_does_not_hide_the_rest(planned: Planned) -> None:
    cohort = good()
    cohort.config["sedd"] = 3
    cohort.sheet.put("D1_pre", "donor", "")
    cohort.counts.put("DCN", "D1_pre", "-1")
    cohort.tables["arm.counts.tsv"].put("DCN", "C1_ccl28", "0.5")
    cohort.tables["published.tsv"].put("BGN", "before", "x")
    problems = said(planned, cohort)
    for part in ("'sedd'", "the cell is empty", "negative (-1)", "0.5 is not a whole", "'x' is no"):
        assert sum(part in problem for problem in problems) == 1, part
    assert len(problems) == 5


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.config.update(counts=["x.tsv"]),
        lambda c: c.config.update(samples="x.tsv"),
        lambda c: c.config.update(published="x.tsv"),
        lambda c: c.config.update(gene_sets=["x.gmt"]),
        lambda c: c.config.update(genes={"annotation": "x.tsv"}),
        lambda c: c.arm.update(samples="x.tsv"),
        lambda c: c.arm.update(counts="x.tsv"),
        lambda c: c.factor.update(signature="x.tsv"),
    ],
)
def test_a_missing_file_is_said_once(planned: Planned, spoil: Spoil) -> None:
    cohort = good()
    spoil(cohort)
    (problem,) = said(planned, cohort)
    assert problem.startswith("cohort.yaml, ")
    assert "there is no file 'x." in problem


def test_a_value_that_the_schema_refuses_is_not_missed_again(planned: Planned) -> None:
    cohort = good()
    cohort.design["reference_group"] = ["AT"]
    (problem,) = said(planned, cohort)
    assert problem.startswith("cohort.yaml, design.reference_group: ['AT'] is not valid")


def test_problems_of_the_design_bear_the_configs_name(planned: Planned) -> None:
    cohort = good()
    del cohort.design["reference_group"]
    (problem,) = said(planned, cohort)
    assert problem.startswith("cohort.yaml, design: design.reference_group is missing")


def test_contrasts_whose_names_meet_are_refused(planned: Planned) -> None:
    cohort = good()
    cohort.sheet.map("group", lambda group: {"AT": "A", "RT": "average"}[group])
    cohort.design["reference_group"] = "A"
    (problem,) = said(planned, cohort)
    assert "cohort.yaml, names of contrasts" in problem
    assert "'average_post_vs_pre'" in problem


def test_a_key_that_stands_twice_is_said_with_its_lines(planned: Planned) -> None:
    cohort = good()
    text = yaml.safe_dump(cohort.config, sort_keys=False)
    lines = [*text.splitlines(), "seed: 1", "design: {before: pre, after: post}", "seed: 2"]
    cohort.instead["cohort.yaml"] = "\n".join(lines)
    problems = [p for p in said(planned, cohort) if "is already in line" in p]
    count = len(lines)
    first = text.splitlines().index("design:") + 1
    assert problems == [
        f"cohort.yaml, line {line}: the key '{key}' is already in line {earlier}; expected each "
        "key only once. YAML would use only the last one. Merge them."
        for line, key, earlier in ((count - 1, "design", first), (count, "seed", count - 2))
    ]


@pytest.mark.parametrize(
    ("declared", "ids", "expected"),
    [
        ("auto", "symbols", None),
        ("symbol", "symbols", None),
        ("symbol", "names", None),
        ("ensembl", "ensembl", None),
        ("ensembl", "symbols", "genes.id_type is 'ensembl', but the gene ids look like symbol ids"),
        ("entrez", "symbols", "genes.id_type is 'entrez', but the gene ids look like symbol ids"),
        ("symbol", "ensembl", "genes.id_type is 'symbol', but the gene ids look like ensembl ids"),
        ("auto", "names", "only 0 of 60 gene ids, such as 'probeBGN', are human gene symbols"),
        ("ensembl", "names", "only 0 of 60 gene ids, such as 'probeBGN', are human gene symbols"),
    ],
)
def test_a_declared_kind_of_id_is_held_against_the_ids(
    planned: Planned, declared: str, ids: str, expected: str | None
) -> None:
    cohort = good()
    cohort.config["factors"] = {}
    cohort.config["genes"] = {"id_type": declared}
    for number, row in enumerate(cohort.counts.rows[1:], 3):
        row[0] = {"symbols": row[0], "ensembl": f"ENSG{number:011d}", "names": f"probe{row[0]}"}[
            ids
        ]
    if expected is None:
        assert everything(planned, cohort).counts.shape == (12, 60)
    else:
        (problem,) = said(planned, cohort, counts=True)
        assert expected in problem


def test_names_of_no_gene_are_refused_and_absent_genes_are_not(planned: Planned) -> None:
    cohort = good()
    cohort.config["targets"] = ["BGN", "BGNN", "KRT5", "COX1"]
    cohort.factor["gene"] = "CCL2B"
    problems = said(planned, cohort, counts=True)
    assert problems == [
        "config, targets: 'BGNN' is not a recognised human gene; expected a symbol, Ensembl or "
        "Entrez id. Did you mean 'BGN'?",
        "config, targets: 'COX1' is an alias of several genes: MT-CO1, PTGS1; "
        "expected the official symbol of one of them",
        "config, factors.CCL28.gene: 'CCL2B' is not a recognised human gene; "
        "expected a symbol, Ensembl or Entrez id. Did you mean 'CCL28'?",
    ]
    cohort.config["targets"] = ["BGN", "KRT5"]
    cohort.factor["gene"] = None
    found = everything(planned, cohort)
    assert found.targets == {"BGN": "BGN", "KRT5": None}
    assert found.notes == ("target 'KRT5' is a human gene, but not in the count matrix",)


@pytest.mark.parametrize("context", [None, {"pattern": {"VCAN": "up"}}])
def test_context_under_a_near_name_is_a_note_and_a_target_a_problem(
    context: dict[str, Any] | None, planned: Planned
) -> None:
    cohort = good()
    cohort.counts.put("VCAN", "gene_id", "VCAN_human")
    cohort.config["factors"] = {}
    if context:
        cohort.config["context"] = context
    notes = everything(planned, cohort).notes
    assert notes == (
        "context.pattern: 'VCAN' is not in the count matrix, which has 'VCAN_human'; "
        "it is not shown",
    )
    cohort.config["targets"] = ["VCAN"]
    (problem,) = said(planned, cohort, counts=True)
    assert "config, targets: 'VCAN' is not in the count matrix, which has 'VCAN_human'" in problem


def cohort_in_runs() -> SmallCohort:
    """Return a good cohort with the sample names in the column Run, of the sheet and of the arm."""
    cohort = good()
    for table, section in ((cohort.sheet, cohort.design),
                           (cohort.tables["arm.samples.tsv"], cohort.arm)):  # fmt: skip
        table.rename("sample", "Run")
        section["sample"] = "Run"
    return cohort


@pytest.mark.parametrize(
    "key", ["donor", "group", "time", "block", "pool", "line", "serum", "covariates", "numeric",
            "arm column", "arm block"],
)  # fmt: skip
def test_a_column_sample_beside_the_sample_names_means_what_the_config_says(
    key: str, planned: Planned
) -> None:
    plain, cohort = cohort_in_runs(), cohort_in_runs()
    for at, name in ((plain, "other"), (cohort, "sample")):
        if key in ("block", "pool", "line"):
            value = {"block": "b{}", "pool": "1", "line": "L1"}[key]
            rows = range(len(at.sheet.rows) - 1)
            at.sheet.add_column(name, [value.format(n // 4) for n in rows])
            at.design[key] = name
        elif key in ("covariates", "numeric"):
            at.sheet.add_column(name, [f"{n * n}.5" for n in range(len(at.sheet.rows) - 1)])
            at.design["covariates"] = [name if key == "covariates" else {name: "numeric"}]
        elif key == "serum":
            at.sheet.rename(at.factor["serum"], name)
            at.factor["serum"] = name
        elif key.startswith("arm"):
            key_of_arm = key.removeprefix("arm ")
            at.tables["arm.samples.tsv"].rename(at.arm[key_of_arm], name)
            at.arm[key_of_arm] = name
        else:
            old = at.design.get(key) or {"donor": "donor", "time": "timepoint"}[key]
            at.sheet.rename(old, name)
            at.design[key] = name
    same = everything(planned, plain).sheet
    found = everything(planned, cohort).sheet
    pd.testing.assert_frame_equal(found.rename(columns={"sheet.sample": "other"}), same)
    cohort.design["covariates"] = ["lane"]
    assert any("has no column 'lane'" in problem for problem in said(planned, cohort))


def test_of_several_rows_of_a_target_the_one_with_most_counts_is_taken() -> None:
    ids = ["ENSG00000000001", "ENSG00000000002"]
    annotation = pd.DataFrame(
        {"symbol": ["BGN", "BGN"], "entrez": "", "match": "secondary"}, index=ids
    )
    counts = pd.DataFrame([[1, 5], [2, 9]], columns=ids)
    chosen, notes = find_targets(["BGN"], annotation, counts)
    assert chosen == {"BGN": ids[1]}
    assert notes == [
        f"target 'BGN' appears in 2 rows ({ids[0]}, {ids[1]}); {ids[1]}, which has the most "
        "counts, is used"
    ]


def test_targets_that_are_one_gene_are_noted(planned: Planned) -> None:
    cohort = good()
    cohort.config["targets"] = ["CCN2", "CTGF"]
    found = everything(planned, cohort)
    assert found.targets == {"CCN2": "CCN2", "CTGF": "CCN2"}
    assert found.notes == ("targets CCN2, CTGF refer to the same row of the matrix",)


def test_samples_of_other_treatments_are_left_out_and_noted(planned: Planned) -> None:
    cohort = good()
    sheet, counts = cohort.tables["arm.samples.tsv"], cohort.tables["arm.counts.tsv"]
    sheet.rows.append(["C1_tgfb", "C1", "TGFB1"])
    counts.add_column("C1_tgfb", [row[1] for row in counts.rows[1:]])
    found = everything(planned, cohort)
    assert found.notes == (
        "stimulation experiment with CCL28: excluded C1_tgfb, because treatment is 'TGFB1'",
    )


def test_an_arm_may_lack_some_genes_but_not_most(planned: Planned) -> None:
    cohort = good()
    cohort.tables["arm.counts.tsv"].drop(*GENES[:25])
    assert everything(planned, cohort).stimulation["CCL28"][0].shape == (6, 35)
    arm = cohort.tables["arm.counts.tsv"]
    arm.rows += [[f"ENSG{n:011d}", *arm.rows[1][1:]] for n in range(36, 99)]
    cohort.tables["arm.counts.tsv"].rows = arm.rows
    (problem,) = said(planned, cohort, counts=True)
    assert "only 35 of 98 genes" in problem


def test_the_default_gene_sets_without_the_pipeline_say_what_to_write(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    cohort = good()
    del cohort.config["gene_sets"]
    cohort.write(tmp_path)
    with contextlib.chdir(tmp_path), pytest.raises(InputError) as error:
        plan(cohort.config, schema, tmp_path, "study.yaml")
    (problem,) = error.value.problems
    assert problem.where == "study.yaml, gene_sets"
    assert "(root=), or write 'gene_sets: []'" in problem.hint


def test_bundled_files_are_found_from_any_folder(
    planned: Planned, repository: Path, schema: dict[str, Any]
) -> None:
    cohort = good()
    del cohort.config["gene_sets"]
    cohort.config["published"] = "resources/published/nishikori_2023_table2.tsv"
    cohort.factor["signature"] = None
    config = planned(cohort).config
    assert config["gene_sets"] == [str(repository / "resources/gene_sets/dermal_ecm.gmt")]
    assert config["published"] == str(repository / cohort.config["published"])
    assert config["counts"] == ["counts.tsv"]
    assert with_located_paths(config, repository) == config


def test_a_table_of_transcripts_that_nothing_needs_is_said(planned: Planned) -> None:
    cohort = good()
    cohort.config["tx2gene"] = "tx2gene.tsv"
    cohort.instead["tx2gene.tsv"] = "T1\tG1\n"
    said = (
        "tx2gene (tx2gene.tsv) is not used, because no count input is a folder of Salmon or "
        "kallisto"
    )
    assert said in everything(planned, cohort).notes
    assert said not in everything(planned, good()).notes


def test_times_named_the_other_way_round_are_said(planned: Planned) -> None:
    cohort = good()
    cohort.design.update(before="post", after="pre")
    said = (
        "before is 'post' and after is 'pre', so a positive log2 fold change means higher in 'pre'"
    )
    assert any(note.startswith(said) for note in everything(planned, cohort).notes)
    assert not any("before is" in note for note in everything(planned, good()).notes)
