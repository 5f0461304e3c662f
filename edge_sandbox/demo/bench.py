"""Whoever packs scans every parcel's label with a serial scanner, and again when no beep comes.

Such a scanner keeps nothing: what it sends while nobody listens is gone. Its profile lets the agent
answer each read that it stored; the scanner beeps then, and only then is the read acknowledged.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.simulate.scanner import SimulatedScanner

PROFILE, BEEP = "serial-scanner", "\x06"
#: So long the packer waits for the beep.
PATIENCE_S = 1.5
#: After a beep that came late, so long beeps of the same label may still come.
_LATE_S = 0.5


class BenchScanner:
    """A context manager. ``port`` is where the agent finds the scanner."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        profile = ProfileLibrary().get(PROFILE).scanner
        self.scanner = SimulatedScanner(profile, on_heard=self._hear)
        self.sent: Counter[str] = Counter()
        """How often each label was scanned."""
        self.acknowledged: list[str] = []
        """Labels that a beep was heard for."""
        self._patience_s = patience_s
        self._waiting: deque[str] = deque()
        self._beep = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packer", daemon=True)

    def __enter__(self) -> BenchScanner:
        self.scanner.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._beep.set()
        self._thread.join(5)
        self.scanner.__exit__(kind, error, trace)

    @property
    def port(self) -> str:
        return self.scanner.port

    def scan(self, event: dict[str, Any]) -> None:
        """Another parcel lies there. Of the event only its label goes over the line."""
        self._waiting.append(event["data"]["barcode"])

    def wait_confirmed(self, timeout: float) -> None:
        """Wait until there was a beep for everything. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self._waiting:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self._waiting)} labels were never answered with a beep")
            time.sleep(0.02)

    def _hear(self, data: bytes) -> None:
        if BEEP.encode() in data:
            self._beep.set()

    def _run(self) -> None:
        while not self._closing.wait(0.01):
            if not self._waiting:
                continue
            label = self._waiting[0]
            again = self.sent[label] > 0
            self._beep.clear()
            self.sent[label] += 1
            self.scanner.scan(label)
            if not self._beep.wait(self._patience_s) or self._closing.is_set():
                continue
            self.acknowledged.append(label)
            if again:  # the beep of an earlier try must not pass for one of the next label
                self._closing.wait(_LATE_S)
            self._waiting.popleft()
