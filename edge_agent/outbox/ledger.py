"""What the writer's thread keeps in memory of the database, and the transaction around a change.

The memory is bounded: counters, device names, a filter of ids. When a transaction is rolled back,
memory goes back with it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from edge_agent.outbox.record import STAGE_NAMES, Stored, key_of
from edge_agent.outbox.remembered import Remembered
from edge_agent.outbox.statements import SQL
from edge_contract import killpoint

#: Positions in one run of the ``seen`` tree. The newest run is in memory (1 MB) and is written,
#: sorted, when it is full.
RUN = 1 << 13
#: The filter has room for the ids of deleted rows that are remembered, and this many rows beside.
ROWS_FILTERED = 1_000_000


class Ledger:
    """The outbox on the writer's thread. Only functions run there touch it."""

    def __init__(self, connection: sqlite3.Connection, remember_ids: int) -> None:
        self.connection = connection
        self.state: dict[str, str | int | bytes] = dict(
            connection.execute(SQL["all_state"]).fetchall()
        )
        self.counters: Counter[str] = Counter(dict(connection.execute(SQL["all_counters"])))
        self.devices: dict[str, int] = dict(connection.execute(SQL["all_devices"]).fetchall())
        self.shares: dict[str, list[int]] = {
            device: [rows, size]
            for device, rows, size in connection.execute(SQL["quarantine_shares"])
        }
        self.recent = self._recent()
        self.oldest_run = connection.execute(SQL["oldest_run"]).fetchone()[0] or 0
        self.last_turn: int | None = None
        self._capacity = remember_ids + ROWS_FILTERED
        self.remember_anew()

    @property
    def generation(self) -> UUID:
        return UUID(str(self.state["generation"]))

    @property
    def salt(self) -> bytes:
        salt = self.state.get("salt")
        return salt if isinstance(salt, bytes) else b""

    @property
    def newest(self) -> int:
        """Position of the newest row ever stored."""
        return self.counters["newest"]

    @property
    def cursor(self) -> int:
        return int(self.state.get("cursor", 0))

    def put_state(self, name: str, value: str | int | bytes) -> None:
        self.connection.execute(SQL["put_state"], (name, value))
        self.state[name] = value

    def remember_anew(self) -> None:
        """Build the filter of ids from the database: about a second for a million."""
        self.filter = Remembered(self._capacity)
        self.filter.add_all(self.recent)
        self.filter.add_all(key for (key,) in self.connection.execute(SQL["all_keys"]))

    def filter_is_stale(self) -> bool:
        """More ids were added than it was made for: it raises false alarms too often."""
        return self.filter.added > 2 * self._capacity

    def _recent(self) -> dict[int, int]:
        """Positions by key in the newest run, which is not in the ``seen`` tree yet."""
        salt, start = self.salt, self.newest // RUN * RUN
        rows = self.connection.execute(SQL["ids_from"], (start,))
        return {key_of(salt, device, event_id): position for position, device, event_id in rows}

    def write_full_runs(self, fresh: dict[int, int]) -> dict[int, int]:
        """Write the runs that ``fresh`` fills; returns what the newest run keeps of what was
        ``recent``. ``fresh`` joins it with :meth:`keep` after the commit."""
        run = max(fresh.values()) // RUN
        if run == self.newest // RUN:
            return self.recent
        full = [
            (position // RUN, key, position)
            for key, position in (self.recent | fresh).items()
            if position // RUN < run
        ]
        self.connection.executemany(SQL["insert_seen"], sorted(full))
        return {key: position for key, position in self.recent.items() if position // RUN == run}

    def keep(self, recent: dict[int, int], fresh: dict[int, int]) -> None:
        """After the commit: what is in the newest run."""
        recent.update(fresh)
        self.recent = recent

    def positions_of(
        self, device: str, event_id: bytes, near: int = 0
    ) -> Iterator[tuple[int, bytes | None]]:
        """Position and content digest (of deleted rows) of rows that may be (device, id), newest
        first; before all others those in the run of position ``near``."""
        key = key_of(self.salt, device, event_id)
        if key in self.recent:
            yield self.recent[key], None
        if near:
            yield from self.connection.execute(SQL["find_seen_in_run"], (near // RUN, key))
        runs = {"newest": self.newest // RUN, "oldest": self.oldest_run, "key": key}
        yield from self.connection.execute(SQL["find_seen"], runs)

    def read(self, position: int) -> tuple[Stored, bytes, int] | None:
        """Row, digest and stage at a position; the digest is not checked yet."""
        row = self.connection.execute(SQL["read_event"], (position,)).fetchone()
        return None if row is None else (Stored(*row[:5]), row[5], row[6])

    def restage(self, position: int, old: int, new: int) -> None:
        """Move a row to another stage, with the tally."""
        self.connection.execute(SQL["set_stage"], (new, position))
        self.tally(old, -1)
        self.tally(new, 1)

    def tally(self, stage: int, rows: int) -> None:
        self.counters[tally_name(stage)] += rows

    def repair(self) -> None:
        """The indexes and tallies do not fit the rows: make them anew from the rows."""
        with self.transaction() as connection:
            connection.execute("REINDEX event")
            for stage in (*STAGE_NAMES,):
                self.counters[tally_name(stage)] = 0
            for stage, rows in connection.execute(SQL["count_stages"]).fetchall():
                self.counters[tally_name(stage)] += rows
            self.counters["repairs"] += 1

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit on leaving, or roll back, in the database and in memory."""
        counters, devices, state = self.counters.copy(), len(self.devices), dict(self.state)
        shares = {device: list(share) for device, share in self.shares.items()}
        killpoint.reached("outbox.before_begin")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            changed = self.counters.items() - counters.items()
            self.connection.executemany(SQL["put_counter"], changed)
            killpoint.reached("outbox.before_commit")
            self.connection.execute("COMMIT")
        except BaseException:
            self.counters, self.state, self.shares = counters, state, shares
            self.devices = dict(list(self.devices.items())[:devices])
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        killpoint.reached("outbox.after_commit")


def tally_name(stage: int) -> str:
    """Counter of the rows in a stage."""
    return f"rows.{STAGE_NAMES[stage]}" if stage in range(7) else "rows.damaged"
