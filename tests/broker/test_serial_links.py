"""Scales on lines that are pulled out, switched off and noisy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.outbox.port import IntakeRefused


def configured(profile: str, **fields: Any) -> ConfiguredDevice:
    settings = DeviceSettings(name=f"{profile}-1", profile=profile, **fields)
    [device] = configured_devices({settings.name: settings}, ProfileLibrary())
    return device


@pytest.fixture
def scale() -> Iterator[SimulatedScale]:
    with SimulatedScale() as simulated:
        yield simulated


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
