"""What the people of a shift do: each rule changes the world and leaves an event on a handheld."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.model.shift_handheld import Handheld
from tests.model.shift_process import WorldClock
from tests.model.shift_scene import Scene
from tests.model.shift_world import (
    CUSTOMER,
    GONE,
    LOTS,
    NEW_LOT,
    PALLET,
    SHELVES,
    SUPPLIER,
    Place,
    World,
)

DEVICES = ("dock", "fork", "pack")

devices = st.integers(0, len(DEVICES) - 1)
picks = st.integers(0, 30)
shelves = st.sampled_from(SHELVES)
#: Seconds until the next thing happens: more than one, because Odoo keeps whole seconds.
gaps = st.integers(2, 90)


class People(RuleBasedStateMachine):
    """The half of the machine that never touches a computer."""

    scene: Scene
    clock: WorldClock

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.devices = [Handheld(name) for name in DEVICES]
        self.by_name = {device.name: device for device in self.devices}

    def _scan(self, device: Handheld, kind: str, gap: int, **data: Any) -> UUID:
        event = device.scan(kind, data, self.clock())
        self.clock.pass_by(gap)
        return event

    def _named(self, place: Place, quantity: int) -> dict[str, Any]:
        _, good, lot, package = place
        named = {"barcode": self.scene.label(good), "quantity": str(quantity), "lot": lot}
        return named | {"package": self.scene.label(package) if package else ""}

    def _from(self, places: list[Place], pick: int, least: int = 1) -> tuple[Place, int] | None:
        if not places:
            return None
        place = places[pick % len(places)]
        return place, least + pick % min(5, self.world.free(place) - least + 1)

    @rule(device=devices, pick=picks, to=shelves, gap=gaps)
    def carries(self, device: int, pick: int, to: str, gap: int) -> None:
        """From one place to another, off the pallet too."""
        chosen = self._from([p for p in self.world.offers(packed=None) if p[0] != to], pick)
        if chosen is None:
            return
        place, quantity = chosen
        self.world.move(place, quantity, to)
        ends = {"from": self.scene.label(place[0]), "to": self.scene.label(to)}
        self._scan(self.devices[device], "stock.moved", gap, **ends, **self._named(place, quantity))

    @rule(device=devices, to=shelves, gap=gaps)
    def drives_the_pallet(self, device: int, to: str, gap: int) -> None:
        on = [place for place in self.world.offers(packed=True) if place[0] != to]
        if not on:
            return
        [place] = on
        self.world.move(place, self.world.stock[place], to, whole=True)
        ends = {"from": self.scene.label(place[0]), "to": self.scene.label(to)}
        package = self.scene.label(PALLET)
        self._scan(self.devices[device], "stock.moved", gap, **ends, package=package)

    @rule(device=devices, pick=picks, wrong=st.sampled_from((0, 0, 0, -2, -1, 1, 3)), gap=gaps)
    def counts(self, device: int, pick: int, wrong: int, gap: int) -> None:
        places = [(bin_, "P", "", "") for bin_ in SHELVES]
        places += [(bin_, "Q", lot, "") for bin_ in SHELVES for lot in LOTS]
        places += self.world.offers(packed=True)
        self.count(self.devices[device], places[pick % len(places)], wrong, gap)

    def count(self, device: Handheld, place: Place, wrong: int, gap: int) -> None:
        found = self.world.count(place, wrong, self.clock())
        where = self.scene.label(place[0])
        self._scan(device, "count.recorded", gap, location=where, **self._named(place, found))

    @rule(pick=picks)
    def somebody_steals(self, pick: int) -> None:
        chosen = self._from(self.world.offers(), pick)
        if chosen is not None:
            self.world.lose(chosen[0])

    @rule(device=devices, pick=picks, gap=gaps)
    def scraps(self, device: int, pick: int, gap: int) -> None:
        chosen = self._from(self.world.offers(packed=None), pick)
        if chosen is None:
            return
        place, _ = chosen
        self.world.move(place, 1, GONE)
        where = self.scene.label(place[0])
        self._scan(
            self.devices[device], "scrap.recorded", gap, location=where, **self._named(place, 1)
        )

    @rule(
        device=devices, kind=st.sampled_from(("receipt", "pick", "delivery")), pick=picks,
        to=shelves, slips=st.sampled_from((False, False, False, True)), gap=gaps,
    )  # fmt: skip
    def works_on_a_transfer(
        self, device: int, kind: str, pick: int, to: str, slips: bool, gap: int
    ) -> None:
        """One line of it; ``slips``: a line that was never carried, and is taken back."""
        handheld = self.devices[device]
        document = self.world.document(handheld.name, kind)
        if document is None:
            return
        if kind == "receipt":
            goods = [("P", ""), ("Q", LOTS[0]), ("Q", NEW_LOT)]
            offers = [(SUPPLIER, *what, "") for what in goods if document.left[what[0]]]
        else:
            offers = [
                place
                for place in self.world.offers(packed=None)
                if document.left[place[1]] and place[0] in SHELVES
            ]
        if not offers:
            return
        place = offers[pick % len(offers)]
        most = document.left[place[1]]
        if place[0] != SUPPLIER:
            most = min(most, self.world.free(place))
        quantity = 1 + pick % min(5, most)
        end = {"receipt": to, "pick": "OUT", "delivery": CUSTOMER}[kind]
        data = {
            "document": self.scene.documents[document.name],
            "from": "" if kind == "receipt" else self.scene.label(place[0]),
            "to": "" if kind == "delivery" else self.scene.label(end),
            **self._named(place, quantity),
        }
        if slips:
            event = self._scan(handheld, "transfer.line", gap, **data)
            self._scan(handheld, "event.reversed", gap, event=str(event), reason="mistyped")
            return
        self.world.move(place, quantity, end)
        document.left[place[1]] -= quantity
        document.lines += 1
        if kind == "pick":
            document.carried[end, place[1], place[2], ""] += quantity
        self._scan(handheld, "transfer.line", gap, **data)

    @rule(device=devices, rest=st.sampled_from(("create", "cancel")), gap=gaps)
    def closes_a_transfer(self, device: int, rest: str, gap: int) -> None:
        self.close_one(device, rest, gap)

    def close_one(self, device: int, rest: str, gap: int) -> None:
        """Close the oldest transfer that the person has recorded something on."""
        handheld = self.devices[device]
        for (who, kind), document in list(self.world.open.items()):
            if who == handheld.name and document.lines:
                del self.world.open[who, kind]
                name = self.scene.documents[document.name]
                self._scan(handheld, "transfer.done", gap, document=name, backorder=rest)
                return

    @rule(device=devices, quantity=st.integers(1, 3), gap=gaps)
    def helps_on_the_shared_transfer(self, device: int, quantity: int, gap: int) -> None:
        """Also after another one has closed it, unaware: that is held, or was faster after all."""
        handheld = self.devices[device]
        if sum(row[2] for row in self.world.shared_lines.values()) + quantity > 60:
            return
        moment = self.clock()
        event = self._scan(
            handheld, "transfer.line", gap,
            document=self.scene.documents["shared"], **self._named(("A", "S", "", ""), quantity),
            **{"from": self.scene.label("A")},
        )  # fmt: skip
        self.world.shared_lines[event] = (moment, handheld.name, quantity)

    @rule(device=devices, gap=gaps)
    def closes_the_shared_transfer(self, device: int, gap: int) -> None:
        handheld = self.devices[device]
        mine = [row for row in self.world.shared_lines.values() if row[1] == handheld.name]
        if self.world.shared_done is None and mine:
            self.close_shared(handheld, gap)

    def close_shared(self, handheld: Handheld, gap: int) -> None:
        moment = self.clock()
        name = self.scene.documents["shared"]
        event = self._scan(handheld, "transfer.done", gap, document=name, backorder="cancel")
        self.world.shared_done = (moment, handheld.name, event)
