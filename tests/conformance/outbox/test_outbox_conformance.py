"""What every outbox must do: SQLite and the fake pass, and each broken one is caught."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from edge_agent.outbox.fake import MemoryOutbox
from edge_agent.outbox.port import Appended, Outbox, Reading, Unreadable
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.event import CloudEvent, cloud_event
from edge_contract.outcome import Outcome, Stage

Run = Callable[[Any], Any]


class Box:
    """An outbox with its shop, and a loop to run it on."""

    def __init__(self, outbox: Outbox, shop: Any, run: Run) -> None:
        self.outbox = outbox
        self.shop = shop
        self.run = run

    def append(self, *burst: Reading | Unreadable) -> list[Appended]:
        return self.run(self.outbox.append(burst))

    def pending(self, limit: int = 100) -> list[int]:
        return [int(event.position) for event in self.run(self.outbox.pending(limit))]

    def relay(self, *positions: int) -> None:
        self.run(self.outbox.mark_relayed(positions))

    def outcome(self, reading: Reading, stage: Stage, message: str = "") -> Outcome:
        event = reading.event.id
        assert event is not None
        return Outcome(
            device=reading.device, event=event, stage=stage, message=message, at=self.shop.now
        )

    def note(self, cursor: int, *outcomes: Outcome) -> list[Outcome]:
        return self.run(self.outbox.record_outcomes(outcomes, cursor))

    def lag(self) -> Any:
        return self.run(self.outbox.lag())

    def count(self, name: str) -> int:
        return self.run(self.outbox.counters()).get(name, 0)

    def stage(self, reading: Reading) -> Stage | None:
        row = self.run(self.outbox.show(reading.device, reading.event.id))
        return None if row is None else row.stage


def positions_have_no_gap(box: Box) -> None:
    appended = box.append(box.shop.line(), box.shop.noise(), box.shop.raw())
    appended += box.append(box.shop.line())
    assert [one.result for one in appended] == ["new", "quarantined", "new", "new"]
    assert [one.position for one in appended] == [1, None, 2, 3]


def what_is_pending_is_what_the_device_said(box: Box) -> None:
    readings = [box.shop.line(seq=4711), box.shop.line(document=None), box.shop.raw()]
    appended = box.append(*readings)
    events = box.run(box.outbox.pending(10))
    for reading, event, one in zip(readings, events, appended, strict=True):
        assert event == cloud_event(
            reading.event,
            event_id=one.event_id,
            site="s1",
            device=reading.device,
            position=one.position,
            recorded=reading.recorded,
            clock_offset_ms=reading.clock_offset_ms,
            clock_uncertainty_ms=reading.clock_uncertainty_ms,
        )
        assert CloudEvent.model_validate_json(event.model_dump_json()) == event


def a_resend_is_a_duplicate(box: Box) -> None:
    reading = box.shop.line()
    first, second = box.append(reading, reading)
    (third,) = box.append(reading)
    assert (first.result, second.result, third.result) == ("new", "duplicate", "duplicate")
    assert second == third == Appended("duplicate", reading.event.id, 1)
    assert box.pending() == [1]
    assert box.count("duplicates") == 2


def the_same_id_of_two_devices_is_two_events(box: Box) -> None:
    reading = box.shop.line("hh-01")
    other = box.shop.line("hh-02", event=reading.event.id)
    assert [one.result for one in box.append(reading, other)] == ["new", "new"]


def other_content_under_an_id_is_a_conflict_kept_for_a_person(box: Box) -> None:
    reading = box.shop.line(quantity="3")
    forged = box.shop.line(event=reading.event.id, quantity="4")
    (_,) = box.append(reading)
    (answer,) = box.append(forged)
    assert answer == Appended("conflict", reading.event.id, None)
    assert box.pending() == [1]
    (kept,) = box.run(box.outbox.quarantine(after=0, limit=10))
    assert kept.item.code == "content_conflict"
    assert b'"quantity":"4"' in kept.item.payload
    assert box.count("conflicts") == 1


def bytes_that_make_no_sense_are_kept_and_block_nobody(box: Box) -> None:
    noise = box.shop.noise(payload=bytes(range(256)))
    box.append(box.shop.line(), noise, box.shop.line())
    (kept,) = box.run(box.outbox.quarantine(after=0, limit=10))
    assert kept.item == noise
    assert box.run(box.outbox.quarantine(after=kept.number, limit=10)) == []
    assert box.pending() == [1, 2]
    assert box.lag().quarantined == 1


def a_raw_reading_gets_an_id_that_sorts_by_time(box: Box) -> None:
    ids = []
    for _ in range(3):
        (one,) = box.append(box.shop.raw())
        ids.append(one.event_id)
        box.shop.pass_time(seconds=1)
    assert ids == sorted(ids)
    assert {event_id.version for event_id in ids} == {7}


def data_that_is_not_json_is_quarantined_and_not_its_neighbours(box: Box) -> None:
    bad = box.shop.line()
    bad.event.data["lot"] = object()
    assert [one.result for one in box.append(box.shop.line(), bad, box.shop.line())] == [
        "new",
        "quarantined",
        "new",
    ]
    assert box.pending() == [1, 2]


def what_is_marked_is_pending_no_more(box: Box) -> None:
    box.append(*(box.shop.line() for _ in range(5)))
    box.relay(1, 2, 4)
    assert box.pending() == [3, 5]
    box.relay(1, 2, 4, 99)
    assert box.pending() == [3, 5]
    assert (box.lag().unrelayed, box.lag().stored) == (2, 5)


def a_backlog_does_not_starve_a_live_device(box: Box) -> None:
    box.append(*(box.shop.line("hh-01", "WH/OUT/1") for _ in range(50)))
    box.append(box.shop.line("hh-02", "WH/OUT/2"))
    assert 51 in box.pending(4)


def devices_take_turns_when_a_batch_is_smaller_than_their_number(box: Box) -> None:
    for number in range(6):
        box.append(*(box.shop.line(f"hh-{number}", f"WH/OUT/{number}") for _ in range(10)))
    served = set()
    for _ in range(3):
        positions = box.pending(2)
        served |= {(position - 1) // 10 for position in positions}
        box.relay(*positions)
    assert served == set(range(6))


def a_document_keeps_its_order_across_devices(box: Box) -> None:
    box.append(*(box.shop.line("hh-01", "WH/OUT/1") for _ in range(8)))
    box.append(box.shop.line("hh-01", "WH/OUT/2"), box.shop.line("hh-02", "WH/OUT/2"))
    assert box.pending(4) == [1, 2, 3, 4]
    box.relay(1, 2, 3, 4)
    assert box.pending(100) == [5, 6, 7, 8, 9, 10]


def pending_text_is_what_pending_says_and_fits(box: Box) -> None:
    box.append(*(box.shop.line("hh-01", "WH/OUT/1", seq=seq) for seq in range(9)), box.shop.raw())
    box.append(box.shop.line("hh-02", "WH/OUT/2"))
    events = {int(event.position): event for event in box.run(box.outbox.pending(100))}
    texts = box.run(box.outbox.pending_json(100, 1 << 20))
    assert {place: CloudEvent.model_validate_json(text) for place, text in texts} == events
    assert [place for place, _ in box.run(box.outbox.pending_json(100, 1))] in ([1], [11])
    some = box.run(box.outbox.pending_json(100, 3 * len(texts[0][1]) + 100))
    assert 11 in [place for place, _ in some]  # cut short, it is still fair
    assert sum(len(text) + 1 for _, text in some) <= 3 * len(texts[0][1]) + 100


def a_refusal_of_the_relay_settles_an_event_for_good(box: Box) -> None:
    reading, other = box.shop.line(), box.shop.line()
    box.append(reading, other)
    refused = box.outcome(reading, "rejected", "The relay cannot take it.")
    assert box.run(box.outbox.record_refusals([refused])) == [refused]
    assert box.run(box.outbox.record_refusals([refused])) == []
    assert box.pending() == [2]
    assert box.stage(reading) == "rejected"
    assert (box.lag().stored, box.run(box.outbox.downlink_cursor())) == (1, 0)


def pending_repeats_itself_until_marked(box: Box) -> None:
    box.append(*(box.shop.line() for _ in range(3)))
    assert box.pending(2) == box.pending(2) == [1, 2]


def an_outcome_is_news_once(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    held = box.outcome(reading, "held", "Count the place.")
    assert box.note(7, held) == [held]
    assert box.note(7, held) == []
    assert box.note(8, held) == []
    assert box.stage(reading) == "held"
    assert box.run(box.outbox.downlink_cursor()) == 8


def a_page_told_again_does_not_take_an_event_back(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    held, applied = box.outcome(reading, "held"), box.outcome(reading, "applied")
    assert box.note(2, held, applied) == [held, applied]
    assert box.note(2, held, applied) == []
    assert box.stage(reading) == "applied"


def held_then_applied_after_a_replay(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    box.relay(1)
    assert box.note(1, box.outcome(reading, "held"))
    assert (box.lag().held, box.lag().stored) == (1, 1)
    assert box.note(2, box.outcome(reading, "applied"))
    assert (box.lag().held, box.lag().stored) == (0, 0)
    assert box.stage(reading) == "applied"


def an_outcome_settles_what_was_never_marked(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    box.note(1, box.outcome(reading, "applied"))
    assert box.pending() == []


def outcomes_of_others_are_no_news(box: Box) -> None:
    stranger = box.shop.line("hh-09")
    assert box.note(3, box.outcome(stranger, "rejected")) == []
    assert box.run(box.outbox.downlink_cursor()) == 3
    assert box.count("outcomes_of_others") == 1


def a_cursor_alone_may_go_back(box: Box) -> None:
    box.note(9, box.outcome(box.shop.line(), "applied"))
    assert box.note(0) == []
    assert box.run(box.outbox.downlink_cursor()) == 0


def a_new_generation_sends_again_what_is_not_final(box: Box) -> None:
    readings = [box.shop.line() for _ in range(4)]
    box.append(*readings)
    box.relay(1, 2, 3)
    box.note(1, box.outcome(readings[0], "applied"), box.outcome(readings[1], "held"))
    before = box.outbox.generation
    after = box.run(box.outbox.renew_generation("the relay knows another outbox"))
    assert before != after == box.outbox.generation
    assert box.pending() == [2, 3, 4]
    assert box.stage(readings[0]) == "applied"
    assert (box.lag().unrelayed, box.lag().held) == (3, 0)


def what_the_relay_holds_is_held_again_when_it_was_sent_again(box: Box) -> None:
    readings = [box.shop.line(), box.shop.line()]
    box.append(*readings)
    box.relay(1, 2)
    held = [box.outcome(one, "held") for one in readings]
    box.note(1, *held)
    box.run(box.outbox.renew_generation("restored"))
    assert box.note(2, held[0]) == []
    assert (box.lag().held, box.pending()) == (1, [2])
    box.relay(2)
    assert (box.lag().held, box.pending()) == (2, [])


def a_refused_second_content_does_not_take_the_fate_of_the_first(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    refused = box.outcome(reading, "rejected").model_copy(update={"code": "content_conflict"})
    assert box.run(box.outbox.record_refusals([refused])) == [refused]
    assert box.note(1, box.outcome(reading, "applied", "The first one.")) == []
    assert box.stage(reading) == "rejected"
    assert box.count("outcomes_of_others") == 1


def final_rows_go_after_their_retention_and_others_stay(box: Box) -> None:
    readings = [box.shop.line() for _ in range(3)]
    box.append(*readings)
    box.note(1, box.outcome(readings[0], "applied"), box.outcome(readings[1], "held"))
    box.shop.pass_time(hours=167)
    assert box.run(box.outbox.prune(box.shop.now)) == 0
    box.shop.pass_time(hours=2)
    assert box.run(box.outbox.prune(box.shop.now)) == 1
    assert [box.stage(one) for one in readings] == [None, "held", "stored"]
    assert box.append(box.shop.line())[0].position == 4


def a_resend_after_deletion_is_still_known(box: Box) -> None:
    reading = box.shop.line()
    box.append(reading)
    box.note(1, box.outcome(reading, "applied"))
    box.shop.pass_time(days=30)
    forged = box.shop.line(event=reading.event.id, quantity="9")
    assert box.run(box.outbox.prune(box.shop.now)) == 1
    assert box.append(reading) == [Appended("duplicate", reading.event.id, 1)]
    assert [one.result for one in box.append(forged)] == ["conflict"]
    assert box.pending() == []


def rows_are_paged_by_position_and_stage(box: Box) -> None:
    readings = [box.shop.line() for _ in range(5)]
    box.append(*readings)
    box.relay(2, 4)

    def positions(stage: Stage | None, after: int, limit: int) -> list[int]:
        found = box.run(box.outbox.rows(stage=stage, after=after, limit=limit))
        return [int(row.event.position) for row in found]

    assert positions(None, 0, 2) == [1, 2]
    assert positions(None, 2, 10) == [3, 4, 5]
    assert positions("relayed", 0, 10) == [2, 4]
    assert positions("relayed", 0, 1) == [2]
    assert positions("held", 0, 10) == []


def lag_tells_how_old_the_oldest_is(box: Box) -> None:
    assert box.lag().oldest_unrelayed is None
    box.append(box.shop.line("hh-02"))
    first = box.shop.now
    box.shop.pass_time(minutes=5)
    box.append(box.shop.line("hh-01"))
    assert box.lag().oldest_unrelayed == first
    box.relay(1)
    assert box.lag().oldest_unrelayed == box.shop.now
    assert box.lag().newest_position == 2


def the_intake_thread_appends_without_the_loop(box: Box) -> None:
    (one,) = box.outbox.append_blocking([box.shop.line()])
    assert (one.result, one.position) == ("new", 1)


CASES = [
    a_refused_second_content_does_not_take_the_fate_of_the_first,
    positions_have_no_gap,
    what_is_pending_is_what_the_device_said,
    a_resend_is_a_duplicate,
    the_same_id_of_two_devices_is_two_events,
    other_content_under_an_id_is_a_conflict_kept_for_a_person,
    bytes_that_make_no_sense_are_kept_and_block_nobody,
    a_raw_reading_gets_an_id_that_sorts_by_time,
    data_that_is_not_json_is_quarantined_and_not_its_neighbours,
    what_is_marked_is_pending_no_more,
    a_backlog_does_not_starve_a_live_device,
    devices_take_turns_when_a_batch_is_smaller_than_their_number,
    a_document_keeps_its_order_across_devices,
    pending_text_is_what_pending_says_and_fits,
    a_refusal_of_the_relay_settles_an_event_for_good,
    pending_repeats_itself_until_marked,
    an_outcome_is_news_once,
    a_page_told_again_does_not_take_an_event_back,
    held_then_applied_after_a_replay,
    an_outcome_settles_what_was_never_marked,
    outcomes_of_others_are_no_news,
    a_cursor_alone_may_go_back,
    a_new_generation_sends_again_what_is_not_final,
    what_the_relay_holds_is_held_again_when_it_was_sent_again,
    final_rows_go_after_their_retention_and_others_stay,
    a_resend_after_deletion_is_still_known,
    rows_are_paged_by_position_and_stage,
    lag_tells_how_old_the_oldest_is,
    the_intake_thread_appends_without_the_loop,
]


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


def memory(kind: type[MemoryOutbox], shop: Any) -> MemoryOutbox:
    return kind(site="s1", clock=shop.clock, randomness=shop.random.randbytes)


@pytest.mark.parametrize("case", CASES)
def test_the_sqlite_outbox_conforms(
    case: Callable[[Box], None], shop: Any, run: Run, disk: Path
) -> None:
    settings = OutboxSettings(path=disk / "outbox.db", min_free_bytes=1 << 20)
    outbox = run(
        SqliteOutbox.open(settings, site="s1", clock=shop.clock, randomness=shop.random.randbytes)
    )
    try:
        case(Box(outbox, shop, run))
    finally:
        run(outbox.close())


@pytest.mark.parametrize("case", CASES)
def test_the_fake_conforms(case: Callable[[Box], None], shop: Any, run: Run) -> None:
    case(Box(memory(MemoryOutbox, shop), shop, run))


class NoDedupe(MemoryOutbox):
    def append_blocking(self, burst: Sequence[Reading | Unreadable]) -> list[Appended]:
        self._seen.clear()
        return super().append_blocking(burst)


class DedupesByIdAlone(MemoryOutbox):
    def _take(self, reading: Reading) -> Appended:
        for (_, event), known in list(self._seen.items()):
            self._seen[reading.device, event] = known
        return super()._take(reading)


class ConflictIsADuplicate(MemoryOutbox):
    def _take(self, reading: Reading) -> Appended:
        answer = super()._take(reading)
        if answer.result == "conflict":
            return Appended("duplicate", answer.event_id, 1)
        return answer


class OldestFirst(MemoryOutbox):
    async def pending(self, limit: int) -> list[CloudEvent]:
        return sorted(await super().pending(10**6), key=lambda event: event.position)[:limit]


class ForgetsWhoseTurnItWas(MemoryOutbox):
    async def pending(self, limit: int) -> list[CloudEvent]:
        self._last = None
        return await super().pending(limit)


class DocumentsAreNoLanes(MemoryOutbox):
    async def pending(self, limit: int) -> list[CloudEvent]:
        for entry in self.entries.values():
            entry.lane = None
        return await super().pending(limit)


class EveryOutcomeIsNews(MemoryOutbox):
    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        await super().record_outcomes(outcomes, cursor)
        return list(outcomes)


class PageToldAgainCounts(MemoryOutbox):
    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        self._cursor = 0
        return await super().record_outcomes(outcomes, cursor)


class KeepsItsGeneration(MemoryOutbox):
    async def renew_generation(self, reason: str) -> UUID:
        return self.generation


class RenewalForgetsHeld(MemoryOutbox):
    async def renew_generation(self, reason: str) -> UUID:
        held = [entry for entry in self.entries.values() if entry.stage == "held"]
        generation = await super().renew_generation(reason)
        for entry in held:
            entry.stage = "held"
        return generation


class PrunesHeldRows(MemoryOutbox):
    async def prune(self, now: Any) -> int:
        for entry in self.entries.values():
            entry.stage = "applied" if entry.stage == "held" else entry.stage
        return await super().prune(now)


class ForgetsIdsWithTheirRows(MemoryOutbox):
    async def prune(self, now: Any) -> int:
        deleted = await super().prune(now)
        self._seen = {key: known for key, known in self._seen.items() if known[0] in self.entries}
        return deleted


class UsesPositionsAgain(MemoryOutbox):
    async def prune(self, now: Any) -> int:
        deleted = await super().prune(now)
        self._newest = max(self.entries, default=0) - deleted
        return deleted


@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (NoDedupe, a_resend_is_a_duplicate),
        (DedupesByIdAlone, the_same_id_of_two_devices_is_two_events),
        (ConflictIsADuplicate, other_content_under_an_id_is_a_conflict_kept_for_a_person),
        (OldestFirst, a_backlog_does_not_starve_a_live_device),
        (ForgetsWhoseTurnItWas, devices_take_turns_when_a_batch_is_smaller_than_their_number),
        (DocumentsAreNoLanes, a_document_keeps_its_order_across_devices),
        (EveryOutcomeIsNews, an_outcome_is_news_once),
        (EveryOutcomeIsNews, outcomes_of_others_are_no_news),
        (PageToldAgainCounts, a_page_told_again_does_not_take_an_event_back),
        (KeepsItsGeneration, a_new_generation_sends_again_what_is_not_final),
        (RenewalForgetsHeld, a_new_generation_sends_again_what_is_not_final),
        (PrunesHeldRows, final_rows_go_after_their_retention_and_others_stay),
        (ForgetsIdsWithTheirRows, a_resend_after_deletion_is_still_known),
        (UsesPositionsAgain, final_rows_go_after_their_retention_and_others_stay),
    ],
)
def test_a_broken_outbox_is_caught(
    broken: type[MemoryOutbox], case: Callable[[Box], None], shop: Any, run: Run
) -> None:
    with pytest.raises(AssertionError):
        case(Box(memory(broken, shop), shop, run))
