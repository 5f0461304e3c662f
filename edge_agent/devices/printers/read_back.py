"""The highest proof that a label was printed: a scanner read it. Pure, one lock.

Everything that is stored passes here. A ``label.printed`` of the agent's own printers that names a
package is remembered for a while; the first ``scan.read`` of that package's label makes another
``label.printed`` with proof 4, stored in the same commit as the scan. Its id is made of the job's,
so that a scan that comes again makes no second one. What was printed before a restart of the agent
is not remembered, and stays with the proof it has.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from edge_agent.devices.stations.pairing import bare_label, package_name
from edge_agent.outbox.port import Appended, Reading, Unreadable

Item = Reading | Unreadable
Append = Callable[[Sequence[Item]], list[Appended]]

PROOF_READ = 4
#: So long after it was printed a scan is taken for the one that checks the label.
WITHIN = timedelta(minutes=30)
#: Labels that are waited for; the oldest are forgotten first.
_MOST = 1000


class ReadBack:
    """Labels that may still be read. Called from the threads of all links."""

    def __init__(self, printers: Collection[str]) -> None:
        """``printers``: names of the agent's own; what others print they prove themselves."""
        self._printers = frozenset(printers)
        self._waited: OrderedDict[str, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def storing(self, append: Append) -> Append:
        """``append`` with the proofs that scans give."""
        if not self._printers:
            return append

        def store(burst: Sequence[Item]) -> list[Appended]:
            proofs = self._proofs(burst)
            appended = append([*burst, *proofs.values()])[: len(burst)]
            self._remember(burst, done=proofs)
            return appended

        return store

    def _proofs(self, burst: Sequence[Item]) -> dict[str, Reading]:
        """What the scans of ``burst`` prove, by package."""
        found: dict[str, Reading] = {}
        with self._lock:
            for scan in burst:
                if not isinstance(scan, Reading) or scan.event.kind != "scan.read":
                    continue
                package = _scanned(scan)
                printed = self._waited.get(package)
                if printed is not None and _in_time(printed, scan.recorded):
                    found.setdefault(package, _proof(printed, scan))
        return found

    def _remember(self, burst: Sequence[Item], done: Collection[str]) -> None:
        with self._lock:
            for package in done:
                self._waited.pop(package, None)
            for one in burst:
                if isinstance(one, Reading) and one.device in self._printers:
                    named = one.event.data.get("package")
                    if one.event.kind == "label.printed" and named:
                        self._waited[package_name(named)] = one
            while len(self._waited) > _MOST:
                self._waited.popitem(last=False)


def _scanned(scan: Reading) -> str:
    data = scan.event.data
    sscc = (data.get("gs1") or {}).get("sscc")
    return str(sscc) if sscc is not None else package_name(bare_label(str(data["barcode"])))


def _in_time(printed: Reading, read: datetime) -> bool:
    return timedelta(0) <= read - printed.recorded <= WITHIN


def _proof(printed: Reading, scan: Reading) -> Reading:
    event = printed.event
    data = {**event.data, "proof": PROOF_READ}
    identity = None if event.id is None else uuid5(event.id, "read back")
    read = event.model_copy(update={"id": identity, "time": scan.recorded, "data": data})
    return Reading(printed.device, read, scan.recorded, 0, 0)
