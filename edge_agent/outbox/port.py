"""The outbox as the rest of the agent sees it: the only place where an acknowledgement is born.

Whoever gets an :class:`Appended` back may acknowledge; nobody else may. The store that implements
this is :mod:`edge_agent.outbox.store`; the fake for tests passes the same conformance suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from edge_contract.event import CloudEvent, DeviceEvent
from edge_contract.outcome import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Reading:
    """A valid event on its way into the outbox."""

    device: str
    event: DeviceEvent
    recorded: datetime
    clock_offset_ms: int | None = None
    clock_uncertainty_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that make no sense: kept for a person, counted, never guessed at."""

    device: str
    origin: str
    """The topic or port it came from."""
    payload: bytes
    """At most the first 64 KiB; ``size`` tells how long it was."""
    size: int
    code: str
    message: str
    recorded: datetime


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of one :class:`Reading` or :class:`Unreadable`, after its commit."""

    result: Literal["new", "duplicate", "conflict", "quarantined"]
    event_id: UUID | None
    position: int | None
    """Outbox position of the event (of the first copy for a duplicate)."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the outbox is behind."""

    newest_position: int
    stored: int
    """Rows without a final outcome."""
    unrelayed: int
    oldest_unrelayed: datetime | None
    held: int
    quarantined: int
    bytes_used: int


@dataclass(frozen=True, slots=True)
class Row:
    """One event with where it stands, for people."""

    event: CloudEvent
    device: str
    stage: Stage
    outcome: Outcome | None


class IntakeRefused(Exception):
    """Nothing of the burst was stored, because a bound of size or free disk is reached.

    The caller does not acknowledge, says so on the agent's status, keeps the burst and tries again.
    """


class Outbox(Protocol):
    """Every method is one transaction; a cancelled caller leaves none open."""

    @property
    def generation(self) -> UUID:
        """Renewed on creation, restore or detected rollback; cursors belong to it."""
        ...

    async def append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        """Commit a burst, power-loss safe, in order; one result an item.

        Raises :class:`IntakeRefused` when a bound is reached (nothing stored).
        """
        ...

    async def pending(self, limit: int) -> list[CloudEvent]:
        """Up to ``limit`` events the relay has not got yet.

        In order within each device, and fair among devices: a device with a long backlog does not
        keep a live event of another one waiting.
        """
        ...

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]:
        """As :meth:`pending`: position and the CloudEvent's JSON text, at most ``max_bytes`` of it
        (but at least one), so that a batch is a concatenation and no event is parsed again."""
        ...

    async def set_aside(self, position: int, outcome: Outcome) -> None:
        """The relay will not take this one (stage ``rejected``): final, never pending again,
        listed and counted, and neither deleted before its retention nor in its neighbours' way."""
        ...

    async def mark_relayed(self, positions: Sequence[int]) -> None:
        """The relay has stored these."""
        ...

    async def mark_relayed_through(self, position: int) -> int:
        """The relay has stored everything up to here. Returns how many rows that settled."""
        ...

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        """Note what became of events, with the downlink cursor, in one commit.

        Returns the outcomes that were news, so that feedback is not repeated after a resume.
        """
        ...

    async def downlink_cursor(self) -> int: ...

    async def lag(self) -> Lag: ...

    async def prune(self, now: datetime) -> int:
        """Delete final rows past their retention, a bounded number a call; returns how many."""
        ...
