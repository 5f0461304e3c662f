"""Payloads of devices with topics of their own: what becomes of each, and under which name."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.intake import is_name
from edge_agent.devices.mqtt.arrivals import Arrivals
from edge_agent.devices.mqtt.fleets import device_name, fleets_of
from edge_agent.devices.mqtt.packets import Publish
from edge_agent.devices.mqtt.profiles import MAX_PAYLOAD_BYTES, FleetReader
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.profiles.library import parse_profile
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.event import DeviceEvent

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

TIMED = """
title = "Readers that say when"
[mqtt]
topic = "readers/{device}/tags"
[scanner]
format = "glued-json"
[scanner.read]
data = "/tag"
time = "/at"
sequence = "/n"
"""
UNTIMED = """
title = "Scanners that say nothing but the label"
[mqtt]
topic = "guns/{device}"
[scanner]
format = "text"
"""


def device(name: str, profile: str, topic: str | None = None) -> ConfiguredDevice:
    parsed = parse_profile(profile, f"{name}.toml")
    assert parsed.mqtt is not None
    return ConfiguredDevice(name, name, parsed, "mqtt", topic or parsed.mqtt.topic)


class Site:
    """A reader of every fleet, and what it counted."""

    def __init__(self, *devices: ConfiguredDevice, **options: Any) -> None:
        fleets, mistakes = fleets_of(devices)
        assert not mistakes
        self.presence = options.pop("presence", None) or Presence()
        self.reader = FleetReader(fleets, self.presence, **options)
        self.counted: Counter[str] = Counter()

    def read(
        self, said: Publish, at: datetime = NOON, *, fresh: bool = True
    ) -> tuple[Reading | Unreadable, ...]:
        return self.reader.read(said, at, self._count, fresh=fresh)

    def _count(self, name: str) -> None:
        self.counted[name] += 1


def said(topic: str, payload: str | bytes, mid: int = 1, **changes: Any) -> Publish:
    data = payload if isinstance(payload, bytes) else payload.encode()
    values = {"qos": 1, "retained": False, **changes}
    return Publish(topic, data, len(data), mid, **values)


def tag(number: int, label: str = "3034257BF468D480000003E8", at: datetime = NOON) -> str:
    return json.dumps({"tag": label, "at": at.isoformat(), "n": number})


def ids(items: tuple[Reading | Unreadable, ...]) -> list[Any]:
    return [item.event.id for item in items if isinstance(item, Reading)]


def test_every_read_of_a_payload_is_a_reading_and_delivered_again_the_same_one() -> None:
    site = Site(device("dock", TIMED))
    payload = tag(1) + tag(2) + tag(2)
    first = site.read(said("readers/r1/tags", payload))
    again = site.read(said("readers/r1/tags", payload, mid=9, again=True), fresh=False)
    later = Site(device("dock", TIMED)).read(
        said("readers/r1/tags", payload, mid=5, retained=True), NOON + timedelta(hours=1)
    )
    assert len(set(ids(first))) == 3, "two equal reads of one payload are two"
    assert ids(first) == ids(again) == ids(later)
    assert {item.device for item in first} == {"r1"}
    assert [item.event.seq for item in first if isinstance(item, Reading)] == [1, 2, 2]


def test_a_bad_part_is_set_aside_with_all_bytes_and_its_neighbours_are_stored() -> None:
    site = Site(device("dock", TIMED))
    payload = tag(1) + '{"at": "2026-11-24T12:00:00Z"}' + tag(3) + '{"tag": 7}'
    good, also_good, bad = site.read(said("readers/r1/tags", payload))
    assert isinstance(good, Reading)
    assert isinstance(also_good, Reading)
    assert isinstance(bad, Unreadable)
    assert (bad.device, bad.origin) == ("r1", "readers/r1/tags")
    assert bad.payload == payload.encode()
    assert "Read 2 of 4" in bad.message
    assert "Read 4 of 4" in bad.message


def test_one_label_scanned_twice_is_two_reads_and_delivered_twice_is_one() -> None:
    site = Site(device("guns", UNTIMED))
    once = site.read(said("guns/g1", "4006381333931", mid=7))
    twice = site.read(said("guns/g1", "4006381333931", mid=8))
    again = site.read(
        said("guns/g1", "4006381333931", mid=8, again=True), NOON + timedelta(minutes=5)
    )
    assert ids(once) != ids(twice)
    assert twice[0].recorded == NOON
    assert ids(again) == ids(twice)
    (first,), (repeated,) = twice, again
    assert isinstance(first, Reading)
    assert isinstance(repeated, Reading)
    assert first.event == repeated.event, "with another time it would be a conflict"


class Forgets(Arrivals):
    """Broken on purpose: it takes what comes again for new."""

    def of(self, said: Publish, now: datetime) -> datetime:
        return self._next(now)


@pytest.mark.parametrize(("kind", "same"), [(Arrivals, True), (Forgets, False)])
def test_a_label_delivered_again_to_the_next_agent_is_the_same_read(
    tmp_path: Path, kind: type[Arrivals], same: bool
) -> None:
    """The agent dies after its commit: what it acknowledged not comes again, hours later."""
    before = kind(tmp_path / "arrivals")
    stored = Site(device("guns", UNTIMED), arrivals=before).read(said("guns/g1", "L1", mid=300))
    before.write()
    site = Site(device("guns", UNTIMED), arrivals=kind(tmp_path / "arrivals"))
    later = NOON + timedelta(hours=3)
    again = site.read(said("guns/g1", "L1", mid=300, again=True), later, fresh=False)
    assert (ids(again) == ids(stored)) == same
    other = site.read(said("guns/g1", "L2", mid=300, again=True), later, fresh=False)
    assert ids(other) != ids(stored)
    assert ids(site.read(said("guns/g1", "L1", mid=300), later)) != ids(stored), "it is new"


def test_arrivals_are_bounded_in_memory_and_in_their_file(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    arrivals = Arrivals(path, most=10)
    for mid in range(1, 500):
        arrivals.of(said("guns/g1", "L", mid=mid), NOON)
        arrivals.write()
    assert len(path.read_bytes().splitlines()) <= 60
    path.write_bytes(path.read_bytes() + b'[499, "to')
    known = Arrivals(path, most=10)
    came = [known.of(said("guns/g1", "L", mid=mid, again=True), NOON) for mid in range(490, 500)]
    assert came == [
        arrivals.of(said("guns/g1", "L", mid=mid, again=True), NOON) for mid in range(490, 500)
    ]
    known.forget()
    assert known.of(said("guns/g1", "L", mid=499, again=True), NOON) not in came


NAMED = """
title = "Apps with ids or numbers of their own"
[mqtt]
topic = "apps/{device}"
[scanner]
format = "json"
[scanner.read]
data = "/label"
id = "/uid"
sequence = "/n"
"""


def test_a_read_with_an_id_of_its_own_is_the_same_when_its_device_sends_it_again() -> None:
    site = Site(device("apps", NAMED))
    later = NOON + timedelta(minutes=1)
    (first,) = site.read(said("apps/a1", '{"label": "L", "uid": "7"}', mid=1))
    (again,) = site.read(said("apps/a1", '{"label": "L", "uid": "7"}', mid=2), later)
    (other,) = site.read(said("apps/a2", '{"label": "L", "uid": "7"}', mid=3), later)
    assert isinstance(first, Reading)
    assert isinstance(again, Reading)
    assert isinstance(other, Reading)
    assert first.event == again.event, "with another time it would be a conflict"
    assert other.event.id != first.event.id
    assert ids(site.read(said("apps/a1", '{"label": "L", "uid": "8"}', retained=True)))


def test_a_counter_that_begins_anew_makes_no_old_read_of_a_new_one() -> None:
    site = Site(device("apps", NAMED))
    first = site.read(said("apps/a1", '{"label": "L", "n": 1}', mid=1))
    anew = site.read(said("apps/a1", '{"label": "L", "n": 1}', mid=2), NOON + timedelta(days=1))
    again = site.read(
        said("apps/a1", '{"label": "L", "n": 1}', mid=2, again=True), NOON + timedelta(days=2)
    )
    assert ids(first) != ids(anew)
    assert ids(anew) == ids(again)


def test_a_retained_label_without_a_time_is_of_no_known_age_and_is_left() -> None:
    site = Site(device("guns", UNTIMED))
    assert site.read(said("guns/g1", "4006381333931", retained=True)) == ()
    assert site.counted["retained_without_time"] == 1


def test_a_read_of_the_wrong_year_is_set_aside_with_what_helps() -> None:
    site = Site(device("dock", TIMED))
    old = tag(1, at=datetime(1970, 1, 1, tzinfo=UTC))
    (item,) = site.read(said("readers/r1/tags", old))
    assert isinstance(item, Unreadable)
    assert item.code == "implausible_time"
    assert "override.scanner.read.time" in item.message


def test_a_window_takes_a_label_that_lies_in_view_for_one_read() -> None:
    window = UNTIMED.replace('format = "text"', 'format = "text"\nduplicate_window_s = 2')
    site = Site(device("guns", window))
    taken = [
        len(site.read(said("guns/g1", "L1", mid=mid), NOON + timedelta(seconds=second)))
        for mid, second in enumerate((0, 1, 2.5, 9), start=1)
    ]
    assert taken == [1, 0, 0, 1]
    assert len(site.read(said("guns/g2", "L1", mid=8), NOON)) == 1, "another scanner"
    assert site.counted["repeated_reads"] == 2
    # it may not have been stored yet: only the outbox knows
    again = said("guns/g1", "L1", mid=4, again=True)
    assert len(site.read(again, NOON + timedelta(seconds=9))) == 1


def test_a_no_read_is_a_sign_of_life_and_nothing_else() -> None:
    site = Site(device("guns", UNTIMED.replace('"text"', '"text"\nno_read = ["NOREAD"]')))
    assert site.read(said("guns/g1", "NOREAD")) == ()
    (seen,) = site.presence.devices(NOON)
    assert (seen.device, seen.state, seen.last_seen) == ("g1", "seen", NOON)
    assert site.counted["noreads"] == 1


# Names


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("FX9600A1B2", "fx9600a1b2"),
        ("84:24:8D:EE:01:02", "84-24-8d-ee-01-02"),
        ("Dock 3", "dock-3"),
        ("_hidden", "hidden"),
        ("Ä", None),
        ("", None),
        ("Agent", None),
        ("x" * 64, None),
    ],
)
def test_a_name_is_made_of_what_the_topic_says(told: str, name: str | None) -> None:
    assert device_name(told) == name


@given(st.text(max_size=80))
def test_whatever_the_topic_says_makes_a_name_or_none(told: str) -> None:
    name = device_name(told)
    assert name is None or is_name(name)
    assert name is None or device_name(name) == name


def test_two_readers_that_would_bear_one_name_are_noticed_and_the_second_is_refused() -> None:
    site = Site(device("dock", TIMED))
    assert len(ids(site.read(said("readers/FX-1/tags", tag(1))))) == 1
    (refused,) = site.read(said("readers/fx 1/tags", tag(2)))
    assert isinstance(refused, Unreadable)
    assert refused.code == "bad_device"
    assert "'FX-1'" in refused.message
    assert "rename" in refused.message
    assert len(ids(site.read(said("readers/FX-1/tags", tag(3))))) == 1


def test_a_reader_may_not_bear_the_name_of_another_section_or_of_a_device_on_wh_v1() -> None:
    site = Site(device("dock", TIMED), names=("dock", "scale-1"))
    site.presence.heard_event(
        "h1",
        DeviceEvent(kind="scan.read", time=NOON, data={"barcode": "1"}),
        NOON,
        fresh=True,
    )
    for told, reason in (("Scale 1", "[devices.scale-1]"), ("h1", "wh/v1"), ("É", "cannot be")):
        (refused,) = site.read(said(f"readers/{told}/tags", tag(1)))
        assert isinstance(refused, Unreadable)
        assert refused.code == "bad_device"
        assert reason in refused.message
    assert ids(site.read(said("readers/dock/tags", tag(1)))), "its own section's name it may"


def test_a_device_on_wh_v1_wins_a_name_that_a_reader_had_first() -> None:
    site = Site(device("dock", TIMED))
    assert ids(site.read(said("readers/h1/tags", tag(1))))
    site.presence.heard_event(
        "h1", DeviceEvent(kind="scan.read", time=NOON, data={"barcode": "1"}), NOON, fresh=True
    )
    assert not ids(site.read(said("readers/h1/tags", tag(2))))


def test_a_topic_without_a_device_is_one_device_named_as_the_section() -> None:
    site = Site(device("portal", TIMED, "gate/+/tags"))
    first = site.read(said("gate/a/tags", tag(1)))
    second = site.read(said("gate/b/tags", tag(2)))
    assert {item.device for item in first + second} == {"portal"}


def test_what_no_section_takes_or_is_too_large_is_set_aside() -> None:
    site = Site(device("dock", TIMED))
    (item,) = site.read(said("elsewhere/r1", tag(1)))
    assert isinstance(item, Unreadable)
    assert item.code == "unclaimed_topic"
    long = Publish("readers/r1/tags", b"x" * MAX_PAYLOAD_BYTES, 2 * MAX_PAYLOAD_BYTES, 1, 1, False)
    (item,) = site.read(long)
    assert isinstance(item, Unreadable)
    assert (item.code, item.size) == ("too_large", 2 * MAX_PAYLOAD_BYTES)
    assert len(item.payload) == 64 * 1024


@pytest.mark.parametrize(
    ("topics", "mistake"),
    [
        (("readers/{device}/tags", "readers/+/tags"), "take the same messages"),
        (("readers/{device}/tags", "#"), "would take what devices publish"),
        (("wh/v1/{device}/event",), "would take what devices publish"),
        (("+/+/{device}/tags",), "would take what devices publish"),
        (("readers/{device",), "captures a part"),
    ],
)
def test_topics_that_cannot_be_are_refused_with_the_configuration(
    topics: tuple[str, ...], mistake: str
) -> None:
    devices = [device(f"fleet-{n}", TIMED, topic) for n, topic in enumerate(topics)]
    _, mistakes = fleets_of(devices)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"devices.fleet-{len(topics) - 1}: ")
    assert mistake in mistakes[0]


# What readers say of themselves

TELLING = """
title = "Readers that say how they are"
[mqtt]
topic = "readers/{device}/tags"
[mqtt.status]
topic = "readers/{device}/status"
state = ["/data/state", ""]
boot = "/data/boots"
[scanner]
format = "glued-json"
"""
HEARTBEAT = TELLING.replace('state = ["/data/state", ""]\n', "")


def state(site: Site, payload: str | bytes, **changes: Any) -> list[tuple[str, int | None]]:
    items = site.read(said("readers/FX 1/status", payload, **changes))
    assert all(isinstance(item, Reading) for item in items)
    return [
        (item.event.data["status"], item.event.data.get("boot"))
        for item in items
        if isinstance(item, Reading)
    ]


def test_a_reader_that_says_how_it_is_is_online_and_offline() -> None:
    site = Site(device("dock", TELLING))
    assert site.reader.status_filters == {"readers/+/status": "dock"}
    assert state(site, '{"data": {"state": "Connected", "boots": 4}}') == [("online", 4)]
    assert state(site, '{"data": {"state": "Connected", "boots": 4}}') == []
    assert state(site, "offline") == [("offline", None)], "a last will in plain text"
    assert state(site, '{"data": {"state": "Connected", "boots": 5}}') == [("online", 5)]
    (seen,) = site.presence.devices(NOON)
    assert (seen.device, seen.state, seen.boot, seen.fleet) == ("fx-1", "online", 5, "dock")
    assert seen.at_risk, "nobody answers it"


def test_a_status_that_says_nothing_known_is_a_sign_of_life() -> None:
    for payload in ('{"data": {"temperature": 40}}', "[[", b"\xff\xfe", '{"data": {"state": []}}'):
        site = Site(device("dock", TELLING))
        assert state(site, payload) == []
        (seen,) = site.presence.devices(NOON)
        assert seen.state == "seen"
    site = Site(device("dock", TELLING))
    assert state(site, '{"data": {"state": "up"}}', retained=True) == []
    assert state(site, b"", retained=True) == []
    (seen,) = site.presence.devices(NOON)
    assert (seen.state, seen.last_seen) == ("online", None), "so it stood before the agent came"


def test_without_a_pointer_any_status_is_a_heartbeat() -> None:
    site = Site(device("dock", HEARTBEAT))
    assert state(site, '{"type": "heartbeat"}') == [("online", None)]


@given(st.binary(max_size=100))
def test_no_status_stops_the_reader(payload: bytes) -> None:
    for profile in (TELLING, HEARTBEAT):
        site = Site(device("dock", profile))
        for item in site.read(said("readers/r1/status", payload)):
            assert isinstance(item, Reading)


@pytest.mark.parametrize(
    ("topic", "mistake"),
    [
        ("readers/+/status", "must both have {device}, or neither"),
        ("readers/{device}/#", "takes reads, too"),
        ("wh/v1/{device}/status", "would take what devices publish"),
    ],
)
def test_a_status_topic_that_cannot_be_is_refused(topic: str, mistake: str) -> None:
    _, mistakes = fleets_of([device("dock", TELLING.replace("readers/{device}/status", topic))])
    assert len(mistakes) == 1
    assert mistake in mistakes[0]


@given(st.binary(max_size=200), st.sampled_from(["readers/r1/tags", "guns/g1"]), st.booleans())
def test_no_payload_stops_the_reader(payload: bytes, topic: str, retained: bool) -> None:
    site = Site(device("dock", TIMED), device("guns", UNTIMED))
    for item in site.read(said(topic, payload, retained=retained)):
        assert item.device in {"r1", "g1"}
