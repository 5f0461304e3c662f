"""A port of this host: opened for us alone, watched, lost, found again, and never in the way."""

from __future__ import annotations

import array
import contextlib
import fcntl
import grp
import os
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.devices.ports import local, port
from edge_agent.devices.ports.local import check_parity, lost_on
from edge_agent.devices.ports.port import SerialPort
from edge_agent.devices.ports.troubles import (
    PortClosed,
    PortGone,
    PortStuck,
    PortTrouble,
    local_trouble,
)
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.settings import DeviceSettings

#: What the issue promises, in seconds.
NOTICED_S = 2.0


def device(address: str, profile: str = "mt-sics", **override: Any) -> ConfiguredDevice:
    settings = DeviceSettings(name="d1", profile=profile, port=address, override=override)
    [found] = configured_devices({"d1": settings}, ProfileLibrary())
    return found


class Pty:
    """An adapter in a socket that stays the same: a pseudo-terminal behind a link."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = self.slave = -1
        self.plug()

    def plug(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self.slave))

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in (self.master, self.slave):
            if end >= 0:
                os.close(end)
        self.master = self.slave = -1


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[Pty]:
    adapter = Pty(tmp_path / "usb-Adapter_1234-if00-port0")
    yield adapter
    adapter.unplug()


@pytest.fixture
def opened(pty: Pty) -> Iterator[SerialPort]:
    here = SerialPort(device(str(pty.path)))
    here.open()
    yield here
    here.close()


def gone_after(here: SerialPort) -> float:
    """Seconds until a port that says nothing is known to be gone; 2 × the promise at most."""
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < 2 * NOTICED_S:
            here.read(0.5)
    except PortGone:
        pass
    return time.monotonic() - begin


def ends_after(
    work: Callable[[], object], here: SerialPort, under_way: Callable[[], object]
) -> float:
    """Seconds until ``work`` returns after the link was stopped while it was under way."""
    ended = threading.Event()

    def run() -> None:
        with contextlib.suppress(PortTrouble):
            work()
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    under_way()
    assert not ended.is_set(), "it was not under way"
    begin = time.monotonic()
    here.interrupt()
    assert ended.wait(10), "it never ended"
    return time.monotonic() - begin


def test_bytes_go_both_ways(pty: Pty, opened: SerialPort) -> None:
    os.write(pty.master, b"abc")
    assert opened.read(1) == b"abc"
    assert opened.read(0) == b""
    opened.write(b"SI\r\n")
    assert os.read(pty.master, 100) == b"SI\r\n"
    os.write(pty.master, b"x" * 9000)
    assert opened.discard() > 0
    assert opened.read(0.01) == b""


def test_an_unplugged_adapter_is_noticed_at_once(pty: Pty, opened: SerialPort) -> None:
    pty.unplug()
    took = gone_after(opened)
    assert took < NOTICED_S, f"it took {took:.2f} s"


def test_an_adapter_that_is_gone_and_stays_silent_is_noticed(pty: Pty, opened: SerialPort) -> None:
    pty.path.unlink()  # the descriptor stays good: reads run into their timeout, as when idle
    took = gone_after(opened)
    assert took < NOTICED_S, f"it took {took:.2f} s"


def test_another_adapter_in_the_same_socket_is_noticed(pty: Pty, opened: SerialPort) -> None:
    before = pty.master, pty.slave
    pty.plug()
    took = gone_after(opened)
    assert took < NOTICED_S, f"it took {took:.2f} s"
    opened.close()
    opened.open()
    os.write(pty.master, b"new")
    assert opened.read(1) == b"new"
    for end in before:
        os.close(end)


def test_a_port_that_does_not_look_is_caught(
    pty: Pty, opened: SerialPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken variant: reads only."""
    monkeypatch.setattr(SerialPort, "_look", lambda *_: None)
    pty.path.unlink()
    assert gone_after(opened) > NOTICED_S


def test_reading_ends_when_the_link_stops(opened: SerialPort) -> None:
    took = ends_after(lambda: opened.read(60), opened, lambda: None)
    assert took < 0.5, f"it took {took:.2f} s"


def test_writing_to_a_stuck_device_ends_when_the_link_stops(
    pty: Pty, opened: SerialPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "WRITE_TIMEOUT_S", 60)

    def full() -> None:
        deadline = time.monotonic() + 5
        while not _unread(pty.master):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    took = ends_after(lambda: opened.write(b"x" * 1_000_000), opened, full)
    assert took < 0.5, f"it took {took:.2f} s"


def test_a_stuck_device_is_told_from_one_that_is_gone(pty: Pty, opened: SerialPort) -> None:
    with pytest.raises(PortStuck, match="takes no data"):
        opened.write(b"x" * 1_000_000)
    pty.unplug()
    with pytest.raises(PortGone, match="was unplugged"):
        opened.write(b"x")


def test_opening_ends_when_the_link_stops(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    hung, late = threading.Event(), threading.Event()
    closed = threading.Event()

    class Slow(local.LocalLine):
        def __init__(self, *arguments: Any) -> None:
            hung.set()
            late.wait(10)  # a driver or a name server that takes its time
            super().__init__(*arguments)

        def close(self) -> None:
            super().close()
            closed.set()

    monkeypatch.setattr(port, "LocalLine", Slow)
    here = SerialPort(device(str(pty.path)))
    took = ends_after(here.open, here, lambda: hung.wait(5))
    assert took < 0.5, f"it took {took:.2f} s"
    late.set()
    assert closed.wait(5), "what was opened for nobody is closed"


def test_a_port_that_was_stopped_stays_so(opened: SerialPort) -> None:
    opened.interrupt()
    with pytest.raises(PortClosed):
        opened.read(1)
    opened.close()
    with pytest.raises(PortClosed):
        opened.open()


def test_a_port_serves_one_program(pty: Pty) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, serial; p = serial.Serial(sys.argv[1], exclusive=True);"
            "print('held', flush=True); sys.stdin.read()",
            str(pty.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    here = SerialPort(device(str(pty.path)))
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(PortTrouble, match=r"Another program uses .*fuser"):
            here.open()
    finally:
        holder.communicate("", timeout=10)
    here.open()
    other = SerialPort(device(str(pty.path)))
    with pytest.raises(PortTrouble, match="Another program"):
        other.open()
    here.close()
    other.open()
    other.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/dev/serial/by-id/usb-Nobody", "There is no port .* edge-agent devices discover"),
        ("/dev/null", "/dev/null is not a serial port"),
        ("/", "/ is not a serial port"),
        ("socket://127.0.0.1", "names no port: use a path"),
        ("socket://127.0.0.1:99999", "names no port"),
        ("rfc2217://:4000", "names no port"),
        ("gopher://127.0.0.1:70", "names no port"),
        ("socket://no-such-host.invalid:4000", "host no-such-host.invalid is not known"),
    ],
)
def test_what_is_wrong_with_a_port_is_a_sentence(address: str, says: str) -> None:
    with pytest.raises(PortTrouble, match=says):
        SerialPort(device(address)).open()


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
def test_a_refused_connection_is_a_sentence(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    with pytest.raises(PortTrouble, match="refuses the connection"):
        SerialPort(device(f"{scheme}://127.0.0.1:{number}")).open()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), "group .*dialout"),
        (OSError(16, "Device or resource busy"), "Another program"),
        (termios.error(22, "Invalid argument"), "does not take 2400 baud 7E1"),
        (ValueError("Invalid baud rate: 7"), "does not take 2400 baud 7E1"),
        (termios.error(5, "Input/output error"), "There is no port"),
        (RuntimeError("strange"), "cannot be opened: strange"),
    ],
)
def test_each_failure_of_a_driver_has_its_sentence(error: Exception, says: str) -> None:
    trouble = local_trouble("/dev/ttyS99", "2400 baud 7E1", error)
    with pytest.raises(PortTrouble, match=says):
        raise trouble


def test_a_permission_names_the_group_of_the_port(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()
    path.chmod(0o660)
    other = next(g for g in grp.getgrall() if g.gr_gid not in {0, os.getgid()})
    os.chown(path, -1, other.gr_gid)
    said = str(local_trouble(str(path), "", PermissionError(13, "no")))
    assert f"group {other.gr_name} (usually dialout)" in said


def test_a_pseudo_terminal_is_opened_with_any_line_settings(pty: Pty) -> None:
    here = SerialPort(device(str(pty.path), serial={"bytesize": 7, "parity": "E"}))
    here.open()
    os.write(pty.master, b"\x02\xff")
    assert here.read(1) == b"\x02\xff", "it knows eight bits and nothing else"
    assert termios.tcgetattr(pty.slave)[0] & termios.INPCK, "wrong parity is not read as right"
    here.close()


def test_a_port_may_be_named_by_what_it_says_of_itself(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = [SimpleNamespace(device=str(pty.path))]
    monkeypatch.setattr("serial.tools.list_ports.grep", lambda words: iter(found))
    here = SerialPort(device("hwgrep://0403:6001"))
    here.open()
    os.write(pty.master, b"abc")
    assert here.read(1) == b"abc"
    here.close()
    found.clear()
    with pytest.raises(PortTrouble, match="There is no port hwgrep://0403:6001"):
        here.open()


def test_parity_is_checked_and_a_wrong_byte_is_not_left_out(pty: Pty) -> None:
    attributes = termios.tcgetattr(pty.slave)
    attributes[0] |= termios.IGNPAR
    termios.tcsetattr(pty.slave, termios.TCSANOW, attributes)
    check_parity(pty.slave)
    flags = termios.tcgetattr(pty.slave)[0]
    assert flags & termios.INPCK
    assert not flags & termios.IGNPAR, "12.34 with its 3 left out is another weight"


def test_what_the_kernel_lost_is_counted(
    pty: Pty, opened: SerialPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lost_on(pty.slave) == {}, "a pseudo-terminal does not say"
    told = {"overruns": 3}
    monkeypatch.setattr(local, "lost_on", lambda _: told)
    opened.close()
    opened.open()
    told = {"overruns": 5}
    opened.close()
    assert opened.lost == {"overruns": 2}, "what was lost before is nobody's"


def test_the_counters_are_where_linux_keeps_them(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    def ioctl(fd: int, request: int, counters: Any) -> int:
        assert (fd, request) == (pty.slave, 0x545D)
        counters[:] = type(counters)("i", range(20))
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    expected = {"frame_errors": 6, "overruns": 7, "parity_errors": 8, "buffer_overruns": 10}
    assert lost_on(pty.slave) == expected


def _unread(fd: int) -> int:
    size = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, size)
    return size[0]
