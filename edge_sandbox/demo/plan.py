"""A shift planned from a seed: who does what when, and what the warehouse then really holds.

Pure: the same seed gives the same shift. Every step is checked against the physical world while it
is planned, so nobody takes goods that are not there. What the plan *reports* may be wrong on
purpose in three ways a warehouse knows: a scan taken back, a scan that Odoo must refuse, and goods
that vanish and are found missing by a count.

A count and other people's movements of the same goods keep :data:`QUIET` seconds apart: clocks are
known only to an uncertainty, and which of two events within it came first is nobody's to say.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from edge_sandbox.demo.world import CUSTOMER, GONE, SUPPLIER, Goods, Product, World

DOCK, STAGING = "WH/Stock/Dock", "WH/Staging"
BINS = tuple(f"WH/Stock/{row}{n}" for row in "ABC" for n in range(1, 5))
#: Seconds (of the plan) between a count and movements of the same goods by other devices.
QUIET = 4.0

CATALOGUE = (
    Product("bolt", "Hex bolt M8", "4006381333931"),
    Product("nut", "Hex nut M8", "4006381333948"),
    Product("glove", "Work gloves", "4006381333955"),
    Product("paint", "White paint 5 l", "04006381333962", tracking="lot"),
    Product("glue", "Wood glue", "04006381333979", tracking="lot"),
    Product("drill", "Cordless drill", "4006381333986", tracking="serial"),
    Product("sand", "Quartz sand", "4006381333993", weighed=True),
)
PRODUCTS = {product.key: product for product in CATALOGUE}

#: A forklift whose terminal runs an app of another maker, and the scanner of the packing bench.
LIFT, BENCH = "lift-1", "bench-1"

DocumentKind = Literal["receipt", "pick", "ship", "delivery"]


@dataclass(slots=True)
class PlannedDocument:
    """A transfer that the office makes before the shift."""

    key: str
    kind: DocumentKind
    demand: dict[str, Decimal] = field(default_factory=dict)
    """product → quantity asked for."""
    closes: bool = True
    """Whether the shift validates it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a person does. ``data`` names documents by their planned key."""

    at: float
    """Seconds after the start of the shift."""
    device: str
    kind: str
    data: dict[str, Any]
    event: uuid.UUID
    expect: Literal["applied", "held", "quarantined"] = "applied"


@dataclass(slots=True)
class Plan:
    """A shift with its ground truth."""

    seed: int
    initial: dict[tuple[str, Goods], Decimal]
    documents: dict[str, PlannedDocument]
    steps: list[Step]
    world: World
    """The world at the end of the shift."""

    @property
    def seconds(self) -> float:
        return self.steps[-1].at


def plan_shift(seed: int, scans: int, pace: float) -> Plan:
    """A shift of about ``scans`` events, one every ``pace`` seconds on average."""
    return _Planner(seed, scans, pace).plan()


Job = Iterator[None]


class _Planner:
    """Interleaves the jobs of the people on the floor; one ``yield`` is one scan."""

    def __init__(self, seed: int, scans: int, pace: float) -> None:
        self.rng = random.Random(seed)
        self.seed, self.scans, self.pace = seed, scans, pace
        self.now = 0.0
        self.world = World()
        self.initial: dict[tuple[str, Goods], Decimal] = {}
        self.documents: dict[str, PlannedDocument] = {}
        self.steps: list[Step] = []
        self.promised: dict[tuple[str, Goods], Decimal] = {}
        self.touched: dict[tuple[str, Goods], float] = {}
        self.quiet_until: dict[tuple[str, Goods], float] = {}
        self.staged: list[list[tuple[Goods, Decimal]]] = []
        self.numbers = {"lot": 0, "serial": 0, "package": 0}

    def plan(self) -> Plan:
        self._stock_the_shelves()
        crews: dict[str, Job] = {
            "dock-1": self._forever("dock-1", [self._receive, self._receive, self._bad_scan]),
            "floor-1": self._forever("floor-1", [self._put_away, self._put_away, self._pick]),
            "floor-2": self._forever("floor-2", [self._pick, self._count, self._scrap]),
            "pack-1": self._forever("pack-1", [self._ship, self._ship, self._deliver]),
            LIFT: self._forever(LIFT, [self._put_away]),
        }
        done: set[str] = set()
        while len(done) < len(crews):
            device = self.rng.choice(sorted(set(crews) - done))
            if next(crews[device], done) is done:
                done.add(device)
        return Plan(self.seed, self.initial, self.documents, self.steps, self.world)

    # -- the crews ---------------------------------------------------------------------------

    def _forever(self, device: str, jobs: list[Any]) -> Job:
        """One person's shift: a job after the other until the scans are used up."""
        idle = 0
        while len(self.steps) < self.scans and idle < 1000:
            before = len(self.steps)
            yield from self.rng.choice(jobs)(device)
            idle = idle + 1 if len(self.steps) == before else 0
            yield
        if device == "pack-1":
            while self.staged:
                yield from self._ship(device)

    def _receive(self, device: str) -> Job:
        document = self._document("receipt")
        partial = self.rng.random() < 0.3
        for product in self.rng.sample(CATALOGUE, self.rng.randint(1, 3)):
            lots = self._new_lots(product)
            wanted = sum((quantity for _, quantity in lots), Decimal(0))
            missing = Decimal(2) if partial and product.tracking == "none" else Decimal(0)
            document.demand[product.key] = wanted + missing
            for lot, quantity in lots:
                for part in self._parts(product, quantity):
                    goods = Goods(product.key, lot)
                    yield from self._line(device, document, goods, part, SUPPLIER, DOCK)
        yield from self._close(device, document)

    def _put_away(self, device: str) -> Job:
        choice = self._choose(DOCK)
        if choice is None:
            return
        goods, quantity = choice
        target = self.rng.choice(BINS)
        if not self._calm(target, goods):
            return
        self._promise(DOCK, goods, quantity)
        yield
        self._unpromise(DOCK, goods, quantity)
        data = {**self._named(goods), "quantity": str(quantity), "from": DOCK, "to": target}
        self._move(goods, quantity, DOCK, target)
        self._step(device, "stock.moved", data)

    def _pick(self, device: str) -> Job:
        document = self._document("pick")
        picked: list[tuple[Goods, Decimal]] = []
        short = self.rng.random() < 0.3
        for _ in range(self.rng.randint(1, 3)):
            source = self.rng.choice(BINS)
            choice = self._choose(source)
            if choice is None or choice[0].product in document.demand:
                continue
            goods, quantity = choice
            extra = Decimal(3) if short and PRODUCTS[goods.product].tracking == "none" else 0
            document.demand[goods.product] = quantity + extra
            self._promise(source, goods, quantity)
            for part in self._parts(PRODUCTS[goods.product], quantity):
                yield
                self._unpromise(source, goods, part)
                yield from self._line(device, document, goods, part, source, STAGING)
            picked.append((goods, quantity))
        if not picked:
            del self.documents[document.key]
            return
        for goods, quantity in picked:
            self._promise(STAGING, goods, quantity)
        yield from self._close(device, document)
        self.staged.append(picked)

    def _ship(self, device: str) -> Job:
        if not self.staged:
            return
        yield from self._send_off(
            device, "ship", [(goods, quantity, STAGING) for goods, quantity in self.staged.pop(0)]
        )

    def _deliver(self, device: str) -> Job:
        source = self.rng.choice(BINS)
        choice = self._choose(source)
        if choice is None:
            return
        self._promise(source, *choice)
        yield from self._send_off(device, "delivery", [(*choice, source)])

    def _send_off(
        self, device: str, kind: DocumentKind, load: list[tuple[Goods, Decimal, str]]
    ) -> Job:
        document = self._document(kind)
        for goods, quantity, source in load:
            document.demand[goods.product] = quantity
            yield
            self._unpromise(source, goods, quantity)
            yield from self._line(device, document, goods, quantity, source, CUSTOMER)
        if self.rng.random() < 0.6:
            parcel = self._number("package", "PARCEL")
            weight = {"weight": f"{self.rng.randint(500, 20000) / 1000:.3f}", "weight_uom": "KGM"}
            yield
            self._step(BENCH, "scan.read", {"barcode": parcel})
            yield
            reference = {"document": document.key, "package": parcel}
            self._step(device, "package.packed", {**reference, **weight})
            yield
            label = {**reference, "printer": "label-1", "copies": 1, "proof": 2}
            self._step(device, "label.printed", label)
        yield from self._close(device, document)

    def _count(self, device: str) -> Job:
        place = self.rng.choice(BINS)
        here = [g for g in self.world.at(place) if self._calm(place, g) and not g.package]
        if not here:
            return
        goods = self.rng.choice(here)
        since = self.touched.get((place, goods))
        if since is not None and self.now - since < QUIET:
            return
        free = self._free(place, goods)
        if self.rng.random() < 0.5 and free >= 1 and PRODUCTS[goods.product].tracking != "serial":
            self.world.vanish(place, goods, Decimal(self.rng.choice((1, 1, -1))))
        figure = self.world.on(place, goods)
        data = {"location": place, **self._named(goods), "quantity": str(figure)}
        self._step(device, "count.recorded", data)
        self.quiet_until[place, goods] = self.now + QUIET
        yield

    def _scrap(self, device: str) -> Job:
        place = self.rng.choice(BINS)
        choice = self._choose(place)
        if choice is None or self.rng.random() < 0.5:
            return
        goods = choice[0]
        one = Decimal(1)
        data = {"location": place, **self._named(goods), "quantity": "1", "reason": "damaged"}
        self._move(goods, one, place, GONE)
        self._step(device, "scrap.recorded", data)
        yield

    def _bad_scan(self, device: str) -> Job:
        """What Odoo must refuse: it is held, and nobody else waits for it."""
        if self.rng.random() < 0.8:
            return
        wrong = self.rng.choice(
            [
                {"location": BINS[0], "barcode": "9999999999994", "quantity": "1"},
                {"location": "WH/Stock/Z9", "barcode": CATALOGUE[0].barcode, "quantity": "1"},
            ]
        )
        self._step(device, "scrap.recorded", wrong, expect="held")
        yield

    # -- what the jobs are made of -----------------------------------------------------------

    def _line(
        self,
        device: str,
        document: PlannedDocument,
        goods: Goods,
        quantity: Decimal,
        source: str,
        destination: str,
    ) -> Job:
        data: dict[str, Any] = {
            "document": document.key,
            **self._named(goods),
            "quantity": str(quantity),
        }
        if source != SUPPLIER:
            data["from"] = source
        if destination != CUSTOMER:
            data["to"] = destination
        if quantity >= 2 and self.rng.random() < 0.05:
            # A slip of the thumb: more was keyed in than was taken, and the scan is taken back.
            slip = self._step(device, "transfer.line", {**data, "quantity": "1"})
            yield
            self._step(device, "event.reversed", {"event": str(slip), "reason": "mistyped"})
            yield
        self._move(goods, quantity, source, destination)
        self._step(device, "transfer.line", data)
        yield

    def _close(self, device: str, document: PlannedDocument) -> Job:
        backorder = self.rng.choice(("create", "cancel"))
        self._step(device, "transfer.done", {"document": document.key, "backorder": backorder})
        yield

    def _step(
        self,
        device: str,
        kind: str,
        data: dict[str, Any],
        expect: Literal["applied", "held", "quarantined"] = "applied",
    ) -> uuid.UUID:
        event = uuid.UUID(int=self.rng.getrandbits(128), version=4)
        self.steps.append(Step(self.now, device, kind, data, event, expect))
        self.now += self.pace * self.rng.uniform(0.5, 1.5)
        return event

    def _move(self, goods: Goods, quantity: Decimal, source: str, destination: str) -> None:
        self.world.move(goods, quantity, source, destination)
        for place in (source, destination):
            self.touched[place, goods] = self.now

    def _named(self, goods: Goods) -> dict[str, Any]:
        """How a scanner reads the goods: a plain barcode, or a GS1 string with the lot in it."""
        product = PRODUCTS[goods.product]
        if goods.lot and product.tracking == "lot" and self.rng.random() < 0.5:
            return {"barcode": f"]C101{product.barcode}10{goods.lot}"}
        named = {"barcode": product.barcode}
        return {**named, "lot": goods.lot} if goods.lot else named

    def _parts(self, product: Product, quantity: Decimal) -> list[Decimal]:
        """The scans that make up one line."""
        if product.tracking == "serial" or quantity < 4 or product.weighed:
            return [quantity]
        first = Decimal(self.rng.randint(1, int(quantity) - 1))
        return [first, quantity - first]

    def _choose(self, place: str) -> tuple[Goods, Decimal] | None:
        """Something loose that lies free at a place, with how much of it to take."""
        free = [
            (goods, self._free(place, goods))
            for goods in self.world.at(place)
            if not goods.package and self._calm(place, goods)
        ]
        free = [(goods, quantity) for goods, quantity in free if quantity >= 1]
        if not free:
            return None
        goods, quantity = self.rng.choice(free)
        return goods, Decimal(self.rng.randint(1, min(int(quantity), 8)))

    def _free(self, place: str, goods: Goods) -> Decimal:
        return self.world.on(place, goods) - self.promised.get((place, goods), Decimal(0))

    def _calm(self, place: str, goods: Goods) -> bool:
        return (
            self.quiet_until.get((place, goods), -1.0) < self.now
            and self.promised.get((place, goods), Decimal(0)) == 0
        )

    def _promise(self, place: str, goods: Goods, quantity: Decimal) -> None:
        self.promised[place, goods] = self.promised.get((place, goods), Decimal(0)) + quantity

    def _unpromise(self, place: str, goods: Goods, quantity: Decimal) -> None:
        self.promised[place, goods] -= quantity

    def _document(self, kind: DocumentKind) -> PlannedDocument:
        key = f"{kind}-{len(self.documents) + 1}-{self.rng.getrandbits(16):04x}"
        self.documents[key] = PlannedDocument(key, kind)
        return self.documents[key]

    def _new_lots(self, product: Product) -> list[tuple[str, Decimal]]:
        if product.tracking == "serial":
            return [(self._number("serial", "SN"), Decimal(1)) for _ in range(2)]
        quantity = Decimal(self.rng.randint(4, 20))
        if product.weighed:
            quantity += Decimal(self.rng.randint(1, 99)) / 100  # Odoo keeps two digits
        return [(self._number("lot", "L") if product.tracking == "lot" else "", quantity)]

    def _number(self, counter: str, prefix: str) -> str:
        self.numbers[counter] += 1
        return f"{prefix}{self.seed % 1000:03d}{self.numbers[counter]:04d}"

    def _stock_the_shelves(self) -> None:
        for place in BINS:
            for product in self.rng.sample(CATALOGUE, 3):
                for lot, quantity in self._new_lots(product):
                    self.world.stock[place, Goods(product.key, lot)] += quantity
        self.initial = dict(self.world.stock)
