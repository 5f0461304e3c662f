"""Where one printer pushes its alerts over TCP: a port of the agent, for that printer alone.

A port for each printer, because an alert carries no job and behind one address there may be
several. Everything that comes is read; what is not an alert is counted and forgotten.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

from edge_agent.devices.printers.zebra_alert import AlertLines

#: Most connections at a time; a printer needs one.
_MOST = 4
_TICK_S = 0.5


class AlertsPort:
    """Listens in a thread of its own from :meth:`start` on, and tries again while it cannot."""

    def __init__(
        self,
        port: int,
        printer: str,
        heard: Callable[[bytes], None],
        count: Callable[[str], None],
        *,
        host: str = "",
    ) -> None:
        """``printer``: its name or address; ``heard`` gets each line, in the thread of the port."""
        self.trouble = ""
        """Why nothing is heard, for people; empty when it listens."""
        self._address = (host, port)
        self._printer = printer
        self._heard = heard
        self._count = count
        self._stopping = threading.Event()
        self._open: dict[socket.socket, AlertLines] = {}
        self._thread = threading.Thread(target=self._run, name=f"alerts-{port}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with socket.create_server(self._address) as listener:
                    self.trouble = ""
                    self._listen(listener)
            except OSError as error:
                self.trouble = f"Alerts cannot be taken on port {self._address[1]}: {error}."
                self._stopping.wait(1.0)

    def _listen(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            try:
                while not self._stopping.is_set():
                    for key, _ in selector.select(_TICK_S):
                        if key.fileobj is listener:
                            self._accept(listener, selector)
                        else:
                            assert isinstance(key.fileobj, socket.socket)
                            self._read(key.fileobj, selector)
            finally:
                for connection in list(self._open):
                    self._close(connection, selector)

    def _accept(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        if str(address[0]) not in _addresses(self._printer):
            self._count("alerts_refused")
            connection.close()
            return
        if len(self._open) >= _MOST:  # one that the printer forgot to close
            self._close(next(iter(self._open)), selector)
        connection.setblocking(False)
        self._open[connection] = AlertLines()
        selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        lines = self._open.get(connection)
        if lines is None:
            return
        try:
            data = connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        for line in lines.feed(data) if data else lines.end():
            self._heard(line)
        if not data:
            self._close(connection, selector)

    def _close(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(connection)
        self._open.pop(connection, None)
        connection.close()


def _addresses(name: str) -> frozenset[str]:
    """The addresses of a name; none when it cannot be looked up now."""
    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(name, None))
    except OSError:
        return frozenset()
