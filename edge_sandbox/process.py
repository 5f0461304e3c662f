"""A real process that can be killed and started again: agent, relay, whatever has a command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType


class ProcessDied(RuntimeError):
    """The process ended by itself; the message has its last words."""


class Part:
    """One command, run as a child, with its output in a log file.

    ``ready`` is asked until it answers true; it may raise ``OSError`` while the part is not up yet.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.kills = 0
        """How often :meth:`kill` ended it."""
        self._ready = ready
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Part:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, deadline: float = 30.0) -> None:
        """Start it and wait until it is ready (seconds)."""
        self.launch()
        try:
            self.wait_ready(deadline)
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start it without waiting."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )

    def wait_ready(self, deadline: float = 30.0) -> None:
        """Wait until it is ready; raises :class:`ProcessDied` or ``TimeoutError``."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            if not self.running:
                raise ProcessDied(f"{self.name} ended by itself. {self.last_words()}")
            with contextlib.suppress(OSError):
                if self._ready():
                    return
            time.sleep(0.02)
        raise TimeoutError(
            f"{self.name} was not ready within {deadline:.0f} s. {self.last_words()}"
        )

    def kill(self) -> None:
        """``kill -9``: nothing is flushed, nothing is said."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self.kills += 1

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def wait_exit(self, deadline: float = 30.0) -> int:
        """Wait until it ends; its exit status (negative: the signal)."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.wait(deadline)

    def stop(self, deadline: float = 15.0) -> None:
        """SIGTERM, and SIGKILL when it does not listen."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for error messages."""
        if not self.log.is_file():
            return "It wrote nothing."
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"Its log {self.log} ends with:\n" + "\n".join(text[-lines:])
