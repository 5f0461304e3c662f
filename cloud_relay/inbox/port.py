"""The inbox as the rest of the relay sees it: what arrived, what it waits for, what became of it.

SQLite for one machine, PostgreSQL for many replicas; one conformance suite runs against both and
against the fake. A *target* is one company of one Odoo database with a set of warehouses, and has
one writer at a time. A *lane* is a document of a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from edge_contract.batch import BatchReply, DownlinkItem, Heartbeat
from edge_contract.event import CloudEvent
from edge_contract.outcome import OdooRecord, Outcome, Stage

#: Where an event stands at the relay. ``short`` was refused for want of stock and waits for older
#: events still on the way before that is shown to anyone.
Status = Literal["waiting", "short", "applied", "held", "rejected", "discarded", "trace"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch as intake accepted it. ``site`` comes from the credentials."""

    site: str
    target: str
    agent: str
    generation: UUID
    events: Sequence[CloudEvent]
    received: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in the inbox."""

    number: int
    """Order of arrival, unique and growing; per device it is the device's order."""
    site: str
    target: str
    lane: str | None
    """``None`` for events that commute."""
    event: CloudEvent
    status: Status
    received: datetime
    attempts: int
    next_attempt: datetime
    code: str = ""
    message: str = ""
    record: OdooRecord | None = None
    applied: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the applier found out about one entry, to be stored with its downlink item."""

    number: int
    status: Status
    code: str = ""
    message: str = ""
    record: OdooRecord | None = None
    notes: tuple[str, ...] = ()
    next_attempt: datetime | None = None
    """For ``waiting`` and ``short``: when to try again."""


@dataclass(frozen=True, slots=True)
class SiteLag:
    """How far one site is behind, in the relay's own knowledge and the agent's last words."""

    site: str
    agents: tuple[Heartbeat, ...]
    last_heard: datetime | None
    waiting: int
    held: int
    applied: int
    oldest_waiting: datetime | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person of the central team must look at; raised once, cleared by hand."""

    key: str
    site: str | None
    message: str
    raised: datetime


class Inbox(Protocol):
    """Every method is one transaction."""

    async def store(self, arrival: Arrival) -> BatchReply:
        """Keep a batch: all of it or nothing.

        The pair (device, id) is unique over all sites. The same content again is a duplicate;
        other content is refused (``content_conflict``) and raises an alarm.
        """
        ...

    async def heartbeat(self, site: str, heartbeat: Heartbeat, now: datetime) -> int:
        """Note the agent's words; answers ``stored_through`` of its generation."""
        ...

    async def ready(self, target: str, now: datetime, limit: int) -> list[Entry]:
        """Entries that may be applied now: lane entries of lanes that no held entry blocks, each
        lane complete and in its order, and commuting ones; oldest first."""
        ...

    async def settle(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Store what became of entries and append their outcomes to the downlink."""
        ...

    async def downlink(self, site: str, after: int, limit: int) -> list[DownlinkItem]: ...

    async def held(self, site: str | None = None) -> list[Entry]: ...

    async def entry(self, device: str, event: UUID) -> Entry | None: ...

    async def ladder(
        self, device: str, event: UUID
    ) -> list[tuple[Stage, datetime, Outcome | None]]: ...

    async def replay(self, numbers: Sequence[int], by: str, now: datetime) -> int:
        """Let held entries be tried again, on the record."""
        ...

    async def discard(self, number: int, by: str, reason: str, now: datetime) -> None:
        """Give up a held entry, on the record, and free its lane."""
        ...

    async def requeue_since(self, target: str, since: datetime, now: datetime) -> int:
        """Everything applied since then is applied again (Odoo was restored from a backup);
        what Odoo still has is answered as duplicate there."""
        ...

    async def sites(self) -> list[SiteLag]: ...

    async def raise_alarm(self, alarm: Alarm) -> None: ...

    async def alarms(self) -> list[Alarm]: ...

    async def clear_alarm(self, key: str, by: str, now: datetime) -> None: ...

    async def watermark(self, target: str) -> dict[str, str]:
        """What the relay remembers of Odoo: ``uuid``, ``claim`` (newest id), ``key``."""
        ...

    async def set_watermark(self, target: str, watermark: dict[str, str]) -> None: ...

    async def prune(self, now: datetime) -> int: ...
