from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_agent.devices.presence.followed import DevicePresence
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.presence.remembered import RememberedDevices
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import DeviceStatus

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def event(seq: int | None, time: datetime = NOON) -> DeviceEvent:
    return DeviceEvent(kind="scan.read", time=time, seq=seq, data={"barcode": "1"})


def status(state: str = "online", **fields: Any) -> DeviceStatus:
    return DeviceStatus.model_validate({"state": state, **fields})


def only(presence: Presence) -> DevicePresence:
    (device,) = presence.devices(NOON)
    return device


def test_coming_going_and_rebooting_are_changes_and_repeating_is_none() -> None:
    presence = Presence()
    said = [status(boot=1), status(boot=1), status("offline", boot=1), status(boot=2)]
    readings = [presence.heard_status("h1", one, NOON, fresh=True) for one in said]
    told = [one and (one.event.data["status"], one.event.data["boot"]) for one in readings]
    assert told == [("online", 1), None, ("offline", 1), ("online", 2)]


def test_what_the_broker_kept_is_no_change_and_tells_nothing_of_the_clock() -> None:
    presence = Presence()
    kept = status(time=NOON - timedelta(days=1))
    assert presence.heard_status("h1", kept, NOON, fresh=False, retained=True) is None
    device = only(presence)
    assert (device.state, device.clock, device.last_seen) == ("online", None, None)


def test_numbers_that_never_came_are_named_and_late_ones_close_the_gap() -> None:
    presence = Presence()
    for seq in (10, 11, 15, 16, 20):
        presence.heard_event("h1", event(seq), NOON, fresh=True)
    assert (only(presence).gaps, only(presence).missing) == (((12, 14), (17, 19)), 6)
    for seq in (13, 12, 14, 17, 19, 11):
        presence.heard_event("h1", event(seq), NOON, fresh=False)
    assert (only(presence).gaps, only(presence).missing) == (((18, 18),), 1)


def test_on_a_floor_that_is_never_silent_a_time_of_just_now_shows_life() -> None:
    presence = Presence()
    presence.heard_event("h1", event(1, NOON - timedelta(seconds=5)), NOON, fresh=False)
    presence.heard_event("h2", event(1, NOON - timedelta(hours=5)), NOON, fresh=False)
    presence.heard_event("h3", event(1), NOON, fresh=False, timed=False)
    presence.heard_status("h4", status(time=NOON), NOON, fresh=False)
    seen = {one.device: (one.state, one.last_seen) for one in presence.devices(NOON)}
    assert seen == {
        "h1": ("seen", NOON),
        "h2": ("unknown", None),
        "h3": ("unknown", None),
        "h4": ("online", NOON),
    }


def test_devices_that_do_not_wait_are_at_risk() -> None:
    presence = Presence()
    presence.heard_status("h1", status(waits_for_feedback=False), NOON, fresh=True)
    presence.heard_status("h2", status(), NOON, fresh=True)
    assert (presence.at_risk(), presence.online()) == (("h1",), 2)


def test_an_event_that_waited_does_not_move_the_clock() -> None:
    presence = Presence()
    presence.heard_status("h1", status(time=NOON), NOON, fresh=True)
    before = presence.clock_of("h1", NOON, NOON)
    ahead = NOON + timedelta(seconds=1)
    presence.heard_event("h1", event(1, ahead), NOON, fresh=False)
    assert presence.clock_of("h1", NOON, NOON) == before
    presence.heard_event("h1", event(2, ahead), NOON, fresh=True)
    assert presence.clock_of("h1", NOON, NOON) != before


def test_a_state_told_twice_at_one_instant_is_one_event() -> None:
    first = Presence().heard_status("h1", status(), NOON, fresh=True)
    again = Presence().heard_status("h1", status(), NOON, fresh=True)
    assert first is not None
    assert again is not None
    assert first.event.id == again.event.id


def test_a_status_that_repeats_a_recent_time_measures_wherever_it_waited() -> None:
    presence = Presence()
    heard = NOON - timedelta(seconds=1)
    presence.heard_status("h1", status(time=NOON, heard=heard), NOON, fresh=False)
    assert presence.clock_of("h1", NOON, NOON) is not None
    stale = NOON - timedelta(hours=1)
    presence.heard_status("h2", status(time=stale, heard=stale), NOON, fresh=False, retained=True)
    assert presence.clock_of("h2", NOON, NOON) is None


def test_clocks_are_remembered_and_a_broken_memory_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "outbox.devices"
    before = Presence()
    memory = RememberedDevices(path, before)
    before.heard_status("h1", status(time=NOON + timedelta(hours=1)), NOON, fresh=True)
    memory.save()
    after = Presence()
    RememberedDevices(path, after)
    assert after.clock_of("h1", NOON, NOON) == before.clock_of("h1", NOON, NOON)
    for broken in (
        *("", "[]", "{}", "\0", '{"mark": 0, "topics": [], "devices": {"h1": 7}}'),
        '{"mark": 0, "topics": [], "devices": {"h1": {"clock": [{"low": "x"}]}}}',
        '{"mark": 0, "topics": [], "devices": {"h1": {"numbers": {"newest": 1, "gaps": [7]}}}}',
    ):
        path.write_text(broken)
        RememberedDevices(path, Presence()).save()
