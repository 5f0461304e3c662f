"""What a running agent answers on its local socket."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

from edge_agent.agent import Agent
from edge_agent.clock import Clock, Monotonic
from edge_agent.device_reports import class_reports, device_counters
from edge_agent.devices.live import Live
from edge_agent.labels import printed
from edge_agent.looking import looked_at
from edge_agent.outbox.port import Quarantined, Row
from edge_agent.outbox.settings import OutboxSettings
from edge_agent.report import (
    ClockReport,
    IntakeReport,
    LinkReport,
    OutboxReport,
    Report,
    TroubleReport,
    UplinkReport,
)
from edge_agent.status import Answer
from edge_agent.sync.actions import Trouble
from edge_contract.errors import Rejected
from edge_contract.outcome import Stage

#: Rows asked of the outbox at a time, so that an export never holds its thread for long.
_PAGE = 500


class Answers:
    """The questions by name: see :meth:`all`."""

    def __init__(
        self,
        agent: Agent,
        outbox: OutboxSettings,
        relay_url: str,
        *,
        clock: Clock,
        monotonic: Monotonic,
        broker: Callable[[], tuple[str, ...]] = tuple,
        live: Live | None = None,
    ) -> None:
        """``broker`` tells what is wrong with the broker's configuration; ``live`` shows what the
        links hear."""
        self._live = live
        self._agent = agent
        self._outbox = outbox
        self._relay_url = relay_url
        self._clock = clock
        self._monotonic = monotonic
        self._broker = broker

    def all(self) -> Mapping[str, Answer]:
        return {
            "status": self.status,
            "devices.live": self.devices_live,
            "print": self.print_label,
            "outbox.list": self.outbox_list,
            "outbox.show": self.outbox_show,
            "outbox.export": self.outbox_export,
            "quarantine.list": self.quarantine_list,
            "quarantine.show": self.quarantine_show,
        }

    async def print_label(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """See :func:`edge_agent.labels.printed`."""
        async for item in printed(self._agent.links, question):
            yield item

    async def status(self, _question: Mapping[str, Any]) -> AsyncIterator[Any]:
        yield (await self.report()).model_dump(mode="json")

    async def report(self) -> Report:
        agent = self._agent
        lag = await agent.outbox.lag()
        now = self._clock()
        devices = tuple(agent.devices())
        age = None if lag.oldest_unrelayed is None else (now - lag.oldest_unrelayed).total_seconds()
        return Report(
            version=agent.identity.version,
            site=agent.identity.site,
            agent=agent.identity.agent,
            boot=agent.identity.boot,
            started=agent.started,
            intake=IntakeReport(state="refused" if lag.refused else "open", reason=lag.refused),
            uplink=await self._uplink(),
            outbox=OutboxReport(
                path=str(self._outbox.path),
                generation=agent.outbox.generation,
                newest_position=lag.newest_position,
                stored=lag.stored,
                unrelayed=lag.unrelayed,
                oldest_unrelayed=lag.oldest_unrelayed,
                oldest_age_s=age,
                held=lag.held,
                quarantined=lag.quarantined,
                damaged=lag.damaged,
                bytes_used=lag.bytes_used,
                bytes_most=self._outbox.max_bytes,
                disk_free=_free(self._outbox.path.parent),
                disk_least=self._outbox.min_free_bytes,
            ),
            devices=devices,
            classes=class_reports(devices),
            links=tuple(
                LinkReport(
                    name=state.name,
                    kind=state.kind,
                    health=state.health,
                    detail=state.detail,
                    since=state.since,
                )
                for state in (link.state() for link in agent.links)
            ),
            broker=self._broker(),
            clock=ClockReport(
                time=now,
                steps=agent.clock_watch.steps,
                last_step_s=agent.clock_watch.last_step_s,
                relay_offset_ms=agent.clock_watch.relay_offset_ms,
            ),
            counters=dict(
                sorted({**await agent.all_counters(), **device_counters(devices)}.items())
            ),
        )

    async def _uplink(self) -> UplinkReport | None:
        driver, downlink = self._agent.uplink, self._agent.downlink
        if driver is None or downlink is None:
            return None
        machine = driver.machine
        return UplinkReport(
            url=self._relay_url,
            link=machine.link,
            since=driver.since,
            trouble=_trouble(machine.trouble),
            retry_in_s=round(machine.retry_in(self._monotonic()), 1),
            stopped=machine.stopped,
            refused_now=machine.suspects,
            odoo=self._agent.odoo,
            downlink_trouble=_trouble(downlink.trouble),
            downlink_cursor=await self._agent.outbox.downlink_cursor(),
        )

    async def devices_live(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """What the link ``name`` hears, says and understands for ``seconds``, as it happens; one
        item ``unknown`` when this agent has no such line."""
        name, seconds = str(question.get("name")), _number(question, "seconds", 10)
        link = next((one for one in self._agent.links if one.name == name), None)
        if self._live is None or link is None or link.state().kind == "mqtt":
            yield {"what": "unknown"}
            return
        async for item in looked_at(link, self._live, min(seconds, 3600), self._clock):
            yield item

    async def outbox_list(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """``stage``, ``after`` (position) and ``limit`` are optional."""
        stage, after = _stage(question), _number(question, "after", 0)
        left = _number(question, "limit", 100)
        while left > 0:
            rows = await self._agent.outbox.rows(stage=stage, after=after, limit=min(left, _PAGE))
            for row in rows:
                yield _row(row)
            if not rows:
                return
            left -= len(rows)
            after = int(rows[-1].event.position)

    async def outbox_show(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """``device`` and ``event``."""
        try:
            event = UUID(str(question.get("event")))
        except ValueError:
            raise Rejected("bad-question", "An event's id is a UUID.") from None
        device = str(question.get("device"))
        row = await self._agent.outbox.show(device, event)
        if row is None:
            raise Rejected(
                "unknown-event",
                f"No event {event} of device {device} is in this outbox: it never arrived here, "
                "or was deleted after its retention. Ask the relay for it.",
            )
        yield _row(row)

    async def outbox_export(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """Every row from position ``after`` on, with its outcome."""
        async for row in self.outbox_list({**question, "limit": 2**62}):
            yield row

    async def quarantine_list(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """``after`` (number) and ``limit`` are optional; without the bytes."""
        after, left = _number(question, "after", 0), _number(question, "limit", 100)
        while left > 0:
            entries = await self._agent.outbox.quarantine(after=after, limit=min(left, _PAGE))
            for entry in entries:
                yield _entry(entry)
            if not entries:
                return
            left -= len(entries)
            after = entries[-1].number

    async def quarantine_show(self, question: Mapping[str, Any]) -> AsyncIterator[Any]:
        """``number``; with the bytes in base64."""
        number = _number(question, "number", 0)
        entries = await self._agent.outbox.quarantine(after=number - 1, limit=1)
        if not entries or entries[0].number != number:
            raise Rejected("unknown-entry", f"The quarantine has no entry {number}.")
        payload = base64.b64encode(entries[0].item.payload).decode()
        yield {**_entry(entries[0]), "payload_base64": payload}


def _row(row: Row) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "event": row.event.model_dump(mode="json", by_alias=True, exclude_none=True),
        "outcome": None if row.outcome is None else row.outcome.model_dump(mode="json"),
    }


def _entry(entry: Quarantined) -> dict[str, Any]:
    item = entry.item
    return {
        "number": entry.number,
        "device": item.device,
        "origin": item.origin,
        "recorded": item.recorded.isoformat(),
        "size": item.size,
        "code": item.code,
        "message": item.message,
        "begins": item.payload[:60].decode("utf-8", errors="backslashreplace"),
    }


def _trouble(trouble: Trouble | None) -> TroubleReport | None:
    if trouble is None:
        return None
    return TroubleReport(code=trouble.code, message=trouble.message, remedy=trouble.remedy)


def _stage(question: Mapping[str, Any]) -> Stage | None:
    stage: Stage | None = question.get("stage")
    if stage is not None and stage not in get_args(Stage):
        known = ", ".join(get_args(Stage))
        raise Rejected("bad-question", f"{stage!r} is no stage; known: {known}.")
    return stage


def _number(question: Mapping[str, Any], name: str, default: int) -> int:
    value = question.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Rejected("bad-question", f"{name} must be a number of 0 or more.")
    return value


def _free(directory: Path) -> int | None:
    try:
        room = os.statvfs(directory)
    except OSError:
        return None
    return room.f_bavail * room.f_frsize
