"""From what was read to the event it is, with an id that a resend shares. Pure.

The id of a raw read is made of the device and of the read's own content: a payload that the broker
delivers again is the same event. Where the content tells two reads of one label apart (a time, a
sequence or an id of the device) they are two; where it does not, the moment of arrival goes in,
because a read too many has no effect in Odoo and a lost one cannot be had again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from edge_agent.devices.complaints import complaint
from edge_agent.devices.gs1.reading import read_gs1
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    ScannerRead,
    UnreadableFrame,
    unreadable,
)
from edge_contract.event import DeviceEvent
from edge_contract.kinds import EFFECT_KINDS


def event_of(
    device: str, result: ScannerRead | MappedEvent, arrived: datetime
) -> DeviceEvent | UnreadableFrame:
    """The event of one read of ``device``: ``scan.read``, or what ``[scanner.event]`` says.

    Its ``gs1`` is filled in. ``arrived`` is its time where the device tells none. Never raises.
    """
    if isinstance(result, ScannerRead):
        kind, symbology = "scan.read", result.symbology
        data: dict[str, Any] = {"barcode": result.data}
        if symbology is not None:
            data["symbology"] = symbology
    else:
        kind, data = result.kind, dict(result.data)
        symbology = said if isinstance(said := data.get("symbology"), str) else None
    _resolve(data, symbology)
    claimed = {
        "id": _event_id(device, kind, result, arrived),
        "kind": kind,
        "time": result.time or arrived,
        "seq": result.sequence,
        "data": data,
    }
    try:
        return DeviceEvent.model_validate(claimed)
    except ValidationError as error:
        raw = result.raw if isinstance(result, MappedEvent) else _bytes_of(result)
        return unreadable(raw, *complaint(error, raw))


def _event_id(
    device: str, kind: str, result: ScannerRead | MappedEvent, arrived: datetime
) -> UUID | None:
    if isinstance(result, MappedEvent) and result.id is not None:
        try:
            return UUID(result.id)
        except ValueError:
            return _derived(device, b"id", kind.encode(), _text(result.id))
    if kind in EFFECT_KINDS:
        return None  # refused: without an id it could be booked twice
    own = result.time is not None or result.id is not None or result.sequence is not None
    return _derived(device, result.key, b"" if own else arrived.isoformat().encode())


def _derived(device: str, *parts: bytes) -> UUID:
    digest = hashlib.sha256(device.encode())
    for part in parts:
        digest.update(b"\0%d\0" % len(part) + part)
    return UUID(bytes=digest.digest()[:16], version=5)


def _resolve(data: dict[str, Any], symbology: str | None) -> None:
    lines = data.get("lines")
    inner = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    for goods in (data, *inner):
        goods.pop("gs1", None)
        barcode = goods.get("barcode")
        if isinstance(barcode, str):
            resolved = _gs1(barcode, symbology)
            if resolved is not None:
                goods["gs1"] = resolved


@lru_cache(maxsize=5_000)  # a kilobyte each; a shift scans the same labels again and again
def _gs1(barcode: str, symbology: str | None) -> Mapping[str, Any] | None:
    """JSON of what the barcode says. Shared between events: nobody changes it."""
    gs1 = read_gs1(barcode, symbology)
    return None if gs1 is None else gs1.model_dump(mode="json", exclude_defaults=True)


def _bytes_of(read: ScannerRead) -> bytes:
    said = {"data": read.data, "symbology": read.symbology, **read.fields}
    return json.dumps(said, default=str).encode()


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
