"""How a shift ends: everything is brought home, then Odoo's books are compared with the world."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cloud_relay.inbox.port import Entry
from tests.model.shift_world import Place

if TYPE_CHECKING:
    from tests.model.shift_machine import Shift

#: Rounds of delivery, sync and application after which a shift must be over.
MOST_ROUNDS = 30
#: Seconds that pass between two rounds: what was short of stock is tried again by then.
ROUND_S = 60.0


class ShiftWrong(AssertionError):
    """The shift did not end as it should have."""


def expect(what: str, found: object, wanted: object) -> None:
    """Raise with both sides when they differ; of mappings only what differs is shown."""
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [k for k in {**wanted, **found} if found.get(k) != wanted.get(k)]
        lines = [f"{key}: {found.get(key)} instead of {wanted.get(key)}" for key in keys]
        raise ShiftWrong(f"{what}: " + "; ".join(lines))
    raise ShiftWrong(f"{what}: {found} instead of {wanted}")


class Ending:
    """Ends one shift and judges it."""

    def __init__(self, shift: Shift) -> None:
        self.shift = shift
        self.held: dict[UUID, Entry] = {}

    def run(self) -> None:
        """Raises :class:`ShiftWrong`, with what everybody did in its notes."""
        try:
            self._run()
        except ShiftWrong as wrong:
            wrong.add_note(self._diary())
            raise

    def _diary(self) -> str:
        """Every scan in the order in which it happened."""
        said = [
            (json.loads(payload), handheld.name)
            for handheld in self.shift.devices
            for payload in handheld.payloads.values()
        ]
        lines = [
            f"{event['time'][11:19]} {name} {event['kind']} {json.dumps(event['data'])}"
            for event, name in sorted(said, key=lambda row: str(row[0]["time"]))
        ]
        return "\n".join(lines)

    def _run(self) -> None:
        self._last_acts()
        self._bring_home()
        entries = self._entries()
        self._judge_arrival(entries)
        self._judge_shared(entries)
        self._judge_books()
        self._judge_ladder()

    def _last_acts(self) -> None:
        """Transfers that were worked on are closed, and losses are found."""
        shift, world = self.shift, self.shift.world
        while any(document.lines for document in world.open.values()):
            for device in range(len(shift.devices)):
                shift.close_one(device, "cancel", 5)
        if world.shared_lines and world.shared_done is None:
            who = next(iter(world.shared_lines.values()))[1]
            shift.close_shared(shift.by_name[who], 5)
        for place in sorted(world.unnoticed):
            shift.count(shift.devices[0], place, 0, 5)

    def _bring_home(self) -> None:
        shift = self.shift
        for _ in range(MOST_ROUNDS):
            for handheld in shift.devices:
                while handheld.waiting:
                    shift.take_in(shift.hosts[handheld.home], handheld.publish(20, again=False))
            for host in shift.hosts:
                shift.floor.wait(host.sync(1000))
            while not shift.apply(10):
                pass
            self._discard_held()
            if self._quiet():
                return
            shift.clock.pass_by(ROUND_S)
        raise ShiftWrong(f"after {MOST_ROUNDS} rounds it still waits: {self._waiting()}")

    def _quiet(self) -> bool:
        wait, hosts = self.shift.floor.wait, self.shift.hosts
        sites = wait(self.shift.relay.inbox.sites())
        unrelayed = sum(wait(host.outbox.lag()).unrelayed for host in hosts)
        return not unrelayed and not sum(site.waiting for site in sites)

    def _waiting(self) -> list[str]:
        return [
            f"{entry.event.kind} of {entry.event.device} ({entry.code} {entry.message})"
            for entry in self._entries().values()
            if entry.status in ("waiting", "short")
        ]

    def _discard_held(self) -> None:
        """A person looks at what is held; anything but a latecomer is a defect."""
        shift = self.shift
        for entry in shift.floor.wait(shift.relay.inbox.held()):
            event = entry.event
            if entry.code != "document_closed" or event.id not in shift.world.shared_lines:
                raise ShiftWrong(
                    f"{event.kind} of {event.device} is held: {entry.code} {entry.message}"
                )
            self.held[event.id] = entry
            shift.floor.wait(
                shift.relay.inbox.discard(entry.number, "shift", "too late", shift.clock())
            )

    def _entries(self) -> dict[UUID, Entry]:
        shift, found = self.shift, {}
        for handheld in shift.devices:
            for event in handheld.scanned:
                entry = shift.floor.wait(shift.relay.entry(handheld.name, event))
                if entry is None:
                    raise ShiftWrong(f"{handheld.kinds[event]} of {handheld.name} is lost")
                found[event] = entry
        return found

    def _judge_arrival(self, entries: dict[UUID, Entry]) -> None:
        """Order per device is kept on the way through each agent (I3), and all have an end."""
        for handheld in self.shift.devices:
            for host in self.shift.hosts:
                mine = [entries[event] for event in handheld.scanned]
                numbers = [entry.number for entry in mine if entry.site == host.site]
                expect(f"order of {handheld.name} at {host.site}", numbers, sorted(numbers))
        for event, entry in entries.items():
            wanted = "discarded" if event in self.held else "applied"
            expect(f"status of {entry.event.kind}", entry.status, wanted)

    def _judge_shared(self, entries: dict[UUID, Entry]) -> None:
        """What came after the closing is held; what was there before and older is not."""
        world, seen = self.shift.world, self.shift.seen_before_closing
        if world.shared_done is None or seen is None:
            return
        closed, closer, _ = world.shared_done
        for event, (moment, device, quantity) in world.shared_lines.items():
            if event not in seen:
                expect(f"latecomer of {device} is held", event in self.held, True)
            elif moment < closed or (device == closer and event not in self.held):
                expect(f"scan of {device} before the closing is held", event in self.held, False)
            if event not in self.held:
                world.move(("A", "S", "", ""), quantity, "OUT")

    def _judge_books(self) -> None:
        shift, world = self.shift, self.shift.world
        books = shift.floor.books(shift.scene)
        moved = {key: float(quantity) for key, quantity in world.ledger.items() if quantity}
        expect("what was moved", books.ledger, moved)
        expect("stock", books.stock, world.figures())
        at_counts: dict[tuple[Any, Place], float] = {}
        wanted: dict[tuple[Any, Place], float] = {}
        for moment, place, found in world.counts:
            at_counts[moment, place] = books.stock_at(moment, place)
            wanted[moment, place] = float(found)
        expect("stock at the time of a count", at_counts, wanted)

    def _judge_ladder(self) -> None:
        """Each site knows what became of what it sent."""
        shift = self.shift
        for host in shift.hosts:
            shift.floor.wait(host.listen())
            for row in shift.floor.wait(host.outbox.rows(stage=None, after=0, limit=1000)):
                wanted = "discarded" if row.event.id in self.held else "applied"
                expect(f"stage of {row.event.kind} at {host.site}", row.stage, wanted)
            for device, event, code in host.bad_tones:
                expect(f"{device} heard {code} for a latecomer", event in self.held, True)
