"""Topics and payloads at the site. The broker's ACL ties ``{device}`` to the username."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from edge_contract.outcome import Stage
from edge_contract.scalars import Instant

ROOT = "wh/v1"
EVENT_FILTER = f"{ROOT}/+/event"
STATUS_FILTER = f"{ROOT}/+/status"
AGENT_STATUS_TOPIC = f"{ROOT}/agent/status"


def event_topic(device: str) -> str:
    return f"{ROOT}/{device}/event"


def status_topic(device: str) -> str:
    return f"{ROOT}/{device}/status"


def feedback_topic(device: str) -> str:
    return f"{ROOT}/{device}/feedback"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Feedback(_Model):
    """Agent to device. ``stage: stored`` is the acknowledgement: only then may it forget."""

    event: UUID | None
    """Absent when a payload was so broken that it had no readable id."""
    stage: Stage | Literal["quarantined", "refused"]
    """``quarantined``: kept with its bytes, will not be applied as it is. ``refused``: not stored,
    keep it and send it again when intake is open."""
    ok: bool
    tone: Literal["good", "bad", "none"]
    message: str = ""
    code: str = ""


class DeviceStatus(BaseModel):
    """Device to broker, retained, and as last will."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: Literal["online", "offline"]
    boot: Annotated[int, Field(ge=0)] | None = None
    time: Instant | None = None
    """The device's clock when it sent this: lets the agent measure its offset."""
    heard: Instant | None = None
    """The newest ``time`` of the agent's status that the device has heard. The round trip bounds
    how late this status can be, and so how surely the clock's offset is known."""
    waits_for_feedback: bool = True
    """False for a device that forgets an event without the acknowledgement: listed as at risk."""


class AgentStatus(_Model):
    """Agent to all, retained, and as last will (``state: offline``)."""

    state: Literal["online", "offline"]
    intake: Literal["open", "refused"]
    reason: str = ""
    uplink: Literal["up", "down", "unknown"] = "unknown"
    time: Instant | None = None
    """Time of day for devices without a clock."""
