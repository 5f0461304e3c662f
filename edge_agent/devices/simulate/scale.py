"""An MT-SICS scale on a pseudo-terminal, which can be unplugged.

A pseudo-terminal knows neither parity nor speed, so this proves nothing about line settings.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import tempfile
import threading
import tty
from pathlib import Path
from types import TracebackType


class SimulatedScale:
    """Answers ``S`` and ``SI`` with what lies on it. ``port`` stays the same after replugging."""

    def __init__(self, unit: str = "kg") -> None:
        self.unit = unit
        self.silent = False
        """Switched off: the line is there and nobody answers."""
        self.asked = 0
        """Commands heard so far."""
        self._reply = self._weight("0.000", stable=True)
        self._directory = Path(tempfile.mkdtemp(prefix="edge-scale-"))
        self.port = str(self._directory / "scale")
        self._lock = threading.Lock()
        self._master: int | None = None
        self._slave: int | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-scale", daemon=True)

    def __enter__(self) -> SimulatedScale:
        self.replug()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join(5)
        self.unplug()
        shutil.rmtree(self._directory, ignore_errors=True)

    def put(self, weight: str, *, stable: bool = True) -> None:
        """Put so much on it, for example ``"12.345"``."""
        self._reply = self._weight(weight, stable=stable)

    def say(self, reply: str) -> None:
        """Answer with this line instead of a weight: ``"S +"``, ``"S I"``, ``"ES"`` …"""
        self._reply = reply

    def noise(self, data: bytes) -> None:
        """Put bytes on the line unasked."""
        with self._lock:
            if self._master is not None:
                os.write(self._master, data)

    def unplug(self) -> None:
        with self._lock:
            for end in (self._master, self._slave):
                if end is not None:
                    os.close(end)
            self._master = self._slave = None
            Path(self.port).unlink(missing_ok=True)

    def replug(self) -> None:
        with self._lock:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            Path(self.port).symlink_to(os.ttyname(self._slave))

    def _weight(self, weight: str, *, stable: bool) -> str:
        return f"S {'S' if stable else 'D'} {weight:>10} {self.unit}"

    def _run(self) -> None:
        heard = b""
        while not self._closing.is_set():
            with self._lock:
                master = self._master
                if master is not None and select.select([master], [], [], 0)[0]:
                    with contextlib.suppress(OSError):
                        heard += os.read(master, 4096)
                *commands, heard = heard.split(b"\n")
                for command in commands:
                    self._answer(command.strip())
            self._closing.wait(0.01)

    def _answer(self, command: bytes) -> None:
        self.asked += 1
        if self.silent or self._master is None:
            return
        reply = self._reply if command in {b"S", b"SI"} else "ES"
        with contextlib.suppress(OSError):
            os.write(self._master, f"{reply}\r\n".encode())
