"""A disk that is full or takes no writes: refused in words, nothing lost, and open again by itself
when there is room."""

from __future__ import annotations

import asyncio
import importlib.util
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_agent.outbox.intake import Intake
from edge_agent.outbox.port import IntakeRefused
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.errors import Retryable

Run = Callable[[Any], Any]
MIB = 1 << 20


def load_program() -> ModuleType:
    path = Path(__file__).with_name("outbox_device.py")
    spec = importlib.util.spec_from_file_location("outbox_device_for_disk", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


device: Any = load_program()


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 5 MiB (needs root)."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def open_outbox(run: Run, path: Path, min_free: int) -> SqliteOutbox:
    settings = OutboxSettings.model_construct(path=path, min_free_bytes=min_free)
    return run(SqliteOutbox.open(settings, site="s1", clock=lambda: device.START))


def fill(outbox: SqliteOutbox, first: int = 0) -> tuple[int, IntakeRefused]:
    """Append until refused; returns how many were confirmed."""
    stored = first
    while True:
        burst = [device.reading(number) for number in range(stored, stored + 100)]
        try:
            stored += len(outbox.append_blocking(burst))
        except IntakeRefused as refusal:
            return stored, refusal


def check_all_there(run: Run, path: Path, stored: int) -> None:
    outbox = open_outbox(run, path, 0)
    try:
        rows = run(outbox.rows(stage=None, after=0, limit=10**6))
        assert [row.event.seq for row in rows] == list(range(stored))
    finally:
        run(outbox.close())


def test_a_filling_disk_is_refused_while_there_is_still_room_to_drain(
    run: Run, small_disk: Path
) -> None:
    path = small_disk / "outbox.db"
    outbox = open_outbox(run, path, 3 * MIB)
    stored, refusal = fill(outbox)
    assert stored >= 1000
    assert "intake needs" in refusal.reason
    while events := run(outbox.pending(500)):  # there is room for this, which the bound is for
        run(outbox.mark_relayed([int(event.position) for event in events]))
    assert run(outbox.lag()).unrelayed == 0
    run(outbox.close())
    check_all_there(run, path, stored)


def test_a_disk_filled_by_others_is_survived_and_left_by_itself(run: Run, small_disk: Path) -> None:
    path, filler = small_disk / "outbox.db", small_disk / "others.log"
    outbox = open_outbox(run, path, 0)
    stored = len(outbox.append_blocking([device.reading(number) for number in range(300)]))
    with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(64 * MIB))
    stored, refusal = fill(outbox, stored)
    assert "refused a write" in refusal.reason
    assert run(outbox.lag()).refused
    with pytest.raises(Retryable, match="full"):
        run(outbox.mark_relayed(range(1, 301)))
    assert run(outbox.prune(device.START)) == 0
    filler.unlink()
    assert run(outbox.lag()).refused == ""  # found out without an event
    stored += len(outbox.append_blocking([device.reading(stored)]))
    run(outbox.mark_relayed(range(1, 301)))
    run(outbox.close())
    check_all_there(run, path, stored)


def test_an_outbox_on_a_full_disk_still_closes(run: Run, small_disk: Path) -> None:
    path, filler = small_disk / "outbox.db", small_disk / "others.log"
    outbox = open_outbox(run, path, 0)
    outbox.append_blocking([device.reading(number) for number in range(300)])
    with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
        file.write(bytes(64 * MIB))
    run(outbox.close())
    filler.unlink()
    check_all_there(run, path, 300)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    with device.unsynced(tmp_path) as directory:
        yield directory


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Writes beyond so many bytes of any file fail, as on a file system with a quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_is_rolled_back_and_tried_again(
    run: Run, memory: Path, limited: Callable[[int], None]
) -> None:
    path = memory / "outbox.db"
    outbox = open_outbox(run, path, 0)
    limited(MIB)
    stored, refusal = fill(outbox)
    assert stored > 100
    assert "nothing was stored" in refusal.reason
    limited(resource.RLIM_INFINITY)
    assert run(outbox.lag()).refused == ""
    more = [device.reading(number) for number in range(stored, stored + 500)]
    stored += len(outbox.append_blocking(more))
    run(outbox.close())
    check_all_there(run, path, stored)


def test_confirming_a_burst_that_failed_is_caught(
    run: Run, memory: Path, limited: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = memory / "outbox.db"
    outbox = open_outbox(run, path, 0)
    honest = Intake.append

    def append(self: Intake, burst: Any) -> Any:
        try:
            return honest(self, burst)
        except Exception:  # noqa: BLE001 - the mistake under test
            return list(burst)

    monkeypatch.setattr(Intake, "append", append)
    limited(MIB)
    stored = sum(
        len(
            outbox.append_blocking([device.reading(number) for number in range(start, start + 100)])
        )
        for start in range(0, 10_000, 100)
    )
    limited(resource.RLIM_INFINITY)
    run(outbox.close())
    with pytest.raises(AssertionError):
        check_all_there(run, path, stored)
