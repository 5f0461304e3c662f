"""When a message came first whose payload does not say when it was made.

Such a read gets the time of its arrival, and its id is made of that, too: the same label scanned
twice is two reads. So a message that the broker delivers again, because the agent died or lost the
connection before it acknowledged, must keep the time of its first arrival, or it would become a
second read. The broker marks such a message and repeats its packet id (MQTT 5.0, 3.3.1.1 and 4.4).
The times are written down before the reads are stored; a lost file costs a read that is doubled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_agent.devices.mqtt.packets import Publish

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Reads with ids of their own whose first arrival is remembered, in this life of the agent.
_OWN = 10_000


class Arrivals:
    """Times of the newest messages without one, by packet id. Belongs to the link's thread."""

    def __init__(self, path: Path | None = None, most: int = 1000) -> None:
        """``most``: how many the broker may have out unacknowledged. Without a ``path`` they are
        forgotten with the process."""
        self._path = path
        self._most = most
        self._known: OrderedDict[int, tuple[str, datetime]] = OrderedDict()
        self._own: OrderedDict[str, datetime] = OrderedDict()
        self._unwritten: list[int] = []
        self._newest = _EPOCH
        self._file: int | None = None
        self._lines = 0
        if path is not None:
            self._read(path)

    def of(self, said: Publish, now: datetime) -> datetime:
        """When ``said`` came first; no two messages came at one moment."""
        if not said.qos:
            return self._next(now)
        digest = hashlib.blake2b(
            said.topic.encode(errors="replace") + b"\0" + said.payload, digest_size=12
        ).hexdigest()
        if said.again and (known := self._known.get(said.mid)) and known[0] == digest:
            return known[1]
        came = self._next(now)
        self._note(said.mid, digest, came)
        self._unwritten.append(said.mid)
        return came

    def of_own(self, identity: str, came: datetime) -> datetime:
        """When a read with an id of its own came first, as far as that is remembered."""
        first = self._own.setdefault(identity, came)
        while len(self._own) > _OWN:
            self._own.popitem(last=False)
        return first

    def write(self) -> None:
        """Write down what is new, before it is stored. Never raises."""
        if not self._unwritten:
            return
        lines = [self._line(mid) for mid in self._unwritten if mid in self._known]
        self._unwritten.clear()
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            if self._file is None or self._lines > 4 * self._most:
                self._begin(self._path)
            else:
                os.write(self._file, b"".join(lines))
            self._lines += len(lines)

    def forget(self) -> None:
        """The broker forgot the session: packet ids begin anew."""
        self._known.clear()
        self._unwritten.clear()
        self._lines = 5 * self._most  # the next write begins the file anew

    def _next(self, now: datetime) -> datetime:
        self._newest = came = max(now, self._newest + _MICROSECOND)
        return came

    def _note(self, mid: int, digest: str, came: datetime) -> None:
        self._known[mid] = (digest, came)
        self._known.move_to_end(mid)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _line(self, mid: int) -> bytes:
        digest, came = self._known[mid]
        return json.dumps([mid, digest, (came - _EPOCH) // _MICROSECOND]).encode() + b"\n"

    def _begin(self, path: Path) -> None:
        """Write all of them into a new file, and take that in place of the old one."""
        draft = path.with_name(f"{path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        file = os.open(draft, flags, 0o640)
        try:
            os.write(file, b"".join(self._line(mid) for mid in self._known))
            draft.replace(path)
        except OSError:
            os.close(file)
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self._lines = file, 0

    def _read(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(ValueError, TypeError, OverflowError):
                    mid, digest, came = json.loads(line)
                    self._note(int(mid), str(digest), _EPOCH + int(came) * _MICROSECOND)
