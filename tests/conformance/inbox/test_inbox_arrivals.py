"""Conformance of every inbox: what arrives, arrives once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from cloud_relay.inbox.port import TRACE_NOTE, GenerationReused, Inbox, Verdict

Make = Any


async def numbers(
    inbox: Inbox, make: Make, target: str = "company", minutes: float = 0
) -> list[int]:
    return [entry.number for entry in await inbox.ready(target, make.at(minutes), 100)]


async def test_a_batch_is_stored_and_its_positions_are_answered(inbox: Inbox, make: Make) -> None:
    reply = await inbox.store(make.arrival(make.line("a"), make.line("b"), make.count("c")))
    assert (reply.new, reply.duplicates, reply.stored_through) == (3, 0, 3)
    assert reply.generation == make.id("generation a")
    entry = await inbox.entry("scanner-1", make.id("b"))
    assert entry is not None
    assert (entry.site, entry.target, entry.lane, entry.status) == (
        "north",
        "company",
        "OUT/1",
        "waiting",
    )
    assert entry.event.data["quantity"] == "1"
    assert await inbox.numbered(entry.number) == entry
    assert await inbox.numbered(99) is None
    assert await inbox.entry("scanner-2", make.id("b")) is None


async def test_an_empty_batch_is_answered(inbox: Inbox, make: Make) -> None:
    reply = await inbox.store(make.arrival())
    assert (reply.new, reply.stored_through) == (0, 0)


async def test_positions_that_come_out_of_order_close_their_gap(inbox: Inbox, make: Make) -> None:
    through = []
    for positions in ((3, 4), (9,), (1,), (2,), (5, 7, 6), (8,)):
        events = [make.count(f"p{position}", position=position) for position in positions]
        through.append((await inbox.store(make.arrival(*events))).stored_through)
    assert through == [0, 0, 1, 4, 7, 9]


async def test_what_is_sent_again_is_a_duplicate(inbox: Inbox, make: Make) -> None:
    batch = make.arrival(make.line("a"), make.line("b"))
    await inbox.store(batch)
    reply = await inbox.store(batch)
    assert (reply.new, reply.duplicates, reply.refused) == (0, 2, ())
    assert len(await numbers(inbox, make)) == 2
    (site,) = await inbox.sites()
    assert site.counters["duplicates"] == 2
    assert site.counters["new"] == 2


async def test_one_event_through_two_sites_has_its_effect_once_and_both_hear_of_it(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.count("a")))
    elsewhere = make.arrival(make.count("a", outbox="b"), site="south", outbox="b")
    assert (await inbox.store(elsewhere)).duplicates == 1
    (number,) = await numbers(inbox, make)
    await inbox.settle([Verdict(number, "applied")], make.noon)
    for site in ("north", "south"):
        (item,) = await inbox.downlink(site, 0, 10)
        assert (item.outcome.event, item.outcome.stage) == (make.id("a"), "applied")
    rungs = [stage for stage, _, _ in await inbox.ladder("scanner-1", make.id("a"))]
    assert rungs == ["stored", "relayed", "applied"]


async def test_a_late_copy_of_a_settled_event_is_told_its_outcome(inbox: Inbox, make: Make) -> None:
    first = make.arrival(make.count("a"))
    await inbox.store(first)
    (number,) = await numbers(inbox, make)
    await inbox.settle([Verdict(number, "applied")], make.noon)
    await inbox.store(first)
    assert len(await inbox.downlink("north", 0, 10)) == 1  # the same outbox: it is on its way
    renewed = make.arrival(make.count("a", outbox="b"), outbox="b")
    await inbox.store(renewed)
    items = await inbox.downlink("north", 0, 10)
    assert [item.outcome.stage for item in items] == ["applied", "applied"]
    await inbox.store(renewed)
    assert len(await inbox.downlink("north", 0, 10)) == 2
    assert len(await inbox.ladder("scanner-1", make.id("a"))) == 3


async def test_the_same_id_of_two_devices_is_two_events(inbox: Inbox, make: Make) -> None:
    reply = await inbox.store(make.arrival(make.count("a"), make.count("a", device="scanner-2")))
    assert reply.new == 2


async def test_other_content_under_a_known_id_is_refused_and_raises_an_alarm(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    forged = make.arrival(
        make.line("a", quantity="9", outbox="b"), make.line("b", outbox="b"), outbox="b"
    )
    for _ in range(2):
        reply = await inbox.store(forged)
        (refused,) = reply.refused
        assert (refused.position, refused.id, refused.code) == (
            1,
            make.id("a"),
            "content_conflict",
        )
        assert reply.stored_through == 2
    entry = await inbox.entry("scanner-1", make.id("a"))
    assert entry is not None
    assert entry.event.data["quantity"] == "1"
    (alarm,) = await inbox.alarms()
    assert alarm.key == f"content_conflict:scanner-1:{make.id('a')}"
    assert await inbox.downlink("north", 0, 10) == []  # it would be read as the first one's fate
    (site,) = await inbox.sites()
    assert site.counters["conflicts"] == 1


async def test_another_site_is_told_that_its_content_was_refused(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a")))
    forged = make.line("a", quantity="9", outbox="b")
    await inbox.store(make.arrival(forged, site="south", outbox="b"))
    (item,) = await inbox.downlink("south", 0, 10)
    assert (item.outcome.stage, item.outcome.code) == ("rejected", "content_conflict")


async def test_a_conflict_within_one_batch_is_found(inbox: Inbox, make: Make) -> None:
    reply = await inbox.store(
        make.arrival(make.line("a"), make.line("a"), make.line("a", quantity="2"))
    )
    assert (reply.new, reply.duplicates, len(reply.refused)) == (1, 1, 1)


@pytest.mark.parametrize("together", [False, True])
async def test_a_position_with_another_event_stops_the_whole_batch(
    inbox: Inbox, make: Make, together: bool
) -> None:
    first, other = make.line("a", position=1), make.line("b", position=1)
    before = [] if together else [first]
    if before:
        await inbox.store(make.arrival(*before))
    with pytest.raises(GenerationReused, match="Position 1") as caught:
        await inbox.store(make.arrival(first, make.line("c", position=2), other))
    assert caught.value.code == "generation-reused"
    assert await inbox.entry("scanner-1", make.id("c")) is None
    assert len(await numbers(inbox, make)) == len(before)
    again = await inbox.store(make.arrival(other, make.line("c", position=2), outbox="renewed"))
    assert again.new == 2


async def test_the_positions_of_copies_and_of_refused_events_are_remembered_too(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    copy, forged = make.line("a", position=1), make.line("a", position=2, quantity="2")
    await inbox.store(make.arrival(copy, forged, outbox="b"))
    await inbox.store(make.arrival(copy, forged, outbox="b"))
    for position in (1, 2):
        with pytest.raises(GenerationReused):
            await inbox.store(make.arrival(make.line("x", position=position), outbox="b"))


async def test_a_raw_reading_is_kept_for_trace_and_never_tried(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.reading("r")))
    entry = await inbox.entry("scanner-1", make.id("r"))
    assert entry is not None
    assert entry.status == "trace"
    assert await numbers(inbox, make) == []
    rungs = [stage for stage, _, _ in await inbox.ladder("scanner-1", make.id("r"))]
    assert rungs == ["stored", "relayed", "applied"]
    (item,) = await inbox.downlink("north", 0, 10)
    assert (item.outcome.record, item.outcome.notes) == (None, (TRACE_NOTE,))
    (site,) = await inbox.sites()
    assert (site.waiting, site.oldest_waiting, site.counters["trace"]) == (0, None, 1)


async def test_a_device_that_roams_to_another_site_of_its_target_is_at_home_there(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    await inbox.store(make.arrival(make.line("b", outbox="b"), site="south", outbox="b"))
    assert len(await numbers(inbox, make)) == 2


async def test_a_device_of_another_target_is_held_and_takes_nobodys_id_away(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    other = {"site": "west", "target": "sister", "outbox": "w"}
    guessed = make.line("b", quantity="9", outbox="w")
    for _ in range(2):
        reply = await inbox.store(make.arrival(guessed, **other))
    assert (reply.refused, reply.duplicates) == ((), 1)
    (held,) = await inbox.held("west")
    assert (held.code, held.lane) == ("foreign_device", None)
    (item,) = await inbox.downlink("west", 0, 10)
    assert (item.outcome.stage, item.outcome.code) == ("held", "foreign_device")
    (alarm,) = await inbox.alarms()
    assert alarm.key == "foreign_device:scanner-1:west"
    reply = await inbox.store(make.arrival(make.line("b")))
    assert (reply.new, reply.refused) == (1, ())
    assert len(await numbers(inbox, make)) == 2
    assert await numbers(inbox, make, "sister") == []


async def test_a_foreign_event_is_applied_once_its_device_is_enrolled_and_it_is_replayed(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    other = {"site": "west", "target": "sister", "outbox": "w"}
    await inbox.store(make.arrival(make.line("b", outbox="w"), **other))
    (held,) = await inbox.held()
    with pytest.raises(Exception, match=r"[Ee]nrol") as caught:
        await inbox.replay([held.number], "ada", make.noon)
    assert getattr(caught.value, "code", "") == "foreign_device"
    await inbox.enrol("scanner-1", "sister", "ada", make.noon)
    await inbox.replay([held.number], "ada", make.noon)
    (entry,) = await inbox.ready("sister", make.noon, 10)
    assert (entry.number, entry.lane) == (held.number, "OUT/1")
    assert [audited.action for audited in await inbox.audit(10)] == ["replay", "enrol"]


async def test_a_foreign_event_that_came_home_too_cannot_be_replayed(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    other = {"site": "west", "target": "sister", "outbox": "w"}
    await inbox.store(make.arrival(make.line("b", outbox="w"), **other))
    await inbox.store(make.arrival(make.line("b")))
    await inbox.enrol("scanner-1", "sister", "ada", make.noon)
    (held,) = await inbox.held()
    with pytest.raises(Exception, match="too"):
        await inbox.replay([held.number], "ada", make.noon)
    await inbox.discard(held.number, "ada", "it came home", make.noon)
    assert await inbox.held() == []


async def test_a_resend_through_another_targets_site_is_a_duplicate(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    other = {"site": "west", "target": "sister", "outbox": "w"}
    reply = await inbox.store(make.arrival(make.line("a", outbox="w"), **other))
    assert (reply.new, reply.duplicates) == (0, 1)
    assert await inbox.held() == []


async def test_ids_are_unique_whatever_their_version(inbox: Inbox, make: Make) -> None:
    event = make.line("a").model_copy(update={"id": UUID(int=0)})
    await inbox.store(make.arrival(event))
    assert await inbox.entry("scanner-1", UUID(int=0)) is not None
