"""The command that writes config and sheet from a run of nf-core/rnaseq, on made-up runs."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

import fibroserum as fs
from fibroserum.errors import InputError
from fibroserum.input.nfcore import main
from helpers.nfcore_run import LENGTH_SCALED, NfcoreRun, made

LEVELS = ("--before", "pre", "--after", "post", "--reference", "AT")
PATTERN = ("--pattern", "{donor}_{group}_{time}")


@pytest.fixture
def nfcore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NfcoreRun:
    """Return a run whose sample names are `D1_AT_pre`, to be written and converted here."""
    monkeypatch.chdir(tmp_path)
    return made()


def convert(run: NfcoreRun, *options: str, counts: str = LENGTH_SCALED) -> None:
    run.write(Path.cwd())
    main([f"star_salmon/{counts}", "samplesheet.csv", "--cohort", "mine", *options])


def refused(run: NfcoreRun, *options: str, counts: str = LENGTH_SCALED) -> list[str]:
    """Return the problems for which the command ends with status 1, and writes nothing."""
    before = set(Path.cwd().rglob("config/*"))
    with pytest.raises(SystemExit) as ended:
        convert(run, *options, counts=counts)
    assert isinstance(ended.value.code, str)
    assert set(Path.cwd().rglob("config/*")) == before
    first, *problems = ended.value.code.splitlines()
    assert first == f"{len(problems)} problem{'s' * (len(problems) > 1)} with the input:"
    return [problem.split(". ", 1)[1] for problem in problems]


def sheet() -> pd.DataFrame:
    return pd.read_csv("config/mine.samples.tsv", sep="\t", dtype=str, keep_default_na=False)


def config() -> dict[str, object]:
    return yaml.safe_load(Path("config/mine.yaml").read_text(encoding="utf-8"))


def test_names_become_a_sheet_and_a_config(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(nfcore, *PATTERN, *LEVELS)
    assert (
        capsys.readouterr().out == "config/mine.yaml: written\nconfig/mine.samples.tsv: written\n"
    )
    table = sheet()
    assert list(table) == ["sample", "donor", "group", "timepoint"]
    assert [*table["sample"]] == nfcore.samples
    parts = [f"{row.donor}_{row.group}_{row.timepoint}" for row in table.itertuples()]
    assert parts == nfcore.samples
    assert config() == {
        "cohort": "mine",
        "counts": [f"star_salmon/{LENGTH_SCALED}"],
        "fractional": "round",
        "samples": "config/mine.samples.tsv",
        "design": {
            "sample": "sample",
            "donor": "donor",
            "group": "group",
            "time": "timepoint",
            "before": "pre",
            "after": ["post"],
            "reference_group": "AT",
        },
    }


def test_the_cohort_has_the_counts_of_the_run(nfcore: NfcoreRun) -> None:
    convert(nfcore, *PATTERN, *LEVELS)
    loaded = fs.load_config(config() | {"gene_sets": [], "targets": ["BGN"]})
    adata = fs.read_cohort(loaded).adata
    assert adata.uns["fibroserum"]["groups"] == ["AT", "RT"]
    counts = pd.DataFrame(adata.X, adata.obs_names, adata.var_names).sort_index(axis=1)
    expected = nfcore.counts.T.round().astype(int).sort_index().sort_index(axis=1)
    assert (nfcore.counts % 1 != 0).any(axis=None)
    pd.testing.assert_frame_equal(counts, expected, check_names=False, check_dtype=False)


def test_columns_of_the_samplesheet_come_first(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [name.split("_") for name in nfcore.samples]
    nfcore.add(subject=[f"00{part[0][1:]}" for part in parts], visit=[part[2] for part in parts])
    nfcore.add(age=["44"] * len(parts), seq_platform=["ILLUMINA"] * len(parts))
    convert(nfcore, "--donor", "subject", "--time", "visit", "--single-group")
    table = sheet()
    assert list(table) == ["sample", "subject", "visit", "age"]
    assert [*table["subject"]][:3] == ["001", "001", "002"]
    text = Path("config/mine.yaml").read_text(encoding="utf-8")
    assert (
        "  before: <level of the time column before the intervention>  # found: 'post', 'pre'\n"
        in text
    )
    design = config()["design"]
    assert isinstance(design, dict)
    assert (design["group"], design["donor"], design["time"]) == (None, "subject", "visit")
    assert "reference_group" not in design
    said = capsys.readouterr().out
    assert "config/mine.yaml: replace the <placeholder> of design.before\n" in said
    with pytest.raises(InputError) as stopped:
        fs.load_config("config/mine.yaml")
    assert [problem.where.split(", ")[-1] for problem in stopped.value.problems] == [
        "design.before",
        "design.after",
    ]


def test_lanes_become_one_row_and_what_differs_is_left_out(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    nfcore.add(age=["44"] * len(nfcore.samples))
    nfcore.split(lanes=3)
    convert(nfcore, *PATTERN, *LEVELS)
    assert list(sheet()) == ["sample", "age", "donor", "group", "timepoint"]
    assert [*sheet()["sample"]] == nfcore.samples
    assert "samplesheet.csv: 'lane' left out, because rows of one sample differ" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [("1-a_AT_pre", "X1.a_AT_pre"), ("D1 x_AT_pre", "D1_x_AT_pre"), (".1_AT_pre", "X.1_AT_pre")],
)
def test_names_that_the_run_has_changed_are_found(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str], name: str, column: str
) -> None:
    nfcore.rename({"D1_AT_pre": name}, {"D1_AT_pre": column})
    convert(nfcore, *PATTERN, *LEVELS)
    assert sheet()["sample"][0] == column
    assert sheet()["donor"][0] == name.split("_")[0]
    assert f"names were changed ('{name}' is '{column}')" in capsys.readouterr().out


def test_names_that_the_run_has_made_equal_are_refused(nfcore: NfcoreRun) -> None:
    nfcore.rename(
        {"D1_AT_pre": "D-1_AT_pre", "D2_AT_pre": "D+1_AT_pre"}, {"D1_AT_pre": "D.1_AT_pre"}
    )
    assert refused(nfcore, *PATTERN, *LEVELS) == [
        f"star_salmon/{LENGTH_SCALED}, header: column 'D.1_AT_pre' could be 'D-1_AT_pre' or "
        "'D+1_AT_pre'; expected one column per sample"
    ]


def test_uncorrected_counts_are_noted(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(nfcore, *PATTERN, *LEVELS, counts="salmon.merged.gene_counts.tsv")
    assert (
        "star_salmon/salmon.merged.gene_counts.tsv: the counts are not corrected for transcript "
        "lengths. Use gene_counts_length_scaled.tsv, unless the reads are 3' tags\n"
    ) in capsys.readouterr().out


def test_uncorrected_counts_are_noted_in_a_compressed_table(
    nfcore: NfcoreRun, capsys: pytest.CaptureFixture[str]
) -> None:
    nfcore.write(Path.cwd())
    plain = Path("star_salmon/salmon.merged.gene_counts.tsv")
    path = plain.with_name(f"{plain.name}.gz")
    path.write_bytes(gzip.compress(plain.read_bytes()))
    main([str(path), "samplesheet.csv", "--cohort", "mine", *PATTERN, *LEVELS])
    assert f"{path}: the counts are not corrected for transcript lengths" in capsys.readouterr().out


@pytest.mark.parametrize(
    "counts",
    [
        "salmon.merged.gene_tpm.tsv",
        "salmon.merged.gene_lengths.tsv",
        "salmon.merged.transcript_counts.tsv",
    ],
)
def test_other_tables_of_the_run_are_refused(nfcore: NfcoreRun, counts: str) -> None:
    assert refused(nfcore, *PATTERN, *LEVELS, counts=counts) == [
        f"star_salmon/{counts}: is not a merged table of gene counts; expected columns gene_id, "
        f"gene_name and one for each sample. Use {LENGTH_SCALED}."
    ]


def test_nothing_is_guessed(nfcore: NfcoreRun) -> None:
    assert refused(nfcore, *LEVELS) == [
        f"samplesheet.csv: has no {key}; expected a column '{column}'. Columns found: 'sample'. "
        f"Name a column with --{key}, or write {{{key}}} in --pattern.{more}"
        for key, column, more in [
            ("donor", "donor", ""),
            ("group", "group", " For a single group, write --single-group."),
            ("time", "timepoint", ""),
        ]
    ]


def test_all_problems_are_listed_at_once(nfcore: NfcoreRun) -> None:
    nfcore.add(group=["AT"] * 6 + ["RT"] * 5 + [""])
    nfcore.split(lanes=2)
    nfcore.samplesheet.loc[1, "group"] = "RT"
    nfcore.rename({}, {"D6_RT_post": "D6_RT_late"})
    Path("config").mkdir()
    Path("config/mine.yaml").write_text("mine\n", encoding="utf-8")
    found = refused(nfcore, *PATTERN, "--before", "prae", "--after", "post", "--reference", "RTX")
    assert found == [
        "config/mine.yaml: exists already; expected no such file. Move the file, or give another "
        "--cohort.",
        "samplesheet.csv, rows 2, 3, column 'group': 'D1_AT_pre' has the values 'AT', 'RT'; "
        "expected one value per sample",
        "samplesheet.csv: column 'group' and --pattern differ for 'D6_RT_post'; expected one group "
        "per sample. Correct the column, or give the part another name in the "
        "pattern.",
        "samplesheet.csv, column 'sample': the sample 'D6_RT_post' has no counts; expected a "
        f"column of star_salmon/{LENGTH_SCALED}. Did you mean 'D6_RT_late'? If nf-core/rnaseq "
        "removed the sample (too few reads), delete its rows.",
        "samplesheet.csv, row 24, column 'group': the cell is empty; expected a value for every "
        "sample",
        "samplesheet.csv, column 'timepoint': no sample has the level 'prae' that --before names; "
        "expected a level of this column. Did you mean 'pre'?",
        "samplesheet.csv, column 'group': no sample has the group 'RTX' that --reference names; "
        "expected a group of the sample sheet. Did you mean 'RT'?",
    ]
    assert Path("config/mine.yaml").read_text(encoding="utf-8") == "mine\n"


def test_a_sample_that_the_run_has_removed_is_refused(nfcore: NfcoreRun) -> None:
    nfcore.counts = nfcore.counts.drop(columns="D6_RT_post")
    assert refused(nfcore, *PATTERN, *LEVELS) == [
        "samplesheet.csv, column 'sample': the sample 'D6_RT_post' has no counts; expected a "
        f"column of star_salmon/{LENGTH_SCALED}. If nf-core/rnaseq removed the sample (too few "
        "reads), delete its rows."
    ]


@pytest.mark.parametrize(
    "pattern",
    ["{donor}{time}", "{donor}_{donor}", "donor", "{donor}_{time", "{donor}x{time}", "{1}_{time}"],
)
def test_a_pattern_that_could_be_read_in_two_ways_is_refused(
    nfcore: NfcoreRun, pattern: str
) -> None:
    assert refused(nfcore, "--pattern", pattern, *LEVELS) == [
        f"--pattern: '{pattern}' is not a pattern of names; expected parts in braces, each once, "
        "with a separator between two parts. Write for example '{donor}_{group}_{time}'."
    ]


def test_a_name_with_a_separator_too_many_is_refused(nfcore: NfcoreRun) -> None:
    nfcore.rename({"D1_AT_pre": "D_1_AT_pre"}, {"D1_AT_pre": "D_1_AT_pre"})
    assert refused(nfcore, *PATTERN, *LEVELS)[0] == (
        "samplesheet.csv, column 'sample': '{donor}_{group}_{time}' does not match 'D_1_AT_pre'; "
        "expected names of one form. No part may contain a separator. Rename samples, or add "
        "columns."
    )


@pytest.mark.parametrize(
    ("pattern", "columns"),
    [
        ("S-{donor}.{time}_{group}", ["donor", "timepoint", "group"]),
        ("S-{donor}.{time}_{batch}", ["donor", "timepoint", "batch"]),
    ],
)
def test_parts_have_any_order_and_other_parts_are_columns(
    nfcore: NfcoreRun, pattern: str, columns: Sequence[str]
) -> None:
    names = {name: "S-{0}.{2}_{1}".format(*name.split("_")) for name in nfcore.samples}
    nfcore.rename(names, names)
    options = LEVELS if "group" in columns else ("--single-group",)
    convert(nfcore, "--pattern", pattern, *options)
    assert list(sheet()) == ["sample", *columns]
    assert [*sheet().iloc[0]] == ["S-D1.pre_AT", "D1", "pre", "AT"]


def test_files_that_are_missing_are_listed_with_the_nearest(nfcore: NfcoreRun) -> None:
    nfcore.write(Path.cwd())
    with pytest.raises(SystemExit) as ended:
        main(["star_salmon/salmon.merged.gene_count.tsv", "samplesheets.csv", "--cohort", "..",
              *LEVELS])  # fmt: skip
    said = str(ended.value.code)
    assert "does not exist. Did you mean 'salmon.merged.gene_counts.tsv'?" in said
    assert "samplesheets.csv: does not exist. Did you mean 'samplesheet.csv'?" in said
    assert "the name '..' has no letter or digit" in said
    assert not Path("config").exists()


def test_a_part_may_have_the_name_of_its_column(nfcore: NfcoreRun) -> None:
    convert(nfcore, "--pattern", "{donor}_{group}_{timepoint}", *LEVELS)
    assert list(sheet()) == ["sample", "donor", "group", "timepoint"]
    assert [*sheet().iloc[1]] == ["D1_AT_post", "D1", "AT", "post"]


def test_a_part_that_is_given_twice_is_refused(nfcore: NfcoreRun) -> None:
    said = "--pattern: {time} and {timepoint} are both the time; expected one part for the time"
    assert said in refused(nfcore, "--pattern", "{time}_{group}_{timepoint}", *LEVELS)


def test_a_single_group_has_no_reference_and_no_part_of_names(nfcore: NfcoreRun) -> None:
    assert refused(nfcore, *PATTERN, *LEVELS, "--single-group") == [
        "--pattern: '{donor}_{group}_{time}' has a part {group}, but --single-group is given; "
        "expected no part {group}. Leave out --single-group, or give the part another name.",
        "options: --reference is 'AT', but --single-group is given; expected a group column, or no "
        "reference group",
    ]


def three_times(run: NfcoreRun) -> None:
    """Make of each donor's samples those of the times 0, 8 and 16."""
    times = ["0", "8", "16"] * 4
    donors = [f"{group}{number}" for group in ("AT", "RT") for number in (1, 2)]
    run.add(donor=[donor for donor in donors for _ in range(3)], timepoint=times)
    run.add(group=["AT"] * 6 + ["RT"] * 6)


TIMES = ("--before", "0", "--after", "16", "--reference", "AT")
ALL = "options: --after and --ignore name all times, '0', '16', '8'; expected one for --before"


def test_ignored_times_are_in_the_config_and_the_run_leaves_them_out(nfcore: NfcoreRun) -> None:
    three_times(nfcore)
    convert(nfcore, *TIMES, "--ignore", "8")
    design = config()["design"]
    assert isinstance(design, dict)
    assert design["ignore_times"] == ["8"]
    loaded = fs.load_config(config() | {"gene_sets": [], "targets": ["BGN"]})
    assert fs.read_cohort(loaded).adata.obs["time"].value_counts().to_dict() == {"0": 4, "16": 4}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            TIMES,
            "samplesheet.csv, column 'timepoint': the level '8' (rows 3, 6, 9, 12) is in neither "
            "--before nor --after; expected '0' or '16'. To exclude these samples, add the level "
            "to --ignore. To compare it with '0', add it to --after.",
        ),
        (
            (*TIMES, "--ignore", "8", "0"),
            "--ignore: '0' is both compared and ignored; expected only times that --before and "
            "--after do not list. Remove '0' from --ignore, or from --before and --after.",
        ),
        (
            (*TIMES, "--ignore", "8", "9"),
            "samplesheet.csv, column 'timepoint': no sample has the level '9' that --ignore names; "
            "expected a level of this column. Valid: '0', '16'.",
        ),
        (("--before", "1", "--after", "2", "--ignore", "0", "8", "16"), ALL),
        (("--after", "0", "16", "--ignore", "8"), ALL),
    ],
)
def test_times_that_a_run_refuses_are_refused(
    nfcore: NfcoreRun, options: Sequence[str], problem: str
) -> None:
    three_times(nfcore)
    assert refused(nfcore, *options) == [problem]


@pytest.mark.parametrize("levels", [LEVELS, ()])
def test_a_donor_in_two_groups_is_refused_unless_the_study_is_a_crossover(
    nfcore: NfcoreRun, levels: Sequence[str]
) -> None:
    nfcore.add(donor=["D1", "D1", "D2", "D2", "D3", "D3", "D1", "D1", *["D5"] * 2, *["D6"] * 2])
    pattern = ("--pattern", "{person}_{group}_{time}")
    assert refused(nfcore, *pattern, *levels) == [
        "samplesheet.csv, column 'donor': the donor 'D1' (rows 2, 3, 8, 9) is in the groups 'AT', "
        "'RT'; expected each donor in one group. If the study is a crossover, write --crossover. "
        "If these are different donors, give them different names."
    ]


def test_a_crossover_is_in_the_config(nfcore: NfcoreRun) -> None:
    nfcore.add(donor=[f"D{number}" for number in (1, 1, 2, 2, 3, 3)] * 2)
    convert(nfcore, "--pattern", "{person}_{group}_{time}", *LEVELS, "--crossover")
    loaded = fs.load_config(config() | {"gene_sets": [], "targets": ["BGN"]})
    assert fs.read_cohort(loaded).adata.uns["fibroserum"]["crossover"]


def test_a_crossover_without_a_donor_in_two_groups_is_refused(nfcore: NfcoreRun) -> None:
    assert refused(nfcore, *PATTERN, *LEVELS, "--crossover") == [
        "samplesheet.csv, column 'donor': --crossover is given, but no donor is in two groups; "
        "expected the same donors in several groups. Leave out --crossover."
    ]
