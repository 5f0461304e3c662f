"""The applier with the inbox in memory and an Odoo that can lose answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import Arrival
from cloud_relay.odoo.applier import TargetApplier
from cloud_relay.odoo.port import Binding, OdooApplier, OdooBatch, OdooReply, OdooResult
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable

#: Seconds until something that should happen counts as not happening.
PATIENCE_S = 5.0


class FakeOdoo:
    """Claims and effects as the server action keeps them; ``faults`` are used up call by call."""

    def __init__(self) -> None:
        self.uuid = "uuid-1"
        self.claims: dict[str, int] = {}
        self.effects: Counter[str] = Counter()
        self.order: list[str] = []
        self.calls: list[list[str]] = []
        self.refuse: dict[str, str] = {}
        #: ``before``: fails with nothing done. ``after``: does it and loses the answer.
        self.faults: list[tuple[str, EdgeError | Exception]] = []
        self.serial = 0
        #: Happens once, while a call is under way.
        self.during: Callable[[], Awaitable[Any]] | None = None

    async def apply(self, batch: OdooBatch) -> OdooReply:
        keys = [event.key for event in batch.events]
        self.calls.append(keys)
        when, fault = self.faults.pop(0) if self.faults else ("", None)
        if self.during is not None and keys:
            happens, self.during = self.during, None
            await happens()
        if fault is not None and when == "before":
            raise fault
        if batch.database_uuid and batch.database_uuid != self.uuid:
            raise NeedsOperator("uuid_changed", "Another database.")
        known = batch.watermark.get("key")
        if known and self.claims.get(known) != int(batch.watermark["claim"]):
            raise NeedsOperator("went_back", "Restored.")
        results = [self._one(event.key, event.data.get("document")) for event in batch.events]
        if fault is not None:
            raise fault
        return OdooReply(results=tuple(results), watermark=self._watermark())

    def _one(self, key: str, document: Any) -> OdooResult:
        if key in self.claims:
            return OdooResult(key=key, status="duplicate")
        if code := self.refuse.get(key):
            return OdooResult(key=key, status="refused", code=code, message="No.")
        self.serial += 1
        self.claims[key] = self.serial
        self.effects[key] += 1
        self.order.append(key)
        return OdooResult(key=key, status="applied")

    def _watermark(self) -> dict[str, str]:
        if not self.claims:
            return {"uuid": self.uuid}
        key, serial = max(self.claims.items(), key=lambda item: item[1])
        return {"uuid": self.uuid, "claim": str(serial), "key": key}


class Rig:
    """An applier that runs, with its surroundings."""

    def __init__(self, relay: Any) -> None:
        self.relay = relay
        self.odoo = FakeOdoo()
        self.inbox = MemoryInbox()
        self.opened = 0
        self.no_key: NeedsOperator | None = None
        self.position = 0
        self.applier = TargetApplier(
            "main",
            self.inbox,
            self.connect,
            Binding(company=1, warehouses=(1,)),
            batch=10,
            grace_s=0,
            limit_s=0,
            share=lambda: 0.0,
        )

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[OdooApplier]:
        self.opened += 1
        if self.no_key is not None:
            raise self.no_key
        yield self.odoo

    async def arrive(self, *events: Any) -> list[str]:
        now = datetime.now(UTC)
        given = events or (self.line(),)
        await self.inbox.store(Arrival("a", "main", "agent-1", self.relay.generation, given, now))
        return [f"{event.device}|{event.id}" for event in given]

    def line(self, document: str = "WH/IN/00001", **more: Any) -> Any:
        self.position += 1
        return self.relay.line(self.position, document, **more)

    async def statuses(self, events: Sequence[Any]) -> list[str]:
        entries = [await self.inbox.entry(event.device, event.id) for event in events]
        return [entry.status if entry else "unknown" for entry in entries]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = condition()
                if await found if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.001)

    async def settled(self, events: Sequence[Any], *wanted: str) -> None:
        async def reached() -> bool:
            return set(await self.statuses(events)) <= set(wanted or ("applied",))

        await self.until(reached)

    def state(self) -> str:
        return self.applier.status().state


def play(relay: Any, scene: Callable[[Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        rig = Rig(relay)
        task = asyncio.create_task(rig.applier.run())
        try:
            await scene(rig)
        finally:
            rig.applier.stop()
            async with asyncio.timeout(PATIENCE_S):
                await task

    asyncio.run(main())


def test_events_are_applied_as_they_come_in_their_order(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        events = [rig.line() for _ in range(25)]
        keys = await rig.arrive(*events)
        await rig.settled(events)
        assert rig.odoo.order == keys
        more = [rig.line()]
        await rig.arrive(*more)
        await rig.settled(more)
        assert (await rig.inbox.watermark("main"))["key"] == rig.odoo.order[-1]

    play(relay, scene)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_has_one_effect(relay: Any, when: str) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        rig.odoo.faults = [(when, Retryable("no answer"))]
        events = [rig.line() for _ in range(3)]
        keys = await rig.arrive(*events)
        await rig.settled(events)
        assert rig.odoo.effects == Counter(keys)
        assert rig.odoo.calls[-2] == rig.odoo.calls[-1] == keys

    play(relay, scene)


def test_events_that_come_during_an_unknown_outcome_go_after_it(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        rig.odoo.faults = [("after", Retryable("no answer"))] * 4
        first, late = [rig.line()], [rig.line()]
        rig.odoo.during = lambda: rig.arrive(*late)
        keys = await rig.arrive(*first)
        await rig.settled(first + late)
        assert rig.odoo.calls[1:3] == [keys, keys]
        assert rig.odoo.order == [f"{event.device}|{event.id}" for event in first + late]

    play(relay, scene)


def test_a_refused_event_holds_its_document_and_nobody_elses(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        bad, behind = rig.line("WH/IN/00001"), rig.line("WH/IN/00001", device="scanner-2")
        other = rig.line("WH/IN/00002")
        rig.odoo.refuse = {f"{bad.device}|{bad.id}": "unknown_barcode"}
        await rig.arrive(bad)
        await rig.settled([bad], "held")
        await rig.arrive(behind, other)
        await rig.settled([other])
        assert await rig.statuses([bad, behind]) == ["held", "waiting"]
        rig.odoo.refuse = {}
        (entry,) = await rig.inbox.held()
        await rig.inbox.replay([entry.number], "ann", datetime.now(UTC))
        await rig.settled([bad, behind])
        assert rig.odoo.order.index(f"{bad.device}|{bad.id}") < rig.odoo.order.index(
            f"{behind.device}|{behind.id}"
        )

    play(relay, scene)


def test_want_of_stock_that_nothing_can_mend_is_held(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        poor = rig.line()
        rig.odoo.refuse = {f"{poor.device}|{poor.id}": "insufficient_stock"}
        await rig.arrive(poor)
        await rig.settled([poor], "held")

    play(relay, scene)


def test_a_restored_odoo_stops_the_target_until_somebody_says_what_to_replay(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        before, lost = [rig.line()], [rig.line(), rig.line()]
        await rig.arrive(*before)
        await rig.settled(before)
        backup = dict(rig.odoo.claims)
        await rig.arrive(*lost)
        await rig.settled(lost)
        rig.odoo.claims = backup
        newer = [rig.line()]
        await rig.arrive(*newer)
        await rig.until(lambda: rig.state() == "stopped")
        assert [alarm.key for alarm in await rig.inbox.alarms()] == [
            "target_stopped:main:went_back"
        ]
        with pytest.raises(Rejected, match="--replay-since"):
            await rig.applier.resume("ann")
        calls = len(rig.odoo.calls)
        since = datetime.now(UTC) - timedelta(hours=1)
        assert await rig.applier.resume("ann", replay_since=since) == 3
        await rig.settled(before + lost + newer)
        assert len(rig.odoo.calls) > calls
        assert set(rig.odoo.claims) == {f"{e.device}|{e.id}" for e in before + lost + newer}
        assert rig.odoo.effects[f"{before[0].device}|{before[0].id}"] == 1
        assert rig.state() == "ok"

    play(relay, scene)


def test_another_database_gets_nothing_until_somebody_says_it_is_right(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        first, second = [rig.line()], [rig.line()]
        await rig.arrive(*first)
        await rig.settled(first)
        rig.odoo.uuid = "uuid-of-staging"
        await rig.arrive(*second)
        await rig.until(lambda: rig.state() == "stopped")
        assert await rig.statuses(second) == ["waiting"]
        with pytest.raises(Rejected, match="--new-database"):
            await rig.applier.resume("ann")
        await rig.applier.resume("ann", new_database=True)
        await rig.settled(second)
        assert (await rig.inbox.watermark("main"))["uuid"] == "uuid-of-staging"

    play(relay, scene)


def test_a_missing_key_stops_the_target_and_a_new_one_lets_it_go_on(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        rig.odoo.faults = [("before", NeedsOperator("bad_key", "Unknown key.", "Make one."))]
        rig.no_key = NeedsOperator("configuration", "No key file.")
        events = [rig.line()]
        await rig.arrive(*events)
        await rig.until(lambda: rig.state() == "stopped")
        await rig.applier.resume("ann")
        await rig.until(lambda: rig.applier.status().code == "configuration")
        rig.no_key = None
        await rig.applier.resume("ann")
        await rig.settled(events)

    play(relay, scene)


def test_a_fault_of_our_own_stops_the_target_visibly_and_loses_nothing(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        rig.odoo.faults = [("before", ZeroDivisionError("a bug"))]
        events = [rig.line()]
        await rig.arrive(*events)
        await rig.until(lambda: rig.state() == "stopped")
        assert rig.applier.status().code == "fault"
        await rig.applier.resume("ann")
        await rig.settled(events)

    play(relay, scene)


def test_what_could_not_be_settled_is_recognised_by_odoo_later(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        settle = rig.inbox.settle
        failing = [NeedsOperator("disk_full", "No room left.")]

        async def full_once(*arguments: Any) -> None:
            if failing:
                raise failing.pop()
            await settle(*arguments)

        rig.inbox.settle = full_once  # type: ignore[method-assign]
        events = [rig.line()]
        keys = await rig.arrive(*events)
        await rig.until(lambda: rig.state() == "stopped")
        await rig.applier.resume("ann")
        await rig.settled(events)
        assert rig.odoo.effects == Counter(keys)

    play(relay, scene)


def test_a_stop_waits_for_the_call_under_way(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        entered, leave = asyncio.Event(), asyncio.Event()
        apply = rig.odoo.apply

        async def slow(batch: OdooBatch) -> OdooReply:
            entered.set()
            await leave.wait()
            return await apply(batch)

        rig.odoo.apply = slow  # type: ignore[method-assign]
        events = [rig.line()]
        await rig.arrive(*events)
        async with asyncio.timeout(5):
            await entered.wait()
        rig.applier.stop()
        leave.set()
        await rig.settled(events)

    play(relay, scene)


def test_resuming_a_target_that_runs_only_hurries_it(relay: Any) -> None:
    async def scene(rig: Rig) -> None:
        await rig.until(lambda: rig.state() == "ok")
        assert await rig.applier.resume("ann") == 0
        with pytest.raises(Rejected, match="not stopped"):
            await rig.applier.resume("ann", replay_since=datetime.now(UTC))

    play(relay, scene)
