"""A simulated scale of every protocol says what its display shows, and no fault as a weight."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import serial

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.simulate.console import Console
from edge_agent.devices.simulate.hands import scale_hands
from edge_agent.devices.simulate.lines import PtyLine, TcpLine
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.devices.simulate.scale_commands import Ear
from edge_agent.devices.simulate.tables import scale_overrides

PROTOCOLS = (
    "mt-sics",
    "toledo-8217",
    "toledo-8213",
    "toledo-continuous",
    "nci-scp01",
    "sma",
    "and-standard",
    "sartorius-sbi",
    "ohaus",
    "adam",
)


def profile_of(name: str) -> ScaleProfile:
    found = ProfileLibrary().get(name).scale
    assert found is not None
    return found.model_copy(update={"unit": "kg"} if name.startswith("toledo-82") else {})


class Reader:
    """What a link does, without its threads: ask, cut, decode."""

    def __init__(self, scale: SimulatedScale) -> None:
        codec = scale_codec(scale.profile)
        self._decode, self._request = codec.decode, codec.request()
        self._framer = codec.framer()
        pty = isinstance(scale.wire.line, PtyLine)
        self.port = serial.serial_for_url(
            scale.port if pty else f"socket://{scale.port}", timeout=0.02
        )

    def readings(self, seconds: float = 0.08) -> Iterator[ScaleReading]:
        """What is read in so much time, asking again when nothing came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._request is not None:
                self._framer.clear()
                self.port.write(self._request)
            end = min(deadline, time.monotonic() + 0.1)
            while time.monotonic() < end:
                frames = self._framer.feed(self.port.read(max(1, self.port.in_waiting)))
                yield from map(self._decode, frames)
                if frames and self._request is not None:
                    break

    def until(self, test: Callable[[ScaleReading], object], what: str) -> ScaleReading:
        for reading in self.readings(10):
            if test(reading):
                return reading
        pytest.fail(f"never read: {what}")


@contextmanager
def running(name: str, line: Any = None) -> Iterator[tuple[SimulatedScale, Reader]]:
    with SimulatedScale(profile=profile_of(name), line=line, interval_s=0.02) as scale:
        reader = Reader(scale)
        try:
            yield scale, reader
        finally:
            reader.port.close()


@pytest.mark.parametrize("line", [PtyLine, TcpLine])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_lies_on_it_is_read_and_what_sways_is_not_stable(name: str, line: Any) -> None:
    with running(name, line()) as (scale, reader):
        scale.put("12.34")
        found = reader.until(lambda one: one.value == "12.34", "12.34")
        assert (found.status, found.unit) == ("ok", "kg")
        assert found.stable is not False
        scale.put("7.05", stable=False)
        moving = reader.until(lambda one: one.value != "12.34", "motion")
        assert not (moving.status == "ok" and moving.stable)


@pytest.mark.parametrize("fault", ["motion", "overload", "underload", "busy", "error"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_fault_on_the_display_is_never_a_stable_weight(name: str, fault: Any) -> None:
    with running(name) as (scale, reader):
        scale.put("3.00")
        reader.until(lambda one: one.value == "3.00", "3.00")
        try:
            scale.fault(fault)
        except ValueError:
            assert fault not in {"overload", "underload"}, "every protocol can say that"
            return
        found = reader.until(lambda one: one.value != "3.00", fault)
        assert found.value is None
        assert found.status != "ok"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_bytes_that_come_late_glued_halved_or_between_noise_cost_no_truth(name: str) -> None:
    with running(name) as (scale, reader):
        scale.put("5.55")
        console = Console(scale_hands(scale), lambda said: pytest.fail(said))
        for line in ("slow 1", "slow off", "glue 2", "glue off", "half 2", r"noise \xff\x00\x15"):
            console.do(line)
            assert {one.value for one in reader.readings()} <= {"5.55", None}, line
        scale.put("6.66")
        reader.until(lambda one: one.value == "6.66", "it goes on")


@pytest.mark.parametrize("name", ["mt-sics", "toledo-continuous"])
def test_silence_and_a_hung_scale_are_silent_and_end(name: str) -> None:
    with running(name) as (scale, reader):
        scale.put("1.00")
        reader.until(lambda one: one.value == "1.00", "1.00")
        console = Console(scale_hands(scale), lambda said: pytest.fail(said))
        for fault in ("silent", "stuck"):
            console.do(fault)
            list(reader.readings(0.05))
            assert list(reader.readings(0.15)) == []
            console.do(f"{fault} off")
            reader.until(lambda one: one.value == "1.00", "it answers again")


def test_commands_are_understood_however_they_arrive() -> None:
    ear = Ear(ScaleProfile(protocol="mt-sics"))
    assert ear.hear(b"S") == []
    assert ear.hear(b"I\r\nS\r\nBOGUS\r\nSIR\r\n") == ["weight", "stable", b"ES\r\n", "stream"]
    assert Ear(ScaleProfile(protocol="toledo-8217")).hear(b"W\rEabF") == [
        "weight",
        "nothing",
        b"\x02E\r",
        b"a",
        b"b",
        b"\x02F\r",
    ]
    own = Ear(profile_of("ohaus"))
    assert own.hear(b"IP\r\n") == ["weight"]
    assert Ear(ScaleProfile(protocol="sma")).hear(b"\nW\r\n?\r") == ["weight", b"\n?\r"]


def test_who_wants_a_stable_weight_gets_none_while_it_moves() -> None:
    with running("mt-sics") as (scale, reader):
        scale.put("4.00", stable=False)
        reader.port.write(b"S\r\n")
        line = reader.port.read_until(b"\r\n", 64)
        while not line.endswith(b"\r\n"):
            line += reader.port.read_until(b"\r\n", 64)
        assert line == b"S I\r\n"


def test_a_weight_that_the_protocol_cannot_say_is_refused_and_the_display_stays() -> None:
    told: list[str] = []
    with running("toledo-8217") as (scale, reader):
        scale.put("2.00")
        console = Console(scale_hands(scale), told.append)
        for line in ("put 123456789.5", "put", "put abc", "put nan", "error", "bogus", "glue x"):
            console.do(line)
        assert len(told) == 7
        assert all(said.startswith("Not done: ") for said in told), told
        reader.until(lambda one: one.value == "2.00", "it shows what it showed")


def test_the_table_names_the_unit_where_the_frames_do_not() -> None:
    assert scale_overrides(profile_of("mt-sics"), "kg") == {}
    bare = ScaleProfile(protocol="toledo-8217")
    assert scale_overrides(bare, "kg") == {"scale.unit": "kg"}
