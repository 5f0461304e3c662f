"""Configuration in TOML: text in, checked model out, and errors a person can act on.

Pure: the caller reads the file. Every error names file, line and key, says what is wrong, and an
unknown key is answered with the known one that looks most like it.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge_contract.errors import NeedsOperator
from edge_contract.scalars import IDENTIFIER_PATTERN

Model = TypeVar("Model", bound=BaseModel)

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[^\s=.]+)*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
#: A value under such a key is never repeated in a message.
_SECRET = re.compile(r"token|password|secret|api_?key$")
#: How few letters two keys must differ in to be taken for a slip of the finger (difflib's ratio).
_ALIKE = 0.6


class ConfigurationError(NeedsOperator):
    """A configuration that cannot be used; the message has a line for every mistake."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("configuration", message, remedy)


def parse_toml(text: str, file: str, model: type[Model], remedy: str = "") -> Model:
    """Check ``text`` (the content of ``file``) against ``model``.

    Raises :class:`ConfigurationError` with every mistake found, one a line.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(syntax_sentence(error, file), remedy) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [
            sentence(detail, text, data, file, model)
            for detail in error.errors(include_url=False, include_context=False)
        ]
        raise ConfigurationError("\n".join(dict.fromkeys(lines)), remedy) from None


def syntax_sentence(error: tomllib.TOMLDecodeError, file: str) -> str:
    """``relay.toml:3: not TOML: Invalid value (column 8).``"""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
    if match:
        return f"{file}:{match[2]}: not TOML: {match[1]} (column {match[3]})."
    return f"{file}: not TOML: {error}."


def sentence(
    detail: ErrorDetails, text: str, data: Mapping[str, Any], file: str, model: type[BaseModel]
) -> str:
    """One mistake: file, line, key, what is wrong, and what was perhaps meant."""
    location = [part for part in detail["loc"] if part != "[key]"]
    keys, value = _in_data(location, data, missing=detail["type"] == "missing")
    name = ".".join(str(key) for key in keys)
    section = ".".join(str(key) for key in keys[:-1])
    line = line_of(text, keys)
    at = f"{file}:{line}" if line else file
    if detail["type"] == "missing":
        where = f" in [{section}]" if section else ""
        return f"{at}: {keys[-1]} is missing{where}."
    if detail["type"] == "extra_forbidden":
        known = known_keys(model, keys[:-1])
        alike = difflib.get_close_matches(str(keys[-1]), known, n=1, cutoff=_ALIKE)
        if alike:
            return f"{at}: {name} is unknown; did you mean {alike[0]}?"
        return f"{at}: {name} is unknown; known here: {', '.join(known)}."
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    if message.endswith(f"'{IDENTIFIER_PATTERN}'"):
        message = "a name has a-z, 0-9, and after its first character also . _ and -, 63 at most"
    if isinstance(value, str | int | float) and not _SECRET.search(str(keys[-1] if keys else "")):
        message += f" (it is {value!r})"
    return f"{at}: {name}: {message}." if name else f"{at}: {message}."


def placed(mistake: str, text: str, file: str) -> str:
    """``mistake`` (``devices.dock-2: …``), found after the parsing, with its file and line."""
    table, _, rest = mistake.partition(": ")
    inner = re.match(r"override\.[\w.-]+", rest)
    keys = [*table.split("."), *(inner[0].rstrip(".").split(".") if inner else ())]
    line = line_of(text, keys)
    return f"{file}:{line}: {mistake}" if line else f"{file}: {mistake}"


def line_of(text: str, keys: Sequence[str | int]) -> int | None:
    """The line (from 1) where ``keys`` is set, else where the nearest table around it begins."""
    found: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = tuple(part.strip("\"'") for part in _PART.findall(header[2]))
            found.setdefault(table, number)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = tuple(part.strip("\"'") for part in _PART.findall(key[1]))
            for length in range(1, len(parts) + 1):
                found.setdefault(table + parts[:length], number)
    for length in range(len(keys), 0, -1):
        if line_number := found.get(tuple(keys[:length])):
            return line_number
    return None


def known_keys(model: type[BaseModel], keys: Sequence[str | int]) -> list[str]:
    """The keys that may stand in the table ``keys`` of a file of ``model``."""
    models: list[type[BaseModel]] = [model]
    for key in keys:
        models = [inner for outer in models for inner in _inside(outer, key)] or models
    names = [field.alias or name for found in models for name, field in found.model_fields.items()]
    return list(dict.fromkeys(names))


def _inside(model: type[BaseModel], key: str | int) -> list[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return _models(field.annotation)
    return [model]  # the key of a dict or the index of a list: its model was taken already


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is None and annotation is not Union:
        return []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _in_data(
    location: Sequence[str | int], data: Mapping[str, Any], missing: bool
) -> tuple[list[str | int], Any]:
    # Pydantic puts the tags of unions among the keys; only what the file really has is kept.
    keys: list[str | int] = []
    value: Any = data
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        keys.append(part)
    if missing:
        keys.append(location[-1])
    return keys, value
