"""Scalar types of the contract: decimal strings, unit codes, instants.

Quantities travel as decimal *strings*: a JSON number would pass through binary floating point in
half of the systems on the way, and 0.1 kg would not come out as it went in.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

#: Largest quantity or weight the contract takes. Above it a scan is a mistake (a barcode read
#: into the quantity field is the usual one), not a stock movement.
MAX_QUANTITY = Decimal("999999999")

#: Names of devices and sites: a topic level, a URI segment and a file name at once.
IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?")
_DECIMAL_PATTERN = rf"^{_DECIMAL.pattern}$"


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        value = format(value, "f")
    if not isinstance(value, str):
        raise ValueError('must be a decimal string such as "3" or "0.250", not a JSON number')
    if not _DECIMAL.fullmatch(value):
        raise ValueError(
            f"{value[:40]!r} is not a decimal: at most 9 digits, at most 6 after the point, "
            "no exponent, no thousands separator"
        )
    return Decimal(value)


def decimal_text(value: Decimal) -> str:
    """Write a decimal the way the contract spells it: no exponent, no trailing zeros lost."""
    return format(value, "f")


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("must be greater than zero: to take a scan back, send an event.reversed")
    return value


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError("must not be negative")
    return value


_AsText = PlainSerializer(decimal_text, return_type=str)
_Schema = WithJsonSchema({"type": "string", "pattern": _DECIMAL_PATTERN})

#: A decimal string greater than zero.
Quantity = Annotated[
    Decimal, BeforeValidator(_decimal), AfterValidator(_positive), _AsText, _Schema
]
#: A decimal string of zero or more: a count may find nothing.
CountedQuantity = Annotated[
    Decimal, BeforeValidator(_decimal), AfterValidator(_not_negative), _AsText, _Schema
]
#: A decimal string of either sign: a scale below zero says so.
SignedDecimal = Annotated[Decimal, BeforeValidator(_decimal), _AsText, _Schema]

#: UN/ECE Recommendation 20 unit code, for example ``C62`` (one), ``KGM`` (kilogram).
UnitCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,3}$", examples=["C62", "KGM"])]

_NUL_FREE = "^[^\\u0000]*$"


def _nul_free(value: str) -> str:
    if "\0" in value:
        raise ValueError("contains a NUL character, which no database keeps: leave it out")
    return value


#: Text that PostgreSQL takes, too: it has no way to keep a NUL character.
NulFree = Annotated[str, AfterValidator(_nul_free), Field(json_schema_extra={"pattern": _NUL_FREE})]


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        text = value
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text[:40]!r} is not an RFC 3339 time such as 2026-11-23T10:00:00.120Z"
            ) from None
    if not isinstance(value, datetime):
        raise ValueError("must be an RFC 3339 time string")
    if value.tzinfo is None:
        raise ValueError("has no time zone: add Z or an offset such as +01:00")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the calendar") from None


def instant_text(value: datetime) -> str:
    """RFC 3339 in UTC with microseconds: fixed width, so that text sorts as time does."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


#: A moment in UTC; RFC 3339 text with an offset on the wire.
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(instant_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
