"""Where a simulated device hangs: a pseudo-terminal, or a TCP port as of a serial device server.

Both can be unplugged and come back at the same place. A pseudo-terminal knows neither parity nor
speed, so it proves nothing about line settings.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import shutil
import socket
import tempfile
import termios
import threading
import tty
from pathlib import Path
from typing import Protocol

#: More than this, unread by the other end, is thrown away: a wire keeps nothing.
_KEPT = 1024


class Line(Protocol):
    """One end of a line. Its methods may be called from any thread."""

    @property
    def where(self) -> str:
        """What ``agent.toml`` says: a path, or ``host:port``."""
        ...

    def plug(self) -> None:
        """Be there. Does nothing when it is."""
        ...

    def unplug(self) -> None:
        """Be gone, as a cable that was pulled. Does nothing when it is."""
        ...

    def hear(self) -> bytes:
        """What came since the last call; never waits."""
        ...

    def say(self, data: bytes) -> None:
        """Send it; when nobody is there it is gone."""
        ...

    def close(self) -> None:
        """Unplug it for good and leave nothing behind."""
        ...


class PtyLine:
    """A pseudo-terminal behind a symbolic link, which stays the same after replugging."""

    def __init__(self, path: Path | None = None) -> None:
        """``path`` of the link; absent: in a new directory. Raises FileExistsError rather than
        replace what is no link."""
        self._made = None if path else Path(tempfile.mkdtemp(prefix="edge-simulated-"))
        self._path = (path or Path(self._made or "", "port")).absolute()
        if self._path.exists() and not self._path.is_symlink():
            raise FileExistsError(f"{self._path} is there already and no link of a simulator")
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None

    @property
    def where(self) -> str:
        return str(self._path)

    def plug(self) -> None:
        with self._lock:
            if self._ends is not None:
                return
            master, slave = self._ends = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._path.unlink(missing_ok=True)
            self._path.symlink_to(os.ttyname(slave))

    def unplug(self) -> None:
        with self._lock:
            if self._ends is None:
                return
            self._path.unlink(missing_ok=True)
            for end in self._ends:
                os.close(end)
            self._ends = None

    def hear(self) -> bytes:
        with self._lock, contextlib.suppress(OSError):
            if self._ends and select.select([self._ends[0]], [], [], 0)[0]:
                return os.read(self._ends[0], 65536)
        return b""

    def say(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._ends is None:
                return
            master, slave = self._ends
            unread = array.array("i", [0])
            fcntl.ioctl(slave, termios.FIONREAD, unread)
            if unread[0] > _KEPT:
                termios.tcflush(slave, termios.TCIFLUSH)
            os.write(master, data)

    def close(self) -> None:
        self.unplug()
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


class TcpLine:
    """A TCP port that takes one connection at a time, as most serial device servers do."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Port 0 takes a free one; it stays the same after replugging."""
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._peer: socket.socket | None = None

    @property
    def where(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def plug(self) -> None:
        """Raises OSError when the port cannot be had."""
        with self._lock:
            if self._listener is not None:
                return
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listener = socket.create_server((self._host, self._port), family=family)
            listener.setblocking(False)
            self._port = listener.getsockname()[1]
            self._listener = listener

    def unplug(self) -> None:
        with self._lock:
            for end in (self._peer, self._listener):
                if end is not None:
                    end.close()
            self._peer = self._listener = None

    def hear(self) -> bytes:
        with self._lock:
            peer = self._there()
            if peer is None:
                return b""
            try:
                data = peer.recv(65536)
            except BlockingIOError:
                return b""
            except OSError:
                data = b""
            if not data:
                self._hang_up()
            return data

    def say(self, data: bytes) -> None:
        with self._lock:
            peer = self._there()
            if peer is None:
                return
            try:
                peer.sendall(data)
            except BlockingIOError:  # it does not read: as on a wire, the rest is gone
                return
            except OSError:
                self._hang_up()

    def close(self) -> None:
        self.unplug()

    def _there(self) -> socket.socket | None:
        """Who is connected, or the next one who waits to be."""
        if self._peer is None and self._listener is not None:
            try:
                self._peer, _ = self._listener.accept()
            except OSError:  # nobody waits
                return None
            self._peer.setblocking(False)
            self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._peer

    def _hang_up(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None
