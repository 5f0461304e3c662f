"""Reads and writes a broker's socket in large pieces, as paho does not.

paho asks the kernel for one byte, one more, then the rest of each packet, and sends each
acknowledgement on its own: five system calls a message. This socket stands between: what it read
ahead it hands out from memory, and what paho sends it gathers until :meth:`BufferedSocket.flush`.
paho knows the shape (it does the same for WebSockets); the two private methods that put it in
place are pinned by a test.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Literal

from paho.mqtt.client import Client

from edge_agent.devices.mqtt.packets import PacketCutter, Puback, Publish

if TYPE_CHECKING:
    import socket

    from paho.mqtt.client import SocketLike

_READ = 256 * 1024
#: Bytes gathered before :meth:`BufferedSocket.send` asks its caller to wait.
_WRITE_LIMIT = 4 * 1024 * 1024


class BufferedSocket:
    """A non-blocking stream socket with a buffer on either side."""

    def __init__(self, sock: SocketLike) -> None:
        self._socket = sock
        self._inward = b""
        self._position = 0
        self._outward = bytearray()
        self._closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self._socket.setblocking(flag)

    def readable(self) -> bool:
        """Whether :meth:`recv` has something to give now: bytes, the end, or an error to raise."""
        if self._position < len(self._inward):
            return True
        try:
            self._fill()
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes; empty at the end; BlockingIOError when there is nothing yet."""
        start = self._position
        if start >= len(self._inward):
            if size >= _READ:
                return self._receive(size)  # a large payload needs no second copy
            self._fill()
            start = 0
        end = start + size
        self._position = end
        return self._inward[start:end]

    def send(self, data: bytes | bytearray) -> int:
        """Take ``data`` to be flushed later; BlockingIOError when too much waits already."""
        if len(self._outward) > _WRITE_LIMIT and not self.flush():
            raise BlockingIOError
        self._outward += data
        return len(data)

    def flush(self) -> bool:
        """Write what the kernel takes; true when nothing is left. Raises OSError when broken."""
        while self._outward:
            try:
                sent = self._socket.send(self._outward)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            del self._outward[:sent]
        return True

    @property
    def unsent(self) -> int:
        return len(self._outward)

    def close(self) -> None:
        """Flush what can be flushed (a DISCONNECT, say) and close; harmless when done before."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self.flush()
        self._socket.close()

    def discard(self) -> None:
        """Close without a word, as a device does that walks out of the Wi-Fi."""
        self._outward.clear()
        self.close()

    def _fill(self) -> None:
        self._position = 0
        self._inward = b""
        self._inward = self._receive(_READ)

    def _receive(self, size: int) -> bytes:
        try:
            return self._socket.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


class PacketSocket(BufferedSocket):
    """A buffered socket that keeps the hot packets for itself; paho reads only the others."""

    def __init__(self, sock: SocketLike, head: int) -> None:
        super().__init__(sock)
        self._cutter = PacketCutter(head)
        self._ended = False

    def next(self) -> Publish | Puback | Literal["paho"] | None:
        """The next hot packet. ``"paho"``: it has one to read, or the end of the connection.

        ``None`` when there is nothing now. Raises OSError and :class:`MalformedPacket`.
        """
        while not self._ended:
            packet = self._cutter.next()
            if packet is None:
                try:
                    data = self._receive(_READ)
                except BlockingIOError:
                    return None
                self._ended = not data
                self._cutter.feed(data)
            elif isinstance(packet, bytes):
                self._inward, self._position = packet, 0
                return "paho"
            else:
                return packet
        return "paho"

    def put(self, data: bytes) -> None:
        """Gather ``data`` for the next flush. Its callers bound what they put."""
        self._outward += data

    def recv(self, size: int) -> bytes:
        """For paho: the packet that :meth:`next` found for it."""
        if self._position >= len(self._inward) and not self._ended:
            raise BlockingIOError
        start = self._position
        self._position = min(start + size, len(self._inward))
        return self._inward[start : self._position]


class BufferedClient(Client):
    """paho's client over a :class:`BufferedSocket`."""

    buffered: BufferedSocket | None = None

    def _create_socket(self) -> BufferedSocket:
        self.buffered = self._buffer(super()._create_socket())
        return self.buffered

    def _buffer(self, sock: SocketLike) -> BufferedSocket:
        return BufferedSocket(sock)

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's, which leaves the socket open when the handshake fails."""
        if self._ssl_context is None:
            raise ValueError("TLS is wanted and no context was set")
        wrapped = self._ssl_context.wrap_socket(
            tcp_sock, server_hostname=self._host, do_handshake_on_connect=False
        )
        try:
            wrapped.settimeout(self._connect_timeout)
            wrapped.do_handshake()
        except OSError:
            wrapped.close()
            raise
        return wrapped


class PacketClient(BufferedClient):
    """paho's client for all but the hot packets. ``head`` is how much of a payload is kept."""

    head = 64 * 1024
    packets: PacketSocket | None = None

    def _buffer(self, sock: SocketLike) -> BufferedSocket:
        self.packets = PacketSocket(sock, self.head)
        return self.packets
