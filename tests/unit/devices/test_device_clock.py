import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.presence.clock import FRESH_MS, ClockReading, DeviceClock

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OLDEST = timedelta(days=400)
YEARS = timedelta(days=20_000)


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def covers(reading: ClockReading | None, offset: timedelta) -> bool:
    assert reading is not None
    distance = abs(offset / timedelta(milliseconds=1) - reading.offset_ms)
    return distance <= reading.uncertainty_ms + 1


def test_nothing_is_known_before_a_status() -> None:
    clock = DeviceClock()
    clock.event(NOON, NOON)
    assert clock.reading(NOON, NOON, OLDEST) is None


def test_a_status_measures_and_the_round_trip_sharpens() -> None:
    offset = seconds(90)
    clock = DeviceClock()
    clock.status(NOON + offset, NOON + seconds(0.1))
    first = clock.reading(NOON, NOON, OLDEST)
    clock.status(NOON + seconds(1) + offset, NOON + seconds(1.02), heard=NOON + seconds(0.98))
    second = clock.reading(NOON, NOON + seconds(1.1), OLDEST)
    assert covers(first, offset)
    assert covers(second, offset)
    assert first is not None
    assert second is not None
    assert first.uncertainty_ms >= FRESH_MS / 2
    assert second.uncertainty_ms < 50


def test_a_late_event_changes_nothing() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    before = clock.reading(NOON, NOON + seconds(60), OLDEST)
    clock.event(NOON - seconds(7200), NOON + seconds(60))
    assert clock.reading(NOON, NOON + seconds(60), OLDEST) == before


def test_a_prompt_event_sharpens_what_a_slow_status_said() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON + seconds(1.5))
    clock.event(NOON + seconds(10), NOON + seconds(10.01))
    reading = clock.reading(NOON, NOON + seconds(10.01), OLDEST)
    assert covers(reading, seconds(0))
    assert reading is not None
    assert reading.uncertainty_ms < 400


def test_the_uncertainty_grows_with_time() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    later = NOON + timedelta(days=1)
    reading, aged = clock.reading(NOON, NOON, OLDEST), clock.reading(later, later, OLDEST)
    assert reading is not None
    assert aged is not None
    assert aged.uncertainty_ms - reading.uncertainty_ms > 8_000, "0.1 ms a second"


def test_events_of_1970_are_explained_by_the_clock_before_it_was_set() -> None:
    """A handheld starts without a battery, is measured, scans offline, and is set by NTP."""
    clock = DeviceClock()
    clock.status(NOON - YEARS, NOON)
    made = NOON + seconds(600)
    back = NOON + seconds(1200)
    clock.status(back, back)
    assert clock.steps == 1
    old = clock.reading(made - YEARS, back, OLDEST)
    assert covers(old, -YEARS)
    assert covers(clock.reading(back, back, OLDEST), seconds(0))


def test_a_clock_set_back_is_believed_when_the_round_trip_proves_it() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    at = NOON + seconds(60)
    clock.status(at - seconds(3600), at, heard=at - seconds(0.02))
    assert covers(clock.reading(at - seconds(3600), at, OLDEST), seconds(-3600))


def test_a_status_from_far_behind_may_be_late_or_a_clock_set_back_and_says_so() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    at = NOON + seconds(60)
    clock.status(at - seconds(3600), at)
    reading = clock.reading(at, at, OLDEST)
    assert covers(reading, seconds(-3600))
    assert covers(reading, seconds(0))
    clock.event(at + seconds(1), at + seconds(1.01))
    settled = clock.reading(at, at + seconds(1.01), OLDEST)
    assert covers(settled, seconds(0)), "it had been late"
    assert settled is not None
    assert settled.uncertainty_ms < 3000


def test_an_event_around_the_setting_of_the_clock_gets_both_offsets() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    at = NOON + seconds(600)
    clock.status(at + seconds(30), at)
    reading = clock.reading(at - seconds(10), at, OLDEST)
    assert covers(reading, seconds(0))
    assert covers(reading, seconds(30))


def test_a_far_future_event_is_not_believed() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    clock.event(NOON + YEARS, NOON + seconds(1))
    assert clock.steps == 0


def test_an_event_ahead_of_its_clock_means_that_the_clock_was_set_forward() -> None:
    clock = DeviceClock()
    clock.status(NOON, NOON)
    at = NOON + seconds(100)
    clock.event(at + seconds(300), at)
    assert covers(clock.reading(at + seconds(300), at, OLDEST), seconds(300))


@given(
    offset=st.floats(-1e6, 1e6),
    transits=st.lists(
        st.tuples(st.booleans(), st.floats(0, FRESH_MS / 1000), st.floats(0, 5000)), min_size=1
    ),
)
@settings(max_examples=50, deadline=None)
def test_the_true_offset_is_always_inside(
    offset: float, transits: list[tuple[bool, float, float]]
) -> None:
    """Whatever is delayed, statuses within what is assumed and events by any time."""
    clock = DeviceClock()
    sent = NOON
    clock.status(sent + seconds(offset), sent)
    newest = sent
    for is_status, transit, delay in transits:
        sent = newest + seconds(1)
        if is_status:
            newest = sent + seconds(transit)
            clock.status(sent + seconds(offset), newest)
        else:
            newest = sent
            clock.event(sent - seconds(delay) + seconds(offset), newest)
    assert clock.steps == 0
    assert covers(clock.reading(sent + seconds(offset), newest, OLDEST), seconds(offset))


def test_an_agents_clock_that_was_set_moves_every_offset() -> None:
    clock = DeviceClock()
    clock.status(NOON + seconds(90), NOON)
    clock.agent_stepped(seconds(3600))
    later = NOON + seconds(3600)
    assert covers(clock.reading(later, later, OLDEST), seconds(90 - 3600))
    assert clock.steps == 0


def test_what_was_known_survives_as_json() -> None:
    clock, again = DeviceClock(), DeviceClock()
    clock.status(NOON - YEARS, NOON)
    clock.status(NOON + seconds(60), NOON + seconds(60))
    again.restore(json.loads(json.dumps(clock.dump())))
    for told in (NOON - YEARS, NOON + seconds(60)):
        assert again.reading(told, NOON + seconds(61), OLDEST) == clock.reading(
            told, NOON + seconds(61), OLDEST
        )


def test_a_first_event_from_the_future_shows_a_fast_clock_before_anything_measured_it() -> None:
    clock = DeviceClock()
    clock.event(NOON + seconds(97), NOON + seconds(0.02))
    reading = clock.reading(NOON + seconds(97), NOON + seconds(0.02), OLDEST)
    assert reading is not None
    assert reading.offset_ms == pytest.approx(97_000, abs=300)
    clock.status(NOON + seconds(98), NOON + seconds(1.01), NOON + seconds(0.99))
    known = clock.reading(NOON + seconds(98), NOON + seconds(1.01), OLDEST)
    assert known is not None
    assert known.offset_ms == pytest.approx(97_000, abs=50)
    assert known.uncertainty_ms < 50


def test_a_long_round_trip_does_not_move_the_clock_by_half_of_it() -> None:
    clock = DeviceClock()
    clock.status(NOON + seconds(9), NOON + seconds(9.01), NOON + seconds(0.5))
    reading = clock.reading(NOON + seconds(9), NOON + seconds(9.01), OLDEST)
    assert reading is not None
    assert covers(reading, seconds(0))
    assert abs(reading.offset_ms) < 300
