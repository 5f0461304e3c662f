"""The way up and down over the outbox in memory, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from edge_agent.outbox.fake import MemoryOutbox
from edge_agent.outbox.port import Reading
from edge_agent.sync.actions import Batch, Limits, Wait
from edge_agent.sync.backoff import Backoff
from edge_agent.sync.downlink import Downlink
from edge_agent.sync.fake import MemoryRelay
from edge_agent.sync.outcomes import Outcomes
from edge_agent.sync.port import BatchRefused
from edge_agent.sync.uplink import Uplink
from edge_agent.sync.uplink_driver import UplinkDriver
from edge_contract.batch import BatchReply, DownlinkItem, DownlinkReply, Heartbeat
from edge_contract.errors import NeedsOperator, Retryable
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import Feedback
from edge_contract.outcome import Outcome, Stage

SITE = "site"
BEGIN = datetime(2026, 11, 24, 8, tzinfo=UTC)


class Scene:
    """One agent's sync, its outbox, the relay, and everything it tells to devices."""

    def __init__(
        self,
        limits: Limits | None = None,
        driver: type[UplinkDriver] = UplinkDriver,
        outbox: type[MemoryOutbox] = MemoryOutbox,
    ) -> None:
        self.seconds = 0.0
        self.dice = random.Random(7)
        self.outbox = outbox(site=SITE, clock=self.clock, randomness=self.dice.randbytes)
        self.relay = MemoryRelay(self.clock)
        self.told: list[tuple[str, Feedback]] = []
        self.counters: Counter[str] = Counter()
        self.outcomes = Outcomes(
            self.outbox, lambda device, said: self.told.append((device, said)), self.count
        )
        self.machine = Uplink(Backoff(self.dice.random), limits)
        self.driver = driver(
            self.machine,
            self.outbox,
            self.relay,
            self.outcomes,
            self.heartbeat,
            clock=self.clock,
            monotonic=lambda: self.seconds,
            count=self.count,
            pause=self.pause,
        )
        self.resting = False

    def clock(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def count(self, name: str, by: int = 1) -> None:
        self.counters[name] += by

    async def pause(self, awake: asyncio.Event, seconds: float | None) -> None:
        if seconds is None:
            self.resting = not awake.is_set()
        else:
            self.seconds += seconds

    async def heartbeat(self) -> Heartbeat:
        lag = await self.outbox.lag()
        return Heartbeat(
            agent="a",
            generation=self.outbox.generation,
            boot=UUID(int=1),
            version="0",
            time=self.clock(),
            newest_position=lag.newest_position,
            stored=lag.stored,
            unrelayed=lag.unrelayed,
            intake="open",
        )

    def scan(self, device: str, count: int, first: int = 0) -> list[UUID]:
        """So many events of a device, appended as its link would; their ids."""
        readings = [self.reading(device, first + number) for number in range(count)]
        self.outbox.append_blocking(readings)
        self.driver.appended()
        return [reading.event.id for reading in readings if reading.event.id is not None]

    def reading(self, device: str, seq: int) -> Reading:
        event = DeviceEvent(
            id=UUID(bytes=self.dice.randbytes(16), version=4),
            kind="count.recorded",
            time=self.clock(),
            seq=seq,
            data={"location": "A1", "barcode": "4006381333931", "quantity": "3"},
        )
        return Reading(device, event, self.clock())

    async def until_resting(self, steps: int = 5000) -> None:
        self.resting = False
        for _ in range(steps):
            await self.driver.step()
            if self.resting:
                return
        raise AssertionError("the uplink never came to rest")

    def arrived(self, device: str) -> list[int]:
        """The device's own numbers in the order in which the relay has them."""
        return [
            int(event["sequence"]) for key, event in self.relay.events.items() if key[0] == device
        ]

    async def unrelayed(self) -> int:
        return (await self.outbox.lag()).unrelayed


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_what_is_stored_arrives_once_and_in_the_order_of_its_device() -> None:
    async def scene() -> None:
        s = Scene()
        s.scan("h1", 700)
        s.scan("h2", 30)
        await s.until_resting()
        assert s.arrived("h1") == list(range(700))
        assert s.arrived("h2") == list(range(30))
        assert await s.unrelayed() == 0
        assert s.counters["uplink.events"] == 730

    play(scene)


def test_lost_answers_and_cuts_lose_nothing_and_double_nothing() -> None:
    async def scene() -> None:
        s = Scene(Limits(events=10))
        s.scan("h1", 100)
        for _ in range(20):
            s.relay.swallow = 1
            s.relay.faults.extend([Retryable("cut"), Retryable("cut")])
            for _ in range(15):
                await s.driver.step()
        s.relay.swallow = 0
        s.relay.faults.clear()
        await s.until_resting()
        assert s.arrived("h1") == list(range(100))
        assert s.relay.duplicates > 0, "the scene must have lost answers after the relay stored"
        assert await s.unrelayed() == 0

    play(scene)


class MarksBeforeTheAnswer(UplinkDriver):
    """Broken on purpose: what is sent counts as relayed."""

    async def _send(self, batch: Batch) -> None:
        await self._store.mark_relayed(batch.positions)
        await super()._send(batch)


class AnswersForOthers(MemoryRelay):
    """A relay behind a cache that answers with what it told another outbox."""

    async def send(self, generation: UUID, events: Sequence[str]) -> BatchReply:
        return BatchReply(generation=UUID(int=9), stored_through=0, new=len(events), duplicates=0)


async def _killed_before_the_answer(driver: type[UplinkDriver]) -> int:
    s = Scene(driver=driver)
    s.scan("h1", 3)
    await s.driver.step()
    s.relay.down = True
    while not isinstance(s.machine.next(s.seconds), Wait):
        await s.driver.step()
    return await s.unrelayed()


def test_nothing_is_marked_before_the_answer_and_a_driver_that_does_is_caught() -> None:
    assert asyncio.run(_killed_before_the_answer(UplinkDriver)) == 3
    assert asyncio.run(_killed_before_the_answer(MarksBeforeTheAnswer)) == 0


def test_an_answer_about_another_outbox_marks_nothing() -> None:
    async def scene() -> None:
        s = Scene()
        s.driver._relay = AnswersForOthers(s.clock)
        s.scan("h1", 3)
        for _ in range(20):
            await s.driver.step()
        assert await s.unrelayed() == 3
        assert s.machine.link == "down"

    play(scene)


class FirstInFirstOut(MemoryOutbox):
    """Broken on purpose: a backlog keeps everybody else waiting."""

    async def pending_json(self, limit: int, max_bytes: int) -> list[tuple[int, str]]:
        return sorted(await super().pending_json(10**6, 10**9))[:limit]


async def _batches_until_live(outbox: type[MemoryOutbox]) -> int:
    s = Scene(Limits(events=50), outbox=outbox)
    s.scan("slow", 500)
    for _ in range(6):
        await s.driver.step()
    (live,) = s.scan("live", 1)
    before = s.relay.batches
    while ("live", live) not in s.relay.events:
        await s.driver.step()
    return s.relay.batches - before


def test_a_live_event_overtakes_another_devices_backlog_and_a_plain_queue_is_caught() -> None:
    assert asyncio.run(_batches_until_live(MemoryOutbox)) <= 2
    assert asyncio.run(_batches_until_live(FirstInFirstOut)) > 2


def test_a_malformed_event_is_set_aside_with_its_reason_and_its_device_is_told() -> None:
    async def scene() -> None:
        s = Scene()
        ids = s.scan("h1", 200)
        s.relay.poison = {ids[77]}
        await s.until_resting()
        assert s.arrived("h1") == [n for n in range(200) if n != 77]
        row = await s.outbox.show("h1", ids[77])
        assert row is not None
        assert row.stage == "rejected"
        assert row.outcome is not None
        assert "malformed" in row.outcome.message
        assert await s.unrelayed() == 0
        assert [(d, f.stage, f.tone, f.event) for d, f in s.told] == [
            ("h1", "rejected", "bad", ids[77])
        ]
        assert s.counters["uplink.set_aside"] == 1

    play(scene)


def test_a_relay_that_refuses_heartbeats_blames_no_event_and_gets_the_batches() -> None:
    async def scene() -> None:
        s = Scene()
        s.scan("h1", 3)
        s.relay.faults.append(BatchRefused("bad-batch", "counters is unknown"))
        await s.until_resting()
        assert s.arrived("h1") == [0, 1, 2]
        assert s.counters["uplink.set_aside"] == 0
        s.relay.faults.append(BatchRefused("too-large", "256 KiB"))
        s.driver.beat_due()
        await s.until_resting()
        assert s.machine.trouble is not None
        assert "heartbeat" in s.machine.trouble.message
        assert s.machine.link == "up"

    play(scene)


def test_an_event_kept_for_the_record_only_is_rejected_here() -> None:
    async def scene() -> None:
        s = Scene()
        ids = s.scan("h1", 3)
        s.relay.conflicts = {ids[1]}
        await s.until_resting()
        row = await s.outbox.show("h1", ids[1])
        assert row is not None
        assert row.stage == "rejected"
        assert row.outcome is not None
        assert row.outcome.code == "content_conflict"
        assert len(s.told) == 1
        assert await s.unrelayed() == 0

    play(scene)


def test_a_refusal_that_could_not_be_noted_is_heard_again() -> None:
    async def scene() -> None:
        s = Scene()
        ids = s.scan("h1", 3)
        s.relay.conflicts = {ids[1]}
        trouble: list[Exception] = [Retryable("the disk is full")]
        record = s.outbox.record_refusals

        async def failing(outcomes: Sequence[Outcome]) -> list[Outcome]:
            if trouble:
                raise trouble.pop()
            return await record(outcomes)

        s.outbox.record_refusals = failing  # type: ignore[method-assign]  # the disk, not the outbox
        await s.until_resting()
        row = await s.outbox.show("h1", ids[1])
        assert row is not None
        assert row.stage == "rejected"
        assert len(s.told) == 1
        assert await s.unrelayed() == 0

    play(scene)


def test_an_older_copy_of_the_outbox_loses_none_of_its_new_events() -> None:
    async def scene() -> None:
        s = Scene()
        s.scan("h1", 100)
        yesterday = dict(s.outbox.entries), dict(s.outbox._seen), s.outbox._newest
        s.scan("h1", 50, first=100)
        await s.until_resting()
        # the copy comes back, and 60 new scans are made before it reaches the relay
        s.outbox.entries, s.outbox._seen, s.outbox._newest = yesterday
        for entry in s.outbox.entries.values():
            entry.stage = "stored"
        old = s.outbox.generation
        s.scan("h1", 60, first=150)
        s.driver.beat_due()
        await s.until_resting()
        assert s.arrived("h1") == list(range(210))
        assert s.outbox.generation != old
        assert await s.unrelayed() == 0

    play(scene)


def test_a_full_disk_under_the_outbox_is_waited_for_and_a_broken_one_ends_the_process() -> None:
    async def scene() -> None:
        s = Scene()
        s.scan("h1", 3)
        trouble: list[Exception] = [NeedsOperator("disk_full", "full", "free some")] * 2
        mark = s.outbox.mark_relayed

        async def failing(positions: Sequence[int]) -> None:
            if trouble:
                raise trouble.pop()
            await mark(positions)

        s.outbox.mark_relayed = failing  # type: ignore[method-assign]  # the disk, not the outbox
        while len(trouble) == 2:
            await s.driver.step()
        assert s.machine.trouble is not None
        assert s.machine.trouble.code == "outbox"
        assert s.machine.link == "up", "the relay is not to blame"
        await s.until_resting()
        assert await s.unrelayed() == 0
        assert s.arrived("h1") == [0, 1, 2]
        trouble.append(NeedsOperator("database_broken", "gone", "restart"))
        s.scan("h1", 1, first=3)
        with pytest.raises(NeedsOperator, match="gone"):
            await s.until_resting()

    play(scene)


def test_rights_that_come_back_need_no_hands() -> None:
    async def scene() -> None:
        s = Scene()
        s.scan("h1", 1)
        s.relay.faults.extend([NeedsOperator("unauthenticated", "no", "token")] * 3)
        await s.driver.step()
        assert s.machine.trouble is not None
        assert s.machine.trouble.code == "unauthenticated"
        await s.until_resting()
        assert s.arrived("h1") == [0]
        assert s.machine.trouble is None
        assert s.seconds > 40, "it is tried slowly"

    play(scene)


def _outcome(s: Scene, event: UUID, stage: Stage, code: str = "") -> Outcome:
    return Outcome(
        device="h1", event=event, stage=stage, code=code, message=f"is {stage}", at=s.clock()
    )


def _downlink(s: Scene) -> Downlink:
    return Downlink(
        s.relay,
        s.outbox,
        s.outcomes,
        Backoff(s.dice.random),
        monotonic=lambda: s.seconds,
        count=s.count,
    )


class RemembersNothing(MemoryOutbox):
    """Broken on purpose: every outcome is news, however often it comes."""

    async def record_outcomes(self, outcomes: Sequence[Outcome], cursor: int) -> list[Outcome]:
        await super().record_outcomes(outcomes, cursor)
        return list(outcomes)


async def _tones(outbox: type[MemoryOutbox]) -> list[tuple[str, str]]:
    """One event is held, replayed and applied, another one applied, and all is told twice."""
    s = Scene(outbox=outbox)
    held, plain = s.scan("h1", 2)
    await s.until_resting()
    down = _downlink(s)
    told = [
        _outcome(s, plain, "applied"),
        _outcome(s, held, "held", "unknown_barcode"),
        _outcome(s, held, "relayed", "replayed"),
        _outcome(s, held, "applied"),
    ]
    for outcome in told:
        s.relay.outcome(outcome)
        await down.step()
    # the agent died after it had noted everything, and the relay tells it all again
    reborn = Outcomes(s.outbox, lambda d, f: s.told.append((d, f)), s.count)
    await reborn.from_relay(told, 4)
    assert {said.event for _, said in s.told} == {held}
    return [(said.stage, said.tone) for _, said in s.told]


def test_the_second_tone_is_for_what_was_held_and_never_comes_twice() -> None:
    assert asyncio.run(_tones(MemoryOutbox)) == [("held", "bad"), ("applied", "good")]
    assert len(asyncio.run(_tones(RemembersNothing))) > 2


def test_a_relay_restored_from_an_older_copy_gets_again_what_is_not_final() -> None:
    async def scene() -> None:
        s = Scene()
        applied, open_ = s.scan("h1", 2)
        await s.until_resting()
        s.relay.outcome(_outcome(s, applied, "applied"))
        down = _downlink(s)
        await down.step()
        s.relay.restore()
        await down.step()
        s.driver.machine.beat_due()
        await s.until_resting()
        assert list(s.relay.events) == [("h1", open_)]
        assert await s.outbox.downlink_cursor() == 0

    play(scene)


def test_an_event_held_before_a_restart_gets_its_good_tone_after_it() -> None:
    async def scene() -> None:
        s = Scene()
        (held,) = s.scan("h1", 1)
        await s.outcomes.from_relay([_outcome(s, held, "held")], 1)
        told: list[Feedback] = []
        reborn = Outcomes(s.outbox, lambda _, f: told.append(f), s.count, [("h1", held)])
        await reborn.from_relay([_outcome(s, held, "applied")], 2)
        assert [(f.stage, f.tone) for f in told] == [("applied", "good")]

    play(scene)


def test_a_damaged_outbox_ends_the_downlink_and_a_refused_token_does_not() -> None:
    async def scene() -> None:
        s = Scene()
        down = _downlink(s)
        troubles = [
            NeedsOperator("unauthenticated", "no", ""),
            NeedsOperator("outbox_damaged", "pages are gone", ""),
        ]

        async def failing() -> int:
            raise troubles.pop(0)

        s.outbox.downlink_cursor = failing  # type: ignore[method-assign]  # what is found at the disk
        assert await down.step() > 0
        with pytest.raises(NeedsOperator, match="pages are gone"):
            await down.step()

    play(scene)


def test_a_downlink_that_contradicts_itself_is_asked_again_later_and_changes_nothing() -> None:
    async def scene() -> None:
        s = Scene()
        (event,) = s.scan("h1", 1)
        await s.until_resting()
        await s.outbox.record_outcomes([], 9)
        generation = s.outbox.generation
        item = DownlinkItem(cursor=3, outcome=_outcome(s, event, "held"))

        async def nonsense(after: int) -> DownlinkReply:
            return DownlinkReply(items=(item,), cursor=min(3, after))

        s.relay.downlink = nonsense  # type: ignore[method-assign]  # no relay of ours
        down = _downlink(s)
        assert sum([await down.step() for _ in range(20)]) > 10
        assert s.outbox.generation == generation
        assert await s.outbox.downlink_cursor() == 9

    play(scene)


def test_outcomes_of_events_that_are_not_here_tell_nobody() -> None:
    async def scene() -> None:
        s = Scene()
        s.relay.outcome(_outcome(s, UUID(int=5), "held"))
        await _downlink(s).step()
        assert s.told == []
        assert await s.outbox.downlink_cursor() == 1

    play(scene)


def test_a_downlink_that_fails_waits_ever_longer_and_says_why() -> None:
    async def scene() -> None:
        s = Scene()
        s.relay.down = True
        down = _downlink(s)
        assert await down.step() >= 0
        assert down.trouble is not None
        assert down.trouble.code == "unreachable"
        s.relay.down = False
        s.relay.outcome(_outcome(s, UUID(int=5), "held"))
        assert await down.step() == 0
        assert down.trouble is None

    play(scene)
