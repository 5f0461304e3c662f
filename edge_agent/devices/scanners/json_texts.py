"""JSON as devices send it: one value, several glued together, or one a line. Pure.

Numbers keep their digits (``Decimal``), because a quantity is booked as it was written. NaN and
Infinity are no JSON, and neither is a number that no warehouse needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from edge_agent.devices.scanners.reads import UnreadableFrame, unreadable

#: Digits and exponent beyond which a number is noise.
_MOST_DIGITS = 60
_WHITE = " \t\r\n"


def _number(text: str) -> int | Decimal:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"the number {text[:20]}… has more than {_MOST_DIGITS} characters")
    if text.lstrip("-").isdigit():
        return int(text)
    number = Decimal(text)
    if number and not -_MOST_DIGITS < number.adjusted() < _MOST_DIGITS:
        raise ValueError(f"the number {text[:20]} is beyond all measure")
    return number


def _constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_constant, strict=False
)


def json_values(payload: bytes, form: str) -> Iterator[Any | UnreadableFrame]:
    """Every value of ``payload``, and an ``UnreadableFrame`` for what is none.

    ``form``: ``json``, ``glued-json`` or ``ndjson``.
    """
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        yield unreadable(
            payload, "not_utf8", f"The payload is not UTF-8 text: byte {wrong.start} is wrong."
        )
        return
    if not text.strip(_WHITE):
        yield unreadable(payload, "empty", "The payload is empty.")
    elif form == "ndjson":
        for line in text.split("\n"):
            if line.strip(_WHITE):
                yield _one(line)
    elif form == "json":
        yield _one(text)
    else:
        yield from _glued(text)


def _one(text: str) -> Any | UnreadableFrame:
    try:
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_WHITE)))
    except (ValueError, RecursionError, ArithmeticError) as error:
        return _fault(text, error)
    if text[end:].strip(_WHITE):
        return _fault(text, ValueError(f"more follows after its end at character {end}"))
    return value


def _glued(text: str) -> Iterator[Any | UnreadableFrame]:
    at, size = 0, len(text)
    while at < size:
        if text[at] in _WHITE or text[at] == ",":
            at += 1
            continue
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError, ArithmeticError) as error:
            broken = text.find("}{", at)  # the next object begins there, if any does
            end = size if broken < 0 else broken + 1
            yield _fault(text[at:end], error)
        else:
            yield value
        at = end


def _fault(text: str, error: Exception) -> UnreadableFrame:
    raw = text.encode("utf-8", "surrogatepass")
    if isinstance(error, RecursionError):
        return unreadable(raw, "too_deep", "The JSON is nested deeper than any read.")
    if isinstance(error, json.JSONDecodeError):
        said = f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.pos}"
    else:
        said = str(error) or type(error).__name__
    return unreadable(raw, "malformed_json", f"The payload is not JSON: {said}.")
