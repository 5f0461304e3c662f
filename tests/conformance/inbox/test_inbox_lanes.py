"""Conformance of every inbox: what may be applied now, in which order, and what holds what back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_relay.inbox.port import Inbox, Verdict
from edge_contract.errors import Rejected
from edge_contract.outcome import OdooRecord

Make = Any


async def names(
    inbox: Inbox, make: Make, minutes: float = 0, limit: int = 100, target: str = "company"
) -> str:
    """The ready entries by the letters that name their events."""
    letters = {make.id(letter): letter for letter in "abcdefghijklmnopqrstuvwxyz"}
    ready = await inbox.ready(target, make.at(minutes), limit)
    return "".join(letters[entry.event.id] for entry in ready)


async def number(inbox: Inbox, make: Make, name: str, device: str = "scanner-1") -> int:
    entry = await inbox.entry(device, make.id(name))
    assert entry is not None
    return entry.number


async def settle(inbox: Inbox, make: Make, name: str, status: Any, **rest: Any) -> None:
    device = rest.pop("device", "scanner-1")
    verdict = Verdict(await number(inbox, make, name, device), status, **rest)
    await inbox.settle([verdict], make.noon)


async def test_entries_come_oldest_first_and_as_many_as_asked(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(*(make.count(letter) for letter in "abc")))
    await inbox.store(make.arrival(make.line("d"), make.line("e", document="OUT/2")))
    assert await names(inbox, make) == "abcde"
    assert await names(inbox, make, limit=2) == "ab"
    assert await names(inbox, make, target="sister") == ""


async def a_held_entry_holds_its_lane_and_nobody_elses(inbox: Inbox, make: Make) -> None:
    await inbox.store(
        make.arrival(
            make.line("a"), make.line("b"), make.line("c", document="OUT/2"), make.count("d")
        )
    )
    await settle(inbox, make, "a", "held", code="unknown_barcode", message="No such product.")
    assert await names(inbox, make) == "cd"
    await inbox.store(make.arrival(make.line("e"), make.line("f", document="OUT/2")))
    assert await names(inbox, make) == "cdf"
    assert await inbox.behind(await number(inbox, make, "a")) == 2


async def test_a_held_entry_holds_its_lane_and_nobody_elses(inbox: Inbox, make: Make) -> None:
    await a_held_entry_holds_its_lane_and_nobody_elses(inbox, make)


async def test_the_same_document_name_of_another_target_is_another_lane(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a")))
    other = make.line("b", device="scanner-2", outbox="w")
    await inbox.store(make.arrival(other, site="west", target="sister", outbox="w"))
    await settle(inbox, make, "a", "held")
    assert await names(inbox, make, target="sister") == "b"


async def test_a_rejected_or_applied_entry_lets_its_lane_go_on(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(*(make.line(letter) for letter in "abc")))
    await settle(inbox, make, "a", "applied")
    assert await names(inbox, make) == "bc"
    await settle(inbox, make, "b", "rejected", code="content_conflict")
    assert await names(inbox, make) == "c"


@pytest.mark.parametrize("status", ["waiting", "short"])
async def test_an_entry_that_is_deferred_stops_its_lane_until_it_is_due(
    inbox: Inbox, make: Make, status: Any
) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b"), make.count("c")))
    await settle(inbox, make, "a", status, next_attempt=make.at(5))
    assert await names(inbox, make) == "c"
    assert await names(inbox, make, minutes=5) == "abc"
    assert (await inbox.progress("company", make.at(0))).next_due == make.at(5)
    assert (await inbox.progress("company", make.at(6))).next_due is None


async def test_attempts_are_counted_but_not_for_what_was_only_skipped(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b")))
    await settle(inbox, make, "a", "waiting")
    await settle(inbox, make, "a", "waiting")
    await settle(inbox, make, "b", "waiting", attempted=False)
    assert [entry.attempts for entry in await inbox.ready("company", make.noon, 9)] == [2, 0]


async def test_short_is_not_shown_to_the_site(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a")))
    await settle(inbox, make, "a", "short", code="insufficient_stock")
    assert await inbox.downlink("north", 0, 10) == []
    entry = await inbox.entry("scanner-1", make.id("a"))
    assert entry is not None
    assert (entry.status, entry.code) == ("short", "insufficient_stock")


async def test_what_is_short_is_tried_together_because_each_may_be_what_another_lacks(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.count("a"), make.count("b"), make.line("c")))
    await inbox.store(make.arrival(make.line("d"), make.takes_back("e", "unheard of")))
    for name, minutes in (("a", 9), ("b", 5)):
        await settle(inbox, make, name, "short", next_attempt=make.at(minutes))
    await settle(inbox, make, "c", "waiting", next_attempt=make.at(9))
    assert await names(inbox, make, minutes=4) == ""
    assert await names(inbox, make, minutes=5) == "ab"


async def test_devices_of_one_lane_go_by_occurrence_and_each_keeps_its_order(
    inbox: Inbox, make: Make
) -> None:
    # scanner-2 closes at -3; scanner-1 was offline and delivers later what it scanned at -8, -7.
    done = make.event(
        "z",
        "transfer.done",
        device="scanner-2",
        minutes=-3,
        document="OUT/1",
        backorder="create",
    )
    await inbox.store(make.arrival(done))
    await inbox.store(make.arrival(make.line("a", minutes=-7), make.line("b", minutes=-8)))
    assert await names(inbox, make) == "abz"


async def test_the_limit_of_a_batch_does_not_let_a_closing_go_before_an_older_scan(
    inbox: Inbox, make: Make
) -> None:
    done = make.event(
        "z", "transfer.done", device="scanner-2", minutes=-3, document="OUT/1", backorder="create"
    )
    await inbox.store(make.arrival(done, make.count("y", device="scanner-3")))
    await inbox.store(make.arrival(make.line("a", minutes=-7), make.line("b", minutes=-6)))
    assert await names(inbox, make, limit=2) == "ay"
    await settle(inbox, make, "a", "applied")
    assert await names(inbox, make, limit=1) == "b"


async def test_a_clock_ahead_does_not_let_a_device_go_last(inbox: Inbox, make: Make) -> None:
    # scanner-1 says 60 minutes from now, but its agent recorded the scan before the closing.
    ahead = make.line("a", minutes=-9).model_copy(update={"time": make.at(60)})
    done = make.event(
        "z", "transfer.done", device="scanner-2", minutes=-3, document="OUT/1", backorder="cancel"
    )
    await inbox.store(make.arrival(done, ahead))
    assert await names(inbox, make) == "az"


async def test_a_clock_at_1970_does_not_let_a_closing_go_first(inbox: Inbox, make: Make) -> None:
    early = make.event(
        "z", "transfer.done", device="scanner-2", minutes=-3, document="OUT/1", backorder="cancel"
    ).model_copy(update={"time": make.noon - timedelta(days=20000)})
    await inbox.store(make.arrival(early, make.line("a", minutes=-9)))
    assert await names(inbox, make) == "az"


async def test_a_take_back_joins_the_lane_of_the_event_it_takes_back(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a"), make.takes_back("b", "a"), make.count("c")))
    await settle(inbox, make, "a", "held")
    assert await names(inbox, make) == "c"
    await inbox.store(make.arrival(make.takes_back("d", "a")))
    assert await names(inbox, make) == "c"
    entry = await inbox.entry("scanner-1", make.id("d"))
    assert entry is not None
    assert entry.lane == "OUT/1"


@pytest.mark.parametrize("together", [False, True])
async def test_a_take_back_that_comes_first_waits_for_its_event_and_follows_it(
    inbox: Inbox, make: Make, together: bool
) -> None:
    back = make.takes_back("b", "a", minutes=-8)
    lines = [make.line("x"), make.line("a", minutes=-9), make.line("c", minutes=-7)]
    if together:
        await inbox.store(make.arrival(back, *lines))
    else:
        await inbox.store(make.arrival(back))
        assert await names(inbox, make) == ""
        entry = await inbox.entry("scanner-1", make.id("b"))
        assert entry is not None
        assert (entry.status, entry.code, entry.next_attempt) == (
            "short",
            "unknown_event",
            make.at(15),
        )
        await inbox.store(make.arrival(*lines))
    assert await names(inbox, make) == "xabc"


async def test_a_take_back_whose_event_never_comes_is_tried_after_a_while_and_held(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.takes_back("b", "a")))
    assert await names(inbox, make, minutes=15) == "b"
    await settle(inbox, make, "b", "held", code="unknown_event", message="Not known.")
    await inbox.store(make.arrival(make.line("a")))
    assert await names(inbox, make) == "ab"
    stages = [item.outcome.stage for item in await inbox.downlink("north", 0, 10)]
    assert stages == ["held", "relayed"]


async def test_a_late_take_back_joins_a_lane_that_is_held(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("c"), make.takes_back("b", "a")))
    await settle(inbox, make, "c", "held")
    await inbox.store(make.arrival(make.line("a")))
    assert await names(inbox, make) == ""
    await inbox.discard(await number(inbox, make, "c"), "ada", "wrong", make.noon)
    assert await names(inbox, make) == "ab"


async def test_a_verdict_is_told_with_its_record_and_notes(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.count("a")))
    record = OdooRecord(model="stock.quant", id=7, name="A1")
    await settle(inbox, make, "a", "applied", record=record, notes=("dated after a lock date",))
    (item,) = await inbox.downlink("north", 0, 10)
    assert item.outcome.record == record
    assert item.outcome.notes == ("dated after a lock date",)
    entry = await inbox.entry("scanner-1", make.id("a"))
    assert entry is not None
    assert (entry.record, entry.applied) == (record, make.noon)
    (site,) = await inbox.sites()
    assert (site.applied, site.waiting) == (1, 0)


async def test_a_verdict_about_what_no_longer_waits_changes_nothing(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.count("a")))
    await settle(inbox, make, "a", "applied")
    await settle(inbox, make, "a", "held", code="odoo_refused")
    await inbox.settle([Verdict(99, "applied")], make.noon)
    assert await inbox.held() == []
    assert len(await inbox.downlink("north", 0, 10)) == 1


async def test_replay_lets_the_lane_go_on_in_order(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(*(make.line(letter) for letter in "abc")))
    await settle(inbox, make, "a", "held", code="unknown_barcode")
    held = await number(inbox, make, "a")
    assert await inbox.replay([held, held], "ada", make.noon) == 1
    assert await names(inbox, make) == "abc"
    entry = await inbox.numbered(held)
    assert entry is not None
    assert (entry.attempts, entry.code) == (0, "")
    (audited,) = await inbox.audit(10)
    assert (audited.by, audited.action, audited.subject) == ("ada", "replay", f"number {held}")
    stages = [outcome.code for _, _, outcome in (await inbox.ladder("scanner-1", make.id("a")))[2:]]
    assert stages == ["unknown_barcode", "replayed"]


async def test_a_lane_with_two_held_entries_goes_on_when_neither_is_held(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(*(make.line(letter) for letter in "abc")))
    verdicts = [Verdict(await number(inbox, make, letter), "held") for letter in "ab"]
    await inbox.settle(verdicts, make.noon)
    await inbox.replay([verdicts[0].number], "ada", make.noon)
    assert await names(inbox, make) == ""
    await inbox.replay([verdicts[1].number], "ada", make.noon)
    assert await names(inbox, make) == "abc"


async def test_discard_is_final_on_the_record_and_frees_the_lane(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b")))
    await settle(inbox, make, "a", "held", code="over_quantity", message="Too many.")
    await inbox.discard(await number(inbox, make, "a"), "ada", "scanned twice", make.noon)
    assert await names(inbox, make) == "b"
    assert await inbox.held() == []
    last = (await inbox.downlink("north", 0, 10))[-1].outcome
    assert (last.stage, last.code) == ("discarded", "over_quantity")
    assert "ada" in last.message
    assert "scanned twice" in last.message
    with pytest.raises(Rejected) as caught:
        await inbox.replay([await number(inbox, make, "a")], "ada", make.noon)
    assert caught.value.code == "not_held"


async def test_an_entry_set_aside_frees_its_lane_and_stays_for_later(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b")))
    await settle(inbox, make, "a", "held", code="unknown_lot")
    held = await number(inbox, make, "a")
    await inbox.set_aside(held, "supervisor", "the truck leaves", make.noon)
    assert await names(inbox, make) == "b"
    assert [entry.status for entry in await inbox.held("north")] == ["aside"]
    with pytest.raises(Rejected):
        await inbox.set_aside(held, "supervisor", "again", make.noon)
    await inbox.replay([held], "ada", make.noon)
    assert await names(inbox, make) == "ab"


async def test_what_a_person_asks_for_wrongly_changes_nothing(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b")))
    await settle(inbox, make, "a", "held")
    held, waiting = await number(inbox, make, "a"), await number(inbox, make, "b")
    with pytest.raises(Rejected) as caught:
        await inbox.replay([held, 99], "ada", make.noon)
    assert caught.value.code == "unknown_entry"
    with pytest.raises(Rejected) as caught:
        await inbox.discard(waiting, "ada", "no", make.noon)
    assert caught.value.code == "not_held"
    assert [entry.number for entry in await inbox.held()] == [held]
    assert await inbox.audit(10) == []


async def test_after_a_restore_of_odoo_what_was_applied_since_is_applied_again_in_order(
    inbox: Inbox, make: Make
) -> None:
    await inbox.store(make.arrival(*(make.line(letter) for letter in "abcd")))
    for minutes, letter in enumerate("abc"):
        verdict = Verdict(await number(inbox, make, letter), "applied")
        await inbox.settle([verdict], make.at(minutes))
    assert await inbox.requeue_since("company", make.at(1), "ada", make.at(9)) == 2
    assert await names(inbox, make, minutes=9) == "bcd"
    (site,) = await inbox.sites()
    assert (site.applied, site.counters["requeued"]) == (1, 2)
    assert (await inbox.audit(1))[0].action == "requeue"
    assert await inbox.requeue_since("sister", make.at(0), "ada", make.at(9)) == 0


async def test_what_is_requeued_in_a_held_lane_waits_for_it(inbox: Inbox, make: Make) -> None:
    await inbox.store(make.arrival(make.line("a"), make.line("b"), make.count("c")))
    for letter in "ac":
        await settle(inbox, make, letter, "applied")
    await settle(inbox, make, "b", "held")
    await inbox.requeue_since("company", make.at(-1), "ada", make.noon)
    assert await names(inbox, make) == "c"
    await inbox.replay([await number(inbox, make, "b")], "ada", make.noon)
    assert await names(inbox, make) == "abc"
