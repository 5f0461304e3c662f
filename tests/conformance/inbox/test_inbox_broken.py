"""Deliberately broken inboxes: the suite must notice each, or it could not fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from cloud_relay.inbox import lanes, rows
from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import GenerationReused, Inbox, Verdict
from cloud_relay.inbox.store import SqliteInbox

Make = Any
Check = Callable[[Inbox, Make], Awaitable[None]]


async def sent_twice_is_tried_once(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.count("a")))
    await inbox.store(make.arrival(make.count("a", outbox="b"), outbox="b"))
    assert len(await inbox.ready("company", make.noon, 9)) == 1


async def held_holds_its_lane(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b")))
    first = (await inbox.ready("company", make.noon, 9))[0]
    await inbox.settle([Verdict(first.number, "held")], make.noon)
    assert await inbox.ready("company", make.noon, 9) == []


async def arrivals_in_a_held_lane_wait(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a")))
    first = (await inbox.ready("company", make.noon, 9))[0]
    await inbox.settle([Verdict(first.number, "held")], make.noon)
    await inbox.store(make.arrival(make.line("b")))
    assert await inbox.ready("company", make.noon, 9) == []


async def a_rolled_back_outbox_is_noticed(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.count("a", position=1)))
    with pytest.raises(GenerationReused):
        await inbox.store(make.arrival(make.count("b", position=1)))


async def a_device_keeps_its_order(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a", minutes=-3), make.line("b", minutes=-9)))
    ready = await inbox.ready("company", make.noon, 9)
    assert [entry.event.id for entry in ready] == [make.id("a"), make.id("b")]


class ForgetsIds(MemoryInbox):
    def _find(self, key: tuple[str, UUID], stray: bool = False) -> None:
        return None


class HoldsNothing(MemoryInbox):
    def _blocked(self, entry: Any) -> bool:
        return False


class BelievesPositions(MemoryInbox):
    def _check_positions(self, source: Any, events: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ForgetsIds, sent_twice_is_tried_once),
        (HoldsNothing, held_holds_its_lane),
        (HoldsNothing, arrivals_in_a_held_lane_wait),
        (BelievesPositions, a_rolled_back_outbox_is_noticed),
    ],
)
def test_a_broken_inbox_in_memory_is_caught(
    broken: type[MemoryInbox], check: Check, make: Make
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        asyncio.run(check(broken(), make))


#: A statement of the store, what it is replaced by, and the check that must notice.
BROKEN_STATEMENTS = [
    ("known", "SELECT number, digest, site, status FROM events WHERE 0 AND ? = ?",
     sent_twice_is_tried_once),
    ("block_lane", "SELECT ?, ?", held_holds_its_lane),
    ("lane_is_held", "SELECT 1 WHERE 0 AND ? = ?", arrivals_in_a_held_lane_wait),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "broken", "check"), BROKEN_STATEMENTS, ids=[row[0] for row in BROKEN_STATEMENTS]
)
def test_a_broken_statement_of_the_store_is_caught(
    statement: str,
    broken: str,
    check: Check,
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        inbox = await SqliteInbox.open(tmp_path / f"{uuid4()}.db")
        if statement == "known":  # without the check, the unique index is what stands in the way
            await inbox._file.run(lambda c: c.execute("DROP INDEX events_key"))
        try:
            await check(inbox, make)
        finally:
            await inbox.close()

    if statement != "known":
        asyncio.run(scene())  # the check itself holds
    monkeypatch.setitem(rows.SQL, statement, broken)
    with pytest.raises((AssertionError, pytest.fail.Exception)) as caught:
        asyncio.run(scene())
    assert caught.type in {AssertionError, pytest.fail.Exception}


def test_an_order_by_clock_alone_is_caught(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(a_device_keeps_its_order(MemoryInbox(), make))
    monkeypatch.setattr(
        lanes, "_merged", lambda lane: sorted(lane, key=lambda candidate: candidate.moment)
    )
    with pytest.raises(AssertionError):
        asyncio.run(a_device_keeps_its_order(MemoryInbox(), make))
