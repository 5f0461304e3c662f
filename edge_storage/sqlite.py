"""One SQLite file, opened by one process, through one connection, on one thread.

Invariants (why, in ``docs/decisions``): WAL with ``synchronous=FULL`` (a commit that returned
survives a power cut); ``locking_mode=EXCLUSIVE`` (SQLite before 3.51.3 can lose pages when two
connections reset the WAL at once); every transaction is one function on the thread (a cancelled
coroutine leaves none open: what is queued runs to its end). After an I/O error nothing more is
written until the file is opened again: a later fsync may say "well" about pages that are gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import aiosqlite

from edge_contract.errors import NeedsOperator

T = TypeVar("T")

_BROKEN = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteFile:
    """Runs functions on the connection, a transaction each. Made by :meth:`open`."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path = path
        self._connection = connection
        self._raw: sqlite3.Connection = connection._conn
        self._broken: NeedsOperator | None = None

    @classmethod
    async def open(cls, path: Path, package: str, *, cache_mib: int = 32) -> SqliteFile:
        """Open or create ``path`` and bring it up to date with ``package``'s ``migrations/``.

        Raises ``NeedsOperator``: ``database_in_use``, ``database_newer``, ``database_unreadable``.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = await aiosqlite.connect(path, isolation_level=None, timeout=2)
        except (OSError, sqlite3.Error) as error:
            raise NeedsOperator(
                "database_unreadable",
                f"The database {path} cannot be opened: {error}.",
                "Check the path, its owner and its permissions.",
            ) from error
        file = cls(path, connection)
        try:
            await file._on_thread(partial(file._prepare, package, cache_mib))
        except BaseException:
            await connection.close()
            raise
        return file

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``function`` as one transaction: committed when it returns, else rolled back.

        When the caller is cancelled, the function still runs and still commits.
        """
        return await self._on_thread(partial(self._transaction, function))

    def run_blocking(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """:meth:`run` for other threads than the event loop's, which it would block."""
        result: Future[T] = Future()

        def work() -> None:
            try:
                result.set_result(self._transaction(function))
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                result.set_exception(error)

        if self._connection._connection is None:
            raise ValueError(f"The database {self.path} is closed.")
        self._connection._tx.put_nowait((None, work))
        return result.result()

    async def close(self) -> None:
        """Finish what is queued, then close."""
        await self._connection.close()

    async def _on_thread(self, function: Callable[[], T]) -> T:
        # aiosqlite runs a function of ours on its thread through this private method only; its
        # version is pinned, and tests/conformance/storage holds us to it.
        execute: Callable[[Callable[[], T]], Awaitable[T]] = self._connection._execute
        return await execute(function)

    def _transaction(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._broken is not None:
            raise self._broken
        connection = self._raw
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = function(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise self._explained(error) from error
        except BaseException:
            self._roll_back()
            raise
        return result

    def _roll_back(self) -> None:
        try:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._explained(error)

    def _explained(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return NeedsOperator(
                "disk_full",
                f"The disk that holds {self.path} is full; nothing was stored.",
                "Free some room; work goes on by itself.",
            )
        if code in _BROKEN:
            self._broken = NeedsOperator(
                "database_broken",
                f"The database {self.path} cannot be read or written: {error}.",
                "Check the disk (dmesg, smartctl), then restart the service.",
            )
            return self._broken
        return error

    def _prepare(self, package: str, cache_mib: int) -> None:
        try:
            self._raw.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._raw.execute("PRAGMA journal_mode = WAL")
            self._raw.execute("PRAGMA synchronous = FULL")
            self._raw.execute(f"PRAGMA cache_size = {-1024 * cache_mib:d}")
            self._raw.execute("PRAGMA journal_size_limit = 67108864")
            self._raw.execute("PRAGMA foreign_keys = ON")
            # Takes the lock, and keeps it as long as the file is open.
            self._raw.execute("BEGIN IMMEDIATE")
            self._raw.execute("COMMIT")
            migrate(self._raw, package)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise NeedsOperator(
                    "database_in_use",
                    f"The database {self.path} is in use by another process.",
                    "Stop the other one, or give this one a path of its own.",
                ) from error
            raise NeedsOperator(
                "database_unreadable",
                f"The database {self.path} cannot be used: {error}.",
                "Restore it from a backup, or move it away to begin anew.",
            ) from error


def migrate(connection: sqlite3.Connection, package: str) -> None:
    """Run the numbered scripts of ``package``'s ``migrations/`` that are not in the file yet.

    ``migrations/0001_begin.sql`` brings ``user_version`` to 1, and so on, a transaction each.
    """
    scripts = sorted(
        (int(item.name.partition("_")[0]), item)
        for item in files(package).joinpath("migrations").iterdir()
        if item.name.endswith(".sql")
    )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    newest = scripts[-1][0] if scripts else 0
    if version > newest:
        raise NeedsOperator(
            "database_newer",
            f"The database was written by a newer version (schema {version}, known {newest}).",
            "Install that version again, or restore the backup made before the update.",
        )
    for number, script in scripts:
        if number <= version:
            continue
        text = script.read_text(encoding="utf-8")
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{text}\n;PRAGMA user_version = {number:d};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def load_queries(package: str, name: str = "queries.sql") -> dict[str, str]:
    """The named statements of a ``.sql`` file: each follows a line ``-- name: what_it_does``."""
    statements: dict[str, str] = {}
    current = ""
    for line in files(package).joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-- name:"):
            current = line.removeprefix("-- name:").strip()
            if current in statements:
                raise ValueError(f"{package}/{name} names {current} twice")
            statements[current] = ""
        elif current and not line.startswith("--"):
            statements[current] += line + "\n"
    return {key: text.strip() for key, text in statements.items()}
