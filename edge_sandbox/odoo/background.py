"""Which Odoo servers run out of this cache: those of ``odoo-sandbox up``, and orphans.

Each server has a configuration file of its own, named in its command line, and a note beside it.
A server is found by that file, so a process id that was used again is never mistaken for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_sandbox.odoo.cache import Cache, write_secret
from edge_sandbox.odoo.copies import KEPT
from edge_sandbox.odoo.running import is_running, owner_alive, start_ticks, wait_gone


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. ``owner`` is the process it belongs to, or ``kept``."""

    configuration: Path
    owner: str
    database: str
    port: int
    log: str
    since: str
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kept(self) -> bool:
        return self.owner == KEPT

    def resident_bytes(self) -> int:
        """Memory of the server and its workers, shared pages counted once for each."""
        pages = 0
        for pid in _processes_with(str(self.configuration)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def as_json(self) -> dict[str, object]:
        shown = asdict(self)
        del shown["configuration"], shown["owner"]
        return {**shown, "url": self.url, "kept": self.kept}


def remember(configuration: Path, owner: str, database: str, port: int, log: Path) -> None:
    """Write the note of a server that is about to start."""
    note = {
        "owner": owner,
        "database": database,
        "port": port,
        "log": str(log),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_secret(configuration.with_suffix(".json"), json.dumps(note))


def forget(configuration: Path) -> None:
    """Remove the configuration and the note of a server that ended."""
    configuration.unlink(missing_ok=True)
    configuration.with_suffix(".json").unlink(missing_ok=True)


def servers(cache: Cache) -> list[Running]:
    """The servers that run, oldest first. Notes of those that ended are removed on the way."""
    found = []
    for note in sorted(cache.directory("run").glob("*.json")):
        configuration = note.with_suffix(".conf")
        try:
            said = json.loads(note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue  # it ended between the listing and now
        pids = sorted(_processes_with(str(configuration)), key=lambda pid: start_ticks(pid) or 0)
        if pids:
            found.append(Running(configuration=configuration, pid=pids[0], **said))
        elif said["owner"] == KEPT or not owner_alive(said["owner"]):
            forget(configuration)
    return sorted(found, key=lambda server: server.since)


def end(server: Running) -> None:
    """Stop a server: SIGTERM, and SIGKILL for it and its workers when it does not listen."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(server.pid, signal.SIGTERM)
    if not wait_gone(server.pid, 5):
        for pid in _processes_with(str(server.configuration)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_gone(server.pid, 10)
    forget(server.configuration)


def end_orphans(cache: Cache) -> int:
    """Stop the servers whose owner was killed before it could; how many."""
    orphans = [s for s in servers(cache) if not s.kept and not owner_alive(s.owner)]
    for server in orphans:
        end(server)
    return len(orphans)


def _processes_with(word: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and is_running(int(entry.name), word):
            yield int(entry.name)
