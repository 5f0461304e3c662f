"""What the handheld does in one run: twelve events, one of each sort, two of them sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from edge_contract.scalars import instant_text

Event = dict[str, Any]

#: How many pieces the receipt asks for, one a line, and how many are moved from ``a`` to ``b``.
LINES, MOVES = 5, 4
#: What the last count of ``counted`` found.
LAST_COUNT = 6


@dataclass(frozen=True, slots=True)
class Goods:
    """What the events of a run name: places by barcode, and a receipt of :data:`LINES` pieces."""

    document: str
    barcode: str
    a: str
    b: str
    counted: str


class World(Protocol):
    """Where the goods are."""

    def goods(self) -> Goods:
        """Goods with a document that no run had before."""
        ...


class NoWorld:
    """Names only: nobody looks them up."""

    def __init__(self) -> None:
        self._runs = 0

    def goods(self) -> Goods:
        self._runs += 1
        return Goods(f"WH/IN/{self._runs:05d}", "4006381333931", "A-01", "B-01", "C-01")


@dataclass(frozen=True, slots=True)
class Shift:
    """Two bursts: the second begins when the first is confirmed, with repeats of it."""

    first: Sequence[Event]
    second: Sequence[Event]

    @property
    def ids(self) -> list[UUID]:
        """The events in the order in which they are scanned first."""
        known = dict.fromkeys(UUID(event["id"]) for event in (*self.first, *self.second))
        return list(known)

    @property
    def of_document(self) -> list[UUID]:
        """Those of the receipt, in order."""
        return [UUID(event["id"]) for event in self.first if "document" in event["data"]]


def shift_with(goods: Goods, first_number: int) -> Shift:
    """``first_number``: the handheld's own number of the first event."""
    line = ("transfer.line", {"document": goods.document, "barcode": goods.barcode})
    move = ("stock.moved", {"barcode": goods.barcode, "from": goods.a, "to": goods.b})
    count = ("count.recorded", {"location": goods.counted, "barcode": goods.barcode})
    closes = ("transfer.done", {"document": goods.document, "backorder": "create"})

    made: list[Event] = []

    def event(sort: tuple[str, Event], quantity: int | None = 1) -> Event:
        kind, data = sort
        amount = {} if quantity is None else {"quantity": str(quantity)}
        made.append(
            {
                "id": str(uuid4()),
                "kind": kind,
                "time": instant_text(datetime.now(UTC)),
                "seq": first_number + len(made),
                "data": {**data, **amount},
            }
        )
        return made[-1]

    first = [event(line), event(line), event(move), event(count, 4), event(line)]
    first += [event(move), event(line), event(line), event(closes, None)]
    again = [first[1], first[3]]
    second = [again[0], event(move), again[1], event(count, LAST_COUNT), event(move)]
    return Shift(first, second)
