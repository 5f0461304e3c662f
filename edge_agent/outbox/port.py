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

from edge_contract.errors import Retryable
from edge_contract.event import CloudEvent, DeviceEvent
from edge_contract.outcome import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Reading:
    """A valid event on its way into the outbox. ``event.data`` holds JSON values only."""

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
class Quarantined:
    """An entry of the quarantine: an :class:`Unreadable`, a conflict, or a damaged row."""

    number: int
    item: Unreadable


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
    damaged: int
    """Rows whose bytes changed on disk: set aside, not sent, until their device sends again."""
    bytes_used: int
    refused: str
    """Why intake is refused and what to do, in a sentence; empty while it is open."""


@dataclass(frozen=True, slots=True)
class Row:
    """One event with where it stands, for people."""

    event: CloudEvent
    device: str
    stage: Stage
    outcome: Outcome | None


class IntakeRefused(Retryable):
    """Nothing of the burst was stored, because a bound of size or free disk is reached.

    The caller does not acknowledge, says so on the agent's status, keeps the burst and tries again.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy


class Outbox(Protocol):
    """Every method is one transaction; a cancelled caller leaves none open.

    Raises ``Retryable`` when the disk is full or fails (nothing was changed), and ``NeedsOperator``
    when the file is damaged beyond single rows.
    """

    @property
    def generation(self) -> UUID:
        """Renewed on creation, restore or detected rollback; cursors belong to it."""
        ...

    async def append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        """Commit a burst, power-loss safe, in order; one result an item.

        Raises :class:`IntakeRefused` when a bound is reached (nothing stored).
        """
        ...

    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        """:meth:`append` for the intake thread; never called on the event loop's thread."""
        ...

    async def pending(self, limit: int) -> list[CloudEvent]:
        """Up to ``limit`` events the relay has not got yet, by position; the same ones again until
        they are marked, so one batch is on its way at a time.

        An event comes before older pending ones only if none of them is of its device or of its
        document; within that devices take turns, so that a backlog keeps nobody else waiting.
        """
        ...

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]:
        """As :meth:`pending`: position and the CloudEvent's JSON text, at most ``max_bytes`` of it
        (but at least one), so that a batch is a concatenation and no event is parsed again."""
        ...

    async def mark_relayed(self, positions: Sequence[int]) -> None:
        """The relay has stored these: they were in a batch that it answered 2xx."""
        ...

    async def renew_generation(self, reason: str) -> UUID:
        """This outbox is not the one the relay knows: a new generation, and everything that is not
        final is unrelayed again, at its position. ``reason`` is kept for people."""
        ...

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        """Note what became of events, with the downlink cursor, in one commit.

        Returns the outcomes that are news and of events stored here, so that feedback is not
        repeated. A cursor that is not beyond the one noted brings no news; without outcomes it
        is set as it is, also backwards (the relay started anew).
        """
        ...

    async def record_refusals(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """What the uplink found out (stage ``rejected``): the relay will never apply an event, or
        cannot take it at all. As :meth:`record_outcomes` without a cursor: final, and no longer
        pending even if it was never relayed. Returns what is news."""
        ...

    async def downlink_cursor(self) -> int: ...

    async def lag(self) -> Lag: ...

    async def counters(self) -> dict[str, int]:
        """Since the outbox was made: duplicates, conflicts, refusals, damaged and pruned rows…"""
        ...

    async def prune(self, now: datetime) -> int:
        """Delete final rows past their retention (before it when room is short), a bounded number a
        call; returns how many."""
        ...

    async def rows(self, *, stage: Stage | None, after: int, limit: int) -> list[Row]:
        """Rows with a position beyond ``after``, oldest first: page through them to export."""
        ...

    async def show(self, device: str, event: UUID) -> Row | None: ...

    async def quarantine(self, *, after: int, limit: int) -> list[Quarantined]:
        """Entries with a number beyond ``after``, oldest first, with their bytes."""
        ...
