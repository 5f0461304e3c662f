"""The outbox in SQLite.

- Whatever :meth:`SqliteOutbox.append` returned for has been written and synced (WAL,
  ``synchronous=FULL``): it survives ``kill -9`` and power loss.
- A position is never used twice, and positions have no gap.
- (device, id) is stored once; a resend is a ``duplicate``, other content a ``conflict``.
- A row whose bytes changed on disk is set aside and never sent.
- Intake is refused before the disk is full. Memory does not grow with the backlog.
- One connection in one process, which holds the file for as long as it is open.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from edge_agent.outbox import reading, settle
from edge_agent.outbox.faults import is_damage, is_disk_fault, translated
from edge_agent.outbox.gate import IntakeGate, Room
from edge_agent.outbox.intake import Clock, Intake, Randomness
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.opening import connect_or_salvage, new_generation, note_newest, open_ledger
from edge_agent.outbox.port import (
    Appended,
    IntakeRefused,
    Lag,
    Quarantined,
    Reading,
    Row,
    Unreadable,
)
from edge_agent.outbox.salvage import suspect_path
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.writer import Writer
from edge_contract.errors import EdgeError
from edge_contract.event import CloudEvent
from edge_contract.outcome import Outcome, Stage

Result = TypeVar("Result")
#: Written and deleted again to see whether a disk that failed takes writes: half a large burst.
PROBE_BYTES = 256 * 1024


class SqliteOutbox:
    """See :class:`edge_agent.outbox.port.Outbox`. Made by :meth:`open`; :meth:`close` it."""

    def __init__(
        self,
        writer: Writer,
        ledger: Ledger,
        settings: OutboxSettings,
        site: str,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._settings = settings
        self._site = site
        self._clock = clock
        self._randomness = randomness
        self._gate = IntakeGate(settings)
        self._intake = Intake(ledger, settings, clock, randomness)

    @classmethod
    async def open(
        cls,
        settings: OutboxSettings,
        *,
        site: str,
        clock: Clock,
        randomness: Randomness = os.urandom,
    ) -> SqliteOutbox:
        """Open or create the outbox of ``site`` (for the events' source).

        Raises ``NeedsOperator`` when another process has it open, when it is damaged, or when a
        newer agent made it.
        """
        writer = await Writer.start(lambda: connect_or_salvage(settings))
        try:
            ledger = await writer.run(
                lambda connection: open_ledger(connection, settings, randomness)
            )
        except BaseException as error:
            await writer.close()
            if isinstance(error, sqlite3.Error):
                raise _translated(error, settings) from error
            raise
        return cls(writer, ledger, settings, site, clock, randomness)

    async def close(self) -> None:
        """Finish what is queued and close; the file is free for another process then."""
        if not self._writer.closed:
            try:
                await self._run(lambda ledger: note_newest(ledger, self._settings))
            finally:
                await self._writer.close()

    @property
    def generation(self) -> UUID:
        return self._ledger.generation

    async def append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        return await self._writer.run(lambda _: self._append(burst))

    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        return self.append_soon(burst).result()

    def append_soon(self, burst: Sequence[Reading | Unreadable]) -> Future[list[Appended]]:
        """:meth:`append` as a future that any thread may wait for."""
        return self._writer.submit(lambda _: self._append(burst))

    async def pending(self, limit: int) -> list[CloudEvent]:
        return await self._run(
            lambda ledger: reading.pending(ledger, self._intake, self._site, limit, self._clock())
        )

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]:
        return await self._run(
            lambda ledger: reading.pending_json(
                ledger, self._intake, self._site, limit, max_bytes, self._clock()
            )
        )

    async def mark_relayed(self, positions: Sequence[int]) -> None:
        await self._run(lambda ledger: settle.mark_relayed(ledger, positions))

    async def renew_generation(self, reason: str) -> UUID:
        generation = new_generation(self._randomness)
        await self._run(lambda ledger: settle.begin_renewal(ledger, generation, reason))
        while await self._run(settle.renewal_is_due):
            await self._run(settle.renewal_step)
        return generation

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        return await self._run(
            lambda ledger: settle.record_outcomes(ledger, outcomes, cursor, self._clock())
        )

    async def record_refusals(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        return await self._run(
            lambda ledger: settle.record_refusals(ledger, outcomes, self._clock())
        )

    async def downlink_cursor(self) -> int:
        return await self._run(lambda ledger: ledger.cursor)

    async def lag(self) -> Lag:
        return await self._run(self._lag)

    async def counters(self) -> dict[str, int]:
        return await self._run(lambda ledger: dict(ledger.counters))

    async def prune(self, now: datetime) -> int:
        def step(ledger: Ledger) -> int:
            tight = self._gate.tight(self._room())
            deleted = settle.prune(ledger, self._settings, now, early=tight)
            note_newest(ledger, self._settings)
            return deleted

        return await self._run(step)

    async def rows(self, *, stage: Stage | None, after: int, limit: int) -> list[Row]:
        found: list[Row] = []
        start: int | None = after
        while start is not None and len(found) < limit:
            stretch = partial(
                reading.rows,
                site=self._site,
                stage=stage,
                after=start,
                limit=limit - len(found),
            )
            more, start = await self._run(stretch)
            found += more
        return found

    async def show(self, device: str, event: UUID) -> Row | None:
        return await self._run(lambda ledger: reading.show(ledger, self._site, device, event))

    async def quarantine(self, *, after: int, limit: int) -> list[Quarantined]:
        return await self._run(lambda ledger: reading.quarantine(ledger, after, limit))

    async def _run(self, function: Callable[[Ledger], Result]) -> Result:
        try:
            return await self._writer.run(lambda _: function(self._ledger))
        except sqlite3.Error as error:
            raise _translated(error, self._settings) from error

    def _append(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        """On the writer's thread."""
        try:
            self._gate.check(self._room())
            results = self._intake.append(burst)
        except IntakeRefused:
            self._ledger.counters["refused_bursts"] += 1
            raise
        except sqlite3.Error as error:
            if not is_disk_fault(error):
                raise _translated(error, self._settings) from error
            self._ledger.counters["refused_bursts"] += 1
            raise self._gate.disk_failed(str(error)) from error
        self._gate.stored()
        return results

    def _lag(self, ledger: Ledger) -> Lag:
        self._reopen(ledger)
        return reading.lag(ledger, self._room(), self._gate.sentence)

    def _reopen(self, ledger: Ledger) -> None:
        """Devices may wait for intake to be open before they send: try without their events."""
        try:
            self._gate.check(self._room())
            if self._gate.refusal is not None:
                for size in (PROBE_BYTES, 0):
                    with ledger.transaction():
                        ledger.put_state("probe", bytes(size))
                self._gate.stored()
        except IntakeRefused:
            return
        except sqlite3.Error as error:
            if not is_disk_fault(error):
                raise
            self._gate.disk_failed(str(error))

    def _room(self) -> Room:
        connection = self._ledger.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        disk = os.statvfs(self._settings.path.parent)
        return Room(
            used=(pages - unused) * size,
            free=disk.f_bavail * disk.f_frsize,
            reusable=unused * size,
        )


def _translated(error: sqlite3.Error, settings: OutboxSettings) -> EdgeError:
    """As :func:`translated`; damage is remembered for the next start, which salvages."""
    if is_damage(error):
        suspect_path(settings.path).touch()
    return translated(error, settings.path)
