"""The one thread of a port: it opens, serves, and opens again with full jitter."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from edge_agent.devices.links import full_jitter
from edge_agent.devices.ports.port import SerialPort
from edge_agent.devices.ports.troubles import PortTrouble

_log = logging.getLogger(__name__)

#: Seconds: no attempt to open the port comes sooner than by chance below this, doubled each time.
_FIRST_WAIT_S = 0.1


class PortThread:
    """Keeps a port open for whoever serves it."""

    def __init__(
        self,
        name: str,
        port: SerialPort,
        serve: Callable[[], None],
        trouble: Callable[[PortTrouble], None],
        failed: Callable[[Exception], None],
        *,
        stopping: threading.Event,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``serve`` is called with the port open and returns when the link stops; ``trouble`` is
        told why the port cannot be used; ``failed`` of a defect of ours."""
        self._name = name
        self._port = port
        self._serve, self._trouble, self._failed = serve, trouble, failed
        self._stopping = stopping
        self._chance = chance
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stopping.set()
        self._port.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        attempt, cap = 0, self._port.reopen_max_s
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                self._once()
            except Exception as error:  # noqa: BLE001 - an end of this thread would be silent
                _log.exception("The link %s failed and opens its port again", self._name)
                self._failed(error)
            # A port that opens and fails at once is tried no more often than one that does not.
            attempt = 1 if time.monotonic() - begin > cap else attempt + 1
            self._stopping.wait(full_jitter(attempt, self._chance(), base=_FIRST_WAIT_S, cap=cap))

    def _once(self) -> None:
        try:
            self._port.open()
            try:
                self._serve()
            finally:
                self._port.close()
        except PortTrouble as trouble:
            if not self._stopping.is_set():
                self._trouble(trouble)
