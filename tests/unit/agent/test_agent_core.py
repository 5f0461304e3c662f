"""The agent's parts in touch: a fake outbox, a fake relay and links that do as they are told."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from edge_agent import agent as core
from edge_agent import view
from edge_agent.agent import Agent, Identity, Patience
from edge_agent.answers import Answers
from edge_agent.clock import ClockWatch, monotonic, now
from edge_agent.devices.links import Health, LinkState
from edge_agent.outbox.fake import MemoryOutbox
from edge_agent.outbox.port import IntakeRefused, Reading, Unreadable
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.report import DeviceReport, Report
from edge_agent.sync.fake import MemoryRelay
from edge_contract.errors import NeedsOperator, Rejected, Retryable
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import Feedback
from edge_contract.outcome import Outcome


class Wire:
    """A link that stores what it is told to, on a thread as a real one does."""

    name = "wire"

    def __init__(self, append: Callable[[list[Any]], object]) -> None:
        self.health: Health = "up"
        self.stopped = 0
        self._append = append

    def start(self) -> None:
        return

    def stop(self, timeout: float = 5.0) -> None:
        self.stopped += 1

    def state(self) -> LinkState:
        return LinkState(self.name, "mqtt", self.health, "out of order", None, {"new": 1})

    def deliver(self, *items: Reading | Unreadable) -> None:
        thread = threading.Thread(target=self._append, args=(list(items),))
        thread.start()
        thread.join()


class Scene:
    def __init__(self) -> None:
        self.outbox = MemoryOutbox(site="s", clock=now, randomness=os.urandom)
        self.relay = MemoryRelay(now)
        self.agent = Agent(
            Identity("s", "a", "1.2.3"),
            self.outbox,
            self.relay,
            clock=now,
            monotonic=monotonic,
            draw=lambda: 0.5,
            patience=Patience(heartbeat_s=0.1, retry_first_s=0.01, retry_max_s=0.05),
        )
        self.wire = Wire(self.agent.append_blocking)
        self.agent.links.append(self.wire)
        self.told: list[Feedback] = []
        self.agent.tell = lambda _, feedback: self.told.append(feedback)
        self.announced: list[str] = []
        self.agent.announce_uplink = self.announced.append
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Scene:
        await self.agent.prepare()
        self.running = asyncio.create_task(self.agent.run(self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await asyncio.wait([self.running])

    def answers(self) -> Answers:
        return Answers(
            self.agent,
            OutboxSettings(path=Path("/nowhere/outbox.db")),
            "https://relay.test",
            clock=now,
            monotonic=monotonic,
            broker=lambda: ("max_queued_messages is 1000",),
        )


def scan() -> Reading:
    event = DeviceEvent(
        id=uuid4(), kind="scan.read", time=datetime.now(UTC), data={"barcode": "4006381333931"}
    )
    return Reading("h1", event, datetime.now(UTC))


async def until(test: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not test():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)


def play(scene: Callable[[], Any]) -> None:
    asyncio.run(scene())


def test_what_a_link_stores_is_on_its_way_at_once_without_polling() -> None:
    async def scene() -> None:
        async with Scene() as s:
            await until(lambda: s.relay.heartbeats)
            await asyncio.sleep(0.06)  # the uplink has come to rest
            begun = monotonic()
            s.wire.deliver(scan())
            await until(lambda: s.relay.events)
            assert monotonic() - begun < 1.0
            assert s.announced == ["up"]

    play(scene)


def test_heartbeats_tell_what_the_agent_knows_of_itself() -> None:
    async def scene() -> None:
        async with Scene() as s:
            s.agent.devices = lambda: [
                DeviceReport(name="h1", online=True),
                DeviceReport(name="h2", online=False, at_risk=True),
            ]
            s.relay.down = True
            s.wire.deliver(scan(), Unreadable("h1", "t", b"x", 1, "bad", "bad", now()))
            s.outbox.refusal = IntakeRefused("The disk is full.", "Free some.")
            before = len(s.relay.heartbeats)
            s.relay.down = False
            await until(lambda: len(s.relay.heartbeats) > before + 2)
            beat = s.relay.heartbeats[-1]
            assert (beat.agent, beat.version, beat.boot) == ("a", "1.2.3", s.agent.identity.boot)
            assert beat.generation == s.outbox.generation
            assert beat.quarantined == 1
            assert beat.intake == "refused"
            assert "disk" in beat.intake_reason
            assert beat.devices_online == 1
            assert beat.devices_at_risk == ("h2",)
            assert beat.counters["mqtt.new"] == 1
            assert beat.counters["uplink.heartbeats"] > 0

    play(scene)


def test_two_starts_are_two_boots() -> None:
    assert Identity("s", "a", "1").boot != Identity("s", "a", "1").boot


def test_told_to_stop_it_stops_intake_first_and_ends() -> None:
    async def scene() -> None:
        async with Scene() as s:
            await until(lambda: s.relay.heartbeats)
            s.stop.set()
            async with asyncio.timeout(5):
                await s.running
            assert s.wire.stopped == 1

    play(scene)


def test_a_link_that_died_ends_the_agent_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_TICK_S", 0.01)

    async def scene() -> None:
        async with Scene() as s:
            s.wire.health = "stopped"
            with pytest.raises(NeedsOperator, match="The link wire ended by itself: out of order"):
                async with asyncio.timeout(5):
                    await s.running
            assert s.wire.stopped == 1

    play(scene)


def test_a_failing_job_ends_the_agent_and_one_that_may_pass_is_put_off() -> None:
    async def scene() -> None:
        async with Scene() as s:
            troubles: list[Exception] = [OSError("broken"), Retryable("disk full")]

            async def prune(now: datetime) -> int:
                raise troubles.pop()

            await until(lambda: s.relay.heartbeats)
            s.outbox.prune = prune  # type: ignore[method-assign]  # a disk that fails
            s.agent.jobs.run_now()
            await until(lambda: s.agent.counters["retention.put_off"] == 1)
            s.agent.jobs.run_now()
            with pytest.raises(OSError, match="broken"):
                async with asyncio.timeout(5):
                    await s.running

    play(scene)


def test_a_part_that_dies_ends_the_agent() -> None:
    async def scene() -> None:
        async with Scene() as s:
            s.relay.faults.append(ZeroDivisionError("a defect"))  # type: ignore[arg-type]
            s.agent.uplink.beat_due()  # type: ignore[union-attr]
            with pytest.raises(ZeroDivisionError):
                async with asyncio.timeout(5):
                    await s.running

    play(scene)


def test_the_whole_state_can_be_asked_for_and_reads_well() -> None:
    async def scene() -> None:
        async with Scene() as s:
            answers = s.answers()
            held = scan()
            s.wire.deliver(held, Unreadable("h2", "t", b"\xff{", 2, "bad", "No JSON.", now()))
            assert held.event.id is not None
            await until(lambda: len(s.relay.events) == 1)
            s.relay.outcome(
                Outcome(device="h1", event=held.event.id, stage="held", code="x", at=now())
            )
            await until(lambda: s.told)
            assert s.told[0].stage == "held"

            report = await answers.report()
            assert report.outbox.held == 1
            assert report.outbox.quarantined == 1
            assert report.uplink is not None
            assert report.uplink.link == "up"
            assert report.links[0].health == "up"
            assert Report.model_validate(report.model_dump(mode="json")) == report
            console = Console(width=120, record=True, file=io.StringIO())
            console.print(view.status_view(report))
            text = console.export_text()
            for words in ("https://relay.test", "max_queued_messages is 1000", "(1 held)"):
                assert words in text

            rows = [row async for row in answers.outbox_list({"stage": "held"})]
            assert [row["event"]["id"] for row in rows] == [str(held.event.id)]
            question = {"device": "h1", "event": str(held.event.id)}
            (shown,) = [row async for row in answers.outbox_show(question)]
            assert shown["stage"] == "held"
            assert len([row async for row in answers.outbox_export({})]) == 1
            (entry,) = [row async for row in answers.quarantine_list({})]
            assert (entry["begins"], entry["message"]) == ("\\xff{", "No JSON.")
            (whole,) = [row async for row in answers.quarantine_show({"number": entry["number"]})]
            assert whole["payload_base64"] == "/3s="
            for wrong in ({"stage": "nowhere"}, {"after": "x"}, {"limit": -1}):
                with pytest.raises(Rejected):
                    [row async for row in answers.outbox_list(wrong)]
            for unknown in ({"device": "h1", "event": str(UUID(int=0))}, {"event": "x"}):
                with pytest.raises(Rejected):
                    [row async for row in answers.outbox_show(unknown)]
            with pytest.raises(Rejected):
                [row async for row in answers.quarantine_show({"number": 99})]

    play(scene)


def test_without_a_relay_events_are_stored_and_the_status_says_that_they_go_nowhere() -> None:
    async def scene() -> None:
        outbox = MemoryOutbox(site="s", clock=now, randomness=os.urandom)
        agent = Agent(
            Identity("s", "a", "1"), outbox, None, clock=now, monotonic=monotonic, draw=lambda: 0.5
        )
        await agent.prepare()
        stop = asyncio.Event()
        running = asyncio.create_task(agent.run(stop))
        await asyncio.to_thread(agent.append_blocking, [scan()])
        answers = Answers(agent, OutboxSettings(), "", clock=now, monotonic=monotonic)
        report = await answers.report()
        assert report.uplink is None
        assert report.outbox.unrelayed == 1
        stop.set()
        await running

    play(scene)


def test_a_clock_that_is_set_is_noticed_and_the_jobs_are_put_right() -> None:
    wall = [datetime(2026, 11, 24, 8, tzinfo=UTC)]
    steady = [100.0]
    watch = ClockWatch(lambda: wall[0], lambda: steady[0])
    for seconds, step in ((10, 0.0), (10, -3600.0), (10, 0.0), (10, 7200.0)):
        wall[0] += timedelta(seconds=seconds + step)
        steady[0] += seconds
        assert watch.look() == pytest.approx(step)
    assert watch.steps == 2
    asked = wall[0]
    watch.relay_says(asked - timedelta(seconds=3), asked, asked + timedelta(seconds=2))
    assert watch.relay_offset_ms == 4000


def test_after_a_clock_was_set_back_heartbeats_do_not_wait_for_the_time_to_return() -> None:
    async def scene() -> None:
        async with Scene() as s:
            await until(lambda: s.relay.heartbeats)
            for job in s.agent.jobs._scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))
            seen = len(s.relay.heartbeats)
            s.agent.jobs.run_now()
            await until(lambda: len(s.relay.heartbeats) > seen)

    play(scene)
