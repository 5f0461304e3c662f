"""The agent's answers as people read them in a terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_agent.report import DeviceReport, LinkReport, Report, TroubleReport

_MIB = 1024 * 1024
#: Gaps of one device that are named; ``--json`` has all.
_MOST_GAPS = 3


def status_view(report: Report) -> RenderableType:
    """The whole state on one screen, what is wrong first."""
    parts: list[RenderableType] = []
    if complaints := list(_complaints(report)):
        parts.append(Panel(Text("\n".join(complaints)), title="needs a look", style="yellow"))
    parts.append(_facts(report))
    if report.links:
        parts.append(_links(report.links, report.clock.time))
    if report.devices:
        parts.append(_devices(report.devices, report.clock.time))
    return Group(*parts)


def _complaints(report: Report) -> Iterable[str]:
    if report.intake.state == "refused":
        yield f"Intake is refused: {report.intake.reason}"
    uplink = report.uplink
    if uplink is None:
        yield "No [uplink] is configured: events are stored here and go nowhere."
    else:
        if uplink.stopped:
            yield f"The relay told this agent to stop sending: {uplink.stopped}"
        if uplink.trouble:
            yield f"Uplink: {_sentence(uplink.trouble)}"
        if uplink.downlink_trouble and uplink.downlink_trouble.code != (
            uplink.trouble.code if uplink.trouble else ""
        ):
            yield f"Downlink: {_sentence(uplink.downlink_trouble)}"
        if uplink.odoo in ("unreachable", "stopped", "unconfigured"):
            yield f"The relay says that Odoo is {uplink.odoo}: events wait at the relay."
    yield from (f"Broker: {finding}" for finding in report.broker)
    yield from (
        f"{link.kind} {link.name} is {link.health}: {link.detail}"
        for link in report.links
        if link.health in ("down", "fault", "refused", "stopped")
    )
    # A reader with topics of its own can do no better: what it risks is in its guide.
    at_risk = [device.name for device in report.devices if device.at_risk and not device.profile]
    if at_risk:
        yield f"Forget events without waiting for our answer: {', '.join(at_risk)}."
    if report.outbox.damaged:
        yield f"{report.outbox.damaged} row(s) of the outbox changed on disk: check the disk."
    offset = report.clock.relay_offset_ms
    if offset is not None and abs(offset) > 5000:
        yield f"This host's clock is {offset / 1000:+.0f} s from the relay's: check its NTP."


def _missing(device: DeviceReport) -> str:
    """How many of its numbers never came, and which: the newest gaps."""
    if not device.gaps:
        return ""
    shown = [
        str(first) if first == last else f"{first}..{last}"
        for first, last in device.gaps[-_MOST_GAPS:]
    ]
    return f"{device.missing}: " + ", ".join(["…"] * (len(device.gaps) > _MOST_GAPS) + shown)


def _sentence(trouble: TroubleReport) -> str:
    return f"{trouble.message} {trouble.remedy}".strip()


def _facts(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    outbox, now = report.outbox, report.clock.time
    table.add_row("agent", f"{report.site}/{report.agent}, version {report.version}")
    table.add_row("running", f"for {_span((now - report.started).total_seconds())}")
    table.add_row("intake", report.intake.state)
    if report.uplink is not None:
        since = _span((now - report.uplink.since).total_seconds())
        retry = (
            f", next try in {report.uplink.retry_in_s:.0f} s" if report.uplink.retry_in_s else ""
        )
        url = escape(report.uplink.url)
        table.add_row("uplink", f"{report.uplink.link} for {since}{retry} ({url})")
        table.add_row("odoo", report.uplink.odoo)
    oldest = "" if outbox.oldest_age_s is None else f", the oldest {_span(outbox.oldest_age_s)} old"
    table.add_row("waiting for the relay", f"{outbox.unrelayed}{oldest}")
    table.add_row("without final outcome", f"{outbox.stored} ({outbox.held} held)")
    table.add_row("quarantined", str(outbox.quarantined))
    table.add_row("newest position", f"{outbox.newest_position} of generation {outbox.generation}")
    used = f"{outbox.bytes_used // _MIB} of {outbox.bytes_most // _MIB} MiB used"
    free = "" if outbox.disk_free is None else f"; disk has {outbox.disk_free // _MIB} MiB free"
    table.add_row("room", used + free)
    return table


def _links(links: Iterable[LinkReport], now: datetime) -> Table:
    table = Table("link", "kind", "state", "for", "detail", box=None, header_style="dim")
    for link in links:
        since = "" if link.since is None else _ago(link.since, now)
        # What a device said may stand in it, and would be taken for markup.
        table.add_row(link.name, link.kind, link.health, since, Text(link.detail))
    return table


def _devices(devices: Iterable[DeviceReport], now: datetime) -> Table:
    table = Table(
        *("device", "class", "profile", "station", "state", "seen", "missing", "clock"),
        box=None,
        header_style="dim",
    )
    for device in devices:
        clock = "not measured" if device.transport == "mqtt" else ""
        if device.clock_offset_ms is not None:
            clock = f"{device.clock_offset_ms / 1000:+.1f} s"
            if device.clock_uncertainty_ms is not None:
                clock += f" ± {device.clock_uncertainty_ms / 1000:.1f}"
        table.add_row(
            device.name,
            device.device_class,
            device.profile,
            device.station or "",
            _state(device),
            "" if device.last_seen is None else _ago(device.last_seen, now),
            _missing(device),
            clock,
        )
    return table


def _state(device: DeviceReport) -> str:
    boot = "" if device.boot is None else f", boot {device.boot}"
    return device.state + boot + (" (at risk)" if device.at_risk else "")


def rows_view(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("position", "recorded", "device", "kind", "stage", "event", "why", box=None)
    for row in rows:
        event, outcome = row["event"], row["outcome"] or {}
        table.add_row(
            str(int(event["position"])),
            event["recordedtime"][:19],
            event["source"].rpartition("/")[2],
            event["type"].removeprefix("warehouse.").removesuffix(".v1"),
            row["stage"],
            event["id"],
            outcome.get("code", ""),
        )
    return table


def quarantine_view(entries: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("number", "recorded", "device", "bytes", "why", "begins", box=None)
    for entry in entries:
        table.add_row(
            str(entry["number"]),
            entry["recorded"][:19],
            entry["device"],
            str(entry["size"]),
            Text(entry["message"]),
            Text(entry["begins"]),
        )
    return table


def payload_view(entry: Mapping[str, Any]) -> RenderableType:
    payload = base64.b64decode(entry["payload_base64"])
    head = f"Entry {entry['number']} of {entry['device']} ({entry['origin']}): {entry['message']}"
    kept = "" if len(payload) == entry["size"] else f" (the first {len(payload)} are kept)"
    text = payload.decode("utf-8", errors="backslashreplace")
    return Group(Text(head), Text(f"{entry['size']} bytes{kept}:"), Text(text))


def _ago(then: datetime, now: datetime) -> str:
    return _span((now.astimezone(UTC) - then.astimezone(UTC)).total_seconds())


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"
