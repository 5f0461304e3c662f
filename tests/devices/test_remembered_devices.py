"""What the agent knows of its devices after it was killed: gaps, names, and when they were seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.presence.followed import DevicePresence
from edge_agent.devices.presence.numbers import MAX_GAPS, Numbers
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.presence.remembered import RememberedDevices
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import DeviceStatus

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TOPICS = {"readers/+/tags": "dock"}


def hear(presence: Presence, *numbers: int, device: str = "h1") -> None:
    for seq in numbers:
        event = DeviceEvent(kind="scan.read", time=NOON, seq=seq, data={"barcode": "1"})
        presence.heard_event(device, event, NOON, fresh=True)


def reborn(path: Path, topics: dict[str, str] | None = None) -> Presence:
    """What the next life of the agent knows."""
    presence = Presence()
    RememberedDevices(path, presence, TOPICS if topics is None else topics)
    return presence


def of(presence: Presence, name: str = "h1") -> DevicePresence:
    (device,) = (one for one in presence.devices(NOON) if one.device == name)
    return device


class WritesNow(RememberedDevices):
    """Broken on purpose: numbers are only written with everything else, now and then."""

    def numbered(self) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "gaps"),
    [(RememberedDevices, ((3, 4), (8, 9))), (WritesNow, ((3, 9),))],
)
def test_gaps_outlive_an_agent_that_is_killed(
    tmp_path: Path, kind: type[RememberedDevices], gaps: tuple[tuple[int, int], ...]
) -> None:
    path = tmp_path / "outbox.devices"
    presence = Presence()
    memory = kind(path, presence, TOPICS, monotonic=lambda: 1.0)
    hear(presence, 1, 2)
    memory.numbered()
    memory.save()
    hear(presence, 5, 6, 7)
    memory.numbered()
    memory.save()
    after = reborn(path)
    hear(after, 10)
    assert of(after).gaps == gaps, "a number that was stored is not missing"


def test_half_a_line_and_lines_from_before_the_whole_are_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "outbox.devices"
    presence = Presence()
    memory = RememberedDevices(path, presence, TOPICS)
    hear(presence, 1, 2)
    memory.numbered()
    lines = path.with_name("outbox.devices.numbers")
    early = lines.read_bytes()
    hear(presence, 3)
    memory.numbered()
    memory.save()
    assert lines.read_bytes() == b"", "all of it is in the whole"
    lines.write_bytes(early + b'{"h1":\n[77, {"h1": {"numb')
    assert of(reborn(path)).missing == 0
    after = reborn(path)
    hear(after, 4)
    assert of(after).gaps == (), "an older line would make it go back"


def test_who_has_a_name_and_when_it_was_seen_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "outbox.devices"
    presence = Presence()
    memory = RememberedDevices(path, presence, TOPICS)
    assert presence.claim("fx-1", "dock", "FX-1") is None
    presence.heard_life("fx-1", NOON)
    presence.heard_status("h1", DeviceStatus(state="online", boot=7), NOON, fresh=True)
    memory.save()
    after = reborn(path)
    assert "'FX-1'" in (after.claim("fx-1", "dock", "fx 1") or "")
    assert after.claim("fx-1", "dock", "FX-1") is None
    assert (of(after, "fx-1").state, of(after, "fx-1").last_seen) == ("unknown", NOON)
    assert (of(after).boot, of(after).fleet) == (7, None)
    assert reborn(path, {"a/+": "yard"}).claim("fx-1", "yard", "fx 1") is None, "the name is free"


def test_topics_of_earlier_configurations_are_remembered_to_be_left(tmp_path: Path) -> None:
    path = tmp_path / "outbox.devices"
    RememberedDevices(path, Presence(), {"old/+": "dock", "kept/#": "yard"}).save()
    second = RememberedDevices(path, Presence(), {"new/+": "dock", "kept/#": "yard"})
    assert second.former == ("old/+",)
    second.save()
    third = RememberedDevices(path, Presence(), {"old/+": "dock"})
    assert set(third.former) == {"new/+", "kept/#"}


def test_everything_is_not_written_more_often_than_needed(tmp_path: Path) -> None:
    path = tmp_path / "outbox.devices"
    presence = Presence()
    now = 100.0
    memory = RememberedDevices(path, presence, TOPICS, monotonic=lambda: now)
    written = []
    for _ in range(100):
        now += 0.1
        presence.heard_status("h1", DeviceStatus(state="online", time=NOON), NOON, fresh=True)
        memory.save()
        written.append(path.stat().st_ino)
    assert len(set(written)) <= 11


def test_nowhere_to_write_is_no_harm(tmp_path: Path) -> None:
    presence = Presence()
    memory = RememberedDevices(tmp_path / "missing" / "outbox.devices", presence, TOPICS)
    hear(presence, 1)
    memory.numbered()
    memory.save()


# Numbers


def test_a_counter_that_begins_anew_after_a_restart_opens_no_gap() -> None:
    numbers = Numbers()
    for seq in (1, 2, 3, 5):
        numbers.note(seq)
    numbers.rebooted = True
    for seq in (5, 4, 1, 2, 4):
        numbers.note(seq)
    assert numbers.gaps == [(3, 3)], "what came before the restart had closed its own gap"
    for seq in (5000, 0, 1):
        numbers.note(seq)
    assert numbers.newest == 1
    assert numbers.gaps[-1] == (5, 4999)


def test_a_presence_that_sees_a_boot_lets_the_counter_begin_anew() -> None:
    presence = Presence()
    presence.heard_status("h1", DeviceStatus(state="online", boot=1), NOON, fresh=True)
    hear(presence, 1, 2, 3)
    presence.heard_status("h1", DeviceStatus(state="online", boot=2), NOON, fresh=True)
    hear(presence, 1, 3)
    assert of(presence).gaps == ((2, 2),)


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
)
def test_what_is_missing_is_what_never_came_since_the_first(sent: list[int]) -> None:
    numbers = Numbers()
    for seq in sent:
        numbers.note(seq)
    expected = set(range(sent[0], max(sent) + 1)) - set(sent)
    missing = {one for first, last in numbers.gaps for one in range(first, last + 1)}
    assert missing == expected
    assert numbers.missing == len(expected)
    copy = Numbers()
    copy.restore(numbers.dump() or {})
    assert copy.gaps == numbers.gaps


def test_the_oldest_of_too_many_gaps_is_given_up() -> None:
    numbers = Numbers()
    for seq in range(0, 4 * MAX_GAPS, 2):
        numbers.note(seq)
    assert len(numbers.gaps) == MAX_GAPS
    assert numbers.gaps[-1] == (4 * MAX_GAPS - 3,) * 2
