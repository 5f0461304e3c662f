"""The inbox in SQLite, for a relay on one machine.

Every method runs one function as one transaction on the file's thread. What a commit brought is
announced after it, even when its caller was cancelled meanwhile.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from cloud_relay.inbox import hosts, positions, views
from cloud_relay.inbox.arrivals import Batch
from cloud_relay.inbox.port import (
    Alarm,
    Arrival,
    Audited,
    Entry,
    Heard,
    Progress,
    Retention,
    SiteLag,
    Verdict,
    Watch,
)
from cloud_relay.inbox.rows import SQL, entry_of, instant, micros
from cloud_relay.inbox.verdicts import Changes
from cloud_relay.inbox.watch import Watches
from edge_contract import killpoint
from edge_contract.batch import BatchReply, DownlinkItem, Heartbeat
from edge_contract.outcome import Outcome, Stage
from edge_storage.sqlite import SqliteFile

T = TypeVar("T")
PACKAGE = "cloud_relay.inbox"
#: What the age of events does not decide about: open ones, and readings with an age of their own.
_KEPT_LONGER = frozenset({"waiting", "short", "held", "aside", "trace"})


class SqliteInbox:
    """See :class:`cloud_relay.inbox.port.Inbox`. Made by :meth:`open`."""

    def __init__(self, file: SqliteFile, retention: Retention, patience: timedelta) -> None:
        self._file = file
        self._retention = retention
        self._patience = patience
        self._watches = Watches()
        self._running: set[asyncio.Task[object]] = set()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        retention: Retention | None = None,
        patience: timedelta = timedelta(minutes=15),
        cache_mib: int = 64,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> SqliteInbox:
        """Open or create the file. ``patience``: how long a take-back waits for its event.

        Cursors go on from the time of day: an older copy of the file never gives one out again.

        Raises ``NeedsOperator`` as :meth:`edge_storage.sqlite.SqliteFile.open` does.
        """
        file = await SqliteFile.open(path, PACKAGE, cache_mib=cache_mib)
        await file.run(_rows_by_name)
        await file.run(lambda connection: _leave_gap(connection, micros(clock())))
        return cls(file, retention or Retention(), patience)

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        await self._file.close()

    async def store(self, arrival: Arrival) -> BatchReply:
        def work(connection: sqlite3.Connection) -> tuple[BatchReply, set[str]]:
            batch = Batch(connection, arrival, self._patience)
            reply = batch.store()
            killpoint.reached("inbox.before_commit")
            return reply, batch.wakes

        return await self._change(work, "inbox.after_commit")

    async def settle(
        self,
        verdicts: Sequence[Verdict],
        now: datetime,
        watermark: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        def work(changes: Changes) -> None:
            changes.settle(verdicts)
            for target, values in (watermark or {}).items():
                changes.keep_watermark(target, values)
            killpoint.reached("inbox.settle_before_commit")

        await self._changes(now, work, "inbox.settle_after_commit")

    async def heartbeat(self, site: str, target: str, heartbeat: Heartbeat, now: datetime) -> Heard:
        return await self._file.run(
            lambda connection: _heard(connection, site, target, heartbeat, now)
        )

    async def ready(self, target: str, now: datetime, limit: int) -> list[Entry]:
        return await self._file.run(lambda c: views.ready(c, target, now, limit))

    async def progress(self, target: str, now: datetime) -> Progress:
        return await self._file.run(lambda c: views.progress(c, target, now))

    async def downlink(self, site: str, after: int, limit: int) -> list[DownlinkItem]:
        return await self._file.run(lambda c: views.downlink(c, site, after, limit))

    async def known_cursor(self, cursor: int) -> int:
        return await self._file.run(lambda c: views.known_cursor(c, cursor))

    def watch_downlink(self, site: str) -> Watch:
        return self._watches.open(f"downlink:{site}")

    def watch_target(self, target: str) -> Watch:
        return self._watches.open(f"target:{target}")

    async def held(self, site: str | None = None) -> list[Entry]:
        name, values = ("held", ()) if site is None else ("held_at", (site,))
        return await self._file.run(
            lambda c: [entry_of(row) for row in c.execute(SQL[name], values)]
        )

    async def entry(self, device: str, event: UUID) -> Entry | None:
        return await self._file.run(lambda c: views.entry(c, device, event.bytes))

    async def numbered(self, number: int) -> Entry | None:
        def work(connection: sqlite3.Connection) -> Entry | None:
            row = connection.execute(SQL["numbered"], (number,)).fetchone()
            return None if row is None else entry_of(row)

        return await self._file.run(work)

    async def behind(self, number: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            (count,) = connection.execute(SQL["behind"], (number,)).fetchone()
            return int(count)

        return await self._file.run(work)

    async def ladder(
        self, device: str, event: UUID
    ) -> list[tuple[Stage, datetime, Outcome | None]]:
        return await self._file.run(lambda c: views.ladder(c, device, event.bytes))

    async def replay(self, numbers: Sequence[int], by: str, now: datetime) -> int:
        return await self._changes(now, lambda changes: changes.replay(numbers, by))

    async def discard(self, number: int, by: str, reason: str, now: datetime) -> None:
        await self._changes(now, lambda changes: changes.discard(number, by, reason))

    async def set_aside(self, number: int, by: str, reason: str, now: datetime) -> None:
        await self._changes(now, lambda changes: changes.set_aside(number, by, reason))

    async def requeue_since(self, target: str, since: datetime, by: str, now: datetime) -> int:
        return await self._changes(now, lambda changes: changes.requeue(target, since, by))

    async def enrol(self, device: str, target: str, by: str, now: datetime) -> None:
        await self._changes(now, lambda changes: changes.enrol(device, target, by))

    async def sites(self) -> list[SiteLag]:
        return await self._file.run(views.sites)

    async def raise_alarm(self, alarm: Alarm) -> None:
        await self._file.run(lambda c: _raise(c, alarm))

    async def alarms(self) -> list[Alarm]:
        return await self._file.run(
            lambda c: [
                Alarm(row["key"], row["site"], row["message"], instant(row["raised"]))
                for row in c.execute(SQL["alarms"])
            ]
        )

    async def clear_alarm(self, key: str, by: str, now: datetime) -> None:
        await self._changes(now, lambda changes: changes.clear_alarm(key, by))

    async def audit(self, limit: int) -> list[Audited]:
        return await self._file.run(
            lambda c: [
                Audited(instant(at), who, action, subject, reason)
                for at, who, action, subject, reason in c.execute(SQL["audit"], (limit,))
            ]
        )

    async def watermark(self, target: str) -> dict[str, str]:
        return await self._file.run(
            lambda c: {row["name"]: row["value"] for row in c.execute(SQL["watermark"], (target,))}
        )

    async def set_watermark(self, target: str, watermark: Mapping[str, str]) -> None:
        await self._file.run(lambda c: Changes(c, datetime.min).keep_watermark(target, watermark))

    async def prune(self, now: datetime) -> int:
        return await self._file.run(lambda c: _prune(c, self._retention, now))

    async def _changes(self, now: datetime, work: Callable[[Changes], T], then: str = "") -> T:
        def function(connection: sqlite3.Connection) -> tuple[T, set[str]]:
            changes = Changes(connection, now)
            return work(changes), changes.wakes

        return await self._change(function, then)

    async def _change(
        self, function: Callable[[sqlite3.Connection], tuple[T, set[str]]], then: str = ""
    ) -> T:
        async def change() -> T:
            result, wakes = await self._file.run(function)
            if then:
                killpoint.reached(then)
            self._watches.wake(wakes)
            return result

        # Shielded: a commit whose caller went away still wakes those who wait for it.
        task = asyncio.create_task(change())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


def _rows_by_name(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row


def _leave_gap(connection: sqlite3.Connection, through: int) -> None:
    (newest,) = connection.execute(SQL["newest_cursor"]).fetchone()
    if through <= newest:
        return
    names = {"newest": newest, "through": through}
    if connection.execute(SQL["widen_gap"], names).rowcount == 0:
        connection.execute(SQL["add_gap"], names)
    if connection.execute(SQL["skip_cursors"], names).rowcount == 0:
        connection.execute(SQL["begin_cursors"], names)


def _heard(
    connection: sqlite3.Connection, site: str, target: str, heartbeat: Heartbeat, now: datetime
) -> Heard:
    names = {
        "site": site,
        "target": target,
        "agent": heartbeat.agent,
        "generation": heartbeat.generation.bytes,
    }
    connection.execute(SQL["note_site"], names)
    stop = _second_host(connection, site, heartbeat, now)
    if stop is None:
        connection.execute(
            SQL["note_agent"],
            (
                site,
                heartbeat.agent,
                heartbeat.boot.bytes,
                micros(now),
                heartbeat.model_dump_json(),
            ),
        )
    generation = connection.execute(SQL["generation"], names).fetchone()
    if generation is None:
        return Heard(0, 0, stop)
    ranges = [
        tuple(row)
        for name in ("first_range", "last_range")
        for row in connection.execute(SQL[name], (generation["id"],))
    ]
    return Heard(positions.through(ranges), positions.highest(ranges), stop)


def _second_host(
    connection: sqlite3.Connection, site: str, heartbeat: Heartbeat, now: datetime
) -> str | None:
    agent, boot = heartbeat.agent, heartbeat.boot.bytes
    current = connection.execute(SQL["agent_boot"], (site, agent)).fetchone()
    if current is None or current["boot"] == boot:
        return None
    earlier = connection.execute(SQL["superseded"], (site, agent, boot)).fetchone()
    if earlier is None:
        connection.execute(
            SQL["supersede"], (site, agent, current["boot"], micros(heartbeat.time), micros(now))
        )
        return None
    message = hosts.stop_message(site, agent)
    if hosts.lives(heartbeat.time, now, instant(earlier["said"]), instant(earlier["at"])):
        _raise(connection, Alarm(f"two_hosts:{site}:{agent}", site, message, now))
    return message


def _raise(connection: sqlite3.Connection, alarm: Alarm) -> None:
    connection.execute(
        SQL["raise_alarm"], (alarm.key, alarm.site, alarm.message, micros(alarm.raised))
    )


def _prune(connection: sqlite3.Connection, retention: Retention, now: datetime) -> int:
    final, most = micros(now - retention.events), retention.rows_per_prune
    old_readings = (micros(now - retention.trace), most)
    gone = [(row["number"],) for row in connection.execute(SQL["oldest_readings"], old_readings)]
    rows = connection.execute(SQL["oldest_events"])
    for row in rows:
        if row["received"] >= final or len(gone) >= most:
            break
        if row["status"] not in _KEPT_LONGER:
            gone.append((row["number"],))
    rows.close()
    for name in ("drop_outcomes", "drop_copies", "drop_event"):
        connection.executemany(SQL[name], gone)
    for name in ("drop_conflicts", "drop_outcomes_of_conflicts", "drop_superseded"):
        connection.execute(SQL[name], (final,))
    return len(gone)
