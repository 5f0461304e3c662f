"""How the links of lines store: one burst at a time, until the outbox takes it."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any
from uuid import uuid4

from edge_agent.devices.links import AppendBlocking, Tally
from edge_agent.outbox.port import Reading, Unreadable
from edge_contract.errors import EdgeError
from edge_contract.event import DeviceEvent

_log = logging.getLogger(__name__)


class Holding:
    """Stores the readings of one device. Its link waits meanwhile, so memory is bounded."""

    def __init__(
        self, append: AppendBlocking, tally: Tally, stopping: threading.Event, retry_s: float = 1.0
    ) -> None:
        self._append = append
        self._tally = tally
        self._stopping = stopping
        self._retry_s = retry_s

    def store(self, *burst: Reading | Unreadable) -> bool:
        """Store all of it in one commit; false only when the link stopped before it could be."""
        logged = False
        while True:
            try:
                self._append(burst)
            except EdgeError as refused:
                self._tally.count("refused")
                self._tally.set("refused", str(refused))
            except Exception as error:  # noqa: BLE001 - nothing was stored; it is offered again
                if not logged:
                    _log.exception("The outbox failed; the reading is kept and offered again")
                logged = True
                self._tally.count("append_failures")
                self._tally.set("refused", f"The outbox failed: {error}. Look at the agent's log.")
            else:
                self._tally.count("stored", len(burst))
                return True
            if self._stopping.wait(self._retry_s):
                return False


def reading_of(device: str, kind: str, at: datetime, data: dict[str, Any]) -> Reading:
    """A reading the agent itself makes: its clock is the device's clock."""
    event = DeviceEvent.model_validate({"id": uuid4(), "kind": kind, "time": at, "data": data})
    return Reading(device, event, at, 0, 0)
