"""Who counts the effects: a counting double of Odoo's server action, or the real Odoo.

The double stands behind the same port as the gateway and keeps the promise that the action keeps:
a batch is one transaction, in which each event is claimed, and has its effect only if it was not
claimed before. It is a SQLite file that the relay's process writes and the campaign reads. It
knows nothing of stock: what an effect *does* in Odoo is proved elsewhere, here it is counted.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cloud_relay.config import Target
from cloud_relay.odoo.applier import Connect
from cloud_relay.odoo.port import OdooApplier, OdooBatch, OdooEvent, OdooReply, OdooResult
from edge_contract.errors import NeedsOperator
from edge_contract.outcome import OdooRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS claim (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS effect (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS effect_key ON effect (key);
"""


class Books(Protocol):
    """What the campaign wants to know of whoever applies events."""

    def effects(self, device: str, events: Collection[UUID]) -> list[UUID]:
        """The events that had an effect, once for each effect, in the order of the effects."""
        ...

    def miscounted(self) -> str:
        """What does not add up beside the effects of single events; empty when all is well."""
        ...


def opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=20, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")  # processes are killed here, not machines
    connection.executescript(_SCHEMA)
    return connection


class CountingApplier:
    """The double, in the relay's process: :class:`cloud_relay.odoo.port.OdooApplier`."""

    def __init__(self, path: Path, *, claims: bool = True) -> None:
        """``claims=False`` is a broken one, which does not recognise what it had before."""
        self._connection = opened(path)
        self._claims = claims

    async def apply(self, batch: OdooBatch) -> OdooReply:
        await asyncio.sleep(0)  # the request is on its way
        reply = self._transaction(batch)
        await asyncio.sleep(0)  # committed, and the answer is on its way
        return reply

    def close(self) -> None:
        self._connection.close()

    def _transaction(self, batch: OdooBatch) -> OdooReply:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._check(batch.watermark)
            results = tuple(self._result(event) for event in batch.events)
            newest = self._connection.execute(
                "SELECT number, key FROM claim ORDER BY number DESC LIMIT 1"
            ).fetchone()
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        mark = {} if newest is None else {"claim": str(newest[0]), "key": str(newest[1])}
        return OdooReply(results=results, watermark={"uuid": "a-counting-double", **mark})

    def _check(self, watermark: dict[str, str]) -> None:
        if "claim" not in watermark:
            return
        known = self._connection.execute(
            "SELECT key FROM claim WHERE number = ?", (int(watermark["claim"]),)
        ).fetchone()
        if known is None or known[0] != watermark["key"]:
            raise NeedsOperator(
                "went_back", "The newest claim this relay knows of is gone.", "It is a defect."
            )

    def _result(self, event: OdooEvent) -> OdooResult:
        claim = self._connection.execute(
            "SELECT number, digest FROM claim WHERE key = ?", (event.key,)
        ).fetchone()
        if claim is not None and claim[1] != event.digest:
            return OdooResult(
                key=event.key, status="refused", code="content_conflict", message="Another one."
            )
        if claim is not None and self._claims:
            return OdooResult(key=event.key, status="duplicate", record=_record(claim[0]))
        self._connection.execute(
            "INSERT OR IGNORE INTO claim (key, digest) VALUES (?, ?)", (event.key, event.digest)
        )
        number = self._connection.execute(
            "INSERT INTO effect (key) VALUES (?)", (event.key,)
        ).lastrowid
        return OdooResult(key=event.key, status="applied", record=_record(number or 0))


def _record(number: int) -> OdooRecord:
    return OdooRecord(model="stock.picking", id=number)


def count_in(path: str, claims: str = "yes") -> None:
    """In the relay's process, before it runs: every target is the double with this file."""
    from cloud_relay.app import run_relay

    def connect_to(_name: str, _target: Target) -> Connect:
        @asynccontextmanager
        async def opening() -> AsyncIterator[OdooApplier]:
            with closing(CountingApplier(Path(path), claims=claims == "yes")) as applier:
                yield applier

        def connect() -> AbstractAsyncContextManager[OdooApplier]:
            return opening()

        return connect

    defaults = run_relay.__kwdefaults__
    assert defaults is not None
    defaults["connect_to"] = connect_to


class CountedBooks:
    """The double's file, read by the campaign."""

    def __init__(self, path: Path) -> None:
        self._connection = opened(path)

    def close(self) -> None:
        self._connection.close()

    def effects(self, device: str, events: Collection[UUID]) -> list[UUID]:
        keys = [f"{device}|{event}" for event in events]
        marks = ",".join("?" * len(keys))
        rows = self._connection.execute(
            f"SELECT key FROM effect WHERE key IN ({marks}) ORDER BY number", keys
        )
        return [UUID(key.partition("|")[2]) for (key,) in rows]

    def miscounted(self) -> str:
        twice = self._connection.execute(
            "SELECT key, count(*) FROM effect GROUP BY key HAVING count(*) > 1"
        ).fetchall()
        return "; ".join(f"{key} has {times} effects" for key, times in twice)
