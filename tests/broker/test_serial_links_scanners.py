"""Scanners on lines: every frame is stored, set aside or counted, and only then answered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_agent.devices.holding import Holding
from edge_agent.devices.ports.descriptor import DescriptorLine
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.scanners.link import ScannerLink
from edge_agent.devices.scanners.reads import PayloadResult
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.scanner import SimulatedScanner
from edge_agent.outbox.port import IntakeRefused

MakeLink = Callable[..., ScannerLink]


def configured(address: str, scanner: dict[str, Any] | None = None) -> ConfiguredDevice:
    settings = DeviceSettings(
        name="gate-1",
        profile="serial-scanner",
        port=address,
        override={"scanner": scanner} if scanner else {},
    )
    [device] = configured_devices({"gate-1": settings}, ProfileLibrary())
    return device


@pytest.fixture
def scanner() -> Iterator[SimulatedScanner]:
    with SimulatedScanner() as simulated:
        yield simulated


@pytest.fixture
def make_link(outbox: Any, now: Any, until: Any) -> Iterator[MakeLink]:
    """Start a link to a scanner; all of them are stopped at the end, and quickly."""
    started: list[ScannerLink] = []

    def make(device: ConfiguredDevice, **options: Any) -> ScannerLink:
        link = ScannerLink(device, options.pop("append", outbox.append_blocking), now, **options)
        link.start()
        started.append(link)
        until(lambda: link.state().health in {"up", "refused"}, "open")
        return link

    yield make
    for link in started:
        begin = time.monotonic()
        link.stop()
        assert time.monotonic() - begin < 2


def _read(outbox: Any) -> list[str]:
    scans = (one.event for one in outbox.readings if one.event.kind == "scan.read")
    return [event.data["barcode"] for event in scans]


def _states(outbox: Any) -> list[str]:
    states = (one.event for one in outbox.readings if one.event.kind == "device.state")
    return [event.data["status"] for event in states]


def test_a_read_is_stored_with_what_its_label_says(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    seen: list[PayloadResult] = []
    link = make_link(configured(scanner.port), observe=lambda _, result: seen.append(result))
    scanner.wire.say(b"]C10109506000134352\r")
    until(lambda: _read(outbox) == ["0109506000134352"], "read")
    (reading,) = [one for one in outbox.readings if one.event.kind == "scan.read"]
    assert reading.device == "gate-1"
    assert reading.event.data["symbology"] == "]C1"
    assert reading.event.data["gs1"]["gtin"] == "09506000134352"
    assert reading.clock_offset_ms == 0
    state = link.state()
    assert (state.kind, state.showing, len(seen)) == ("scanner", "0109506000134352", 1)
    assert state.last_seen is not None


def test_the_same_label_twice_in_one_piece_is_two_reads(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    make_link(configured(scanner.port))
    scanner.wire.say(b"4006381333931\r" * 3)
    until(lambda: _read(outbox) == ["4006381333931"] * 3, "three reads")
    assert outbox.repeats == 0


def test_within_its_window_it_is_one(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    time_told = [0.0]
    link = make_link(
        configured(scanner.port, {"duplicate_window_s": 1.0}), monotonic=lambda: time_told[0]
    )
    scanner.wire.say(b"4006381333931\r" * 3)
    until(lambda: link.state().counters.get("repeated_reads") == 2, "two repeats")
    time_told[0] = 2.0
    scanner.wire.say(b"4006381333931\r")
    until(lambda: _read(outbox) == ["4006381333931"] * 2, "and later a read of its own")


def test_no_reads_are_counted_and_what_makes_no_sense_is_set_aside_with_its_bytes(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_link(configured(scanner.port, {"encoding": ["utf-8"]}))
    scanner.wire.say(b"NOREAD\r\xff\xfe\r4006381333931\r")
    until(lambda: _read(outbox) == ["4006381333931"], "the neighbour is left alone")
    assert link.state().counters["noreads"] == 1
    assert link.state().counters["unreadable"] == 1
    (aside,) = outbox.unreadable
    assert (aside.payload, aside.code, aside.origin) == (b"\xff\xfe", "not_utf8", scanner.port)


def test_silence_ends_a_read_where_the_profile_says_so(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    make_link(configured(scanner.port, {"frame": {"end": [], "idle_flush_s": 0.1}}))
    scanner.wire.say(b"40063")
    scanner.wire.say(b"81333931")
    until(lambda: _read(outbox) == ["4006381333931"], "one read")


def test_json_on_a_line_becomes_the_event_that_the_profile_maps(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    profile = {
        "format": "ndjson",
        "frame": {"end": ["\n"], "start": []},
        "read": {"id": ["/id"]},
        "event": {"kind": "transfer.line", "data": {"document": "/doc", "barcode": "/code",
                                                    "quantity": "/count"}},
    }  # fmt: skip
    make_link(configured(scanner.port, profile))
    scanner.wire.say(b'{"id": "7", "doc": "WH/IN/1", "code": "4006381333931", "count": "2"}\n{"id"')
    until(lambda: any(one.event.kind == "transfer.line" for one in outbox.readings), "mapped")
    scanner.wire.say(b': "8"}\n')
    until(lambda: len(outbox.unreadable) == 1, "and what misses its parts is set aside")


def test_the_scanner_is_answered_after_the_read_is_stored_and_not_before(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    heard = bytearray()
    hear = scanner.wire.hear
    scanner.wire.hear = lambda: heard.extend(hear()) or b""
    link = make_link(
        configured(
            scanner.port,
            {"answer_good": "\u0006", "answer_bad": "\u0015", "encoding": ["utf-8"]},
        )
    )
    outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
    scanner.wire.say(b"4006381333931\r")
    until(lambda: link.state().health == "refused", "refused")
    assert not heard
    outbox.refusal = None
    until(lambda: bytes(heard) == b"\x06", "stored, so it is good")
    scanner.wire.say(b"\xff\r")
    until(lambda: bytes(heard) == b"\x06\x15", "set aside, so it is not")


def _through_a_refusal(scanner: Any, make_link: MakeLink, outbox: Any, until: Any) -> list[str]:
    link = make_link(configured(scanner.port))
    outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
    sent = [f"40063813{number:05d}" for number in range(40)]
    for code in sent:
        scanner.wire.say(code.encode() + b"\r")
    until(lambda: link.state().counters.get("refused"), "refused")
    later = time.monotonic() + 0.3
    until(lambda: time.monotonic() > later, "for a while")
    outbox.refusal = None
    quiet = time.monotonic() + 1.5
    until(lambda: len(_read(outbox)) == 40 or time.monotonic() > quiet, "all of them")
    return sent


def test_nothing_is_lost_while_the_outbox_has_no_room(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    sent = _through_a_refusal(scanner, make_link, outbox, until)
    assert _read(outbox) == sent


def test_a_link_that_gives_a_refused_burst_up_is_caught(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(self: Holding, *burst: Any) -> bool:
        try:
            self._append(burst)
        except IntakeRefused:
            self._tally.count("refused")
        return True

    monkeypatch.setattr(Holding, "store", once)
    sent = _through_a_refusal(scanner, make_link, outbox, until)
    assert _read(outbox) != sent


def test_an_unplugged_scanner_is_noticed_within_two_seconds_and_so_is_its_return(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_link(configured(scanner.port))
    scanner.unplug()
    begin = time.monotonic()
    until(lambda: link.state().health == "down", "noticed")
    took = time.monotonic() - begin
    assert took < 2, f"it took {took:.2f} s"
    scanner.replug()
    begin = time.monotonic()
    until(lambda: link.state().health == "up", "and its return")
    took = time.monotonic() - begin
    assert took < 2, f"it took {took:.2f} s"
    scanner.wire.say(b"4006381333931\r")
    until(lambda: _read(outbox) == ["4006381333931"], "it reads on")
    assert _states(outbox) == ["online", "offline", "online"]


def test_half_a_read_before_the_cable_was_pulled_is_not_glued_to_the_next(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_link(configured(scanner.port))
    scanner.wire.say(b"HALF")
    scanner.unplug()
    until(lambda: link.state().health == "down", "gone")
    scanner.replug()
    until(lambda: link.state().health == "up", "back")
    scanner.wire.say(b"WHOLE\r")
    until(lambda: _read(outbox) == ["WHOLE"], "alone")


def test_an_idle_link_does_not_wake_more_than_once_a_second(
    scanner: Any, make_link: MakeLink, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[float] = []
    read = DescriptorLine.read
    monkeypatch.setattr(
        DescriptorLine, "read", lambda self, wait: woken.append(wait) or read(self, wait)
    )
    make_link(configured(scanner.port))
    end = time.monotonic() + 2.2
    until(lambda: time.monotonic() > end, "idle")
    assert len(woken) <= 3, woken


def test_noise_is_counted_and_costs_nothing(
    scanner: Any, make_link: MakeLink, outbox: Any, until: Any
) -> None:
    link = make_link(configured(scanner.port, {"frame": {"start_required": True}}))
    for _ in range(5):
        noise = os.urandom(200).replace(b"\x02", b"").replace(b"\x13", b"")
        scanner.wire.say(noise)
        scanner.wire.say(b"\x024006381333931\x03")
    until(lambda: _read(outbox) == ["4006381333931"] * 5, "the reads are there")
    assert link.state().counters["noise_bytes"] > 500
