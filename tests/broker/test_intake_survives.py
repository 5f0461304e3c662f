"""I1 at the dock: what a device heard confirmed is stored, whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from edge_agent.devices.mqtt.link import Burst, MqttLink
from edge_agent.devices.mqtt.profiles import Item
from edge_agent.devices.mqtt.session import Session
from edge_agent.outbox.port import Appended, IntakeRefused
from edge_contract.mqtt import Feedback


def test_a_scan_is_confirmed_once_it_is_stored(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any
) -> None:
    make_link()
    with make_handheld() as handheld:
        scans = [handheld.scan(event()) for _ in range(50)]
        handheld.wait_confirmed()
    assert handheld.confirmed == scans
    assert outbox.ids == scans


def test_a_killed_broker_loses_nothing_that_was_confirmed(
    broker: Any, make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    make_link()
    with make_handheld() as one, make_handheld("h2") as two:
        scans = []
        for round_ in range(3):
            scans += [device.scan(event()) for _ in range(60) for device in (one, two)]
            until(lambda round_=round_: len(outbox.ids) > 60 * round_, "some are stored")
            broker.restart()
        one.wait_confirmed()
        two.wait_confirmed()
    assert sorted(outbox.ids) == sorted(scans)
    assert set(one.confirmed) | set(two.confirmed) == set(scans)


def test_a_lost_session_is_reported_and_costs_nothing(
    broker: Any, make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    link = make_link()
    with make_handheld() as handheld:
        scans = [handheld.scan(event()) for _ in range(30)]
        broker.restart(lose_sessions=True)
        scans += [handheld.scan(event()) for _ in range(30)]
        handheld.wait_confirmed()
        until(lambda: link.state().counters.get("sessions_lost") == 1, "the gap is counted")
    assert sorted(outbox.ids) == sorted(scans)


def test_what_was_not_acknowledged_comes_again_to_the_next_agent(
    make_link: Any, make_careless: Any, outbox: Any, wire: Any, until: Any
) -> None:
    refusing = IntakeRefused("The disk is full.", "Make room.")
    outbox.refusal = refusing
    first = make_link()
    device = make_careless()
    sent = [wire() for _ in range(40)]
    mids = [device.publish(payload) for _, payload in sent]
    until(lambda: len(device.answers) == len(mids), "the broker took everything")
    until(lambda: first.state().health == "refused", "intake is refused")
    first.stop()
    outbox.refusal = None
    make_link()
    until(lambda: len(outbox.ids) == 40, "everything was delivered again")
    assert outbox.ids == [identity for identity, _ in sent], "in order"


class AcknowledgesFirst(MqttLink):
    """Broken on purpose: it acknowledges before the commit."""

    def _store(self, session: Session, burst: Burst) -> bool:
        for packet, _ in burst:
            session.acknowledge(packet)
        session.service()
        return super()._store(session, burst)


@pytest.mark.parametrize(("kind", "lost"), [(MqttLink, 0), (AcknowledgesFirst, 20)])
def test_acknowledging_before_the_commit_would_lose_scans(
    kind: type[MqttLink],
    lost: int,
    broker: Any,
    make_link: Any,
    make_careless: Any,
    outbox: Any,
    wire: Any,
    until: Any,
) -> None:
    """The agent dies in its commit, and its successor is given what was not acknowledged."""
    seen = 0

    def dies(burst: Sequence[Item]) -> list[Appended]:
        nonlocal seen
        seen = max(seen, len(burst))
        raise OSError("killed")

    first = make_link(dies, kind=kind)
    device = make_careless()
    sent = [wire() for _ in range(20)]
    mids = [device.publish(payload) for _, payload in sent]
    until(lambda: len(device.answers) == len(mids), "the broker took everything")
    until(lambda: seen == 20, "the first agent read everything")
    first.stop()
    until(lambda: "edge-agent disconnected" in broker.log, "the broker read what it was sent")
    make_link()
    device.publish(wire()[1])
    until(lambda: len(outbox.ids) == 21 - lost, "the successor has what was left")
    missing = {identity for identity, _ in sent} - set(outbox.ids)
    assert len(missing) == lost


class AcknowledgesLate(MqttLink):
    """Broken on purpose: it acknowledges on whatever connection there is."""

    def _take_in(self, session: Session, *, fresh: bool) -> None:
        late = [packet for packet, _ in self._held] if session.packets else []
        super()._take_in(session, fresh=fresh)
        for packet in late:
            packet.session = session
            session.acknowledge(packet)


@pytest.mark.parametrize(("kind", "lost"), [(MqttLink, 0), (AcknowledgesLate, 1)])
def test_a_late_acknowledgement_does_not_reach_another_connection(
    kind: type[MqttLink],
    lost: int,
    broker: Any,
    make_link: Any,
    make_careless: Any,
    outbox: Any,
    wire: Any,
    until: Any,
) -> None:
    """The broker loses its session while a burst waits: packet ids begin anew, and the id of the
    old burst is that of a new message, which nobody has stored."""
    outbox.refusal = IntakeRefused("The disk is full.", "Make room.")
    first = make_link(kind=kind, retry_s=3600)
    device = make_careless()
    old, payload = wire()
    device.publish(payload)
    until(lambda: first.state().health == "refused", "the old message waits")

    broker.restart(lose_sessions=True)
    until(lambda: first.state().counters["connects"] == 2, "the agent is back")
    again = make_careless("h2")
    new, payload = wire()
    again.publish(payload)
    until(lambda: first.state().counters["refused"] == 2, "the new message waits too")
    first.stop()
    until(lambda: "edge-agent disconnected" in broker.log, "the broker read what it was sent")

    outbox.refusal = None
    make_link()
    sentinel, payload = wire()
    again.publish(payload)
    until(lambda: sentinel in outbox.ids, "the successor runs")
    assert (new in outbox.ids) == (not lost)
    assert old not in outbox.ids, "its device heard no 'stored' and will send it again"


def test_a_commit_that_outlives_its_connection_is_one_event_and_is_confirmed(
    broker: Any, make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(burst: Sequence[Item]) -> list[Appended]:
        results: list[Appended] = outbox.append_blocking(burst)
        if outbox.ids and not go_on.is_set():
            entered.set()
            go_on.wait(30)
        return results

    link = make_link(slow)
    with make_handheld() as handheld:
        scan = handheld.scan(event())
        assert entered.wait(10)
        broker.restart()
        go_on.set()
        handheld.wait_confirmed()
        # Its answer waited for the new connection, or it came again: either may be first.
        until(lambda: link.state().counters["connects"] == 2, "the agent is back")
    assert handheld.confirmed == [scan]
    assert outbox.ids == [scan]


def test_a_fault_of_the_outbox_ends_nothing(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    fault: list[Exception] = [RuntimeError("no idea what this is")]

    def faulty(burst: Sequence[Item]) -> list[Appended]:
        if fault:
            raise fault[0]
        results: list[Appended] = outbox.append_blocking(burst)
        return results

    link = make_link(faulty)
    with make_handheld() as handheld:
        scan = handheld.scan(event())
        until(lambda: link.state().health == "refused", "the fault is shown")
        assert "no idea what this is" in link.state().detail
        assert handheld.unconfirmed == [scan]
        fault.clear()
        handheld.wait_confirmed()
    assert outbox.ids == [scan]
    assert link.state().health == "up"


def test_a_broker_that_answers_nothing_is_left_and_found_again(
    broker: Any, make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Any
) -> None:
    link = make_link(keepalive_s=5, connect_timeout_s=1)
    with make_handheld() as handheld:
        broker.pause()
        try:
            scan = handheld.scan(event())
            until(lambda: link.state().health == "down", "the silence is noticed", timeout=20)
        finally:
            broker.resume()
        handheld.wait_confirmed()
    assert outbox.ids == [scan]


def test_feedback_reaches_a_handheld_that_was_away(
    make_link: Any, make_handheld: Any, outbox: Any, event: Any, until: Callable[..., None]
) -> None:
    link = make_link()
    with make_handheld() as handheld:
        scan = handheld.scan(event())
        handheld.wait_confirmed()
        handheld.leave()
        link.send_feedback(
            "h1",
            Feedback(event=scan, stage="held", ok=False, tone="bad", code="over_quantity"),
        )
        handheld.rejoin()
        until(lambda: handheld.feedback[-1].stage == "held", "it hears the refusal")
