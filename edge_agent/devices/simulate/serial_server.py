"""Serial device servers for tests: RFC 2217 with its line settings, and a raw port that dies badly.

RFC 2217 is the one way to see in a test what line settings the agent asks for: a pseudo-terminal
takes any and has none.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

from serial.rfc2217 import PortManager

from edge_agent.devices.simulate.lines import TcpLine


@dataclass(slots=True)
class LineSettings:
    """What the client set the remote port to. The names are pyserial's."""

    baudrate: int = 9600
    bytesize: int = 8
    parity: str = "N"
    stopbits: float = 1
    xonxoff: bool = False
    rtscts: bool = False
    dtr: bool = False
    rts: bool = False
    break_condition: bool = False
    cts: bool = True
    dsr: bool = True
    ri: bool = False
    cd: bool = True
    purged: int = field(default=0, repr=False)

    def reset_input_buffer(self) -> None:
        self.purged += 1

    def reset_output_buffer(self) -> None:
        self.purged += 1


class Rfc2217Server(TcpLine):
    """A remote port: one client at a time, which sets the line."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.settings = LineSettings()
        self._manager: PortManager | None = None
        self._client: socket.socket | None = None
        self._talking = threading.RLock()

    @property
    def url(self) -> str:
        """What ``agent.toml`` says."""
        return f"rfc2217://{self.where}"

    def hear(self) -> bytes:
        with self._talking:
            manager = self._current()
            data = super().hear()
            return b"".join(manager.filter(data)) if manager is not None and data else b""

    def say(self, data: bytes) -> None:
        with self._talking:
            manager = self._current()
            if manager is not None:
                super().say(b"".join(manager.escape(data)))

    def write(self, data: bytes) -> None:
        """For pyserial's manager: negotiation, which is escaped already."""
        super().say(data)

    def _current(self) -> PortManager | None:
        """The negotiation with who is connected now."""
        with self._lock:
            client = self._there()
        if client is not self._client:
            self._client = client
            self._manager = None
            if client is not None:
                self.settings = LineSettings()
                self._manager = PortManager(self.settings, self)
        return self._manager


class ForgetfulServer(TcpLine):
    """A raw port whose server loses power: its connections stay open and nobody is there."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self._dead: list[socket.socket] = []

    @property
    def connected(self) -> bool:
        with self._lock:
            return self._there() is not None

    def lose_power(self) -> None:
        """The connection that is there hears nothing any more, not even that it ended."""
        with self._lock:
            if self._peer is not None:
                self._dead.append(self._peer)
                self._peer = None

    def close(self) -> None:
        super().close()
        for dead in self._dead:
            with contextlib.suppress(OSError):
                dead.close()
