"""What only the store on disk can get wrong."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from cloud_relay.inbox.port import Verdict
from cloud_relay.inbox.store import SqliteInbox

Make = Any


async def test_everything_is_there_after_the_file_is_opened_again(
    make: Make, tmp_path: Path
) -> None:
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    await inbox.store(make.arrival(make.line("a"), make.line("b"), make.count("c")))
    first = (await inbox.ready("company", make.noon, 1))[0]
    await inbox.settle([Verdict(first.number, "held", "over_quantity")], make.noon)
    before = [await inbox.held(), await inbox.sites(), await inbox.downlink("north", 0, 9)]
    await inbox.close()
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    after = [await inbox.held(), await inbox.sites(), await inbox.downlink("north", 0, 9)]
    assert after == before
    ready = [entry.event.id for entry in await inbox.ready("company", make.noon, 9)]
    assert ready == [make.id("c")]
    await inbox.close()


async def test_numbers_and_cursors_are_never_used_twice(make: Make, tmp_path: Path) -> None:
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    await inbox.store(make.arrival(make.reading("a")))
    (item,) = await inbox.downlink("north", 0, 9)
    assert await inbox.prune(make.at(91 * 24 * 60)) == 1
    await inbox.store(make.arrival(make.reading("b")))
    (later,) = await inbox.downlink("north", 0, 9)
    assert later.cursor > item.cursor
    entry = await inbox.entry("scanner-1", make.id("b"))
    assert entry is not None
    assert entry.number == 2
    await inbox.close()


async def test_an_older_copy_knows_a_cursor_it_never_gave_out_even_after_it_gave_out_more(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "inbox.db"
    inbox = await SqliteInbox.open(path, clock=lambda: make.at(0))
    await inbox.store(make.arrival(make.reading("a")))
    (early,) = await inbox.downlink("north", 0, 9)
    await inbox.close()
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    inbox = await SqliteInbox.open(path, clock=lambda: make.at(1))
    await inbox.store(make.arrival(make.reading("b")))
    (late,) = await inbox.downlink("north", early.cursor, 9)
    await inbox.close()

    inbox = await SqliteInbox.open(copy, clock=lambda: make.at(2))
    await inbox.store(make.arrival(make.reading("c"), make.reading("d")))
    await inbox.close()
    inbox = await SqliteInbox.open(copy, clock=lambda: make.at(3))
    assert await inbox.known_cursor(late.cursor) == early.cursor
    assert await inbox.known_cursor(early.cursor) == early.cursor
    for item in await inbox.downlink("north", 0, 9):
        assert await inbox.known_cursor(item.cursor) == item.cursor
    await inbox.close()


async def test_pruning_readings_does_not_look_at_the_events_that_are_kept_longer(
    make: Make, tmp_path: Path
) -> None:
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    await inbox.store(make.arrival(*(make.count(f"c{n}") for n in range(200))))
    await inbox.store(make.arrival(make.reading("r")))
    applied = [Verdict(n, "applied") for n in range(1, 201)]
    await inbox.settle(applied, make.noon)
    steps = 0

    def counting() -> int:
        nonlocal steps
        steps += 1
        return 0

    await inbox._file.run(lambda connection: connection.set_progress_handler(counting, 10))
    assert await inbox.prune(make.at(31 * 24 * 60)) == 1
    await inbox._file.run(lambda connection: connection.set_progress_handler(None, 0))
    assert steps < 50
    await inbox.close()


async def test_a_store_whose_caller_goes_away_commits_and_wakes_the_applier(
    make: Make, tmp_path: Path
) -> None:
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    watch = inbox.watch_target("company")
    entered, go = threading.Event(), threading.Event()

    def hold_up(connection: object) -> None:
        entered.set()
        go.wait(5)

    busy = asyncio.create_task(inbox._file.run(hold_up))
    await asyncio.to_thread(entered.wait, 5)
    storing = asyncio.create_task(inbox.store(make.arrival(make.line("a"))))
    await asyncio.sleep(0)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    go.set()
    await busy
    assert await watch.changed(5)
    assert len(await inbox.ready("company", make.noon, 9)) == 1
    await inbox.close()


async def test_an_event_that_an_earlier_release_accepted_still_comes_out(
    make: Make, tmp_path: Path
) -> None:
    inbox = await SqliteInbox.open(tmp_path / "inbox.db")
    await inbox.store(make.arrival(make.line("a"), make.line("b", document="OUT/2")))
    await inbox._file.run(
        lambda c: c.execute(
            "UPDATE events SET text = replace(text, '\"quantity\"', '\"pieces\"') WHERE number = 1"
        )
    )
    old, new = await inbox.ready("company", make.noon, 9)
    assert old.event.data["pieces"] == "1"
    assert (old.event.device, old.event.kind) == (new.event.device, new.event.kind)
    assert old.event.occurred == new.event.occurred
    await inbox.settle([Verdict(old.number, "held", "odoo_refused")], make.noon)
    assert [entry.number for entry in await inbox.held()] == [1]
    assert len(await inbox.ladder("scanner-1", make.id("a"))) == 3
    await inbox.close()
