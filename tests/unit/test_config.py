"""The config: defaults stand in the schema alone, and each mistake has its message."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from fibroserum.input import config as configuration
from fibroserum.input.names import file_name
from fibroserum.input.paths import can_be_path, locate, missing_files
from fibroserum.input.schema import config_schema

MINIMAL: dict[str, Any] = {
    "cohort": "c",
    "counts": ["counts.tsv"],
    "samples": "samples.tsv",
    "design": {"before": "pre", "after": "post"},
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return config_schema()


def resolve(schema: dict[str, Any], **changes: Any) -> tuple[dict[str, Any], list[str]]:
    raw = copy.deepcopy(MINIMAL) | changes
    resolved, problems = configuration.resolve(raw, schema, "my.yaml")
    return resolved, [str(problem) for problem in problems]


def test_defaults_fill_every_level(schema: dict[str, Any]) -> None:
    resolved, problems = resolve(schema, factors={"CCL28": {"serum": "ccl28"}})
    assert problems == []
    assert resolved["differential_expression"]["alpha"] == 0.05
    assert resolved["targets"][0] == "BGN"
    assert resolved["factors"]["CCL28"] == {
        "serum": "ccl28",
        "gene": None,
        "serum_scale": "linear",
        "stimulation": None,
        "signature": None,
    }
    assert resolved["design"]["covariates"] == []


def test_defaults_are_copies(schema: dict[str, Any]) -> None:
    first, _ = resolve(schema)
    first["targets"].append("X")
    second, _ = resolve(schema)
    assert "X" not in second["targets"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"desing": {}},
            "unknown key 'desing'. Did you mean 'design'?",
        ),
        (
            {"design": {"before": "pre", "after": "post", "referencegroup": "AT"}},
            "my.yaml, design: unknown key 'referencegroup'. Did you mean 'reference_group'?",
        ),
        (
            {"fractional": "rond"},
            "unknown value 'rond'; expected refuse or round. Did you mean 'round'?",
        ),
        ({"design": {"before": "pre"}}, "missing key 'after'"),
        ({"differential_expression": {"alpha": 2}}, "differential_expression.alpha: 2"),
        (
            {"differential_expression": {"alpha": "0.05"}},
            "'0.05' is not valid; expected a number above 0 and below 1: false discovery rate",
        ),
        ({"counts": []}, "counts: the list is empty; expected a list: one or several raw"),
        (
            {"design": {"before": "pre", "after": "pre"}},
            "before and after are both 'pre'; expected two different levels",
        ),
        ({"enrichment": {"min_size": 50, "max_size": 10}}, "min_size 50 is above max_size 10"),
        (
            {"design": {"before": "pre", "after": "post", "group": "donor"}},
            "donor and group both name the column 'donor'",
        ),
        ({"cohort": "../.."}, "has no letter or digit, so no file can be named"),
        ({"factors": {"CCL28": {"serom": "x"}}}, "Did you mean 'serum'?"),
        ({"factors": {"a b": {}, "a_b": {}}}, "both become 'a_b' in file names"),
    ],
)
def test_each_mistake_has_its_message(
    schema: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    _, problems = resolve(schema, **changes)
    assert len(problems) == 1, problems
    assert said in problems[0]
    assert problems[0].startswith("my.yaml")


def test_all_mistakes_in_one_list(schema: dict[str, Any]) -> None:
    _, problems = resolve(schema, fractional="no", seed=-1, colour="red")
    assert len(problems) == 3


def test_bundled_configs_are_valid(schema: dict[str, Any], repository: Path) -> None:
    paths = [
        repository / "config" / "config.yaml",
        *(repository / "config/examples").glob("*.yaml"),
    ]
    assert len(paths) >= 3
    for path in paths:
        _, problems = configuration.resolve(yaml.safe_load(path.read_text()), schema, str(path))
        assert problems == (), path


def test_usable_lets_other_checks_speak(schema: dict[str, Any]) -> None:
    raw = copy.deepcopy(MINIMAL) | {"colour": "red", "fractional": "no"}
    usable = configuration.usable(raw, schema)
    assert usable is not None
    assert usable["fractional"] == "refuse"
    assert "colour" not in usable
    assert configuration.usable({"cohort": "c"}, schema) is None


def test_every_key_is_described_and_closed(schema: dict[str, Any]) -> None:
    def walk(part: dict[str, Any], path: str) -> None:
        if "properties" in part:
            assert part.get("additionalProperties") is False, path
        for key, about in part.get("properties", {}).items():
            assert about.get("description", "").endswith("."), f"{path}.{key}"
            required = key in part.get("required", ())
            assert required or "default" in about, f"{path}.{key} has no default"
            walk(about, f"{path}.{key}")
        rest = part.get("additionalProperties")
        if isinstance(rest, dict):
            walk(rest, f"{path}.*")

    walk(schema, "config")


def test_missing_files_name_the_nearest(schema: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "counts.tsv").write_text("x")
    resolved, _ = resolve(schema, counts=[str(tmp_path / "count.tsv")], gene_sets=[])
    said = [str(problem) for problem in missing_files(resolved, "my.yaml")]
    assert f"Did you mean '{tmp_path / 'counts.tsv'}'?" in said[0]
    assert "no file 'samples.tsv'" in said[1]


def test_bundled_resources_are_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "x.gmt").write_text("x")
    assert locate("resources/x.gmt", tmp_path) == str(tmp_path / "resources/x.gmt")
    assert locate("resources/y.gmt", tmp_path) == "resources/y.gmt"
    assert locate("elsewhere/x.gmt", tmp_path) == "elsewhere/x.gmt"
    assert locate(None, tmp_path) is None


@pytest.mark.parametrize(
    ("name", "file"),
    [("0.5%_vs_21%", "0.5__vs_21_"), ("../../x", ".._.._x"), ("a b", "a_b"), ("ä", "_")],
)
def test_file_names_stay_in_their_folder(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": 0.1}, "unknown key 'alpha'. It belongs under"),
        ({"serum": "x"}, "It belongs under 'factors.NAME'."),
        ({"design": None}, "the key has no value; expected keys with their values: the meaning"),
        ({"counts": "x.tsv"}, "'x.tsv' is not valid; expected a list: one or several raw count"),
        ({"counts": "x.tsv"}, "Write it as a list: [x.tsv]."),
        (
            {"targets": ["BGN", "DCN", "BGN"]},
            "'BGN' appears more than once; expected a list: genes",
        ),
        ({"samples": ""}, "the text is empty; expected text: sample sheet (TSV, CSV or Excel)"),
        (
            {"serum_panel": {"table": ""}},
            "the text is empty; expected text: table of levels (TSV, CSV or Excel)",
        ),
        ({"design": {"before": 0, "after": "24"}}, "Put it in quotes: '0'."),
        ({"design": {"before": "pre", "after": True}}, "YAML reads yes, no, on, off"),
        (
            {"differential_expression": {"alpha": "0,05"}},
            "expected a number above 0 and below 1: false discovery rate of every call. "
            "Write decimals with a point.",
        ),
        ({"seed": -1}, "-1 is not valid; expected a whole number at least 0: seed"),
        (
            {"differential_expression": {"alpha": float("nan")}},
            "nan is not valid; expected a number",
        ),
        ({"differential_expression": {"lfc_threshold": float("inf")}}, "lfc_threshold: inf is not"),
        ({"factors": {"..": {}}}, "factors: the name '..' has no letter or digit"),
        ({"cohort": "x" * 121}, "cohort: the name 'xxx"),
        (
            {"design": {"before": "a", "after": "b", "covariates": ["donor"]}},
            "the covariate 'donor' is also the column of design.donor",
        ),
        ({"counts": [["a"] * 40]}, "'a', '... is not valid"),
    ],
)
def test_a_message_says_what_yaml_made_of_it(
    schema: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    _, problems = resolve(schema, **changes)
    assert len(problems) == 1, problems
    assert said in problems[0]


@pytest.mark.parametrize("path", ["a" * 300, "x/" + "é" * 200, "a\0b"])
def test_what_can_be_no_path_is_missing(schema: dict[str, Any], path: str) -> None:
    resolved, _ = resolve(schema, counts=[path], gene_sets=[])
    missing = dict(missing_files(resolved, "my.yaml"))
    assert set(missing) == {path, "samples.tsv"}
    assert not can_be_path(path)
    assert "a dash per file" in str(missing[path])
    assert can_be_path("results/a b/é.tsv")


def test_levels_without_quotes_do_not_hide_the_rest(schema: dict[str, Any]) -> None:
    raw = copy.deepcopy(MINIMAL) | {"design": {"before": 0, "after": 24}}
    usable = configuration.usable(raw, schema)
    assert usable is not None
    assert (usable["design"]["before"], usable["design"]["after"]) == ("0", "24")


def test_keys_that_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\nb:\n  c: 1\n  a: 2\nd:\n- {e: 1, f: 2,\n   e: 3}\na: 4\n")
    said = [str(problem) for problem in configuration.repeated_keys(path)]
    assert sorted(text.split(": ", 1)[1].split(";")[0] for text in said) == [
        "the key 'a' is already in line 1",
        "the key 'e' is already in line 6",
    ]
    path.write_text("")
    assert list(configuration.repeated_keys(path)) == []
