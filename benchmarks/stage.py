"""What the benchmarks share: sizes, a folder on a real disk, one Odoo, one outbox of a million."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

from benchmarks.scans import reading
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_sandbox.odoo import OdooServer, Sandbox

T = TypeVar("T")

SITE = "bench"


def now() -> datetime:
    return datetime.now(UTC)


class Stage:
    """One run of the benchmarks; what they share is made when first asked for."""

    def __init__(self, quick: bool, directory: Path, say: Callable[[str], None]) -> None:
        self.quick = quick
        self.say = say
        self._directory = directory
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        made = TemporaryDirectory(prefix="edge-bench-", dir=self._directory)
        self._folder = Path(self._stack.enter_context(made))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def size(self, full: T, quick: T) -> T:
        return quick if self.quick else full

    def folder(self, name: str) -> Path:
        """An empty folder of that name."""
        path = self._folder / name
        path.mkdir(parents=True)
        return path

    @cached_property
    def odoo(self) -> tuple[Sandbox, OdooServer]:
        """A real Odoo, as the tests use it."""
        sandbox = self._stack.enter_context(
            Sandbox(report=lambda step, share: self.say(f"Odoo: {step} ({share:.0%})"))
        )
        return sandbox, sandbox.start()

    @cached_property
    def large_outbox(self) -> Path:
        """An outbox with a million events that were never relayed (fewer in a quick run)."""
        path = self.folder("large") / "outbox.db"
        rows = self.size(1_000_000, 50_000)
        self.say(f"an outbox with {rows:,} rows is made")
        asyncio.run(_made(path, rows))
        return path


async def _made(path: Path, rows: int) -> None:
    outbox = await opened(path)
    await filled(outbox, rows)
    await outbox.close()


async def opened(path: Path) -> SqliteOutbox:
    settings = OutboxSettings(path=path, max_bytes=16 << 30)
    return await SqliteOutbox.open(settings, site=SITE, clock=now)


async def filled(outbox: SqliteOutbox, rows: int, burst: int = 1000) -> None:
    for first in range(0, rows, burst):
        most = min(rows, first + burst)
        await outbox.append([reading(number) for number in range(first, most)])


def resident_mb(pid: int, peak: bool = False) -> float:
    """Resident memory of a process now, or the most it ever had, in MB (10^6 bytes)."""
    field = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} says nothing of its memory")


def filesystem(path: Path) -> str:
    """The type of the file system that ``path`` is on: on a tmpfs syncing is free."""
    wanted, found = os.path.realpath(path), ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]
