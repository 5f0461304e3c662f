"""Bytes that change on disk: every event that comes out is what its device said, what cannot be
proved is counted, and the rest comes out without hands."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_agent.outbox import reading, salvage
from edge_agent.outbox.store import SqliteOutbox
from edge_contract.errors import NeedsOperator
from edge_contract.event import content_digest

EVENTS = 400
TRIALS = 30
Run = Callable[[Any], Any]


def load_program() -> ModuleType:
    path = Path(__file__).with_name("outbox_device.py")
    spec = importlib.util.spec_from_file_location("outbox_device_for_damage", path)
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
def memory(tmp_path: Path) -> Iterator[Path]:
    with device.unsynced(tmp_path) as directory:
        yield directory


@pytest.fixture
def filled(run: Run, memory: Path) -> Path:
    """An outbox with its events, closed."""
    path = memory / "filled.db"
    outbox = open_outbox(run, path)
    outbox.append_blocking([device.reading(number) for number in range(EVENTS)])
    run(outbox.close())
    return path


def open_outbox(run: Run, path: Path) -> SqliteOutbox:
    return run(SqliteOutbox.open(device.settings(path), site="s1", clock=lambda: device.START))


@dataclass
class Trial:
    """What came of one damaged copy."""

    sent: int = 0
    wrong: int = 0
    counted: bool = False
    codes: list[str] = field(default_factory=list)
    """What stopped the agent before it was started again."""


def drain(run: Run, path: Path, trial: Trial) -> None:
    """Relay everything, as the agent would; raises what the outbox raises."""
    outbox = open_outbox(run, path)
    try:
        while events := run(outbox.pending(100)):
            for event in events:
                said = device.reading(event.seq if (event.seq or 0) < EVENTS else 0)
                same = event.digest() == device_digest(said) and event.id == said.event.id
                trial.wrong += not (same and event.device == said.device)
            trial.sent += len(events)
            run(outbox.mark_relayed([int(event.position) for event in events]))
        counters, lag = run(outbox.counters()), run(outbox.lag())
        noticed = ("damaged", "repairs", "salvages", "salvage_lost")
        trial.counted = lag.damaged > 0 or any(counters.get(name) for name in noticed)
    finally:
        run(outbox.close())


def device_digest(said: Any) -> str:
    return content_digest(said.event.kind, said.event.time, said.event.seq, said.event.data)


def damaged_trial(run: Run, filled: Path, seed: int) -> Trial:
    """Flip one bit in each of three places, then run the agent, restarting it up to three times."""
    chance = random.Random(seed)
    path = filled.with_name(f"trial-{seed}.db")
    content = bytearray(filled.read_bytes())
    for _ in range(3):
        content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    shutil.copy(f"{filled}.home", f"{path}.home")
    trial = Trial()
    for _ in range(3):
        try:
            drain(run, path, trial)
        except NeedsOperator as error:
            trial.codes.append(error.code)
            trial.counted = True
            continue
        break
    assert set(trial.codes) <= {"outbox_damaged"}
    return trial


def test_flipped_bits_are_never_sent_and_what_is_lost_is_counted(run: Run, filled: Path) -> None:
    trials = [damaged_trial(run, filled, seed) for seed in range(TRIALS)]
    assert sum(trial.wrong for trial in trials) == 0
    silent = [seed for seed, one in enumerate(trials) if one.sent < EVENTS and not one.counted]
    assert silent == []
    saved = sum(min(trial.sent, EVENTS) for trial in trials) / (EVENTS * TRIALS)
    print(f"{TRIALS} outboxes with 3 flipped bits: {saved:.1%} of events sent, 0 wrong")
    assert saved > 0.9


def test_without_the_digest_flipped_bits_are_sent(
    run: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "proved", lambda row, digest: row)
    monkeypatch.setattr(salvage, "proved", lambda row, digest: row)
    wrong = 0
    for seed in range(TRIALS):
        try:
            wrong += damaged_trial(run, filled, seed).wrong
        except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError, IndexError):
            wrong += 1
        if wrong:
            break
    assert wrong


def test_a_page_of_zeros_costs_its_own_rows_only(run: Run, filled: Path) -> None:
    path = filled.with_name("zeros.db")
    content = bytearray(filled.read_bytes())
    page = content.index(b"WH/OUT/00003") // 4096
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(content)
    trial = Trial()
    drain(run, path, trial)
    outbox = open_outbox(run, path)
    counters = run(outbox.counters())
    stored = outbox.append_blocking([device.reading(number) for number in range(EVENTS)])
    run(outbox.close())
    assert (trial.wrong, counters["salvages"]) == (0, 1)
    assert trial.sent == EVENTS - counters["salvage_lost"]
    assert 0 < counters["salvage_lost"] < 40
    assert path.with_name("zeros.db.damaged-1").exists()
    # Devices that still have them send them again; what was saved is known.
    assert [one.result for one in stored].count("new") == counters["salvage_lost"]


def test_a_wrong_letter_in_the_schema_hides_no_rows(run: Run, filled: Path) -> None:
    path = filled.with_name("letter.db")
    content = filled.read_bytes().replace(b"    lane     TEXT,", b"    lame     TEXT,", 1)
    path.write_bytes(content)
    trial = Trial()
    drain(run, path, trial)
    assert (trial.sent, trial.wrong, trial.counted) == (EVENTS, 0, True)


@pytest.mark.parametrize("left", [0.0, 0.3, 0.7, 0.999])
def test_a_log_that_was_cut_short_is_read_up_to_the_cut(
    run: Run, memory: Path, left: float
) -> None:
    path, copy = memory / "outbox.db", memory / "cut.db"
    outbox = open_outbox(run, path)
    for start in range(0, 50, 5):
        outbox.append_blocking([device.reading(number) for number in range(start, start + 5)])
    log = Path(f"{path}-wal").read_bytes()
    shutil.copy(path, copy)
    run(outbox.close())
    Path(f"{copy}-wal").write_bytes(log[: int(len(log) * left)])
    trial = Trial()
    drain(run, copy, trial)
    assert trial.wrong == 0
    assert trial.sent % 5 == 0  # whole transactions
    assert (trial.sent == 0) if left == 0 else trial.sent < 50
