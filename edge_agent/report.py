"""What the agent says of itself: the answer to ``edge-agent status``, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class TroubleReport(_Model):
    code: str
    message: str
    remedy: str = ""


class IntakeReport(_Model):
    state: Literal["open", "refused"]
    reason: str = ""


class UplinkReport(_Model):
    url: str
    link: Literal["unknown", "up", "down"]
    since: datetime
    trouble: TroubleReport | None = None
    retry_in_s: float = 0.0
    stopped: str | None = None
    """Why the relay told this agent to stop sending. Intake goes on."""
    refused_now: int = 0
    """Events that the relay refuses and that wait for proof that it takes others."""
    odoo: str = "unknown"
    """What the relay last said of Odoo."""
    downlink_trouble: TroubleReport | None = None
    downlink_cursor: int = 0


class OutboxReport(_Model):
    path: str
    generation: UUID
    newest_position: int
    stored: int
    unrelayed: int
    oldest_unrelayed: datetime | None
    oldest_age_s: float | None
    held: int
    quarantined: int
    damaged: int
    bytes_used: int
    bytes_most: int
    disk_free: int | None
    disk_least: int


class DeviceReport(_Model):
    name: str
    device_class: str = "handheld"
    """``handheld`` for what speaks the contract by itself, else the class of its profile."""
    profile: str = ""
    fleet: str = ""
    """The section of ``[devices]`` whose topics it publishes on."""
    transport: Literal["serial", "tcp", "mqtt"] = "mqtt"
    address: str = ""
    station: str | None = None
    state: Literal["online", "offline", "fault", "seen", "unknown"] = "unknown"
    """``seen``: it was heard and says nothing of itself."""
    online: bool
    detail: str = ""
    """A sentence when something is wrong."""
    boot: int | None = None
    """How often it started, by its own count."""
    last_seen: datetime | None = None
    missing: int = 0
    """Sequence numbers of the device that never arrived."""
    gaps: tuple[tuple[int, int], ...] = ()
    """First and last of each run of them, oldest first."""
    clock_offset_ms: int | None = None
    clock_uncertainty_ms: int | None = None
    at_risk: bool = False
    """It forgets an event without waiting for our acknowledgement."""


class ClassReport(_Model):
    """How many devices of one class there are, and how."""

    devices: int = 0
    online: int = 0
    offline: int = 0
    fault: int = 0
    seen: int = 0
    unknown: int = 0
    missing: int = 0


class LinkReport(_Model):
    name: str
    kind: str
    health: str
    detail: str = ""
    since: datetime | None = None


class ClockReport(_Model):
    time: datetime
    steps: int
    last_step_s: float
    relay_offset_ms: int | None


class Report(_Model):
    """The whole state of a running agent."""

    version: str
    site: str
    agent: str
    boot: UUID
    started: datetime
    intake: IntakeReport
    uplink: UplinkReport | None
    outbox: OutboxReport
    devices: tuple[DeviceReport, ...]
    classes: dict[str, ClassReport] = {}
    """Devices by class."""
    links: tuple[LinkReport, ...]
    broker: tuple[str, ...] = ()
    """What is wrong with the broker's configuration."""
    clock: ClockReport
    counters: dict[str, int]
