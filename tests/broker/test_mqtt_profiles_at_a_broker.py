"""Readers with topics of their own at a real broker: all reads of a payload, or it comes again."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.devices.mqtt.fleets import fleets_of
from edge_agent.devices.mqtt.link import Burst, MqttLink
from edge_agent.devices.mqtt.profiles import FleetReader, Item
from edge_agent.devices.mqtt.session import Session
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.profiles.library import parse_profile
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.outbox.port import Appended, IntakeRefused
from edge_sandbox.broker import Broker

ACL = """
pattern write readers/%u/tags
pattern write readers/%u/status
pattern write guns/%u
user agent
topic read readers/#
topic read guns/#
"""
PROFILES = {
    "dock": """
title = "Readers that say when"
[mqtt]
topic = "readers/{device}/tags"
[mqtt.status]
topic = "readers/{device}/status"
state = "/state"
boot = "/boot"
[scanner]
format = "glued-json"
[scanner.read]
data = "/tag"
time = "/at"
""",
    "guns": """
title = "Scanners that say nothing but the label"
[mqtt]
topic = "guns/{device}"
[scanner]
format = "text"
""",
}


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["r1", "r2"], acl=ACL) as running:
        yield running


def reader(presence: Presence, *names: str) -> FleetReader:
    devices = []
    for name in names or tuple(PROFILES):
        profile = parse_profile(PROFILES[name], f"{name}.toml")
        assert profile.mqtt is not None
        devices.append(ConfiguredDevice(name, name, profile, "mqtt", profile.mqtt.topic))
    fleets, mistakes = fleets_of(devices)
    assert not mistakes
    return FleetReader(fleets, presence)


def tags(*labels: str) -> bytes:
    at = datetime.now(UTC).isoformat()
    return "".join(json.dumps({"tag": label, "at": at}) for label in labels).encode()


def barcodes(outbox: Any) -> list[str]:
    return [one.event.data["barcode"] for one in outbox.readings]


@pytest.fixture
def make_reading(make_link: Any) -> Callable[..., MqttLink]:
    """A link that reads both fleets, with the presence it keeps."""

    def make(
        *arguments: Any, kind: type[MqttLink] = MqttLink, names: Sequence[str] = (), **more: Any
    ) -> MqttLink:
        presence = more.pop("presence", Presence())
        former = more.pop("former", ())
        made = partial(kind, fleets=reader(presence, *names), former=former)
        link: MqttLink = make_link(*arguments, kind=made, presence=presence, **more)
        return link

    return make


def test_all_reads_of_a_payload_are_in_one_commit_and_then_it_is_acknowledged(
    broker: Any, make_reading: Any, make_careless: Any, outbox: Any, until: Any
) -> None:
    commits: list[list[Item]] = []

    def append(burst: Sequence[Item]) -> list[Appended]:
        commits.append(list(burst))
        results: list[Appended] = outbox.append_blocking(burst)
        return results

    presence = Presence()
    link = make_reading(append, presence=presence)
    device, gun = make_careless("r1"), make_careless("r2")
    device.publish(tags("A", "B", "C") + b"{}", "readers/r1/tags")
    until(lambda: len(outbox.readings) == 3, "the first are stored")
    gun.publish(b"4006381333931\n4006381333948", "guns/r2")
    until(lambda: len(outbox.readings) == 5, "all are stored")
    assert barcodes(outbox) == ["A", "B", "C", "4006381333931", "4006381333948"]
    assert [len(commit) for commit in commits] == [4, 2]
    assert [one.device for one in outbox.readings] == ["r1", "r1", "r1", "r2", "r2"]
    (bad,) = outbox.unreadable
    assert bad.payload.endswith(b"{}")
    assert bad.device == "r1"
    assert link.state().counters["new"] == 5
    link.stop()
    make_reading(append)
    device.publish(tags("D"), "readers/r1/tags")
    until(lambda: barcodes(outbox)[-1] == "D", "the next agent runs")
    assert len(outbox.readings) == 6, "nothing came again"


class AcknowledgesEarly(MqttLink):
    """Broken on purpose: each read has a commit of its own, and the first one acknowledges."""

    def _store(self, session: Session, burst: Burst) -> bool:
        pieces: Burst = [(packet, (item,)) for packet, items in burst for item in items]
        return all(super(AcknowledgesEarly, self)._store(session, [piece]) for piece in pieces)


@pytest.mark.parametrize(("kind", "lost"), [(MqttLink, set()), (AcknowledgesEarly, {"B", "C"})])
def test_acknowledging_before_all_reads_are_stored_would_lose_the_rest(
    kind: type[MqttLink],
    lost: set[str],
    broker: Any,
    make_reading: Any,
    make_careless: Any,
    outbox: Any,
    until: Any,
) -> None:
    """The outbox takes what comes first and dies with what comes next."""
    offered: list[int] = []

    def dies(burst: Sequence[Item]) -> list[Appended]:
        offered.append(len(burst))
        if outbox.readings or len(burst) > 1:
            raise OSError("killed")
        results: list[Appended] = outbox.append_blocking(burst)
        return results

    first = make_reading(dies, kind=kind)
    device = make_careless("r1")
    device.publish(tags("A", "B", "C"), "readers/r1/tags")
    until(lambda: first.state().health == "refused", "it died")
    first.stop()
    until(lambda: "edge-agent disconnected" in broker.log, "the broker read what it was sent")
    make_reading()
    device.publish(tags("Z"), "readers/r1/tags")
    until(lambda: "Z" in barcodes(outbox), "the successor has what was left")
    assert {"A", "B", "C"} - set(barcodes(outbox)) == lost
    assert len(barcodes(outbox)) == len(set(barcodes(outbox)))


def test_what_readers_send_while_intake_is_refused_is_bounded_and_comes_again(
    broker: Any,
    make_reading: Any,
    make_careless: Any,
    outbox: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_agent.devices.mqtt.link._MOST_HELD", 500)
    outbox.refusal = IntakeRefused("The disk is full.", "Make room.")
    link = make_reading(retry_s=0.05)
    device = make_careless("r1")
    for number in range(40):
        device.publish(tags(*(f"{number}-{one}" for one in range(100))), "readers/r1/tags")
    until(lambda: len(device.answers) == 40, "the broker has them")
    until(lambda: link._held_items() >= 500, "the link holds what it may")
    assert link._held_items() < 500 + 100
    outbox.refusal = None
    until(lambda: len(outbox.readings) == 4000, "all are stored")
    assert not outbox.unreadable
    assert barcodes(outbox) == [f"{number}-{one}" for number in range(40) for one in range(100)]


def test_a_retained_payload_is_taken_once_however_often_the_agent_comes(
    broker: Any, make_reading: Any, make_careless: Any, outbox: Any, until: Any
) -> None:
    device, gun = make_careless("r1"), make_careless("r2")
    device.publish(tags("KEPT"), "readers/r1/tags", retain=True)
    gun.publish(b"AGELESS", "guns/r2", retain=True)
    until(lambda: len(device.answers) == len(gun.answers) == 1, "the broker has them")
    first = make_reading(names=["dock"])
    until(lambda: barcodes(outbox) == ["KEPT"], "taken, though it was sent before")
    first.stop()
    second = make_reading()
    until(lambda: second.state().counters.get("retained_without_time"), "the other is left")
    broker.restart(lose_sessions=True)
    device.publish(tags("NEWS"), "readers/r1/tags")
    until(lambda: "NEWS" in barcodes(outbox), "the agent is back in a new session")
    assert sorted(barcodes(outbox)) == ["KEPT", "NEWS"]


def test_a_label_that_comes_again_after_a_broken_connection_is_one_read(
    broker: Any, make_reading: Any, make_careless: Any, outbox: Any, until: Any
) -> None:
    """Its commit outlives the connection, and the broker never hears of it."""
    broken: list[int] = []

    def cuts(burst: Sequence[Item]) -> list[Appended]:
        results: list[Appended] = outbox.append_blocking(burst)
        if not broken:
            broken.append(1)
            session = link._session
            assert session is not None
            fault = struct.pack("ii", 1, 0)
            with socket.socket(fileno=socket.dup(session.fileno())) as copy:
                copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, fault)
                copy.shutdown(socket.SHUT_RDWR)
        return results

    link = make_reading(cuts)
    gun = make_careless("r2")
    gun.publish(b"4006381333931", "guns/r2")
    until(lambda: outbox.repeats == 1, "it came again and was known")
    gun.publish(b"4006381333931", "guns/r2")
    until(lambda: len(outbox.readings) == 2, "scanned twice it is two reads")
    assert not outbox.unreadable


def test_a_last_will_of_a_reader_says_that_it_is_gone(
    broker: Any, make_reading: Any, outbox: Any, until: Any
) -> None:
    presence = Presence()
    link = make_reading(presence=presence)
    client = Client(CallbackAPIVersion.VERSION2, "r1", protocol=MQTTv5, reconnect_on_failure=False)
    client.username_pw_set("r1", broker.password("r1"))
    topic = "readers/r1/status"
    client.will_set(topic, '{"state": "offline", "boot": 3}', qos=1, retain=True)
    client.connect(broker.host, broker.port)
    client.publish(topic, '{"state": "online", "boot": 3}', qos=1, retain=True)
    client.loop_start()
    try:
        until(lambda: presence.online() == 1, "it is there")
    finally:
        sock = client.socket()
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        client.loop_stop()
    until(lambda: len(outbox.readings) == 2, "both are on record")
    assert [one.event.data for one in outbox.readings] == [
        {"status": "online", "detail": "", "boot": 3},
        {"status": "offline", "detail": "", "boot": 3},
    ]
    link.stop()
    again = Presence()
    make_reading(presence=again)
    until(lambda: again.devices(datetime.now(UTC)), "what is retained comes to every agent")
    (seen,) = again.devices(datetime.now(UTC))
    assert (seen.device, seen.state, seen.boot) == ("r1", "offline", 3)
    assert len(outbox.readings) == 2, "and is no news"


def test_topics_of_a_former_configuration_are_left(
    broker: Any, make_reading: Any, make_careless: Any, outbox: Any, until: Any
) -> None:
    make_reading().stop()
    device, gun = make_careless("r1"), make_careless("r2")
    second = make_reading(names=["dock"])
    gun.publish(b"4006381333931", "guns/r2")
    until(lambda: outbox.unreadable, "the broker remembers what was subscribed to")
    assert outbox.unreadable[0].code == "unclaimed_topic"
    second.stop()
    make_reading(names=["dock"], former=("guns/+",))
    device.publish(tags("A"), "readers/r1/tags")
    until(lambda: "A" in barcodes(outbox), "the agent runs")
    gun.publish(b"4006381333931", "guns/r2")
    until(lambda: len(gun.answers) == 2, "the broker has it")
    device.publish(tags("B"), "readers/r1/tags")
    until(lambda: "B" in barcodes(outbox), "what was sent before it would be here")
    assert len(outbox.unreadable) == 1


# The real agent, killed


DEVICES = """
[devices.dock]
profile = "site-dock"
[devices.guns]
profile = "site-guns"
"""


@pytest.fixture
def site(make_site: Any) -> Any:
    return make_site(DEVICES, {f"site-{name}": text for name, text in PROFILES.items()})


@pytest.mark.parametrize(
    "point",
    [
        "intake.before_append",
        "outbox.before_commit",
        "outbox.after_commit",
        "intake.after_commit",
        "intake.before_ack",
        "intake.after_ack",
    ],
)
def test_killed_among_the_reads_of_one_payload_it_loses_nothing_and_doubles_nothing(
    site: Any, make_careless: Any, until: Any, point: str
) -> None:
    one, two = make_careless("r1"), make_careless("r2")
    with site.part(kill=f"{point}:{6 if point.startswith('outbox') else 2}") as dying:
        one.publish(tags("A", "B", "C"), "readers/r1/tags")
        two.publish(b"L1\nL2\nL1", "guns/r2")
        for number in range(200):
            if not dying.running:
                break
            one.publish(tags(f"T{number}", f"U{number}"), "readers/r1/tags")
            two.publish(f"V{number}\nW{number}".encode(), "guns/r2")
            until(lambda: len(one.answers) == number + 2, "the broker has it")  # noqa: B023
        assert dying.wait_exit() == -signal.SIGKILL
    sent = {f"{letter}{one}" for one in range(len(one.answers) - 1) for letter in "TU"}
    with site.part():
        one.publish(tags("END"), "readers/r1/tags")
        until(lambda: "END" in site.barcodes(), "the next agent has all")
        until(lambda: len(two.answers) == len(one.answers) - 1, "the broker has all")
        two.publish(b"END2", "guns/r2")
        until(lambda: "END2" in site.barcodes(), "the next agent has all")
        stored = site.barcodes()
        assert sent <= set(stored)
        for letter in "VW":
            assert {f"{letter}{one[1:]}" for one in sent} <= set(stored)
        stored.remove("L1")  # scanned twice
        assert len(stored) == len(set(stored))
        assert {"A", "B", "C", "L1", "L2"} <= set(stored)
        assert site.status()["outbox"]["quarantined"] == 0


def test_status_shows_readers_and_fleets_that_nobody_heard(
    site: Any, make_careless: Any, until: Any
) -> None:
    device = make_careless("r1")
    silence = [0.0]

    def seen() -> bool:
        """It is there when it is heard after a silence: what came before may have waited."""
        if time.monotonic() > silence[-1]:
            device.publish(tags("A"), "readers/r1/tags")
            silence.append(time.monotonic() + 0.4)
        return bool(site.status()["classes"]["scanner"]["seen"])

    with site.part():
        until(seen, "it is seen", timeout=30)
        status = site.status()
    dock, guns = sorted(status["devices"], key=lambda one: one["fleet"])
    assert (dock["name"], dock["profile"], dock["state"]) == ("r1", "site-dock", "seen")
    assert (guns["name"], guns["profile"], guns["state"]) == ("guns", "site-guns", "unknown")
    assert "No device of this fleet" in guns["detail"]
    assert {dock["device_class"], guns["device_class"]} == {"scanner"}
    assert status["counters"]["devices.scanner.devices"] == 2
