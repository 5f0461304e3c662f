"""What a profile may say, made of the models: a JSON Schema for editors and a page for people.

What a key means is its docstring in the model, read from the source here, so that it is written
once. Nothing of this is loaded when the agent runs.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from edge_agent.devices.profiles.schema import Profile

Schema = dict[str, Any]


def profile_schema() -> Schema:
    """JSON Schema (2020-12) of a profile, with what each key means."""
    schema = Profile.model_json_schema()
    meanings = dict(_meanings(Profile, set()))
    for name, part in {Profile.__name__: schema, **schema.get("$defs", {})}.items():
        for key, value in part.get("properties", {}).items():
            value.pop("title", None)
            if meaning := meanings.get((name, key)):
                value["description"] = meaning
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "warehouse-edge device profile",
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(profile_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def page() -> str:
    """Every key of a profile, for people."""
    schema = profile_schema()
    tables = [("At the top", schema), *_tables(schema, schema, "")]
    sections = "\n\n".join(
        f"## {title}\n\n{_first_line(part)}"
        "| key | takes | unless said | means |\n| --- | --- | --- | --- |\n"
        + "\n".join(_rows(schema, part))
        for title, part in tables
    )
    return f"""# Keys of a device profile

How to write one is told in [profiles.md](../devices/profiles.md). A key that is not here is a
mistake, and `edge-agent profiles check FILE` names it with its line. For editors:
[profile.schema.json](profile.schema.json).

{sections}

This page is generated from `edge_agent/devices/`.
"""


def _tables(schema: Schema, part: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """The tables below one, each with its heading, in the order of the models."""
    for key, value in part.get("properties", {}).items():
        inner = _named(schema, value)
        if inner is None:
            continue
        many = _is_list(value)
        yield f"`[[{path}{key}]]`" if many else f"`[{path}{key}]`", inner
        yield from _tables(schema, inner, f"{path}{key}.")


def _first_line(part: Schema) -> str:
    said = str(part.get("description", "")).replace("``", "`").split("\n\n")[0]
    return f"{' '.join(said.split())}\n\n" if said else ""


def _rows(schema: Schema, part: Schema) -> Iterator[str]:
    for key, value in part.get("properties", {}).items():
        if part is schema and _named(schema, value) is not None:
            continue  # a table of its own below
        table = _named(schema, value)
        default = None if table is not None else value.get("default")
        unless = "" if default in (None, "", []) else f"`{json.dumps(default, ensure_ascii=False)}`"
        if key in part.get("required", ()):
            unless = "must be there"
        means = " ".join(str(value.get("description", "")).replace("``", "`").split())
        cells = [f"`{key}`", _takes(schema, value), unless, means]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(schema: Schema, value: Schema) -> str:
    if _named(schema, value) is not None:
        return "tables, see below" if _is_list(value) else "a table, see below"
    if "anyOf" in value:
        kinds = [_takes(schema, one) for one in value["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kind = str(value.get("type", "a value"))
    if kind == "array":
        return f"a list of {_takes(schema, value.get('items', {}))}"
    low, high = value.get("minimum"), value.get("maximum")
    low = f"more than {value['exclusiveMinimum']}" if "exclusiveMinimum" in value else low
    limits = f" ({low} to {high})" if low is not None and high is not None else ""
    words = {"string": "text", "boolean": "true or false", "object": "a table"}
    return words.get(kind, f"a {kind}" if kind != "integer" else "a whole number") + limits


def _named(schema: Schema, value: Schema) -> Schema | None:
    """The table that a key holds, or holds a list of."""
    inner = value.get("items", {}) if _is_list(value) else value
    for one in [inner, *inner.get("anyOf", ()), *inner.get("allOf", ())]:
        if "$ref" in one:
            part: Schema = schema["$defs"][one["$ref"].rpartition("/")[2]]
            return part if "properties" in part else None
    return None


def _is_list(value: Schema) -> bool:
    return value.get("type") == "array"


def _meanings(model: type[BaseModel], seen: set[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """The docstring of every field of ``model`` and of the models it holds."""
    if model.__name__ in seen:
        return
    seen.add(model.__name__)
    module = ast.parse(inspect.getsource(importlib.import_module(model.__module__)))
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == model.__name__:
            for key, meaning in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(key, ast.AnnAssign)
                    and isinstance(key.target, ast.Name)
                    and isinstance(meaning, ast.Expr)
                    and isinstance(meaning.value, ast.Constant)
                ):
                    said = inspect.cleandoc(str(meaning.value.value))
                    yield (model.__name__, key.target.id), said
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            yield from _meanings(inner, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)
