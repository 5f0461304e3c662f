"""Serial device servers: a raw TCP port (``socket://``), or RFC 2217 with its line settings."""

from __future__ import annotations

import contextlib
import queue
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from serial.rfc2217 import Serial as Rfc2217

from edge_agent.devices.ports.descriptor import DescriptorLine
from edge_agent.devices.ports.local import described
from edge_agent.devices.ports.troubles import (
    FAILURES,
    bad_address,
    hung_up,
    network_trouble,
    stuck,
)
from edge_agent.devices.profiles.parts import SerialLine, TcpLine

#: Probes of a silent peer before it is given up, and how much of the idle time lies between them.
_PROBES = 3
_PART = 3
#: Bytes of a remote port that wait in memory.
HELD_BYTES = 16 * 1024
_PIECE = 4096


class SocketLine(DescriptorLine):
    """A raw TCP connection: what the device says and nothing else."""

    def __init__(self, address: str, settings: TcpLine, wake: int) -> None:
        """Connects. Raises ``PortTrouble``."""
        host, port = _place(address)
        try:
            sock = socket.create_connection((host, port), timeout=settings.connect_timeout_s)
        except OSError as error:
            raise network_trouble(address, "", error) from error
        keep_alive(sock, settings.keepalive_s)
        sock.setblocking(False)
        self._socket = sock
        super().__init__(address, sock.fileno(), wake, sock.close)

    def is_there(self) -> bool:
        return True  # the kernel asks, see keep_alive

    def lost(self) -> dict[str, int]:
        return {}  # TCP loses nothing on the way


class Rfc2217Line:
    """A remote port with its line settings. pyserial reads it in a thread of its own."""

    def __init__(self, address: str, line: SerialLine, tcp: TcpLine) -> None:
        """Connects and negotiates. Raises ``PortTrouble``."""
        self._address = address
        self._port = _Rfc2217(
            baudrate=line.baudrate,
            bytesize=line.bytesize,
            parity=line.parity,
            stopbits=line.stopbits,
            xonxoff=line.flow == "xonxoff",
            rtscts=line.flow == "rtscts",
            dsrdtr=line.flow == "dsrdtr",
            timeout=0,
        )
        self._port.dtr, self._port.rts = line.dtr, line.rts
        _place(address)
        self._port.port = address
        try:
            self._port.open()
            self._port.watch(tcp.keepalive_s)
        except Exception as error:
            self.close()
            if isinstance(error, FAILURES):
                raise network_trouble(address, described(line), error) from error
            raise

    def read(self, timeout: float) -> bytes:
        data, ended = self._port.take(timeout)
        if ended and not data:
            raise hung_up(self._address)
        return data

    def write(self, data: bytes, timeout: float) -> None:
        """``timeout`` is the connection's own here."""
        try:
            self._port.write(data)
        except FAILURES as error:
            if isinstance(error.__context__, TimeoutError):
                raise stuck(self._address) from None
            raise hung_up(self._address) from None

    def close(self) -> None:
        with contextlib.suppress(*FAILURES, RuntimeError):  # a reader that was never started
            self._port.close()

    def interrupt(self) -> None:
        self._port.hang_up()

    def is_there(self) -> bool:
        return self._port.is_connected()

    def lost(self) -> dict[str, int]:
        return {}


class _Rfc2217(Rfc2217):  # type: ignore[misc]  # pyserial has no types
    """pyserial's, which neither closes a broken socket nor lets go of a stuck one, and which
    negotiates everything anew when a timeout is set. The names with ``_`` are pinned by a test.
    """

    _socket: socket.socket | None
    _thread: Any
    _read_buffer: Any

    def close(self) -> None:
        held = self._socket
        self.hang_up()
        self._hold_at_most(sys.maxsize)  # a reader that waits for room could not end
        try:
            super().close()
        finally:
            if held is not None:
                held.close()

    def watch(self, idle_s: int) -> None:
        """Have a dead peer noticed, and read no more than is taken, so that TCP holds it back."""
        if self._socket is not None:
            keep_alive(self._socket, idle_s)
        self._hold_at_most(HELD_BYTES)

    def _hold_at_most(self, size: int) -> None:
        if self._read_buffer is not None:
            with self._read_buffer.mutex:
                self._read_buffer.maxsize = size
                self._read_buffer.not_full.notify_all()

    def take(self, timeout: float) -> tuple[bytes, bool]:
        """What its reader has, waiting for it, and whether the connection ended after that."""
        taken = bytearray()
        try:
            byte = self._read_buffer.get(timeout=max(0.0, timeout))
            while byte is not None:
                taken += byte
                if len(taken) >= _PIECE:
                    return bytes(taken), False
                byte = self._read_buffer.get_nowait()
        except queue.Empty:
            return bytes(taken), False
        self._read_buffer.put(None)  # so that the next call hears of the end, too
        return bytes(taken), True

    def hang_up(self) -> None:
        """End whatever waits for the other end, from another thread."""
        held = self._socket
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def is_connected(self) -> bool:
        reader = self._thread
        return reader is not None and reader.is_alive()


def keep_alive(sock: socket.socket, idle_s: int) -> None:
    """Let the kernel notice a peer that is gone without a word, also while data is on its way."""
    between = max(1, idle_s // _PART)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, between)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    patience = (idle_s + between * _PROBES) * 1000
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)


def _place(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise bad_address(address) from None
    if not host or not port:
        raise bad_address(address)
    return host, port
