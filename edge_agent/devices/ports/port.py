"""The port of one device: opened, watched and closed by one thread, ended by any.

Held true here: nothing that the other end does or leaves undone keeps ``read``, ``write`` or
``open`` from returning soon after :meth:`SerialPort.interrupt`; and a port whose adapter is gone is
noticed within ``CHECK_S``, even when its descriptor stays as silent as an idle device.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from edge_agent.devices.live import Tap
from edge_agent.devices.ports.local import LocalLine, path_of
from edge_agent.devices.ports.network import Rfc2217Line, SocketLine
from edge_agent.devices.ports.troubles import PortClosed, PortTrouble, no_port, unplugged
from edge_agent.devices.profiles.parts import SerialLine, TcpLine
from edge_agent.devices.profiles.resolve import ConfiguredDevice

#: Seconds between two looks at whether the port is still there.
CHECK_S = 1.0
#: A wait that is not cut short by such a look: it comes right after.
_SHORT_S = 0.5
#: How long a device may refuse to take what is written.
WRITE_TIMEOUT_S = 1.0
#: What is old is thrown away up to a gap of so long, and for so long at most: a device may never
#: pause.
_GAP_S, _DISCARD_S = 0.02, 1.0


class Line(Protocol):
    """One opening of a port. What fails raises ``PortTrouble``."""

    def read(self, timeout: float) -> bytes: ...

    def write(self, data: bytes, timeout: float) -> None: ...

    def close(self) -> None: ...

    def interrupt(self) -> None: ...

    def is_there(self) -> bool: ...

    def lost(self) -> dict[str, int]: ...


class SerialPort:
    """A tty, ``socket://host:port`` or ``rfc2217://host:port``; exclusive where that is possible.

    A device with a network address of its own is a socket. Opened again and again by its thread.
    """

    def __init__(self, device: ConfiguredDevice, tap: Tap | None = None) -> None:
        """``tap`` hears every byte that is read and written."""
        self._tap = tap
        self.address = f"socket://{device.address}" if device.transport == "tcp" else device.address
        self.reopen_max_s = (device.profile.serial or SerialLine()).reopen_max_s
        self.lost: Counter[str] = Counter()
        """What the kernel says it lost, by kind, since the agent started."""
        self._line_settings = device.profile.serial or SerialLine()
        self._tcp = device.profile.tcp or TcpLine(port=1)
        self._over = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake)
        self._opened: queue.SimpleQueue[Line | PortTrouble | BaseException | None] = (
            queue.SimpleQueue()
        )
        self._line: Line | None = None
        self._base: dict[str, int] = {}
        self._check_at = 0.0

    @property
    def on_network(self) -> bool:
        """Whether a connection that was opened anew may help where the device is silent."""
        return self.address.startswith(("socket://", "rfc2217://"))

    def open(self) -> None:
        """Open it. Raises ``PortTrouble`` with a sentence."""
        opening = self._opening()
        ticket = _Ticket()
        threading.Thread(
            target=self._open_in_background, args=(opening, ticket), daemon=True, name="port-opens"
        ).start()
        # A name server, a device server or a driver may take its time: the link must not.
        result = self._opened.get()
        if self._over.is_set() or result is None:
            ticket.give_up()
            raise PortClosed("The link stops.")
        if isinstance(result, BaseException):
            raise result
        self._line = result
        self._base = result.lost()
        self._check_at = time.monotonic() + CHECK_S

    def read(self, timeout: float) -> bytes:
        """What came, waiting for it; empty after ``timeout`` seconds or when the link stops."""
        line = self._open_line()
        now = time.monotonic()
        deadline = now + timeout
        while True:
            wait = deadline - now
            if wait > _SHORT_S:  # a short one does not need a wakening of its own to look
                wait = min(wait, self._check_at - now)
            data = line.read(wait)
            now = time.monotonic()
            if now >= self._check_at:
                self._check_at = now + CHECK_S
                self._look(line)
            if data or now >= deadline or self._over.is_set():
                if data and self._tap is not None:
                    self._tap("received", data)
                return data

    def write(self, data: bytes) -> None:
        """Write all of it; ``PortStuck`` when the device does not take it."""
        self._open_line().write(data, WRITE_TIMEOUT_S)
        if self._tap is not None:
            self._tap("sent", data)

    def discard(self) -> int:
        """Throw away what waits to be read, because it is old; how many bytes that was."""
        line, thrown = self._open_line(), 0
        deadline = time.monotonic() + _DISCARD_S
        while time.monotonic() < deadline and (data := line.read(_GAP_S)):
            thrown += len(data)
        return thrown

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(PortTrouble):
                self._count_lost(line)
            line.close()

    def interrupt(self) -> None:
        """It is over: whoever reads, writes or opens returns. From any thread."""
        self._over.set()
        os.eventfd_write(self._wake, 1)
        self._opened.put(None)
        line = self._line
        if line is not None:
            line.interrupt()

    def _open_line(self) -> Line:
        if self._line is None or self._over.is_set():
            raise PortClosed("The port is not open.")
        return self._line

    def _look(self, line: Line) -> None:
        if not line.is_there():
            raise unplugged(self.address)
        self._count_lost(line)

    def _count_lost(self, line: Line) -> None:
        now = line.lost()
        for name, count in now.items():
            self.lost[name] += max(0, count - self._base.get(name, count))
        self._base = now

    def _opening(self) -> Callable[[], Line]:
        address, settings, tcp = self.address, self._line_settings, self._tcp
        if address.startswith("socket://"):
            return lambda: SocketLine(address, tcp, self._wake)
        if address.startswith("rfc2217://"):
            return lambda: Rfc2217Line(address, settings, tcp)
        path = path_of(address)
        if not os.path.exists(path):
            raise no_port(path)
        return lambda: LocalLine(path, settings, self._wake)

    def _open_in_background(self, opening: Callable[[], Line], ticket: _Ticket) -> None:
        try:
            line = opening()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._opened.put(error)
            return
        if ticket.hand_over(line):
            self._opened.put(line)


class _Ticket:
    """Sees to it that a line opened for nobody is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = False
        self._line: Line | None = None

    def hand_over(self, line: Line) -> bool:
        with self._lock:
            self._line = line
            wanted = not self._given_up
        if not wanted:
            line.close()
        return wanted

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            line = self._line
        if line is not None:
            line.close()
