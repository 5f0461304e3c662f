"""Scales on lines that are pulled out, switched off and noisy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.devices.links import LinkState
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.scales import link as link_module
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.outbox.port import IntakeRefused

QUICK = {"scale": {"poll_interval_s": 0.02, "reply_timeout_s": 0.2}}


def configured(profile: str, **fields: Any) -> ConfiguredDevice:
    settings = DeviceSettings(name=f"{profile}-1", profile=profile, **fields)
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    return device


@pytest.fixture
def scale() -> Iterator[SimulatedScale]:
    with SimulatedScale() as simulated:
        yield simulated


MakeLink = Callable[..., ScaleLink]


@pytest.fixture
def make_scale_link(outbox: Any, now: Any) -> Iterator[MakeLink]:
    """Start a link to a scale; all of them are stopped at the end, and quickly."""
    started: list[ScaleLink] = []

    def make(device: ConfiguredDevice, **options: Any) -> ScaleLink:
        link = ScaleLink(device, options.pop("append", outbox.append_blocking), now, **options)
        link.start()
        started.append(link)
        return link

    yield make
    for link in started:
        assert stopped_after(link) < 2


def stopped_after(link: Any) -> float:
    """Seconds that stopping took."""
    begin = time.monotonic()
    link.stop()
    return time.monotonic() - begin


@pytest.fixture
def scale_link(scale: SimulatedScale, outbox: Any, now: Any) -> Iterator[ScaleLink]:
    device = configured(
        "mt-sics",
        port=scale.port,
        override={"scale": {"poll_interval_s": 0.02, "reply_timeout_s": 0.2}},
    )
    link = ScaleLink(device, outbox.append_blocking, now)
    link.start()
    yield link
    link.stop()


def _weights(outbox: Any) -> list[str]:
    found = (one.event for one in outbox.readings if one.event.kind == "weight.measured")
    return [event.data["weight"] for event in found]


def _states(outbox: Any, kind: str = "device.state") -> list[str]:
    return [one.event.data["status"] for one in outbox.readings if one.event.kind == kind]


def _asked(scale: SimulatedScale, until: Callable[..., None], times: int = 5) -> None:
    """Wait until the link has polled so often again."""
    goal = scale.asked + times
    until(lambda: scale.asked >= goal, "it was polled on")


def test_only_stable_weights_that_changed_are_stored(
    scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    scale.put("7.100", stable=False)
    _asked(scale, until)
    scale.put("12.340")
    until(lambda: _weights(outbox) == ["0.000", "12.340"], "weighed")
    _asked(scale, until)
    assert _weights(outbox) == ["0.000", "12.340"], "the same weight is no news"
    (reading,) = [one for one in outbox.readings if one.event.data.get("weight") == "12.340"]
    assert reading.event.data == {
        "weight": "12.340",
        "uom": "KGM",
        "net": True,
        "said": "S S     12.340 kg",
    }


@pytest.mark.parametrize("reply", ["S +", "S -", "S I", "ES", "ET", "EL", "S S", "S S Error 10b"])
def test_a_fault_is_never_a_weight(
    reply: str, scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    scale.say(reply)
    _asked(scale, until)
    assert _weights(outbox) == ["0.000"]
    if reply != "S I":
        until(lambda: scale_link.state().health == "fault", "the fault is shown")
    scale.put("1.000")
    until(lambda: _weights(outbox) == ["0.000", "1.000"], "and it goes on")


def test_noise_on_the_line_costs_nothing(
    scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    for _ in range(5):
        scale.noise(os.urandom(50).replace(b"\n", b"") + b"\r\nS S    666\r\n")
        _asked(scale, until, 1)
    scale.put("2.000")
    until(lambda: _weights(outbox)[-1:] == ["2.000"], "the next weight is read")
    assert set(_weights(outbox)) == {"0.000", "2.000"}


def test_an_unplugged_scale_is_noticed_within_two_seconds_and_so_is_its_return(
    scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    scale.unplug()
    begin = time.monotonic()
    until(lambda: scale_link.state().health == "down", "noticed")
    assert time.monotonic() - begin < 2
    scale.put("3.000")
    scale.replug()
    begin = time.monotonic()
    until(lambda: _weights(outbox)[-1:] == ["3.000"], "weighed again")
    assert time.monotonic() - begin < 2
    assert _states(outbox) == ["online", "offline", "online"]


def test_a_scale_that_is_switched_off_is_a_fault(
    scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _states(outbox) == ["online"], "on")
    scale.silent = True
    until(lambda: _states(outbox) == ["online", "fault"], "off")
    assert "does not answer" in scale_link.state().detail
    scale.silent = False
    until(lambda: _states(outbox) == ["online", "fault", "online"], "on again")


def test_a_weight_waits_while_intake_is_refused(
    scale: Any, scale_link: Any, outbox: Any, until: Any
) -> None:
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
    scale.put("4.000")
    until(lambda: scale_link.state().health == "refused", "it says so")
    outbox.refusal = None
    until(lambda: _weights(outbox) == ["0.000", "4.000"], "nothing is lost")
    assert scale_link.state().health == "up"


def test_what_moves_is_shown_and_never_stored(
    scale: Any, make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    seen: list[ScaleReading] = []
    link = make_scale_link(
        configured("mt-sics", port=scale.port, override=QUICK), observe=lambda _, r: seen.append(r)
    )
    until(lambda: _weights(outbox) == ["0.000"], "empty")
    scale.put("3.250", stable=False)
    until(lambda: link.state().showing == "3.250 kg net, moving", "it is shown")
    assert any(reading.value == "3.250" and not reading.stable for reading in seen)
    assert _weights(outbox) == ["0.000"]
    assert link.state().last_seen is not None


def test_a_spectator_that_fails_stops_nothing(
    scale: Any, make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    def fails(name: str, reading: ScaleReading) -> None:
        raise RuntimeError("no")

    link = make_scale_link(configured("mt-sics", port=scale.port, override=QUICK), observe=fails)
    scale.put("1.000")
    until(lambda: "1.000" in _weights(outbox), "weighed")
    assert "failures" not in link.state().counters


def test_a_scale_that_streams_is_listened_to_and_woken_after_it_was_off(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    override = {"scale": {"mode": "streamed", "start_command": "SIR", "silence_s": 1.0}}
    with SimulatedScale(interval_s=0.05) as scale:
        link = make_scale_link(configured("mt-sics", port=scale.port, override=override))
        until(lambda: _weights(outbox) == ["0.000"], "told to stream, it does")
        scale.put("2.000", stable=False)
        scale.put("2.500")
        until(lambda: _weights(outbox) == ["0.000", "2.500"], "weighed")
        assert scale.asked == 1
        scale.silent = True
        until(lambda: link.state().health == "fault", "silence is told")
        assert "does not answer" in link.state().detail
        assert link.state().showing == "", "what it showed is no longer known"
        scale.silent = False
        until(lambda: _states(outbox)[-1] == "online", "it is back")
        assert scale.asked > 1, "it was told to stream again"


def test_a_scale_that_speaks_on_change_only_may_be_silent(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    override = {"scale": {"mode": "streamed", "silence_ok": True, "silence_s": 0.1}}
    with SimulatedScale() as scale:
        link = make_scale_link(configured("mt-sics", port=scale.port, override=override))
        until(lambda: link._port._line is not None, "open")
        scale.noise(b"S S      1.500 kg\r\n")
        until(lambda: _weights(outbox) == ["1.500"], "told")
        quiet = time.monotonic() + 2.5  # beyond two looks at the port
        until(lambda: time.monotonic() > quiet, "silence")
        assert _states(outbox) == ["online"]
        scale.noise(b"S S      1.500 kg\r\n")
        scale.noise(b"S S      1.750 kg\r\n")
        until(lambda: _weights(outbox) == ["1.500", "1.750"], "only what changed is told")


def test_bytes_one_at_a_time_and_frames_in_one_piece_are_the_same_weights(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    override = {"scale": {"mode": "streamed", "silence_ok": True}}
    frames = b"".join(b"S S %10d kg\r\n" % weight for weight in range(1, 6))
    with SimulatedScale() as scale:
        link = make_scale_link(configured("mt-sics", port=scale.port, override=override))
        until(lambda: link._port._line is not None, "open")
        scale.noise(frames)
        until(lambda: _weights(outbox) == ["1", "2", "3", "4", "5"], "glued")
        for byte in frames:
            scale.noise(bytes([byte]))
        until(lambda: _weights(outbox) == ["1", "2", "3", "4", "5"] * 2, "one at a time")


def test_noise_alone_is_told_once_and_with_a_remedy(
    scale: Any, make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_scale_link(configured("mt-sics", port=scale.port, override=QUICK))
    until(lambda: _states(outbox) == ["online"], "on")
    for number in range(10):
        scale.say(f"?{number}?")
        _asked(scale, until, 2)
    until(lambda: link.state().health == "fault", "told")
    assert "check the profile and the line settings" in link.state().detail
    assert "'?" in link.state().detail, "the last of it is shown"
    assert _states(outbox) == ["online", "fault"], "ten kinds of it are one fault"
    scale.put("1.000")
    until(lambda: _states(outbox) == ["online", "fault", "online"], "over")


def test_motion_does_not_end_an_overload(
    scale: Any, make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_scale_link(configured("mt-sics", port=scale.port, override=QUICK))
    until(lambda: _states(outbox) == ["online"], "on")
    for _ in range(3):
        scale.say("S +")
        _asked(scale, until, 2)
        scale.say("S I")
        _asked(scale, until, 2)
    assert link.state().health == "fault"
    assert _states(outbox) == ["online", "fault"]
    scale.put("1.000")
    until(lambda: _states(outbox) == ["online", "fault", "online"], "over")


def test_a_weight_without_a_unit_is_a_fault_with_a_remedy(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    device = configured("toledo-8217", port="/dev/null")
    with SimulatedScale(profile=device.profile.scale) as scale:
        scale.put("1.25")
        link = make_scale_link(configured("toledo-8217", port=scale.port, override=QUICK))
        until(lambda: link.state().health == "fault", "told")
        assert "override.scale.unit" in link.state().detail
    assert _weights(outbox) == []


def test_a_scale_that_holds_the_line_is_stuck_and_the_link_stops_all_the_same(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    override = {**QUICK, "serial": {"flow": "xonxoff"}}
    with SimulatedScale() as scale:
        link = make_scale_link(configured("mt-sics", port=scale.port, override=override))
        until(lambda: _states(outbox) == ["online"], "on")
        scale.noise(b"\x13")  # XOFF: it takes nothing from now on
        until(lambda: link.state().health == "fault", "told")
        assert "takes no data" in link.state().detail
        held = time.monotonic() + 1.5
        until(lambda: time.monotonic() > held, "it goes on asking")
        assert _states(outbox) == ["online", "fault"]
        took = stopped_after(link)
        assert took < 2, f"it took {took:.2f} s"


def _after_a_hold(make_scale_link: MakeLink, outbox: Any, until: Any) -> LinkState:
    """2.000 is weighed while the outbox has no room, 3.000 goes by, and 4.000 lies there then."""
    override = {"scale": {"mode": "streamed"}}
    with SimulatedScale() as scale:
        link = make_scale_link(configured("mt-sics", port=scale.port, override=override))
        until(lambda: link._port._line is not None, "open")
        scale.noise(b"S S      1.000 kg\r\n")
        until(lambda: _weights(outbox) == ["1.000"], "weighed")
        outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
        scale.noise(b"S S      2.000 kg\r\n")
        until(lambda: link.state().health == "refused", "it says so")
        scale.noise(b"S S      3.000 kg\r\n" * 20)
        refused = link.state().counters["refused"]
        until(lambda: link.state().counters["refused"] > refused, "offered again")
        outbox.refusal = None
        until(lambda: _weights(outbox)[1:2] == ["2.000"], "what was weighed is kept")
        quiet = time.monotonic() + 0.3
        until(lambda: time.monotonic() > quiet, "the rest is read or thrown away")
        scale.noise(b"S S      4.000 kg\r\n")
        until(lambda: _weights(outbox)[-1:] == ["4.000"], "and it goes on with what lies there")
        return link.state()


def test_what_a_scale_said_while_the_outbox_had_no_room_is_not_told_as_of_now(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    state = _after_a_hold(make_scale_link, outbox, until)
    assert _weights(outbox) == ["1.000", "2.000", "4.000"]
    assert state.counters["stale_bytes"] == 20 * len("S S      3.000 kg\r\n")


def test_a_link_that_tells_what_is_old_is_caught(
    make_scale_link: MakeLink, outbox: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_STALE_S", 3600)
    _after_a_hold(make_scale_link, outbox, until)
    assert _weights(outbox) == ["1.000", "2.000", "3.000", "4.000"]


def test_a_link_without_its_port_says_what_is_wrong_and_takes_it_when_it_comes(
    make_scale_link: MakeLink, outbox: Any, until: Any
) -> None:
    with SimulatedScale() as scale:
        scale.unplug()
        link = make_scale_link(configured("mt-sics", port=scale.port, override=QUICK))
        until(lambda: link.state().health == "down", "away")
        assert "There is no port" in link.state().detail
        scale.put("5.000")
        scale.replug()
        begin = time.monotonic()
        until(lambda: _weights(outbox) == ["5.000"], "there")
        took = time.monotonic() - begin
        assert took < 2, f"it took {took:.2f} s"
        assert _states(outbox) == ["offline", "online"]


def test_the_wait_before_a_port_is_opened_again_is_random_and_bounded(
    make_scale_link: MakeLink, until: Any
) -> None:
    chances = iter([0.0] * 50)
    asked: list[float] = []

    def chance() -> float:
        asked.append(time.monotonic())
        return next(chances, 1.0)

    link = make_scale_link(configured("mt-sics", port="/dev/no-such-port"), chance=chance)
    until(lambda: len(asked) >= 52, "fifty at once, when chance says so")
    assert asked[49] - asked[0] < 2
    until(lambda: len(asked) >= 53, "and never later than the bound")
    assert asked[52] - asked[51] < 1.5
    assert link.state().health == "down"
