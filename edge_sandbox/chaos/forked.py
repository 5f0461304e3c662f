"""A :class:`~edge_sandbox.process.Part` that a nursery starts: cheap to kill and start again."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from edge_sandbox.chaos.control import Control
from edge_sandbox.process import Part


class Forked(Part):
    """``program run --config …`` of this installation, armed by :attr:`control`.

    ``before`` are calls for the nursery's child to make first: ``FILE_OR_MODULE:FUNCTION`` and its
    arguments.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        log: Path,
        control: Path,
        *,
        ready: Callable[[], bool],
        before: Sequence[Sequence[str]] = (),
    ) -> None:
        command = [sys.executable, "-m", "edge_sandbox.chaos.nursery", program]
        super().__init__(program, command, log, ready=ready)
        self.status: int | None = None
        """Exit status of the last child, negative for a signal; ``None`` while it runs."""
        control.parent.mkdir(parents=True, exist_ok=True)
        self.control = Control(control)
        self.trace: Path | None = None
        """Set before a start: every callback's place is written there while it is counted."""
        self._arguments = list(arguments)
        self._before = [list(call) for call in before]
        self._control_path = control
        self._nursery: subprocess.Popen[bytes] | None = None
        self._child = 0

    @classmethod
    def instead_of(cls, part: Part, before: Sequence[Sequence[str]] = ()) -> Forked:
        """The same program with the same arguments, log and readiness."""
        program, *arguments = part.command
        return cls(
            Path(program).name,
            arguments,
            part.log,
            part.log.with_suffix(".control"),
            ready=part._ready,
            before=before,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            with contextlib.suppress(BrokenPipeError):
                nursery.communicate(timeout=20)

    @property
    def pid(self) -> int:
        return self._child if self.running else 0

    @property
    def running(self) -> bool:
        return self._child != 0 and not self._ended(0)

    def launch(self) -> None:
        """Start it disarmed."""
        if not self.running:
            self.control.disarm()
            self.launch_armed()

    def launch_armed(self) -> None:
        """Start it as it is armed: it may die before it is ready."""
        request = {
            "arguments": self._arguments,
            "log": str(self.log),
            "control": str(self._control_path),
            "trace": str(self.trace or ""),
            "before": self._before,
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(request).encode() + b"\n")
        self._child, self.status = self._said(60), None

    def kill(self) -> None:
        if self.running:
            os.kill(self._child, signal.SIGKILL)
            self.wait_exit(10)
            self.kills += 1

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            os.kill(self._child, number)

    def wait_exit(self, deadline: float = 30.0) -> int:
        if not self._ended(deadline) or self.status is None:
            raise TimeoutError(f"{self.name} did not end within {deadline:g} s")
        return self.status

    def stop(self, deadline: float = 15.0) -> None:
        if self.running:
            self.signal(signal.SIGTERM)
            if not self._ended(deadline):
                self.kill()

    def _ended(self, seconds: float) -> bool:
        if self.status is None and self._child:
            assert self._nursery is not None
            assert self._nursery.stdout is not None
            if select.select([self._nursery.stdout], [], [], seconds)[0]:
                self.status = self._said(1)
        return self.status is not None

    def _said(self, seconds: float) -> int:
        """A line of the nursery: a number."""
        assert self._nursery is not None
        assert self._nursery.stdout is not None
        said, end = bytearray(), time.monotonic() + seconds
        while not said.endswith(b"\n"):
            left = max(0.0, end - time.monotonic())
            if not select.select([self._nursery.stdout], [], [], left)[0]:
                raise TimeoutError(f"the nursery of {self.name} said nothing for {seconds:g} s")
            piece = os.read(self._nursery.stdout.fileno(), 1)
            if not piece:
                raise RuntimeError(f"the nursery of {self.name} ended by itself")
            said += piece
        return int(said)
