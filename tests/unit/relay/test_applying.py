"""The decisions of a target's applier, driven by hand: no inbox, no Odoo, no time that passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from cloud_relay.inbox.port import Entry, Progress, Verdict
from cloud_relay.odoo.applying import (
    IDLE_PROBE_S,
    LONE_FAILURES,
    MAY_YET_BE_CURED,
    RECHECK_S,
    UNEXPLAINED_FAILURES,
    Applying,
    Fetch,
    Now,
    Send,
    Wait,
)
from cloud_relay.odoo.breaker import LONGEST_S, THRESHOLD, Breaker
from cloud_relay.odoo.port import Binding, OdooReply, OdooResult
from cloud_relay.odoo.shortage import Shortages
from cloud_relay.odoo.wire import odoo_batch, odoo_key
from edge_contract.errors import NeedsOperator, Retryable

TIMEOUT = Retryable("no answer in time")
NOTHING_OPEN = {"oldest_open": None, "next_due": None}


class Bench:
    """A machine with its clock."""

    def __init__(self, relay: Any, batch: int = 8, grace_s: float = 60, limit_s: float = 900):
        self.relay = relay
        self.time = relay.new_time()
        self.machine = Applying("main", batch, Shortages(grace_s, limit_s), self.now())

    def now(self) -> Now:
        return Now(self.time.at, self.time.tick)

    def entries(self, count: int, first: int = 1) -> list[Entry]:
        return [
            Entry(
                number=number,
                site="a",
                target="main",
                lane="WH/IN/00001",
                event=self.relay.line(number),
                status="waiting",
                received=self.time.at,
                attempts=0,
                next_attempt=self.time.at,
            )
            for number in range(first, first + count)
        ]

    def next(self) -> Send | Fetch | Wait:
        return self.machine.next(self.now())

    def answer(
        self,
        sent: Sequence[Entry],
        *results: OdooResult,
        progress: Progress | None = None,
        seconds: float = 1.0,
    ) -> list[Verdict]:
        given = results or [OdooResult(key=odoo_key(e), status="applied") for e in sent]
        reply = OdooReply(results=tuple(given), watermark={})
        return self.machine.answered(sent, reply, progress, seconds, self.now())

    def fail(self, sent: Sequence[Entry] = (), share: float = 0.0) -> None:
        self.machine.failed(sent, TIMEOUT, self.now(), share)

    def alive(self) -> list[Verdict]:
        """Odoo answers an empty batch."""
        assert self.next() == Send()
        return self.answer(())

    def sent(self) -> list[int]:
        step = self.next()
        assert isinstance(step, Send)
        return [entry.number for entry in step.entries]


@pytest.fixture
def bench(relay: Any) -> Bench:
    made = Bench(relay)
    made.alive()
    return made


def result(entry: Entry, status: Any, code: str = "", message: str = "") -> OdooResult:
    return OdooResult(key=odoo_key(entry), status=status, code=code, message=message)


def test_odoo_is_asked_for_a_sign_of_life_before_any_event(relay: Any) -> None:
    made = Bench(relay)
    assert made.machine.status(made.now()).state == "starting"
    made.alive()
    assert made.next() == Fetch(8)
    assert made.machine.status(made.now()).state == "ok"


def test_after_an_unknown_outcome_the_same_events_go_first_and_in_order(bench: Bench) -> None:
    sent = bench.entries(3)
    bench.fail(sent)
    assert bench.sent() == [1, 2, 3]
    verdicts = bench.answer(sent, *[result(entry, "duplicate") for entry in sent])
    assert [(v.number, v.status) for v in verdicts] == [(n, "applied") for n in (1, 2, 3)]
    assert bench.next() == Fetch(8)


def test_a_batch_that_fails_again_though_odoo_is_alive_is_halved(bench: Bench) -> None:
    entries = bench.entries(8)
    bench.fail(entries)
    bench.fail(entries)
    bench.alive()
    assert bench.sent() == [1, 2, 3, 4]
    bench.answer(entries[:4])
    assert bench.sent() == [5, 6, 7, 8]
    bench.answer(entries[4:])
    assert isinstance(bench.next(), Fetch)


def test_after_halving_the_batch_grows_again(bench: Bench) -> None:
    entries = bench.entries(8)
    bench.fail(entries)
    bench.fail(entries)
    bench.alive()
    assert bench.machine.status(bench.now()).batch_limit == 4
    bench.answer(entries[:4], seconds=6)
    bench.answer(entries[4:], seconds=1)
    assert bench.next() == Fetch(8)


def test_an_odoo_that_is_down_makes_no_batch_smaller(bench: Bench) -> None:
    entries = bench.entries(8)
    bench.fail(entries)
    bench.fail(entries)
    for _ in range(20):
        assert bench.next() == Send()
        bench.fail()
    bench.alive()
    assert bench.sent() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_batch_that_takes_odoo_down_each_time_is_blamed_after_all(bench: Bench) -> None:
    entries = bench.entries(2)
    for _ in range(UNEXPLAINED_FAILURES):
        bench.fail(entries)
        if bench.next() == Send():
            bench.fail()
            bench.alive()
    assert bench.sent() == [1]


def test_one_event_that_breaks_the_call_is_found_and_held(bench: Bench) -> None:
    entries = bench.entries(8)
    culprit = 6
    held: list[Verdict] = []
    applied: list[int] = []
    waiting: list[Entry] = list(entries)
    for _ in range(60):
        step = bench.next()
        if isinstance(step, Fetch):
            if not waiting:
                break
            step = Send(tuple(waiting))
        assert isinstance(step, Send)
        numbers = [entry.number for entry in step.entries]
        if culprit in numbers:
            bench.fail(step.entries)
            continue
        verdicts = bench.answer(step.entries)
        applied += [v.number for v in verdicts if v.status == "applied"]
        held += [v for v in verdicts if v.status == "held"]
        waiting = [e for e in waiting if e.number not in {v.number for v in applied_or(verdicts)}]
    assert [v.number for v in held] == [culprit]
    assert held[0].code == "odoo_refused"
    assert sorted(applied) == [1, 2, 3, 4, 5, 7, 8]


def applied_or(verdicts: list[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.status != "waiting"]


def test_one_event_alone_is_tried_several_times_before_it_is_held(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    failures = 0
    while True:
        step = bench.next()
        if isinstance(step, Fetch):
            step = Send((entry,))
        assert isinstance(step, Send)
        if step.entries:
            bench.fail(step.entries)
            failures += 1
        elif bench.answer(()):
            break
    assert failures == LONE_FAILURES


def test_the_circuit_opens_and_then_only_an_empty_batch_tries(bench: Bench) -> None:
    entries = bench.entries(2)
    bench.fail(entries)
    assert bench.machine.status(bench.now()).state == "failing"
    bench.fail(entries)
    bench.fail(share=0.999)
    status = bench.machine.status(bench.now())
    assert (status.state, status.failures, status.unsure) == ("unreachable", THRESHOLD, 2)
    assert status.retry_at is not None
    step = bench.next()
    assert isinstance(step, Wait)
    bench.time.pass_(step.seconds + 0.001)
    assert bench.next() == Send()


def test_backoff_grows_to_a_bound_and_is_jittered_in_full() -> None:
    breaker = Breaker()
    waits = []
    for _ in range(12):
        breaker.failed(0.0, 1.0)
        waits.append(breaker.wait(0.0))
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(waits) == LONGEST_S
    breaker.failed(0.0, 0.0)
    assert breaker.wait(0.0) == 0.0
    breaker.answered()
    assert not breaker.open


def test_a_call_that_takes_long_makes_the_next_one_smaller(bench: Bench) -> None:
    bench.answer(bench.entries(8), seconds=30)
    assert bench.next() == Fetch(5)
    bench.answer(bench.entries(2), seconds=0.3)
    assert bench.next() == Fetch(8)


def test_what_follows_a_refused_event_waits_untried(bench: Bench) -> None:
    first, second = bench.entries(2)
    verdicts = bench.answer(
        (first, second),
        result(first, "refused", "unknown_barcode", "No product."),
        result(second, "skipped"),
    )
    assert verdicts == [
        Verdict(1, "held", "unknown_barcode", "No product."),
        Verdict(2, "waiting", attempted=False),
    ]


def test_an_id_that_was_used_for_something_else_is_rejected_for_good(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    (verdict,) = bench.answer([entry], result(entry, "refused", "content_conflict", "Used."))
    assert verdict.status == "rejected"


@pytest.mark.parametrize("code", sorted(MAY_YET_BE_CURED))
def test_what_an_older_event_may_cure_waits_for_it(bench: Bench, code: str) -> None:
    (entry,) = bench.entries(1)
    (verdict,) = bench.answer(
        [entry], result(entry, "refused", code), progress=Progress(bench.time.at, None, None)
    )
    assert (verdict.status, verdict.code) == ("short", code)


def short(bench: Bench, entry: Entry, **progress: Any) -> Verdict:
    given = Progress(**{"arrived_through": None, **NOTHING_OPEN, **progress})
    (verdict,) = bench.answer(
        [entry], result(entry, "refused", "insufficient_stock", "Too few."), progress=given
    )
    return verdict


def test_want_of_stock_is_not_shown_at_once(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    verdict = short(bench, entry, arrived_through=bench.time.at + timedelta(hours=1))
    assert verdict.status == "short"
    assert verdict.next_attempt is not None
    assert verdict.next_attempt > bench.time.at


def test_want_of_stock_is_shown_when_nothing_older_can_come(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    arrived = bench.time.at + timedelta(hours=1)
    short(bench, entry, arrived_through=arrived)
    bench.time.pass_(61)
    verdict = short(bench, entry, arrived_through=arrived)
    assert (verdict.status, verdict.code) == ("held", "insufficient_stock")


@pytest.mark.parametrize(
    "on_the_way",
    [
        {"arrived_through": None},
        {"arrived_through": -5},
        {"arrived_through": 3600, "oldest_open": -5},
    ],
)
def test_want_of_stock_waits_for_what_is_still_on_the_way_up_to_a_bound(
    bench: Bench, on_the_way: dict[str, float | None]
) -> None:
    (entry,) = bench.entries(1)
    start = entry.event.occurred
    progress = {
        key: None if value is None else start + timedelta(seconds=value)
        for key, value in on_the_way.items()
    }
    short(bench, entry, **progress)
    bench.time.pass_(800)
    assert short(bench, entry, **progress).status == "short"
    bench.time.pass_(101)
    verdict = short(bench, entry, **progress)
    assert verdict.status == "held"
    assert "Older events are missing" in verdict.message


def test_a_replayed_event_that_is_still_short_is_shown_at_once(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    arrived = bench.time.at + timedelta(hours=1)
    short(bench, entry, arrived_through=arrived)
    bench.time.pass_(61)
    assert short(bench, entry, arrived_through=arrived).status == "held"
    assert short(bench, entry, arrived_through=arrived).status == "held"


def test_a_shortage_that_ended_is_forgotten(bench: Bench) -> None:
    (entry,) = bench.entries(1)
    arrived = bench.time.at + timedelta(hours=1)
    short(bench, entry, arrived_through=arrived)
    bench.answer([entry])
    bench.time.pass_(100)
    assert short(bench, entry, arrived_through=arrived).status == "short"


def test_repeats_of_the_short_become_rarer_and_of_a_crowd_much_rarer(bench: Bench) -> None:
    entry, *_ = crowd = bench.entries(50)
    progress = Progress(bench.time.at, None, None)
    alone = Shortages(60, 900)
    said = result(entry, "refused", "insufficient_stock")
    waits = [
        alone.verdict(entry, said, progress, bench.time.at, 0.0).next_attempt for _ in range(8)
    ]
    seconds = [(wait - bench.time.at).total_seconds() for wait in waits if wait]
    assert seconds == [0.5, 1, 2, 4, 8, 15, 15, 15]
    all_short = [result(e, "refused", "insufficient_stock") for e in crowd]
    verdicts = bench.answer(crowd, *all_short, progress=progress)
    assert {v.next_attempt for v in verdicts} == {bench.time.at + timedelta(seconds=2.5)}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("bad_key", "unconfigured"),
        ("not_installed", "unconfigured"),
        ("no_rights", "unconfigured"),
        ("action_changed", "stopped"),
        ("uuid_changed", "stopped"),
        ("not_odoo", "stopped"),
    ],
)
def test_a_stop_is_looked_at_again_and_goes_on_by_itself(
    bench: Bench, code: str, told: str
) -> None:
    assert bench.machine.stopped(NeedsOperator(code, "No.", "Do."), bench.now())
    status = bench.machine.status(bench.now())
    assert (status.state, status.code, status.remedy, status.told()) == (
        "stopped",
        code,
        "Do.",
        told,
    )
    assert bench.next() == Wait(RECHECK_S)
    bench.time.pass_(RECHECK_S)
    assert bench.next() == Send()
    assert not bench.machine.stopped(NeedsOperator(code, "No.", "Do."), bench.now())
    bench.time.pass_(RECHECK_S)
    bench.alive()
    assert bench.next() == Fetch(8)


def test_a_restored_odoo_is_never_looked_at_again_without_a_person(bench: Bench) -> None:
    bench.machine.stopped(NeedsOperator("went_back", "Restored."), bench.now())
    for _ in range(100):
        step = bench.next()
        assert isinstance(step, Wait)
        bench.time.pass_(step.seconds)
    assert bench.machine.status(bench.now()).retry_at is None
    bench.machine.resume(bench.now())
    assert bench.next() == Send()


def test_an_idle_odoo_is_asked_for_a_sign_of_life_now_and_then(bench: Bench) -> None:
    assert bench.machine.probe_when_idle(bench.now()) == IDLE_PROBE_S
    bench.time.pass_(IDLE_PROBE_S)
    assert bench.machine.probe_when_idle(bench.now()) == 0
    assert bench.next() == Send()


def test_events_are_sent_with_corrected_times_and_the_newest_claim_known(relay: Any) -> None:
    (entry,) = Bench(relay).entries(1)
    ahead = entry.event.model_copy(update={"clockoffset": 90_000})
    late = Entry(**{**{f: getattr(entry, f) for f in Entry.__slots__}, "event": ahead})
    known = {"uuid": "u", "claim": "7", "key": "scanner-1|x", "more": "not sent"}
    batch = odoo_batch([late], Binding(company=1, warehouses=(1,)), known)
    assert batch.database_uuid == "u"
    assert batch.watermark == {"claim": "7", "key": "scanner-1|x"}
    assert batch.events[0].occurred == "2026-11-23 09:58:30.000000"
    assert batch.events[0].recorded == "2026-11-23 10:00:00.000000"
    assert batch.events[0].key == f"scanner-1|{entry.event.id}"
    assert batch.events[0].digest == entry.event.digest()
