"""What only the store on disk must do: hold the file alone, notice damage and copies, keep bounds,
and leave no transaction open."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from edge_agent.outbox import (
    gate,
    home,
    intake,
    ledger,
    opening,
    reading,
    record,
    salvage,
    settle,
    statements,
)
from edge_agent.outbox.port import IntakeRefused
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_agent.outbox.writer import Writer
from edge_contract.errors import NeedsOperator, Retryable
from edge_contract.outcome import Outcome

Open = Callable[..., SqliteOutbox]


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def open_outbox(shop: Any, run: Any, disk: Path) -> Iterator[Open]:
    opened: list[SqliteOutbox] = []

    def open_one(name: str = "outbox.db", **bounds: Any) -> SqliteOutbox:
        settings = OutboxSettings(path=disk / name, **{"min_free_bytes": 1 << 20} | bounds)
        outbox = run(SqliteOutbox.open(settings, site="s1", clock=shop.clock))
        opened.append(outbox)
        return outbox

    yield open_one
    for outbox in opened:
        run(outbox.close())


def positions(run: Any, outbox: SqliteOutbox, limit: int = 100) -> list[int]:
    return [int(event.position) for event in run(outbox.pending(limit))]


def test_what_was_stored_is_there_after_reopening(open_outbox: Open, run: Any, shop: Any) -> None:
    outbox = open_outbox()
    lines = [shop.line() for _ in range(3)]
    run(outbox.append([*lines, shop.noise()]))
    run(outbox.mark_relayed([1]))
    run(outbox.record_outcomes([], 17))
    before = run(outbox.lag())
    run(outbox.close())
    again = open_outbox()
    assert again.generation == outbox.generation
    assert run(again.lag()) == before
    assert run(again.downlink_cursor()) == 17
    assert positions(run, again) == [2, 3]
    assert [one.result for one in run(again.append(lines))] == ["duplicate"] * 3


def test_a_second_process_is_refused_by_name(open_outbox: Open, run: Any, disk: Path) -> None:
    open_outbox()
    with pytest.raises(NeedsOperator, match=r"Another process has the outbox .*edge-agent status"):
        open_outbox()


def test_the_file_is_durable_private_and_held_alone(open_outbox: Open, disk: Path) -> None:
    outbox = open_outbox()
    settings = {
        name: outbox._writer.run_blocking(
            lambda connection, name=name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        )
        for name in (
            "journal_mode",
            "synchronous",
            "locking_mode",
            "journal_size_limit",
            "wal_autocheckpoint",
        )
    }
    assert settings["journal_mode"] == "wal"
    assert settings["synchronous"] == 2
    assert settings["locking_mode"] == "exclusive"
    assert settings["wal_autocheckpoint"] * 4096 <= (1 << 20) / 4
    assert settings["journal_size_limit"] <= 1 << 20
    assert (disk / "outbox.db").stat().st_mode & 0o777 == 0o600


def test_a_newer_schema_is_left_alone(open_outbox: Open, run: Any, disk: Path) -> None:
    run(open_outbox().close())
    connection = sqlite3.connect(disk / "outbox.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NeedsOperator, match=r"schema version 99.*newer agent"):
        open_outbox()


def test_a_file_that_is_no_database_is_refused(open_outbox: Open, disk: Path) -> None:
    (disk / "outbox.db").write_bytes(b"not a database, but long enough to look" * 100)
    with pytest.raises(NeedsOperator, match="is damaged"):
        open_outbox()


def test_a_missing_directory_is_refused_with_its_remedy(open_outbox: Open) -> None:
    with pytest.raises(NeedsOperator, match="Create its directory"):
        open_outbox("missing/outbox.db")


# Transactions


def test_a_cancelled_caller_leaves_no_transaction_open(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox()
    gate_open, begun = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        gate_open.wait(5)

    async def scene() -> None:
        blocker = outbox._writer.submit(slow)
        await asyncio.to_thread(begun.wait, 5)
        queued = asyncio.create_task(outbox.append([shop.line()]))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        gate_open.set()
        await asyncio.wrap_future(blocker)
        assert not await outbox._writer.run(lambda connection: connection.in_transaction)
        assert await outbox.pending(10) == []  # withdrawn before it began
        assert (await outbox.append([shop.line()]))[0].position == 1

    run(scene())


def test_a_caller_cancelled_in_mid_transaction_finds_it_whole(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    inside, go_on = threading.Event(), threading.Event()

    def stop_before_commit(name: str) -> None:
        if name == "outbox.before_commit":
            inside.set()
            go_on.wait(5)

    async def scene() -> None:
        monkeypatch.setattr("edge_contract.killpoint.reached", stop_before_commit)
        task = asyncio.create_task(outbox.append([shop.line()]))
        await asyncio.to_thread(inside.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert len(await outbox.pending(10)) == 1

    run(scene())


def test_a_failed_transaction_leaves_memory_as_it_was(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    run(outbox.append([shop.line("hh-01")]))
    before = run(outbox.lag()), run(outbox.counters())

    def fail(name: str) -> None:
        if name == "outbox.before_commit":
            raise RuntimeError("seeded")

    with monkeypatch.context() as patch:
        patch.setattr("edge_contract.killpoint.reached", fail)
        with pytest.raises(RuntimeError):
            run(outbox.append([shop.line("hh-02"), shop.noise("hh-03")]))
    assert (run(outbox.lag()), run(outbox.counters())) == before
    assert [one.position for one in run(outbox.append([shop.line("hh-02")]))] == [2]
    assert positions(run, outbox) == [1, 2]


def test_the_writer_uses_the_queue_of_this_aiosqlite() -> None:
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), iter_chunk_size=64)
    assert {"_tx", "_thread", "_connection"} <= set(vars(connection))
    assert aiosqlite.__version__.split(".")[:2] <= ["0", "22"]


def test_a_closed_writer_says_so(run: Any) -> None:
    writer = run(Writer.start(lambda: sqlite3.connect(":memory:")))
    run(writer.close())
    run(writer.close())
    with pytest.raises(Retryable, match="closed"):
        writer.submit(lambda _: None)


# Damage


def change(outbox: SqliteOutbox, sql: str, *values: object) -> None:
    outbox._writer.run_blocking(lambda connection: connection.execute(sql, values).rowcount)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET body = replace(body, '\"3\"', '\"8\"') WHERE position = 2",
        "UPDATE event SET id = x'00112233445566778899aabbccddeeff' WHERE position = 2",
        "UPDATE event SET recorded = recorded + 1 WHERE position = 2",
        "UPDATE event SET recorded = 'x' WHERE position = 2",
        "UPDATE event SET body = 'x' WHERE position = 2",
        "UPDATE event SET device = 2 WHERE position = 2",
        "UPDATE event SET digest = zeroblob(32) WHERE position = 2",
    ],
)
def test_a_changed_row_is_set_aside_and_never_sent(
    open_outbox: Open, run: Any, shop: Any, damage: str
) -> None:
    outbox = open_outbox()
    lines = [shop.line() for _ in range(3)]
    run(outbox.append([*lines, shop.line("hh-02")]))
    change(outbox, damage)
    assert positions(run, outbox) == [1, 3, 4]
    assert positions(run, outbox) == [1, 3, 4]
    (kept,) = run(outbox.quarantine(after=0, limit=10))
    assert kept.item.code == "damaged"
    assert "Position 2" in kept.item.message
    lag = run(outbox.lag())
    assert (lag.damaged, lag.unrelayed, lag.quarantined) == (1, 3, 1)


def test_a_resend_heals_a_damaged_row(open_outbox: Open, run: Any, shop: Any) -> None:
    outbox = open_outbox()
    line = shop.line()
    run(outbox.append([line]))
    change(outbox, "UPDATE event SET body = 'x'")
    (answer,) = run(outbox.append([line]))
    assert (answer.result, answer.position) == ("new", 2)
    assert positions(run, outbox) == [2]
    assert run(outbox.append([line]))[0].result == "duplicate"


def test_without_the_digest_a_changed_quantity_would_be_sent(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    run(outbox.append([shop.line(quantity="3")]))
    change(outbox, "UPDATE event SET body = CAST(replace(body, '\"3\"', '\"8\"') AS BLOB)")
    with monkeypatch.context() as patch:
        patch.setattr(reading, "proved", lambda row, digest: row)
        (event,) = run(outbox.pending(1))
        assert event.data["quantity"] == "8"
    assert run(outbox.pending(1)) == []


# Dedupe on disk


def test_a_resend_is_known_in_every_run(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "RUN", 4)
    outbox = open_outbox()
    lines = [shop.line() for _ in range(23)]
    for start in range(0, 23, 5):
        run(outbox.append(lines[start : start + 5]))
    assert [one.position for one in run(outbox.append(lines))] == list(range(1, 24))
    run(outbox.close())
    again = open_outbox()
    answers = run(again.append(lines))
    assert {one.result for one in answers} == {"duplicate"}
    assert [one.position for one in answers] == list(range(1, 24))


def test_a_burst_that_fills_a_run_and_fails_is_no_resend(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "RUN", 4)
    outbox = open_outbox()
    first, second = [shop.line() for _ in range(3)], [shop.line() for _ in range(6)]
    run(outbox.append(first))

    def fail(name: str) -> None:
        if name == "outbox.before_commit":
            raise RuntimeError("seeded")

    with monkeypatch.context() as patch:
        patch.setattr("edge_contract.killpoint.reached", fail)
        with pytest.raises(RuntimeError):
            run(outbox.append(second))
    assert {one.result for one in run(outbox.append(second))} == {"new"}
    assert {one.result for one in run(outbox.append(first + second))} == {"duplicate"}


def test_deleted_ids_are_forgotten_beyond_the_bound_oldest_first(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "RUN", 10)
    monkeypatch.setattr("edge_agent.outbox.settle.RUN", 10)
    outbox = open_outbox(remember_ids=100)
    lines = [shop.line() for _ in range(120)]
    run(outbox.append(lines))
    run(outbox.record_outcomes([applied(one, shop) for one in lines], 1))
    shop.pass_time(days=30)
    while run(outbox.prune(shop.now)):
        pass
    counters = run(outbox.counters())
    assert counters["pruned"] == 120
    assert counters["remembered"] <= 100
    assert counters["forgotten"] == 120 - counters["remembered"]
    assert run(outbox.append([lines[-1]]))[0].result == "duplicate"
    assert run(outbox.lag()).stored == 0


def test_a_filter_that_forgets_is_caught(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox()
    line = shop.line()
    run(outbox.append([line]))
    monkeypatch.setattr(outbox._ledger.filter, "_bits", bytearray(1 << 24))
    assert run(outbox.append([line]))[0].result == "new"  # what the filter must never allow


# Copies


def lines_at(run: Any, outbox: SqliteOutbox, shop: Any, relayed: list[int]) -> None:
    run(outbox.append([shop.line() for _ in range(3)]))
    run(outbox.mark_relayed(relayed))


def test_a_copied_file_takes_a_new_generation_and_sends_again(
    open_outbox: Open, run: Any, shop: Any, disk: Path
) -> None:
    outbox = open_outbox()
    lines_at(run, outbox, shop, [1, 2])
    run(outbox.close())
    for suffix in ("", ".home"):
        shutil.copy(disk / f"outbox.db{suffix}", disk / f"copy.db{suffix}")
    copy = open_outbox("copy.db")
    assert copy.generation != outbox.generation
    assert positions(run, copy) == [1, 2, 3]
    assert run(copy.counters())["renewals"] == 1


def test_an_older_file_put_in_its_place_is_noticed(
    open_outbox: Open, run: Any, shop: Any, disk: Path
) -> None:
    outbox = open_outbox()
    lines_at(run, outbox, shop, [1, 2])
    run(outbox.close())
    backup = (disk / "outbox.db").read_bytes()
    run(open_outbox().close())
    (disk / "outbox.db").write_bytes(backup)  # the same inode, older content
    again = open_outbox()
    assert again.generation != outbox.generation
    assert positions(run, again) == [1, 2, 3]


def test_a_file_that_stayed_in_its_place_keeps_its_generation(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox()
    lines_at(run, outbox, shop, [1, 2])
    run(outbox.close())
    again = open_outbox()
    assert again.generation == outbox.generation
    assert positions(run, again) == [3]


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (None, "missing"),
        (home.Home("old", 5), "older"),
        (home.Home("token", 9), "rolled back"),
    ],
)
def test_each_sign_of_a_copy_is_told_apart(told: home.Home | None, word: str) -> None:
    reason = home.why_a_copy(told, token="token", place="m:1", place_now="m:1", newest=5)
    assert reason is not None
    assert word in reason
    moved = home.why_a_copy(told, token="token", place="m:1", place_now="m:2", newest=5)
    assert moved is not None
    assert "another machine" in moved


def test_a_renewal_that_was_cut_short_is_finished_at_the_next_start(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.outbox.settle.STEP", 2)
    outbox = open_outbox()
    run(outbox.append([shop.line() for _ in range(7)]))
    run(outbox.mark_relayed([1, 2, 3, 4, 5, 6, 7]))

    generation = opening.new_generation(os.urandom)
    run(outbox._run(lambda book: settle.begin_renewal(book, generation, "seeded")))
    run(outbox._run(settle.renewal_step))
    assert positions(run, outbox) == []  # nothing leaves before the order is whole again
    run(outbox.close())
    again = open_outbox()
    assert again.generation == generation
    assert positions(run, again) == [1, 2, 3, 4, 5, 6, 7]


# Bounds


class Disk:
    """Stands in for ``os.statvfs``."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self, path: object) -> Any:
        return os.statvfs_result((4096, 1, 0, 0, self.free, 0, 0, 0, 0, 255))


MIB = 1 << 20


def test_intake_is_refused_before_the_disk_is_full_and_does_not_flap(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(free=200 * MIB)
    monkeypatch.setattr("edge_agent.outbox.store.os.statvfs", disk)
    outbox = open_outbox(min_free_bytes=100 * MIB)
    run(outbox.append([shop.line()]))
    disk.free = 99 * MIB
    with pytest.raises(IntakeRefused, match=r"99 MiB left and intake needs 100 MiB.*Free space"):
        run(outbox.append([shop.line()]))
    assert "99 MiB left" in run(outbox.lag()).refused
    disk.free = 101 * MIB
    with pytest.raises(IntakeRefused, match="needs 125 MiB"):
        outbox.append_blocking([shop.line()])
    disk.free = 126 * MIB
    assert run(outbox.lag()).refused == ""
    assert run(outbox.append([shop.line()]))[0].position == 2
    assert run(outbox.counters())["refused_bursts"] == 2


def fill(run: Any, outbox: SqliteOutbox, shop: Any) -> tuple[list[Any], IntakeRefused]:
    """Append until intake is refused."""
    lines: list[Any] = []
    while True:
        more = [shop.line() for _ in range(100)]
        try:
            run(outbox.append(more))
        except IntakeRefused as refusal:
            return lines, refusal
        lines += more


def test_intake_is_refused_when_the_outbox_is_as_large_as_allowed(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox(max_bytes=1 << 18)
    lines, refusal = fill(run, outbox, shop)
    assert "of at most 256 KiB" in str(refusal)
    assert "raise max_bytes" in refusal.remedy
    assert len(lines) >= 200
    assert run(outbox.lag()).stored == len(lines)
    assert len(run(outbox.pending(10_000))) == len(lines)


def test_rows_that_were_deleted_make_room_again(open_outbox: Open, run: Any, shop: Any) -> None:
    outbox = open_outbox(max_bytes=1 << 18)
    lines, _ = fill(run, outbox, shop)
    run(outbox.record_outcomes([applied(one, shop) for one in lines], 1))
    shop.pass_time(days=30)
    while run(outbox.prune(shop.now)):
        pass
    assert run(outbox.append([shop.line()]))[0].result == "new"


def test_settled_rows_give_way_before_intake_is_refused(
    open_outbox: Open, run: Any, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "PRUNED_A_CALL", 10)
    outbox = open_outbox(max_bytes=1 << 19)
    for cursor in range(1, 31):  # each within its retention: 600 KiB in all
        lines = [shop.line() for _ in range(40)]
        run(outbox.append(lines))
        run(outbox.record_outcomes([applied(one, shop) for one in lines], cursor))
        shop.pass_time(minutes=1)
        while run(outbox.prune(shop.now)):
            pass
    lag, counters = run(outbox.lag()), run(outbox.counters())
    assert lag.refused == ""
    assert counters["pruned_early"] == counters["pruned"] > 0
    assert counters["rows.applied"] > 100  # no more than was needed
    assert run(outbox.append(lines))[0].result == "duplicate"


def test_what_waits_is_never_pruned_however_short_the_room(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox(max_bytes=1 << 18)
    lines, _ = fill(run, outbox, shop)
    shop.pass_time(days=30)
    assert run(outbox.prune(shop.now)) == 0
    assert run(outbox.lag()).stored == len(lines)


def test_rows_settled_while_the_clock_ran_ahead_are_pruned_in_their_time(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox()
    line = shop.line()
    run(outbox.append([line]))
    right = shop.now
    shop.now = right.replace(year=2099)
    run(outbox.record_outcomes([applied(line, shop)], 1))
    shop.now = right
    assert run(outbox.prune(shop.now)) == 0
    shop.pass_time(days=8)
    assert run(outbox.prune(shop.now)) == 1


def applied(line: Any, shop: Any) -> Outcome:
    return Outcome(device=line.device, event=line.event.id, stage="applied", at=shop.now)


def test_a_gate_without_hysteresis_flaps() -> None:
    settings = OutboxSettings(min_free_bytes=100 * MIB)
    steady = gate.IntakeGate(settings)
    verdicts = []
    for free in (99, 101, 99, 101):
        try:
            steady.check(gate.Room(used=0, free=free * MIB, reusable=0))
            steady.stored()
            verdicts.append("open")
        except IntakeRefused:
            verdicts.append("refused")
            flapping = gate.IntakeGate(settings)
            flapping.check(gate.Room(used=0, free=101 * MIB, reusable=0))
    assert verdicts == ["refused"] * 4


def test_the_quarantine_is_bounded_and_a_flood_does_not_push_out_others(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox(quarantine_max_rows=10)
    run(outbox.append([shop.noise("hh-02")]))
    run(outbox.append([shop.noise("hh-01", bytes([number])) for number in range(30)]))
    kept = run(outbox.quarantine(after=0, limit=100))
    assert [one.item.device for one in kept] == ["hh-02"] + ["hh-01"] * 9
    assert kept[-1].item.payload == bytes([29])
    assert run(outbox.counters())["quarantine_given_up"] == 21
    assert run(outbox.lag()).quarantined == 10


def test_text_that_is_no_text_does_not_stop_its_neighbours(
    open_outbox: Open, run: Any, shop: Any
) -> None:
    outbox = open_outbox()
    noise = shop.noise()
    odd = type(noise)("hh-01", "a\ud800", b"", 0, "not_json", "b\udfff\x00", shop.now)
    results = run(outbox.append([shop.line(), odd, shop.line("hh-\ud800"), shop.line()]))
    assert [one.result for one in results] == ["new", "quarantined", "quarantined", "new"]


# The statements and the record


def test_every_statement_is_used_and_prepares(open_outbox: Open) -> None:
    outbox = open_outbox()
    modules = (intake, ledger, opening, reading, salvage, settle)
    source = "".join(Path(module.__file__ or "").read_text() for module in modules)
    for name, sql in statements.SQL.items():
        assert f'SQL["{name}"]' in source, name
        values: Any = (
            {"newest": 0, "oldest": 0, "key": 0, "after": 0, "through": 0, "stage": 0, "limit": 0}
            if ":" in sql
            else (None,) * sql.count("?")
        )
        outbox._writer.run_blocking(
            lambda connection, sql=sql, values=values: connection.execute(
                f"EXPLAIN {sql}", values
            ).fetchall()
        )


def test_questions_about_the_backlog_use_an_index(open_outbox: Open) -> None:
    outbox = open_outbox()
    for name in ("pending_devices", "pending_of_device", "pending_of_lane", "expired"):
        sql = statements.SQL[name]
        plan = outbox._writer.run_blocking(
            lambda connection, sql=sql: connection.execute(
                f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?")
            ).fetchall()
        )
        assert not [step for step in plan if "SCAN event" in step[3] and "INDEX" not in step[3]]
        assert not [step for step in plan if "TEMP B-TREE" in step[3]], name


def test_uuid7_carries_its_time_and_version() -> None:
    made = record.uuid7(1_764_000_000_123, bytes(range(10)))
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 1_764_000_000_123
