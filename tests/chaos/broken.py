"""Deliberately broken agents and relays, for the campaign to find out. Each function is called in
the process before the program runs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4


def ack_before_commit() -> None:
    """The agent says ``stored`` and acknowledges, and stores afterwards."""
    from edge_agent.devices.mqtt.link import MqttLink
    from edge_agent.outbox.port import Appended, Reading
    from edge_contract import killpoint

    def store(self: MqttLink, session: Any, burst: list[Any]) -> bool:
        items = [item for _, items in burst for item in items]
        said = [
            Appended("new", item.event.id if isinstance(item, Reading) else None, 0)
            for item in items
        ]
        self._answer(burst, said)
        for packet, _ in burst:
            session.acknowledge(packet)
        session.send(self._outgoing)
        session.service()
        time.sleep(0.2)  # a slow disk: the broker reads what was said before the reset reaches it
        if items:  # a device's status is no event
            killpoint.reached("intake.before_append")
            self._append(items)
        return True

    MqttLink._store = store  # type: ignore[method-assign]  # broken on purpose


def mark_before_reply() -> None:
    """The agent marks a batch as relayed when it sends it."""
    from edge_agent.sync.actions import Batch
    from edge_agent.sync.uplink_driver import UplinkDriver

    proper = UplinkDriver._send

    async def send(self: UplinkDriver, batch: Batch) -> None:
        await self._store.mark_relayed(batch.positions)
        await proper(self, batch)

    UplinkDriver._send = send  # type: ignore[method-assign]  # broken on purpose


def inbox_without_dedupe() -> None:
    """The relay takes a repeated event for a new one, past the tables' two unique indexes."""
    from cloud_relay.inbox.arrivals import Batch
    from cloud_relay.inbox.rows import SQL

    numbers = itertools.count(time.monotonic_ns())

    def take(self: Batch, row: Any) -> None:
        if self._db.execute(SQL["known"], row.key).fetchone() is not None:
            twin = replace(row, key=(uuid4().bytes, row.key[1]), position=-next(numbers))
            self._add(twin, False)
        else:
            self._add(row, False)

    Batch._take = take  # type: ignore[method-assign]  # broken on purpose


def settle_before_apply() -> None:
    """The relay notes events as applied, and applies them afterwards."""
    from cloud_relay.inbox.port import Entry, Verdict
    from cloud_relay.odoo.applier import TargetApplier

    proper = TargetApplier._send

    async def send(self: TargetApplier, odoo: Any, entries: Sequence[Entry]) -> None:
        verdicts = [Verdict(entry.number, "applied") for entry in entries]
        await self._inbox.settle(verdicts, datetime.now(UTC))
        await proper(self, odoo, entries)

    TargetApplier._send = send  # type: ignore[method-assign]  # broken on purpose
