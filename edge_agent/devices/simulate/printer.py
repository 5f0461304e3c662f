"""A label printer over TCP, with faults to inject."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType

from edge_agent.devices.simulate.printer_machine import Language, PrinterMachine

_TICK_S = 0.01


class SimulatedPrinter(PrinterMachine):
    """Takes labels and answers on a port of 127.0.0.1, one connection at a time, as most do.

    As a real one it is silent with its media out or its head open. ``pieces`` is into how many
    pieces it cuts its answers.
    """

    def __init__(self, port: int = 0, *, pieces: int = 3, language: Language = "zpl") -> None:
        super().__init__(language)
        self.host = "127.0.0.1"
        self.port = port
        self.answers: bytes | None = None
        """Sent instead of any answer."""
        self.silent = False
        """It takes everything and says nothing."""
        self.half = False
        """Its answers break off in their middle."""
        self.stuck = False
        """It takes connections and reads nothing from them."""
        self.hang_up_after: int | None = None
        """It drops the connection once it has read so many bytes more."""
        self.alerts_to: tuple[str, int] | None = None
        """Where it pushes alerts."""
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
        self._listener.settimeout(_TICK_S)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="simulated-printer", daemon=True)
        self._thread.start()

    def switch_off(self) -> None:
        """Gone from the network, and its buffer with it; :meth:`switch_on` brings it back."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(5)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.cancel()

    def status(self) -> bytes:
        """The host status it would answer."""
        return self.host_status()

    def push(self, alert: bytes) -> None:
        """Push something as an alert."""
        self.pushed.append(alert)

    def _run(self) -> None:
        listener = self._listener
        while listener is not None and not self._closing.is_set():
            self._go_on()
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def _go_on(self) -> list[bytes]:
        """Print and push; what is to be said on the connection, if there is one."""
        self.alerts = self.alerts_to is not None
        said = [] if self.stuck else self.work(time.monotonic())
        while self.pushed and self.alerts_to is not None:
            alert = self.pushed.pop(0)
            with (
                contextlib.suppress(OSError),
                socket.create_connection(self.alerts_to, 1) as connection,
            ):
                connection.sendall(alert)
        return said

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_TICK_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self._closing.is_set():
            for answer in self._go_on():
                self._say(connection, answer)
            if self.stuck:
                self._closing.wait(_TICK_S)
                continue
            try:
                data = connection.recv(min(65536, self.hang_up_after or 65536))
            except TimeoutError:
                continue
            if not data:
                return
            if self.hang_up_after is not None:
                self.hang_up_after -= len(data)
                if self.hang_up_after <= 0:
                    self.hang_up_after = None
                    return
            for answer in self.hear(data, time.monotonic()):
                self._say(connection, answer)

    def _say(self, connection: socket.socket, answer: bytes) -> None:
        if self.silent:
            return
        answer = answer if self.answers is None else self.answers
        if self.half:
            answer = answer[: max(1, len(answer) // 2)]
        size = max(1, -(-len(answer) // self._pieces))
        for start in range(0, len(answer), size):
            connection.sendall(answer[start : start + size])
            time.sleep(0.002)
