"""``edge-agent decode`` for scanners: one JSON object a frame. Pure; never raises."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    NoRead,
    PayloadResult,
    ScannerRead,
    UnreadableFrame,
)
from edge_agent.devices.scanners.serial_frames import SerialFrames
from edge_agent.devices.scanners.symbologies import name_of
from edge_contract.scalars import instant_text


def decode_scanner(frame: bytes, profile: ScannerProfile) -> dict[str, Any]:
    """``{"reads": [{"data", "symbology", "aim", "time", …}], "noread", "pending", "errors"}``.

    Text is cut as on a serial line, so a frame without its end is ``pending``; where the profile
    sets ``idle_flush_s``, the end of the frame is such a silence.
    """
    if profile.format != "text":
        return _object(read_payload(profile, frame) if frame else [], 0)
    frames = SerialFrames(profile)
    found: list[PayloadResult] = [*frames.feed(frame), *frames.idle()]
    return _object(found, frames.pending)


def _object(results: Sequence[PayloadResult], pending: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "reads": [_read(one) for one in results if isinstance(one, ScannerRead)],
        "noread": any(isinstance(one, NoRead) for one in results),
        "pending": pending > 0,
        "errors": [_error(one) for one in results if isinstance(one, UnreadableFrame)],
    }
    if events := [_event(one) for one in results if isinstance(one, MappedEvent)]:
        answer["events"] = events
    return answer


def _read(read: ScannerRead) -> dict[str, Any]:
    named = name_of(read.symbology) if read.symbology else None
    return {
        "data": read.data,
        "symbology": named or read.said_symbology,
        "aim": read.symbology,
        "time": None if read.time is None else instant_text(read.time),
        "id": read.id,
        "sequence": read.sequence,
        **{name: _plain(value) for name, value in read.fields.items()},
    }


def _event(event: MappedEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "id": event.id,
        "time": None if event.time is None else instant_text(event.time),
        "sequence": event.sequence,
        "data": event.data,
    }


def _error(fault: UnreadableFrame) -> dict[str, Any]:
    return {"code": fault.code, "message": fault.message, "hex": fault.raw[:100].hex()}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
