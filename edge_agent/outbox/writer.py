"""One thread, one connection: each transaction is one function run on the writer's thread.

aiosqlite's public calls await between BEGIN and COMMIT, and a coroutine cancelled there leaves the
transaction open. Its worker thread runs any function given to its queue, though; this module is
the only place that touches that queue (private, the same in 0.20 to 0.22, pinned by a test).

A caller that is cancelled while its function is queued withdraws it; once begun, a function runs
to its end, commit included. Either way nothing is left half done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import aiosqlite

from edge_contract.errors import Retryable

Result = TypeVar("Result")


class Writer:
    """The thread that owns the connection."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self.closed = False

    @classmethod
    async def start(cls, connect: Callable[[], sqlite3.Connection]) -> Writer:
        """Start the thread and connect on it. What ``connect`` raises, this raises."""
        failures: list[Exception] = []

        def connect_or_not() -> sqlite3.Connection:
            # aiosqlite does not wait for the end of its thread when this raises.
            try:
                return connect()
            except Exception as error:  # noqa: BLE001 - raised below
                failures.append(error)
                return sqlite3.connect(":memory:")

        writer = cls(await aiosqlite.Connection(connect_or_not, iter_chunk_size=64))
        if failures:
            await writer.close()
            raise failures[0]
        return writer

    def submit(self, function: Callable[[sqlite3.Connection], Result]) -> Future[Result]:
        """Queue a function; the future may be waited for from any thread."""
        future: Future[Result] = Future()
        if self.closed:
            raise Retryable("The outbox is closed: the agent is stopping.")
        connection = self._connection._conn

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(connection)
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        self._connection._tx.put_nowait((None, job))
        return future

    async def run(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function on the writer's thread and await its result."""
        return await asyncio.wrap_future(self.submit(function))

    def run_blocking(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """The same for another thread than the event loop's."""
        return self.submit(function).result()

    async def close(self) -> None:
        """Finish what is queued, close the connection, end the thread."""
        if not self.closed:
            self.closed = True
            await self._connection.close()
