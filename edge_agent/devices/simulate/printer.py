"""A ZPL label printer over TCP, with faults to inject."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from types import TracebackType

_FORMAT = re.compile(rb"\^XA.*?\^XZ", re.DOTALL)


class SimulatedPrinter:
    """Takes labels and answers ``~HS`` on a port of 127.0.0.1.

    As a real one it is silent with its media out or its head open. ``pieces`` is into how many
    pieces it cuts its answer.
    """

    def __init__(self, port: int = 0, *, pieces: int = 3) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.labels: list[bytes] = []
        """Formats (``^XA`` to ``^XZ``) printed so far."""
        self.paused = False
        self.media_out = False
        self.head_open = False
        self.answers: bytes | None = None
        """Sent instead of a host status."""
        self._pieces = pieces
        self._listener: socket.socket | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> SimulatedPrinter:
        self.switch_on()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.switch_off()

    def switch_on(self) -> None:
        self._closing.clear()
        self._listener = socket.create_server((self.host, self.port))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="simulated-printer", daemon=True)
        self._thread.start()

    def switch_off(self) -> None:
        """Gone from the network; :meth:`switch_on` brings it back on the same port."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(5)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def status(self) -> bytes:
        """The host status it would answer."""
        pause = int(self.paused)
        lines = (
            f"030,0,{pause},0812,000,0,0,0,000,0,0,0",
            "000,0,0,0,0,2,4,0,00000000,1,000",
            "1234,0",
        )
        return b"".join(b"\x02" + line.encode() + b"\x03\r\n" for line in lines)

    def _run(self) -> None:
        listener = self._listener
        while listener is not None and not self._closing.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        """One connection at a time, as most printers do."""
        connection.settimeout(0.05)
        heard = b""
        while not self._closing.is_set():
            try:
                data = connection.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            heard += data
            if b"~HS" in heard:
                heard = heard.replace(b"~HS", b"", 1)
                self._answer(connection)
            for label in _FORMAT.findall(heard):
                heard = heard.replace(label, b"", 1)
                if not (self.paused or self.media_out or self.head_open):
                    self.labels.append(label)

    def _answer(self, connection: socket.socket) -> None:
        if self.media_out or self.head_open:
            return
        answer = self.status() if self.answers is None else self.answers
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = max(1, -(-len(answer) // self._pieces))
        for start in range(0, len(answer), size):
            connection.sendall(answer[start : start + size])
            time.sleep(0.005)
