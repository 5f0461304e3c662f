"""What a reader's status message says: ``[mqtt.status]`` of its profile. Pure; never raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from edge_agent.devices.profiles.schema import MqttStatus
from edge_agent.devices.scanners.pointers import MISSING, Message, find
from edge_contract.mqtt import DeviceStatus

#: Longest status that is looked into.
_MOST_BYTES = 64 * 1024


def read_status(
    profile: MqttStatus, payload: bytes, captures: Mapping[str, str]
) -> DeviceStatus | None:
    """The state, or ``None`` where none is told: the message is a sign of life then."""
    if not payload or len(payload) > _MOST_BYTES:
        return None  # an empty one clears what was retained
    document = _document(payload)
    message = Message(document, document, captures)
    state: Literal["online", "offline"] | None = None
    if not profile.state:
        state = "online"
    else:
        told = _text(find(profile.state, message))
        if told in _lower(profile.online):
            state = "online"
        elif told in _lower(profile.offline):
            state = "offline"
    if state is None:
        return None
    boot = find(profile.boot, message) if profile.boot else MISSING
    return DeviceStatus(state=state, boot=_count(boot), waits_for_feedback=False)


def _document(payload: bytes) -> Any:
    text = payload.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value).strip().lower()[:200]
    return None


def _lower(values: tuple[str, ...]) -> set[str]:
    return {value.lower() for value in values}


def _count(value: object) -> int | None:
    text = str(value)[:20] if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() else None
