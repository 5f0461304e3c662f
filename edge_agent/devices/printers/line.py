"""The bytes to and from a printer: a TCP connection or a serial port, behind one small port.

Errors are ``OSError`` whatever the line; a timeout is an empty answer and no error.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from typing import Protocol

from edge_agent.devices.ports.port import SerialPort
from edge_agent.devices.ports.troubles import PortTrouble
from edge_agent.devices.profiles.parts import TcpLine
from edge_agent.devices.profiles.resolve import ConfiguredDevice

_PIECE = 65536
#: What a slow line takes well within the patience of the port.
_SERIAL_PIECE = 256


class BrokenOff(OSError):
    """The line failed while bytes were sent; ``taken`` of them may have reached the printer."""

    def __init__(self, taken: int, cause: str) -> None:
        super().__init__(cause)
        self.taken = taken


class PrinterLine(Protocol):
    """An open line."""

    def send(self, data: bytes, timeout: float) -> None:
        """Send all of it and wait until the other end took it.

        Raises :class:`BrokenOff` when the line failed, or nothing moved for ``timeout`` seconds.
        """
        ...

    def receive(self, timeout: float) -> bytes:
        """What is there within ``timeout`` seconds; empty: nothing. Raises OSError: it is gone."""
        ...

    def close(self) -> None: ...


def open_line(device: ConfiguredDevice) -> PrinterLine:
    """Open the line of a configured printer. Raises OSError."""
    if device.transport == "tcp":
        host, _, port = device.address.rpartition(":")
        return TcpPrinterLine(host.strip("[]"), int(port), device.profile.tcp or TcpLine(port=9100))
    return SerialPrinterLine(device)


class TcpPrinterLine:
    """Raw port 9100, or whichever the printer has."""

    def __init__(self, host: str, port: int, settings: TcpLine) -> None:
        self._socket = socket.create_connection((host, port), settings.connect_timeout_s)
        try:
            for level, option, value in (
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, settings.keepalive_s),
                (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, settings.keepalive_s // 3)),
                (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
                (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            ):
                self._socket.setsockopt(level, option, value)
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes, timeout: float) -> None:
        sent = 0
        self._socket.settimeout(timeout)
        try:
            while sent < len(data):
                sent += self._socket.send(data[sent : sent + _PIECE])
            self._until_taken(timeout)
        except OSError as error:
            raise BrokenOff(sent, str(error) or "the line failed") from error

    def _until_taken(self, timeout: float) -> None:
        """Until the printer's TCP has acknowledged it all: the kernel's own buffer proves nothing.

        A printer that is out of media stops taking data long before it says so.
        """
        deadline, before = time.monotonic() + timeout, -1
        while left := self._unacknowledged():
            if left != before:
                deadline, before = time.monotonic() + timeout, left
            if time.monotonic() > deadline:
                raise TimeoutError(f"the printer did not take the last {left} bytes")
            time.sleep(0.005)

    def _unacknowledged(self) -> int:
        raw = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return int(struct.unpack("i", raw)[0])

    def receive(self, timeout: float) -> bytes:
        self._socket.settimeout(max(timeout, 0.0001))
        try:
            data = self._socket.recv(_PIECE)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError("the printer closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


class SerialPrinterLine:
    """A serial port, or what is reached by a URL, through the agent's own port."""

    def __init__(self, device: ConfiguredDevice) -> None:
        self._port = SerialPort(device)
        try:
            self._port.open()
        except PortTrouble as error:
            raise OSError(str(error)) from error

    def send(self, data: bytes, timeout: float) -> None:
        """A port that takes nothing for a moment is one with flow control, until ``timeout``."""
        sent, deadline = 0, time.monotonic() + timeout
        try:
            for start in range(0, len(data), _SERIAL_PIECE):
                self._port.write(data[start : start + _SERIAL_PIECE])
                sent += len(data[start : start + _SERIAL_PIECE])
                if time.monotonic() > deadline:
                    raise BrokenOff(sent, "the line is too slow for it, or flow control holds it")
        except PortTrouble as error:
            # of the piece that failed some may have gone
            raise BrokenOff(min(len(data), sent + 1), str(error)) from error

    def receive(self, timeout: float) -> bytes:
        try:
            return self._port.read(timeout)
        except PortTrouble as error:
            raise ConnectionResetError(str(error)) from error

    def close(self) -> None:
        self._port.close()
