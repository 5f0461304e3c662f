"""From a topic and its payload to a reading, or to bytes a person must look at. Pure.

Nothing here raises on input, and nothing is guessed: what does not fit the contract is quarantined
with its bytes and a sentence. The device's name comes from the topic only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from edge_agent.devices.complaints import complaint
from edge_agent.devices.gs1.reading import read_gs1
from edge_agent.devices.presence.clock import ClockReading
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import IDENTIFIER_PATTERN, MAX_EVENT_BYTES, DeviceEvent
from edge_contract.kinds import ADDED_BY_AGENT
from edge_contract.mqtt import ROOT

#: The agent's own name in topics; no device may bear it.
RESERVED_DEVICE = "agent"
#: An event this far ahead of the agent's clock, after correction, is quarantined.
FUTURE_TOLERANCE = timedelta(days=1)
#: An agent whose own clock is before this does not judge the clocks of others.
_AGENT_CLOCK_PLAUSIBLE = datetime(2026, 1, 1, tzinfo=UTC)

#: ``(device, claimed time, arrival) -> what is known of the device's clock``.
ClockOf = Callable[[str, datetime, datetime], ClockReading | None]

_DEVICE = re.compile(IDENTIFIER_PATTERN)


def device_of(topic: str, leaf: str) -> str | None:
    """The device of ``wh/v1/{device}/{leaf}``, or ``None`` when the topic has another shape."""
    prefix, suffix = f"{ROOT}/", f"/{leaf}"
    if not (topic.startswith(prefix) and topic.endswith(suffix)):
        return None
    return topic[len(prefix) : -len(suffix)]


def is_name(device: str) -> bool:
    """Whether a device may be called that."""
    return device != RESERVED_DEVICE and _DEVICE.fullmatch(device) is not None


def bad_name(device: str) -> str:
    """Says why not."""
    return (
        f"{device[:70]!r} cannot be a device's name: use lower-case letters, digits, '.', '_' "
        f"and '-', at most 63, and not {RESERVED_DEVICE!r}."
    )


def read_event(
    topic: str,
    payload: bytes,
    arrived: datetime,
    clock_of: ClockOf,
    *,
    size: int | None = None,
    max_age: timedelta = timedelta(days=400),
) -> Reading | Unreadable:
    """Read one payload of ``wh/v1/{device}/event``.

    ``payload`` may be only the head of one that was ``size`` bytes long.
    """
    device = device_of(topic, "event") or ""
    size = len(payload) if size is None else size

    def unreadable(code: str, message: str) -> Unreadable:
        head = payload[:MAX_EVENT_BYTES]
        return Unreadable(device, topic, head, size, code, message, arrived)

    if not is_name(device):
        return unreadable("bad_device", bad_name(device))
    if size > MAX_EVENT_BYTES:
        return unreadable(
            "too_large",
            f"The payload has {size} bytes; an event has at most {MAX_EVENT_BYTES}. "
            "Its head is kept.",
        )
    try:
        event = _validated(payload)
    except ValidationError as error:
        return unreadable(*complaint(error, payload))
    _resolve_barcodes(event.data)
    if event.id is None:
        event = event.model_copy(update={"id": _derived_id(device, payload)})
    clock = clock_of(device, event.time, arrived)
    occurred = clock.corrected(event.time) if clock else event.time
    if not is_plausible(occurred, arrived, max_age):
        return unreadable("implausible_time", _implausible(event.time, clock, arrived))
    if clock is None:
        return Reading(device, event, arrived)
    return Reading(device, event, arrived, clock.offset_ms, clock.uncertainty_ms)


def is_plausible(occurred: datetime, arrived: datetime, max_age: timedelta) -> bool:
    """Whether something can have happened then, by the agent's clock as far as that is right."""
    if arrived < _AGENT_CLOCK_PLAUSIBLE:
        return True
    return arrived - max_age <= occurred <= arrived + FUTURE_TOLERANCE


def _validated(payload: bytes) -> DeviceEvent:
    try:
        return DeviceEvent.model_validate_json(payload)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        if not any(ADDED_BY_AGENT.intersection(map(str, found["loc"])) for found in faults):
            raise
    # What a device puts into gs1 or weighed is replaced, so it is no reason to refuse the event.
    value = json.loads(payload)
    data = value.get("data")
    if isinstance(data, dict):
        data.pop("weighed", None)
        for goods in _goods(data):
            goods.pop("gs1", None)
    return DeviceEvent.model_validate_json(json.dumps(value))


def _goods(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of an event's data that name goods by barcode."""
    lines = data.get("lines")
    inner = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return [data, *inner]


def _resolve_barcodes(data: dict[str, Any]) -> None:
    data.pop("weighed", None)  # no device is believed on it: the station's scale says it
    for goods in _goods(data):
        goods.pop("gs1", None)
        barcode = goods.get("barcode")
        if barcode is not None and (resolved := _resolved(barcode)) is not None:
            goods["gs1"] = resolved


@lru_cache(maxsize=5_000)  # a kilobyte each; a shift scans the same labels again and again
def _resolved(barcode: str) -> dict[str, Any] | None:
    """JSON of what the barcode says. Shared between events: nobody changes it."""
    gs1 = read_gs1(barcode)
    return None if gs1 is None else gs1.model_dump(mode="json", exclude_defaults=True)


def _derived_id(device: str, payload: bytes) -> UUID:
    """An id for a raw reading without one: the same bytes delivered twice stay one reading."""
    digest = hashlib.sha256(device.encode() + b"\0" + payload).digest()
    return UUID(bytes=digest[:16], version=5)


def _implausible(told: datetime, clock: ClockReading | None, arrived: datetime) -> str:
    where = "the future" if told > arrived else "the distant past"
    if clock is None:
        why = (
            "and the device's clock was never measured. Let it publish its time in its status, "
            "or set its clock"
        )
    else:
        why = f"and its clock's offset of {clock.offset_ms} ms does not explain it. Set its clock"
    return f"The event says {told:%Y-%m-%d %H:%M} UTC, which is in {where}, {why}; then scan again."
