"""Where a value stands: RFC 6901 JSON pointers, from the read or from the payload, or the topic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_CAPTURE = re.compile(r"topic:[a-z][a-z0-9_]*")


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


#: Nothing stands there (``null`` is nothing, too).
MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Message:
    """What sources look into: one read of a payload, the payload, and its topic's captures."""

    item: Any
    document: Any
    captures: Mapping[str, str]


def check_source(text: str) -> None:
    """Raises ValueError with a sentence when ``text`` is no source."""
    if text.startswith("topic:"):
        if not _CAPTURE.fullmatch(text):
            raise ValueError(f"{text!r} names no capture of the topic, such as topic:device")
        return
    pointer = text.removeprefix("#")
    if pointer and not pointer.startswith("/"):
        raise ValueError(
            f"{text!r} is no JSON pointer: write /name/inner from the read, or #/name from the "
            "whole payload, or topic:capture"
        )
    if _BAD_ESCAPE.search(pointer):
        raise ValueError(f"{text!r}: in a JSON pointer ~ is written ~0 and / is written ~1")


def find(sources: Sequence[str], message: Message) -> Any:
    """The first of ``sources`` that is there and not null, or ``MISSING``."""
    for source in sources:
        root, tokens = _parsed(source)
        if root == "topic":
            value: Any = message.captures.get(tokens[0], MISSING)
        else:
            value = _resolve(tokens, message.document if root == "document" else message.item)
        if value is not MISSING and value is not None:
            return value
    return MISSING


def _resolve(tokens: tuple[str, ...], value: Any) -> Any:
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token, MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return MISSING
    return value


@lru_cache(maxsize=1000)
def _parsed(source: str) -> tuple[Literal["topic", "document", "item"], tuple[str, ...]]:
    """Where a source (checked before) starts, and its way from there."""
    if source.startswith("topic:"):
        return "topic", (source[6:],)
    tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in source.split("/")[1:])
    return ("document" if source.startswith("#") else "item"), tokens
