"""Apply rate: one batch through the server action, beside one JSON-2 call for each event.

Method. A real Odoo 19 (one process, PostgreSQL on the same machine) and a database of its own. For
each kind of work a batch as the relay sends it and a number of direct calls take turns; both have
the same kind of goods, places and transfers, made beforehand. The direct integration is a good one:
it knows the ids of everything already, keeps nothing that would make a repeat safe, and each event
is the one call that does the work:

- a **count** writes ``inventory_quantity_auto_apply`` of the quant (with a manager's key, because a
  stock user may not): the figure replaces what Odoo has, whatever moved since it was taken;
- a **pick line** writes ``quantity`` and ``picked`` of the reserved move line;
- a **receipt** of three lines is three such calls and a ``button_validate``;
- a **move** creates a transfer with its line and validates it: two calls.

The **mixed backlog** is what handhelds out of reach bring back: deliveries of five lines scanned
piece by piece (three of each) and closed, receipts scanned twice a line and closed, counts and
moves, the documents in turns. There our side gains from writing once what was scanned three times.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.figures import Aim, Figure, paired
from benchmarks.shop import Shelf, Shop, Transfer, opened_shop
from benchmarks.stage import Stage
from cloud_relay.odoo.port import OdooEvent
from edge_sandbox.odoo_floor import done, event, line

AIM = Aim("ratio", "≥", 5)

#: A side's work of one repetition: what to do, and how many units that is.
Work = tuple[Callable[[], None], int]


def run(stage: Stage) -> list[Figure]:
    figures = []
    with opened_shop(stage, "apply") as shop:
        for what, unit, works in (
            ("counts", "counts/s", counts(shop, stage)),
            ("pick lines", "lines/s", picks(shop, stage)),
            ("receipts of three lines", "receipts/s", receipts(shop, stage)),
            ("mixed backlog", "events/s", mixed(shop, stage)),
        ):
            ours: list[float] = []
            direct: list[float] = []
            for number, (batch, calls) in enumerate(works, 1):
                stage.say(f"apply: {what}, repetition {number}")
                sides = [(batch, ours), (calls, direct)]
                for (act, units), rates in sides if number % 2 else sides[::-1]:
                    begin = time.perf_counter()
                    act()
                    rates.append(units / (time.perf_counter() - begin))
            size = "" if what == "mixed backlog" else ", one batch"
            figures.append(
                paired(f"{what} applied{size}", unit, ours, direct, "one call an event", AIM)
            )
    return figures


def repetitions(stage: Stage) -> range:
    return range(stage.size(3, 1))


def counts(shop: Shop, stage: Stage) -> Iterator[tuple[Work, Work]]:
    batch, calls = stage.size((150, 30), (20, 5))
    stage.say("apply: shelves to count are made")
    shelves = shop.shelves(batch + calls, 100)
    for repetition in repetitions(stage):
        found = 99 - repetition
        events = [count(shelf, found) for shelf in shelves[:batch]]

        def direct(found: int = found) -> None:
            for shelf in shelves[batch:]:
                count_directly(shop, shelf, found)

        yield (partial(shop.apply, events), batch), (direct, calls)


def picks(shop: Shop, stage: Stage) -> Iterator[tuple[Work, Work]]:
    batch, calls = stage.size((15, 4), (2, 1))
    goods = shop.goods(10)
    shop.stocked(goods, 10_000)
    for _ in repetitions(stage):
        stage.say("apply: deliveries are made")
        deliveries = shop.transfers("outgoing", batch + calls, goods, 2)
        events = [
            line(transfer.name, one.barcode, f"{one.quantity:g}")
            for transfer in deliveries[:batch]
            for one in transfer.lines
        ]
        written = deliveries[batch:]

        def direct(written: Sequence[Transfer] = written) -> None:
            for transfer in written:
                for one in transfer.lines:
                    pick_directly(shop, one.id, one.quantity)

        ours = (partial(shop.apply, events), len(events))
        yield ours, (direct, sum(len(transfer.lines) for transfer in written))


def receipts(shop: Shop, stage: Stage) -> Iterator[tuple[Work, Work]]:
    batch, calls = stage.size((36, 6), (5, 2))
    goods = shop.goods(3)
    for _ in repetitions(stage):
        stage.say("apply: receipts are made")
        expected = shop.transfers("incoming", batch + calls, goods, 4)
        events = list(itertools.chain(*(scans(transfer, 1) for transfer in expected[:batch])))

        def direct(taken: Sequence[Transfer] = expected[batch:]) -> None:
            for transfer in taken:
                for one in transfer.lines:
                    pick_directly(shop, one.id, one.quantity)
                shop.validate(transfer.id)

        yield (partial(shop.apply, events), batch), (direct, calls)


def mixed(shop: Shop, stage: Stage) -> Iterator[tuple[Work, Work]]:
    batch, calls = stage.size((5, 1), (2, 1))
    goods = shop.goods(8)
    shop.stocked(goods, 10_000)
    counted, taken = shop.shelves(2 * (batch + calls), 100), shop.shelves(2 * (batch + calls), 100)
    place = shop.places(1)[0]
    moves = [shop.move_values(shelf, place, 1) for shelf in taken[2 * batch :]]
    for repetition in repetitions(stage):
        stage.say("apply: a mixed backlog is made")
        out = shop.transfers("outgoing", batch + calls, goods[:5], 3)
        into = shop.transfers("incoming", batch + calls, goods[5:], 2)
        found = 90 - 2 * repetition
        streams = [
            *(scans(transfer, 3) for transfer in out[:batch]),
            *(scans(transfer, 2) for transfer in into[:batch]),
            [count(shelf, found) for shelf in counted[: 2 * batch]],
            [move(shelf, place) for shelf in taken[: 2 * batch]],
        ]
        events = in_turns(streams)
        units = len(events) * calls // batch

        def direct(
            out: Sequence[Transfer] = out[batch:],
            into: Sequence[Transfer] = into[batch:],
            found: int = found,
        ) -> None:
            for transfers, pieces in ((out, 3), (into, 2)):
                for transfer in transfers:
                    for one, piece in itertools.product(transfer.lines, range(1, pieces + 1)):
                        pick_directly(shop, one.id, one.quantity * piece / pieces)
                    shop.validate(transfer.id)
            for shelf, values in zip(counted[2 * batch :], moves, strict=True):
                count_directly(shop, shelf, found)
                move_directly(shop, values)

        yield (partial(shop.apply, events), len(events)), (direct, units)


# Events


def count(shelf: Shelf, found: int) -> OdooEvent:
    data = {"location": shelf.place, "barcode": shelf.barcode, "quantity": str(found)}
    return event("count.recorded", data)


def move(shelf: Shelf, place: str) -> OdooEvent:
    data = {"barcode": shelf.barcode, "quantity": "1", "from": shelf.place, "to": place}
    return event("stock.moved", data)


def scans(transfer: Transfer, pieces: int) -> list[OdooEvent]:
    """Every line scanned in so many equal parts, one part of each at a time; then closed."""
    parts = [
        line(transfer.name, one.barcode, f"{one.quantity / pieces:g}", device=transfer.name.lower())
        for _ in range(pieces)
        for one in transfer.lines
    ]
    return [*parts, done(transfer.name)]


def in_turns(streams: Sequence[Sequence[OdooEvent]]) -> list[OdooEvent]:
    """One event of each stream after the other until all are out."""
    rows = itertools.zip_longest(*streams)
    return [one for row in rows for one in row if one is not None]


# Direct calls


def count_directly(shop: Shop, shelf: Shelf, found: int) -> None:
    shop.floor.call(
        "stock.quant",
        "write",
        ids=[shelf.quant],
        vals={"inventory_quantity_auto_apply": found},
        context={"inventory_mode": True},
    )


def pick_directly(shop: Shop, number: int, quantity: float) -> None:
    values = {"quantity": quantity, "picked": True}
    shop.direct("stock.move.line", "write", ids=[number], vals=values)


def move_directly(shop: Shop, values: dict[str, Any]) -> None:
    [made] = shop.direct("stock.picking", "create", vals_list=[values])
    shop.validate(made)
