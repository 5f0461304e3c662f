"""The inbox as the rest of the relay sees it: what arrived, what it waits for, what became of it.

SQLite for one machine, PostgreSQL for many replicas; one conformance suite runs against both and
against the fake. A *target* is one company of one Odoo database with a set of warehouses, and has
one writer at a time. A *lane* is a document of a target.

A raw reading (``RAW_KINDS``) is kept as ``trace``. It has no effect in Odoo, and is final as soon
as it is stored: its outcome has stage ``applied``, no record and the note :data:`TRACE_NOTE`, so
that the site may prune it as it prunes what had an effect. A device belongs to the target it was
first seen at: what it sends through a site of another target is held as ``foreign_device`` outside
every lane, and takes nobody's (device, id) away, until :meth:`Inbox.enrol` moves the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from edge_contract.batch import BatchReply, DownlinkItem, Heartbeat
from edge_contract.errors import Rejected
from edge_contract.event import CloudEvent
from edge_contract.outcome import OdooRecord, Outcome, Stage

#: Where an event stands at the relay. ``short`` was refused for want of something that may still
#: be on the way (stock, or the event it takes back) and is not shown to anyone yet. ``aside`` is
#: ``held`` that a supervisor set aside on the record: it no longer holds its lane.
Status = Literal["waiting", "short", "applied", "held", "aside", "rejected", "discarded", "trace"]


#: Note of the outcome of a raw reading.
TRACE_NOTE = "kept for trace, no effect in Odoo"


class GenerationReused(Rejected):
    """A position of a generation arrived with another event than before: the outbox was rolled
    back or cloned. Nothing of the batch was stored (problem ``generation-reused``, 409)."""

    def __init__(self, message: str) -> None:
        super().__init__("generation-reused", message)


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
class Heard:
    """What the inbox answers to a heartbeat."""

    stored_through: int
    """Every position of the generation from 1 up to here is stored."""
    highest: int
    """Highest position of the generation that is stored: above the agent's ``newest_position``,
    its outbox was rolled back."""
    stop: str | None
    """Why this host must stop: its boot was superseded by another one that is alive."""


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
    """How often it was tried since it arrived or was replayed."""
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
    """For ``waiting`` and ``short``: when to try again (default: at once)."""
    attempted: bool = True
    """False for an entry that was not tried, because an earlier one of its lane was refused."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the applier of a target waits for: enough to decide about ``short`` and about sleep."""

    arrived_through: datetime | None
    """Everything the target's agents recorded before this is stored here, by the last words of
    each of its agents (agents' clocks). ``None``: no agent was heard yet."""
    oldest_open: datetime | None
    """Occurrence of the oldest event that waits (``short`` ones and held lanes aside)."""
    next_due: datetime | None
    """When the next deferred entry may be tried; ``None``: none is deferred beyond now."""


@dataclass(frozen=True, slots=True)
class SiteLag:
    """How far one site is behind, in the relay's own knowledge and the agents' last words."""

    site: str
    agents: tuple[Heartbeat, ...]
    last_heard: datetime | None
    waiting: int
    """``waiting`` and ``short``, those behind a held event included."""
    behind_held: int
    """How many of these a held event of their lane keeps back."""
    held: int
    """``held`` and ``aside``."""
    applied: int
    """Ever, pruned ones included."""
    oldest_waiting: datetime | None
    """Occurrence of the oldest one not applied."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Ever, for the site: ``new``, ``duplicates``, ``conflicts``, ``foreign``, ``trace``,
    ``applied``, ``held``, ``aside``, ``rejected``, ``discarded``, ``replayed``, ``requeued``."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person of the central team must look at; raised once, cleared by hand."""

    key: str
    """``kind:what``, for example ``content_conflict:scanner-7:0193…``."""
    site: str | None
    message: str
    raised: datetime


@dataclass(frozen=True, slots=True)
class Audited:
    """What a person did: ``replay``, ``discard``, ``set_aside``, ``enrol``, ``requeue``,
    ``clear_alarm``."""

    at: datetime
    by: str
    action: str
    subject: str
    """``number 17``, a device, a target or an alarm's key."""
    reason: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long final events stay. Agent < relay < Odoo's claims, and longer than Odoo's backups."""

    events: timedelta = timedelta(days=90)
    trace: timedelta = timedelta(days=30)
    rows_per_prune: int = 2000
    """One call of ``prune`` deletes at most so many: intake waits meanwhile."""


class Watch(Protocol):
    """Wakes whoever waits. Open it *before* reading, so that nothing falls between."""

    async def changed(self, timeout_s: float) -> bool:
        """True when something came since the last call (or since opening); False: time is up."""
        ...

    def close(self) -> None: ...


class Inbox(Protocol):
    """Every method is one transaction; a cancelled caller leaves none open."""

    async def close(self) -> None: ...

    async def store(self, arrival: Arrival) -> BatchReply:
        """Keep a batch: all of it or nothing.

        The pair (device, id) is unique over all sites. The same content again is a duplicate, and
        what is known of its outcome is told to the sender's site again; other content is refused
        (``content_conflict``) and raises an alarm. Raises :class:`GenerationReused`.
        """
        ...

    async def heartbeat(self, site: str, target: str, heartbeat: Heartbeat, now: datetime) -> Heard:
        """Note the agent's words; a superseded boot that speaks again raises an alarm."""
        ...

    async def ready(self, target: str, now: datetime, limit: int) -> list[Entry]:
        """Entries to apply now, oldest first, in the order in which to apply them.

        Of each lane the first ones in its order, up to the first that is not due; nothing of a
        lane that a held entry blocks; and commuting ones. A lane's order is that of arrival for
        one device, and by occurrence among devices as far as their events wait together. When one
        ``short`` entry is due all are, because each may be what another one lacks; take-backs
        that wait for their event aside.
        """
        ...

    async def settle(
        self,
        verdicts: Sequence[Verdict],
        now: datetime,
        watermark: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Store what became of entries, append outcomes to the downlink (``applied``, ``held``,
        ``rejected``), and keep the new watermark per target in the same commit.

        Entries that no longer wait are left as they are.
        """
        ...

    async def progress(self, target: str, now: datetime) -> Progress: ...

    async def downlink(self, site: str, after: int, limit: int) -> list[DownlinkItem]:
        """Items after the cursor. A cursor newer than any given out (this inbox was restored)
        starts from the beginning."""
        ...

    async def known_cursor(self, cursor: int) -> int:
        """The cursor, or a lower one to go on from when this inbox never gave it out: it is an
        older copy of the one that did, and its agents must send again what is not final."""
        ...

    def watch_downlink(self, site: str) -> Watch: ...

    def watch_target(self, target: str) -> Watch:
        """Wakes when something may be ready: an arrival, a replay, a freed lane."""
        ...

    async def held(self, site: str | None = None) -> list[Entry]:
        """``held`` and ``aside``, oldest first."""
        ...

    async def entry(self, device: str, event: UUID) -> Entry | None: ...

    async def numbered(self, number: int) -> Entry | None: ...

    async def behind(self, number: int) -> int:
        """How many waiting entries the lane of a held entry keeps back."""
        ...

    async def ladder(
        self, device: str, event: UUID
    ) -> list[tuple[Stage, datetime, Outcome | None]]:
        """Every rung the event reached, oldest first; empty when it is unknown."""
        ...

    async def replay(self, numbers: Sequence[int], by: str, now: datetime) -> int:
        """Let held entries (or such set aside) be tried again, on the record; returns how many.

        A lane goes on when none of its entries is held. Raises ``Rejected`` (``unknown_entry``,
        ``not_held``, ``foreign_device``) and changes nothing.
        """
        ...

    async def discard(self, number: int, by: str, reason: str, now: datetime) -> None:
        """Give up a held entry, on the record, and free its lane. Raises as :meth:`replay`."""
        ...

    async def set_aside(self, number: int, by: str, reason: str, now: datetime) -> None:
        """Free the lane of a held entry, on the record, and keep the entry for later."""
        ...

    async def requeue_since(self, target: str, since: datetime, by: str, now: datetime) -> int:
        """Everything applied since then is applied again (Odoo was restored from a backup);
        what Odoo still has is answered as duplicate there."""
        ...

    async def enrol(self, device: str, target: str, by: str, now: datetime) -> None:
        """The device belongs to this target from now on; its foreign events may be replayed."""
        ...

    async def sites(self) -> list[SiteLag]: ...

    async def raise_alarm(self, alarm: Alarm) -> None:
        """Raised once: an alarm of the same key that stands is left as it is."""
        ...

    async def alarms(self) -> list[Alarm]: ...

    async def clear_alarm(self, key: str, by: str, now: datetime) -> None: ...

    async def audit(self, limit: int) -> list[Audited]:
        """What people did, newest first."""
        ...

    async def watermark(self, target: str) -> dict[str, str]:
        """What the relay remembers of Odoo: ``uuid``, ``claim`` (newest id), ``key``."""
        ...

    async def set_watermark(self, target: str, watermark: Mapping[str, str]) -> None: ...

    async def prune(self, now: datetime) -> int:
        """Delete final events past their retention, a bounded number; returns how many."""
        ...
