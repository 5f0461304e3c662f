"""Scales and scanners behind serial device servers: line settings arrive, dead servers are left."""

from __future__ import annotations

import inspect
import queue
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from serial import rfc2217

from edge_agent.devices.ports import network
from edge_agent.devices.ports.network import keep_alive
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.scanners.link import ScannerLink
from edge_agent.devices.settings import DeviceSettings
from edge_agent.devices.simulate.lines import TcpLine
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.devices.simulate.scanner import SimulatedScanner
from edge_agent.devices.simulate.serial_server import ForgetfulServer, Rfc2217Server
from edge_agent.outbox.port import IntakeRefused

#: pyserial's reader of a remote port is made in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")

SCALE = {"unit": "kg", "poll_interval_s": 0.02, "reply_timeout_s": 0.2}
Start = Callable[..., ScaleLink | ScannerLink]


def configured(profile: str, override: dict[str, Any] | None = None, **line: str) -> Any:
    settings = DeviceSettings(name="d1", profile=profile, override=override or {}, **line)
    [device] = configured_devices({"d1": settings}, ProfileLibrary())
    return device


@pytest.fixture
def start(outbox: Any, now: Any) -> Iterator[Start]:
    """Start the link of a device; all of them are stopped at the end, and quickly."""
    started: list[Any] = []

    def begin(device: ConfiguredDevice) -> Any:
        kind = ScaleLink if device.device_class == "scale" else ScannerLink
        started.append(kind(device, outbox.append_blocking, now))
        started[-1].start()
        return started[-1]

    yield begin
    for link in started:
        before = time.monotonic()
        link.stop()
        took = time.monotonic() - before
        assert took < 2, f"stopping took {took:.2f} s"


def _weights(outbox: Any) -> list[str]:
    found = (one.event for one in outbox.readings if one.event.kind == "weight.measured")
    return [event.data["weight"] for event in found]


def _read(outbox: Any) -> list[str]:
    scans = (one.event for one in outbox.readings if one.event.kind == "scan.read")
    return [event.data["barcode"] for event in scans]


def _line(server: Rfc2217Server) -> tuple[int, int, str, float]:
    told = server.settings
    return told.baudrate, told.bytesize, told.parity, told.stopbits


@pytest.mark.parametrize(
    ("profile", "serial", "expected"),
    [
        ("toledo-8217", {}, (9600, 7, "E", 1)),
        ("toledo-8217", {"baudrate": 2400}, (2400, 7, "E", 1)),
        ("and-standard", {}, (2400, 7, "E", 1)),
        ("mt-sics", {"parity": "O", "stopbits": 2, "bytesize": 7}, (9600, 7, "O", 2)),
    ],
)
def test_the_line_settings_of_the_profile_arrive_at_the_device_server(
    profile: str, serial: Any, expected: Any, start: Start, outbox: Any, until: Any
) -> None:
    server = Rfc2217Server()
    override = {"serial": {**serial, "rts": False}, "scale": SCALE}
    device = configured(profile, override, port="rfc2217://127.0.0.1:1")
    with SimulatedScale(profile=device.profile.scale, line=server) as scale:
        scale.put("1.250")
        start(configured(profile, override, port=server.url))
        until(lambda: _weights(outbox) == ["1.250"], "weighed")
        assert _line(server) == expected
        assert (server.settings.dtr, server.settings.rts) == (True, False)


def test_a_server_that_was_never_told_is_caught(start: Start, outbox: Any, until: Any) -> None:
    """The broken variant: a raw socket carries no line settings, though weights arrive."""
    server = Rfc2217Server()
    device = configured("toledo-8217", {"scale": SCALE}, port=f"socket://{server.where}")
    with SimulatedScale(profile=device.profile.scale, line=server) as scale:
        scale.put("1.250")
        start(configured("toledo-8217", {"scale": SCALE}, port=f"socket://{server.where}"))
        until(lambda: server.settings.purged == 0 and _line(server), "connected")
        assert _line(server) == (9600, 8, "N", 1)


def test_a_remote_port_that_goes_away_is_noticed_and_so_is_its_return(
    start: Start, outbox: Any, until: Any
) -> None:
    server = Rfc2217Server()
    with SimulatedScale(line=server) as scale:
        link = start(configured("mt-sics", {"scale": SCALE}, port=server.url))
        until(lambda: _weights(outbox) == ["0.000"], "weighed")
        scale.unplug()
        begin = time.monotonic()
        until(lambda: link.state().health == "down", "noticed")
        took = time.monotonic() - begin
        assert took < 2, f"it took {took:.2f} s"
        scale.put("2.000")
        scale.replug()
        begin = time.monotonic()
        until(lambda: _weights(outbox)[-1] == "2.000", "weighed again")
        took = time.monotonic() - begin
        assert took < 2, f"it took {took:.2f} s"


def test_every_byte_gets_through_a_remote_port(start: Start, outbox: Any, until: Any) -> None:
    server = Rfc2217Server()
    with SimulatedScanner(line=server) as scanner:
        scanner_profile = {"encoding": ["latin-1"], "group_separators": [], "prefix": []}
        override = {"scanner": scanner_profile}
        link = start(configured("serial-scanner", override, port=server.url))
        until(lambda: link.state().health == "up", "open")
        scanner.wire.say("ÿÿaÿ\r".encode("latin-1"))  # IAC, which telnet doubles
        until(lambda: _read(outbox) == ["ÿÿaÿ"], "all of it")


def _held(start: Start, outbox: Any, until: Any) -> int:
    """Bytes in memory of a remote port that sends on while the outbox has no room."""
    server = Rfc2217Server()
    with SimulatedScanner(line=server) as scanner:
        link: Any = start(configured("serial-scanner", port=server.url))
        until(lambda: link.state().health == "up", "open")
        outbox.refusal = IntakeRefused("The outbox is full.", "Restore the uplink.")
        scanner.wire.say(b"4006381333931\r")
        until(lambda: link.state().health == "refused", "refused")
        scanner.wire.say(b"4006381333931\r" * 10_000)
        held = link._port._line._port._read_buffer
        until(lambda: held.qsize() >= network.HELD_BYTES, "it fills")
        later = time.monotonic() + 0.3
        until(lambda: time.monotonic() > later, "and fills")
        size = int(held.qsize())
        link.stop()
        outbox.refusal = None
        return size


def test_a_remote_port_is_held_back_while_the_outbox_has_no_room(
    start: Start, outbox: Any, until: Any
) -> None:
    assert _held(start, outbox, until) == network.HELD_BYTES


def test_a_remote_port_that_reads_on_is_caught(
    start: Start, outbox: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network._Rfc2217, "_hold_at_most", lambda *_: None)
    assert _held(start, outbox, until) > network.HELD_BYTES


def test_a_server_without_rfc_2217_is_named(start: Start, until: Any) -> None:
    with SimulatedScale(line=TcpLine()) as scale:
        link = start(configured("mt-sics", {"scale": SCALE}, port=f"rfc2217://{scale.port}"))
        until(lambda: link.state().health == "down", "refused")
        assert "does not speak RFC 2217" in link.state().detail


def test_a_scale_with_an_address_of_its_own(start: Start, outbox: Any, until: Any) -> None:
    with SimulatedScale(line=TcpLine()) as scale:
        link = start(configured("mt-sics", {"scale": SCALE}, host=scale.port))
        until(lambda: _weights(outbox) == ["0.000"], "weighed")
        scale.unplug()
        begin = time.monotonic()
        until(lambda: link.state().health == "down", "noticed")
        took = time.monotonic() - begin
        assert took < 2, f"it took {took:.2f} s"
        scale.replug()
        until(lambda: link.state().health == "up", "back")


def test_a_connection_that_is_half_open_is_left_for_a_new_one(
    start: Start, outbox: Any, until: Any
) -> None:
    server = ForgetfulServer()
    with SimulatedScale(line=server) as scale:
        link = start(configured("mt-sics", {"scale": SCALE}, host=scale.port))
        until(lambda: _weights(outbox) == ["0.000"], "weighed")
        scale.put("3.000")
        server.lose_power()
        begin = time.monotonic()
        until(lambda: _weights(outbox)[-1] == "3.000", "weighed over a new connection")
        took = time.monotonic() - begin
        assert took < 4, f"it took {took:.2f} s"
        assert link.state().counters["silent_polls"] >= 3


def test_a_link_that_waits_for_the_dead_is_caught(
    start: Start, outbox: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken variant asks on over the old connection."""
    monkeypatch.setattr(
        ScaleLink, "_silent", lambda self: self._watching.silent("The scale does not answer.")
    )
    server = ForgetfulServer()
    with SimulatedScale(line=server) as scale:
        link = start(configured("mt-sics", {"scale": SCALE}, host=scale.port))
        until(lambda: _weights(outbox) == ["0.000"], "weighed")
        scale.put("3.000")
        server.lose_power()
        end = time.monotonic() + 4
        until(lambda: time.monotonic() > end, "it waits")
        assert _weights(outbox) == ["0.000"]
        assert link.state().health == "fault"


def test_the_kernel_is_told_to_notice_a_peer_that_is_gone(
    start: Start, outbox: Any, until: Any
) -> None:
    with SimulatedScanner(line=TcpLine()) as scanner:
        override = {"tcp": {"keepalive_s": 9}}
        link: Any = start(configured("serial-scanner", override, host=scanner.port))
        until(lambda: link.state().health == "up", "open")
        sock = link._port._line._socket

        def option(level: int, name: int) -> int:
            return int(sock.getsockopt(level, name))

        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 9
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 3
        assert option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
        assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 18_000


def test_a_remote_port_is_watched_by_the_kernel_too() -> None:
    assert "keep_alive(" in inspect.getsource(type(_remote()).watch)
    with socket.socket() as sock:
        keep_alive(sock, 15)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_pyserials_private_names_are_where_they_were() -> None:
    """What the remote port relies on, because pyserial offers no other way."""
    source = inspect.getsource(rfc2217.Serial)
    assert "self._socket = socket.create_connection(" in source
    assert "self._thread = threading.Thread(" in source
    assert "self._read_buffer.put(None)" in source
    assert "self._read_buffer.put(byte)" in source
    assert hasattr(_remote(), "_socket")
    bound = inspect.getsource(queue.Queue.put)
    assert "while self._qsize() >= self.maxsize" in bound, "the bound may change while it is full"


def _remote() -> Any:
    return network._Rfc2217()
