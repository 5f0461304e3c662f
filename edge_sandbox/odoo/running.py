"""Is a process still there, and is it the one we mean? Process ids are used again."""

from __future__ import annotations

import os
import time
from pathlib import Path


def start_ticks(pid: int) -> int | None:
    """When the process began, in the kernel's ticks; ``None`` when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_running(pid: int, word: str = "") -> bool:
    """Whether ``pid`` runs, with ``word`` somewhere in its command line."""
    if start_ticks(pid) is None:
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return word.encode() in command


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait until a process that need not be our child has ended."""
    end = time.monotonic() + seconds
    while start_ticks(pid) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def owner_tag(pid: int | None = None) -> str:
    """``pid:ticks``: names a process for good, even when its id is used again."""
    pid = os.getpid() if pid is None else pid
    return f"{pid}:{start_ticks(pid) or 0}"


def owner_alive(tag: str) -> bool:
    """Whether the process that :func:`owner_tag` named still runs."""
    pid, _, ticks = tag.partition(":")
    return pid.isdecimal() and ticks.isdecimal() and start_ticks(int(pid)) == int(ticks)
