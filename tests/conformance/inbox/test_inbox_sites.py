"""Conformance of every inbox: agents, lag, downlink, waking, alarms, watermark, retention."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloud_relay.inbox.port import Alarm, Inbox, Verdict
from edge_contract.errors import Rejected

Make = Any


async def apply_all(inbox: Inbox, make: Make, minutes: float = 0) -> None:
    ready = await inbox.ready("company", make.at(minutes), 100)
    await inbox.settle([Verdict(entry.number, "applied") for entry in ready], make.at(minutes))


async def test_a_heartbeat_is_answered_with_what_is_stored(inbox: Inbox, make: Make) -> None:
    heard = await inbox.heartbeat("north", "company", make.heartbeat(), make.noon)
    assert (heard.stored_through, heard.highest, heard.stop) == (0, 0, None)
    await inbox.store(make.arrival(make.line("a", position=1), make.line("b", position=5)))
    heard = await inbox.heartbeat("north", "company", make.heartbeat(), make.noon)
    assert (heard.stored_through, heard.highest) == (1, 5)
    (site,) = await inbox.sites()
    assert site.last_heard == make.noon
    assert site.agents == (make.heartbeat(),)


async def test_a_restart_is_no_second_host(inbox: Inbox, make: Make) -> None:
    for minutes, boot in enumerate(["first", "second", "third", "third"]):
        said = make.heartbeat(boot, minutes)
        assert (await inbox.heartbeat("north", "company", said, make.at(minutes))).stop is None
    assert await inbox.alarms() == []


async def test_a_boot_that_was_replaced_and_speaks_again_is_a_second_host(
    inbox: Inbox, make: Make
) -> None:
    for minutes, boot in enumerate(["first", "copy"]):
        await inbox.heartbeat("north", "company", make.heartbeat(boot, minutes), make.at(minutes))
    for minutes in (2, 3):
        said = make.heartbeat("first", minutes)
        heard = await inbox.heartbeat("north", "company", said, make.at(minutes))
        assert heard.stop is not None
        assert "agent of site north" in heard.stop
    (alarm,) = await inbox.alarms()
    assert alarm.key == "two_hosts:north:agent"
    (site,) = await inbox.sites()
    assert site.agents[0].boot == make.id("boot copy")


async def test_a_last_heartbeat_that_comes_late_raises_no_alarm(inbox: Inbox, make: Make) -> None:
    for boot, said, heard in (("first", 0, 0), ("second", 1, 1), ("first", 0.9, 1.1)):
        await inbox.heartbeat("north", "company", make.heartbeat(boot, said), make.at(heard))
    assert await inbox.alarms() == []


async def test_progress_says_up_to_when_everything_of_a_target_has_arrived(
    inbox: Inbox, make: Make
) -> None:
    assert (await inbox.progress("company", make.noon)).arrived_through is None
    await inbox.heartbeat("north", "company", make.heartbeat(minutes=-1), make.noon)
    assert (await inbox.progress("company", make.noon)).arrived_through == make.at(-1)
    behind = make.heartbeat(minutes=-1, unrelayed=3, oldest_unrelayed=make.at(-40))
    await inbox.heartbeat("south", "company", behind, make.noon)
    await inbox.heartbeat("west", "sister", make.heartbeat(minutes=-90), make.noon)
    assert (await inbox.progress("company", make.noon)).arrived_through == make.at(-40)
    gone = await inbox.progress("company", make.at(8 * 24 * 60))
    assert gone.arrived_through is None


async def test_progress_names_the_oldest_event_that_waits(inbox: Inbox, make: Make) -> None:
    assert (await inbox.progress("company", make.noon)).oldest_open is None
    await inbox.store(
        make.arrival(
            make.line("a", minutes=-30),
            make.line("b", minutes=-25),
            make.count("c", minutes=-20),
            make.reading("d", minutes=-90),
        )
    )
    assert (await inbox.progress("company", make.noon)).oldest_open == make.at(-30)
    first = (await inbox.ready("company", make.noon, 1))[0].number
    await inbox.settle([Verdict(first, "held")], make.noon)
    assert (await inbox.progress("company", make.noon)).oldest_open == make.at(-20)


async def test_the_lag_of_each_site_is_its_own(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a", minutes=-30), make.line("b"), make.count("c")))
    await inbox.store(make.arrival(make.count("d", outbox="b"), site="south", outbox="b"))
    first = (await inbox.ready("company", make.noon, 1))[0].number
    await inbox.settle([Verdict(first, "held")], make.noon)
    north, south = await inbox.sites()
    assert (north.site, north.waiting, north.held) == ("north", 2, 1)
    assert north.oldest_waiting == make.at(-30)
    assert (south.site, south.waiting, south.held, south.last_heard) == ("south", 1, 0, None)
    assert [entry.site for entry in await inbox.held("south")] == []


async def test_the_downlink_of_a_site_is_read_in_pages(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(*(make.count(letter) for letter in "abc")))
    await inbox.store(make.arrival(make.count("x", outbox="b"), site="south", outbox="b"))
    await apply_all(inbox, make)
    seen, cursor = [], 0
    while items := await inbox.downlink("north", cursor, 2):
        seen += [item.outcome.event for item in items]
        assert all(item.cursor > cursor for item in items)
        cursor = items[-1].cursor
    assert seen == [make.id(letter) for letter in "abc"]


async def test_a_cursor_from_before_a_restore_starts_again(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.count("a")))
    await apply_all(inbox, make)
    assert len(await inbox.downlink("north", 1000, 10)) == 1
    (item,) = await inbox.downlink("north", 0, 10)
    assert await inbox.downlink("north", item.cursor, 10) == []


async def test_a_cursor_that_was_never_given_out_is_answered_by_a_lower_one(
    inbox: Inbox, make: Make
) -> None:
    assert await inbox.known_cursor(0) == 0
    assert await inbox.known_cursor(7) == 0
    await inbox.store(make.arrival(make.count("a")))
    await apply_all(inbox, make)
    (item,) = await inbox.downlink("north", 0, 10)
    assert await inbox.known_cursor(item.cursor) == item.cursor
    assert await inbox.known_cursor(item.cursor + 1) == item.cursor


async def test_a_watch_wakes_for_its_subject_and_misses_nothing_in_between(
    inbox: Inbox, make: Make
) -> None:
    downlink, other = inbox.watch_downlink("north"), inbox.watch_downlink("south")
    target = inbox.watch_target("company")
    await inbox.store(make.arrival(make.line("a")))
    assert await target.changed(5)
    assert not await target.changed(0)
    assert not await downlink.changed(0)
    waiting = asyncio.create_task(downlink.changed(5))
    (entry,) = await inbox.ready("company", make.noon, 9)
    await inbox.settle([Verdict(entry.number, "held")], make.noon)
    assert await waiting
    await inbox.discard(entry.number, "ada", "no", make.noon)
    assert await target.changed(5)
    assert not await other.changed(0)
    for watch in (downlink, other, target):
        watch.close()
        watch.close()
    await inbox.store(make.arrival(make.line("b")))
    assert not await target.changed(0)


async def test_an_alarm_is_raised_once_and_cleared_on_the_record(inbox: Inbox, make: Make) -> None:
    first = Alarm("odoo_went_back:company", None, "Odoo was restored.", make.noon)
    await inbox.raise_alarm(first)
    await inbox.raise_alarm(Alarm(first.key, None, "Again.", make.at(1)))
    assert await inbox.alarms() == [first]
    await inbox.clear_alarm(first.key, "ada", make.at(2))
    assert await inbox.alarms() == []
    with pytest.raises(Rejected):
        await inbox.clear_alarm(first.key, "ada", make.at(3))
    (audited,) = await inbox.audit(10)
    assert (audited.action, audited.subject, audited.at) == ("clear_alarm", first.key, make.at(2))
    await inbox.raise_alarm(first)
    assert await inbox.alarms() == [first]


async def test_the_watermark_is_kept_with_the_verdicts(inbox: Inbox, make: Make) -> None:
    assert await inbox.watermark("company") == {}
    await inbox.set_watermark("company", {"uuid": "u", "claim": "1", "key": "k"})
    await inbox.store(make.arrival(make.line("a")))
    (entry,) = await inbox.ready("company", make.noon, 9)
    newer = {"uuid": "u", "claim": "2"}
    await inbox.settle([Verdict(entry.number, "applied")], make.noon, {"company": newer})
    assert await inbox.watermark("company") == newer
    assert await inbox.watermark("sister") == {}


async def test_final_events_go_after_their_retention_a_bounded_number_a_call(
    inbox: Inbox, make: Make
) -> None:
    day = 24 * 60
    await inbox.store(make.arrival(make.line("h"), make.line("w")))
    held = (await inbox.ready("company", make.noon, 1))[0]
    await inbox.settle([Verdict(held.number, "held")], make.noon)
    await inbox.store(make.arrival(*(make.count(letter) for letter in "abcd"), make.reading("r")))
    await apply_all(inbox, make)
    await inbox.store(make.arrival(make.count("n"), minutes=60 * day))
    await apply_all(inbox, make, minutes=60 * day)
    assert await inbox.prune(make.at(29 * day)) == 0
    assert await inbox.prune(make.at(31 * day)) == 1
    assert await inbox.entry("scanner-1", make.id("r")) is None
    assert [await inbox.prune(make.at(91 * day)) for _ in range(3)] == [3, 1, 0]
    assert await inbox.entry("scanner-1", make.id("n")) is not None
    assert await inbox.entry("scanner-1", make.id("h")) is not None
    assert await inbox.ladder("scanner-1", make.id("a")) == []
    items = await inbox.downlink("north", 0, 10)
    assert {item.outcome.event for item in items} == {make.id("h"), make.id("n")}
    (site,) = await inbox.sites()
    assert site.applied == 5


async def test_a_position_whose_event_was_pruned_asks_for_a_new_generation(
    inbox: Inbox, make: Make
) -> None:
    event = make.count("a")
    await inbox.store(make.arrival(event))
    await apply_all(inbox, make)
    await inbox.prune(make.at(91 * 24 * 60))
    with pytest.raises(Rejected) as caught:
        await inbox.store(make.arrival(event))
    assert caught.value.code == "generation-reused"
    assert (await inbox.store(make.arrival(event, outbox="renewed"))).new == 1
