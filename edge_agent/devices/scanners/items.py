"""One read of a JSON payload: its parts by the profile's pointers, or the event of it. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from edge_agent.devices.scanners.labels import Labels, content_key
from edge_agent.devices.scanners.mapping import Unmappable, mapped_data
from edge_agent.devices.scanners.pointers import MISSING, Message, find
from edge_agent.devices.scanners.profile import Reads, ScannerProfile
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    NoRead,
    PayloadResult,
    ScannerRead,
    unreadable,
)
from edge_agent.devices.scanners.symbologies import AIM_ID, aim_of
from edge_agent.devices.scanners.times import read_time

_MAX_SEQUENCE = 10**15


def items_of(reads: Reads, document: Any, captures: Mapping[str, str]) -> list[Any]:
    """The reads that ``document`` lists, or itself."""
    if reads.list:
        lists = [find((source,), Message(document, document, captures)) for source in reads.list]
        if any(found is not MISSING for found in lists):
            return [
                item
                for found in lists
                if found is not MISSING
                for item in (found if isinstance(found, list) else [found])
            ]
    return document if isinstance(document, list) else [document]


def read_item(profile: ScannerProfile, labels: Labels, message: Message) -> PayloadResult | None:
    """One read or event; ``None`` for what the profile leaves out. Never raises."""
    reads = profile.read
    for source, wanted in reads.only.items():
        if _plain(find((source,), message)) not in wanted:
            return None
    for source, unwanted in reads.ignore.items():
        if _plain(find((source,), message)) in unwanted:
            return None
    try:
        return _mapped(profile, message) if profile.event else _read(profile, labels, message)
    except Unmappable as fault:
        return unreadable(_raw(message.item), fault.code, fault.message)
    except RecursionError:
        return unreadable(b"", "too_deep", "The JSON is nested deeper than any read.")


def _read(profile: ScannerProfile, labels: Labels, message: Message) -> ScannerRead | NoRead | None:
    reads = profile.read
    data = _data(profile, find(reads.data, message))
    if data in profile.no_read:
        return NoRead(data)
    if not data:
        return None
    said = _label(reads, "symbology", message)
    symbology = None if said is None else aim_of(said, profile.symbologies)
    if profile.aim_id != "absent" and AIM_ID.match(data):
        symbology, data = data[:3], data[3:]
    elif profile.aim_id == "required" and symbology is None:
        raise Unmappable("bad_value", "The read has no AIM identifier, which the profile requires.")
    data = labels.separated(data, symbology)
    time, given, sequence = _common(reads, message)
    fields = {
        name: value
        for name, sources in (("antenna", reads.antenna), *reads.extras.items())
        if isinstance(value := find(sources, message), str | int | Decimal)
    }
    # A device's own id stands for the read; without one its whole content does.
    content = given if given is not None else repr(message.item)
    told = None if time is None else time.isoformat()
    key = content_key(data, symbology, content, *((told, str(sequence)) if given is None else ()))
    return ScannerRead(
        data, symbology, time, given, sequence, None if said == symbology else said, fields, key
    )


def _mapped(profile: ScannerProfile, message: Message) -> MappedEvent:
    assert profile.event is not None
    data = mapped_data(profile.event.data, message)
    time, given, sequence = _common(profile.read, message)
    raw = _raw(message.item)
    if given is None and profile.read.id:
        where = " or ".join(profile.read.id)
        raise Unmappable("missing_id", f"The message has no id at {where}.")
    key = content_key(raw.decode("utf-8", "surrogatepass"), str(time), str(sequence))
    return MappedEvent(profile.event.kind, data, time, given, sequence, key, raw)


def _common(reads: Reads, message: Message) -> tuple[datetime | None, str | None, int | None]:
    """Time, id and sequence, as far as the device tells them."""
    time = find(reads.time, message)
    try:
        told = None if time is MISSING else read_time(time, reads.time_format, reads.time_zone)
    except ValueError as error:
        raise Unmappable("bad_time", f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    given = find(reads.id, message)
    if given is not MISSING and (isinstance(given, bool) or not isinstance(given, str | int)):
        raise Unmappable("bad_value", "The id is neither text nor a whole number.")
    return (
        told,
        None if given is MISSING else str(given)[:500],
        _sequence(find(reads.sequence, message)),
    )


def _sequence(value: Any) -> int | None:
    if value is MISSING:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MAX_SEQUENCE:
        raise Unmappable("bad_value", f"The sequence {_shown(value)} is no number from 0 up.")
    return value


def _data(profile: ScannerProfile, value: Any) -> str:
    reads = profile.read
    if value is MISSING:
        where = " or ".join(reads.data)
        raise Unmappable("missing_field", f"The read has no data at {where}.")
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if number and reads.data_may_be_number:
        value = str(value)
    if not isinstance(value, str):
        why = ": a number has lost its leading zeros" if number else ""
        raise Unmappable("bad_value", f"The data {_shown(value)} is no text{why}.")
    if reads.data_encoding == "text":
        return value
    try:
        if reads.data_encoding == "ascii-hex":
            raw = bytes.fromhex(value)
        else:
            raw = base64.b64decode(value.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise Unmappable(
            "bad_value", f"The data {_shown(value)} is not {reads.data_encoding}."
        ) from None
    if reads.data_encoding == "base64-hex":
        return raw.hex().upper()
    for encoding in profile.encoding:
        try:
            return raw.decode(encoding)
        except UnicodeError:
            continue
    raise Unmappable("not_utf8", f"The data {_shown(value)} is no text in the profile's encoding.")


def _label(reads: Reads, name: str, message: Message) -> str | None:
    value = find(reads.symbology, message)
    if value is MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unmappable("bad_value", f"The {name} {_shown(value)} is no text.")
    return str(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | Decimal) else ""


def _raw(item: Any) -> bytes:
    """The item as JSON, the same for the same content."""
    try:
        text = json.dumps(item, ensure_ascii=False, default=str, separators=(",", ":"))
    except RecursionError:  # as deep as the parser just takes it
        return b""
    return text.encode("utf-8", "surrogatepass")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return repr(text[:40])
