"""Random shifts, applied in any order and in batches of any size, end with the stock of the shift.

The model below knows nothing of Odoo, of batches or of anchors: it plays the events in the order
they happened. A count says what is there; a move and a scrap take what is there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from tests.odoo.action_harness import Event, Place, Result, Scene, Warehouse

BINS = ("A", "A/1", "B", "C")
STOCK = [
    ("A", "P", 9, None, None),
    ("A", "P", 6, None, "S"),
    ("A/1", "P", 5, None, None),
    ("A", "Q", 4, "L1", None),
    ("A", "Q", 7, "L2", None),
    ("B", "Q", 3, "L1", None),
]


@pytest.fixture(scope="module")
def house(odoo_db) -> Warehouse:
    return Warehouse(odoo_db, odoo_db.stock_user)


@dataclass
class Shift:
    """A random shift, played in order as it is made."""

    scene: Scene
    chance: random.Random
    stock: dict[Place, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    counted: list[tuple[float, Place, float]] = field(default_factory=list)
    lanes: list[tuple[Event, Event]] = field(default_factory=list)
    """A scanned line with the closing of its transfer, which the relay keeps in this order."""

    def add(self, place: Place, quantity: float) -> None:
        self.stock[place] = self.stock.get(place, 0) + quantity

    def random_place(self, least: float = 0) -> Place | None:
        places = sorted(place for place, quantity in self.stock.items() if quantity >= least)
        return self.chance.choice(places) if places else None

    def play(self, count: int) -> None:
        kinds = ["count", "count", "move", "move", "move", "scrap", "pallet", "transfer"]
        for number in range(count):
            # Seconds are distinct, so that dates in Odoo tell the order too; devices take turns.
            time = 100.0 + 10 * number + self.chance.random() * 5
            device = self.chance.choice(["hand-1", "hand-2", "hand-3"])
            getattr(self, "_" + self.chance.choice(kinds))(time, device)

    def _count(self, time: float, device: str) -> None:
        bin_, good = self.chance.choice(BINS), self.chance.choice("PQ")
        lot = self.chance.choice(["L1", "L2"]) if good == "Q" else ""
        place = (bin_, good, lot, "")
        if self.chance.random() < 0.2 and (pallet := self._pallet_place()):
            place = pallet
        there = self.stock.get(place, 0)
        found = max(0, there + self.chance.choice([-3, -2, -1, 0, 0, 1, 2, 3]))
        self.stock[place] = found
        self.counted.append((time, place, found))
        bin_, good, lot, pallet_name = place
        self.events.append(
            self.scene.count(time, bin_, good, found, lot, pallet_name or None, device=device)
        )

    def _pallet_place(self) -> Place | None:
        for place, quantity in self.stock.items():
            if place[3] and quantity:
                return place
        return None

    def _move(self, time: float, device: str) -> None:
        if (place := self.random_place(1)) is None:
            return
        bin_, good, lot, pallet = place
        quantity = self.chance.randint(1, int(self.stock[place]))
        to = self.chance.choice([name for name in BINS if name != bin_])
        self.add(place, -quantity)
        self.add((to, good, lot, ""), quantity)
        self.events.append(
            self.scene.move(time, bin_, to, good, quantity, lot, pallet or None, device=device)
        )

    def _scrap(self, time: float, device: str) -> None:
        if (place := self.random_place(2)) is None:
            return
        bin_, good, lot, pallet = place
        self.add(place, -1)
        self.events.append(
            self.scene.scrap(time, bin_, good, 1, lot, pallet or None, device=device)
        )

    def _pallet(self, time: float, device: str) -> None:
        if (place := self._pallet_place()) is None:
            return
        bin_, good, lot, pallet = place
        to = self.chance.choice([name for name in BINS if name != bin_])
        self.add((to, good, lot, pallet), self.stock.pop(place))
        self.events.append(self.scene.move(time, bin_, to, pallet=pallet, device=device))

    def _transfer(self, time: float, device: str) -> None:
        """Scanned now and booked a little later: it happened when it was scanned."""
        loose = [
            place
            for place, quantity in self.stock.items()
            if quantity >= 1 and place[1] == "P" and not place[3]
        ]
        if len(self.lanes) == 2 or not loose:
            return
        place = self.chance.choice(sorted(loose))
        quantity = self.chance.randint(1, int(self.stock[place]))
        to = self.chance.choice([name for name in BINS if name != place[0]])
        self.add(place, -quantity)
        self.add((to, "P", "", ""), quantity)
        name = self.scene.transfer(place[0], to, {"P": quantity})
        line = self.scene.line(time, name, "P", quantity, source=place[0], device=device)
        done = self.scene.done(time + self.chance.choice([1, 25]), name, device=device)
        self.lanes.append((line, done))
        self.events += [line, done]

    def shuffled(self, chance: random.Random) -> list[Event]:
        """The events as they may reach Odoo."""
        events = list(self.events)
        chance.shuffle(events)
        for line, done in self.lanes:
            first, second = sorted((events.index(line), events.index(done)))
            events[first], events[second] = line, done
        return events

    def expected(self) -> dict[Place, float]:
        return {place: quantity for place, quantity in self.stock.items() if quantity}


def make_shift(house: Warehouse, seed: int, count: int) -> Shift:
    scene = house.scene(
        *BINS, nested={"A/1": "A"}, goods=("P",), pallets=["S"], tracked=("Q",),
        lots=[("Q", "L1"), ("Q", "L2")], stock=STOCK,
    )  # fmt: skip
    shift = Shift(scene, random.Random(seed))
    for bin_, good, quantity, lot, pallet in STOCK:
        shift.add((bin_, good, lot or "", pallet or ""), quantity)
    shift.play(count)
    return shift


def deliver(house: Warehouse, events: list[Event], chance: random.Random) -> list[Result]:
    """Apply the events in batches of random sizes; what lacked stock goes again with what is new,
    as the relay does it. Answers what was refused in the end."""
    waiting: list[Event] = []
    left = list(events)
    refused: list[Result] = []
    while left or waiting:
        size = chance.randint(1, 12)
        fresh, left = left[:size], left[size:]
        batch = sorted(waiting, key=lambda event: str(event["occurred"])) + fresh
        # Some of it once more: an answer that was lost on its way.
        again = chance.sample(batch, len(batch) // 4)
        results = house.apply(*batch, *again)[: len(batch)]
        refused = [row for row in results if row["status"] != "applied"]
        short = {row["key"] for row in refused if row.get("code") == "insufficient_stock"}
        assert len(short) == len(refused), refused
        before = len(waiting)
        waiting = [event for event in batch if event["key"] in short]
        if not left and len(waiting) == before and not fresh:
            break
    return refused


def check(shift: Shift) -> None:
    assert shift.scene.stock() == shift.expected()
    for time, place, found in shift.counted:
        assert shift.scene.stock_at(time).get(place, 0) == found, (time, place)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_shift_ends_alike_in_any_order_of_arrival(house: Warehouse, seed: int) -> None:
    shift = make_shift(house, seed, 30)
    chance = random.Random(seed * 1000)
    assert deliver(house, shift.shuffled(chance), chance) == []
    check(shift)


BROKEN = {
    "a count applied as the difference to today": (
        'count["delta"] = count["counted"] - figure(book, place, order)',
        'count["delta"] = count["counted"] - book["now"][place]',
    ),
    "a late movement counted twice": ("if anchor > order and", "if False and"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_shows_in_the_stock(house: Warehouse, mistake: str) -> None:
    # Stock may go below zero here, so that nothing but the figures can give the mistake away.
    shift = make_shift(house, 4, 20)
    chance = random.Random(4000)
    house.install(BROKEN[mistake])
    house.allow_negative = True
    try:
        house.apply(*shift.shuffled(chance))
        with pytest.raises(AssertionError):
            check(shift)
    finally:
        house.install()
        house.allow_negative = False
