"""The resolved config of a cohort: schema, defaults, and what a schema cannot say.

Defaults live in `data/config.schema.yaml` alone.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from fibroserum.errors import Problem, either, nearest
from fibroserum.input.covariates import covariate_names
from fibroserum.input.names import composed_config, long_names, name_clashes, nameless
from fibroserum.input.normalization import normalization_problems
from fibroserum.input.serum_panel import key_problems, with_panel_scale
from fibroserum.input.sheet import compared_and_ignored, times_after, with_sheet_names

Config = dict[str, Any]


def read_config(path: Path) -> Any:
    """Return the content of a config file, JSON or else YAML, as Snakemake reads it."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if _is_json(text) else yaml.safe_load(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy of `value` with the schema's defaults where it says nothing."""
    if not isinstance(value, Mapping):
        return copy.deepcopy(value)
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    filled = {
        key: with_defaults(item, known.get(key) or (rest if isinstance(rest, Mapping) else {}))
        for key, item in value.items()
    }
    for key, about in known.items():
        if key not in filled and "default" in about:
            filled[key] = with_defaults(about["default"], about)
    return filled


def defaults_of(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the keys of a resolved config that the user's leaves out, dots between sections."""
    for key, value in resolved.items():
        own = raw.get(key)
        if isinstance(value, Mapping) and value and (own is None or isinstance(own, Mapping)):
            yield from defaults_of(own or {}, value, (*path, str(key)))
        elif key not in raw:
            yield ".".join((*path, str(key)))


def schema_at(schema: Mapping[str, Any], path: list[Any]) -> Mapping[str, Any]:
    """Return the part of the schema that governs a place in the config."""
    for step in path:
        if isinstance(step, int):
            schema = schema.get("items", {})
        else:
            rest = schema.get("additionalProperties")
            schema = schema.get("properties", {}).get(step) or (
                rest if isinstance(rest, Mapping) else {}
            )
    return schema


def _key(path: list[Any]) -> str:
    return ".".join(map(str, path)) or "the top level"


_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "keys with their values",
    "string": "text",
}
# words that the schema no longer has, and what to write instead
_RETIRED = {"edger_ql": "The edgeR test was removed. Write 'limma_trend'."}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def _expected(about: Mapping[str, Any]) -> str:
    """Return in words what a place in the config holds: its type, its bounds, what it means."""
    types = about.get("type", ())
    words = " or ".join(_TYPES[name] for name in ([types] if isinstance(types, str) else types))
    bounds = " and ".join(f"{word} {about[key]}" for key, word in _BOUNDS.items() if key in about)
    meaning = about.get("description", "").rstrip(".")
    if not meaning[1:2].isupper():  # an acronym keeps its capitals
        meaning = meaning[:1].lower() + meaning[1:]
    return ": ".join(part for part in (f"{words} {bounds}".strip(), meaning) if part)


def _homes(schema: Mapping[str, Any], key: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every section of the schema that has a key, with dots between its names."""
    for name, about in schema.get("properties", {}).items():
        if name == key and path:
            yield ".".join(path)
        yield from _homes(about, key, (*path, name))
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping):
        yield from _homes(rest, key, (*path, "NAME"))


def _yaml_hint(value: object, types: object) -> str:
    """Return what to do about a value of another type: mostly something that YAML has read so."""
    wanted = [types] if isinstance(types, str) else list(types) if isinstance(types, list) else []
    if value is None:
        return "Indent the lines that belong to the key."
    if "array" in wanted and isinstance(value, Mapping):
        return f"Write it as a list: [{_one_each(value)}]."
    if isinstance(value, Mapping) and len(value) > 1:
        return f"Write each as a separate entry: {_one_each(value)}."
    if "string" in wanted and isinstance(value, bool):
        return (
            "YAML reads yes, no, on, off, true and false as true or false. Put the word in quotes."
        )
    if "string" in wanted and isinstance(value, int | float):
        return f"YAML reads it as a number. Put it in quotes: '{value}'."
    if "array" in wanted and isinstance(value, str):
        return f"Write it as a list: [{value}]."
    if "number" in wanted and isinstance(value, str) and re.fullmatch(r"[-+]?\d+,\d+", value):
        return "Write decimals with a point."
    return ""


def _one_each(value: Mapping[Any, Any]) -> str:
    """Return the keys of a mapping as a list in YAML, each with its value."""
    return ", ".join(f"{{{key}: {item}}}" for key, item in value.items())


def schema_problems(config: Config, schema: dict[str, Any], where: str) -> Iterator[Problem]:
    """Yield every problem that a schema finds in a config; where: its name, for messages."""
    for error in sorted(
        Draft202012Validator(schema).iter_errors(config), key=lambda e: e.json_path
    ):
        path = list(error.absolute_path)
        place = f"{where}, {_key(path)}"
        about = schema_at(schema, path)
        if error.validator == "additionalProperties":
            known = list(about.get("properties", {}))
            for key in sorted(set(error.instance) - set(known), key=str):
                homes = " or ".join(f"'{home}'" for home in _homes(schema, key))
                hint = f"It belongs under {homes}." if homes else nearest(key, known)
                if path and key in schema.get("properties", {}):
                    hint = "It belongs at the top level."
                yield Problem(f"unknown key '{key}'", place, hint=hint)
        elif error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance:
                    expected = _expected(schema_at(schema, [*path, key]))
                    yield Problem(f"missing key '{key}'", place, expected)
        elif "propertyNames" in error.absolute_schema_path:
            what = (
                "a key is empty"
                if error.instance == ""
                else f"the key {error.instance} is not text"
            )
            hint = _yaml_hint(error.instance, "string")
            yield Problem(what, place, "a name in quotes", hint)
        elif error.validator == "enum":
            valid = [item for item in error.validator_value if item is not None]
            hint = _RETIRED.get(str(error.instance)) or nearest(error.instance, valid, "")
            one_of = either(["null" if v is None else str(v) for v in error.validator_value])
            yield Problem(f"unknown value {error.instance!r}", place, one_of, hint)
        else:
            hint = _yaml_hint(error.instance, about.get("type"))
            if isinstance(error.instance, str) and "change_column" in about.get("properties", {}):
                hint = f"Write {{column: {error.instance}}}."
            yield Problem(_what(error.validator, error.instance), place, _expected(about), hint)


def _what(validator: str, value: Any) -> str:
    """Return what is wrong with a value that a keyword of the schema refuses."""
    if validator == "uniqueItems":
        twice = dict.fromkeys(str(item) for item in value if value.count(item) > 1)
        verb = "appears" if len(twice) == 1 else "appear"
        return f"{', '.join(repr(item) for item in twice)} {verb} more than once"
    if validator in ("minItems", "minLength"):
        return "the list is empty" if isinstance(value, list) else "the text is empty"
    if value is None:
        return "the key has no value"
    shown = repr(value)
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'} is not valid"


def _semantic_problems(config: Config, where: str) -> Iterator[Problem]:
    design, sets = config["design"], config["enrichment"]
    if design["before"] in times_after(design):
        yield Problem(
            f"before and after are both '{design['before']}'",
            f"{where}, design",
            "two different levels of the time column",
        )
    for level in compared_and_ignored(design):
        yield Problem(
            f"'{level}' is both compared and ignored",
            f"{where}, design.ignore_times",
            "only times that before and after do not list",
            f"Remove '{level}' from ignore_times, or from before and after.",
        )
    if sets["min_size"] > sets["max_size"]:
        yield Problem(
            f"min_size {sets['min_size']} is above max_size {sets['max_size']}",
            f"{where}, enrichment",
            "min_size at most max_size",
        )
    if design["block"] and config["differential_expression"]["second_opinion"] == "none":
        yield Problem(
            "design.block needs the second model, because the main model assumes that donors "
            "are independent",
            f"{where}, differential_expression.second_opinion",
            "limma_trend",
            "Remove 'second_opinion: none' or design.block from the config.",
        )
    yield from _column_problems(design, f"{where}, design")
    yield from normalization_problems(config, where)
    named = {"cohort": [config["cohort"]]}
    named |= {key: list(config[key]) for key in ("factors", "gene_lists")}
    for key, names in named.items():
        for name in names:
            if nameless(name):
                yield Problem(
                    f"the name '{name}' has no letter or digit, so no file can be named after it",
                    f"{where}, {key}",
                    "a name with a letter or a digit",
                )
        yield from long_names(names, f"{where}, {key}")
        yield from name_clashes(names, f"{where}, {key}", key.replace("_", " "))
    for entry in config["genes"]["exclude"]:
        if not entry.strip("* "):
            yield Problem(
                f"'{entry}' would exclude every gene that no other key names",
                f"{where}, genes.exclude",
                "ids or symbols, or a part of one with *, such as 'MT-*'",
            )
    yield from _endless_numbers(config, where)
    yield from key_problems(config, where)
    for factor, entry in config["factors"].items():
        arm = entry["stimulation"]
        if arm and arm["control"] == arm["treated"]:
            yield Problem(
                f"control and treated are both '{arm['control']}'",
                f"{where}, factors.{factor}.stimulation",
                "two different levels",
            )


def _endless_numbers(config: Config, where: str, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Yield a problem for each number that is infinite or none: no bound of the schema holds it."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _endless_numbers(value, where, (*path, str(key)))
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(f"{value} is not valid", f"{where}, {'.'.join((*path, key))}", "a number")


def _column_problems(design: Config, where: str) -> Iterator[Problem]:
    """Yield a problem for each column of the sample sheet that the design uses twice."""
    covariates = covariate_names(design)
    for column in dict.fromkeys(name for name in covariates if covariates.count(name) > 1):
        what = f"the covariate '{column}' appears {covariates.count(column)} times"
        yield Problem(what, f"{where}.covariates", "each covariate only once")
    named = ("sample", "donor", "group", "time", "line", "pool", "block", "dose")
    columns = {key: design[key] for key in named if design[key]}
    for key, column in columns.items():
        twins = [other for other in columns if other > key and columns[other] == column]
        for twin in twins:
            yield Problem(
                f"{key} and {twin} both name the column '{column}'",
                where,
                "a different column for each",
            )
        if column in covariates:
            yield Problem(
                f"the covariate '{column}' is also the column of design.{key}",
                f"{where}.covariates",
                "other columns of the sample sheet",
                f"The models already contain the {key}. Remove it from covariates.",
            )


def placeholders(value: Any, where: str, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Yield a problem for each `<placeholder>` of the template that is still in a config."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from placeholders(str(key), where, path)
            yield from placeholders(item, where, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from placeholders(item, where, path)
    elif isinstance(value, str) and re.fullmatch(r"\s*<[A-Za-z][^<>]*>\s*", value):
        place = f"{where}, {_key(list(path))}"
        what = f"the placeholder '{value.strip()}' is not filled in"
        hint = "Replace the words in angle brackets."
        yield Problem(what, place, f"the {value.strip().strip('<>')}", hint)


def source(file: Path) -> str:
    """Return a config file's path for messages, relative to the working directory."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def repeated_keys(path: Path) -> Iterator[Problem]:
    """Yield a problem for each key that stands twice in one section of a config file.

    YAML itself uses the last one without a warning. The file must be valid YAML.
    """
    text = path.read_text(encoding="utf-8")
    # JSON is YAML but for tabs, which stand between its words alone
    text = text.replace("\t", " ") if _is_json(text) else text
    waiting = [yaml.compose(text, Loader=yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            waiting.append(value)
            line = key.start_mark.line + 1
            first = lines.setdefault(str(key.value), line)
            if first != line:
                what = f"the key '{key.value}' is already in line {first}"
                where = f"{source(path)}, line {line}"
                yield Problem(
                    what,
                    where,
                    "each key only once",
                    "YAML would use only the last one. Merge them.",
                )


def resolve(
    config: Config, schema: dict[str, Any], where: str = "config"
) -> tuple[Config, tuple[Problem, ...]]:
    """Return the config with defaults, and every problem found in it.

    The config is complete, and safe to use, only when there are no problems.
    """
    config = composed_config(config)
    problems = list(schema_problems(config, schema, where))
    resolved = with_defaults(config, schema)
    if not problems:
        problems = list(_semantic_problems(resolved, where))
        resolved = with_panel_scale(with_sheet_names(resolved))
    return resolved, tuple(problems)


def usable(config: Config, schema: dict[str, Any]) -> Config | None:
    """Return the complete config without the values the schema refuses, or None if none is left.

    It is never run: it lets the other checks speak when the config has a mistake.
    """
    validator = Draft202012Validator(schema)
    mended = composed_config(copy.deepcopy(config))
    for error in list(validator.iter_errors(mended)):
        path = list(error.absolute_path)
        parent = mended
        if error.validator == "additionalProperties":
            for step in path:
                parent = parent[step]
            for key in set(error.instance) - set(schema_at(schema, path).get("properties", {})):
                parent.pop(key, None)
        elif path and error.validator != "required":
            for step in path[:-1]:
                parent = parent[step]
            if error.validator == "type" and type(error.instance) in (int, float):
                parent[path[-1]] = str(error.instance)  # a level or name without its quotes
            elif isinstance(parent, dict):
                parent.pop(path[-1], None)
    if not validator.is_valid(mended):
        return None
    return with_panel_scale(with_sheet_names(with_defaults(mended, schema)))
