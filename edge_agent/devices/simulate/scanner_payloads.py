"""A read as a reader or app publishes it: the way back of ``scanners.payloads``. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.simulate.scanner_frames import framed, split_aim
from edge_contract.scalars import instant_text

_TICKS = {"epoch-s": 1, "epoch-ms": 10**3, "epoch-us": 10**6, "epoch-ns": 10**9}


def payload_of(profile: ScannerProfile, barcode: str, now: datetime, identity: UUID) -> bytes:
    """One read as an MQTT payload of the profile's format: its text, or JSON with everything where
    the profile looks for it first.

    Raises ValueError when the profile looks in places that this cannot make up.
    """
    data, symbology = split_aim(barcode)
    if profile.format == "text":
        return framed(profile, data, symbology)
    if profile.format == "hex":
        return framed(profile, data, symbology).hex().encode()
    if profile.event is not None:
        raise ValueError("a profile with [scanner.event] maps whole messages: publish one yourself")
    read = profile.read
    whole: dict[str, Any] = {}
    told: dict[str, Any] = {} if read.list else whole
    if read.list:
        _put(whole, whole, read.list, [told])
    _put(told, whole, read.data, _written(profile, data))
    if read.symbology and symbology:
        _put(told, whole, read.symbology, symbology)
    if read.id:
        _put(told, whole, read.id, str(identity))
    if read.time:
        _put(told, whole, read.time, _time(read.time_format, now))
    for source, values in read.only.items():
        if values:
            _put(told, whole, (source,), values[0])
    return json.dumps(whole).encode()


def _written(profile: ScannerProfile, data: str) -> str:
    encoding = profile.read.data_encoding
    if encoding == "text":
        return data
    if encoding == "base64-hex":
        return base64.b64encode(bytes.fromhex(data)).decode()
    raw = data.encode(profile.encoding[0])
    return raw.hex() if encoding == "ascii-hex" else base64.b64encode(raw).decode()


def _time(form: str, now: datetime) -> Any:
    if form in ("iso", "any"):
        return instant_text(now)
    if form in _TICKS:
        return int(now.timestamp() * _TICKS[form])
    return now.strftime(form)


def _put(read: dict[str, Any], whole: dict[str, Any], sources: Sequence[str], value: Any) -> None:
    """Put ``value`` where the first of the JSON pointers says: in the read, or in all of it."""
    pointer = next((one for one in sources if one.removeprefix("#")[1:]), "")
    if not pointer.startswith(("/", "#/")):
        raise ValueError("the profile looks where a simulator has nothing to put, as in the topic")
    target = whole if pointer.startswith("#") else read
    *path, name = pointer.removeprefix("#")[1:].split("/")
    for step in path:
        target = target.setdefault(step, {})
    target[name] = value
