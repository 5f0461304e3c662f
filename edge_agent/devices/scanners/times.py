"""Times as devices write them: ISO 8601 in its spellings, epochs, and patterns."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Units of a second, in microseconds, by the name of the format.
_EPOCHS = {
    "epoch-s": Decimal(1_000_000),
    "epoch-ms": Decimal(1_000),
    "epoch-us": Decimal(1),
    "epoch-ns": Decimal("0.001"),
}
#: ``any``: the unit in which a number is a time from 2001 on and not yet of the next century.
_BY_DIGITS = {10: "epoch-s", 13: "epoch-ms", 16: "epoch-us", 19: "epoch-ns"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,12})?")
#: More digits than a datetime keeps: the rest is cut off.
_FINE = re.compile(r"([.,][0-9]{6})[0-9]+")


def check_time_format(text: str) -> None:
    """Raises ValueError with a sentence when there is no such format."""
    if text in ("iso", "any") or text in _EPOCHS:
        return
    if "%" not in text:
        raise ValueError(
            f"{text!r} is no time format: use iso, any, {', '.join(_EPOCHS)}, or a pattern such as "
            "%d.%m.%Y %H:%M:%S"
        )
    try:
        datetime.strptime(_EPOCH.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time format: {error}") from None


def check_time_zone(text: str) -> None:
    """Raises ValueError with a sentence when there is no such zone."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone such as UTC or Europe/Berlin") from None


def read_time(value: object, form: str, zone: str | None) -> datetime:
    """``value`` of a payload as an instant in UTC. Raises ValueError with a sentence."""
    shown = repr(str(value)[:40])
    if form == "any":
        form = _form_of(value)
    try:
        if form in _EPOCHS:
            return _from_epoch(value, _EPOCHS[form])
        if not isinstance(value, str):
            raise ValueError(f"the time {shown} is no text, as {form} wants")
        if form == "iso":
            found = datetime.fromisoformat(_FINE.sub(r"\1", value.strip()))
        else:
            found = datetime.strptime(value.strip(), form)
        if found.tzinfo is None:
            if zone is None:
                raise ValueError(f"the time {shown} has no zone: set time_zone in the profile")
            found = found.replace(tzinfo=ZoneInfo(zone))
        return found.astimezone(UTC)
    except (OverflowError, InvalidOperation):
        raise ValueError(f"the time {shown} is outside the calendar") from None
    except ValueError as error:
        said = str(error)
        if said.startswith("the time "):
            raise
        raise ValueError(f"the time {shown} is not written as {form}") from None


def _form_of(value: object) -> str:
    """``iso`` for what is no number, else the unit by the digits before the point."""
    if isinstance(value, bool) or not _NUMBER.fullmatch(text := str(value).strip()):
        return "iso"
    return _BY_DIGITS.get(len(text.partition(".")[0]), "iso")


def _from_epoch(value: object, unit: Decimal) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f"the time {str(value)[:40]!r} is no number")
    if not _NUMBER.fullmatch(text := str(value).strip()):
        raise ValueError(f"the time {text[:40]!r} is no number of seconds or parts of them")
    return _EPOCH + timedelta(microseconds=int(Decimal(text) * unit))
