"""One file, one connection, one thread: what the rest relies on."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_contract.errors import NeedsOperator
from edge_storage.sqlite import SqliteFile, load_queries

PACKAGE = "stored_for_test"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "src" / PACKAGE
    (folder / "migrations").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "migrations" / "0001_begin.sql").write_text("CREATE TABLE t (x INTEGER);")
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    yield folder
    sys.modules.pop(PACKAGE, None)


def _insert(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO t VALUES (1)")
    return _count(connection)


def _count(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute("SELECT count(*) FROM t").fetchone()
    return row[0]


def test_the_file_is_opened_in_wal_mode_with_full_synchronisation_and_alone(
    package: Path, tmp_path: Path
) -> None:
    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "a" / "x.db", PACKAGE)
        pragmas = await file.run(
            lambda c: [
                c.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "locking_mode", "user_version")
            ]
        )
        assert pragmas == ["wal", 2, "exclusive", 1]
        with pytest.raises(NeedsOperator, match="another process") as caught:
            await SqliteFile.open(tmp_path / "a" / "x.db", PACKAGE)
        assert caught.value.code == "database_in_use"
        await file.close()

    asyncio.run(scene())


def test_a_function_that_raises_leaves_nothing_behind(package: Path, tmp_path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        _insert(connection)
        raise RuntimeError("midway")

    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "x.db", PACKAGE)
        with pytest.raises(RuntimeError, match="midway"):
            await file.run(half)
        assert await file.run(_count) == 0
        await file.close()

    asyncio.run(scene())


def test_a_cancelled_caller_leaves_no_transaction_open(package: Path, tmp_path: Path) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> int:
        entered.set()
        go.wait(5)
        return _insert(connection)

    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "x.db", PACKAGE)
        task = asyncio.create_task(file.run(slow))
        await asyncio.to_thread(entered.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        assert await file.run(_count) == 1
        await file.close()

    asyncio.run(scene())


def test_another_thread_can_run_a_transaction_without_the_loop(
    package: Path, tmp_path: Path
) -> None:
    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "x.db", PACKAGE)
        done: list[object] = []

        def other() -> None:
            done.append(file.run_blocking(_insert))
            with pytest.raises(sqlite3.OperationalError):
                file.run_blocking(lambda c: c.execute("SELECT * FROM nowhere"))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(5)  # the loop stands still meanwhile
        assert done == [1]
        await file.close()

    asyncio.run(scene())


def test_migrations_run_once_each_and_a_broken_one_changes_nothing(
    package: Path, tmp_path: Path
) -> None:
    async def scene() -> None:
        path = tmp_path / "x.db"
        file = await SqliteFile.open(path, PACKAGE)
        await file.run(_insert)
        await file.close()
        second = package / "migrations" / "0002_more.sql"
        second.write_text("ALTER TABLE t ADD COLUMN y; CREATE TABLE t (x);")
        with pytest.raises(NeedsOperator, match="already exists"):
            await SqliteFile.open(path, PACKAGE)
        second.write_text("ALTER TABLE t ADD COLUMN y;")
        file = await SqliteFile.open(path, PACKAGE)
        assert await file.run(lambda c: c.execute("SELECT x, y FROM t").fetchall()) == [(1, None)]
        await file.close()
        second.unlink()
        with pytest.raises(NeedsOperator, match="newer version"):
            await SqliteFile.open(path, PACKAGE)

    asyncio.run(scene())


def test_a_file_that_is_no_database_is_named(package: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "x.db"
        path.write_bytes(b"this is no database" * 100)
        with pytest.raises(NeedsOperator, match=r"x\.db") as caught:
            await SqliteFile.open(path, PACKAGE)
        assert caught.value.code == "database_unreadable"

    asyncio.run(scene())


def test_a_full_disk_is_told_apart_and_is_survived(package: Path, tmp_path: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (randomblob(100000))")

    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "x.db", PACKAGE)
        # max_page_count raises the very error a full disk does.
        await file.run(lambda c: c.execute("PRAGMA max_page_count = 4").fetchone())
        with pytest.raises(NeedsOperator) as caught:
            await file.run(fill)
        assert caught.value.code == "disk_full"
        assert await file.run(_insert) == 1
        await file.close()

    asyncio.run(scene())


def test_after_an_io_error_nothing_more_is_written(package: Path, tmp_path: Path) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR | (4 << 8)
        raise error

    async def scene() -> None:
        file = await SqliteFile.open(tmp_path / "x.db", PACKAGE)
        with pytest.raises(NeedsOperator):
            await file.run(broken)
        with pytest.raises(NeedsOperator, match="restart the service"):
            await file.run(_insert)
        await file.close()

    asyncio.run(scene())


def test_queries_are_found_by_name(package: Path) -> None:
    (package / "queries.sql").write_text(
        "-- a head comment\n-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT\n  2;\n"
    )
    assert load_queries(PACKAGE) == {"one": "SELECT 1;", "two": "SELECT\n  2;"}
