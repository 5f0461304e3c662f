"""What people may ask of the running relay, and what they may do, on the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from cloud_relay.inbox.port import Entry, Inbox
from cloud_relay.intake import reports
from cloud_relay.local_socket import Command
from cloud_relay.odoo.applier import TargetApplier
from edge_contract.errors import Rejected
from edge_contract.event import Identifier

_DEVICE: TypeAdapter[str] = TypeAdapter(Identifier)

Fields = Mapping[str, Any]


class Control:
    """The commands of the local socket; each gets the user who asks."""

    def __init__(
        self,
        inbox: Inbox,
        appliers: Mapping[str, TargetApplier],
        sites: Mapping[str, str],
        version: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``sites`` names the target of each site."""
        self._inbox = inbox
        self._appliers = appliers
        self._sites = sites
        self._version = version
        self._clock = clock

    def commands(self) -> dict[str, Command]:
        return {
            "status": self._status,
            "sites": self._list_sites,
            "event": self._event,
            "held.list": self._held,
            "held.show": self._show,
            "held.replay": self._replay,
            "held.discard": self._discard,
            "held.aside": self._set_aside,
            "targets.list": self._targets,
            "targets.resume": self._resume,
            "alarms.list": self._alarms,
            "alarms.clear": self._clear_alarm,
            "devices.enrol": self._enrol,
            "audit": self._audit,
        }

    async def _status(self, user: str, fields: Fields) -> Any:
        return {
            "version": self._version,
            "time": reports.instant(self._clock()),
            "targets": await self._targets(user, fields),
            "alarms": len(await self._inbox.alarms()),
        }

    async def _list_sites(self, user: str, fields: Fields) -> Any:
        lags = await self._inbox.sites()
        heard = {lag.site for lag in lags}
        rows = [reports.site(lag, self._sites.get(lag.site, "")) for lag in lags]
        rows += [reports.silent(*item) for item in self._sites.items() if item[0] not in heard]
        return sorted(rows, key=lambda row: str(row["site"]))

    async def _event(self, user: str, fields: Fields) -> Any:
        device, event = str(fields["device"]), _event_id(fields["event"])
        entry = await self._inbox.entry(device, event)
        if entry is None:
            raise Rejected(
                "unknown_event",
                f"No event {event} of device {device} arrived here; it may still be in its agent's "
                "outbox (edge-agent outbox show).",
            )
        return reports.ladder(entry, await self._inbox.ladder(device, event))

    async def _held(self, user: str, fields: Fields) -> Any:
        entries = await self._inbox.held(await self._site(fields))
        return [await self._with_behind(entry) for entry in entries]

    async def _show(self, user: str, fields: Fields) -> Any:
        number = int(fields["number"])
        entry = await self._inbox.numbered(number)
        if entry is None:
            raise Rejected(
                "unknown_entry",
                f"There is no event with the number {number}: `held list` shows those there are.",
            )
        steps = await self._inbox.ladder(entry.event.device, entry.event.id)
        return {**reports.ladder(entry, steps), **await self._with_behind(entry)}

    async def _replay(self, user: str, fields: Fields) -> Any:
        numbers = [int(number) for number in fields.get("numbers", ())]
        if fields.get("all"):
            # What a supervisor set aside stays there until it is named.
            numbers = [
                entry.number
                for entry in await self._inbox.held(await self._site(fields))
                if entry.status == "held" and entry.code != "foreign_device"
            ]
        return {"replayed": await self._inbox.replay(numbers, user, self._clock())}

    async def _discard(self, user: str, fields: Fields) -> Any:
        number, reason = int(fields["number"]), _reason(fields)
        await self._inbox.discard(number, user, reason, self._clock())
        return {"discarded": number}

    async def _set_aside(self, user: str, fields: Fields) -> Any:
        number, reason = int(fields["number"]), _reason(fields)
        await self._inbox.set_aside(number, user, reason, self._clock())
        return {"aside": number}

    async def _targets(self, user: str, fields: Fields) -> Any:
        return [applier.status().model_dump(mode="json") for applier in self._appliers.values()]

    async def _resume(self, user: str, fields: Fields) -> Any:
        name = str(fields["target"])
        applier = self._appliers.get(name)
        if applier is None:
            known = ", ".join(self._appliers)
            raise Rejected("unknown_target", f"There is no target {name}; there is: {known}.")
        since = fields.get("replay_since")
        requeued = await applier.resume(
            user,
            None if since is None else datetime.fromisoformat(str(since)).astimezone(UTC),
            bool(fields.get("new_database")),
        )
        return {"resumed": name, "requeued": requeued}

    async def _alarms(self, user: str, fields: Fields) -> Any:
        return [reports.alarm(alarm) for alarm in await self._inbox.alarms()]

    async def _clear_alarm(self, user: str, fields: Fields) -> Any:
        key = str(fields["key"])
        if key not in {alarm.key for alarm in await self._inbox.alarms()}:
            raise Rejected(
                "unknown_alarm", f"There is no alarm {key}: `alarms list` shows the keys."
            )
        await self._inbox.clear_alarm(key, user, self._clock())
        return {"cleared": key}

    async def _enrol(self, user: str, fields: Fields) -> Any:
        device, target = _device(fields["device"]), str(fields["target"])
        if target not in self._appliers:
            known = ", ".join(self._appliers)
            raise Rejected("unknown_target", f"There is no target {target}; there is: {known}.")
        await self._inbox.enrol(device, target, user, self._clock())
        return {"enrolled": device, "target": target}

    async def _audit(self, user: str, fields: Fields) -> Any:
        return [
            {
                "at": reports.instant(did.at),
                "by": did.by,
                "action": did.action,
                "subject": did.subject,
                "reason": did.reason,
            }
            for did in await self._inbox.audit(int(fields.get("limit", 50)))
        ]

    async def _site(self, fields: Fields) -> str | None:
        site = fields.get("site")
        if site is None or site in self._sites:
            return site
        heard = {lag.site for lag in await self._inbox.sites()}
        if site not in heard:
            known = ", ".join(sorted({*self._sites, *heard}))
            raise Rejected("unknown_site", f"There is no site {site}; there is: {known}.")
        return str(site)

    async def _with_behind(self, entry: Entry) -> dict[str, Any]:
        behind = await self._inbox.behind(entry.number)
        return {**reports.entry(entry), "behind": behind}


def _device(name: Any) -> str:
    try:
        return _DEVICE.validate_python(name)
    except ValidationError:
        raise Rejected(
            "bad_device",
            f"{name!r} is no name of a device: small letters, digits, dots and dashes.",
        ) from None


def _event_id(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise Rejected(
            "bad_event",
            f"{text!r} is no id of an event: it is a UUID, as the device or `held show` names it.",
        ) from None


def _reason(fields: Fields) -> str:
    reason = str(fields.get("reason") or "").strip()
    if not reason:
        raise Rejected("reason_needed", "Say why, for the record: --reason TEXT.")
    return reason
